//! The linear expert: it learns from mistakes which features tell labels apart.
//!
//! Each example votes with its features for its own label and against the one that it is taken for, no more than a margin needs:
//! the multiclass support vector machine of Crammer and Singer (2001), solved one example at a time, where a single step is
//! that of passive-aggressive learning (Crammer et al. 2006). Votes are whole numbers that are kept with their example: sums
//! do not depend on an order, and to forget an example takes back exactly what it said. How telling a feature is weighs in when
//! sums are read, so that they need not be made again when it changes.

use crate::domain::classify::bayes::Logs;
use crate::domain::classify::counts::{CLASSES_MAX, Counts, place};
use crate::domain::classify::engine::EXAMPLES_MAX;
use crate::domain::classify::features::{FIELDS, Field, Seen, TIMES};
use crate::domain::classify::packed::{put, take};

const SHARDS: usize = 1 << 14;
/// An entry: a feature's place in its shard, a label, and a sum that is shifted so that it is never negative.
const KEY_SHIFT: u32 = 51;
const CLASS_SHIFT: u32 = 37;
const SUM_ZERO: i64 = 1 << 36;
const SUM_MASK: u64 = (1 << CLASS_SHIFT) - 1;

/// Votes of one example for or against one label; as many examples as there can be stay within a sum.
const VOTES_MAX: i32 = 1 << 13;
const _: () = assert!((EXAMPLES_MAX as i64) * (VOTES_MAX as i64) * (TIMES[7] as i64) < SUM_ZERO);
/// Votes that make one.
const UNIT: f64 = 16_384.0;
/// By how much the right label is to lead.
const MARGIN: f64 = 1.0;

/// Weight of each field: word, title, pair, gram, hint, topic. What it does not read has none.
const FIELD: [f64; FIELDS] = [1.0, 1.5, 0.0, 0.5, 1.0, 0.5];

/// For and against which labels an example votes; all of its votes sum to nothing.
pub(super) type Votes = Vec<(u16, i32)>;

/// The features that the expert reads: the leading words, title, letter groups, hints and topics.
pub(super) fn read<'a>(lead: &'a [Seen], rest: &'a [Seen]) -> impl Iterator<Item = Seen> + 'a {
    let more =
        |seen: &Seen| [Field::Gram as u32, Field::Hint as u32, Field::Topic as u32].contains(&(seen.feature >> 24));
    lead.iter().copied().chain(rest.iter().copied().filter(more))
}

/// A document as the expert sees it among what is known.
pub(super) struct View {
    /// Known features: the square of the weight, times how often they are there.
    features: Vec<(u32, f64)>,
    norm: f64,
}

impl View {
    pub(super) fn of(features: impl Iterator<Item = Seen>, counts: &Counts, logs: &Logs, examples: usize) -> View {
        let known = libm::log(examples as f64 + 1.0);
        let mut view = View { features: Vec::new(), norm: 0.0 };
        for seen in features {
            let spread = counts.total(seen.feature);
            let times = f64::from(seen.times());
            let field = FIELD.get((seen.feature >> 24) as usize).copied().unwrap_or_default();
            let weight = field * (known - logs.of(spread)).max(0.05);
            view.norm += weight * weight * times * times;
            if spread > 0 {
                view.features.push((seen.feature, weight * weight * times));
            }
        }
        view.norm = libm::sqrt(view.norm.max(1.0));
        view
    }
}

/// Sums of votes per feature and label.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    shards: Vec<Vec<u64>>,
}

impl Linear {
    /// Nobody has voted.
    pub(super) fn new() -> Linear {
        Linear { shards: Vec::new() }
    }

    /// The score of each label.
    pub(super) fn scores(&self, view: &View, labels: usize) -> Vec<f64> {
        let mut scores = vec![0.0; labels];
        for (feature, weight) in &view.features {
            let (shard, key) = place(*feature);
            let rows = self.shards.get(shard).map_or(&[][..], Vec::as_slice);
            let from = rows.partition_point(|entry| entry >> KEY_SHIFT < key);
            for entry in rows.iter().skip(from).take_while(|entry| *entry >> KEY_SHIFT == key) {
                let class = (entry >> CLASS_SHIFT) as usize & (CLASSES_MAX - 1);
                if let Some(score) = scores.get_mut(class) {
                    *score += weight * ((entry & SUM_MASK) as i64 - SUM_ZERO) as f64;
                }
            }
        }
        scores.iter_mut().for_each(|score| *score /= view.norm * UNIT);
        scores
    }

