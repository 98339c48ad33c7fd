//! One sweep over the inbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, AtFlags, FileType, Stat};

use super::settle::{Look, Sweep};
use super::{Entry, Inbox, InboxError, Kind, Listing, Problem, Settings, Unstable, reference};
use crate::backends::disk::{self, TREE_DEPTH_MAX};
use crate::domain::inbox::{self as rules, Hints, Name};

impl Inbox {
    /// What lies in the inbox at the time `now`, in order of the paths.
    ///
    /// # Errors
    /// [`InboxError::Vanished`] when the inbox is not there; what was remembered of it stays.
    pub fn list(&self, now: SystemTime) -> Result<Listing, InboxError> {
        let root = self.root()?;
        let now_ns = now.duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
        let mut settle = self.settle.lock();
        let sweep = settle.begin(&self.settings, now_ns);
        let mut look = Looking {
            settings: &self.settings,
            ignores: &self.ignores,
            sweep,
            found: Vec::new(),
            ignored: 0,
            problems: Vec::new(),
            left: self.settings.entries_max,
        };
        let walked = look.folder(&root, &Around::default(), 0);
        match walked {
            Ok(()) => {
                let Looking { sweep, found, ignored, problems, .. } = look;
                settle.end(sweep);
                Ok(sorted(found, ignored, problems))
            }
            Err(error) => {
                settle.abandon(look.sweep);
                Err(InboxError::of("", error))
            }
        }
    }

    /// The inbox itself, open.
    pub(super) fn root(&self) -> Result<OwnedFd, InboxError> {
        let shown = self.path.to_string_lossy().into_owned();
        disk::open_root(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => InboxError::Vanished { path: shown },
            // A share that hangs up answers with all sorts of errors (stale handle, host down): it is away all the same.
            _ if disk::trouble(&error) == disk::Trouble::Other => InboxError::Vanished { path: shown },
            _ => InboxError::of(&shown, error),
        })
    }
}

/// Something found, settled or not.
struct Found {
    entry: Entry,
    wait_ns: i64,
    /// The dropped folder with which it settles.
    unit: Option<String>,
}

/// What is known of the folder that is being read.
#[derive(Default)]
struct Around {
    path: String,
    hints: Hints,
    unit: Option<String>,
}

struct Looking<'a> {
    settings: &'a Settings,
    ignores: &'a rules::Ignores,
    sweep: Sweep<'a>,
    found: Vec<Found>,
    ignored: usize,
    problems: Vec<Problem>,
    left: usize,
}

