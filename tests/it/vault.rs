//! The vault folder: put-if-absent, durability's visible side, refusals, custody.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;

use emm::backends::vault::{Created, Folder, FolderSettings, NoReplace, Vault, VaultError};
use tempfile::TempDir;

pub(crate) fn vault(unnamed_files: bool) -> (TempDir, Folder) {
    let dir = TempDir::new().unwrap();
    let folder = Folder::open(dir.path(), FolderSettings { unnamed_files, ..FolderSettings::default() }).unwrap();
    (dir, folder)
}

/// Every name below a folder, hidden ones and temporaries too.
pub(crate) fn everything(dir: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        names.insert(entry.path().to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            names.extend(everything(&entry.path()));
        }
    }
    names
}

pub(crate) fn new(created: Result<Created, VaultError>) -> bool {
    matches!(created.unwrap(), Created::New { .. })
}

#[test]
fn hostile_names_are_kept_as_they_are() {
    for unnamed in [true, false] {
        let (_dir, folder) = vault(unnamed);
        let mut names: Vec<String> = [
            "Ticket#12.md",
            "[1].md",
            "two\nlines.md",
            "😀 emoji.md",
            "e\u{301}.md",
            "é.md",
            "שלום.md",
            "日本語/ноты/ü.md",
            "..hidden-not",
            "a b/c .md",
            "-rf",
            "%41.md",
            "back\\slash.md",
            "CON",
            "ends.",
            "\u{202e}fdp.exe",
        ]
        .map(str::to_owned)
        .into();
        names.push("x".repeat(255));
        names.push("я".repeat(127));
        names.push(format!("{}/deep.md", ["n"; 40].join("/")));
        for name in &names {
            assert!(new(folder.create(name, name.as_bytes(), "tag")), "{name:?}");
            assert_eq!(folder.read(name, 1000).unwrap(), name.as_bytes(), "{name:?}");
            assert_eq!(folder.hash(name).unwrap().0, blake3::hash(name.as_bytes()));
        }
        let mut shown: Vec<_> = names.iter().filter(|name| !name.starts_with('.')).cloned().collect();
        shown.sort_unstable();
        let listing = folder.list().unwrap();
        assert_eq!(listing.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), shown);
        assert!(listing.problems.is_empty());
    }
}

#[test]
fn paths_that_lead_out_or_are_too_long_are_refused() {
    let (dir, folder) = vault(true);
    for path in ["", "/etc/x", "../x", "a/../../x", "a/..", ".", "a/./b", "a//b", "a/", "nul\0.md"] {
        assert!(matches!(folder.create(path, b"x", "t"), Err(VaultError::Escapes { .. })), "{path:?}");
        assert!(matches!(folder.read(path, 9), Err(VaultError::Escapes { .. })), "{path:?}");
        assert!(matches!(folder.stat(path), Err(VaultError::Escapes { .. })), "{path:?}");
    }
    for path in ["x".repeat(256), format!("a/{}", "я".repeat(128)), vec!["n".repeat(200); 30].join("/")] {
        assert!(matches!(folder.create(&path, b"x", "t"), Err(VaultError::NameTooLong { .. })));
    }
    assert!(everything(dir.path()).is_empty());
}

#[test]
fn no_symlink_leads_out() {
    let (dir, folder) = vault(true);
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    symlink(outside.path(), dir.path().join("out")).unwrap();
    symlink("../../../../../../etc", dir.path().join("up")).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("secret.md")).unwrap();
    symlink(outside.path().join("not-yet"), dir.path().join("dangling.md")).unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    symlink("real", dir.path().join("inside")).unwrap();

    for path in ["out/x.md", "out/new/x.md", "up/x.md"] {
        assert!(matches!(folder.create(path, b"x", "t"), Err(VaultError::Escapes { .. })), "{path}");
    }
    assert!(matches!(folder.read("secret.md", 9), Err(VaultError::Escapes { .. })));
    for path in ["secret.md", "dangling.md"] {
        assert!(matches!(folder.create(path, b"x", "t"), Err(VaultError::Exists { .. })), "{path}");
    }
    assert_eq!(everything(outside.path()).len(), 1);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"s");
    // A link that stays inside is the owner's way of ordering things.
    assert!(new(folder.create("inside/x.md", b"x", "t")));
    assert!(dir.path().join("real/x.md").exists());
    let problems: Vec<_> = folder.list().unwrap().problems.into_iter().map(|(path, _)| path).collect();
    assert_eq!(problems, ["dangling.md", "inside", "out", "secret.md", "up"]);
}

