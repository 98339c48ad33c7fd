//! How far emm may file by itself, for each category: earned by what people confirmed and corrected, in Bayes' way.
//!
//! A category of which nobody said anything has the threshold of all. Its record is weighed against so many pseudo-guesses
//! ([`BEFORE`]) that trust the engine: of guesses at least as sure as that threshold the wanted precision is right, of surer ones
//! more, of others less, in proportion. The threshold of a category is the lowest that reaches the wanted precision by that.
//!
//! Downwards, what would be filed in addition has to reach it alone: what is right at 95 % says nothing of 55 %. Nothing that emm
//! filed by itself and nobody spoke of counts, and guesses are counted, so the order in which they came does not matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Guesses that the engine's own calibration counts for. A category files by itself by its record once that weighs more.
const BEFORE: u32 = 10;
/// No record takes a threshold below this: what is not likelier than all else together is asked about.
const FLOOR: u16 = 5_000;
/// Confidence is counted in steps of 0.0001; a threshold that is earned is a multiple of so many.
const WHOLE: u16 = 10_000;
const STEP: u16 = 100;
/// More than any confidence: nothing is filed.
const NEVER: u16 = WHOLE + STEP;

/// What emm took for the best place of a document before a person spoke; stands in the label of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guess {
    /// The code.
    pub code: String,
    /// How sure it was, from 0 to 1.
    pub confidence: f64,
}

/// What filing without asking has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bar {
    /// The confidence from which emm files where nobody said anything yet; 0 and 1 hold whatever people say.
    pub threshold: f64,
    /// The share of what is filed that shall be right.
    pub precision: f64,
}

/// What a category has earned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Earned {
    /// The category.
    pub category: String,
    /// How many guesses people said to be right.
    pub right: u32,
    /// Of how many that they spoke of.
    pub told: u32,
    /// The confidence from which emm files there by itself; above 1 it does not.
    pub threshold: f64,
    /// Whether it does so because of what people said, rather than of what is taken for granted.
    pub by_record: bool,
}

/// All guesses that people spoke of, each under the key of its lesson: a lesson that is taken back does not count any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Told>", into = "BTreeMap<String, Told>")]
pub struct Guesses {
    told: BTreeMap<String, Told>,
    records: BTreeMap<String, Record>,
}

/// One guess, and whether a person found it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    category: String,
    sure: u16,
    right: bool,
}

/// How many guesses of a category were right and wrong, by how sure they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Record(BTreeMap<u16, Counts>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    right: u32,
    wrong: u32,
}

impl Guesses {
    /// Takes note that a document of this key belongs to `code`, or to none that is known any more, and what emm had guessed.
    pub fn learn(&mut self, key: &str, code: Option<&str>, guess: Option<&Guess>) {
        if let Some(told) = self.told.remove(key) {
            self.forget(&told);
        }
        let (Some(code), Some(guess)) = (code, guess) else { return };
        let right = agrees(&guess.code, code);
        let told = Told { category: category(&guess.code).to_owned(), sure: steps(guess.confidence), right };
        self.count(&told);
        self.told.insert(key.to_owned(), told);
    }

    fn count(&mut self, told: &Told) {
        let record = self.records.entry(told.category.clone()).or_default();
        *record.0.entry(told.sure).or_default().of(told.right) += 1;
    }

    /// Leaves nothing behind: what is forgotten was never there.
    fn forget(&mut self, told: &Told) {
        let Some(record) = self.records.get_mut(&told.category) else { return };
        if let Some(counts) = record.0.get_mut(&told.sure) {
            *counts.of(told.right) -= 1;
            if *counts == Counts::default() {
                record.0.remove(&told.sure);
            }
        }
        if record.0.is_empty() {
            self.records.remove(&told.category);
        }
    }

    /// The confidence from which emm files by itself what it takes for something of this code.
    #[must_use]
    pub fn threshold(&self, code: &str, bar: Bar) -> f64 {
        self.records.get(category(code)).map_or(bar.threshold, |record| record.threshold(bar))
    }

