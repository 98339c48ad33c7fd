//! The text of jd.yaml: whether it changed, and what it says or what is wrong with it. All of it blocks.

use std::{path::Path, time::SystemTime};

use crate::{
    domain::jd::{self, Finding, Structure},
    rpc::{Error, Result},
};

/// When and how large a text was.
pub(super) type Stamp = (SystemTime, u64);

/// Why a text is of no use.
pub(super) enum Wrong {
    /// It cannot be read.
    Unread(Error),
    /// It does not lint: the errors.
    Refused(Vec<Finding>),
}

impl Wrong {
    /// In words, with the first findings.
    pub(super) fn error(&self, path: &Path) -> Error {
        let findings = match self {
            Wrong::Unread(error) => return error.clone(),
            Wrong::Refused(findings) => findings,
        };
        let lines: Vec<String> = findings.iter().take(3).map(ToString::to_string).collect();
        Error::invalid(format!(
            "{}: {}; 'emm jd lint' shows all, 'emm jd lint --fix' mends what it can",
            path.display(),
            lines.join("; ")
        ))
    }

    /// All findings; none of a text that cannot be read.
    pub(super) fn findings(self) -> Vec<Finding> {
        match self {
            Wrong::Unread(_) => Vec::new(),
            Wrong::Refused(findings) => findings,
        }
    }
}

/// Tells one text from the next; nothing if there is none.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Reads and checks the text. Without a stamp if it cannot be read, so that it is looked at again however it comes back.
pub(super) fn look(path: &Path) -> (Option<Stamp>, Result<Structure, Wrong>) {
    let stamp = stamp(path);
    let report = match read(path) {
        Ok(text) => jd::lint(&text),
        Err(error) => return (None, Err(Wrong::Unread(error))),
    };
    let errors: Vec<Finding> = report.errors().cloned().collect();
    match report.structure {
        Some(structure) if errors.is_empty() => (stamp, Ok(structure)),
        _ => (stamp, Err(Wrong::Refused(errors))),
    }
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::unavailable(format!("{}: {error}", path.display())))?;
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{} is not UTF-8 text", path.display())))
}
