//! `emm status`, `search`, `verify`, `reindex`: what emm has, and whether it is whole.

use std::path::Path;

use console::Style;
use serde::Serialize;

use super::{
    Exit, journal,
    screen::{Screen, percent, safe, safe_lines},
    session::Session,
    setup::{Setup, at},
};
use crate::{
    backends::{disk, llm},
    contracts::{
        content_classifier::Titled,
        file_system::{Account, Entries, Entry, Hits, Overall, Overview, Problem, Reindex, Reindexed, Search, Verify},
        file_system_agent::{ListAutonomy, ListFailed},
    },
    domain::{
        classify::Earned,
        custody::{self, Standing},
    },
    rpc::{Error, Result, Role, Tools},
};

const FILE_SYSTEM: [Role; 1] = [Role::FileSystem];

/// What `emm status --json` prints.
#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    overview: Overall,
    /// Categories that people spoke of; nothing where that cannot be said.
    categories: Option<Vec<Titled>>,
    /// What the node's last sweep could not take or file, and why.
    failed: Vec<Problem>,
}

/// `emm status`.
pub(super) async fn status(setup: &Setup, screen: &Screen, file: Option<&Path>) -> Result<Exit> {
    // What each category has earned needs no model, nor that one is set up rightly.
    let mut without = setup.clone();
    without.config.llm.provider = llm::Provider::None;
    without.config.embeddings.provider = llm::Provider::None;
    let session = Session::open(&without, screen, if file.is_some() { &FILE_SYSTEM } else { &Role::ALL }).await?;
    let done = match file {
        Some(file) => of_file(setup, screen, &session.tools, file).await,
        None => overall(setup, screen, &session).await,
    };
    session.close().await;
    done
}

async fn overall(setup: &Setup, screen: &Screen, session: &Session) -> Result<Exit> {
    let overview = session.tools.call(Overview {}).await?;
    let earned = session.tools.call(ListAutonomy {}).await;
    if let Err(error) = &earned {
        screen.remark(format_args!("what each category has earned cannot be said: {error}"));
    }
    let mut failed = session.tools.call(ListFailed {}).await?.failed;
    failed.retain(|problem| !overview.problems.contains(problem));
    let waiting = overview.items.get(&Standing::Review).copied().unwrap_or_default();
    let status = Status { overview, categories: earned.ok().map(|it| it.categories), failed };
    screen.show(&status, |screen, Status { overview, categories, failed }| {
        let node = setup.home.running().map_or("no node is running".to_owned(), |it| format!("node at {}", it.address));
        let node = setup.global.node.clone().unwrap_or(node);
        for (name, value) in rows(overview, &node, session.is_hosted()) {
            screen.line(format_args!("{name:<12} {value}"));
        }
        for category in categories.iter().flatten() {
            screen.line(earned_by(category));
        }
        for problem in overview.problems.iter().chain(failed) {
            screen.line(format_args!("! {}: {}", safe(&problem.place), safe(&problem.reason)));
        }
        if !overview.quarantine.is_empty() {
            screen.remark(format_args!("'{} quarantine list' says why those failed", setup.again()));
        }
        if waiting > 0 {
            screen.remark(format_args!("'{} review' decides what waits", setup.again()));
        }
    })?;
    Ok(Exit::Done)
}

fn rows(overview: &Overall, node: &str, hosted: bool) -> Vec<(&'static str, String)> {
    let count = |standings: &[Standing]| -> usize { standings.iter().filter_map(|it| overview.items.get(it)).sum() };
    let known = match (overview.labels, hosted) {
        (Some(labels), _) => format!("caught up, {labels} labels"),
        // A command that only asks does not wait for the vault to be read.
        (None, true) => "not read by this command; a node that runs keeps it caught up".to_owned(),
        (None, false) => "the vault is being read".to_owned(),
    };
    let (waiting, skipped) = (count(&[Standing::Review]), count(&[Standing::Skipped, Standing::Undone]));
    vec![
        ("node", node.to_owned()),
        ("vault", safe(&overview.vault)),
        ("inbox", safe(&overview.inbox)),
        ("filed", count(&[Standing::Filed, Standing::Confirmed]).to_string()),
        ("for review", waiting.to_string()),
        ("left alone", format!("{skipped} (skipped or undone)")),
        ("under way", count(&[Standing::Filing, Standing::Undoing]).to_string()),
        ("settling", overview.settling.to_string()),
        ("quarantine", overview.quarantine.len().to_string()),
        ("taken back", count(&[Standing::Withdrawn]).to_string()),
        ("indexed", format!("{} notes", overview.indexed)),
        ("knowledge", known),
    ]
}

