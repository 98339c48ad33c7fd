//! What words are about: an invoice belongs to accounting and money, whichever of a dozen languages calls it so, and NumPy to
//! Python and to data analysis. So a place is known by its name before anybody filed there, and what is learnt of one word
//! counts for its kin.
//!
//! Each line of `thesaurus/` is one thing: its words, and after `<` the topics that it belongs to. Its first word is what other lines
//! call it. A line that begins with `*` has no name: each of its words is a thing of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use crate::domain::classify::common::{self, is_common};
use crate::domain::classify::features::{Term, split};
use crate::domain::classify::hashing::{pair, prefix, singular, word_hash};
use crate::domain::classify::kin;
use crate::domain::classify::related::IN_PART;
use crate::domain::text::bare;

/// The parts, by what they are about.
const PARTS: [&str; 54] = [
    include_str!("thesaurus/culture/comics-anime.txt"),
    include_str!("thesaurus/culture/crafts.txt"),
    include_str!("thesaurus/culture/design.txt"),
    include_str!("thesaurus/culture/filmtv.txt"),
    include_str!("thesaurus/culture/fun.txt"),
    include_str!("thesaurus/culture/games.txt"),
    include_str!("thesaurus/culture/internet.txt"),
    include_str!("thesaurus/culture/languages.txt"),
    include_str!("thesaurus/culture/literature.txt"),
    include_str!("thesaurus/culture/music.txt"),
    include_str!("thesaurus/culture/photo-art.txt"),
    include_str!("thesaurus/culture/productivity.txt"),
    include_str!("thesaurus/culture/theatre-dance.txt"),
    include_str!("thesaurus/culture/writing-news.txt"),
    include_str!("thesaurus/home/clothing-shopping-events.txt"),
    include_str!("thesaurus/home/education-religion.txt"),
    include_str!("thesaurus/home/family.txt"),
    include_str!("thesaurus/home/food.txt"),
    include_str!("thesaurus/home/garden-animals.txt"),
    include_str!("thesaurus/home/health.txt"),
    include_str!("thesaurus/home/household.txt"),
    include_str!("thesaurus/home/law-gov.txt"),
    include_str!("thesaurus/home/money.txt"),
    include_str!("thesaurus/home/more.txt"),
    include_str!("thesaurus/home/outdoors-hobbies.txt"),
    include_str!("thesaurus/home/sports.txt"),
    include_str!("thesaurus/home/travel-transport.txt"),
    include_str!("thesaurus/tech/apps.txt"),
    include_str!("thesaurus/tech/cs.txt"),
    include_str!("thesaurus/tech/data.txt"),
    include_str!("thesaurus/tech/dev.txt"),
    include_str!("thesaurus/tech/graphics-games.txt"),
    include_str!("thesaurus/tech/hardware.txt"),
    include_str!("thesaurus/tech/languages.txt"),
    include_str!("thesaurus/tech/ops.txt"),
    include_str!("thesaurus/tech/security.txt"),
    include_str!("thesaurus/tech/web.txt"),
    include_str!("thesaurus/work/business.txt"),
    include_str!("thesaurus/work/chemistry-biology.txt"),
    include_str!("thesaurus/work/earth-energy.txt"),
    include_str!("thesaurus/work/economics-politics.txt"),
    include_str!("thesaurus/work/engineering.txt"),
    include_str!("thesaurus/work/finance.txt"),
    include_str!("thesaurus/work/geography.txt"),
    include_str!("thesaurus/work/history.txt"),
    include_str!("thesaurus/work/law.txt"),
    include_str!("thesaurus/work/logistics-construction.txt"),
    include_str!("thesaurus/work/marketing-sales.txt"),
    include_str!("thesaurus/work/mathematics.txt"),
    include_str!("thesaurus/work/medicine-science.txt"),
    include_str!("thesaurus/work/more.txt"),
    include_str!("thesaurus/work/philosophy.txt"),
    include_str!("thesaurus/work/physics-astronomy.txt"),
    include_str!("thesaurus/work/psych-social.txt"),
];

/// How much of a word is still said of the topic of its topic, for each step up; and what is too little.
const STEP: f64 = 0.5;
const LEAST: f64 = 0.1;
/// How alike two words are at least that are taken for forms of one.
const FORM: f64 = 0.85;

/// Read from the parts once a process: it is the same for all.
static THESAURUS: LazyLock<Thesaurus> = LazyLock::new(|| Thesaurus::of(&PARTS));

