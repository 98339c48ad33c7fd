//! `emm file --dry-run`: the real run in a shadow of the home, so that neither inbox nor journal see it.
//!
//! The shadow has hard links to the write-once objects of the store (copies, where that is a bucket) and copies of the
//! databases; the vault is the real one, which a dry run only reads: its roles are read-only. What an earlier process left
//! half done and what the vault tells is taken up in the home itself first, as by any command: in the shadow its inbox
//! would be missing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    intake::Intake,
    screen::Screen,
    session::{Held, Session, hold, quiet},
    setup::{Setup, at},
};
use crate::{
    backends::{
        home::{Home, Running, Spot},
        store::{Backend, Store},
    },
    contracts::{
        file_system::Problem,
        file_system_agent::{Sweep, Swept},
    },
    rpc::{Error, Result, Role},
};

/// What would become of these documents.
pub(super) async fn dry_run(setup: &Setup, screen: &Screen, paths: &[PathBuf]) -> Result<Swept> {
    let lock = match hold(&setup.home, screen).await? {
        Held::Ours(lock) => lock,
        Held::By(Running { address, .. }) => {
            return Err(Error::conflict(format!(
                "the node at {address} holds the home: stop it for a dry run, or put the files into the inbox and use 'emm sweep --dry-run'"
            )));
        }
    };
    let mut config = quiet(&setup.config);
    let real = Session::host(setup.home.clone(), config.clone(), &[Role::FileSystem], None, false).await?;
    let known = real.caught_up(screen).await;
    real.close().await;
    known?;

    let folder =
        tempfile::Builder::new().prefix(".dry-run-").tempdir_in(&setup.home.path).map_err(Error::unavailable)?;
    let home = shadow(&setup.home, folder.path())?;
    match setup.config.store.backend {
        Backend::Folder => {
            mirror(&setup.home.store, &home.store, &["trash", "quarantine"]).map_err(at(&home.store))?;
        }
        Backend::S3 => {
            // What a dry run would write must not reach the bucket.
            let store = Store::open(&setup.config.store, &setup.home.store).await?;
            store.copy_to(&Store::folder(&home.store)?).await?;
            config.store.backend = Backend::Folder;
        }
    }
    let (mut taken, mut failed) = (Vec::new(), Vec::new());
    let intake = Intake::open(setup, &home.inbox)?;
    for path in paths {
        match intake.take(path, false).await {
            Ok(one) => taken.push(one.place),
            Err(error) => failed.push(Problem { place: path.display().to_string(), reason: error.message }),
        }
    }
    if taken.is_empty() {
        return Ok(Swept { failed, ..Swept::default() });
    }
    let session = Session::host(home, config, &Role::ALL, Some(lock), true).await?;
    let busy = screen.busy("trying it out");
    let swept = async {
        session.caught_up(screen).await?;
        session.tools.call(Sweep { places: taken, settled: true, dry_run: true }).await
    };
    let swept = swept.await;
    busy.finish_and_clear();
    session.close().await;
    let mut swept = swept?;
    swept.failed.splice(0..0, failed);
    Ok(swept)
}

/// The shadow of a home in an empty folder.
fn shadow(real: &Home, folder: &Path) -> Result<Home> {
    let home = Home {
        path: folder.to_owned(),
        vault: real.vault.clone(),
        inbox: Spot::Folder(folder.join("UNSORTED")),
        jd: real.jd.clone(),
        store: folder.join("store"),
    };
    let inbox = folder.join("UNSORTED");
    fs::create_dir(&inbox).map_err(at(&inbox))?;
    for (from, to) in
        [(real.state(), home.state()), (real.search(), home.search()), (real.knowledge(), home.knowledge())]
    {
        // The log first: a database that is just being closed takes it over and deletes it, and then has all by itself.
        for suffix in ["-wal", ""] {
            let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            copy(&with(&from), &with(&to)).map_err(at(&from))?;
        }
    }
    Ok(home)
}

/// The same tree of the same files, without some folders at its top.
fn mirror(from: &Path, to: &Path, without: &[&str]) -> io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if without.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            mirror(&from, &to, &[])?;
        } else if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// A copy of a file or a folder of files, which the shadow may change; nothing where there is none.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return match fs::copy(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            copied => copied.map(drop),
        };
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
