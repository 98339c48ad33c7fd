//! Whole folders in the vault: put in, taken out, refused, and killed at every step.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use emm::backends::disk;
use emm::backends::vault::{Created, Folder, FolderSettings, Removed, VaultError};
use tempfile::TempDir;

use crate::vault::{everything, new, vault};

const TAG: &str = "0123456789abcdef0123456789abcdef";
const OLD: Duration = Duration::from_secs(1_000_000_000);

/// A folder with all that a tree may hold. The link leads to `outside`, which nobody may touch.
fn thing(at: &Path, outside: &Path) -> PathBuf {
    let root = at.join("thing");
    fs::create_dir_all(root.join(".git/objects")).unwrap();
    fs::create_dir_all(root.join("empty/inside")).unwrap();
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(root.join("README.md"), "# A program\n").unwrap();
    fs::write(root.join("имя 😀\n.txt"), "two\nlines").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"not-\xff-utf8")), "").unwrap();
    fs::write(root.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("run.sh"), Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("read-only"), "as git keeps its objects").unwrap();
    fs::set_permissions(root.join("read-only"), Permissions::from_mode(0o444)).unwrap();
    fs::create_dir_all(outside).unwrap();
    fs::write(outside.join("precious"), "not ours").unwrap();
    symlink(outside, root.join("link")).unwrap();
    symlink("nowhere at all", root.join("dangling")).unwrap();
    let old = SystemTime::UNIX_EPOCH + OLD;
    File::open(root.join("README.md")).unwrap().set_modified(old).unwrap();
    root
}

fn hash(path: &Path) -> blake3::Hash {
    disk::tree(disk::open_root(path).unwrap(), 1000).unwrap().hash
}

fn put(folder: &Folder, path: &str, source: &Path, expected: &blake3::Hash) -> Result<Created, VaultError> {
    folder.create_tree(path, disk::open_root(source).unwrap(), expected, TAG)
}

#[test]
fn a_tree_is_put_in_whole() {
    let (dir, folder) = vault(true);
    let other = TempDir::new().unwrap();
    let source = thing(other.path(), &other.path().join("outside"));
    let expected = hash(&source);
    assert!(new(put(&folder, "attachments/a thing", &source, &expected)));
    let copy = dir.path().join("attachments/a thing");
    assert_eq!((hash(&copy), hash(&source)), (expected, expected));
    assert_eq!(folder.hash_tree("attachments/a thing").unwrap().0, expected);
    assert_eq!(fs::read_link(copy.join("link")).unwrap(), other.path().join("outside"));
    assert_eq!(fs::read_link(copy.join("dangling")).unwrap(), Path::new("nowhere at all"));
    assert!(copy.join("empty/inside").is_dir() && copy.join(".git/objects").is_dir());
    let mode = |name: &str| fs::metadata(copy.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("run.sh"), mode("read-only")), (0o755, 0o444));
    let time = fs::metadata(copy.join("README.md")).unwrap().modified().unwrap();
    assert_eq!(time.duration_since(SystemTime::UNIX_EPOCH).unwrap(), OLD);
    assert_eq!(fs::read_dir(dir.path().join("attachments")).unwrap().count(), 1, "no temporary stays");
}