#[test]
fn eight_writers_have_one_winner() {
    for unnamed in [true, false] {
        let (dir, folder) = vault(unnamed);
        for round in 0..20 {
            let path = format!("new folder {round}/deeper/note.md");
            let barrier = Barrier::new(8);
            let results: Vec<_> = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..8)
                    .map(|writer| {
                        let (folder, path, barrier) = (folder.clone(), &path, &barrier);
                        scope.spawn(move || {
                            barrier.wait();
                            folder.create(path, format!("writer {writer}").as_bytes(), "same-item").unwrap()
                        })
                    })
                    .collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let winners: Vec<_> = (0..8).filter(|at| matches!(results[*at], Created::New { .. })).collect();
            assert_eq!(winners.len(), 1, "{results:?}");
            assert_eq!(folder.read(&path, 99).unwrap(), format!("writer {}", winners[0]).as_bytes());
            let lost = results.iter().filter(|result| **result == Created::Exists { same: false }).count();
            assert_eq!(lost, 7);
        }
        assert!(!everything(dir.path()).iter().any(|name| name.ends_with(".emm-tmp")));
    }
}

#[test]
fn what_is_there_is_compared_and_never_touched() {
    for unnamed in [true, false] {
        let (dir, folder) = vault(unnamed);
        assert!(new(folder.create("a/note.md", b"ours", "t")));
        assert_eq!(folder.create("a/note.md", b"ours", "t").unwrap(), Created::Exists { same: true });
        assert_eq!(folder.create("a/note.md", b"other", "t").unwrap(), Created::Exists { same: false });
        assert_eq!(folder.read("a/note.md", 9).unwrap(), b"ours");
        assert!(matches!(folder.create("a", b"x", "t"), Err(VaultError::Exists { .. })));
        assert!(matches!(folder.create("a/note.md/b.md", b"x", "t"), Err(VaultError::Exists { .. })));
        assert!(matches!(folder.read("a/note.md", 3), Err(VaultError::Io { .. })));
        assert!(matches!(folder.read("a/gone.md", 3), Err(VaultError::NotFound { .. })));
        assert_eq!(everything(dir.path()).len(), 2);
    }
}

#[test]
fn a_rename_never_takes_a_name() {
    let (_dir, folder) = vault(true);
    folder.create("a.md", b"a", "t").unwrap();
    folder.create("b/b.md", b"b", "t").unwrap();
    assert!(matches!(folder.rename("a.md", "b/b.md"), Err(VaultError::Exists { .. })));
    assert!(matches!(folder.rename("gone.md", "c.md"), Err(VaultError::NotFound { .. })));
    assert!(matches!(folder.rename("a.md", "../c.md"), Err(VaultError::Escapes { .. })));
    folder.rename("a.md", "new/c.md").unwrap();
    assert_eq!(folder.read("new/c.md", 9).unwrap(), b"a");
    assert_eq!(folder.read("b/b.md", 9).unwrap(), b"b");
}

#[test]
fn names_that_differ_only_in_case_are_found() {
    let key: fn(&str) -> String = |name| name.to_lowercase();
    let (dir, folder) = vault(true);
    assert_eq!(folder.taken("new", "ä.md", key).unwrap(), None);
    folder.create("new/Ä.md", b"x", "t").unwrap();
    assert_eq!(folder.taken("new", "ä.md", key).unwrap().as_deref(), Some("Ä.md"));
    // Names of our own making are known at once, and those of others too.
    for number in 0..50 {
        folder.create(&format!("new/Файл {number}.md"), b"x", "t").unwrap();
        let found = folder.taken("new", &format!("файл {number}.md"), key).unwrap();
        assert_eq!(found, Some(format!("Файл {number}.md")));
        fs::write(dir.path().join(format!("new/Foreign {number}")), "x").unwrap();
        let found = folder.taken("new", &format!("FOREIGN {number}"), key).unwrap();
        assert_eq!(found, Some(format!("Foreign {number}")));
    }
    fs::remove_file(dir.path().join("new/Ä.md")).unwrap();
    assert_eq!(folder.taken("new", "ä.md", key).unwrap(), None);
    // The same spelling is told before another.
    fs::write(dir.path().join("new/AB"), "x").unwrap();
    fs::write(dir.path().join("new/ab"), "x").unwrap();
    assert_eq!(folder.taken("new", "ab", key).unwrap().as_deref(), Some("ab"));
}

