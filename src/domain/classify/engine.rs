//! The engine: learn, unlearn, classify.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::domain::classify::bayes::Logs;
use crate::domain::classify::counts::{CLASSES_MAX, Counts};
use crate::domain::classify::evidence;
use crate::domain::classify::features::Features;
use crate::domain::classify::hashing::{key_hash, word_feature};
use crate::domain::classify::judge::{self, Experience, Voices};
use crate::domain::classify::linear::{self, Linear, View, Votes};
use crate::domain::classify::meaning::Meaning;
use crate::domain::classify::names::Names;
use crate::domain::classify::neighbours::{Near, Postings};
use crate::domain::classify::packed;
use crate::domain::classify::practice::Practice;
use crate::domain::classify::related::Related;
use crate::domain::classify::spelling::Spelling;
use crate::domain::classify::vector::Vector;
use crate::domain::classify::{Candidate, Document, Target};

/// The most examples an engine keeps; more are refused so that counts never overflow.
pub(super) const EXAMPLES_MAX: usize = (1 << 18) - 1;

/// An example that shares fewer words is no twin, however short the document is: "IMG" is in many names.
const TWIN_WORDS: u32 = 8;

/// Everything known about where documents belong.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) targets: Vec<Target>,
    pub(super) names: Names,
    /// Made when the first document comes, for it takes a while.
    related: OnceLock<Related>,
    pub(super) spelling: Spelling,
    pub(super) labels: Vec<Label>,
    pub(super) counts: Counts,
    pub(super) logs: Logs,
    pub(super) postings: Postings,
    pub(super) linear: Linear,
    pub(super) practice: Practice,
    pub(super) meaning: Meaning,
    pub(super) examples: Vec<Option<Example>>,
    pub(super) keys: BTreeMap<String, u32>,
    pub(super) free: Vec<u32>,
}

/// A code that examples were taught under.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) code: String,
    pub(super) examples: u32,
    /// The target it stands for today: itself, or its category where ids are no targets.
    pub(super) target: Option<usize>,
}

/// One thing that a person taught.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub(super) key: Box<str>,
    pub(super) title: Box<str>,
    pub(super) class: u16,
    /// Its features: the leading ones, then the rest.
    pub(super) packed: Box<[u8]>,
    /// The hash of its key, which says when it is looked at again.
    pub(super) hash: u64,
    /// What it says to the linear expert.
    pub(super) votes: Votes,
}

impl Engine {
    /// An engine that knows only what the structure says. Targets with an empty or repeated code are left out.
    pub fn new(mut targets: Vec<Target>) -> Engine {
        targets.sort_by(|a, b| a.code.cmp(&b.code));
        targets.dedup_by(|a, b| a.code == b.code);
        targets.retain(|target| !target.code.is_empty());
        Engine {
            names: Names::new(&targets),
            related: OnceLock::new(),
            spelling: Spelling::new(&targets),
            targets,
            labels: Vec::new(),
            counts: Counts::new(),
            logs: Logs::new(),
            postings: Postings::new(),
            linear: Linear::new(),
            practice: Practice::default(),
            meaning: Meaning::default(),
            examples: Vec::new(),
            keys: BTreeMap::new(),
            free: Vec::new(),
        }
    }

    /// The places that documents can go.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Takes a new structure; what was learnt stays, also under codes that are gone for now.
    pub fn retarget(&mut self, targets: Vec<Target>) {
        let fresh = Engine::new(targets);
        self.targets = fresh.targets;
        self.names = fresh.names;
        self.related = fresh.related;
        self.spelling = fresh.spelling;
        self.meaning.forget_places();
        for at in 0..self.labels.len() {
            self.labels[at].target = self.target_of(&self.labels[at].code);
        }
    }

    /// The number of examples known.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing was learnt yet.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Memory that what was learnt takes, in bytes, roughly.
    pub fn bytes(&self) -> usize {
        let example = |known: &Example| {
            2 * known.key.len() + known.title.len() + known.packed.len() + 8 * known.votes.len() + 200
        };
        let tables = self.counts.bytes() + self.postings.bytes() + self.linear.bytes() + self.meaning.bytes();
        tables + self.examples.iter().flatten().map(example).sum::<usize>()
    }