/// All lines, found by their words.
pub(super) struct Thesaurus {
    /// What each line is about: topics and how much.
    about: Vec<Box<[(u32, f64)]>>,
    /// The lines of a word, by its hash.
    words: Table<()>,
    /// Longer words, by the hash of their first five letters.
    stems: Table<Cow<'static, str>>,
    /// Phrases, by the hash of their first two words: the hashes of the pairs that follow.
    phrases: Table<Box<[u32]>>,
}

/// Lines with something beside each, sorted by a hash: quicker to make and smaller than a map.
struct Table<T>(Vec<(u32, T, u16)>);

impl<T> Table<T> {
    fn sort(&mut self) {
        // Stable: the lines of one hash stay in their order.
        self.0.sort_by_key(|(hash, ..)| *hash);
        self.0.shrink_to_fit();
    }

    fn of(&self, hash: u32) -> impl Iterator<Item = (&T, u16)> {
        let from = self.0.partition_point(|(other, ..)| *other < hash);
        self.0.iter().skip(from).take_while(move |(other, ..)| *other == hash).map(|(_, what, line)| (what, *line))
    }
}

/// What a word or phrase of a document is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    /// Which word of the document; a phrase is none.
    pub(super) term: Option<u32>,
    /// The hash of the topic's name.
    pub(super) topic: u32,
    /// 1 for the thing itself, less for what it belongs to.
    pub(super) weight: f64,
}

impl Thesaurus {
    /// The one of this program.
    pub(super) fn shared() -> &'static Thesaurus {
        &THESAURUS
    }

    fn of(parts: &[&'static str]) -> Thesaurus {
        let lines: Vec<Line<'static>> = parts.iter().flat_map(|part| part.lines()).filter_map(Line::read).collect();
        let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            line.name.into_iter().for_each(|name| named.entry(name).or_default().push(at));
        }
        let about = (0..lines.len()).map(|at| about(&lines, &named, at)).collect();
        let common: HashSet<&str> = common::words().collect();
        let (words, stems, phrases) = (Table(Vec::new()), Table(Vec::new()), Table(Vec::new()));
        let mut thesaurus = Thesaurus { about, words, stems, phrases };
        for (at, line) in lines.iter().enumerate() {
            let Ok(at) = u16::try_from(at) else { break };
            line.words.iter().for_each(|word| thesaurus.enter(word, at, &common));
        }
        thesaurus.words.sort();
        thesaurus.stems.sort();
        thesaurus.phrases.sort();
        thesaurus
    }

    fn enter(&mut self, text: &'static str, line: u16, common: &HashSet<&str>) {
        let mut words = tokens(text);
        if words.len() > 1 {
            if let [first, rest @ ..] = pairs(&words).as_slice() {
                self.phrases.0.push((*first, rest.into(), line));
            }
        } else if let Some(word) = words.pop().filter(|word| !common.contains(word.as_ref())) {
            self.words.0.push((word_hash(&word), (), line));
            if let Some(stem) = prefix(&word) {
                self.stems.0.push((stem, word, line));
            }
        }
    }

    /// What the words and the pairs of words (hashes, sorted) of a document are about.
    pub(super) fn links(&self, terms: &[Term], pairs: &[u32]) -> Vec<Link> {
        let mut links = Vec::new();
        let mut best: BTreeMap<u32, f64> = BTreeMap::new();
        for (at, term) in terms.iter().enumerate() {
            best.clear();
            for (line, quality) in self.lines(term) {
                self.raise(&mut best, line, quality);
            }
            let link = |(topic, weight): (&u32, &f64)| Link { term: Some(at as u32), topic: *topic, weight: *weight };
            links.extend(best.iter().map(link));
        }
        for first in pairs {
            best.clear();
            for (rest, line) in self.phrases.of(*first) {
                if rest.iter().all(|next| pairs.binary_search(next).is_ok()) {
                    self.raise(&mut best, line, 1.0);
                }
            }
            links.extend(best.iter().map(|(topic, weight)| Link { term: None, topic: *topic, weight: *weight }));
        }
        links
    }

    fn raise(&self, best: &mut BTreeMap<u32, f64>, line: u16, quality: f64) {
        for (topic, weight) in self.about.get(usize::from(line)).into_iter().flatten() {
            let slot = best.entry(*topic).or_insert(0.0);
            *slot = slot.max(weight * quality);
        }
    }

    /// The lines of a word: of itself; else of its singular, of a form of it, of the end of a compound.
    fn lines(&self, term: &Term) -> Vec<(u16, f64)> {
        let exact = |hash: u32| -> Vec<(u16, f64)> { self.words.of(hash).map(|(_, line)| (line, 1.0)).collect() };
        let form = |word: &str| kin::inflected(word, &term.word);
        let mut found = exact(term.hash);
        if let Some(hash) = singular(&term.word).filter(|_| found.is_empty()) {
            found = exact(hash);
        }
        if let Some(stem) = term.prefix.filter(|_| found.is_empty()) {
            let forms = self.stems.of(stem).map(|(word, line)| (line, form(word)));
            found = forms.filter(|(_, quality)| *quality >= FORM).collect();
        }
        if found.is_empty() {
            let of_tail = |(stem, tail)| self.stems.of(stem).map(move |(word, line)| (line, kin::compound(word, tail)));
            found = kin::tails(&term.word).flat_map(of_tail).filter(|(_, quality)| *quality > 0.0).collect();
        }
        if found.is_empty() || is_common(&term.word) { Vec::new() } else { found }
    }
}

