//! The inbox: what is listed, when it has settled, and how it leaves without being lost.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, SystemTime};

use emm::backends::inbox::{Entry, Folder as Inbox, Kind, Listing, Settings, WatchMode, decode, encode};
use emm::domain::inbox::{Ignores, Name, hints, matches, one_thing};
use tempfile::TempDir;

pub(crate) const DAY: &str = "2024-05-01";

pub(crate) fn inbox(settings: Settings) -> (TempDir, Inbox) {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("UNSORTED")).unwrap();
    let inbox = Inbox::new(&dir.path().join("UNSORTED"), settings);
    (dir, inbox)
}

pub(crate) fn at_once() -> Settings {
    Settings { settle_seconds: 0, ..Settings::default() }
}

pub(crate) fn put(inbox: &Inbox, path: &str, content: &str) {
    let path = inbox.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn after(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

pub(crate) fn paths(listing: &Listing) -> Vec<&str> {
    listing.items.iter().map(|entry| entry.path.as_str()).collect()
}

fn waiting(listing: &Listing) -> Vec<&str> {
    listing.unstable.iter().map(|entry| entry.path.as_str()).collect()
}

pub(crate) fn entry(inbox: &Inbox, path: &str) -> Entry {
    inbox.list(SystemTime::now()).unwrap().items.into_iter().find(|entry| entry.path == path).unwrap()
}

#[test]
fn folders_hint_by_their_numbers() {
    let table = [
        ("", "", ""),
        ("11.02", "id 11.02", ""),
        ("11.02 Passport and ID", "id 11.02", "Passport and ID"),
        ("21", "category 21", ""),
        ("21 Деньги/налоги 2024", "category 21", "Деньги налоги"),
        ("10-19 Life admin", "area 10-19", "Life admin"),
        ("10-19 Life admin/11 Me/11.02 日本", "id 11.02", "Life admin Me 日本"),
        ("11.02/21", "category 21", ""),
        ("08 Zeros", "category 08", "Zeros"),
        ("100-109 Long/101.05 x", "id 101.05", "Long x"),
        ("11.63+ Extended", "id 11.63", "Extended"),
        ("2024", "", ""),
        ("2024-05-01 Trip", "", "Trip"),
        ("21-03-2024", "", ""),
        ("10.1", "", ""),
        ("11.123", "", ""),
        ("10-29 Wrong", "", "Wrong"),
        ("11-19 Wrong", "", "Wrong"),
        ("11Me", "", "11Me"),
        ("１１ wide digits", "", "wide digits"),
        ("e\u{301}te\u{301}", "", "e\u{301}te\u{301}"),
    ];
    for (folder, number, words) in table {
        let hints = hints(folder);
        let found = match (&hints.forced_id, &hints.category, &hints.area) {
            (Some(id), None, None) => format!("id {id}"),
            (None, Some(category), None) => format!("category {category}"),
            (None, None, Some(area)) => format!("area {area}"),
            (None, None, None) => String::new(),
            several => panic!("{several:?}"),
        };
        assert_eq!((found.as_str(), hints.words.join(" ").as_str()), (number, words), "{folder:?}");
    }
}

#[test]
fn a_folder_that_is_one_thing_is_known_by_its_names() {
    // Folder, names (a folder ends in a slash), what it is.
    let photos: Vec<String> = (0..8).map(|number| format!("IMG_{number}.JPG")).collect();
    let photos: Vec<&str> = photos.iter().map(String::as_str).collect();
    let mixed: Vec<&str> = photos.iter().copied().chain(["a.pdf", "b.pdf", "c.pdf"]).collect();
    let beside: Vec<&str> = photos.iter().copied().chain(["1.xmp", "2.xmp", "3.mov", "4.aae", "note.txt"]).collect();
    let table: Vec<(&str, Vec<&str>, Option<&str>)> = vec![
        ("x", vec![".git/", "README.md"], Some("a git repository")),
        ("x", vec!["Cargo.toml", "src/"], Some("a software project")),
        ("x", vec!["pyproject.toml"], Some("a software project")),
        ("x", vec!["package.json", "node_modules/"], Some("a software project")),
        ("Tool.app", vec!["Contents/"], Some("an application")),
        ("x", vec!["Setup.EXE", "data.cab"], Some("an application")),
        ("x", vec!["tool.exe", "lib.dll"], Some("an application")),
        ("x", vec!["VIDEO_TS/"], Some("a disc")),
        ("x", vec!["disk.vmdk", "machine.vmx"], Some("a virtual machine")),
        ("x", photos.clone(), Some("a set of photos")),
        ("x", beside, Some("a set of photos")),
        ("x", mixed, None),
        ("x", photos[..7].to_vec(), None),
        ("x", vec!["page.html", "page_files/"], Some("a saved web page")),
        ("x", vec!["page.html", "page_files/", "letter.pdf"], None),
        ("x", vec!["a.pdf", "b.docx", "inner/"], None),
        ("x", vec![], None),
    ];
    for (folder, names, expected) in table {
        let names: Vec<_> = names
            .iter()
            .map(|name| Name { name: name.trim_end_matches('/'), is_folder: name.ends_with('/') })
            .collect();
        assert_eq!(one_thing(folder, &names), expected, "{folder} {names:?}");
    }
}

#[test]
fn names_that_are_no_documents_are_ignored() {
    let ignored = [
        "a.part",
        "a.pdf.CRDOWNLOAD",
        "x.tmp",
        "~$letter.docx",
        ".~lock.letter.odt#",
        ".DS_Store",
        "thumbs.db",
        "desktop.ini",
        "._letter.pdf",
        ".stfolder",
        ".stversions",
        "@eaDir",
        "__MACOSX",
        ".emm-trash",
        ".syncthing.letter.pdf.tmp",
        ".id.emm-tmp",
        "in/a/folder/x.partial",
        ".nfs000000001a2b3c",
        "Icon\r",
    ];
    let defaults = Ignores::new(&[]);
    for name in ignored {
        assert!(defaults.ignored(name), "{name:?}");
    }
    for name in ["part", "a.partition", ".bashrc", "tmp", "letter~.docx", "$letter.docx", "Ticket#12", "party.pdf"] {
        assert!(!defaults.ignored(name), "{name:?}");
    }
    let own = Ignores::new(&["*.bak".to_owned(), "private/*".to_owned()]);
    assert!(own.ignored("x.BAK") && own.ignored("private/x.pdf") && !own.ignored("x/private.pdf"));
    assert!(matches("Ä*?Я", "äüя") && !matches("Ä*?Я", "äя") && matches("*a*b*", "xxaxxbxx") && !matches("", "a"));
    // Patterns that backtrack stay quick.
    assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
}

#[test]
fn references_lose_nothing() {
    let mut seen = BTreeSet::new();
    let alphabet = [b'%', b'2', b'5', b'F', b'8', 0xFF, 0xC3, 0xA4, b'a', b'\n'];
    // All names of up to five bytes of an alphabet that is hard on escapes.
    for length in 1..=5_u32 {
        for number in 0..alphabet.len().pow(length) {
            let name: Vec<u8> =
                (0..length).map(|at| alphabet[number / alphabet.len().pow(at) % alphabet.len()]).collect();
            let name = OsString::from_vec(name);
            let text = encode(&name);
            assert_eq!(decode(&text), name, "{text:?}");
            assert!(seen.insert(text));
        }
    }
    assert_eq!(encode(OsStr::new("100% Ürün.pdf")), "100% Ürün.pdf");
    assert_eq!(encode(OsStr::from_bytes(b"caf\xe9.pdf")), "caf%E9.pdf");
}

#[test]
fn a_file_settles_when_it_lies_still() {
    let (_dir, inbox) = inbox(Settings::default());
    put(&inbox, "a.pdf", "first");
    put(&inbox, "empty.txt", "");
    let first = inbox.list(SystemTime::now()).unwrap();
    assert_eq!((paths(&first), waiting(&first)), (vec![], vec!["a.pdf", "empty.txt"]));
    assert!((4..=5).contains(&first.unstable[0].wait_seconds) && first.unstable[1].wait_seconds > 50);
    // Its times say that nobody touched it for six seconds.
    let later = inbox.list(after(6)).unwrap();
    assert_eq!((paths(&later), waiting(&later)), (vec!["a.pdf"], vec!["empty.txt"]));
    assert_eq!(paths(&inbox.list(after(61)).unwrap()), ["a.pdf", "empty.txt"]);
    // Times can be set back, but not the time of the change itself.
    put(&inbox, "old.pdf", "x");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(inbox.path().join("old.pdf")).unwrap().set_modified(old).unwrap();
    assert!(waiting(&inbox.list(SystemTime::now()).unwrap()).contains(&"old.pdf"));
    // A clock that was set back delays, and breaks nothing.
    assert_eq!(paths(&inbox.list(old).unwrap()).len(), 0);
}

#[test]
fn over_a_network_only_our_own_looks_count() {
    let (_dir, inbox) = inbox(Settings { watch: WatchMode::Poll, ..Settings::default() });
    put(&inbox, "a.pdf", "first");
    let look = |seconds| inbox.list(after(seconds)).unwrap().items.len();
    assert_eq!(look(100), 0);
    assert_eq!(look(104), 0);
    put(&inbox, "a.pdf", "and more");
    assert_eq!(look(106), 0);
    assert_eq!(look(110), 0);
    assert_eq!(look(111), 1);
    // Gone and back: the wait begins anew.
    fs::remove_file(inbox.path().join("a.pdf")).unwrap();
    assert_eq!(look(112), 0);
    put(&inbox, "a.pdf", "and more");
    assert_eq!(look(113), 0);
}

#[test]
fn a_dropped_folder_settles_as_a_whole_and_a_numbered_one_does_not() {
    let (_dir, inbox) = inbox(Settings::default());
    for path in ["trip/a.pdf", "trip/inner/b.pdf", "21 Money/c.pdf", "21 Money/d.pdf", "21 Money/batch/e.pdf", "f.pdf"]
    {
        put(&inbox, path, path);
    }
    inbox.list(after(100)).unwrap();
    let future = after(99);
    for path in ["trip/inner/b.pdf", "21 Money/d.pdf"] {
        fs::File::options().write(true).open(inbox.path().join(path)).unwrap().set_modified(future).unwrap();
    }
    let listing = inbox.list(after(101)).unwrap();
    assert_eq!(paths(&listing), ["21 Money/batch/e.pdf", "21 Money/c.pdf", "f.pdf"]);
    assert_eq!(waiting(&listing), ["21 Money/d.pdf", "trip/a.pdf", "trip/inner/b.pdf"]);
}

#[test]
fn what_is_one_thing_stays_whole_and_the_rest_is_walked() {
    let (_dir, inbox) = inbox(at_once());
    for path in [
        "repo/.git/HEAD",
        "repo/src/main.rs",
        "Page.html",
        "Page_files/a.js",
        "Page_files/b.css",
        "Tool.app/Contents/x",
        "21 Money/.DS_Store",
        "21 Money/bill.pdf",
        "stuff/deep/letter.pdf",
        "stuff/x.part",
        "node_modules/x/index.js",
    ] {
        put(&inbox, path, "12345");
    }
    for number in 0..9 {
        put(&inbox, &format!("Rome/IMG_{number}.jpg"), "12345");
        put(&inbox, &format!("11.02 Photos/IMG_{number}.jpg"), "12345");
    }
    let listing = inbox.list(SystemTime::now()).unwrap();
    let things: Vec<_> = listing
        .items
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Folder { reason, files } => Some((entry.path.as_str(), reason.as_str(), *files, entry.size_bytes)),
            Kind::File => None,
        })
        .collect();
    assert_eq!(
        things,
        [
            ("Page_files", "the files of the saved web page Page.html", 2, 10),
            ("Rome", "a set of photos", 9, 45),
            ("Tool.app", "an application", 1, 5),
            ("node_modules", "a program's libraries", 1, 5),
            ("repo", "a git repository", 2, 10),
        ]
    );
    let files: Vec<_> =
        listing.items.iter().filter(|entry| entry.kind == Kind::File).map(|entry| &entry.path).collect();
    assert_eq!(files.len(), 12);
    assert!(
        ["21 Money/bill.pdf", "stuff/deep/letter.pdf", "Page.html"]
            .iter()
            .all(|path| files.iter().any(|file| file == path))
    );
    assert_eq!(entry(&inbox, "11.02 Photos/IMG_3.jpg").hints.forced_id.as_deref(), Some("11.02"));
    assert_eq!(entry(&inbox, "21 Money/bill.pdf").hints.category.as_deref(), Some("21"));
    assert_eq!(listing.ignored, 2);
    assert_eq!(listing.items.iter().map(|entry| &entry.path).collect::<BTreeSet<_>>().len(), 17);
}