    /// Adds votes of an example with these features.
    pub(super) fn vote(&mut self, features: impl Iterator<Item = Seen>, class: u16, votes: i32) {
        self.shards.resize(SHARDS, Vec::new());
        for seen in features {
            let votes = votes * seen.times();
            let (shard, key) = place(seen.feature);
            let rows = &mut self.shards[shard];
            let of = (key << (KEY_SHIFT - CLASS_SHIFT)) | u64::from(class);
            let at = rows.partition_point(|entry| entry >> CLASS_SHIFT < of);
            let found = rows.get(at).filter(|entry| **entry >> CLASS_SHIFT == of);
            let sum = found.map_or(0, |entry| (entry & SUM_MASK) as i64 - SUM_ZERO) + i64::from(votes);
            let entry = (of << CLASS_SHIFT) | (sum + SUM_ZERO) as u64;
            match (found.is_some(), sum) {
                (true, 0) => {
                    rows.remove(at);
                }
                (true, _) => rows[at] = entry,
                (false, _) => {
                    if rows.len() == rows.capacity() {
                        rows.reserve_exact(4 + rows.len() / 6);
                    }
                    rows.insert(at, entry);
                }
            }
        }
    }

    /// Memory taken, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|rows| rows.capacity() * 8 + 24).sum()
    }
}

/// What an example of `class` learns from the scores of all labels that have examples: the rival from which votes move to its own
/// label, and how many; back to the rival where they are more than the margin needs. Nothing while there is no rival.
/// `code` settles ties, for the number of a label depends on when it came.
pub(super) fn step<'a>(
    view: &View,
    scores: &[(u16, f64)],
    class: u16,
    votes: &[(u16, i32)],
    code: impl Fn(u16) -> &'a str,
) -> Option<(u16, i32)> {
    let own = scores.iter().find(|(of, _)| *of == class)?.1;
    let rivals = || scores.iter().copied().filter(|(of, _)| *of != class);
    let nearer = |a: &(u16, f64), b: &(u16, f64)| a.1.total_cmp(&b.1).then_with(|| code(b.0).cmp(code(a.0)));
    let wanting = |score: f64| (MARGIN - (own - score)) / 2.0 / view.norm * UNIT;
    let votes_of = |class: u16| votes.iter().find(|(of, _)| *of == class).map_or(0, |(_, votes)| *votes);
    let (rival, score) = rivals().max_by(nearer)?;
    let more = libm::floor(wanting(score)).clamp(0.0, f64::from(VOTES_MAX - votes_of(class))) as i32;
    if more > 0 {
        return Some((rival, more));
    }
    let (rival, score) = rivals().filter(|(rival, _)| votes_of(*rival) < 0).min_by(nearer)?;
    let back = libm::ceil(wanting(score)).clamp(f64::from(votes_of(rival)), 0.0) as i32;
    (back < 0).then_some((rival, back))
}

/// Moves votes from a rival to the own label.
pub(super) fn shift(votes: &mut Votes, class: u16, rival: u16, moved: i32) {
    for (of, change) in [(class, moved), (rival, -moved)] {
        match votes.iter_mut().find(|(known, _)| *known == of) {
            Some((_, votes)) => *votes += change,
            None => votes.push((of, change)),
        }
    }
    votes.retain(|(_, votes)| *votes != 0);
}

/// Appends votes; `place` gives each label its number in the snapshot.
pub(super) fn write(bytes: &mut Vec<u8>, votes: &[(u16, i32)], place: &[u16]) {
    let mut votes: Vec<(u16, i32)> =
        votes.iter().filter_map(|(class, votes)| Some((*place.get(usize::from(*class))?, *votes))).collect();
    votes.sort_unstable();
    put(bytes, votes.len() as u64);
    for (class, votes) in votes {
        put(bytes, u64::from(class));
        put(bytes, (u64::from(votes.unsigned_abs()) << 1) | u64::from(votes < 0));
    }
}

/// Takes votes for and against `labels` labels; `None` if they cannot be.
pub(super) fn take_votes(bytes: &mut &[u8], labels: usize) -> Option<Votes> {
    let mut votes = Votes::new();
    for _ in 0..take(bytes)? {
        let class = u16::try_from(take(bytes)?).ok().filter(|class| usize::from(*class) < labels)?;
        if votes.last().is_some_and(|(before, _)| *before >= class) {
            return None;
        }
        let number = take(bytes)?;
        let size = i32::try_from(number >> 1).ok().filter(|size| (1..=VOTES_MAX).contains(size))?;
        votes.push((class, if number & 1 == 1 { -size } else { size }));
    }
    Some(votes)
}
