//! `emm file`, `sweep`, `quarantine`, `extract`: documents on their way in.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    Exit,
    flags::QuarantineAction,
    intake::{Intake, Taken},
    screen::{Screen, percent, safe, safe_lines},
    session::Session,
    setup::{Setup, at},
    shadow,
};
use crate::{
    backends::{
        home::Spot,
        parsers::{self, Parsers},
    },
    contracts::{
        file_system::{Overview, Problem, Release, lies_in},
        file_system_agent::{Outcome, Sweep, Swept},
    },
    domain::{custody, extract::Extracted},
    rpc::{Error, Result, Role},
};

/// `emm file`: into the inbox, and one sweep over what was put there.
pub(super) async fn file(setup: &Setup, screen: &Screen, paths: &[PathBuf], moves: bool) -> Result<Exit> {
    if setup.global.node.is_some() {
        return Err(Error::invalid("emm file puts documents into the inbox of a home: use --home instead of --node"));
    }
    setup.make(screen)?;
    if setup.global.dry_run {
        let swept = shadow::dry_run(setup, screen, paths).await?;
        return told(setup, screen, &swept);
    }
    let mut session = Session::open(setup, screen, &Role::ALL).await?;
    let mut put = None;
    let swept = loop {
        match put_and_sweep(setup, screen, &session, (paths, moves), &mut put).await {
            Ok(swept) => break swept,
            Err(error) => session = session.again(setup, screen, &Role::ALL, error).await?,
        }
    };
    session.close().await;
    told(setup, screen, &swept)
}

/// Documents that were put into an inbox, and those that were not.
struct Put {
    inbox: Spot,
    taken: Vec<Taken>,
    failed: Vec<Problem>,
}

/// Puts the documents into the inbox, unless `put` says that it was done before, and sweeps over them.
async fn put_and_sweep(
    setup: &Setup,
    screen: &Screen,
    session: &Session,
    (paths, moves): (&[PathBuf], bool),
    put: &mut Option<Put>,
) -> Result<Swept> {
    session.caught_up(screen).await?;
    let inbox = session.inbox(setup).await?;
    let Put { taken, failed, .. } = match put {
        Some(put) if put.inbox != inbox => {
            let was = &put.inbox;
            return Err(Error::unavailable(format!(
                "the documents lie in {was}, the inbox of a node that has gone, and this command files from {inbox}: start that \
                 node again, and it files them"
            )));
        }
        Some(put) => put,
        none => none.insert(put_in(setup, screen, inbox, paths, moves).await?),
    };
    let mut swept = if taken.is_empty() { Swept::default() } else { sweep_of(screen, session, taken).await? };
    swept.failed.splice(0..0, failed.iter().cloned());
    Ok(swept)
}

