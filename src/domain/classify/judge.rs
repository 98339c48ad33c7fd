//! From what the experts say to honest probabilities.
//!
//! Two steps: one score per target, then the probability that the best one is right, judged by how far it leads, how much of what the
//! document is about it stands for, and how much is known at all. The constants were fitted over seven labelled sets (knowing
//! only names, growing, and with most items known) and 58 everyday papers in the starter structure: the weights of the score by the likelihood of the right target and then by
//! how often it is first, those of the judge by logistic regression, with items of foreign sets and items whose right target was
//! taken away mixed in, so that "none of these" is an answer. `benches/classifier.py` shows what they are worth.

use crate::domain::classify::features::FIELDS;

/// What the experts say of one target.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Voices {
    pub(super) fields: [f64; FIELDS],
    pub(super) names: f64,
    /// What the document is about that the names stand for.
    pub(super) related: f64,
    /// How like the spelling is to that of its names, 0 to 1.
    pub(super) spelling: f64,
    /// What the linear expert says; nothing under 64 examples.
    pub(super) linear: f64,
    /// Share of the votes of the nearest examples.
    pub(super) near: f64,
    /// Similarity of its nearest example that shares enough words, 0 to 1.
    pub(super) twin: f64,
    /// Examples known.
    pub(super) examples: f64,
    /// What the expert of meaning says; nothing without vectors.
    pub(super) meant: Meant,
}

/// By how many standard deviations a target is nearer in meaning than targets are on the whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meant {
    /// By what the structure says of it.
    pub(super) place: f64,
    /// By the mean of its examples.
    pub(super) examples: f64,
    /// Its share of the nearest examples.
    pub(super) near: f64,
}

impl Meant {
    /// Whether anything was said, for or against the target.
    fn is_heard(&self) -> bool {
        self.place != 0.0 || self.examples != 0.0 || self.near != 0.0
    }

    /// Whether nothing speaks for it.
    fn is_silent(&self) -> bool {
        self.place <= 0.0 && self.examples <= 0.0 && self.near <= 0.0
    }
}

/// Weight of each field: word, title, pair, gram, hint, topic.
const FIELD: [f64; FIELDS] = [0.4, 0.45, 0.12, 0.36, 0.04, 0.65];
/// Weight of the logarithm of the names' score: ten words in common do not say twice as much as five.
const NAMES: f64 = 4.0;
/// The same of what is related to the names.
const RELATED: f64 = 1.8;
const LINEAR: f64 = 12.0;
const NEAR: f64 = 0.18;
/// Weight of how like the spelling is to that of the names.
const SPELLING: f64 = 5.0;
/// What a near twin weighs, from the first example on: a correction counts at once.
const TWIN: f64 = 8.0;
/// Similarity above which an example is a twin, and up to which it counts more.
const TWINS: (f64, f64) = (0.3, 0.8);
/// Weight of the logarithm of how many examples a target has.
const EXAMPLES: f64 = 0.45;
/// With this many examples to compare with, what was learnt has half its full say.
const HALF: f64 = 50.0;
/// Weights of the expert of meaning: of what the structure says of a target, of its examples, of the nearest ones. All six were
/// fitted over five labelled sets in the three protocols with a small multilingual model (e5).
const MEANT_PLACE: f64 = 1.0;
const MEANT_EXAMPLES: f64 = 1.0;
const MEANT_NEAR: f64 = 3.0;
/// And of the judge, where meaning is heard: a lead of which it is a part says less, most of all where little is known.
const MEANT_BIAS: f64 = -0.55;
const MEANT_LEAD: f64 = -0.6;
const MEANT_LEAD_WITH_EXPERIENCE: f64 = 0.65;

/// Weights of the judge.
const BIAS: f64 = 0.3;
const LEAD: f64 = 1.05;
const NAMED: f64 = -0.35;
const SHARE: f64 = 0.65;
const EXPERIENCE: f64 = -0.85;
const LEAD_WITH_EXPERIENCE: f64 = -0.6;

/// How much what was learnt counts, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Experience {
    /// By examples that the document can be compared with.
    pub(super) alike: f64,
    /// By all examples: who learns from mistakes learns that a language is no place.
    all: f64,
}

impl Experience {
    pub(super) fn of(alike: usize, all: usize) -> Experience {
        let share = |examples: usize| examples as f64 / (examples as f64 + HALF);
        Experience { alike: share(alike), all: share(all) }
    }
}

