//! The file of what was learnt: a line that says of which store and up to which label, then the engine's own form.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::domain::classify::Engine;

/// The version of the line; the engine's form has its own.
const FORMAT: u32 = 1;

/// What stands before the engine's form.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    /// The identity of the store whose labels were learnt.
    store: String,
    /// The last label that was learnt.
    seq: u64,
    /// BLAKE3 of store, number and the engine's form.
    check: String,
}

/// The engine and the last label that it learnt, if the file is whole and of this store. Else all is learnt again.
pub(super) fn restore(path: &Path, store: &str) -> Option<(Engine, u64)> {
    let bytes = fs::read(path).ok()?;
    read(&bytes, store)
        .inspect_err(|reason| tracing::info!("what was learnt is read again from the labels: {reason}"))
        .ok()
}

fn read(bytes: &[u8], store: &str) -> Result<(Engine, u64), String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("the snapshot has no head")?;
    let (line, rest) = bytes.split_at(end);
    let snapshot = rest.get(1..).unwrap_or_default();
    let head: Head = serde_json::from_slice(line).map_err(|error| format!("the head of the snapshot: {error}"))?;
    if head.format != FORMAT {
        return Err(format!("the snapshot has format {}, this emm reads {FORMAT}", head.format));
    }
    if head.store != store {
        return Err(format!("the snapshot is of the store {}, this is {store}", head.store));
    }
    if head.check != check(store, head.seq, snapshot) {
        return Err("the snapshot is damaged".to_owned());
    }
    let engine = Engine::restore(Vec::new(), snapshot).map_err(|error| error.to_string())?;
    Ok((engine, head.seq))
}

/// Writes the file beside and puts it in the place of the old one.
pub(super) fn store(path: &Path, store: &str, snapshot: &[u8], seq: u64) -> io::Result<()> {
    let head = Head { format: FORMAT, store: store.to_owned(), seq, check: check(store, seq, snapshot) };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(snapshot);
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::rename(beside, path)
}

fn check(store: &str, seq: u64, snapshot: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{store}\n{seq}\n").as_bytes()).update(snapshot);
    hasher.finalize().to_hex().to_string()
}