    /// The number of examples known under each code.
    pub fn known(&self) -> BTreeMap<&str, usize> {
        let known = self.labels.iter().filter(|label| label.examples > 0);
        known.map(|label| (label.code.as_str(), label.examples as usize)).collect()
    }

    /// Learns that a document belongs under a label; a key that was known before is replaced.
    pub fn learn(&mut self, label: &str, key: &str, document: &Document<'_>) {
        let title = if document.title.is_empty() { document.name } else { document.title };
        self.learn_features(label, key, title, &Features::of(document));
    }

    /// The same with features that were computed before.
    pub fn learn_features(&mut self, label: &str, key: &str, title: &str, features: &Features) {
        self.unlearn(key);
        let Some(class) = self.class(label) else { return };
        if self.keys.len() >= EXAMPLES_MAX {
            return;
        }
        let example = self.free.pop().unwrap_or(self.examples.len() as u32);
        if self.examples.len() <= example as usize {
            self.examples.resize_with(example as usize + 1, || None);
        }
        for seen in features.lead.iter().chain(&features.rest) {
            self.counts.add(seen.feature, class);
        }
        for seen in &features.lead {
            self.postings.add(seen.feature, example);
        }
        self.labels[usize::from(class)].examples += 1;
        self.keys.insert(key.to_owned(), example);
        self.examples[example as usize] = Some(Example {
            key: key.into(),
            title: title.into(),
            class,
            packed: packed::pack(&features.lead, &features.rest),
            hash: key_hash(key),
            votes: Votes::new(),
        });
        self.practise(example);
    }

    /// Forgets what was learnt under a key, exactly; says whether there was anything.
    pub fn unlearn(&mut self, key: &str) -> bool {
        let Some(example) = self.keys.remove(key) else { return false };
        self.unpractise(example);
        self.meaning.forget(example, key);
        let Some(known) = self.examples.get_mut(example as usize).and_then(Option::take) else { return false };
        let (lead, rest) = packed::unpack(&known.packed);
        for seen in lead.iter().chain(&rest) {
            self.counts.remove(seen.feature, known.class);
        }
        for seen in lead {
            self.postings.remove(seen.feature, example);
        }
        self.labels[usize::from(known.class)].examples -= 1;
        self.free.push(example);
        true
    }

    /// The best `top` targets for a document, by probability and then by code.
    pub fn classify(&self, document: &Document<'_>, top: usize) -> Vec<Candidate> {
        self.classify_features(&Features::of(document), top)
    }

    /// The same with features that were computed before.
    pub fn classify_features(&self, features: &Features, top: usize) -> Vec<Candidate> {
        self.classify_meant(features, None, top)
    }

    /// The same with what the document means, where that is known.
    pub fn classify_meant(&self, features: &Features, meaning: Option<&Vector>, top: usize) -> Vec<Candidate> {
        let (mut voices, near, matches) = self.voices(features);
        let alike = meaning.map(|meaning| self.speak_of_meaning(meaning, &mut voices)).unwrap_or_default();
        let experience = Experience::of(self.compared(features), self.len());
        let mut order: Vec<(usize, f64)> =
            voices.iter().map(|voices| judge::score(voices, experience)).enumerate().collect();
        // Targets are sorted by code, so the place in the list settles ties.
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let ranked: Vec<Voices> = order.iter().map(|(target, _)| voices[*target]).collect();
        let probabilities = judge::probabilities(&ranked, experience);
        let mut best: Vec<(usize, f64)> = order.iter().map(|(target, _)| *target).zip(probabilities).collect();
        best.retain(|(_, probability)| *probability > 0.0);
        // Rounding makes new ties.
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let candidate = |(target, probability): (usize, f64)| Candidate {
            code: self.targets[target].code.clone(),
            probability,
            words: evidence::words(self, features, &matches, target),
            nearest: evidence::nearest(self, &near, &alike, target),
            meaning: meaning.and_then(|_| evidence::meaning(voices.get(target)?, experience)),
        };
        best.into_iter().take(top).map(candidate).collect()
    }