#[test]
fn only_named_temporaries_are_discarded() {
    let (dir, folder) = vault(false);
    for name in [".item-1.emm-tmp", ".item-1.3.emm-tmp", ".item-2.emm-tmp", ".item-11.emm-tmp", "item-1.emm-tmp"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    assert_eq!(folder.discard_temporaries("note.md", "item-1", &[]).unwrap().removed, 2);
    assert_eq!(folder.discard_temporaries("no/such/note.md", "item-1", &[]).unwrap().removed, 0);
    assert_eq!(everything(dir.path()).len(), 3);
    // A temporary that a crash left is no obstacle.
    assert!(new(folder.create("note.md", b"x", "item-2")));
    for tag in ["", "../x", "a/b", "ä"] {
        assert!(matches!(folder.create("other.md", b"x", tag), Err(VaultError::Io { .. })), "{tag:?}");
    }
}

#[test]
fn a_listing_is_sorted_and_leaves_out_what_obsidian_hides() {
    let (dir, folder) = vault(true);
    for name in
        ["b.md", "a/z.md", "a.md", "a b.md", ".obsidian/app.json", ".trash/x.md", "node_modules/x.js", ".git/HEAD"]
    {
        folder.create(name, b"12345", "t").unwrap();
    }
    use std::os::unix::ffi::OsStrExt;
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.md")), "x").unwrap();
    let listing = folder.list().unwrap();
    let names: Vec<_> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["a b.md", "a.md", "a/z.md", "b.md"]);
    assert!(listing.files.iter().all(|file| file.size_bytes == 5 && file.modified_ns > 1_600_000_000_000_000_000));
    assert_eq!(listing.problems.len(), 1);
    let stat = folder.stat("a/z.md").unwrap().unwrap();
    assert!(stat.size_bytes == 5 && !stat.is_folder);
    assert!(folder.stat("a").unwrap().unwrap().is_folder);
    assert_eq!(folder.stat("a.md/x").unwrap(), None);
}

#[test]
fn a_pipe_in_the_vault_is_refused_and_not_waited_for() {
    let (dir, folder) = vault(true);
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe.md")).status().unwrap().success());
    assert!(folder.open_file("pipe.md").is_err());
    assert!(matches!(folder.create("pipe.md", b"x", "t"), Err(VaultError::Exists { .. })));
}

#[test]
fn a_probe_tells_what_works() {
    let (dir, folder) = vault(true);
    let probe = folder.probe(Some(dir.path())).unwrap();
    assert_eq!(probe.same_device, Some(true));
    assert!(probe.free_bytes > 0 && probe.total_bytes >= probe.free_bytes);
    assert_eq!(folder.probe(Some(Path::new("/proc"))).unwrap().same_device, Some(false));
    let (_dir, named) = vault(false);
    assert_eq!(named.probe(None).unwrap().no_replace, NoReplace::Temporary);
    assert!(everything(dir.path()).is_empty());
}

#[tokio::test]
async fn the_vault_answers_off_the_runtime() {
    let dir = TempDir::new().unwrap();
    let vault = Vault::open_folder(dir.path(), FolderSettings::default()).await.unwrap();
    let notes = (0..40).map(|number| {
        let vault = vault.clone();
        tokio::spawn(async move { vault.create(&format!("a/{number}.md"), vec![b'x'; number], "t").await })
    });
    for note in notes.collect::<Vec<_>>() {
        assert!(new(note.await.unwrap()));
    }
    assert_eq!(vault.list().await.unwrap().files.len(), 40);
    assert!(vault.exists("a/39.md").await.unwrap() && !vault.exists("a/40.md").await.unwrap());
    assert!(matches!(vault.open("../x").await, Err(VaultError::Escapes { .. })));
}
