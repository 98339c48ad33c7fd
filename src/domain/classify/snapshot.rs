//! What was learnt, as bytes that load quickly: labels, examples with their features, and the counts.
//!
//! The bytes are a function of what is known, not of the order in which it came: labels sorted by code, examples by key.

use std::collections::BTreeMap;

use crate::domain::classify::Target;
use crate::domain::classify::counts::{CLASSES_MAX, Counts};
use crate::domain::classify::engine::{Engine, Example, Label};
use crate::domain::classify::features::FIELDS;
use crate::domain::classify::hashing::key_hash;
use crate::domain::classify::linear;
use crate::domain::classify::neighbours::Postings;
use crate::domain::classify::packed::{put, take, unpack_lead};
use crate::domain::text;

const MAGIC: u64 = 0x656d_6d63;
/// Raised whenever features, hashes or the format change: an old snapshot is then rebuilt, not misread. The analyser's
/// version is part of it.
const VERSION: u64 = (3 << 32) | text::VERSION as u64;

/// Why a snapshot cannot be used; the caller learns again from the source.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SnapshotError {
    /// Written by another build.
    #[error("classifier snapshot has version {found}, this build reads {VERSION}: learn again from the vault")]
    Version {
        /// The version that the snapshot says.
        found: u64,
    },
    /// Cut off, changed or no snapshot.
    #[error("classifier snapshot is damaged: learn again from the vault")]
    Damaged,
}

impl Engine {
    /// Everything that was learnt, as bytes; the targets are not in it.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.len() * 1_024);
        put(&mut bytes, MAGIC);
        put(&mut bytes, VERSION);
        let mut order: Vec<usize> = (0..self.labels.len()).filter(|at| self.labels[*at].examples > 0).collect();
        order.sort_by(|a, b| self.labels[*a].code.cmp(&self.labels[*b].code));
        let mut place = vec![0_u16; self.labels.len()];
        put(&mut bytes, order.len() as u64);
        for (new, old) in order.iter().enumerate() {
            place[*old] = new as u16;
            block(&mut bytes, self.labels[*old].code.as_bytes());
        }
        let known: Vec<&Example> = self.known_examples().collect();
        put(&mut bytes, known.len() as u64);
        for example in known {
            block(&mut bytes, example.key.as_bytes());
            block(&mut bytes, example.title.as_bytes());
            put(&mut bytes, u64::from(place[usize::from(example.class)]));
            block(&mut bytes, &example.packed);
            linear::write(&mut bytes, &example.votes, &place);
        }
        put(&mut bytes, self.practice.cursor);
        self.counts.write(&mut bytes, &place);
        self.write_meaning(&mut bytes);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// An engine that knows what the snapshot knew, for the targets of today.
    ///
    /// # Errors
    /// `Version` for a snapshot of another build, `Damaged` for bytes that are not whole.
    pub fn restore(targets: Vec<Target>, snapshot: &[u8]) -> Result<Engine, SnapshotError> {
        let split = snapshot.len().checked_sub(8).ok_or(SnapshotError::Damaged)?;
        let (body, sum) = snapshot.split_at(split);
        if checksum(body).to_le_bytes() != sum {
            return Err(SnapshotError::Damaged);
        }
        let mut engine = Engine::new(targets);
        let mut bytes = body;
        engine.read(&mut bytes)?;
        Ok(engine)
    }

    fn known_examples(&self) -> impl Iterator<Item = &Example> {
        self.keys.values().filter_map(|at| self.examples.get(*at as usize).and_then(Option::as_ref))
    }

