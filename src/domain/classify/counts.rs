//! In how many examples of each label a feature occurs: whole numbers, so that order never matters and forgetting is exact.
//!
//! A table of small sorted rows: 8 bytes a (feature, label) pair, nothing for what was never seen.

use crate::domain::classify::features::FIELDS;

const SHARDS: usize = 1 << 14;
const CLASS_SHIFT: u32 = 18;
const COUNT_MASK: u64 = (1 << CLASS_SHIFT) - 1;
const CLASS_MASK: u64 = (1 << 14) - 1;

/// The most labels that can be told apart; a whole Johnny.Decimal house has 10,000 ids.
pub(super) const CLASSES_MAX: usize = 1 << 14;

/// Counts of features per label.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    shards: Vec<Vec<u64>>,
    /// Per label: feature occurrences by field.
    totals: Vec<[u64; FIELDS]>,
    grand: [u64; FIELDS],
    distinct: [u64; FIELDS],
}

impl Counts {
    pub(super) fn new() -> Counts {
        Counts { shards: vec![Vec::new(); SHARDS], totals: Vec::new(), grand: [0; FIELDS], distinct: [0; FIELDS] }
    }

    /// Adds one occurrence of a feature to a label.
    pub(super) fn add(&mut self, feature: u32, class: u16) {
        let (shard, key) = place(feature);
        let field = field(feature);
        self.weigh(field, class, 1);
        let rows = &mut self.shards[shard];
        let start = (key << 32) | (u64::from(class) << CLASS_SHIFT);
        let at = rows.partition_point(|entry| *entry < start);
        if let Some(entry) = rows.get_mut(at)
            && *entry >> CLASS_SHIFT == start >> CLASS_SHIFT
        {
            *entry += 1;
            return;
        }
        let before = at.checked_sub(1).and_then(|i| rows.get(i)).is_some_and(|entry| entry >> 32 == key);
        let after = rows.get(at).is_some_and(|entry| entry >> 32 == key);
        if !before && !after {
            self.distinct[field] += 1;
        }
        if rows.len() == rows.capacity() {
            rows.reserve_exact(4 + rows.len() / 6);
        }
        rows.insert(at, start | 1);
    }

    fn weigh(&mut self, field: usize, class: u16, count: u64) {
        if self.totals.len() <= usize::from(class) {
            self.totals.resize(usize::from(class) + 1, [0; FIELDS]);
        }
        self.totals[usize::from(class)][field] += count;
        self.grand[field] += count;
    }

    /// Adds a whole entry behind all others of its row; `None` if it does not belong there.
    pub(super) fn append(&mut self, feature: u32, class: u16, count: u64) -> Option<()> {
        let ((shard, key), field) = (place(feature), field(feature));
        let entry = (key << 32) | (u64::from(class) << CLASS_SHIFT) | count;
        let rows = self.shards.get_mut(shard)?;
        let last = rows.last().copied();
        if count == 0 || count > COUNT_MASK || last.is_some_and(|last| last >> CLASS_SHIFT >= entry >> CLASS_SHIFT) {
            return None;
        }
        if last.is_none_or(|last| last >> 32 != key) {
            self.distinct[field] += 1;
        }
        rows.push(entry);
        self.weigh(field, class, count);
        Some(())
    }

    /// A number that grows with a feature's place in the table.
    pub(super) fn order(feature: u32) -> u64 {
        let (shard, key) = place(feature);
        ((shard as u64) << 13) | key
    }

    /// The feature at a place; `None` beyond the table.
    pub(super) fn feature(order: u64) -> Option<u32> {
        let (shard, key) = (order >> 13, order & 0x1FFF);
        (shard < SHARDS as u64).then_some((((key >> 10) << 24) | ((key & 0x3FF) << 14) | shard) as u32)
    }

    /// Takes one occurrence back; a feature that was never added is left alone.
    pub(super) fn remove(&mut self, feature: u32, class: u16) {
        let (shard, key) = place(feature);
        let field = field(feature);
        let rows = &mut self.shards[shard];
        let start = (key << 32) | (u64::from(class) << CLASS_SHIFT);
        let at = rows.partition_point(|entry| *entry < start);
        let Some(entry) = rows.get_mut(at).filter(|entry| **entry >> CLASS_SHIFT == start >> CLASS_SHIFT) else {
            return;
        };
        *entry -= 1;
        self.grand[field] -= 1;
        if let Some(totals) = self.totals.get_mut(usize::from(class)) {
            totals[field] -= 1;
        }
        if *entry & COUNT_MASK > 0 {
            return;
        }
        rows.remove(at);
        let before = at.checked_sub(1).and_then(|i| rows.get(i)).is_some_and(|entry| entry >> 32 == key);
        let after = rows.get(at).is_some_and(|entry| entry >> 32 == key);
        if !before && !after {
            self.distinct[field] -= 1;
        }
    }

    /// The entries of a feature, by label.
    pub(super) fn entries_of(&self, feature: u32) -> &[u64] {
        let (shard, key) = place(feature);
        let rows: &[u64] = self.shards.get(shard).map_or(&[], Vec::as_slice);
        let from = rows.partition_point(|entry| *entry < key << 32);
        let tail = rows.get(from..).unwrap_or(&[]);
        tail.get(..tail.iter().take_while(|entry| **entry >> 32 == key).count()).unwrap_or(&[])
    }

    /// The label of an entry and the number of its examples that have the feature.
    pub(super) fn of_entry(entry: u64) -> (u16, u32) {
        (((entry >> CLASS_SHIFT) & CLASS_MASK) as u16, (entry & COUNT_MASK) as u32)
    }

    /// In how many examples a feature occurs.
    pub(super) fn total(&self, feature: u32) -> u32 {
        self.entries_of(feature).iter().map(|entry| Counts::of_entry(*entry).1).sum()
    }

    /// Feature occurrences of one label in one field.
    pub(super) fn mass(&self, class: u16, field: usize) -> u64 {
        self.totals.get(usize::from(class)).map_or(0, |totals| totals[field])
    }

    /// Feature occurrences of all labels in one field.
    pub(super) fn grand(&self, field: usize) -> u64 {
        self.grand[field]
    }

    /// Distinct features in one field.
    pub(super) fn distinct(&self, field: usize) -> u64 {
        self.distinct[field]
    }

    /// Every (feature, label, count), ordered by place in the table.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, u16, u64)> + '_ {
        self.shards.iter().enumerate().flat_map(|(shard, rows)| {
            rows.iter().map(move |entry| {
                let key = entry >> 32;
                let feature = ((key >> 10) << 24) | ((key & 0x3FF) << 14) | shard as u64;
                (feature as u32, ((entry >> CLASS_SHIFT) & CLASS_MASK) as u16, entry & COUNT_MASK)
            })
        })
    }

    /// Memory taken, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|rows| rows.capacity() * 8 + 24).sum()
    }

    /// Gives spare capacity back.
    pub(super) fn shrink(&mut self) {
        self.shards.iter_mut().for_each(Vec::shrink_to_fit);
    }
}

pub(super) fn place(feature: u32) -> (usize, u64) {
    let key = (u64::from(feature >> 24) << 10) | u64::from((feature >> 14) & 0x3FF);
    ((feature & 0x3FFF) as usize, key)
}

fn field(feature: u32) -> usize {
    ((feature >> 24) as usize).min(FIELDS - 1)
}
