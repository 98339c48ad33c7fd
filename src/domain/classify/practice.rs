//! Practice: when the linear expert learns, and from which examples.
//!
//! Each lesson is followed by a look at the new example and at the next few of those known, round and round in the order of the
//! hashes of their keys. So what the expert says follows from the log of lessons, and a lesson always takes the same time.

use crate::domain::classify::engine::Engine;
use crate::domain::classify::linear::{self, Linear, View};
use crate::domain::classify::packed;

/// Below so many examples the expert is silent: the others know as much, and need no order of lessons.
const EXAMPLES_MIN: usize = 64;
/// How many known examples are looked at again with each new one, at most; and after how many bytes of features no more are, so
/// that a lesson of long documents takes hardly longer than one of short ones.
const REPEATED: usize = 4;
const REPEATED_BYTES: usize = 1_200;

/// Where practice stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Practice {
    /// All examples, by the hashes of their keys and then by the keys.
    pub(super) order: Vec<u32>,
    /// The hash at which the last round of looks ended.
    pub(super) cursor: u64,
}

impl Engine {
    /// Takes a new example into the order, and practises.
    pub(super) fn practise(&mut self, example: u32) {
        if let Err(at) = self.place_in_order(example) {
            self.practice.order.insert(at, example);
        }
        if self.len() < EXAMPLES_MIN {
            return;
        }
        self.look(example);
        let mut read = 0;
        for _ in 0..REPEATED {
            if read >= REPEATED_BYTES {
                return;
            }
            let after = |at: &u32| self.hash_of(*at) <= self.practice.cursor;
            let next = self.practice.order.partition_point(after);
            let Some(next) = self.practice.order.get(next).or(self.practice.order.first()).copied() else { return };
            self.practice.cursor = self.hash_of(next);
            self.look(next);
            read += self.examples.get(next as usize).and_then(Option::as_ref).map_or(0, |known| known.packed.len());
        }
    }

    /// Takes an example that is to be forgotten out of the order, with all it said.
    pub(super) fn unpractise(&mut self, example: u32) {
        if let Ok(at) = self.place_in_order(example) {
            self.practice.order.remove(at);
        }
        if let Some(known) = self.examples.get_mut(example as usize).and_then(Option::as_mut) {
            let votes = std::mem::take(&mut known.votes);
            let (lead, rest) = packed::unpack(&known.packed);
            for (class, votes) in votes {
                self.linear.vote(linear::read(&lead, &rest), class, -votes);
            }
        }
        // As if there had never been more.
        if self.practice.order.len() < EXAMPLES_MIN && self.practice.cursor != 0 {
            self.practice.cursor = 0;
            self.linear = Linear::new();
            self.examples.iter_mut().flatten().for_each(|known| known.votes.clear());
        }
    }

    /// The order and the sums again, from the examples and their votes.
    pub(super) fn restore_practice(&mut self, cursor: u64) {
        self.practice.cursor = cursor;
        let mut order: Vec<u32> = self.keys.values().copied().collect();
        // By key already.
        order.sort_by_key(|at| self.hash_of(*at));
        self.practice.order = order;
        for known in self.examples.iter().flatten() {
            let (lead, rest) = packed::unpack(&known.packed);
            for (class, votes) in &known.votes {
                self.linear.vote(linear::read(&lead, &rest), *class, *votes);
            }
        }
    }

    /// An example learns from its mistake, if it is taken for another label or not for its own by far enough.
    fn look(&mut self, example: u32) {
        let Some(known) = self.examples.get(example as usize).and_then(Option::as_ref) else { return };
        let (lead, rest) = packed::unpack(&known.packed);
        let view = View::of(linear::read(&lead, &rest), &self.counts, &self.logs, self.len());
        let scores = self.linear.scores(&view, self.labels.len()).into_iter().enumerate();
        let scores: Vec<(u16, f64)> = scores
            .filter(|(class, _)| self.labels[*class].examples > 0)
            .map(|(class, score)| (class as u16, score))
            .collect();
        let code = |class: u16| self.labels[usize::from(class)].code.as_str();
        let Some((rival, moved)) = linear::step(&view, &scores, known.class, &known.votes, code) else { return };
        let class = known.class;
        self.linear.vote(linear::read(&lead, &rest), class, moved);
        self.linear.vote(linear::read(&lead, &rest), rival, -moved);
        if let Some(known) = self.examples.get_mut(example as usize).and_then(Option::as_mut) {
            linear::shift(&mut known.votes, class, rival, moved);
        }
    }

    /// Where an example is in the order, or would be.
    fn place_in_order(&self, example: u32) -> Result<usize, usize> {
        let place =
            |at: u32| self.examples.get(at as usize).and_then(Option::as_ref).map(|known| (known.hash, &known.key));
        let wanted = place(example);
        self.practice.order.binary_search_by(|at| place(*at).cmp(&wanted))
    }

    fn hash_of(&self, example: u32) -> u64 {
        self.examples.get(example as usize).and_then(Option::as_ref).map_or(0, |known| known.hash)
    }
}