/// Copies or moves documents into the inbox; gives those that lie there and those that do not.
async fn put_in(setup: &Setup, screen: &Screen, inbox: Spot, paths: &[PathBuf], moves: bool) -> Result<Put> {
    let bar = screen.counting("copying", paths.len());
    let intake = Intake::open(setup, &inbox)?;
    let (mut taken, mut failed) = (Vec::new(), Vec::new());
    for path in paths {
        match intake.take(path, moves).await {
            Ok(one) => taken.push(one),
            Err(error) => {
                let place = path.display().to_string();
                // It is named in front already.
                let reason = error.message.strip_prefix(&format!("{place}: ")).unwrap_or(&error.message).to_owned();
                failed.push(Problem { place, reason });
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Put { inbox, taken, failed })
}

/// A sweep over what was just put into the inbox.
pub(super) async fn sweep_of(screen: &Screen, session: &Session, taken: &[Taken]) -> Result<Swept> {
    let busy = screen.busy("filing");
    let places: Vec<String> = taken.iter().map(|it| it.place.clone()).collect();
    let mut swept = session.tools.call(Sweep { places, settled: true, dry_run: false }).await?;
    // What else lies in the inbox and cannot be taken is not what this is about.
    let named = |place: &str| taken.iter().any(|it| lies_in(place, &it.place));
    swept.failed.retain(|problem| named(&problem.place));
    swept.settling = 0;
    for one in taken {
        // The node's own sweep may have been faster: the journal says what became of it.
        if let Some(found) = super::journal::filed_elsewhere(&session.tools, one, &swept).await? {
            swept.filed.push(found);
        }
    }
    busy.finish_and_clear();
    Ok(swept)
}

/// `emm sweep`: over what lies in the inbox now.
pub(super) async fn sweep(setup: &Setup, screen: &Screen) -> Result<Exit> {
    let session = Session::open(setup, screen, &Role::ALL).await?;
    let work = async {
        session.caught_up(screen).await?;
        let busy = screen.busy("sweeping the inbox");
        let request = Sweep { places: Vec::new(), settled: false, dry_run: setup.global.dry_run };
        let swept = session.tools.call(request).await;
        busy.finish_and_clear();
        swept
    };
    let swept = work.await;
    session.close().await;
    told(setup, screen, &swept?)
}

/// Tells what a sweep did, and how the command ends by that.
pub(super) fn told(setup: &Setup, screen: &Screen, swept: &Swept) -> Result<Exit> {
    screen.show(swept, |screen, swept| {
        let dry = setup.global.dry_run;
        for outcome in &swept.filed {
            screen.line(filed_line(outcome, dry));
        }
        for review in &swept.review {
            screen.line(format_args!("? {}: {}", safe(&review.item.place), review.reason));
        }
        for problem in &swept.failed {
            screen.line(format_args!("! {}: {}", safe(&problem.place), safe(&problem.reason)));
        }
        summary(setup, screen, swept);
    })?;
    Ok(match (swept.failed.is_empty(), swept.review.is_empty()) {
        (false, _) => Exit::Error,
        (true, false) => Exit::Review,
        (true, true) => Exit::Done,
    })
}

fn filed_line(outcome: &Outcome, dry: bool) -> String {
    let (place, note) = (safe(&outcome.place), safe(&outcome.filed.note));
    match (outcome.filed.duplicate, dry) {
        (true, _) => format!("= {place}: filed before, as {note}"),
        (false, true) => format!("+ {place} would become {note} ({})", percent(outcome.confidence)),
        (false, false) => format!("+ {place} -> {note} ({})", percent(outcome.confidence)),
    }
}

fn summary(setup: &Setup, screen: &Screen, swept: &Swept) {
    let (again, dry) = (setup.again(), setup.global.dry_run);
    let copies = swept.filed.iter().filter(|it| it.filed.duplicate).count();
    let (filed, review, failed) = (swept.filed.len() - copies, swept.review.len(), swept.failed.len());
    let verb = if dry { "would be filed" } else { "filed" };
    let mut parts = vec![format!("{filed} {verb}")];
    parts.extend((copies > 0).then(|| format!("{copies} filed before")));
    parts.extend((review > 0).then(|| format!("{review} for review")));
    parts.extend((failed > 0).then(|| format!("{failed} failed")));
    parts.extend((swept.settling > 0).then(|| format!("{} still settling", swept.settling)));
    screen.line(format_args!("{}", parts.join(", ")));
    if dry {
        return;
    }
    if review > 0 {
        screen.remark(format_args!("'{again} review' decides what waits"));
    }
    if filed > 0 && !swept.run.is_empty() {
        screen.remark(format_args!("'{again} undo --run {}' takes this back", swept.run));
    }
}

/// `emm quarantine`.
pub(super) async fn quarantine(setup: &Setup, screen: &Screen, action: QuarantineAction) -> Result<Exit> {
    match action {
        QuarantineAction::List => {
            let session = Session::open(setup, screen, &[Role::FileSystem]).await?;
            let overview = session.tools.call(Overview {}).await;
            session.close().await;
            screen.show(&overview?.quarantine, |screen, held| {
                for problem in held {
                    screen.line(format_args!("{}: {}", safe(&problem.place), safe_lines(&problem.reason)));
                }
                screen.remark(format_args!("{} in quarantine", held.len()));
            })?;
            Ok(Exit::Done)
        }
        QuarantineAction::Retry { item, .. } => {
            let session = Session::open(setup, screen, &Role::ALL).await?;
            let swept = retry(setup, screen, &session, item).await;
            session.close().await;
            told(setup, screen, &swept?)
        }
    }
}

async fn retry(setup: &Setup, screen: &Screen, session: &Session, item: Option<String>) -> Result<Swept> {
    let held = session.tools.call(Overview {}).await?.quarantine;
    let ids: Vec<&str> = held.iter().filter_map(|it| it.place.split_once(' ').map(|(emm_id, _)| emm_id)).collect();
    let wanted: Vec<String> = match item {
        Some(item) => vec![item],
        None => ids.iter().map(|&emm_id| emm_id.to_owned()).collect(),
    };
    let mut released = Vec::new();
    for emm_id in &wanted {
        if setup.global.dry_run {
            if !screen.json {
                screen.line(format_args!("would put {emm_id} back into the inbox and try it again"));
            }
            continue;
        }
        session.tools.call(Release { emm_id: emm_id.clone() }).await?;
        released.extend(super::journal::place(&session.tools, emm_id).await?);
    }
    if released.is_empty() {
        return Ok(Swept::default());
    }
    session.caught_up(screen).await?;
    let busy = screen.busy("trying again");
    let swept = session.tools.call(Sweep { places: released, settled: true, dry_run: false }).await;
    busy.finish_and_clear();
    swept
}

/// `emm extract`: what a parser child reads in a document.
pub(super) async fn extract(setup: &Setup, screen: &Screen, path: &Path) -> Result<Exit> {
    let file = File::open(path).map_err(at(path))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let program = parsers::own_program().map_err(Error::unavailable)?;
    let pool = Parsers::new(setup.config.parsers.clone(), program, vec![parsers::SUBCOMMAND.into()]);
    let read = pool.read(file, &name).await;
    pool.close().await;
    let extracted = read.map_err(|failure| Error::invalid(format!("{}: {failure}", path.display())))?;
    screen.show(&extracted, |screen, extracted| {
        for line in facts(extracted) {
            screen.line(line);
        }
        screen.line("");
        screen.line(safe_lines(&extracted.text));
    })?;
    Ok(Exit::Done)
}

fn facts(extracted: &Extracted) -> Vec<String> {
    let list = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
    let rows = [
        ("kind", Some(format!("{} ({})", extracted.kind.as_str(), extracted.media_type))),
        ("title", extracted.title.clone()),
        ("author", list(&extracted.author)),
        ("created", extracted.created.clone()),
        ("published", extracted.published.clone()),
        ("source", extracted.source.clone()),
        ("language", extracted.language.clone()),
        ("pages", extracted.pages.map(|pages| pages.to_string())),
        ("keywords", list(&extracted.keywords)),
        ("truncated", extracted.truncated.then(|| "the rest of the text is left out".to_owned())),
    ];
    let facts = extracted.facts.iter().map(|(key, value)| (key.as_str(), Some(value.clone())));
    let warnings = extracted.warnings.iter().map(|warning| ("warning", Some(warning.clone())));
    let all = rows.into_iter().chain(facts).chain(warnings);
    all.filter_map(|(key, value)| Some(format!("{:<10} {}", safe(key), safe(&value?)))).collect()
}

/// The identity of what was put into the inbox, if it is a file.
pub(super) fn identity(taken: &Taken) -> Option<String> {
    taken.hash.map(|hash| custody::emm_id(hash.to_hex().as_str()))
}
