//! One sweep over the inbox, be it a folder or the keys of a bucket.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::fs::{Access, AtFlags, FileType};

use super::settle::{Look, Settle, Sweep};
use super::{Entry, Folder, InboxError, Kind, Listing, Problem, Settings, Unstable, reference};
use crate::backends::disk::{self, TREE_DEPTH_MAX};
use crate::backends::objects::{Branch, Node};
use crate::domain::inbox::{self as rules, Hints, Name};

impl Folder {
    /// What lies in the inbox at the time `now`, in order of the paths.
    ///
    /// # Errors
    /// [`InboxError::Vanished`] when the inbox is not there; what was remembered of it stays.
    pub fn list(&self, now: SystemTime) -> Result<Listing, InboxError> {
        let root = self.root()?;
        look(&root, now, &self.settings, &self.ignores, &self.settle).map_err(|error| InboxError::of("", error))
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

/// A folder as a sweep sees it.
trait Shelf: Sized {
    /// The names in it, in order.
    fn names(&self) -> io::Result<Vec<OsString>>;
    /// What a name stands for.
    fn seen(&self, name: &OsStr) -> io::Result<Seen>;
    /// The folder of this name.
    fn inner(&self, name: &OsStr) -> io::Result<Self>;
    /// Whether the file of this name may be read.
    fn may_read(&self, name: &OsStr) -> bool;
}

/// What is known of a thing without opening it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: FileType,
    size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
    inode: u64,
}

impl Shelf for OwnedFd {
    fn names(&self) -> io::Result<Vec<OsString>> {
        disk::names(self)
    }

    fn seen(&self, name: &OsStr) -> io::Result<Seen> {
        let stat = disk::stat(self, name)?;
        Ok(Seen {
            kind: disk::file_type(&stat),
            size_bytes: disk::size_bytes(&stat),
            modified_ns: disk::modified_ns(&stat),
            changed_ns: disk::changed_ns(&stat),
            inode: disk::FileId::of(&stat).inode,
        })
    }

    fn inner(&self, name: &OsStr) -> io::Result<Self> {
        disk::open_folder(self, name)
    }

    fn may_read(&self, name: &OsStr) -> bool {
        rustix::fs::accessat(self, name, Access::READ_OK, AtFlags::empty()).is_ok()
    }
}

impl Shelf for &Branch {
    fn names(&self) -> io::Result<Vec<OsString>> {
        Ok(self.0.keys().map(OsString::from).collect())
    }

    fn seen(&self, name: &OsStr) -> io::Result<Seen> {
        let node = name.to_str().and_then(|name| self.0.get(name)).ok_or(io::ErrorKind::NotFound)?;
        let (kind, size_bytes, modified_ns) = match node {
            Node::Object(object) => (FileType::RegularFile, object.size_bytes, object.modified_ns),
            Node::Folder(_) => (FileType::Directory, 0, 0),
        };
        Ok(Seen { kind, size_bytes, modified_ns, changed_ns: modified_ns, inode: 0 })
    }