    /// What every category earned that people spoke of.
    #[must_use]
    pub fn earned(&self, bar: Bar) -> Vec<Earned> {
        let earned = |(category, record): (&String, &Record)| {
            let (right, told) = record.total();
            let threshold = record.threshold(bar);
            let by_record = told >= BEFORE && threshold <= bar.threshold;
            Earned { category: category.clone(), right, told, threshold, by_record }
        };
        self.records.iter().map(earned).collect()
    }
}

impl From<BTreeMap<String, Told>> for Guesses {
    fn from(told: BTreeMap<String, Told>) -> Guesses {
        let mut guesses = Guesses::default();
        told.values().for_each(|told| guesses.count(told));
        Guesses { told, ..guesses }
    }
}

impl From<Guesses> for BTreeMap<String, Told> {
    fn from(guesses: Guesses) -> BTreeMap<String, Told> {
        guesses.told
    }
}

impl Counts {
    fn of(&mut self, right: bool) -> &mut u32 {
        if right { &mut self.right } else { &mut self.wrong }
    }
}

impl Record {
    fn total(&self) -> (u32, u32) {
        self.0.values().fold((0, 0), |(right, told), it| (right + it.right, told + it.right + it.wrong))
    }

    fn threshold(&self, bar: Bar) -> f64 {
        if !(bar.threshold > 0.0 && bar.threshold < 1.0) {
            return bar.threshold;
        }
        let global = steps(bar.threshold);
        let higher = std::iter::once(global).chain(multiples(global / STEP + 1, WHOLE / STEP + 1));
        let met = match self.lowest(higher, NEVER, bar) {
            Some(met) if met == global => {
                // Never below what was found right.
                let seen = self.0.iter().find(|(_, counts)| counts.right > 0).map_or(global, |(sure, _)| *sure);
                let lower = multiples(seen.max(FLOOR) / STEP, global.div_ceil(STEP));
                self.lowest(lower, global, bar).unwrap_or(global)
            }
            higher => higher.unwrap_or(NEVER),
        };
        if met == global { bar.threshold } else { f64::from(met) / f64::from(WHOLE) }
    }

    /// The lowest of these thresholds, such that the guesses that are at least so sure, and not as sure as `below`, are expected
    /// to be as often right as is wanted.
    fn lowest(&self, tried: impl DoubleEndedIterator<Item = u16>, below: u16, bar: Bar) -> Option<u16> {
        let (mut met, mut right, mut told) = (None, 0, 0);
        let mut guesses = self.0.range(..below).rev().peekable();
        for at in tried.rev() {
            while let Some((_, counts)) = guesses.next_if(|(sure, _)| **sure >= at) {
                (right, told) = (right + counts.right, told + counts.right + counts.wrong);
            }
            let expected = f64::from(right) + f64::from(BEFORE) * calibrated(at, bar);
            // Sums of decimal fractions may miss a whole number by their last bit.
            if expected + 1e-9 >= bar.precision * f64::from(told + BEFORE) {
                met = Some(at);
            }
        }
        met
    }
}

/// Whole hundredths, in steps.
fn multiples(from: u16, below: u16) -> impl DoubleEndedIterator<Item = u16> {
    (from..below).map(|number| number * STEP)
}

/// The share that the engine's calibration promises to be right of guesses that are at least so sure: the wanted one at the
/// threshold of all, all at 1, none at 0.
fn calibrated(at: u16, bar: Bar) -> f64 {
    let at = f64::from(at) / f64::from(WHOLE);
    if at <= bar.threshold {
        return bar.precision * (at / bar.threshold);
    }
    bar.precision + (1.0 - bar.precision) * ((at - bar.threshold) / (1.0 - bar.threshold))
}

/// A probability in steps; between two it counts as the surer one, which is the first that a threshold there lets pass.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn steps(probability: f64) -> u16 {
    // Within 0 and the whole.
    (probability.clamp(0.0, 1.0) * f64::from(WHOLE) - 1e-6).ceil() as u16
}

/// The category that a code is, or lies in.
pub fn category(code: &str) -> &str {
    code.split_once('.').map_or(code, |(category, _)| category)
}

/// Whether what was guessed names the place, or the category that it lies in.
pub fn agrees(guess: &str, code: &str) -> bool {
    guess == code || category(code) == guess
}
