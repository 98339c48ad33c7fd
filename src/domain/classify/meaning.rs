//! The expert of meaning: how near a document is, in whatever words, to what the structure says of a place and to what people put
//! there. It speaks where it is given vectors, and is silent elsewhere.
//!
//! Vectors are whole numbers and are kept as sums, so neither the machine nor the order in which they come makes a difference.
//! All texts look alike to many models, and how much differs from model to model. So what documents have in common is taken off
//! first, and what counts is by how many standard deviations a place is nearer than places are on the whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::classify::engine::Engine;
use crate::domain::classify::judge::Voices;
use crate::domain::classify::neighbours::Near;
use crate::domain::classify::packed::{put, take};
use crate::domain::classify::vector::Vector;
use crate::domain::classify::{Document, Target};

/// How many examples are near.
const NEAR: usize = 10;
/// How much less an example counts that is less like the document than the nearest one: the slope of an exponent.
const NEARNESS: f64 = 10.0;
/// Of how many examples the mean of all places stands for, where few are known to say what documents are like on the whole.
const PRIOR: f64 = 2.0;
/// The length, in whole numbers, of a document's direction.
const LENGTH: f64 = 4_096.0;
/// One example in so many may lack its vector; while more do, those of the others would speak alone, and none does.
const LACKING: usize = 10;
/// Fewer places than these cannot be compared with each other.
const PLACES_MIN: usize = 2;

/// What is known of the meaning of places and examples.
#[derive(Debug, Clone, Default)]
pub(super) struct Meaning {
    /// The model that all vectors are of.
    model: String,
    /// By the number of the target.
    places: BTreeMap<usize, Vector>,
    /// By the number of the example, with its label.
    examples: BTreeMap<u32, (u16, Vector)>,
    /// Examples that shall have none.
    withheld: BTreeSet<u32>,
    /// Of each label how many vectors, and their sum.
    sums: BTreeMap<u16, (u32, Vec<i32>)>,
    trace: u64,
}

impl Meaning {
    fn fits(&self, vector: &Vector) -> bool {
        let known = self.places.values().chain(self.examples.values().map(|(_, vector)| vector)).next();
        known.is_none_or(|known| known.dimensions() == vector.dimensions())
    }

    fn keep(&mut self, example: u32, class: u16, key: &str, vector: Vector) {
        let (count, sum) = self.sums.entry(class).or_default();
        sum.resize(vector.dimensions(), 0);
        sum.iter_mut().zip(vector.numbers()).for_each(|(sum, number)| *sum += number);
        *count += 1;
        self.trace = self.trace.wrapping_add(vector.trace(key));
        self.examples.insert(example, (class, vector));
    }

    /// Forgets what an example means, if that is known.
    pub(super) fn forget(&mut self, example: u32, key: &str) {
        self.withheld.remove(&example);
        let Some((class, vector)) = self.examples.remove(&example) else { return };
        self.trace = self.trace.wrapping_sub(vector.trace(key));
        let Some((count, sum)) = self.sums.get_mut(&class) else { return };
        sum.iter_mut().zip(vector.numbers()).for_each(|(sum, number)| *sum -= number);
        *count -= 1;
        if *count == 0 {
            self.sums.remove(&class);
        }
    }

    /// Forgets what places mean: there are others now.
    pub(super) fn forget_places(&mut self) {
        self.places.clear();
    }