#[test]
fn what_cannot_be_taken_is_told() {
    let (dir, inbox) = inbox(at_once());
    put(&inbox, "good.pdf", "x");
    fs::write(dir.path().join("outside"), "secret").unwrap();
    symlink(dir.path().join("outside"), inbox.path().join("link.pdf")).unwrap();
    symlink(dir.path(), inbox.path().join("folder link")).unwrap();
    symlink("folder loop", inbox.path().join("folder loop")).unwrap();
    assert!(Command::new("mkfifo").arg(inbox.path().join("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(inbox.path().join("socket")).unwrap();
    put(&inbox, "repo/.git/HEAD", "x");
    assert!(Command::new("mkfifo").arg(inbox.path().join("repo/pipe")).status().unwrap().success());
    let listing = inbox.list(SystemTime::now()).unwrap();
    assert_eq!(paths(&listing), ["good.pdf"]);
    let problems: Vec<_> = listing.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(problems, ["folder link", "folder loop", "link.pdf", "pipe", "repo", "socket"]);
    for path in ["link.pdf", "pipe", "socket", "folder link/outside", "../outside", "/etc/passwd", "", "a//b"] {
        assert!(inbox.open(path).is_err(), "{path:?}");
        let taken = inbox.take_to_trash(path, &blake3::hash(b"secret"), &dir.path().join("trash"), DAY, "id");
        assert!(taken.is_err(), "{path:?}");
    }
    assert_eq!(fs::read(dir.path().join("outside")).unwrap(), b"secret");
    assert!(inbox.path().join("pipe").exists() && inbox.path().join("socket").exists());
    // A limit is told, too.
    let small = Inbox::new(inbox.path(), Settings { entries_max: 3, ..at_once() });
    assert!(
        small.list(SystemTime::now()).unwrap().problems.iter().any(|problem| problem.reason.contains("more than 3"))
    );
}

#[test]
fn settings_refuse_unknown_keys() {
    let known: Settings = serde_json::from_str(r#"{"settle_seconds": 9, "watch": "poll"}"#).unwrap();
    assert_eq!((known.settle_seconds, known.watch, known.rescan_seconds), (9, WatchMode::Poll, 60));
    assert!(serde_json::from_str::<Settings>(r#"{"settle": 9}"#).is_err());
}
