//! `emm jd`: the structure checked, shown and extended.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueHint};
use serde_json::json;

use super::{
    Exit,
    screen::{Screen, safe},
    session::Session,
    setup::{STARTER, Setup, at},
};
use crate::{
    contracts::jd_classifier::{GetStructure, Linted, Published, Reserve, Reserved},
    domain::{jd, note},
    rpc::{Error, Result, Role},
};

/// What to do with the structure.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Check a jd.yaml; each finding is FILE:LINE:COLUMN severity rule: what to do
    Lint {
        /// The file [default: the home's]
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Mend what can be mended safely; comments and layout stay (--dry-run shows the difference)
        #[arg(long)]
        fix: bool,
    },
    /// Show the structure in force, with the ids that emm allocated
    Tree,
    /// Say which id a category gives out next
    Next {
        /// The category, such as 14
        category: String,
    },
    /// Add an id to a category: written into jd.yaml, or reserved where that is read-only
    New {
        /// The category, such as 14
        category: String,
        /// Its title
        title: String,
    },
    /// Print the structure that a new home begins with
    Starter,
}

pub(super) async fn run(setup: &Setup, screen: &Screen, action: Action) -> Result<Exit> {
    match action {
        Action::Lint { file, fix } => lint(setup, screen, file.as_deref().unwrap_or(&setup.home.jd), fix),
        Action::Starter => {
            screen.text(STARTER);
            Ok(Exit::Done)
        }
        action => {
            let session = Session::open(setup, screen, &[Role::JdClassifier]).await?;
            let done = over_structure(setup, screen, &session, action).await;
            session.close().await;
            done
        }
    }
}

async fn over_structure(setup: &Setup, screen: &Screen, session: &Session, action: Action) -> Result<Exit> {
    let published = session.tools.call(GetStructure::default()).await?;
    match action {
        Action::Next { category } => {
            let code = next(&published, &category)?;
            screen.show(&json!({ "code": code }), |screen, _| screen.line(&code))?;
        }
        Action::New { category, title } => {
            let code = next(&published, &category)?;
            let made = new(setup, session, &published, &category, &code, &title).await?;
            screen.show(&made, |screen, made| screen.line(format_args!("{} {}", made.code, safe(&title))))?;
        }
        Action::Tree | Action::Lint { .. } | Action::Starter => {
            screen.show(&published, |screen, published| {
                screen.text(jd::tree(&published.structure));
                for finding in &published.refused {
                    screen.line(format_args!("! not in force: {}:{finding}", published.source));
                }
            })?;
        }
    }
    Ok(Exit::Done)
}

fn next(published: &Published, category: &str) -> Result<String> {
    if published.structure.category(category).is_none() {
        return Err(Error::not_found(format!("there is no category {category:?}; 'emm jd tree' shows them")));
    }
    let code = published.structure.next_id(category, &Default::default());
    code.ok_or_else(|| Error::invalid(format!("category {category} has no free id left")))
}

async fn new(
    setup: &Setup,
    session: &Session,
    published: &Published,
    category: &str,
    code: &str,
    title: &str,
) -> Result<Reserved> {
    let path = fs::canonicalize(&published.source).unwrap_or_else(|_| PathBuf::from(&published.source));
    let writable = setup.global.node.is_none() && is_writable(&path);
    if !writable {
        // The key makes asking again give the same id.
        let key = blake3::hash(format!("emm jd new\n{category}\n{title}").as_bytes()).to_hex();
        let emm_id = crate::domain::custody::emm_id(key.as_str());
        if setup.global.dry_run {
            return Ok(Reserved { code: code.to_owned(), structure: String::new() });
        }
        return session.tools.call(Reserve { category: category.to_owned(), title: title.to_owned(), emm_id }).await;
    }
    let text = read(&path)?;
    let edited = jd::insert_id(&text, category, code, title).map_err(Error::invalid)?;
    if setup.global.dry_run {
        return Ok(Reserved { code: code.to_owned(), structure: String::new() });
    }
    replace(&path, &text, &edited)?;
    let hash = session.tools.call(GetStructure::default()).await?.hash;
    Ok(Reserved { code: code.to_owned(), structure: hash })
}

fn is_writable(path: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(path).is_ok()
}

fn lint(setup: &Setup, screen: &Screen, path: &Path, fix: bool) -> Result<Exit> {
    let text = read(path)?;
    let (mended, fixed) = if fix { jd::fix(&text) } else { (text.clone(), Vec::new()) };
    let dry = setup.global.dry_run;
    if !fixed.is_empty() && !dry {
        let real = fs::canonicalize(path).map_err(at(path))?;
        replace(&real, &text, &mended)?;
    }
    let report = jd::lint(&mended);
    let failed = report.errors().next().is_some();
    screen.show(&Linted { findings: report.findings.clone() }, |screen, linted| {
        let name = path.display();
        if dry && !fixed.is_empty() {
            screen.text(note::unified_diff(&text, &mended, (&name.to_string(), "mended")));
        }
        for finding in &linted.findings {
            let mends = finding.fix.as_deref().map(|fix| format!(" (--fix: {fix})")).unwrap_or_default();
            screen.line(format_args!("{name}:{}{mends}", safe(&finding.to_string())));
        }
        let mended = if fixed.is_empty() { String::new() } else { format!("{} mended, ", fixed.len()) };
        screen.remark(format_args!("{mended}{} found", report.count()));
    })?;
    Ok(if failed { Exit::Error } else { Exit::Done })
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(at(path))?;
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{} is not UTF-8 text", path.display())))
}

/// Puts the new text in the place of the old in one step, with the rights of the file, unless somebody edited it.
fn replace(path: &Path, before: &str, after: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let rights = fs::metadata(path).map_err(at(path))?.permissions();
    let mut file = tempfile::Builder::new().prefix(".jd-").tempfile_in(folder).map_err(at(folder))?;
    let written = file.write_all(after.as_bytes()).and_then(|()| file.as_file().set_permissions(rights));
    written.and_then(|()| file.as_file().sync_all()).map_err(at(path))?;
    if read(path)? != before {
        return Err(Error::conflict(format!("{} was edited a moment ago: try again", path.display())));
    }
    file.persist(path).map_err(|error| at(path)(error.error))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}
