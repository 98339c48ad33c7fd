//! `emm eval`: how well the engine would have filed what somebody filed by hand.

pub(super) mod compare;
mod own;
mod plot;
mod read;
mod second;
mod vectors;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Instant,
};

use clap::{Args, ValueEnum, ValueHint};
use indicatif::ProgressBar;
use serde::Serialize;

use self::{
    read::{Item, Splits},
    second::{Found, SHORTLIST, Second},
    vectors::{Asked, Vectors},
};
use super::{Exit, flags::Global, screen::Screen, setup::Setup};
use crate::{
    domain::classify::{
        Candidate, Document, Engine, Features, Measures, Outcome, Target, Vector, accuracy, address_words, curve,
    },
    rpc::{Error, Result},
};

/// What is measured, and how.
#[derive(Debug, Args)]
pub struct Options {
    /// The items: one JSON object a line, {id, title, text, label, url?}; a path is not read [default: your own vault, each
    /// note asked about as if it were the only one that was never filed]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "protocol")]
    items: Option<PathBuf>,
    /// What the engine knows before it is asked
    #[arg(long, value_enum, requires = "items")]
    protocol: Option<Protocol>,
    /// Draw how much is filed by itself, and how much of that rightly, into this file (SVG)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,
    /// The share of what is filed by itself that shall be right; the threshold for it is proposed
    #[arg(long, default_value_t = 0.9, value_name = "SHARE")]
    precision: f64,
    /// Which items are learnt and asked about {warm_train, warm_test, growing_order} [default: made by the seed]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    splits: Option<PathBuf>,
    /// The seed of splits that are made
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    /// What ranks
    #[arg(long, value_enum, default_value_t = EngineName::Builtin)]
    engine: EngineName,
    /// The engine also judges by what texts mean, as the model of [embeddings] says it
    #[arg(long)]
    embeddings: bool,
    /// Keep what the model of [embeddings] said in this file, and do not ask again for what it has
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "embeddings")]
    vectors: Option<PathBuf>,
    /// With cold: the engine also sees the text of the items that are to be filed
    #[arg(long)]
    inbox_em: bool,
    /// Ask about so many items at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// What the engine knows before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    /// Names and descriptions only; it is asked about all items
    Cold,
    /// A part of the items; it is asked about the others
    Warm,
    /// In life: each item is asked about, and then learnt
    Growing,
}

/// What ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum EngineName {
    /// The one of emm, without any service
    Builtin,
    /// The same, and the language model of [llm] about what it doubts; give --limit, for each question costs
    Llm,
}

/// What came of it; shares are fractions.
#[derive(Debug, Serialize)]
struct Report {
    protocol: Protocol,
    engine: EngineName,
    seed: u64,
    /// How many were learnt before the first question, and how many were asked about.
    learnt: usize,
    asked: usize,
    #[serde(flatten)]
    measures: Measures,
    /// Right among the first hundred, and among the last quarter.
    #[serde(skip_serializing_if = "Option::is_none")]
    first100: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_quarter: Option<f64>,
    /// The mean of learning an item, and the median of asking about one.
    learn_ms: f64,
    predict_ms: f64,
    /// What was learnt, in memory; and all that the process has.
    model_bytes: usize,
    rss_bytes: u64,
    /// What was found out about the language model, and about the model of embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    llm: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Asked>,
}

/// Items of a growing stream that are asked about at most.
const GROWING_MAX: usize = 3_000;

/// Candidates that are looked at: as many as a person is shown.
const CANDIDATES: usize = 3;

/// From which probability on an item that nobody filed is an example, and how many of them there must be.
const SURE: f64 = 0.5;
const EXAMPLES_MIN: usize = 50;
/// Up to which probability the names say nothing.
const SILENT: f64 = 0.1;

