//! `emm log`, and what other commands ask of the journal.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Exit,
    documents::identity,
    intake::Taken,
    moment::{Since, local},
    screen::{Screen, percent, safe},
    session::Session,
    setup::Setup,
};
use crate::{
    contracts::{
        file_system::{Entries, Entry, Filed, History},
        file_system_agent::{Outcome, Swept},
    },
    domain::custody::{Chain, Effect, Link},
    rpc::{Code, Error, Result, Role, Tools},
};

/// More effects than any journal has: where all are needed.
const ALL: usize = 10_000_000;

/// `emm log`.
pub(super) async fn log(
    setup: &Setup,
    screen: &Screen,
    item: Option<String>,
    since: Option<Since>,
    run: Option<String>,
    limit: usize,
) -> Result<Exit> {
    let session = Session::open(setup, screen, &[Role::FileSystem]).await?;
    let item = item.map(|item| named(setup, &item));
    let since = since.map(|since| since.0.to_string());
    // An intent and its effect make one line, so that a line may need two entries.
    let enough = if since.is_some() { ALL } else { limit.saturating_mul(2) };
    let request = History { item, run, since, limit: if screen.json { limit } else { enough } };
    let found = async {
        let found = session.tools.call(request).await?;
        let before = if screen.json { Vec::new() } else { intents_before(&session.tools, &found.entries).await? };
        Ok((found, before))
    };
    let found: Result<_> = found.await;
    session.close().await;
    let (found, before) = found?;
    screen.show(&found, |screen, found| {
        for line in lines(&found.entries, &before).take(limit) {
            screen.line(line);
        }
    })?;
    Ok(Exit::Done)
}

/// The intents of what was filed that are not among these effects: they lie further back, or were another run's.
async fn intents_before(tools: &Tools, entries: &[Entry]) -> Result<Vec<Entry>> {
    let here: BTreeSet<(&str, u32)> = entries.iter().map(|it| (it.emm_id.as_str(), it.number)).collect();
    let mut before = Vec::new();
    for entry in entries {
        if let Effect::Filed { plan } = entry.link.effect
            && !here.contains(&(entry.emm_id.as_str(), plan))
        {
            before.extend(of_item(tools, &entry.emm_id).await?.into_iter().filter(|it| it.number == plan));
        }
    }
    Ok(before)
}

/// An item as a person names it, as the journal is asked: the path of a note is relative to the vault.
pub(super) fn named(setup: &Setup, item: &str) -> String {
    let inside = || {
        let (path, vault) =
            (std::fs::canonicalize(item).ok()?, std::fs::canonicalize(setup.home.vault.folder()?).ok()?);
        Some(path.strip_prefix(vault).ok()?.to_str()?.to_owned())
    };
    inside().unwrap_or_else(|| item.to_owned())
}

/// One line an effect; an intent that was carried out is told with what it led to.
fn lines<'a>(entries: &'a [Entry], before: &'a [Entry]) -> impl Iterator<Item = String> + 'a {
    let plans: BTreeMap<(&str, u32), &Entry> =
        entries.iter().chain(before).map(|entry| ((entry.emm_id.as_str(), entry.number), entry)).collect();
    let done: BTreeSet<(&str, u32)> = entries
        .iter()
        .filter_map(|entry| match entry.link.effect {
            Effect::Filed { plan } => Some((entry.emm_id.as_str(), plan)),
            _ => None,
        })
        .collect();
    entries.iter().filter(move |entry| !done.contains(&(entry.emm_id.as_str(), entry.number))).map(move |entry| {
        let (what, about) = match entry.link.effect {
            Effect::Filed { plan } => {
                let plan = plans.get(&(entry.emm_id.as_str(), plan));
                ("filed", plan.map(|plan| told(&plan.link.effect).1).unwrap_or_default())
            }
            ref effect => told(effect),
        };
        let id = entry.emm_id.chars().take(8).collect::<String>();
        format!("{}  {id}  {what:<11} {}", local(&entry.link.at), safe(&about))
    })
}

