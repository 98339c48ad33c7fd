//! `emm doctor`: everything that emm needs, looked at; and what to do about what is missing.

use std::{fs, io::Write, os::unix::fs::MetadataExt, path::Path, time::Instant};

use console::Style;
use serde::Serialize;

use super::{
    Exit,
    screen::{Screen, safe},
    session::remote_ready,
    setup::Setup,
};
use crate::{
    backends::{
        embeddings::{Embedder, Hurry, Text},
        llm::{AccountError, LlmError, Provider},
        objects::{Bucket, ObjectsError, Removal, WRITERS},
        parsers::{self, Parsers},
        store::Backend,
        vault::{Folder, FolderSettings},
    },
    domain::{jd, note::VaultStyle},
    rpc::Result,
};

/// Below this the disk is nearly full for documents that are kept twice until the trash expires.
const FREE_BYTES_LOW: u64 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    grade: Grade,
    found: String,
}

fn ok(name: &'static str, found: impl ToString) -> Check {
    Check { name, grade: Grade::Ok, found: found.to_string() }
}

fn warn(name: &'static str, found: impl ToString) -> Check {
    Check { name, grade: Grade::Warn, found: found.to_string() }
}

fn fail(name: &'static str, found: impl ToString) -> Check {
    Check { name, grade: Grade::Fail, found: found.to_string() }
}

pub(super) async fn run(setup: &Setup, screen: &Screen) -> Result<Exit> {
    let mut checks = vec![home(setup), structure(setup), inbox(setup)];
    checks.extend(vault(setup).await);
    checks.push(store(setup).await);
    checks.push(trash(setup));
    checks.push(parser(setup).await);
    checks.push(ocr(setup));
    checks.extend(meaning(setup).await);
    checks.push(node(setup).await);
    screen.show(&checks, |screen, checks| {
        for check in checks {
            let (word, style) = match check.grade {
                Grade::Ok => ("ok  ", Style::new().green()),
                Grade::Warn => ("warn", Style::new().yellow()),
                Grade::Fail => ("FAIL", Style::new().red().bold()),
            };
            screen.line(format_args!(
                "{} {:<10} {}",
                screen.style(style).apply_to(word),
                check.name,
                safe(&check.found)
            ));
        }
    })?;
    Ok(if checks.iter().any(|check| check.grade == Grade::Fail) { Exit::Error } else { Exit::Done })
}

fn home(setup: &Setup) -> Check {
    let (path, again) = (setup.home.path.display(), setup.again());
    match setup.check() {
        Ok(()) => ok("home", path),
        Err(error) if setup.home.is_made() => fail("home", error.message),
        Err(_) => fail("home", format!("there is none at {path} yet: '{again} --role all' makes it")),
    }
}

fn structure(setup: &Setup) -> Check {
    let path = &setup.home.jd;
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return fail("jd.yaml", format!("{}: {error}; give yours with --jd", path.display())),
    };
    let report = jd::lint(&text);
    let (errors, again) = (report.errors().count(), setup.again());
    match (errors, report.count()) {
        (0, 0) => ok("jd.yaml", path.display()),
        (0, count) => warn("jd.yaml", format!("{}: {count} warnings; '{again} jd lint' shows them", path.display())),
        _ => fail("jd.yaml", format!("{}: {errors} errors; '{again} jd lint' shows them", path.display())),
    }
}

fn inbox(setup: &Setup) -> Check {
    let Some(path) = setup.home.inbox.folder() else { return ok("inbox", &setup.home.inbox) };
    let probe = tempfile::Builder::new().prefix(".emm-probe-").suffix(".emm-tmp").tempfile_in(path);
    match fs::read_dir(path).map(|entries| entries.count()) {
        Err(error) => fail("inbox", format!("{}: {error}; make the folder, or give another --inbox", path.display())),
        Ok(_) => match probe.and_then(|mut file| file.write_all(b"emm")) {
            Ok(()) => ok("inbox", path.display()),
            Err(error) => {
                fail("inbox", format!("{}: {error}; emm must be able to take files out of it", path.display()))
            }
        },
    }
}