/// Reads, measures and tells.
pub(super) async fn run(global: &Global, screen: &Screen, options: &Options) -> Result<Exit> {
    let (Some(items), Some(protocol)) = (&options.items, options.protocol) else {
        return own::run(global, screen, options).await;
    };
    let jd = global.jd.as_deref().ok_or_else(|| Error::invalid("emm eval needs the structure: give --jd jd.yaml"))?;
    if options.inbox_em && protocol != Protocol::Cold {
        return Err(Error::invalid("--inbox-em is for --protocol cold: the others learn from what was filed"));
    }
    let (targets, areas) = read::structure(jd)?;
    let items = read::items(items)?;
    let splits = match &options.splits {
        Some(path) => read::splits(path, &items)?,
        None => read::splits_of(options.seed, &items),
    };
    let Splits { train, test, order } = splits;
    let (train, mut asked) = match protocol {
        Protocol::Cold => (Vec::new(), (0..items.len()).collect()),
        Protocol::Warm => (train, test),
        Protocol::Growing => (Vec::new(), order.into_iter().take(GROWING_MAX).collect()),
    };
    asked.truncate(options.limit.unwrap_or(usize::MAX));
    let second = match options.engine {
        EngineName::Builtin => None,
        EngineName::Llm => {
            let config = Setup::load(global)?.config;
            Some(Second::new(&config.llm, config.file_system_agent.threshold)?)
        }
    };
    let used: Vec<&Item> = train.iter().chain(&asked).map(|at| &items[*at]).collect();
    let vectors = match options.embeddings {
        true => {
            let settings = Setup::load(global)?.config.embeddings;
            Some(Vectors::of(&settings, options.vectors.as_deref(), screen, &used, &targets).await?)
        }
        false => None,
    };
    let progress = screen.counting("measured", train.len() + asked.len());
    let mut trial = Trial::new(targets, areas, second, progress).with(vectors);
    for at in &train {
        trial.learn(&items[*at], Protocol::Warm);
    }
    if options.inbox_em {
        trial.look_over(asked.iter().map(|at| &items[*at]));
    }
    let mut outcomes = Vec::new();
    for at in &asked {
        outcomes.push(trial.ask(&items[*at]).await);
        if protocol == Protocol::Growing {
            trial.learn(&items[*at], Protocol::Growing);
        }
    }
    trial.progress.finish_and_clear();
    if let Some(path) = &options.svg {
        plot::draw(path, &curve(&outcomes), options.precision, None)?;
    }
    screen.show(&trial.report(options, protocol, train.len(), &outcomes), tell)?;
    Ok(Exit::Done)
}

/// An engine at work, and how long it takes.
struct Trial {
    engine: Engine,
    /// As it was before it looked over what is to be filed.
    names: Option<Engine>,
    targets: Vec<Target>,
    areas: BTreeMap<String, String>,
    codes: BTreeSet<String>,
    /// What was taken for an example although nobody filed it, and where.
    guesses: BTreeMap<String, String>,
    learning_ms: Vec<f64>,
    asking_ms: Vec<f64>,
    second: Option<Second>,
    vectors: Option<Vectors>,
    progress: ProgressBar,
}

impl Trial {
    fn new(
        targets: Vec<Target>,
        areas: BTreeMap<String, String>,
        second: Option<Second>,
        progress: ProgressBar,
    ) -> Trial {
        let codes = targets.iter().map(|target| target.code.clone()).collect();
        let engine = Engine::new(targets.clone());
        let (names, guesses, learning_ms, asking_ms) = Default::default();
        let vectors = None;
        Trial { engine, names, targets, areas, codes, guesses, learning_ms, asking_ms, second, vectors, progress }
    }

    /// The same, told what texts mean.
    fn with(mut self, vectors: Option<Vectors>) -> Trial {
        self.vectors = vectors;
        self.retarget();
        self
    }

    fn retarget(&mut self) {
        self.engine.retarget(self.targets.clone());
        if let Some(vectors) = &self.vectors {
            vectors.tell(&mut self.engine, &self.targets);
        }
    }

    fn learn(&mut self, item: &Item, protocol: Protocol) {
        if let Some(second) = self.second.as_mut().filter(|_| protocol == Protocol::Growing) {
            second.learn(item);
        }
        if self.codes.insert(item.label.clone()) {
            // Filed under an area, or under a number that the structure does not have: it is a place from now on.
            let title = self.areas.get(&item.label).cloned().unwrap_or_default();
            self.targets.push(Target { code: item.label.clone(), title, ..Target::default() });
            self.retarget();
        }
        let begun = Instant::now();
        self.taught(&item.label, item, &features(item));
        self.learning_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        self.progress.inc(1);
    }

    async fn ask(&mut self, item: &Item) -> Outcome {
        // What was guessed of it must not speak for itself.
        let guessed = self.guesses.get(&item.id).filter(|_| self.engine.unlearn(&item.id)).cloned();
        let begun = Instant::now();
        let features = features(item);
        let meaning = self.vectors.as_ref().and_then(|vectors| vectors.of_item(item));
        let named = self.by_names(&features, meaning);
        let most = if self.second.is_some() { SHORTLIST } else { CANDIDATES };
        let mut candidates = named.unwrap_or_else(|| self.engine.classify_meant(&features, meaning, most));
        self.asking_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        if let Some(code) = guessed {
            self.taught(&code, item, &features);
        }
        if let Some(second) = &mut self.second {
            candidates = second.weighed(item, candidates, &self.targets).await;
        }
        self.progress.inc(1);
        outcome(&candidates, &item.label)
    }

    fn taught(&mut self, label: &str, item: &Item, features: &Features) {
        self.engine.learn_features(label, &item.id, &item.title, features);
        if let Some(vectors) = &self.vectors {
            self.engine.set_vector(&item.id, vectors.of_item(item).cloned());
        }
    }