/// A line as it is read.
struct Line<'a> {
    name: Option<&'a str>,
    words: Vec<&'a str>,
    topics: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// Nothing for an empty line and for a comment.
    fn read(line: &'a str) -> Option<Line<'a>> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let list = |part: &'a str| part.split(',').map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>();
        let (words, topics) = line.split_once('<').unwrap_or((line, ""));
        let (words, nameless) = words.strip_prefix('*').map_or((words, false), |words| (words, true));
        let words = list(words);
        let name = words.first().copied().filter(|_| !nameless);
        Some(Line { name, words, topics: list(topics) })
    }
}

/// What a line is about: itself, if it has a name, its topics, and theirs, each step less.
fn about(lines: &[Line<'_>], named: &HashMap<&str, Vec<usize>>, at: usize) -> Box<[(u32, f64)]> {
    let mut all: BTreeMap<&str, f64> = BTreeMap::new();
    let mut next: Vec<(usize, f64)> = vec![(at, 1.0)];
    while let Some((at, weight)) = next.pop() {
        let Some(line) = lines.get(at) else { continue };
        if let Some(name) = line.name {
            let slot = all.entry(name).or_insert(0.0);
            // Several lines may have one name; each is followed.
            if *slot > weight {
                continue;
            }
            *slot = weight;
        }
        if weight * STEP >= LEAST {
            let above = line.topics.iter().filter_map(|topic| named.get(topic)).flatten();
            next.extend(above.map(|topic| (*topic, weight * STEP)));
        }
    }
    all.into_iter().map(|(name, weight)| (word_hash(name) & 0x00FF_FFFF, weight)).collect()
}

/// The words of a phrase, without accents.
fn tokens(text: &str) -> Vec<Cow<'_, str>> {
    if text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return vec![text.into()];
    }
    split(text).map(|word| Cow::Owned(bare(&word).into_owned())).collect()
}

fn pairs(words: &[Cow<'_, str>]) -> Vec<u32> {
    let hash = |word: &Cow<'_, str>| word_hash(word);
    words.iter().map(hash).zip(words.iter().skip(1).map(hash)).map(|(first, second)| pair(first, second)).collect()
}

/// A stretch of words of a name that the thesaurus knows.
struct Stretch {
    from: usize,
    to: usize,
    line: u16,
}

impl Thesaurus {
    /// The topics that a name stands for, and how much: 1 for what all of it says, [`IN_PART`] for what some of its words say, less for
    /// what that belongs to. What stands inside a longer stretch is not
    /// asked: "machine learning" is about no machine.
    pub(super) fn named(&self, name: &str) -> Vec<(u32, f64)> {
        let words = tokens(name);
        let terms: Vec<Term> = words.iter().map(|word| Term::of(word)).collect();
        let pairs = pairs(&words);
        let mut found: Vec<Stretch> = Vec::new();
        for (from, term) in terms.iter().enumerate() {
            found.extend(self.lines(term).into_iter().map(|(line, _)| Stretch { from, to: from + 1, line }));
            let Some(first) = pairs.get(from) else { continue };
            for (rest, line) in self.phrases.of(*first) {
                let to = from + 2 + rest.len();
                if pairs.get(from + 1..to - 1).is_some_and(|next| *next == **rest) {
                    found.push(Stretch { from, to, line });
                }
            }
        }
        let inside = |a: &Stretch, b: &Stretch| b.from <= a.from && a.to <= b.to && b.to - b.from > a.to - a.from;
        let mut topics: BTreeMap<u32, f64> = BTreeMap::new();
        for stretch in found.iter().filter(|a| found.iter().all(|b| !inside(a, b))) {
            let share = if stretch.to - stretch.from == words.len() { 1.0 } else { IN_PART };
            self.raise(&mut topics, stretch.line, share);
        }
        topics.into_iter().collect()
    }
}