#[test]
fn what_is_there_already_is_compared_and_left_alone() {
    let (dir, folder) = vault(true);
    let other = TempDir::new().unwrap();
    let source = thing(other.path(), &other.path().join("outside"));
    let expected = hash(&source);
    assert!(new(put(&folder, "thing", &source, &expected)));
    assert_eq!(put(&folder, "thing", &source, &expected).unwrap(), Created::Exists { same: true });
    fs::set_permissions(dir.path().join("thing/README.md"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(put(&folder, "thing", &source, &expected).unwrap(), Created::Exists { same: false });
    fs::write(dir.path().join("file"), "a file of the same name").unwrap();
    symlink(&source, dir.path().join("link")).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    for taken in ["file", "link", "empty"] {
        assert_eq!(put(&folder, taken, &source, &expected).unwrap(), Created::Exists { same: false }, "{taken}");
        assert!(taken == "empty" || matches!(folder.hash_tree(taken), Err(VaultError::Exists { .. })), "{taken}");
    }
    assert!(matches!(folder.hash_tree("nothing"), Err(VaultError::NotFound { .. })));
    let outside = put(&folder, "../thing", &source, &expected);
    assert!(matches!(outside, Err(VaultError::Escapes { .. })), "{outside:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn what_changed_or_cannot_be_copied_leaves_nothing() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("a file", |root| fs::write(root.join("README.md"), "# A programme\n").unwrap()),
        ("a file more", |root| fs::write(root.join("empty/new"), "").unwrap()),
        ("a right", |root| fs::set_permissions(root.join("run.sh"), Permissions::from_mode(0o644)).unwrap()),
        ("a link", |root| {
            fs::remove_file(root.join("dangling")).unwrap();
            symlink("elsewhere", root.join("dangling")).unwrap();
        }),
        ("an empty folder", |root| fs::remove_dir(root.join("empty/inside")).unwrap()),
        ("a link for a file", |root| {
            fs::rename(root.join("README.md"), root.join("../README.md")).unwrap();
            symlink("../README.md", root.join("README.md")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let (dir, folder) = vault(true);
        let other = TempDir::new().unwrap();
        let source = thing(other.path(), &other.path().join("outside"));
        let expected = hash(&source);
        change(&source);
        let refused = put(&folder, "thing", &source, &expected);
        assert!(matches!(refused, Err(VaultError::Changed { .. })), "{what}: {refused:?}");
        assert!(everything(dir.path()).is_empty(), "{what}: {:?}", everything(dir.path()));
    }
    let limits: [(&str, Change); 3] = [
        ("a pipe", |root| assert!(Command::new("mkfifo").arg(root.join("zz pipe")).status().unwrap().success())),
        ("too deep", |root| fs::create_dir_all(root.join("d/".repeat(70))).unwrap()),
        ("too many", |root| (0..60).for_each(|number| fs::write(root.join(format!("z{number}")), "").unwrap())),
    ];
    for (what, change) in limits {
        let dir = TempDir::new().unwrap();
        let settings = FolderSettings { listed_files_max: 50, ..FolderSettings::default() };
        let folder = Folder::open(dir.path(), settings).unwrap();
        let other = TempDir::new().unwrap();
        let source = thing(other.path(), &other.path().join("outside"));
        let expected = hash(&source);
        change(&source);
        let refused = put(&folder, "thing", &source, &expected);
        assert!(matches!(refused, Err(VaultError::Io { .. })), "{what}: {refused:?}");
        assert!(everything(dir.path()).is_empty(), "{what}: {:?}", everything(dir.path()));
    }
}

#[test]
fn only_temporaries_of_the_tag_are_discarded() {
    let (dir, folder) = vault(true);
    let other = TempDir::new().unwrap();
    let outside = other.path().join("outside");
    let in_vault = |name: &str| dir.path().join("a").join(name);
    fs::create_dir(in_vault("")).unwrap();
    let ours = hash(&thing(other.path(), &outside));
    let temporaries = ["", ".3", "-swap"].map(|which| format!(".{TAG}{which}.emm-tmp"));
    for name in temporaries.iter().map(String::as_str).chain([".another.emm-tmp"]) {
        fs::rename(thing(&in_vault(""), &outside), in_vault(name)).unwrap();
    }
    thing(&in_vault(""), &outside);
    let edited = in_vault(&format!(".{TAG}-swap.1.emm-tmp"));
    fs::create_dir(&edited).unwrap();
    fs::write(edited.join("edit"), "the owner's edit").unwrap();
    let discarded = folder.discard_temporaries("a/thing", TAG, &[ours]).unwrap();
    assert_eq!((discarded.removed, discarded.rescued), (3, vec!["a/thing (restored)".to_owned()]));
    let mut left: Vec<_> =
        fs::read_dir(in_vault("")).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, [".another.emm-tmp", "thing", "thing (restored)"]);
    assert_eq!(fs::read(in_vault("thing (restored)/edit")).unwrap(), b"the owner's edit");
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"not ours", "a link was followed");
}

#[test]
fn a_tree_goes_to_the_trash_on_any_file_system() {
    for beside in [std::env::temp_dir(), "/dev/shm".into()] {
        let (dir, folder) = vault(true);
        let beside = TempDir::new_in(&beside).unwrap();
        let outside = beside.path().join("outside");
        let trash = beside.path().join("trash/2024-05-01");
        let expected = hash(&thing(dir.path(), &outside));
        assert_eq!(folder.remove_tree_to("thing", &expected, &trash, "id-thing", TAG).unwrap(), Removed::Moved);
        assert_eq!(hash(&trash.join("id-thing")), expected);
        assert_eq!(fs::metadata(trash.join("id-thing/run.sh")).unwrap().mode() & 0o777, 0o755);
        assert!(everything(dir.path()).is_empty(), "{:?}", everything(dir.path()));

        let source = thing(dir.path(), &outside);
        let taken = folder.remove_tree_to("thing", &expected, &trash, "id-thing", TAG);
        assert!(matches!(taken, Err(VaultError::Exists { .. })), "{taken:?}");
        fs::write(source.join("README.md"), "edited").unwrap();
        let changed = folder.remove_tree_to("thing", &expected, &trash, "id-2", TAG).unwrap();
        assert_eq!(changed, Removed::Changed { path: "thing".into() });
        assert_eq!(fs::read(source.join("README.md")).unwrap(), b"edited");
        assert_eq!(fs::read_dir(&trash).unwrap().count(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::read(outside.join("precious")).unwrap(), b"not ours");
        let gone = folder.remove_tree_to("gone", &expected, &trash, "id-3", TAG);
        assert!(matches!(gone, Err(VaultError::NotFound { .. })), "{gone:?}");
    }
}

#[test]
fn a_repository_inside_the_vault_is_not_listed_and_the_vault_may_be_one() {
    let (dir, folder) = vault(true);
    for path in [".git/HEAD", "note.md", "code/repo/.git/HEAD", "code/repo/README.md", "code/note.md", "tree/.git"] {
        crate::world::write(&dir.path().join(path), b"x");
    }
    crate::world::write(&dir.path().join("tree/inner/README.md"), b"a work tree whose .git is a file");
    let paths: Vec<_> = folder.list().unwrap().files.into_iter().map(|file| file.path).collect();
    assert_eq!(paths, ["code/note.md", "note.md"]);
}

/// Runs the ignored test `child` under a shell line, in a room of its own.
fn child(work: &str, room: &Path, shell: &str, fault: usize) -> Output {
    Command::new("sh")
        .args(["-c", &format!(r#"{shell} exec "$0" --exact vault_trees::child_in_a_room --ignored --nocapture"#)])
        .arg(std::env::current_exe().unwrap())
        .env("EMM_TEST_ROOM", room)
        .env("EMM_TEST_WORK", work)
        .env("EMM_FAULT_AT", fault.to_string())
        .output()
        .unwrap()
}

#[test]
#[ignore = "run by the tests below in a process of its own"]
fn child_in_a_room() {
    let Ok(room) = std::env::var("EMM_TEST_ROOM") else { return };
    let room = Path::new(&room);
    let folder = Folder::open(&room.join("vault"), FolderSettings::default()).unwrap();
    let expected = blake3::Hash::from_hex(fs::read(room.join("hash")).unwrap()).unwrap();
    match std::env::var("EMM_TEST_WORK").unwrap().as_str() {
        "put" => drop(put(&folder, "a/thing", &room.join("thing"), &expected).unwrap()),
        "full" => {
            let full = put(&folder, "a/thing", &room.join("thing"), &expected);
            assert!(matches!(full, Err(VaultError::Full { .. })), "{full:?}");
        }
        work => {
            let trash = fs::read_link(room.join("trash")).unwrap();
            let removed = folder.remove_tree_to("a/thing", &expected, &trash, "id-thing", TAG).unwrap();
            assert_eq!((work, removed), ("out", Removed::Moved));
        }
    }
}

/// A room with a thing, an empty vault and a trash, which may be on another file system.
fn room(trash: &Path) -> (TempDir, blake3::Hash) {
    let room = TempDir::new().unwrap();
    let expected = hash(&thing(room.path(), &room.path().join("outside")));
    fs::create_dir_all(room.path().join("vault/a")).unwrap();
    fs::write(room.path().join("hash"), expected.to_hex().as_str()).unwrap();
    symlink(trash, room.path().join("trash")).unwrap();
    (room, expected)
}

#[test]
fn a_full_disk_leaves_nothing_of_a_tree() {
    let trash = TempDir::new().unwrap();
    let (room, _) = room(trash.path());
    fs::write(room.path().join("thing/README.md"), vec![7; 300_000]).unwrap();
    fs::write(room.path().join("hash"), hash(&room.path().join("thing")).to_hex().as_str()).unwrap();
    let output = child("full", room.path(), "trap '' XFSZ; ulimit -f 64;", 0);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(everything(&room.path().join("vault")).len(), 1, "only the folder above it");
}

#[test]
fn strace_shows_an_fsync_of_every_file_and_folder_before_the_name() {
    let trash = TempDir::new().unwrap();
    let (room, _) = room(trash.path());
    let log = room.path().join("strace.log");
    let strace = format!("exec strace -f -y -qq -e trace=fsync,renameat2 -o '{}'", log.display());
    let shell = format!(r#"{strace} "$0" --exact vault_trees::child_in_a_room --ignored;"#);
    let output = child("put", room.path(), &shell, 0);
    let log = fs::read_to_string(log).unwrap_or_else(|_| panic!("strace is needed: {output:?}"));
    let named = log.lines().position(|line| line.contains("renameat2(") && line.contains("RENAME_NOREPLACE"));
    let (before, after) = log.split_at(log.lines().take(named.unwrap()).map(|line| line.len() + 1).sum());
    let vault = fs::canonicalize(room.path().join("vault/a")).unwrap().display().to_string();
    let synced = |log: &str, path: &str| log.contains(&format!("<{vault}{path}>)"));
    for inner in ["", "/.git", "/.git/HEAD", "/.git/objects", "/empty", "/empty/inside", "/README.md", "/run.sh"] {
        assert!(synced(before, &format!("/.{TAG}.emm-tmp{inner}")), "no fsync of {inner:?} before the name:\n{log}");
    }
    assert!(synced(after, ""), "no fsync of the folder after the name:\n{log}");
}

/// Kills `work` at its first fault point, its second, and so on; `after` looks at each. Gives how many there were.
fn at_every_step(work: &str, trash: &Path, after: impl Fn(&TempDir, &blake3::Hash, &str)) -> usize {
    use std::os::unix::process::ExitStatusExt;
    for at in 1.. {
        for entry in fs::read_dir(trash).unwrap() {
            fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        let (room, expected) = room(trash);
        if work == "out" {
            let folder = Folder::open(&room.path().join("vault"), FolderSettings::default()).unwrap();
            assert!(new(put(&folder, "a/thing", &room.path().join("thing"), &expected)));
        }
        let output = child(work, room.path(), "", at);
        if output.status.signal() != Some(9) {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return at - 1;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let at = said.lines().find(|line| line.starts_with("fault ")).unwrap_or("an unnamed fault");
        after(&room, &expected, at);
        assert_eq!(fs::read(room.path().join("outside/precious")).unwrap(), b"not ours", "{at}");
    }
    unreachable!("the loop ends when no fault is hit")
}

#[test]
fn a_tree_killed_at_every_step_is_whole_or_not_there() {
    let trash = TempDir::new().unwrap();
    let injected = at_every_step("put", trash.path(), |room, expected, at| {
        let there = room.path().join("vault/a/thing");
        assert!(!there.exists() || hash(&there) == *expected, "{at}: a half tree has its name");
        let folder = Folder::open(&room.path().join("vault"), FolderSettings::default()).unwrap();
        folder.discard_temporaries("a/thing", TAG, &[*expected]).unwrap();
        let left: Vec<_> = fs::read_dir(room.path().join("vault/a")).unwrap().collect();
        assert_eq!(left.len(), usize::from(there.exists()), "{at}: {left:?}");
        put(&folder, "a/thing", &room.path().join("thing"), expected).unwrap();
        assert_eq!(hash(&there), *expected, "{at}");
        assert_eq!(hash(&room.path().join("thing")), *expected, "{at}: the source was touched");
    });
    assert!(injected >= 9, "only {injected} faults were injected");
}

#[test]
fn a_tree_on_its_way_out_is_whole_somewhere_at_every_step() {
    for (beside, least) in [(std::env::temp_dir(), 2), ("/dev/shm".into(), 15)] {
        let trash = TempDir::new_in(beside).unwrap();
        let injected = at_every_step("out", trash.path(), |room, expected, at| {
            let (there, trashed) = (room.path().join("vault/a/thing"), trash.path().join("id-thing"));
            let folder = Folder::open(&room.path().join("vault"), FolderSettings::default()).unwrap();
            let whole = |path: &Path| path.exists() && hash(path) == *expected;
            assert!(whole(&there) || whole(&trashed), "{at}: it is nowhere");
            let discarded = folder.discard_temporaries("a/thing", TAG, &[*expected]).unwrap();
            assert!(discarded.rescued.is_empty(), "{at}: {discarded:?}");
            assert!(whole(&there) || whole(&trashed), "{at}: recovery threw it away");
            let left = fs::read_dir(room.path().join("vault/a")).unwrap().count();
            assert_eq!(left, usize::from(there.exists()), "{at}");
            if there.exists() {
                // The service takes another name where the trash has one already.
                let removed = folder.remove_tree_to("a/thing", expected, trash.path(), "id-2-thing", TAG).unwrap();
                assert_eq!(removed, Removed::Moved, "{at}");
                assert!(whole(&trash.path().join("id-2-thing")), "{at}");
            }
        });
        assert!(injected >= least, "only {injected} faults were injected");
    }
}