    /// Expectation and maximisation, in one step that is hard: items that their names alone place surely are examples for those
    /// of which the names say nothing. Where the names say something, examples that nobody gave would only blur it.
    fn look_over<'a>(&mut self, items: impl Iterator<Item = &'a Item>) {
        let meaning = |item: &Item| self.vectors.as_ref().and_then(|vectors| vectors.of_item(item));
        let ranked = items.map(|item| (item, self.engine.classify_meant(&features(item), meaning(item), 1)));
        let ranked: Vec<_> = ranked.collect();
        let sure = ranked.iter().filter_map(|(item, found)| Some((*item, found.first()?)));
        let examples: Vec<_> = sure.filter(|(_, best)| best.probability >= SURE).collect();
        if examples.len() < EXAMPLES_MIN {
            return;
        }
        self.names = Some(self.engine.clone());
        for (item, best) in examples {
            self.taught(&best.code, item, &features(item));
            self.guesses.insert(item.id.clone(), best.code.clone());
        }
    }

    /// What the names alone say, where they say anything and there is more than names.
    fn by_names(&self, features: &Features, meaning: Option<&Vector>) -> Option<Vec<Candidate>> {
        let candidates = self.names.as_ref()?.classify_meant(features, meaning, CANDIDATES);
        candidates.first().is_some_and(|best| best.probability >= SILENT).then_some(candidates)
    }

    fn report(mut self, options: &Options, protocol: Protocol, learnt: usize, outcomes: &[Outcome]) -> Report {
        let growing = protocol == Protocol::Growing;
        // What an engine without any experience is sure of says nothing of life with it.
        let late = Measures::of(outcomes.get(outcomes.len() / 2..).unwrap_or_default());
        let mut measures = Measures::of(outcomes);
        if growing {
            (measures.coverage95, measures.coverage90) = (late.coverage95, late.coverage90);
        }
        self.asking_ms.sort_by(f64::total_cmp);
        let quarter = outcomes.len() - outcomes.len() / 4;
        Report {
            protocol,
            engine: options.engine,
            seed: options.seed,
            learnt,
            asked: outcomes.len(),
            measures,
            first100: growing.then(|| accuracy(outcomes.iter().take(100))),
            last_quarter: growing.then(|| accuracy(outcomes.iter().skip(quarter))),
            learn_ms: self.learning_ms.iter().fold(0.0, |sum, ms| sum + ms) / self.learning_ms.len().max(1) as f64,
            predict_ms: self.asking_ms.get(self.asking_ms.len() / 2).copied().unwrap_or_default(),
            model_bytes: self.engine.bytes(),
            rss_bytes: resident_bytes(),
            llm: self.second.map(|second| second.found),
            embeddings: self.vectors.map(|vectors| vectors.asked),
        }
    }
}

/// What of an item is read.
fn features(item: &Item) -> Features {
    let mut hints = item.hints.clone();
    hints.extend((!item.url.is_empty()).then(|| address_words(&item.url)));
    let Item { name, title, text, kind, .. } = item;
    Features::of(&Document { name, title, text, kind, hints: &hints })
}

fn outcome(candidates: &[Candidate], label: &str) -> Outcome {
    Outcome {
        label: label.to_owned(),
        predicted: candidates.first().map(|best| best.code.clone()),
        confidence: candidates.first().map_or(0.0, |best| best.probability),
        rank: candidates.iter().position(|candidate| candidate.code == label),
    }
}

/// The memory of this process; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

fn tell(screen: &Screen, report: &Report) {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let Report { measures, .. } = report;
    let growing = [("first hundred", report.first100), ("last quarter", report.last_quarter)];
    let mut rows = vec![
        ("asked about", report.asked.to_string()),
        ("learnt before", report.learnt.to_string()),
        ("right at first", percent(measures.top1)),
        ("among three", percent(measures.top3)),
        ("macro F1", percent(measures.macro_f1)),
        ("surest half", percent(measures.conf50)),
        ("surest 80 %", percent(measures.conf80)),
        ("calibration", format!("{} off", percent(measures.ece))),
        ("at 95 % right", format!("{} by itself", percent(measures.coverage95))),
        ("at 90 % right", format!("{} by itself", percent(measures.coverage90))),
    ];
    rows.extend(growing.into_iter().filter_map(|(name, share)| Some((name, percent(share?)))));
    rows.push(("learning", format!("{:.2} ms an item", report.learn_ms)));
    rows.push(("asking", format!("{:.2} ms an item", report.predict_ms)));
    rows.push(("model", format!("{:.1} MB", report.model_bytes as f64 / 1e6)));
    if let Some(found) = &report.llm {
        rows.push((
            "model asked",
            format!(
                "{} times, right {} of {} votes, {} unusable answers",
                found.questions, found.right, found.votes, found.abstained
            ),
        ));
        rows.push((
            "its price",
            format!("{} + {} tokens, {:.4}, {:.0} s", found.tokens_in, found.tokens_out, found.cost, found.seconds),
        ));
    }
    if let Some(Asked { model, texts, seconds }) = &report.embeddings {
        rows.push(("meaning", format!("by {model}; {texts} texts asked about, {seconds:.1} s")));
    }
    for (name, value) in rows {
        screen.line(format_args!("{name:<14} {value}"));
    }
}