/// What an effect was, in a word and what it was about.
pub(super) fn told(effect: &Effect) -> (&'static str, String) {
    match effect {
        Effect::Seen { origin, plan: None } => ("asked", origin.place.clone()),
        Effect::Seen { origin, plan: Some(plan) } | Effect::Filing { origin, plan } => {
            let by = if plan.why.by_person { "by you".to_owned() } else { percent(plan.why.confidence) };
            ("filing", format!("{} -> {} ({by})", origin.place, plan.note))
        }
        Effect::Filed { .. } => ("filed", String::new()),
        Effect::Abandoned { reason } => ("abandoned", reason.clone()),
        Effect::TakenBack => ("taken back", String::new()),
        Effect::Duplicate { origin, .. } => ("duplicate", origin.place.clone()),
        Effect::Confirmed { code } => ("confirmed", code.clone()),
        Effect::Moved { from, note, by_hand, .. } => {
            (if *by_hand { "moved" } else { "corrected" }, format!("{from} -> {note}"))
        }
        Effect::OriginalMoved { from, original } => ("moved", format!("{from} -> {original}")),
        Effect::Skipped => ("skipped", String::new()),
        Effect::Quarantined { origin, reason } => ("quarantined", format!("{}: {reason}", origin.place)),
        Effect::Released { place } => ("released", place.clone()),
        Effect::Withdrawn => ("withdrawn", "its owner took it back".to_owned()),
        Effect::Undoing { place } => ("undoing", place.clone()),
        Effect::Undone { place } => ("undone", place.clone()),
    }
}

/// Every effect of one item, newest first; none if there is no such item.
pub(super) async fn of_item(tools: &Tools, item: &str) -> Result<Vec<Entry>> {
    let request = History { item: Some(item.to_owned()), limit: ALL, ..History::default() };
    match tools.call(request).await {
        Ok(Entries { entries }) => Ok(entries),
        Err(Error { code: Code::NotFound, .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Every effect since a moment or of a run, newest first.
pub(super) async fn effects(tools: &Tools, since: Option<Since>, run: Option<String>) -> Result<Vec<Entry>> {
    let since = since.map(|since| since.0.to_string());
    Ok(tools.call(History { item: None, run, since, limit: ALL }).await?.entries)
}

/// What the effects of one item amount to.
pub(super) fn chain(entries: &[Entry]) -> Option<Chain> {
    let links: Vec<&Link> = entries.iter().rev().map(|entry| &entry.link).collect();
    Chain::read(links)
}

/// Where an item lies in the inbox, as far as the journal knows.
pub(super) async fn place(tools: &Tools, item: &str) -> Result<Option<String>> {
    Ok(chain(&of_item(tools, item).await?).map(|chain| chain.origin.place))
}

/// What became of a file that a sweep was asked for and does not name: another sweep had it first.
pub(super) async fn filed_elsewhere(tools: &Tools, taken: &Taken, swept: &Swept) -> Result<Option<Outcome>> {
    let Some(emm_id) = identity(taken) else { return Ok(None) };
    let told = swept.filed.iter().any(|it| it.filed.emm_id == emm_id)
        || swept.review.iter().any(|it| it.item.emm_id == emm_id)
        || swept.failed.iter().any(|it| it.place == taken.place);
    if told {
        return Ok(None);
    }
    let entries = of_item(tools, &emm_id).await?;
    let Some(chain) = chain(&entries).filter(Chain::in_vault) else { return Ok(None) };
    let Some((_, plan)) = chain.plan else { return Ok(None) };
    let filed =
        Filed { emm_id, code: plan.code, note: plan.note, original: plan.original, duplicate: false, labels: 0 };
    Ok(Some(Outcome { place: taken.place.clone(), confidence: plan.why.confidence, filed }))
}