    /// What each expert says of each target.
    pub(super) fn voices(&self, features: &Features) -> (Vec<Voices>, Vec<Near>, Vec<super::names::Match>) {
        let (names, mut matches) = self.names.score(features, |word| self.rarity(word));
        let (related, more) =
            self.related.get_or_init(|| Related::new(&self.targets)).score(features, |word| self.rarity(word));
        matches.extend(more);
        let spelt = self.spelling.score(features);
        let voice = |((names, related), spelling)| Voices { names, related, spelling, ..Voices::default() };
        let mut voices: Vec<Voices> = names.into_iter().zip(related).zip(spelt).map(voice).collect();
        if self.keys.is_empty() {
            return (voices, Vec::new(), matches);
        }
        let learnt = self.counts.voices(&self.logs, features, self.keys.len(), self.labels.len());
        let view = View::of(linear::read(&features.lead, &features.rest), &self.counts, &self.logs, self.keys.len());
        let linear = self.linear.scores(&view, self.labels.len());
        for ((label, fields), linear) in self.labels.iter().zip(learnt).zip(linear) {
            let Some(voice) = label.target.and_then(|target| voices.get_mut(target)) else { continue };
            if label.examples == 0 {
                continue;
            }
            if voice.examples == 0.0 {
                (voice.fields, voice.linear) = (fields, linear);
            } else {
                // Several labels of one target: the one that speaks louder.
                for (mine, theirs) in voice.fields.iter_mut().zip(fields) {
                    *mine = mine.max(theirs);
                }
                voice.linear = voice.linear.max(linear);
            }
            voice.examples += f64::from(label.examples);
        }
        let near = self.near(features);
        let all: f64 = near.iter().map(|near| near.similarity * near.similarity).sum();
        for near in &near {
            let voice = self.labels.get(usize::from(near.class)).and_then(|label| label.target);
            if let Some(voice) = voice.and_then(|target| voices.get_mut(target)) {
                if near.shared >= TWIN_WORDS {
                    voice.twin = voice.twin.max(near.similarity);
                }
                voice.near += near.similarity * near.similarity / all.max(1e-9);
            }
        }
        (voices, near, matches)
    }

    /// With how many examples a document can be compared: those in its language, but for the label that has most of them, for
    /// where all of a language lies in one place, its words say the language and not the place.
    pub(super) fn compared(&self, features: &Features) -> usize {
        let sum = |(all, most): (u32, u32), count: u32| (all + count, most.max(count));
        let (all, most) = match features.language {
            Some(language) => {
                self.counts.entries_of(language).iter().map(|entry| Counts::of_entry(*entry).1).fold((0, 0), sum)
            }
            None => self.labels.iter().map(|label| label.examples).fold((0, 0), sum),
        };
        (all - most) as usize
    }

    /// How rare a word is among the examples, 0 to 1; every word counts as rare while little is known.
    fn rarity(&self, word: u32) -> f64 {
        let known = self.keys.len() as f64;
        if known < 1.0 {
            return 1.0;
        }
        let spread = f64::from(self.counts.total(word_feature(word)));
        let rarity = libm::log((known + 20.0) / (spread + 1.0)) / libm::log(known + 20.0);
        rarity.clamp(0.05, 1.0)
    }

    fn near(&self, features: &Features) -> Vec<Near> {
        self.postings.near(&features.lead, self.keys.len(), |example| {
            self.examples.get(example as usize)?.as_ref().map(|example| (&*example.key, example.class))
        })
    }

    fn class(&mut self, label: &str) -> Option<u16> {
        if let Some(at) = self.labels.iter().position(|known| known.code == label) {
            return u16::try_from(at).ok();
        }
        if label.is_empty() || self.labels.len() >= CLASSES_MAX {
            return None;
        }
        let target = self.target_of(label);
        self.labels.push(Label { code: label.to_owned(), examples: 0, target });
        u16::try_from(self.labels.len() - 1).ok()
    }

    pub(super) fn target_of(&self, label: &str) -> Option<usize> {
        let find = |code: &str| self.targets.binary_search_by(|target| target.code.as_str().cmp(code)).ok();
        find(label).or_else(|| label.split_once('.').and_then(|(category, _)| find(category)))
    }
}
