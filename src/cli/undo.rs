//! `emm undo`: one filing, or all of an hour or a run, newest first.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Exit, journal,
    moment::Since,
    screen::{Screen, safe, safe_lines},
    session::Session,
    setup::Setup,
};
use crate::{
    contracts::file_system::{Entry, Undo, Undone},
    domain::custody::Effect,
    rpc::{Code, Error, Result, Role, Tools},
};

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Report {
    undone: Vec<Undone>,
    refused: Vec<Refused>,
    /// How many of the refusals its owner has read already.
    #[serde(skip)]
    read: usize,
}

/// A filing that stays, and why.
#[derive(Debug, Serialize)]
struct Refused {
    emm_id: String,
    #[serde(flatten)]
    error: Error,
}

pub(super) async fn run(
    setup: &Setup,
    screen: &Screen,
    item: Option<String>,
    since: Option<Since>,
    run: Option<String>,
) -> Result<Exit> {
    let session = Session::open(setup, screen, &[Role::FileSystem]).await?;
    let report = all(setup, screen, &session.tools, item, since, run).await;
    session.close().await;
    let Some(report) = report? else { return Ok(Exit::Error) };
    screen.show(&report, |screen, report| told(screen, report, setup.global.dry_run))?;
    Ok(if report.refused.is_empty() { Exit::Done } else { Exit::Error })
}

/// Nothing if its owner said no.
async fn all(
    setup: &Setup,
    screen: &Screen,
    tools: &Tools,
    item: Option<String>,
    since: Option<Since>,
    run: Option<String>,
) -> Result<Option<Report>> {
    let one = item.is_some();
    let wanted: Vec<String> = match item {
        Some(item) => {
            let entries = journal::of_item(tools, &journal::named(setup, &item)).await?;
            let missing = || Error::not_found(format!("there is no item {item:?}; 'emm log' lists them"));
            vec![entries.first().ok_or_else(missing)?.emm_id.clone()]
        }
        None => {
            let several = since.is_some() || run.is_some();
            let filings = filings(&journal::effects(tools, since, run).await?);
            if several { filings } else { last_in_vault(tools, filings).await? }
        }
    };
    let run = format!("undo-{}", uuid::Uuid::new_v4().simple());
    // Tried first: what is undone already falls out, and its owner sees what would come back and what is refused.
    let planned = attempt(tools, &wanted, &run, true, one).await?;
    if planned.undone.is_empty() && planned.refused.is_empty() {
        return Err(Error::not_found("there is nothing to undo"));
    }
    if setup.global.dry_run {
        return Ok(Some(planned));
    }
    let mut report = Report::default();
    if !setup.global.yes {
        if screen.json {
            return Err(Error::invalid(
                "with --json nothing is asked: add --yes, or --dry-run to see what would come back",
            ));
        }
        told(screen, &planned, true);
        report.read = planned.refused.len();
        let count = planned.undone.len();
        if !planned.undone.is_empty() && !screen.confirmed(&format!("undo {count}?")) {
            screen.remark("nothing was undone: only 'y', or --yes, says that it shall be");
            return Ok(None);
        }
    }
    let mut ids: Vec<String> = planned.undone.into_iter().map(|it| it.emm_id).collect();
    ids.dedup();
    let bar = screen.counting("undoing", ids.len());
    report.refused = planned.refused;
    for emm_id in ids {
        let done = attempt(tools, &[emm_id], &run, false, true).await?;
        report.undone.extend(done.undone);
        report.refused.extend(done.refused);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Some(report))
}

/// Goes on after a refusal. With `strict` an item that is not filed is a refusal too.
async fn attempt(tools: &Tools, ids: &[String], run: &str, dry_run: bool, strict: bool) -> Result<Report> {
    let mut report = Report::default();
    for emm_id in ids {
        match tools.call(Undo { emm_id: emm_id.clone(), run: run.to_owned(), dry_run }).await {
            Ok(undone) => report.undone.push(undone),
            Err(error) if error.code == Code::Invalid && !strict => {}
            // The node or its disk is at fault, not this item: the next would fare no better.
            Err(error) if matches!(error.code, Code::Unauthorized | Code::Forbidden) => return Err(error),
            Err(error) => report.refused.push(Refused { emm_id: emm_id.clone(), error }),
        }
    }
    Ok(report)
}

/// The items that were filed, each once, newest first.
fn filings(entries: &[Entry]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let filed = entries.iter().filter(|entry| matches!(entry.link.effect, Effect::Filed { .. }));
    filed.filter(|entry| seen.insert(&entry.emm_id)).map(|entry| entry.emm_id.clone()).collect()
}

async fn last_in_vault(tools: &Tools, filings: Vec<String>) -> Result<Vec<String>> {
    for emm_id in filings {
        let entries = journal::of_item(tools, &emm_id).await?;
        if journal::chain(&entries).is_some_and(|chain| chain.in_vault()) {
            return Ok(vec![emm_id]);
        }
    }
    Ok(Vec::new())
}

fn told(screen: &Screen, report: &Report, planned: bool) {
    let comes = if planned { "would come back" } else { "is back in the inbox" };
    for undone in &report.undone {
        screen.line(format_args!("- {}: {} {comes}", safe(&undone.removed.join(", ")), safe(&undone.place)));
    }
    for refused in report.refused.iter().skip(report.read) {
        let emm_id: String = refused.emm_id.chars().take(8).collect();
        screen.line(format_args!("! {emm_id}: {}", safe_lines(&refused.error.message)));
    }
    if !planned {
        screen.line(format_args!("{} undone, {} refused", report.undone.len(), report.refused.len()));
    }
}
