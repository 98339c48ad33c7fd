//! `emm llm compare`: which model is worth its price, by what people confirmed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Protocol, Trial,
    read::Item,
    second::{Found, Second},
};
use crate::{
    backends::{
        llm::Settings,
        store::{Labels, Ledger, Store, Structures},
    },
    cli::{Exit, screen::Screen, session::Session, setup::Setup},
    contracts::jd_classifier::GetStructure,
    domain::classify::{self, Measures, Target},
    rpc::{Error, Result, Role},
};

/// One row of the table.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    found: Found,
    /// Of all confirmed documents, which the first candidate was right for: by the engine alone, and with this model.
    alone: f64,
    with: f64,
}

/// Goes through what people taught, in their order, once for each model: each document is asked about before it is learnt.
pub(in crate::cli) async fn run(setup: &Setup, screen: &Screen, models: &[String], limit: usize) -> Result<Exit> {
    setup.check()?;
    let items = confirmed(setup, limit).await?;
    if items.is_empty() {
        return Err(Error::not_found("nothing was taught yet: answer some reviews, or file notes into the vault"));
    }
    let (targets, private) = targets(setup, screen).await?;
    let ledger = Ledger::new(Store::open(&setup.config.store, &setup.home.store).await?);
    let threshold = setup.config.file_system_agent.threshold;
    let alone = passed(&items, &targets, None, screen).await?.1;
    let mut rows = Vec::new();
    for model in models {
        let settings = Settings { model: model.clone(), ..setup.config.llm.clone() };
        let second = Second::new(&settings, threshold)?.of_home(ledger.clone(), private.clone());
        let (second, measures) = passed(&items, &targets, Some(second), screen).await?;
        let found = second.map(|second| second.found).unwrap_or_default();
        rows.push(Row { found, alone: alone.top1, with: measures.top1 });
    }
    screen.show(&rows, |screen, rows| {
        screen.line(format_args!("{} documents that people placed, in their order; the engine alone {:.1} %", items.len(), alone.top1 * 100.0));
        for Row { found, with, .. } in rows {
            let Found { model, questions, votes, right, abstained, seconds, cost, .. } = found;
            screen.line(format_args!(
                "{model:<24} {:.1} % with it; asked {questions}, right {right} of {votes} votes, {abstained} unusable; {:.1} s each, {cost:.4} in all",
                with * 100.0,
                seconds / (*questions).max(1) as f64
            ));
        }
    })?;
    Ok(Exit::Done)
}

async fn passed(
    items: &[Item],
    targets: &[Target],
    second: Option<Second>,
    screen: &Screen,
) -> Result<(Option<Second>, Measures)> {
    let mut trial =
        Trial::new(targets.to_vec(), Default::default(), second, screen.counting("measured", items.len() * 2));
    let mut outcomes = Vec::new();
    for item in items {
        outcomes.push(trial.ask(item).await);
        trial.learn(item, Protocol::Growing);
    }
    trial.progress.finish_and_clear();
    Ok((trial.second, Measures::of(&outcomes)))
}

/// The last documents that people placed, each as it was taught last.
pub(super) async fn confirmed(setup: &Setup, limit: usize) -> Result<Vec<Item>> {
    let labels = Labels::new(Store::open(&setup.config.store, &setup.home.store).await?);
    let mut items: Vec<Item> = labels.taught().await?.into_iter().filter_map(Item::of).collect();
    items.drain(..items.len().saturating_sub(limit));
    Ok(items)
}

/// The places that may receive documents, and those of them whose documents do not leave.
pub(super) async fn targets(setup: &Setup, screen: &Screen) -> Result<(Vec<Target>, BTreeSet<String>)> {
    let session = Session::open(setup, screen, &[Role::JdClassifier]).await?;
    let published = session.tools.call(GetStructure::default()).await;
    session.close().await;
    let structures = Structures::new(Store::open(&setup.config.store, &setup.home.store).await?);
    let structure = structures.get(&published?.hash).await?;
    let targets = classify::targets(&structure);
    let private = targets.iter().map(|target| target.code.clone()).filter(|code| structure.is_private(code)).collect();
    Ok((targets, private))
}