impl Looking<'_> {
    fn folder(&mut self, folder: &OwnedFd, around: &Around, depth: usize) -> io::Result<()> {
        let names = disk::names(folder)?;
        let beside = kinds(folder, &names);
        for (name, (shown, stat)) in names.iter().zip(&beside) {
            let path = join(&around.path, &reference::encode(name));
            if self.ignores.ignored(&path) {
                self.ignored += 1;
                continue;
            }
            // Gone since the folder was read.
            let Some(stat) = stat else { continue };
            let Some(left) = self.left.checked_sub(1) else {
                let reason = format!("the inbox holds more than {} things: the rest waits", self.settings.entries_max);
                if self.problems.iter().all(|problem| problem.reason != reason) {
                    self.problem(path, &reason);
                }
                return Ok(());
            };
            self.left = left;
            match disk::file_type(stat) {
                FileType::RegularFile => self.file(folder, name, path, stat, around),
                FileType::Directory if depth >= TREE_DEPTH_MAX => {
                    self.problem(path, "too many folders deep: put it further up")
                }
                FileType::Directory => match disk::open_folder(folder, name) {
                    Ok(inner) => {
                        let page = rules::companion(shown, &views(&beside));
                        self.sub_folder(&inner, shown, path, page, around, depth);
                    }
                    Err(error) => self.problem(path, &format!("cannot be opened: {error}")),
                },
                FileType::Symlink => self.problem(path, "a link is not followed: put the file itself here"),
                _ => self.problem(path, "neither file nor folder: only those can be filed"),
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: &OwnedFd, name: &OsString, path: String, stat: &Stat, around: &Around) {
        if rustix::fs::accessat(folder, name, Access::READ_OK, AtFlags::empty()).is_err() {
            return self.problem(path, "may not be read: check its permissions");
        }
        let mut print = blake3::Hasher::new();
        note(&mut print, stat);
        let newest_ns = disk::modified_ns(stat).max(disk::changed_ns(stat));
        let look = Look { size_bytes: disk::size_bytes(stat), newest_ns, print: *print.finalize().as_bytes() };
        let wait_ns = self.sweep.wait_ns(&path, look);
        let hints = around.hints.clone();
        let entry = Entry {
            path,
            size_bytes: look.size_bytes,
            modified_ns: disk::modified_ns(stat),
            newest_ns,
            kind: Kind::File,
            hints,
        };
        self.found.push(Found { entry, wait_ns, unit: around.unit.clone() });
    }

    fn sub_folder(
        &mut self,
        folder: &OwnedFd,
        shown: &str,
        path: String,
        page: Option<&str>,
        around: &Around,
        depth: usize,
    ) {
        let is_hint = rules::is_hint(shown);
        let reason = match page {
            Some(page) => Some(format!("the files of the saved web page {page}")),
            // A folder that carries a number is a place to drop things into, whatever lies in it.
            None if is_hint => None,
            None => disk::names(folder).ok().and_then(|names| {
                let inner = kinds(folder, &names);
                rules::one_thing(shown, &views(&inner)).map(str::to_owned)
            }),
        };
        if let Some(reason) = reason {
            return self.one_thing(folder, path, reason, around);
        }
        let unit = around.unit.clone().or_else(|| (!is_hint).then(|| path.clone()));
        let hints = rules::hints(&path.split('/').map(reference::shown).collect::<Vec<_>>().join("/"));
        let inner = Around { path: path.clone(), hints, unit };
        if let Err(error) = self.folder(folder, &inner, depth + 1) {
            self.problem(path, &format!("cannot be read: {error}"));
        }
    }

    fn one_thing(&mut self, folder: &OwnedFd, path: String, reason: String, around: &Around) {
        let mut sum = Sum { print: blake3::Hasher::new(), size_bytes: 0, files: 0, modified_ns: 0, newest_ns: 0 };
        if let Err(error) = sum.folder(folder.as_fd(), 0, &mut self.left) {
            return self.problem(path, &format!("{reason} that cannot be taken: {error}"));
        }
        let look =
            Look { size_bytes: sum.size_bytes, newest_ns: sum.newest_ns, print: *sum.print.finalize().as_bytes() };
        let wait_ns = self.sweep.wait_ns(&path, look);
        let kind = Kind::Folder { reason, files: sum.files };
        let (size_bytes, modified_ns, hints) = (sum.size_bytes, sum.modified_ns, around.hints.clone());
        let entry = Entry { path, size_bytes, modified_ns, newest_ns: sum.newest_ns, kind, hints };
        self.found.push(Found { entry, wait_ns, unit: around.unit.clone() });
    }

    fn problem(&mut self, path: String, reason: &str) {
        self.problems.push(Problem { path, reason: reason.to_owned() });
    }
}

/// A whole folder in figures.
struct Sum {
    print: blake3::Hasher,
    size_bytes: u64,
    files: usize,
    modified_ns: i64,
    newest_ns: i64,
}

impl Sum {
    fn folder(&mut self, folder: BorrowedFd<'_>, depth: usize, left: &mut usize) -> io::Result<()> {
        if depth > TREE_DEPTH_MAX {
            return Err(io::Error::other("too many folders deep"));
        }
        for name in disk::names(folder)? {
            *left =
                left.checked_sub(1).ok_or_else(|| io::Error::other("it holds more things than one sweep looks at"))?;
            let stat = disk::stat(folder, &name)?;
            self.print.update(name.as_encoded_bytes());
            note(&mut self.print, &stat);
            self.newest_ns = self.newest_ns.max(disk::modified_ns(&stat)).max(disk::changed_ns(&stat));
            match disk::file_type(&stat) {
                FileType::Directory => self.folder(disk::open_folder(folder, &name)?.as_fd(), depth + 1, left)?,
                FileType::RegularFile => {
                    self.files += 1;
                    self.size_bytes = self.size_bytes.saturating_add(disk::size_bytes(&stat));
                    self.modified_ns = self.modified_ns.max(disk::modified_ns(&stat));
                }
                FileType::Symlink => self.files += 1,
                _ => return Err(io::Error::other("it holds a pipe, socket or device")),
            }
        }
        Ok(())
    }
}

/// What makes a look differ: inode, size and both times.
fn note(print: &mut blake3::Hasher, stat: &Stat) {
    print.update(&disk::FileId::of(stat).inode.to_le_bytes());
    print.update(&disk::size_bytes(stat).to_le_bytes());
    print.update(&disk::modified_ns(stat).to_le_bytes());
    print.update(&disk::changed_ns(stat).to_le_bytes());
}

/// Names as they can be shown, with what they are.
fn kinds(folder: &OwnedFd, names: &[OsString]) -> Vec<(String, Option<Stat>)> {
    names.iter().map(|name| (name.to_string_lossy().into_owned(), disk::stat(folder, name).ok())).collect()
}

fn views(names: &[(String, Option<Stat>)]) -> Vec<Name<'_>> {
    let is_folder =
        |stat: &Option<Stat>| stat.as_ref().is_some_and(|stat| disk::file_type(stat) == FileType::Directory);
    names.iter().map(|(name, stat)| Name { name, is_folder: is_folder(stat) }).collect()
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Parts what has settled from what has not, dropped folders as a whole, each in order of the paths.
fn sorted(found: Vec<Found>, ignored: usize, problems: Vec<Problem>) -> Listing {
    let mut units: BTreeMap<String, i64> = BTreeMap::new();
    for one in &found {
        if let Some(unit) = &one.unit {
            let wait_ns = units.entry(unit.clone()).or_default();
            *wait_ns = one.wait_ns.max(*wait_ns);
        }
    }
    let mut listing = Listing { ignored, problems, ..Listing::default() };
    for one in found {
        let wait_ns = one.unit.as_ref().and_then(|unit| units.get(unit)).copied().unwrap_or(0).max(one.wait_ns);
        if wait_ns == 0 {
            listing.items.push(one.entry);
        } else {
            let wait_seconds = u64::try_from(wait_ns).unwrap_or(0).div_ceil(1_000_000_000);
            let (path, size_bytes) = (one.entry.path, one.entry.size_bytes);
            listing.unstable.push(Unstable { path, size_bytes, wait_seconds });
        }
    }
    listing.items.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    listing.unstable.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    listing.problems.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    listing
}