    fn inner(&self, name: &OsStr) -> io::Result<Self> {
        match name.to_str().and_then(|name| self.0.get(name)) {
            Some(Node::Folder(inner)) => Ok(inner),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn may_read(&self, _: &OsStr) -> bool {
        true
    }
}

/// The keys of an inbox in a bucket, looked at as [`Folder::list`] looks at a folder.
pub(super) fn look_at(
    root: &Branch,
    now: SystemTime,
    settings: &Settings,
    ignores: &rules::Ignores,
    settle: &Mutex<Settle>,
) -> io::Result<Listing> {
    look(&root, now, settings, ignores, settle)
}

/// One look at all that lies on a shelf and below.
fn look(
    root: &impl Shelf,
    now: SystemTime,
    settings: &Settings,
    ignores: &rules::Ignores,
    settle: &Mutex<Settle>,
) -> io::Result<Listing> {
    let now_ns = now.duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
    let mut settle = settle.lock();
    let sweep = settle.begin(settings, now_ns);
    let (found, problems) = (Vec::new(), Vec::new());
    let mut look = Looking { settings, ignores, sweep, found, ignored: 0, problems, left: settings.entries_max };
    match look.folder(root, &Around::default(), 0) {
        Ok(()) => {
            let Looking { sweep, found, ignored, problems, .. } = look;
            settle.end(sweep);
            Ok(sorted(found, ignored, problems))
        }
        Err(error) => {
            settle.abandon(look.sweep);
            Err(error)
        }
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
    fn folder(&mut self, folder: &impl Shelf, around: &Around, depth: usize) -> io::Result<()> {
        let names = folder.names()?;
        let beside = kinds(folder, &names);
        for (name, (shown, seen)) in names.iter().zip(&beside) {
            let path = join(&around.path, &reference::encode(name));
            if self.ignores.ignored(&path) {
                self.ignored += 1;
                continue;
            }
            // Gone since the folder was read.
            let Some(seen) = seen else { continue };
            let Some(left) = self.left.checked_sub(1) else {
                let reason = format!("the inbox holds more than {} things: the rest waits", self.settings.entries_max);
                if self.problems.iter().all(|problem| problem.reason != reason) {
                    self.problem(path, &reason);
                }
                return Ok(());
            };
            self.left = left;
            match seen.kind {
                FileType::RegularFile => self.file(folder, name, path, seen, around),
                FileType::Directory if depth >= TREE_DEPTH_MAX => {
                    self.problem(path, "too many folders deep: put it further up")
                }
                FileType::Directory => match folder.inner(name) {
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

    fn file(&mut self, folder: &impl Shelf, name: &OsStr, path: String, seen: &Seen, around: &Around) {
        if !folder.may_read(name) {
            return self.problem(path, "may not be read: check its permissions");
        }
        let mut print = blake3::Hasher::new();
        note(&mut print, seen);
        let newest_ns = seen.modified_ns.max(seen.changed_ns);
        let look = Look { size_bytes: seen.size_bytes, newest_ns, print: *print.finalize().as_bytes() };
        let wait_ns = self.sweep.wait_ns(&path, look);
        let hints = around.hints.clone();
        let entry = Entry {
            path,
            size_bytes: look.size_bytes,
            modified_ns: seen.modified_ns,
            newest_ns,
            kind: Kind::File,
            hints,
        };
        self.found.push(Found { entry, wait_ns, unit: around.unit.clone() });
    }

    fn sub_folder(
        &mut self,
        folder: &impl Shelf,
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
            None => folder.names().ok().and_then(|names| {
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

    fn one_thing(&mut self, folder: &impl Shelf, path: String, reason: String, around: &Around) {
        let mut sum = Sum { print: blake3::Hasher::new(), size_bytes: 0, files: 0, modified_ns: 0, newest_ns: 0 };
        if let Err(error) = sum.folder(folder, 0, &mut self.left) {
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
    fn folder(&mut self, folder: &impl Shelf, depth: usize, left: &mut usize) -> io::Result<()> {
        if depth > TREE_DEPTH_MAX {
            return Err(io::Error::other("too many folders deep"));
        }
        for name in folder.names()? {
            *left =
                left.checked_sub(1).ok_or_else(|| io::Error::other("it holds more things than one sweep looks at"))?;
            let seen = folder.seen(&name)?;
            self.print.update(name.as_encoded_bytes());
            note(&mut self.print, &seen);
            self.newest_ns = self.newest_ns.max(seen.modified_ns).max(seen.changed_ns);
            match seen.kind {
                FileType::Directory => self.folder(&folder.inner(&name)?, depth + 1, left)?,
                FileType::RegularFile => {
                    self.files += 1;
                    self.size_bytes = self.size_bytes.saturating_add(seen.size_bytes);
                    self.modified_ns = self.modified_ns.max(seen.modified_ns);
                }
                FileType::Symlink => self.files += 1,
                _ => return Err(io::Error::other("it holds a pipe, socket or device")),
            }
        }
        Ok(())
    }
}

/// What makes a look differ: inode, size and both times.
fn note(print: &mut blake3::Hasher, seen: &Seen) {
    print.update(&seen.inode.to_le_bytes());
    print.update(&seen.size_bytes.to_le_bytes());
    print.update(&seen.modified_ns.to_le_bytes());
    print.update(&seen.changed_ns.to_le_bytes());
}

/// Names as they can be shown, with what they are.
fn kinds(folder: &impl Shelf, names: &[OsString]) -> Vec<(String, Option<Seen>)> {
    names.iter().map(|name| (name.to_string_lossy().into_owned(), folder.seen(name).ok())).collect()
}

fn views(names: &[(String, Option<Seen>)]) -> Vec<Name<'_>> {
    let is_folder = |seen: &Option<Seen>| seen.is_some_and(|seen| seen.kind == FileType::Directory);
    names.iter().map(|(name, seen)| Name { name, is_folder: is_folder(seen) }).collect()
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