fn learnt(voices: &Voices) -> f64 {
    voices.fields.iter().zip(FIELD).map(|(vote, weight)| vote * weight).sum()
}

/// The combined score of one target.
pub(super) fn score(voices: &Voices, experience: Experience) -> f64 {
    let names = NAMES * libm::log(1.0 + voices.names.max(0.0))
        + RELATED * libm::log(1.0 + voices.related.max(0.0))
        + SPELLING * voices.spelling;
    let known = experience.alike * (learnt(voices) + NEAR * voices.near) + experience.all * LINEAR * voices.linear;
    let twin = TWIN * (voices.twin.min(TWINS.1) - TWINS.0).max(0.0);
    names + known + twin + habit(voices) + meant(voices, experience)
}

/// What meaning adds to the score of a target; nothing without vectors.
pub(super) fn meant(voices: &Voices, experience: Experience) -> f64 {
    let Meant { place, examples, near } = voices.meant;
    MEANT_PLACE * place + experience.all * (MEANT_EXAMPLES * examples + MEANT_NEAR * near)
}

/// Probabilities for targets that are sorted by score, best first; they fall, and what is missing to one is "none of these".
pub(super) fn probabilities(ranked: &[Voices], experience: Experience) -> Vec<f64> {
    let scores: Vec<f64> = ranked.iter().map(|voices| score(voices, experience)).collect();
    let (Some(best), Some(first)) = (ranked.first(), scores.first()) else { return Vec::new() };
    let shares: Vec<f64> = scores.iter().map(|score| libm::exp(score - first)).collect();
    let others: f64 = shares.iter().skip(1).sum();
    let top = if silent(best) { 0.0 } else { right(best, ranked, &scores, experience) };
    // The others keep their proportion to the best one, as far as there is room.
    let room = if others > 0.0 { ((1.0 - top) / (top * others).max(1e-12)).min(1.0) } else { 0.0 };
    let rest = shares.iter().skip(1).map(|share| top * share * room);
    std::iter::once(top).chain(rest).map(|probability| quantised(probability, 1e4)).collect()
}

/// Whether nothing at all speaks for a target.
fn silent(voices: &Voices) -> bool {
    let meant = voices.meant.is_silent();
    voices.names <= 0.0 && voices.related <= 0.0 && voices.near == 0.0 && learnt(voices) <= 0.0 && meant
}

/// How far the first score leads all others together, in nats, cut at 8.
fn lead(scores: &[f64]) -> f64 {
    let Some(first) = scores.first() else { return 0.0 };
    let others: f64 = scores.iter().skip(1).map(|score| libm::exp((score - first).min(20.0))).sum();
    (-libm::log(others.max(1e-9))).clamp(-8.0, 8.0)
}

/// What a target gains by having many examples.
fn habit(voices: &Voices) -> f64 {
    EXAMPLES * libm::log(1.0 + voices.examples)
}

/// The probability that the best target is the right one.
fn right(best: &Voices, ranked: &[Voices], scores: &[f64], experience: Experience) -> f64 {
    let experience = experience.alike;
    // That a target has many examples may break a tie; it must not make a document that says nothing look sure.
    let plain: Vec<f64> = scores.iter().zip(ranked).map(|(score, voices)| score - habit(voices)).collect();
    let lead = lead(scores).min(lead(&plain));
    // A document that speaks of many things is about what many targets stand for.
    let share = best.related.max(0.0) / (ranked.iter().map(|other| other.related.max(0.0)).sum::<f64>() + 0.5);
    let sum = BIAS
        + LEAD * lead
        + SHARE * share
        + NAMED * libm::log(1.0 + best.names.max(0.0))
        + experience * (EXPERIENCE + LEAD_WITH_EXPERIENCE * lead);
    1.0 / (1.0 + libm::exp(-(sum + by_meaning(ranked, lead, experience))))
}

/// What it says of the best target that meaning had a part in its lead; nothing without vectors.
fn by_meaning(ranked: &[Voices], lead: f64, experience: f64) -> f64 {
    match ranked.iter().any(|voices| voices.meant.is_heard()) {
        true => MEANT_BIAS + lead * (MEANT_LEAD + MEANT_LEAD_WITH_EXPERIENCE * experience),
        false => 0.0,
    }
}

/// Rounds down to steps of `1 / steps`, so that sums never exceed one.
pub(super) fn quantised(value: f64, steps: f64) -> f64 {
    libm::floor(value * steps) / steps
}