async fn vault(setup: &Setup) -> Vec<Check> {
    let Some(path) = setup.home.vault.folder() else { return vec![bucket(setup).await] };
    let mut checks = Vec::new();
    match Folder::open(path, FolderSettings::default()).and_then(|vault| vault.probe(None)) {
        Ok(probe) => {
            let case = if probe.folds_case { "; names that differ in case only are one name here" } else { "" };
            checks.push(ok("vault", format!("{}, can be written{case}", path.display())));
            let free = format!("{} MB free of {} MB", probe.free_bytes >> 20, probe.total_bytes >> 20);
            checks.push(match probe.free_bytes {
                bytes if bytes < FREE_BYTES_LOW => {
                    warn("disk", format!("{free}: documents need twice their size until the trash expires; make room"))
                }
                _ => ok("disk", free),
            });
        }
        Err(error) => checks.push(fail("vault", format!("{}: {error}", path.display()))),
    }
    let settings = fs::read_to_string(path.join(".obsidian/app.json"));
    checks.push(match settings {
        Ok(text) if serde_json::from_str::<serde_json::Value>(&text).is_err() => {
            warn("obsidian", ".obsidian/app.json is not JSON: links are wikilinks, originals go to 'attachments'")
        }
        Ok(text) => {
            ok("obsidian", format!("originals go to '{}'", attachments(&VaultStyle::from_app_json(Some(&text)))))
        }
        Err(_) => ok("obsidian", "no settings in the vault: links are wikilinks, originals go to 'attachments'"),
    });
    checks
}

fn attachments(style: &VaultStyle) -> String {
    let folder = style.attachment_folder("NOTE'S FOLDER");
    if folder.is_empty() { "the vault's root".to_owned() } else { folder }
}

/// A vault in a bucket, and how that takes things away.
async fn bucket(setup: &Setup) -> Check {
    match setup.config.vault.open_buckets(&setup.config.store.s3).await {
        Err(error @ ObjectsError::Settings(_)) => fail("vault", format!("{error}; look at [vault.s3] and [store.s3]")),
        Ok((bucket, _)) if bucket.removal() == Removal::Conditional => {
            ok("vault", format!("{}, takes away only what is as it was seen", setup.home.vault))
        }
        Ok(_) => warn(
            "vault",
            format!(
                "{}: it takes no condition on a removal, so an edit made at the very moment of an undo is lost with it",
                setup.home.vault
            ),
        ),
        Err(error) => fail("vault", format!("{}: {error}", setup.home.vault)),
    }
}

/// The store and, where it is a bucket, what that can do.
async fn store(setup: &Setup) -> Check {
    let settings = &setup.config.store;
    let bucket = match settings.backend {
        Backend::Folder => return ok("store", setup.home.store.display()),
        Backend::S3 => match Bucket::new(&settings.s3) {
            Ok(bucket) => bucket,
            Err(error) => return fail("store", format!("{error}; look at [store.s3]")),
        },
    };
    match bucket.probe().await {
        Ok(()) => ok(
            "store",
            format!("{bucket}, refuses a taken key, has one winner of {WRITERS} writers, lists what was written"),
        ),
        Err(error) => fail("store", error),
    }
}

fn trash(setup: &Setup) -> Check {
    let device = |path: &Path| path.ancestors().find_map(|path| fs::metadata(path).ok()).map(|it| it.dev());
    let days = setup.config.file_system.trash_retention_days;
    let Some(inbox) = setup.home.inbox.folder() else {
        return ok("trash", format!("in the bucket of the store, kept {days} days"));
    };
    match device(inbox) == device(&setup.home.store) {
        true => ok("trash", format!("{}/trash, kept {days} days", setup.home.store.display())),
        false => ok("trash", format!("inside the inbox, for the store is on another file system; kept {days} days")),
    }
}

async fn parser(setup: &Setup) -> Check {
    let read = async {
        let program = parsers::own_program().map_err(|error| error.to_string())?;
        let pool = Parsers::new(setup.config.parsers.clone(), program, vec![parsers::SUBCOMMAND.into()]);
        let mut file = parsers::spool().map_err(|error| error.to_string())?;
        file.write_all(b"A line of text.\n").map_err(|error| error.to_string())?;
        let read = pool.read(file, "probe.txt").await;
        pool.close().await;
        read.map_err(|failure| failure.to_string())
    };
    match read.await {
        Ok(_) => ok("parser", "a child process starts and reads"),
        Err(reason) => fail("parser", format!("{reason}; no document can be read")),
    }
}