    fn read(&mut self, bytes: &mut &[u8]) -> Result<(), SnapshotError> {
        if number(bytes)? != MAGIC {
            return Err(SnapshotError::Damaged);
        }
        let found = number(bytes)?;
        if found != VERSION {
            return Err(SnapshotError::Version { found });
        }
        let labels = number(bytes)? as usize;
        if labels > CLASSES_MAX {
            return Err(SnapshotError::Damaged);
        }
        for _ in 0..labels {
            let code = string(bytes)?.to_owned();
            let target = self.target_of(&code);
            self.labels.push(Label { code, examples: 0, target });
        }
        let mut keys = Vec::new();
        for at in 0..number(bytes)? as u32 {
            let example = self.read_example(bytes)?;
            keys.push((example.key.to_string(), at));
            self.examples.push(Some(example));
        }
        // Sorted already: the map is built in one go.
        self.keys = BTreeMap::from_iter(keys);
        let mut leads = Vec::new();
        for (at, example) in self.examples.iter().enumerate() {
            leads.extend(example.iter().flat_map(|e| unpack_lead(&e.packed)).map(|seen| (seen.feature, at as u32)));
        }
        self.postings = Postings::build(&leads);
        self.restore_practice(number(bytes)?);
        self.counts = Counts::read(bytes, labels).ok_or(SnapshotError::Damaged)?;
        self.read_meaning(bytes).ok_or(SnapshotError::Damaged)
    }

    fn read_example(&mut self, bytes: &mut &[u8]) -> Result<Example, SnapshotError> {
        let (key, title) = (string(bytes)?, string(bytes)?.into());
        let class = number(bytes)? as usize;
        let label = self.labels.get_mut(class).ok_or(SnapshotError::Damaged)?;
        label.examples += 1;
        let hash = key_hash(key);
        let packed = piece(bytes)?.into();
        let votes = linear::take_votes(bytes, self.labels.len()).ok_or(SnapshotError::Damaged)?;
        Ok(Example { key: key.into(), title, class: class as u16, packed, hash, votes })
    }
}

impl Counts {
    /// Appends the table; `place` gives each label its number in the snapshot.
    fn write(&self, bytes: &mut Vec<u8>, place: &[u16]) {
        let mut entries: Vec<(u32, u16, u64)> = self
            .entries()
            .filter_map(|(feature, class, count)| Some((feature, *place.get(usize::from(class))?, count)))
            .collect();
        // By place in the table, then by label: reading appends to rows only.
        entries.sort_unstable_by_key(|(feature, class, _)| (Counts::order(*feature), *class));
        put(bytes, entries.len() as u64);
        let mut before = 0_u64;
        for (feature, class, count) in entries {
            let order = Counts::order(feature);
            put(bytes, order - before);
            // A count of one, by far the most frequent, shares a number with its label.
            put(bytes, (u64::from(class) << 1) | u64::from(count > 1));
            if count > 1 {
                put(bytes, count);
            }
            before = order;
        }
    }

    fn read(bytes: &mut &[u8], labels: usize) -> Option<Counts> {
        let mut counts = Counts::new();
        let mut order = 0_u64;
        for _ in 0..take(bytes)? {
            order = order.checked_add(take(bytes)?)?;
            let class = take(bytes)?;
            let count = if class & 1 == 1 { take(bytes)? } else { 1 };
            let class = usize::try_from(class >> 1).ok().filter(|class| *class < labels)?;
            counts.append(Counts::feature(order)?, class as u16, count)?;
        }
        counts.shrink();
        Some(counts)
    }
}

/// How many fields the format knows: a change needs a new version.
const _: () = assert!(FIELDS == 6);

fn block(bytes: &mut Vec<u8>, content: &[u8]) {
    put(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

fn number(bytes: &mut &[u8]) -> Result<u64, SnapshotError> {
    take(bytes).ok_or(SnapshotError::Damaged)
}

fn piece<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], SnapshotError> {
    let length = number(bytes)? as usize;
    let (head, tail) = bytes.split_at_checked(length).ok_or(SnapshotError::Damaged)?;
    *bytes = tail;
    Ok(head)
}

fn string<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, SnapshotError> {
    std::str::from_utf8(piece(bytes)?).map_err(|_| SnapshotError::Damaged)
}

/// Detects damage, not malice: eight bytes at a time.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let state = words.iter().fold(0xcbf2_9ce4_8422_2325_u64, |state, word| {
        (state ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    });
    rest.iter()
        .fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}
