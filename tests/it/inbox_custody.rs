//! The inbox: how things leave it for the trash and come back, and what wakes the sweep.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use emm::backends::inbox::{
    Folder as Inbox, InboxError, Settings, TRASH_FOLDER, TrashPlace, UNDONE, Wake, WatchMode, decode, expire,
    trash_name,
};
use tempfile::TempDir;

use crate::inbox::{DAY, after, at_once, entry, inbox, paths, put};

#[test]
fn hostile_names_are_taken_and_come_back() {
    let (dir, inbox) = inbox(at_once());
    let trash = dir.path().join("trash");
    let mut names: Vec<Vec<u8>> = [
        "Ticket#12",
        "[1].pdf",
        "two\nlines.pdf",
        "😀.pdf",
        "e\u{301}.pdf",
        "שלום.pdf",
        "%FF.pdf",
        "..pdf",
        "-rf",
        "CON",
        " ",
        "\u{202e}fdp.exe",
        "*?.pdf",
    ]
    .map(|name| name.as_bytes().to_vec())
    .into();
    names.push(b"caf\xe9 \xff.pdf".to_vec());
    names.push(vec![b'x'; 255]);
    names.push([&[b'y'; 251], &b".pdf"[..]].concat());
    names.push("я".repeat(127).into_bytes());
    for name in &names {
        fs::write(inbox.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let listing = inbox.list(SystemTime::now()).unwrap();
    assert_eq!((listing.items.len(), listing.problems.len()), (names.len(), 0));
    for entry in &listing.items {
        let hashed = inbox.hash(entry).unwrap();
        let trashed = inbox.take_to_trash(&entry.path, &hashed.hash, &trash, DAY, "0123abcd").unwrap();
        assert_eq!(trashed.place, TrashPlace::Store);
        assert!(!inbox.exists(&entry.path).unwrap());
        assert_eq!(inbox.restore(&trashed, &trash, &entry.path).unwrap(), entry.path);
        assert_eq!(fs::read(inbox.path().join(decode(&entry.path))).unwrap(), decode(&entry.path).as_bytes());
    }
    assert_eq!(fs::read_dir(trash.join(DAY)).unwrap().count(), 0);
    assert_eq!(trash_name("id", OsStr::new(&format!("{}.pdf", "я".repeat(126))), 1).unwrap().len(), 3 + 2 * 124 + 4);
    assert!(trash_name("../id", OsStr::new("x"), 1).is_err());
}

#[test]
fn a_file_replaced_between_hashing_and_taking_stays() {
    let (dir, inbox) = inbox(at_once());
    let trash = dir.path().join("trash");
    put(&inbox, "in/a.pdf", "hashed");
    let listed = entry(&inbox, "in/a.pdf");
    let hashed = inbox.hash(&listed).unwrap();
    put(&inbox, "in/a.pdf", "newer!");
    let changed = inbox.take_to_trash("in/a.pdf", &hashed.hash, &trash, DAY, "id").unwrap_err();
    assert!(matches!(&changed, InboxError::Changed { now, .. } if now == "in/a.pdf"), "{changed}");
    assert_eq!(fs::read(inbox.path().join("in/a.pdf")).unwrap(), b"newer!");
    assert_eq!(fs::read_dir(trash.join(DAY)).unwrap().count(), 0);
    // Hashing notices what differs from the listing.
    put(&inbox, "in/a.pdf", "longer than before");
    assert!(matches!(inbox.hash(&listed), Err(InboxError::Changed { .. })));
    fs::remove_file(inbox.path().join("in/a.pdf")).unwrap();
    symlink("/etc/hostname", inbox.path().join("in/a.pdf")).unwrap();
    assert!(inbox.take_to_trash("in/a.pdf", &hashed.hash, &trash, DAY, "id").is_err());
    assert!(inbox.path().join("in/a.pdf").is_symlink());
    fs::remove_file(inbox.path().join("in/a.pdf")).unwrap();
    let gone = inbox.take_to_trash("in/a.pdf", &hashed.hash, &trash, DAY, "id");
    assert!(matches!(gone, Err(InboxError::NotFound { .. })));
    assert!(matches!(inbox.take_to_trash("x", &hashed.hash, &trash, "../x", "id"), Err(InboxError::Io { .. })));
}

#[test]
fn the_same_bytes_again_lie_beside_each_other_in_the_trash() {
    let (dir, inbox) = inbox(at_once());
    let trash = dir.path().join("trash");
    let hash = blake3::hash(b"same");
    let mut places = Vec::new();
    for _ in 0..3 {
        put(&inbox, "a.pdf", "same");
        places.push(inbox.take_to_trash("a.pdf", &hash, &trash, DAY, "id").unwrap());
    }
    let names: Vec<_> = places.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(names, ["2024-05-01/id-a.pdf", "2024-05-01/id-2-a.pdf", "2024-05-01/id-3-a.pdf"]);
    assert_eq!(inbox.find_in_trash(&trash, DAY, "id").unwrap().len(), 3);
    assert_eq!(inbox.find_in_trash(&trash, DAY, "i").unwrap().len(), 0);
    let now: Vec<_> = places.iter().map(|place| inbox.restore(place, &trash, "new/a.pdf").unwrap()).collect();
    assert_eq!(now, ["new/a.pdf", "new/a (restored).pdf", "new/a (restored 2).pdf"]);
    assert!(matches!(inbox.restore(&places[0], &trash, "a.pdf"), Err(InboxError::NotFound { .. })));
    assert!(!inbox.remove_empty_folder("new").unwrap());
    fs::create_dir(inbox.path().join("11.02 Mine")).unwrap();
    fs::create_dir(inbox.path().join("empty")).unwrap();
    assert!(!inbox.remove_empty_folder("11.02 Mine").unwrap() && inbox.remove_empty_folder("empty").unwrap());
}

#[test]
fn a_trash_on_another_file_system_is_not_used() {
    let (dir, inbox) = inbox(at_once());
    let far = TempDir::new_in("/dev/shm").unwrap();
    put(&inbox, "a.pdf", "x");
    let trashed = inbox.take_to_trash("a.pdf", &blake3::hash(b"x"), far.path(), DAY, "id").unwrap();
    assert_eq!(trashed.place, TrashPlace::Inbox);
    assert!(inbox.path().join(TRASH_FOLDER).join(DAY).join("id-a.pdf").exists());
    assert_eq!(inbox.list(SystemTime::now()).unwrap().items, []);
    assert_eq!(inbox.restore(&trashed, far.path(), "a.pdf").unwrap(), "a.pdf");
    drop(dir);
}

#[test]
fn a_folder_that_is_one_thing_is_taken_whole() {
    let (dir, inbox) = inbox(at_once());
    let trash = dir.path().join("trash");
    put(&inbox, "repo/.git/HEAD", "ref");
    put(&inbox, "repo/a", "x");
    symlink("/etc", inbox.path().join("repo/link")).unwrap();
    let listed = entry(&inbox, "repo");
    let first = inbox.hash(&listed).unwrap();
    assert_eq!(first, inbox.hash(&listed).unwrap());
    // Each of these is another tree.
    let mut hashes = BTreeSet::from([*first.hash.as_bytes()]);
    let mut expect_new = |what: &str| assert!(hashes.insert(*inbox.hash(&listed).unwrap().hash.as_bytes()), "{what}");
    put(&inbox, "repo/a", "y");
    expect_new("content");
    fs::rename(inbox.path().join("repo/a"), inbox.path().join("repo/b")).unwrap();
    expect_new("name");
    fs::set_permissions(inbox.path().join("repo/b"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    expect_new("mode");
    fs::create_dir(inbox.path().join("repo/empty")).unwrap();
    expect_new("empty folder");
    fs::remove_file(inbox.path().join("repo/link")).unwrap();
    symlink("/usr", inbox.path().join("repo/link")).unwrap();
    expect_new("link");
    let refused = inbox.take_to_trash("repo", &first.hash, &trash, DAY, "id");
    assert!(matches!(refused, Err(InboxError::Changed { .. })), "{refused:?}");
    let now = inbox.hash(&listed).unwrap().hash;
    let trashed = inbox.take_to_trash("repo", &now, &trash, DAY, "id").unwrap();
    assert!(trash.join(DAY).join("id-repo/.git/HEAD").exists());
    assert_eq!(inbox.restore(&trashed, &trash, "repo").unwrap(), "repo");
}

#[test]
fn the_trash_expires_by_days() {
    let dir = TempDir::new().unwrap();
    for day in ["2024-02-28", "2024-02-29", "2024-03-01", "2023-12-31", "mine", "2024-13-01", "2024-2-1"] {
        fs::create_dir_all(dir.path().join(day).join("inner")).unwrap();
    }
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("x"), "x").unwrap();
    symlink(outside.path(), dir.path().join("2023-12-31/link")).unwrap();
    symlink(outside.path(), dir.path().join("2000-01-01")).unwrap();
    let days = |trash: &Path, today| expire(trash, today, 30).map(|expired| expired.days);
    assert_eq!(days(dir.path(), "2024-03-30").unwrap(), ["2023-12-31", "2024-02-28"]);
    assert_eq!(days(dir.path(), "2024-03-31").unwrap(), ["2024-02-29"]);
    assert_eq!(days(dir.path(), "2024-04-01").unwrap(), ["2024-03-01"]);
    assert_eq!(days(&dir.path().join("none"), "2024-04-01").unwrap(), Vec::<String>::new());
    assert!(expire(dir.path(), "yesterday", 30).is_err());
    assert!(outside.path().join("x").exists() && dir.path().join("mine").exists());
}

#[test]
fn what_was_written_after_it_was_taken_does_not_expire() {
    let (dir, inbox) = inbox(Settings { settle_seconds: 0, ..Settings::default() });
    let trash = dir.path().join("trash");
    let bytes: [(&str, &[u8]); 2] = [("a.txt", b"a letter"), ("b.txt", b"another")];
    let mut writers = Vec::new();
    for (name, bytes) in bytes {
        put(&inbox, name, std::str::from_utf8(bytes).unwrap());
        // Whoever writes it has it open all the time.
        writers.push(fs::OpenOptions::new().append(true).open(inbox.path().join(name)).unwrap());
        let hash = blake3::hash(bytes);
        let id = emm::domain::custody::emm_id(hash.to_hex().as_str());
        inbox.take_to_trash(name, &hash, &trash, "2024-01-01", &id).unwrap();
    }
    std::io::Write::write_all(&mut writers[0], b", and its end").unwrap();

    let expired = inbox.expire(&trash, "2024-06-01", 30).unwrap();
    assert!(expired.days.is_empty());
    let [kept] = expired.kept.as_slice() else { panic!("{expired:?}") };
    assert_eq!(fs::read(kept).unwrap(), b"a letter, and its end");
    assert_eq!(fs::read_dir(trash.join("2024-01-01")).unwrap().count(), 1, "the other one is gone");

    fs::remove_file(kept).unwrap();
    assert_eq!(inbox.expire(&trash, "2024-06-01", 30).unwrap().days, ["2024-01-01"]);
}

#[test]
fn what_was_taken_out_of_the_vault_again_expires_only_as_it_was() {
    let dir = TempDir::new().unwrap();
    let day = dir.path().join("2024-01-01");
    fs::create_dir(&day).unwrap();
    let named = |bytes: &[u8], name: &str| {
        let id = emm::domain::custody::emm_id(blake3::hash(bytes).to_hex().as_str());
        day.join(format!("{UNDONE}{id}-0-{name}"))
    };
    fs::write(named(b"a note", "note.md"), b"a note").unwrap();
    let edited = named(b"another", "edited.md");
    fs::write(&edited, b"another, and what its owner wrote into it just then").unwrap();
    let expired = expire(dir.path(), "2024-06-01", 30).unwrap();
    assert_eq!((expired.days, expired.kept), (Vec::new(), vec![edited]));
    assert_eq!(fs::read_dir(day).unwrap().count(), 1, "what is as it was is gone");
}

#[test]
fn a_vanished_inbox_is_told_and_remembered() {
    let (dir, inbox) = inbox(Settings { watch: WatchMode::Poll, ..Settings::default() });
    put(&inbox, "a.pdf", "x");
    inbox.list(after(0)).unwrap();
    let away = dir.path().join("away");
    fs::rename(inbox.path(), &away).unwrap();
    assert!(matches!(inbox.list(after(3)), Err(InboxError::Vanished { .. })));
    assert!(matches!(inbox.open("a.pdf"), Err(InboxError::Vanished { .. })));
    fs::rename(&away, inbox.path()).unwrap();
    assert_eq!(paths(&inbox.list(after(9)).unwrap()), ["a.pdf"]);
}

/// The next wake, within a limit that only a failing test reaches.
async fn wake(watch: &mut emm::backends::inbox::Watch) -> Wake {
    tokio::time::timeout(Duration::from_secs(30), watch.next()).await.expect("no wake in 30 s")
}

#[tokio::test]
async fn drops_wake_the_sweep_and_our_own_reads_do_not() {
    let settings = Settings { debounce_ms: 20, rescan_seconds: 3600, ..at_once() };
    let (dir, inbox) = inbox(settings);
    put(&inbox, "there.pdf", "x");
    let mut watch = inbox.watch();
    assert_eq!(wake(&mut watch).await, Wake::Returned);
    assert_eq!(watch.problem(), None);
    // A whole sweep of ours, then nothing.
    inbox.hash(&entry(&inbox, "there.pdf")).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), watch.next()).await.is_err());
    put(&inbox, "dropped.pdf", "x");
    assert_eq!(wake(&mut watch).await, Wake::Changed);
    put(&inbox, "new folder/inner/dropped.pdf", "x");
    assert_eq!(wake(&mut watch).await, Wake::Changed);
    fs::rename(inbox.path(), dir.path().join("away")).unwrap();
    while wake(&mut watch).await != Wake::Vanished {}
    fs::create_dir(inbox.path()).unwrap();
    assert_eq!(wake(&mut watch).await, Wake::Returned);
    put(&inbox, "again.pdf", "x");
    assert_eq!(wake(&mut watch).await, Wake::Changed);
}

#[tokio::test]
async fn a_poll_comes_by_itself_and_missing_inboxes_are_told_once() {
    let (dir, inbox) = inbox(Settings { watch: WatchMode::Poll, poll_seconds: 1, ..at_once() });
    let mut watch = inbox.watch();
    assert_eq!(wake(&mut watch).await, Wake::Returned);
    assert_eq!(wake(&mut watch).await, Wake::Period);
    fs::remove_dir(inbox.path()).unwrap();
    assert_eq!(wake(&mut watch).await, Wake::Vanished);
    assert!(tokio::time::timeout(Duration::from_millis(1500), watch.next()).await.is_err());
    fs::create_dir(inbox.path()).unwrap();
    assert_eq!(wake(&mut watch).await, Wake::Returned);
    let missing = Inbox::new(Path::new("/no/such/inbox"), at_once());
    assert_eq!(wake(&mut missing.watch()).await, Wake::Vanished);
    drop(dir);
}
