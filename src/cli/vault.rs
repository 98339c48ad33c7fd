//! `emm vault sync`: a folder beside a vault in a bucket.

use std::{path::Path, time::Duration};

use super::{Exit, flags::VaultAction, screen::Screen, setup::Setup};
use crate::{
    backends::{
        Clock,
        objects::{Bucket, ObjectsError},
        trash::Trash,
        vault::{
            FolderSettings, Objects,
            mirror::{Mirror, MirrorError, Pass},
        },
        watch::{Watch, WatchMode},
    },
    rpc::{Error, Result},
};

/// How long changes of the folder are gathered.
const DEBOUNCE: Duration = Duration::from_millis(500);

pub(super) async fn run(setup: &Setup, screen: &Screen, action: VaultAction) -> Result<Exit> {
    let VaultAction::Sync { folder, watch } = action;
    let mirror = open(setup, &folder).await?;
    let mut watched = None;
    loop {
        let busy = screen.busy("comparing");
        let question = |gone: usize, of: usize| {
            setup.global.yes
                || busy.suspend(|| screen.confirmed(&format!("{gone} of {of} files would be taken away. Go on?")))
        };
        let passed = mirror.pass(&Clock::System.today(), setup.global.dry_run, question).await;
        busy.finish_and_clear();
        let pass = match passed {
            // A bucket that is away for a while is no reason to stop watching.
            Err(error @ MirrorError::Vault(_)) if watch => {
                screen.remark(format_args!("{error}; it is tried again"));
                Pass::default()
            }
            passed => passed?,
        };
        if !watch {
            screen.show(&pass, tell)?;
            return Ok(if pass.problems.is_empty() { Exit::Done } else { Exit::Error });
        }
        if !pass.is_idle() || !pass.problems.is_empty() {
            tell(screen, &pass);
        }
        let period = Duration::from_secs(setup.config.inbox.poll_seconds.max(1));
        let watched = watched.get_or_insert_with(|| Watch::new(Some(&folder), WatchMode::Native, DEBOUNCE, period));
        tokio::select! {
            _ = watched.next() => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

async fn open(setup: &Setup, folder: &Path) -> Result<Mirror> {
    if setup.home.vault.folder().is_some() {
        let vault = &setup.home.vault;
        return Err(Error::invalid(format!(
            "the vault {vault} is a folder already: open it in Obsidian; sync is for a vault in a bucket (vault.backend = \"s3\")"
        )));
    }
    let failed = |error| match error {
        ObjectsError::Settings(_) => Error::invalid(error.to_string()),
        error => Error::unavailable(format!("the bucket: {error}")),
    };
    let (vault, _) = setup.config.vault.open_buckets(&setup.config.store.s3).await.map_err(failed)?;
    let store = Bucket::new(&setup.config.store.s3).map_err(failed)?.with(vault.removal());
    let trash = Trash::Bucket(store.below("trash"));
    setup.home.prepare()?;
    let objects = Objects::new(vault, &setup.home.path, FolderSettings::default());
    Ok(Mirror::open(objects, trash, folder, &setup.home.path).await?)
}

fn tell(screen: &Screen, pass: &Pass) {
    let lists = [
        ("to the vault", &pass.sent),
        ("from the vault", &pass.fetched),
        ("taken out of the vault", &pass.removed_there),
        ("taken out of the folder", &pass.removed_here),
        ("both had changed it; yours is", &pass.conflicts),
    ];
    for (what, paths) in lists {
        for path in paths {
            screen.line(format_args!("{what}: {}", super::screen::safe(path)));
        }
    }
    for (path, reason) in &pass.problems {
        screen.line(format_args!("{}: {reason}", super::screen::safe(path)));
    }
    if pass.is_idle() && pass.problems.is_empty() {
        screen.remark("both are the same");
    }
}