fn ocr(setup: &Setup) -> Check {
    if !setup.config.parsers.ocr {
        return ok("tesseract", "not asked for (parsers.ocr)");
    }
    let output = std::process::Command::new("tesseract").arg("--list-langs").output();
    let Ok(output) = output else {
        return warn("tesseract", "not installed: pictures are filed by name only (apt-get install tesseract-ocr)");
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let installed: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    let missing: Vec<&str> = setup
        .config
        .parsers
        .ocr_languages
        .iter()
        .map(String::as_str)
        .filter(|language| !installed.contains(language))
        .collect();
    match missing.is_empty() {
        true => ok("tesseract", "installed, with every language of parsers.ocr_languages"),
        false => {
            warn("tesseract", format!("without {}: install them, or set parsers.ocr_languages", missing.join(", ")))
        }
    }
}

/// What the model of embeddings can do, where one is configured.
async fn meaning(setup: &Setup) -> Option<Check> {
    let settings = &setup.config.embeddings;
    if settings.provider == Provider::None {
        return None;
    }
    let name = "embeddings";
    let wrong = if settings.required { fail } else { warn };
    let embedder = match Embedder::new(settings, None) {
        Ok(embedder) => embedder,
        Err(error) => return Some(fail(name, error)),
    };
    // In a language that is not that of the places: what a model is good for.
    let letter = "Sehr geehrter Mieter, die Miete Ihrer Wohnung steigt ab Mai. Ihr Vermieter";
    let texts =
        [settings.document_text(letter), settings.place_text("Home, flat, rent"), settings.place_text("Travel")];
    let texts = texts.map(|text| Text { name: "doctor".to_owned(), text });
    let begun = Instant::now();
    let found = embedder.embed(&texts, Hurry::None).await;
    let (model, url, ms) = (&settings.model, settings.url(), begun.elapsed().as_millis());
    let reach = if settings.is_remote() { "remote: documents leave this machine" } else { "local" };
    Some(match found.as_deref() {
        Ok([letter, home, travel]) => {
            let said = format!("{model} at {url} ({reach}): {} numbers, {ms} ms for three texts", letter.dimensions());
            match letter.alike(home) > letter.alike(travel) {
                true => ok(name, said + "; takes a German letter about rent for what it is"),
                false => {
                    warn(name, said + "; takes a German letter about rent for travel: choose a multilingual model")
                }
            }
        }
        Ok(_) => wrong(name, format!("{model} at {url}: not a vector for each text")),
        Err(AccountError::Llm(LlmError::Refused { status: 404, said })) if settings.provider == Provider::Ollama => {
            let names = embedder.models().await.unwrap_or_default().join(", ");
            let names = if names.is_empty() { "no model".to_owned() } else { names };
            wrong(name, format!("{url} has no model {model} ({said}): 'ollama pull {model}' gets it; it has {names}"))
        }
        Err(error @ AccountError::Llm(LlmError::Away(_))) if settings.provider == Provider::Ollama => {
            wrong(name, format!("{error}; is Ollama running? 'ollama serve' starts it (embeddings.base_url is {url})"))
        }
        Err(error @ AccountError::Llm(LlmError::Refused { status: 401 | 403, .. })) => {
            wrong(name, format!("{error}; look at embeddings.api_key (EMM_EMBEDDINGS__API_KEY_FILE)"))
        }
        Err(error) => wrong(name, format!("{error}; look at [embeddings]")),
    })
}

async fn node(setup: &Setup) -> Check {
    let running = setup.home.running().map(|it| it.address);
    let Some(address) = setup.global.node.clone().or(running) else {
        return ok("node", format!("none is running; '{} --role all' starts one", setup.again()));
    };
    match remote_ready(setup, &address).await {
        Ok(()) => ok("node", format!("answers at {address}")),
        Err(error) => fail("node", error.message),
    }
}