/// `12 Finance: 98 % of 140, files by itself from 52 %`.
fn earned_by(Titled { title, earned }: &Titled) -> String {
    let Earned { category, right, told, threshold, by_record } = earned;
    let said = match told - right {
        0 => format!("{right} confirmed"),
        _ => format!("{} of {told}", percent(f64::from(*right) / f64::from(*told))),
    };
    let does = match *by_record {
        true => format!("files by itself from {}", percent(*threshold)),
        false if *threshold <= 1.0 => format!("asks below {}", percent(*threshold)),
        false => "asks".to_owned(),
    };
    format!("{}: {said}, {does}", safe(format!("{category} {title}").trim()))
}

/// What the journal has of one file: by its bytes, else by the note that it is.
async fn of_file(setup: &Setup, screen: &Screen, tools: &Tools, file: &Path) -> Result<Exit> {
    let opened = std::fs::File::open(file).map_err(at(file))?;
    let (hash, _) = disk::hash(&opened).map_err(at(file))?;
    let mut entries = journal::of_item(tools, &custody::emm_id(hash.to_hex().as_str())).await?;
    if entries.is_empty() {
        entries = journal::of_item(tools, &journal::named(setup, &file.to_string_lossy())).await.unwrap_or_default();
    }
    screen.show(&Entries { entries }, |screen, Entries { entries }| of_entries(screen, file, entries))?;
    Ok(Exit::Done)
}

fn of_entries(screen: &Screen, file: &Path, entries: &[Entry]) {
    let name = safe(&file.display().to_string());
    let Some(chain) = journal::chain(entries) else { return screen.line(format_args!("{name}: emm never saw it")) };
    screen.line(format_args!("{name}: {}", chain.standing.as_str()));
    if let Some((_, plan)) = &chain.plan {
        screen.line(format_args!("  note      {}", safe(&plan.note)));
        if let Some(original) = &plan.original {
            screen.line(format_args!("  original  {}", safe(original)));
        }
    }
    if let Some(first) = entries.first() {
        screen.line(format_args!("  id        {}", first.emm_id));
    }
}

/// `emm search`.
pub(super) async fn search(setup: &Setup, screen: &Screen, words: &str, limit: usize) -> Result<Exit> {
    let session = Session::open(setup, screen, &FILE_SYSTEM).await?;
    let found = async {
        if session.is_hosted() {
            session.caught_up(screen).await?;
        }
        session.tools.call(Search { words: words.to_owned(), limit }).await
    };
    let found: Result<Hits> = found.await;
    session.close().await;
    screen.show(&found?, |screen, found| {
        let (bold, dim) = (screen.style(Style::new().bold()), screen.style(Style::new().dim()));
        for hit in &found.hits {
            screen.line(bold.apply_to(safe(&hit.title)));
            screen.line(format_args!("  {}", dim.apply_to(safe(&hit.path))));
            screen.line(format_args!("  {}", safe(hit.snippet.trim())));
        }
        screen.remark(format_args!("{} found among {} notes", found.hits.len(), found.indexed));
    })?;
    Ok(Exit::Done)
}

/// `emm verify`.
pub(super) async fn verify(setup: &Setup, screen: &Screen) -> Result<Exit> {
    let session = Session::open(setup, screen, &FILE_SYSTEM).await?;
    let busy = screen.busy("hashing what is kept");
    let account: Result<Account> = session.tools.call(Verify {}).await;
    busy.finish_and_clear();
    session.close().await;
    let account = account?;
    let whole = account.violations.is_empty() && account.seen == account.accounted;
    screen.show(&account, |screen, account| {
        let Account { seen, accounted, filed, waiting, quarantined, withdrawn, .. } = account;
        let sign = if seen == accounted { '=' } else { '\u{2260}' };
        screen.line(format_args!("{seen} seen {sign} {accounted} accounted for"));
        screen.line(format_args!(
            "  {filed} filed, {waiting} in the inbox, {quarantined} in quarantine, {withdrawn} taken back"
        ));
        for note in &account.edited {
            screen.line(format_args!("  edited since: {}", safe(note)));
        }
        for violation in &account.violations {
            screen.line(format_args!("! {}: {}", safe(&violation.place), safe_lines(&violation.reason)));
        }
    })?;
    Ok(if whole { Exit::Done } else { Exit::Error })
}

/// `emm reindex`.
pub(super) async fn reindex(setup: &Setup, screen: &Screen) -> Result<Exit> {
    if setup.global.dry_run {
        return Err(Error::invalid("emm reindex has no --dry-run: it changes indexes only, and can be repeated"));
    }
    let session = Session::open(setup, screen, &FILE_SYSTEM).await?;
    let busy = screen.busy("making the indexes again");
    let done: Result<Reindexed> = session.tools.call(Reindex {}).await;
    busy.finish_and_clear();
    session.close().await;
    screen.show(&done?, |screen, done| {
        screen.line(format_args!("{} items of the journal, {} notes", done.items, done.notes));
    })?;
    Ok(Exit::Done)
}
