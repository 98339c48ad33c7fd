//! Files in a real bucket: the same promises as in a folder, on two servers and on what stands in for lakeFS.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek, Write},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use emm::backends::{
    disk,
    inbox::{self, Inbox, InboxError},
    objects::{Bucket, Removal, Removed as Gone, Settings},
    trash::Trash,
    vault::{Created, FolderSettings, Objects, OpenTree, Removed, Vault, VaultError},
};
use hyper::Method;

use crate::{
    lakefs::LakeFs,
    s3_proxy::{Fault, Plan, Proxy},
    s3_server::{S3Server, settings},
};

const TAG: &str = "0123456789abcdef0123456789abcdef";
const DAY: &str = "2026-03-01";

/// Both servers, and what stands in for lakeFS before one of them.
async fn servers(name: &str) -> Vec<(&'static str, Settings, Option<LakeFs>)> {
    let lake = LakeFs::start().await;
    vec![
        ("SeaweedFS", S3Server::seaweedfs().settings(name), None),
        ("moto", S3Server::moto().settings(name), None),
        ("lakeFS", lake.settings(&format!("main/{name}")), Some(lake)),
    ]
}

async fn open(settings: &Settings, spool: &Path) -> (Objects, Trash) {
    let bucket = Bucket::new(settings).unwrap().with_removal().await.unwrap();
    let trash = Trash::Bucket(bucket.below("trash"));
    (Objects::new(bucket.below("vault"), spool, FolderSettings::default()), trash)
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn key(name: &str) -> String {
    name.to_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_created_once_moved_and_taken_out_as_they_were_seen() {
    let spool = tempfile::tempdir().unwrap();
    for (server, settings, _lake) in servers("vault-files").await {
        let (objects, trash) = open(&settings, spool.path()).await;
        let vault = Vault::Objects(objects.clone());
        let (path, hash) = ("10-19 Life/11 Me/Grüße [1] #2 100%.md", blake3::hash(b"a note"));
        let created = vault.create(path, b"a note".to_vec(), TAG).await.unwrap();
        assert_eq!(created, Created::New { hash, size_bytes: 6 }, "{server}");
        assert_eq!(vault.create(path, b"a note".to_vec(), TAG).await.unwrap(), Created::Exists { same: true });
        assert_eq!(vault.create(path, b"another".to_vec(), TAG).await.unwrap(), Created::Exists { same: false });
        assert_eq!(vault.read(path, 6).await.unwrap(), b"a note", "{server}");
        assert!(matches!(vault.read(path, 5).await, Err(VaultError::Io { .. })), "{server}");
        let folder = "10-19 Life/11 Me";
        let taken = vault.taken(folder, "GRÜSSE [1] #2 100%.md", key).await.unwrap();
        assert_eq!(taken, None, "{server}: ß is not ss here");
        let taken = vault.taken(folder, "grüße [1] #2 100%.MD", key).await.unwrap();
        assert_eq!(taken.as_deref(), Some("Grüße [1] #2 100%.md"), "{server}");

        vault.create("other.md", b"other".to_vec(), TAG).await.unwrap();
        assert!(matches!(vault.rename(path, "other.md").await, Err(VaultError::Exists { .. })), "{server}");
        vault.rename(path, "12/b.md").await.unwrap();
        assert!(matches!(vault.rename(path, "12/c.md").await, Err(VaultError::NotFound { .. })), "{server}");
        assert_eq!(vault.taken(folder, "grüße [1] #2 100%.MD", key).await.unwrap(), None, "{server}: free again");
        assert!(vault.stat("12").await.unwrap().is_some_and(|stat| stat.is_folder), "{server}");
        let paths: Vec<_> = vault.list().await.unwrap().files.into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["12/b.md", "other.md"], "{server}");

        let at = |name: &'static str| (&trash, DAY, name);
        let changed = vault.remove_to("12/b.md", blake3::hash(b"else"), at("b.md"), TAG).await.unwrap();
        assert_eq!(changed, Removed::Changed { path: "12/b.md".into() }, "{server}");
        assert_eq!(vault.remove_to("12/b.md", hash, at("b.md"), TAG).await.unwrap(), Removed::Moved, "{server}");
        assert!(!vault.exists("12/b.md").await.unwrap(), "{server}");
        // The name is taken in the trash, by other bytes.
        let taken = vault.remove_to("other.md", blake3::hash(b"other"), at("b.md"), TAG).await;
        assert!(matches!(taken, Err(VaultError::Exists { .. })), "{server}: {taken:?}");
        assert!(vault.exists("other.md").await.unwrap(), "{server}");

        for (bad, long) in
            [("../x", false), ("/x", false), ("a//b", false), ("a\u{7}b", false), (&"x/".repeat(520)[..1039], true)]
        {
            let refused = vault.create(bad, vec![], TAG).await;
            let right = match long {
                true => matches!(refused, Err(VaultError::NameTooLong { .. })),
                false => matches!(refused, Err(VaultError::Escapes { .. })),
            };
            assert!(right, "{server}: {bad:?}: {refused:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_seen_is_taken_away() {
    for (server, settings, _lake) in servers("removal").await {
        let bucket = Bucket::new(&settings).unwrap().with_removal().await.unwrap();
        let wanted = if server == "lakeFS" { Removal::Looked } else { Removal::Conditional };
        assert_eq!(bucket.removal(), wanted, "{server}");
        assert!(bucket.list("probe", 10).await.unwrap().is_empty(), "{server}: the probe leaves something");
        bucket.create("note", b"one".to_vec()).await.unwrap();
        let seen = bucket.head("note").await.unwrap().unwrap();
        assert_eq!(bucket.remove("note", "another etag").await.unwrap(), Gone::Changed, "{server}");
        assert_eq!(bucket.get("note").await.unwrap(), b"one", "{server}");
        assert_eq!(bucket.remove("note", &seen.etag).await.unwrap(), Gone::Gone, "{server}");
        assert_eq!(bucket.remove("note", &seen.etag).await.unwrap(), Gone::Gone, "{server}: again");
        assert_eq!(bucket.head("note").await.unwrap(), None, "{server}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_busy_at_start_is_asked_again_what_it_can() {
    let server = S3Server::seaweedfs();
    let first = vec![Fault::Says(503, "SlowDown"), Fault::Says(409, "ConditionalRequestConflict")];
    let proxy =
        Proxy::before(server.port, Plan { method: Method::DELETE, part: "/gone", first, then: Fault::None }).await;
    let bucket = Bucket::new(&settings(proxy.port, "busy")).unwrap().with_removal().await.unwrap();
    assert_eq!((bucket.removal(), proxy.faults()), (Removal::Conditional, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_is_sure_whatever_becomes_of_the_answer() {
    let server = S3Server::seaweedfs();
    let conflict = Fault::Says(409, "ConditionalRequestConflict");
    let faults = [Fault::Says(503, "SlowDown"), conflict, Fault::AnswerLost, Fault::AnswerHangs];
    let both = [Removal::Conditional, Removal::Looked];
    let meetings = both.iter().flat_map(|removal| faults.iter().map(move |fault| (*removal, *fault)));
    for (at, (removal, fault)) in meetings.enumerate() {
        let direct = Bucket::new(&server.settings(&format!("sure/{at}"))).unwrap();
        direct.create("note", b"one".to_vec()).await.unwrap();
        let plan = Plan { method: Method::DELETE, part: "/note", first: vec![fault], then: Fault::None };
        let proxy = Proxy::before(server.port, plan).await;
        let mut through = settings(proxy.port, &format!("sure/{at}"));
        through.answer_ms_max = 1_000;
        let bucket = Bucket::new(&through).unwrap().with(removal);
        let seen = bucket.head("note").await.unwrap().unwrap();
        assert_eq!(bucket.remove("note", &seen.etag).await.unwrap(), Gone::Gone, "{removal:?} {fault:?}");
        assert_eq!((direct.head("note").await.unwrap(), proxy.faults()), (None, 1), "{removal:?} {fault:?}");
    }
}

/// Bytes that need several parts, the last one short.
fn large() -> Vec<u8> {
    let mut bytes = vec![0; 40 * 1024 * 1024 + 11];
    blake3::Hasher::new().update(b"large").finalize_xof().fill(&mut bytes);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_whole_or_not_there_and_has_one_winner() {
    let spool = tempfile::tempdir().unwrap();
    let (bytes, other) = (large(), large().into_iter().rev().collect::<Vec<u8>>());
    for (server, settings, _lake) in servers("large").await {
        let (objects, _) = open(&settings, spool.path()).await;
        let hash = blake3::hash(&bytes);
        let refused = objects.create_from_file("wrong.bin", file(&bytes), blake3::hash(b"else")).await;
        assert!(matches!(refused, Err(VaultError::Changed { .. })), "{server}: {refused:?}");
        assert!(objects.stat("wrong.bin").await.unwrap().is_none(), "{server}");
        let race = [&bytes, &other].map(|bytes| {
            let (objects, file, hash) = (objects.clone(), file(bytes), blake3::hash(bytes));
            tokio::spawn(async move { objects.create_from_file("race.bin", file, hash).await.unwrap() })
        });
        let mut outcomes = Vec::new();
        for one in race {
            outcomes.push(one.await.unwrap());
        }
        // moto looks, and then writes: it knows the condition, but not what a race is.
        if server != "moto" {
            let won: Vec<_> = outcomes.iter().filter(|it| matches!(it, Created::New { .. })).collect();
            assert_eq!(won.len(), 1, "{server}: {outcomes:?}");
            assert!(outcomes.contains(&Created::Exists { same: false }), "{server}: {outcomes:?}");
            let Created::New { hash: winner, .. } = won[0] else { panic!("filtered above") };
            assert_eq!(objects.hash("race.bin").await.unwrap(), (*winner, bytes.len() as u64), "{server}");
        }
        assert_eq!(
            objects.create_from_file("whole.bin", file(&bytes), hash).await.unwrap(),
            Created::New { hash, size_bytes: bytes.len() as u64 },
            "{server}"
        );
        let again = objects.create_from_file("whole.bin", file(&bytes), hash).await.unwrap();
        assert_eq!(again, Created::Exists { same: true }, "{server}");
        let late = objects.create_from_file("whole.bin", file(&other), blake3::hash(&other)).await.unwrap();
        assert_eq!(late, Created::Exists { same: false }, "{server}");
        assert_eq!(objects.hash("whole.bin").await.unwrap().0, hash, "{server}");
    }
}

fn thing(at: &Path) -> blake3::Hash {
    std::fs::create_dir_all(at.join("a/b")).unwrap();
    for (path, text) in [("a/b/two.txt", "two"), ("a/one.txt", "one"), ("a.txt", "beside"), ("empty", "")] {
        std::fs::write(at.join(path), text).unwrap();
    }
    disk::tree(disk::open_root(at).unwrap(), 100).unwrap().hash
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_one_thing_keeps_its_hash_and_goes_on_where_it_was_cut_off() {
    let (spool, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = thing(source.path());
    let tree = || OpenTree::from(disk::open_root(source.path()).unwrap());
    for (server, settings, _lake) in servers("trees").await {
        let (objects, trash) = open(&settings, spool.path()).await;
        // What a killed writer left of it.
        objects.create("things/it/a/one.txt", b"one").await.unwrap();
        let created = objects.create_tree("things/it", &tree(), expected).await.unwrap();
        assert_eq!(created, Created::New { hash: expected, size_bytes: 12 }, "{server}");
        assert_eq!(objects.hash_tree("things/it").await.unwrap(), (expected, 12), "{server}");
        let weights = objects.weights().await.unwrap();
        assert_eq!(weights[&12], ["things", "things/it"], "{server}: {weights:?}");
        assert!(!weights.contains_key(&11), "{server}: {weights:?}");
        assert_eq!(objects.create_tree("things/it", &tree(), expected).await.unwrap(), Created::Exists { same: true });
        let copy = objects.open_tree("things/it").await.unwrap();
        assert_eq!(disk::tree(&copy, 100).unwrap().hash, expected, "{server}");

        objects.create("things/other/a/one.txt", b"not one").await.unwrap();
        let taken = objects.create_tree("things/other", &tree(), expected).await.unwrap();
        assert_eq!(taken, Created::Exists { same: false }, "{server}");
        let wrong = objects.create_tree("things/new", &tree(), blake3::hash(b"x")).await;
        assert!(matches!(wrong, Err(VaultError::Changed { .. })), "{server}: {wrong:?}");
        assert!(matches!(objects.hash_tree("things/new").await, Err(VaultError::NotFound { .. })), "{server}");
        assert!(matches!(objects.hash_tree("things/it/a.txt").await, Err(VaultError::Exists { .. })), "{server}");

        let vault = Vault::Objects(objects.clone());
        // What a killed removal had taken already.
        let one = vault.remove_to("things/it/a.txt", blake3::hash(b"beside"), (&trash, DAY, "it/a.txt"), TAG).await;
        assert_eq!(one.unwrap(), Removed::Moved, "{server}");
        let taken = vault.remove_tree_to("things/it", expected, (&trash, DAY, "it"), TAG).await.unwrap();
        assert_eq!(taken, Removed::Moved, "{server}");
        assert!(!vault.exists("things/it").await.unwrap(), "{server}");
        let Trash::Bucket(bin) = &trash else { panic!("in the bucket") };
        let kept = Objects::new(bin.clone(), spool.path(), FolderSettings::default());
        assert_eq!(kept.hash_tree(&format!("{DAY}/it")).await.unwrap().0, expected, "{server}");
        let edited = vault.remove_tree_to("things/other", expected, (&trash, DAY, "other"), TAG).await.unwrap();
        assert!(matches!(edited, Removed::Changed { .. }), "{server}");
    }
    // What a bucket cannot keep is refused, not changed.
    std::os::unix::fs::symlink("a.txt", source.path().join("link")).unwrap();
    let with_link = disk::tree(disk::open_root(source.path()).unwrap(), 100).unwrap().hash;
    let (objects, _) = open(&S3Server::seaweedfs().settings("trees-links"), spool.path()).await;
    let refused = objects.create_tree("it", &tree(), with_link).await.unwrap_err();
    assert!(refused.to_string().contains("pack it into an archive"), "{refused}");
    assert!(objects.stat("it").await.unwrap().is_none());
}

fn at_once() -> inbox::Settings {
    inbox::Settings { settle_seconds: 0, ..inbox::Settings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_in_a_bucket_is_listed_taken_and_restored() {
    let spool = tempfile::tempdir().unwrap();
    for (server, settings, _lake) in servers("inbox").await {
        let bucket = Bucket::new(&settings).unwrap().with_removal().await.unwrap();
        let (files, trash) = (bucket.below("in"), Trash::Bucket(bucket.below("trash")));
        let inbox = Inbox::Objects(Arc::new(inbox::Objects::new(files.clone(), spool.path(), at_once())));
        let drops: BTreeMap<&str, &[u8]> = [
            ("12 Home/lease 100%25.txt", b"a lease".as_slice()),
            ("12 Home/empty.txt", b""),
            ("repo/.git/HEAD", b"ref: refs/heads/main\n"),
            ("repo/README.md", b"# A program\n"),
            ("~$lock.docx", b"left alone"),
        ]
        .into();
        for (path, bytes) in &drops {
            files.create(path, bytes.to_vec()).await.unwrap();
        }
        let listing = inbox.list(SystemTime::now()).await.unwrap();
        let found: Vec<_> = listing.items.iter().map(|item| item.path.as_str()).collect();
        assert_eq!(found, ["12 Home/empty.txt", "12 Home/lease 100%2525.txt", "repo"], "{server}");
        assert_eq!((listing.ignored, listing.problems.len()), (1, 0), "{server}");
        let lease = &listing.items[1];
        assert_eq!(lease.hints.category.as_deref(), Some("12"), "{server}");
        let hashed = inbox.hash(lease).await.unwrap();
        assert_eq!((hashed.hash, hashed.size_bytes), (blake3::hash(b"a lease"), 7), "{server}");
        let repo = inbox.hash(&listing.items[2]).await.unwrap();

        // Replaced since it was listed.
        let etag = files.head("12 Home/lease 100%25.txt").await.unwrap().unwrap().etag;
        files.remove("12 Home/lease 100%25.txt", &etag).await.unwrap();
        files.create("12 Home/lease 100%25.txt", b"a longer lease".to_vec()).await.unwrap();
        assert!(matches!(inbox.hash(lease).await, Err(InboxError::Changed { .. })), "{server}");
        let day = (&trash, DAY);
        let changed = inbox.take_to_trash(&lease.path, hashed.hash, day, TAG).await;
        assert!(matches!(changed, Err(InboxError::Changed { .. })), "{server}: {changed:?}");
        assert!(inbox.exists(&lease.path).await.unwrap(), "{server}");

        let now = blake3::hash(b"a longer lease");
        let trashed = inbox.take_to_trash(&lease.path, now, day, TAG).await.unwrap();
        assert!(!inbox.exists(&lease.path).await.unwrap(), "{server}");
        let gone = inbox.take_to_trash(&lease.path, now, day, TAG).await;
        assert!(matches!(gone, Err(InboxError::NotFound { .. })), "{server}: {gone:?}");
        assert_eq!(inbox.hash_trashed(&trashed, &trash).await, Some(now), "{server}");
        let found = inbox.find_in_trash(&trash, DAY, TAG).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&trashed), "{server}");
        assert_eq!(inbox.find_in_trash(&trash, DAY, "0123").await.unwrap(), [], "{server}");

        // Something else has its name when it comes back.
        files.create("12 Home/lease 100%25.txt", b"new".to_vec()).await.unwrap();
        let back = inbox.restore(&trashed, &trash, &lease.path).await.unwrap();
        assert_eq!(back, "12 Home/lease 100%2525 (restored).txt", "{server}");
        assert_eq!(inbox.hash_now(&back, false).await.unwrap().hash, now, "{server}");
        assert_eq!(inbox.find_in_trash(&trash, DAY, TAG).await.unwrap(), [], "{server}");

        let whole = inbox.take_to_trash("repo", repo.hash, day, TAG).await.unwrap();
        assert!(!inbox.exists("repo").await.unwrap(), "{server}");
        assert_eq!(inbox.restore(&whole, &trash, "repo").await.unwrap(), "repo", "{server}");
        assert_eq!(inbox.hash_now("repo", true).await.unwrap().hash, repo.hash, "{server}");

        inbox.take_to_trash("repo", repo.hash, day, TAG).await.unwrap();
        assert!(!inbox.has_days_before(&trash, DAY).await, "{server}");
        assert!(inbox.has_days_before(&trash, "2026-03-02").await, "{server}");
        assert!(inbox.expire(&trash, "2026-03-31", 30).await.unwrap().days.is_empty(), "{server}: not yet");
        assert_eq!(inbox.expire(&trash, "2026-04-01", 30).await.unwrap().days, [DAY], "{server}");
        assert_eq!(inbox.find_in_trash(&trash, DAY, TAG).await.unwrap(), [], "{server}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_still_in_a_bucket_has_settled_at_the_first_look() {
    let spool = tempfile::tempdir().unwrap();
    let bucket = Bucket::new(&S3Server::seaweedfs().settings("settle")).unwrap();
    bucket.create("12/letter.txt", b"a letter".to_vec()).await.unwrap();
    // As a command that is run once: it has no looks of its own to compare with.
    let look = async |after: Duration| {
        let settings = inbox::Settings { settle_seconds: 60, ..inbox::Settings::default() };
        let inbox = Inbox::Objects(Arc::new(inbox::Objects::new(bucket.clone(), spool.path(), settings)));
        let listing = inbox.list(SystemTime::now() + after).await.unwrap();
        (listing.items.len(), listing.unstable.len())
    };
    assert_eq!(look(Duration::ZERO).await, (0, 1));
    assert_eq!(look(Duration::from_secs(120)).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_away_loses_nothing_and_says_so() {
    let spool = tempfile::tempdir().unwrap();
    let mut away = settings(1, "away");
    (away.patience_ms, away.answer_ms_max) = (200, 200);
    let bucket = Bucket::new(&away).unwrap();
    let inbox = Inbox::Objects(Arc::new(inbox::Objects::new(bucket.clone(), spool.path(), at_once())));
    let failed = inbox.list(SystemTime::now()).await;
    assert!(matches!(failed, Err(InboxError::Io { .. })), "{failed:?}");
    assert!(inbox.exists("x").await.is_err(), "away is not gone");
    assert!(inbox.hash_now("x", false).await.is_err_and(|error| !matches!(error, InboxError::NotFound { .. })));
    let vault = Vault::Objects(Objects::new(bucket, spool.path(), FolderSettings::default()));
    assert!(matches!(vault.create("x", vec![1], TAG).await, Err(VaultError::Io { .. })));
    assert!(matches!(vault.hash("x").await, Err(VaultError::Io { .. })));
}
