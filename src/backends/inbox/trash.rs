//! The trash: originals that were filed, kept for some days under the date of their filing.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Folder, InboxError};
use crate::{backends::disk, domain::custody};

/// The trash inside the inbox, used when the store's is on another file system.
pub const TRASH_FOLDER: &str = ".emm-trash";

/// What the name of a thing begins with that was taken out of the vault again: before the beginning of its hash.
pub const UNDONE: &str = "undone-";

/// Things of one item and name that may lie in one day's trash: the same bytes dropped again.
pub(super) const NAMES_MAX: u32 = 1000;

/// Which trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrashPlace {
    /// The store's.
    Store,
    /// The one inside the inbox.
    Inbox,
}

/// Where an original lies now; goes into the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// Which trash.
    pub place: TrashPlace,
    /// Reference relative to that trash: `2024-05-01/{emm_id}-name.pdf`.
    pub path: String,
}

/// The name of a thing in the trash: its `emm_id` and own name, so that recovery finds it and people know it. The first is
/// number 1; a further one of the same item and name carries its number. At most 255 bytes.
///
/// # Errors
/// `InvalidInput` when the id cannot stand in a file name.
pub fn trash_name(emm_id: &str, name: &OsStr, number: u32) -> io::Result<OsString> {
    if !disk::is_safe_tag(emm_id) {
        let message = format!("{emm_id:?} cannot stand in a file name: use 1 to 120 ASCII letters, digits, '-' or '_'");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut full = OsString::from(if number <= 1 { format!("{emm_id}-") } else { format!("{emm_id}-{number}-") });
    full.push(name);
    Ok(disk::numbered(&full, ""))
}

/// What became of a trash whose days are over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Days that are gone, by their names.
    pub days: Vec<String>,
    /// Originals that stay, by their paths: somebody went on writing into them after they were taken, so what they hold now
    /// is nowhere else.
    pub kept: Vec<PathBuf>,
}

/// Removes the days that are older than `retention_days` on the day `today` (`YYYY-MM-DD`) from a trash, but for the originals
/// in them that are not what was filed. Folders that are not named by a date are left alone; links are removed, not followed.
///
/// # Errors
/// When the trash cannot be read or a day cannot be removed; a trash that does not exist is empty.
pub fn expire(trash: &Path, today: &str, retention_days: u32) -> io::Result<Expired> {
    let today = check_date(today)?;
    let mut expired = Expired::default();
    let days = match std::fs::read_dir(trash) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(expired),
        other => other?,
    };
    for day in days {
        let day = day?;
        let Ok(name) = day.file_name().into_string() else { continue };
        if !day.file_type()?.is_dir() || !check_date(&name).is_ok_and(|then| today - then > i64::from(retention_days)) {
            continue;
        }
        let kept = clear(&day.path())?;
        if kept.is_empty() {
            std::fs::remove_dir(day.path())?;
            expired.days.push(name);
        }
        expired.kept.extend(kept);
    }
    expired.days.sort_unstable();
    expired.kept.sort_unstable();
    Ok(expired)
}

/// Removes what lies in a day's folder, and gives the paths of what has to stay.
fn clear(day: &Path) -> io::Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(day)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if is_changed(&path, kind)? {
            kept.push(path);
        } else if kind.is_dir() {
            std::fs::remove_dir_all(path)?;
        } else {
            std::fs::remove_file(path)?;
        }
    }
    Ok(kept)
}

/// Whether a thing is not what was put there: its name begins with its `emm_id`, which is the beginning of its hash.
fn is_changed(path: &Path, kind: std::fs::FileType) -> io::Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_prefix(UNDONE).unwrap_or(&name);
    let Some((id, _)) = name.split_once('-').filter(|(id, _)| custody::is_emm_id(id)) else { return Ok(false) };
    let hash = match (kind.is_dir(), kind.is_file()) {
        (true, _) => disk::tree(disk::open_root(path)?, usize::MAX)?.hash,
        (_, true) => disk::hash(&std::fs::File::open(path)?)?.0,
        _ => return Ok(false),
    };
    Ok(custody::emm_id(hash.to_hex().as_str()) != id)
}

impl Folder {
    /// [`expire`] for both trashes that this inbox uses.
    ///
    /// # Errors
    /// As there.
    pub fn expire(&self, trash: &Path, today: &str, retention_days: u32) -> Result<Expired, InboxError> {
        let both = || {
            let mut expired = expire(trash, today, retention_days)?;
            let Expired { days, kept } = expire(&self.path.join(TRASH_FOLDER), today, retention_days)?;
            expired.days.extend(days);
            expired.kept.extend(kept);
            io::Result::Ok(expired)
        };
        both().map_err(|error| InboxError::of(&trash.to_string_lossy(), error))
    }

    /// What lies in a day's trash of this item: where a restart looks for an original that was renamed and not yet journalled.
    ///
    /// # Errors
    /// When the trash cannot be read.
    pub fn find_in_trash(&self, trash: &Path, date: &str, emm_id: &str) -> Result<Vec<Trashed>, InboxError> {
        let mut found = Vec::new();
        let inbox = self.path.join(TRASH_FOLDER);
        for (place, path) in [(TrashPlace::Store, trash), (TrashPlace::Inbox, inbox.as_path())] {
            let names = match disk::open_root(&path.join(date)).and_then(disk::names) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| InboxError::of(&path.to_string_lossy(), error))?,
            };
            let ours = names.iter().filter(|name| name.as_encoded_bytes().starts_with(format!("{emm_id}-").as_bytes()));
            found.extend(ours.map(|name| Trashed { place, path: format!("{date}/{}", super::encode(name)) }));
        }
        Ok(found)
    }
}

/// The day number of a date, counted from the year 0; refuses what is no `YYYY-MM-DD`.
pub(super) fn check_date(date: &str) -> io::Result<i64> {
    let number = |text: &str, digits: usize| {
        let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if plain { text.parse::<i64>().ok() } else { None }
    };
    let parts: Vec<_> = date.split('-').collect();
    let parsed = match parts.as_slice() {
        [year, month, day] => number(year, 4).zip(number(month, 2)).zip(number(day, 2)),
        _ => None,
    };
    let Some(((year, month), day)) =
        parsed.filter(|((_, month), day)| (1..=12).contains(month) && (1..=31).contains(day))
    else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{date:?} is no date: write YYYY-MM-DD")));
    };
    // Years are counted from March, so that the leap day comes last and the months before it have a fixed length.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Ok(year * 365 + leap_days + (month * 153 + 2) / 5 + day)
}
