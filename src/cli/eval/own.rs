//! `emm eval` over the owner's own vault: each document asked about as if it were the only one that was never filed.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::Serialize;

use super::{Options, Protocol, Trial, compare, plot, read::Item};
use crate::{
    cli::{
        Exit,
        flags::Global,
        screen::{Screen, percent, safe},
        setup::Setup,
    },
    domain::classify::{Measures, Outcome, Point, Target, curve},
    rpc::{Error, Result},
};

/// Pairs that are shown.
const PAIRS_MAX: usize = 8;
/// Examples of each.
const EXAMPLES_MAX: usize = 3;
/// Fewer documents than these say nothing of a threshold.
const DOCUMENTS_MIN: usize = 20;

/// What came of it; shares are fractions.
#[derive(Debug, Serialize)]
struct Own {
    documents: usize,
    #[serde(flatten)]
    measures: Measures,
    /// What the threshold in force leads to.
    threshold: f64,
    now: Option<Point>,
    /// The lowest threshold that reaches the precision that was asked for, and what it leads to.
    precision: f64,
    proposed: Option<Point>,
    places: Vec<Place>,
    /// Places that are taken for each other, the most often first.
    confused: Vec<Pair>,
}

/// One place.
#[derive(Debug, Serialize)]
struct Place {
    code: String,
    title: String,
    documents: usize,
    /// How many of them were found.
    found: usize,
    /// How many would be filed there by themselves, and how many of those rightly.
    filed: usize,
    rightly: usize,
}

/// Two places that are taken for each other.
#[derive(Debug, Serialize)]
struct Pair {
    belongs: String,
    taken_for: String,
    times: usize,
    examples: Vec<String>,
}

pub(super) async fn run(global: &Global, screen: &Screen, options: &Options) -> Result<Exit> {
    let setup = Setup::load(global)?;
    setup.check()?;
    let items = compare::confirmed(&setup, options.limit.unwrap_or(usize::MAX)).await?;
    let (targets, _) = compare::targets(&setup, screen).await?;
    if items.is_empty() {
        return Err(Error::not_found(
            "emm knows of nothing that you filed: run 'emm --role all' over your vault first",
        ));
    }
    let progress = screen.counting("measured", items.len() * 3);
    let mut trial = Trial::new(targets.clone(), BTreeMap::new(), None, progress);
    for item in &items {
        trial.learn(item, Protocol::Warm);
    }
    let mut outcomes = Vec::with_capacity(items.len());
    for item in &items {
        trial.engine.unlearn(&item.id);
        outcomes.push(trial.ask(item).await);
        trial.learn(item, Protocol::Warm);
    }
    trial.progress.finish_and_clear();
    let own = report(&items, &outcomes, &targets, setup.config.file_system_agent.threshold, options.precision);
    if let Some(path) = &options.svg {
        plot::draw(path, &curve(&outcomes), options.precision, own.now)?;
    }
    screen.show(&own, tell)?;
    Ok(Exit::Done)
}

fn report(items: &[Item], outcomes: &[Outcome], targets: &[Target], threshold: f64, precision: f64) -> Own {
    let points = curve(outcomes);
    let title = |code: &str| targets.iter().find(|it| it.code == code).map_or(String::new(), |it| it.title.clone());
    let mut places = BTreeMap::<&str, Place>::new();
    let mut pairs = BTreeMap::<(&str, &str), Vec<&Item>>::new();
    for (item, outcome) in items.iter().zip(outcomes) {
        let new = |code: &str| {
            let (code, title) = (code.to_owned(), title(code));
            Place { code, title, documents: 0, found: 0, filed: 0, rightly: 0 }
        };
        let place = places.entry(&item.label).or_insert_with(|| new(&item.label));
        place.documents += 1;
        place.found += usize::from(outcome.right());
        let Some(predicted) = outcome.predicted.as_deref() else { continue };
        if !outcome.right() {
            pairs.entry((&item.label, predicted)).or_default().push(item);
        }
        if outcome.confidence >= threshold {
            let taken = places.entry(predicted).or_insert_with(|| new(predicted));
            taken.filed += 1;
            taken.rightly += usize::from(outcome.right());
        }
    }
    let mut confused: Vec<Pair> = pairs
        .into_iter()
        .map(|((belongs, taken_for), items)| Pair {
            belongs: format!("{belongs} {}", title(belongs)).trim().to_owned(),
            taken_for: format!("{taken_for} {}", title(taken_for)).trim().to_owned(),
            times: items.len(),
            examples: items.iter().take(EXAMPLES_MAX).map(|item| item.title.clone()).collect(),
        })
        .collect();
    confused.sort_by_key(|pair| Reverse(pair.times));
    confused.truncate(PAIRS_MAX);
    let enough = outcomes.len() >= DOCUMENTS_MIN;
    Own {
        documents: outcomes.len(),
        measures: Measures::of(outcomes),
        threshold,
        now: points.iter().rfind(|point| point.threshold >= threshold).copied(),
        precision,
        proposed: points.iter().rfind(|point| point.precision >= precision).filter(|_| enough).copied(),
        places: places.into_values().collect(),
        confused,
    }
}

fn tell(screen: &Screen, own: &Own) {
    let Own { measures, .. } = own;
    screen.line(format_args!(
        "{} documents of yours, each asked about as if it alone had never been filed",
        own.documents
    ));
    screen.line(format_args!("  right at first {}, among three {}", percent(measures.top1), percent(measures.top3)));
    match own.now {
        Some(Point { coverage, precision, .. }) => screen.line(format_args!(
            "  at the threshold of {} {} would be filed by themselves, {} of them rightly",
            percent(own.threshold),
            percent(coverage),
            percent(precision)
        )),
        None => {
            screen.line(format_args!("  at the threshold of {} none would be filed by itself", percent(own.threshold)))
        }
    }
    match own.proposed {
        Some(Point { threshold, coverage, .. }) => screen.line(format_args!(
            "  for {} rightly: file_system_agent.threshold = {:.2} files {} by itself",
            percent(own.precision),
            (threshold * 100.0).ceil() / 100.0,
            percent(coverage)
        )),
        None if own.documents < DOCUMENTS_MIN => screen.line("  too few documents to propose a threshold"),
        None => screen.line(format_args!("  no threshold reaches {} rightly", percent(own.precision))),
    }
    screen.line("\nplaces");
    for Place { code, title, documents, found, filed, rightly } in &own.places {
        let alone = match filed {
            0 => "asks".to_owned(),
            _ => format!("files {filed} by itself, {rightly} of them rightly"),
        };
        screen.line(format_args!("  {code:<8} {:<32} found {found:>4} of {documents:<4}  {alone}", safe(title)));
    }
    if !own.confused.is_empty() {
        screen.line("\ntaken for each other");
    }
    for Pair { belongs, taken_for, times, examples } in &own.confused {
        let examples: Vec<String> = examples.iter().map(|title| safe(title)).collect();
        screen.line(format_args!("  {times} of {} for {}: {}", safe(belongs), safe(taken_for), examples.join("; ")));
    }
}
