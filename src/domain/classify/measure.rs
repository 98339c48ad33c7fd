//! How good rankings are, beside what their owners chose.

use std::collections::BTreeMap;

use serde::Serialize;

/// One ranking, beside where its owner put the item.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Where its owner put it.
    pub label: String,
    /// The first candidate; nothing where there was none.
    pub predicted: Option<String>,
    /// The probability of the first candidate, 0 to 1.
    pub confidence: f64,
    /// At which place the right one stood among those that were looked at, from 0.
    pub rank: Option<usize>,
}

impl Outcome {
    /// Whether the first candidate was right.
    pub fn right(&self) -> bool {
        self.rank == Some(0)
    }
}

/// Figures over many rankings; all are fractions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Measures {
    /// The right one came first.
    pub top1: f64,
    /// It was among the first three.
    pub top3: f64,
    /// The mean over all labels, chosen or predicted, of the harmonic mean of precision and recall.
    pub macro_f1: f64,
    /// Right among the most confident half.
    pub conf50: f64,
    /// Right among the most confident 80 %.
    pub conf80: f64,
    /// Expected calibration error over ten bins.
    pub ece: f64,
    /// The largest share, taken by confidence, that is right in 95 %.
    pub coverage95: f64,
    /// The same for 90 %.
    pub coverage90: f64,
}

impl Measures {
    /// The figures of these rankings; all 0 where there are none.
    pub fn of(outcomes: &[Outcome]) -> Measures {
        let mut sure: Vec<&Outcome> = outcomes.iter().collect();
        // Stable: what is as sure as another stays in the order that it came in.
        sure.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let most = |share: f64| accuracy(sure.iter().copied().take((outcomes.len() as f64 * share).round() as usize));
        let among = |first: usize| outcomes.iter().filter(|it| it.rank.is_some_and(|rank| rank < first)).count();
        Measures {
            top1: fraction(among(1), outcomes.len()),
            top3: fraction(among(3), outcomes.len()),
            macro_f1: macro_f1(outcomes),
            conf50: most(0.5),
            conf80: most(0.8),
            ece: calibration_error(outcomes),
            coverage95: coverage(&sure, 0.95),
            coverage90: coverage(&sure, 0.90),
        }
    }
}

/// The share of these that is right; 0 of none.
pub fn accuracy<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> f64 {
    let (mut right, mut all) = (0, 0);
    for outcome in outcomes {
        all += 1;
        right += usize::from(outcome.right());
    }
    fraction(right, all)
}

fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn macro_f1(outcomes: &[Outcome]) -> f64 {
    // Of each label: right, chosen by its owner, predicted.
    let mut counts = BTreeMap::<&str, (usize, usize, usize)>::new();
    for outcome in outcomes {
        let of = counts.entry(&outcome.label).or_default();
        of.0 += usize::from(outcome.right());
        of.1 += 1;
        if let Some(predicted) = &outcome.predicted {
            counts.entry(predicted).or_default().2 += 1;
        }
    }
    let sum: f64 = counts.values().map(|(right, chosen, predicted)| fraction(2 * right, chosen + predicted)).sum();
    sum / counts.len().max(1) as f64
}

/// Bins of the calibration error.
const BINS: usize = 10;

fn calibration_error(outcomes: &[Outcome]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for outcome in outcomes {
        let at = ((outcome.confidence * BINS as f64) as usize).min(BINS - 1);
        if let Some((said, was)) = bins.get_mut(at) {
            *said += outcome.confidence;
            *was += f64::from(u8::from(outcome.right()));
        }
    }
    bins.iter().map(|(said, was): &(f64, f64)| (said - was).abs()).sum::<f64>() / outcomes.len().max(1) as f64
}

/// The largest share of these, which are sorted by confidence, whose precision is at least so much.
fn coverage(sure: &[&Outcome], precision: f64) -> f64 {
    points(sure).filter(|point| point.precision >= precision).map(|point| point.coverage).fold(0.0, f64::max)
}

/// What a threshold leads to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The threshold: whatever is at least so sure is filed.
    pub threshold: f64,
    /// The share that is filed.
    pub coverage: f64,
    /// The share of that which is right.
    pub precision: f64,
}

/// What each threshold leads to, from the strictest on; those that nothing comes between are one.
pub fn curve(outcomes: &[Outcome]) -> Vec<Point> {
    let mut sure: Vec<&Outcome> = outcomes.iter().collect();
    sure.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    points(&sure).collect()
}

/// A threshold takes all that are as sure as each other.
fn points(sure: &[&Outcome]) -> impl Iterator<Item = Point> {
    let mut right = 0;
    sure.iter().enumerate().filter_map(move |(before, outcome)| {
        right += usize::from(outcome.right());
        let tied = sure.get(before + 1).is_some_and(|next| next.confidence == outcome.confidence);
        let (threshold, filed) = (outcome.confidence, before + 1);
        let (coverage, precision) = (fraction(filed, sure.len()), fraction(right, filed));
        (!tied).then_some(Point { threshold, coverage, precision })
    })
}
