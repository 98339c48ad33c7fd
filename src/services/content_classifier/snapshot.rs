//! The file of what was learnt: a line that says of which store and up to which label, one of what emm had guessed, then the
//! engine's own form.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::domain::classify::{Engine, Guesses};

/// The version of the two lines; the engine's form has its own.
const FORMAT: u32 = 2;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    /// The identity of the store whose labels were learnt.
    store: String,
    /// The last label that was learnt.
    seq: u64,
    /// BLAKE3 of store, number and all that follows.
    check: String,
}

/// What was learnt up to a label.
pub(super) struct Learnt {
    pub(super) engine: Engine,
    pub(super) guesses: Guesses,
    /// The last label that was learnt.
    pub(super) seq: u64,
}

/// What was learnt, if the file is whole and of this store. Else all is learnt again.
pub(super) fn restore(path: &Path, store: &str) -> Option<Learnt> {
    let bytes = fs::read(path).ok()?;
    read(&bytes, store)
        .inspect_err(|reason| tracing::info!("what was learnt is read again from the labels: {reason}"))
        .ok()
}

fn read(bytes: &[u8], store: &str) -> Result<Learnt, String> {
    let (line, rest) = line(bytes).ok_or("the snapshot has no head")?;
    let head: Head = serde_json::from_slice(line).map_err(|error| format!("the head of the snapshot: {error}"))?;
    if head.format != FORMAT {
        return Err(format!("the snapshot has format {}, this emm reads {FORMAT}", head.format));
    }
    if head.store != store {
        return Err(format!("the snapshot is of the store {}, this is {store}", head.store));
    }
    if head.check != check(store, head.seq, rest) {
        return Err("the snapshot is damaged".to_owned());
    }
    let (guesses, snapshot) = self::line(rest).ok_or("the snapshot has no guesses")?;
    let guesses = serde_json::from_slice(guesses).map_err(|error| format!("the guesses of the snapshot: {error}"))?;
    let engine = Engine::restore(Vec::new(), snapshot).map_err(|error| error.to_string())?;
    Ok(Learnt { engine, guesses, seq: head.seq })
}

/// The first line, and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// Writes the file beside and puts it in the place of the old one. `snapshot` is the engine's form.
pub(super) fn store(path: &Path, store: &str, guesses: &Guesses, snapshot: &[u8], seq: u64) -> io::Result<()> {
    let mut rest = serde_json::to_vec(guesses)?;
    rest.push(b'\n');
    rest.extend_from_slice(snapshot);
    let head = Head { format: FORMAT, store: store.to_owned(), seq, check: check(store, seq, &rest) };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&rest);
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::rename(beside, path)
}

fn check(store: &str, seq: u64, rest: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{store}\n{seq}\n").as_bytes()).update(rest);
    hasher.finalize().to_hex().to_string()
}