    /// Memory taken, in bytes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.examples.values().map(|(_, vector)| vector.dimensions() + 64).sum()
    }

    /// Whether enough examples have a vector to speak for all.
    fn is_settled(&self, examples: usize) -> bool {
        let wanted = examples.saturating_sub(self.withheld.len());
        self.examples.len() * LACKING >= wanted * (LACKING - 1)
    }

    /// The mean of the places, and what documents are like on the whole.
    fn means(&self, dimensions: usize) -> (Vec<f64>, Vec<f64>) {
        let mut places = vec![0.0; dimensions];
        for place in self.places.values() {
            places.iter_mut().zip(place.numbers()).for_each(|(sum, number)| *sum += f64::from(number));
        }
        let share = 1.0 / self.places.len().max(1) as f64;
        places.iter_mut().for_each(|sum| *sum *= share);
        let mut documents = vec![0.0; dimensions];
        for (_, sum) in self.sums.values() {
            documents.iter_mut().zip(sum).for_each(|(all, sum)| *all += f64::from(*sum));
        }
        // Whole numbers up to here, so that no order of labels makes a difference.
        let share = 1.0 / (self.examples.len() as f64 + PRIOR);
        documents.iter_mut().zip(&places).for_each(|(sum, place)| *sum = (*sum + place * PRIOR) * share);
        (places, documents)
    }

    /// By how many standard deviations each place is nearer than places are on the whole.
    fn of_places(&self, document: &[f64], mean: Option<&[f64]>) -> Vec<(usize, f64)> {
        let apart = |vector: &Vector| -> Vec<f64> {
            let numbers = vector.numbers().map(f64::from);
            match mean {
                Some(mean) => numbers.zip(mean).map(|(number, mean)| number - mean).collect(),
                None => numbers.collect(),
            }
        };
        let cosines = self.places.iter().map(|(at, place)| (*at, cosine(document, &apart(place))));
        standard(cosines.collect())
    }

    /// The same for labels, in the order in which they are given, by the mean of their examples.
    fn of_labels(&self, labels: &[u16], document: &[f64], mean: &[f64]) -> Vec<(u16, f64)> {
        let cosines = labels.iter().filter_map(|class| {
            let (count, sum) = self.sums.get(class)?;
            let count = f64::from(*count);
            let apart: Vec<f64> = sum.iter().zip(mean).map(|(sum, mean)| f64::from(*sum) - count * mean).collect();
            Some((*class, cosine(document, &apart)))
        });
        standard(cosines.collect())
    }

    /// The examples that are nearest, best first, ties by what `key` says; and how near, 1 at most.
    fn near<'a>(&self, document: &[f64], mean: &[f64], key: impl Fn(u32) -> &'a str) -> Vec<Near> {
        let length = libm::sqrt(document.iter().map(|number| number * number).sum()).max(1e-9);
        let fine: Vec<i32> = document.iter().map(|number| libm::round(number / length * LENGTH) as i32).collect();
        let mut scores: Vec<(i32, u32)> =
            self.examples.iter().map(|(example, (_, vector))| (vector.dot(&fine), *example)).collect();
        let order = |a: &(i32, u32), b: &(i32, u32)| b.0.cmp(&a.0).then_with(|| key(a.1).cmp(key(b.1)));
        if scores.len() > NEAR {
            scores.select_nth_unstable_by(NEAR, order);
            scores.truncate(NEAR);
        }
        scores.sort_by(order);
        let near = scores.into_iter().filter_map(|(_, example)| {
            let (class, vector) = self.examples.get(&example)?;
            let apart: Vec<f64> = vector.numbers().zip(mean).map(|(number, mean)| f64::from(number) - mean).collect();
            Some(Near { example, class: *class, similarity: cosine(document, &apart), shared: 0 })
        });
        near.collect()
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let (mut dot, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        dot += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    dot / libm::sqrt(of_a * of_b).max(1e-9)
}

/// By how many standard deviations each is above the mean of all; nothing where there is nothing to compare.
fn standard<K>(values: Vec<(K, f64)>) -> Vec<(K, f64)> {
    if values.len() < PLACES_MIN {
        return Vec::new();
    }
    let count = values.len() as f64;
    let mean = values.iter().map(|(_, value)| value).sum::<f64>() / count;
    let spread = libm::sqrt(values.iter().map(|(_, value)| (value - mean) * (value - mean)).sum::<f64>() / count);
    values.into_iter().map(|(key, value)| (key, (value - mean) / spread.max(1e-6))).collect()
}

impl Engine {
    /// From now on vectors are of this model; what is known of another one's is forgotten.
    pub fn vectors_of(&mut self, model: &str) {
        if self.meaning.model != model {
            self.meaning = Meaning { model: model.to_owned(), ..Meaning::default() };
        }
    }

    /// Says what the places mean, by their codes; those of before are forgotten.
    pub fn set_place_vectors<'a>(&mut self, vectors: impl IntoIterator<Item = (&'a str, Vector)>) {
        self.meaning.forget_places();
        for (code, vector) in vectors {
            let at = self.targets.binary_search_by(|target| target.code.as_str().cmp(code));
            if let Ok(at) = at
                && self.meaning.fits(&vector)
            {
                self.meaning.places.insert(at, vector);
            }
        }
    }

    /// Says what an example means; nothing means that it shall have no vector. Says whether it is known and has none yet.
    pub fn set_vector(&mut self, key: &str, vector: Option<Vector>) -> bool {
        let Some(example) = self.keys.get(key).copied().filter(|at| !self.meaning.examples.contains_key(at)) else {
            return false;
        };
        let class = self.examples.get(example as usize).and_then(Option::as_ref).map(|known| known.class);
        match (vector.filter(|vector| self.meaning.fits(vector)), class) {
            (Some(vector), Some(class)) => {
                self.meaning.withheld.remove(&example);
                self.meaning.keep(example, class, key, vector);
            }
            _ => drop(self.meaning.withheld.insert(example)),
        }
        true
    }

    /// Whether an example lacks a vector.
    pub fn lacks_vectors(&self) -> bool {
        self.meaning.examples.len() + self.meaning.withheld.len() < self.len()
    }

    /// The keys of examples that lack a vector.
    pub fn lacking_vectors(&self) -> BTreeSet<String> {
        let lacks = |at: &u32| !self.meaning.examples.contains_key(at) && !self.meaning.withheld.contains(at);
        self.keys.iter().filter(|(_, at)| lacks(at)).map(|(key, _)| key.clone()).collect()
    }

    /// A number for all vectors that are known of examples, whatever the order they came in.
    pub fn vectors_trace(&self) -> u64 {
        // Those that shall have none count as well: they decide from when on the others speak.
        self.meaning.trace.wrapping_add(self.meaning.withheld.len() as u64)
    }

    /// Adds what the expert of meaning says to the voices; gives the nearest examples.
    pub(super) fn speak_of_meaning(&self, document: &Vector, voices: &mut [Voices]) -> Vec<Near> {
        if !self.meaning.fits(document) {
            return Vec::new();
        }
        let plain: Vec<f64> = document.numbers().map(f64::from).collect();
        if self.meaning.examples.is_empty() || !self.meaning.is_settled(self.len()) {
            for (at, nearer) in self.meaning.of_places(&plain, None) {
                voices.get_mut(at).into_iter().for_each(|voice| voice.meant.place = nearer);
            }
            return Vec::new();
        }
        let (places, documents) = self.meaning.means(plain.len());
        let apart: Vec<f64> = plain.iter().zip(&documents).map(|(number, mean)| number - mean).collect();
        for (at, nearer) in self.meaning.of_places(&apart, Some(&places)) {
            voices.get_mut(at).into_iter().for_each(|voice| voice.meant.place = nearer);
        }
        let target = |class: u16| self.labels.get(usize::from(class)).and_then(|label| label.target);
        let mut best: BTreeMap<usize, f64> = BTreeMap::new();
        let mut labels: Vec<u16> = (0..self.labels.len()).filter_map(|class| u16::try_from(class).ok()).collect();
        labels.sort_by_key(|class| self.labels.get(usize::from(*class)).map(|label| label.code.as_str()));
        for (class, nearer) in self.meaning.of_labels(&labels, &apart, &documents) {
            // Several labels of one target: the one that is nearer.
            let Some(target) = target(class) else { continue };
            best.entry(target).and_modify(|known| *known = known.max(nearer)).or_insert(nearer);
        }
        for (at, nearer) in best {
            voices.get_mut(at).into_iter().for_each(|voice| voice.meant.examples = nearer);
        }
        let key = |at: u32| self.examples.get(at as usize).and_then(Option::as_ref).map_or("", |known| &*known.key);
        let near = self.meaning.near(&apart, &documents, key);
        let most = near.first().map_or(0.0, |near| near.similarity);
        let weight = |near: &Near| libm::exp((near.similarity - most) * NEARNESS);
        let all: f64 = near.iter().map(weight).sum();
        for near in &near {
            let voice = target(near.class).and_then(|target| voices.get_mut(target));
            voice.into_iter().for_each(|voice| voice.meant.near += weight(near) / all.max(1e-9));
        }
        near
    }

    /// Appends what is known of the meaning of examples, in the order of their keys; nothing where nothing is.
    pub(super) fn write_meaning(&self, bytes: &mut Vec<u8>) {
        if self.meaning.examples.is_empty() {
            return;
        }
        put(bytes, self.meaning.model.len() as u64);
        bytes.extend_from_slice(self.meaning.model.as_bytes());
        for at in self.keys.values() {
            let vector = self.meaning.examples.get(at).map(|(_, vector)| vector.bytes()).unwrap_or_default();
            put(bytes, vector.len() as u64);
            bytes.extend_from_slice(&vector);
        }
    }

    /// Reads it again, where there is something; nothing if it is not whole.
    pub(super) fn read_meaning(&mut self, bytes: &mut &[u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        self.meaning.model = std::str::from_utf8(block(bytes)?).ok()?.to_owned();
        let keys: Vec<String> = self.keys.keys().cloned().collect();
        for key in keys {
            if let Some(vector) = Vector::of_bytes(block(bytes)?) {
                self.set_vector(&key, Some(vector));
            }
        }
        Some(())
    }
}

fn block<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(bytes)?).ok()?;
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

/// What the structure says of a place, for a model to read.
pub fn place_text(target: &Target) -> String {
    let lists = [&target.keywords, &target.aliases, &target.examples];
    let lists = lists.into_iter().filter(|list| !list.is_empty()).map(|list| list.join(", "));
    let texts = [target.title.clone(), target.category_title.clone(), target.description.clone()];
    let mut texts: Vec<String> = texts.into_iter().filter(|text| !text.trim().is_empty()).chain(lists).collect();
    texts.dedup();
    texts.join(". ")
}

/// The beginning of a document, for a model to read: its title, or else its name, and its text.
pub fn document_text(document: &Document<'_>, chars_max: usize) -> String {
    let title = if document.title.is_empty() { document.name } else { document.title };
    let whole = title.chars().chain(['\n']).chain(document.text.chars());
    whole.take(chars_max).collect::<String>().trim().to_owned()
}
