//! Naive Bayes, each label against all others, on counts of examples per feature.
//!
//! For label `c` and feature `f` the vote is `idf(f) * ln(odds)`, the odds those of meeting `f` in examples of `c` rather than elsewhere,
//! smoothed, and more where `f` is there more often. Rennie et al. 2003 ("Tackling the poor assumptions of naive Bayes") is the source of the complement and of the weighting.

use crate::domain::classify::counts::Counts;
use crate::domain::classify::features::{FIELDS, Features};

/// Smoothing: as if each feature had been met a tenth of a time everywhere.
const ALPHA: f64 = 0.1;
/// How much the label's own odds count beside the complement's.
const OWN: f64 = 0.5;
/// Logarithms up to here are looked up.
const TABLE: u32 = 8_192;

/// Logarithms of smoothed counts, computed once.
#[derive(Debug, Clone)]
pub(super) struct Logs(Box<[f64]>);

impl Logs {
    pub(super) fn new() -> Logs {
        Logs((0..TABLE).map(|count| libm::log(f64::from(count) + ALPHA)).collect())
    }

    pub(super) fn of(&self, count: u32) -> f64 {
        self.0.get(count as usize).copied().unwrap_or_else(|| libm::log(f64::from(count) + ALPHA))
    }
}

impl Counts {
    /// Per label the vote of each field, scaled to the amount of evidence.
    pub(super) fn voices(
        &self,
        logs: &Logs,
        features: &Features,
        examples: usize,
        labels: usize,
    ) -> Vec<[f64; FIELDS]> {
        let mut votes = vec![[0.0; FIELDS]; labels];
        let mut column = vec![0.0; labels];
        for field in 0..FIELDS {
            column.fill(0.0);
            self.field(field, logs, features, examples, &mut column);
            for (vote, value) in votes.iter_mut().zip(&column) {
                vote[field] = *value;
            }
        }
        votes
    }

    fn field(&self, field: usize, logs: &Logs, features: &Features, examples: usize, votes: &mut [f64]) {
        let (mut weights, mut squares) = (0.0, 0.0);
        let nothing = logs.of(0);
        let known = libm::log(examples as f64 + 1.0);
        for seen in features.of_field(field) {
            let row = self.entries_of(seen.feature);
            let total: u32 = row.iter().map(|entry| Counts::of_entry(*entry).1).sum();
            if total == 0 {
                continue;
            }
            let log_total = logs.of(total);
            let weight = (known - log_total).max(0.05) * f64::from(seen.times()) / 4.0;
            weights += weight;
            squares += weight * weight;
            let constant = log_total - OWN * nothing;
            for entry in row {
                let (class, count) = Counts::of_entry(*entry);
                if let Some(vote) = votes.get_mut(usize::from(class)) {
                    // ln(total / elsewhere) + OWN * ln(here / nowhere), all smoothed.
                    *vote += weight * (constant - logs.of(total - count) + OWN * logs.of(count));
                }
            }
        }
        if squares == 0.0 {
            return;
        }
        let smooth = ALPHA * self.distinct(field) as f64;
        let scale = 1.0 / libm::sqrt(squares + 4.0);
        let all = libm::log(self.grand(field) as f64 + smooth);
        let empty = libm::log(smooth);
        for (class, vote) in votes.iter_mut().enumerate() {
            let mass = self.mass(class as u16, field) as f64;
            let elsewhere = libm::log(self.grand(field) as f64 - mass + smooth);
            let own = libm::log(mass + smooth);
            *vote = (*vote + weights * (elsewhere - all - OWN * (own - empty))) * scale;
        }
    }

    /// How much one feature speaks for a label, 0 if it does not.
    pub(super) fn vote(&self, logs: &Logs, feature: u32, class: u16, examples: usize) -> f64 {
        let row = self.entries_of(feature);
        let total: u32 = row.iter().map(|entry| Counts::of_entry(*entry).1).sum();
        let Some((_, count)) = row.iter().map(|entry| Counts::of_entry(*entry)).find(|(of, _)| *of == class) else {
            return 0.0;
        };
        let weight = (libm::log(examples as f64 + 1.0) - logs.of(total)).max(0.05);
        let odds = logs.of(total) - logs.of(total - count) + OWN * (logs.of(count) - logs.of(0));
        let mass = self.mass(class, 0) as f64 / (self.grand(0) as f64).max(1.0);
        // What a word says by chance in a label of this size is no evidence.
        weight * (odds + libm::log(1.0 - mass.min(0.95)))
    }
}
