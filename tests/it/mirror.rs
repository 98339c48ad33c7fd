//! A folder beside a vault in a bucket: the same after each pass, and nothing lost on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use emm::{
    backends::{
        objects::Bucket,
        trash::Trash,
        vault::{
            FolderSettings, Objects,
            mirror::{Mirror, MirrorError, Pass},
        },
    },
    domain::mirror::{Step, step},
};
use serde_json::Value;

use crate::{
    process::Place,
    s3_server::S3Server,
    world::{files, write},
};

const TODAY: &str = "2026-03-01";

#[test]
fn an_edit_outweighs_a_removal_and_two_edits_are_a_conflict() {
    let table = [
        (None, None, None, Step::Same),
        (Some(1), None, None, Step::Same),
        (Some(1), Some(1), Some(1), Step::Same),
        (Some(1), Some(2), Some(2), Step::Same),
        (None, Some(1), None, Step::Send),
        (Some(1), Some(2), Some(1), Step::Send),
        (Some(1), Some(2), None, Step::Send),
        (None, None, Some(1), Step::Fetch),
        (Some(1), Some(1), Some(2), Step::Fetch),
        (Some(1), None, Some(2), Step::Fetch),
        (Some(1), None, Some(1), Step::RemoveThere),
        (Some(1), Some(1), None, Step::RemoveHere),
        (None, Some(1), Some(2), Step::Conflict),
        (Some(1), Some(2), Some(3), Step::Conflict),
    ];
    for (before, here, there, expected) in table {
        assert_eq!(step(before.as_ref(), here.as_ref(), there.as_ref()), expected, "{before:?} {here:?} {there:?}");
    }
}

/// A vault in a bucket and a folder beside it.
struct Pair {
    root: tempfile::TempDir,
    bucket: Bucket,
    trash: Bucket,
}

impl Pair {
    async fn new(name: &str) -> Pair {
        let root = tempfile::tempdir().unwrap();
        let bucket = Bucket::new(&S3Server::seaweedfs().settings(name)).unwrap().with_removal().await.unwrap();
        Pair { root, trash: bucket.below("trash"), bucket: bucket.below("vault") }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("copy")
    }

    async fn open(&self) -> Result<Mirror, MirrorError> {
        let objects = Objects::new(self.bucket.clone(), self.root.path(), FolderSettings::default());
        Mirror::open(objects, Trash::Bucket(self.trash.clone()), &self.folder(), self.root.path()).await
    }

    /// A pass that may remove whatever there is.
    async fn pass(&self) -> Pass {
        let pass = self.open().await.unwrap().pass(TODAY, false, |_, _| true).await.unwrap();
        assert_eq!(pass.problems, [], "{pass:?}");
        pass
    }

    async fn put(&self, path: &str, text: &str) {
        if let Some(there) = self.bucket.head(path).await.unwrap() {
            self.bucket.remove(path, &there.etag).await.unwrap();
        }
        assert!(self.bucket.create(path, text.into()).await.unwrap());
    }

    async fn delete(&self, path: &str) {
        let there = self.bucket.head(path).await.unwrap().unwrap();
        self.bucket.remove(path, &there.etag).await.unwrap();
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.folder().join(path), text.as_bytes());
    }

    /// What the folder has, without what stays on its side.
    fn here(&self) -> BTreeMap<String, String> {
        let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8(bytes).unwrap());
        let ours = |path: &String| !path.starts_with(".trash/") && path != ".emm-vault";
        files(&self.folder()).into_iter().filter(|(path, _)| ours(path)).map(text).collect()
    }

    async fn below(bucket: &Bucket) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (key, _) in bucket.list("", 1_000).await.unwrap() {
            let text = String::from_utf8(bucket.get(&key).await.unwrap()).unwrap();
            found.insert(key, text);
        }
        found
    }

    async fn same(&self) -> BTreeMap<String, String> {
        let there = Pair::below(&self.bucket).await;
        assert_eq!(self.here(), there);
        there
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_on_one_side_comes_to_the_other() {
    let pair = Pair::new("mirror-one").await;
    pair.put("10-19 Life/11 Me/Grüße.md", "hello").await;
    pair.put(".obsidian/app.json", "{}").await;
    let first = pair.pass().await;
    assert_eq!(first.fetched, [".obsidian/app.json", "10-19 Life/11 Me/Grüße.md"]);
    pair.same().await;
    assert!(pair.pass().await.is_idle(), "nothing to do");

    pair.write("new.md", "mine");
    pair.write("10-19 Life/11 Me/Grüße.md", "hello again");
    pair.write(".obsidian/workspace.json", "only of this machine");
    pair.put("theirs.md", "filed").await;
    let second = pair.pass().await;
    assert_eq!(second.sent, ["10-19 Life/11 Me/Grüße.md", "new.md"]);
    assert_eq!(second.fetched, ["theirs.md"]);
    let there = Pair::below(&pair.bucket).await;
    assert_eq!(there["10-19 Life/11 Me/Grüße.md"], "hello again");
    assert!(!there.contains_key(".obsidian/workspace.json"));
    // What was replaced lies in the trash of the store.
    assert!(Pair::below(&pair.trash).await.values().any(|text| text == "hello"));

    fs::remove_file(pair.folder().join("new.md")).unwrap();
    pair.delete("10-19 Life/11 Me/Grüße.md").await;
    let third = pair.pass().await;
    assert_eq!(
        (third.removed_there, third.removed_here),
        (vec!["new.md".into()], vec!["10-19 Life/11 Me/Grüße.md".into()])
    );
    assert!(!pair.folder().join("10-19 Life").exists(), "a folder that became empty goes as well");
    assert_eq!(fs::read_to_string(pair.folder().join(".trash/Grüße.md")).unwrap(), "hello again");
    assert!(Pair::below(&pair.trash).await.values().any(|text| text == "mine"));
    assert!(pair.pass().await.is_idle(), "nothing to do");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_both_changed_both_stay() {
    let pair = Pair::new("mirror-both").await;
    pair.put("note.md", "first").await;
    pair.put("gone here.md", "first").await;
    pair.put("gone there.md", "first").await;
    pair.put("agreed.md", "first").await;
    pair.pass().await;
    pair.write("note.md", "mine");
    pair.put("note.md", "theirs").await;
    fs::remove_file(pair.folder().join("gone here.md")).unwrap();
    pair.put("gone here.md", "edited there").await;
    pair.write("gone there.md", "edited here");
    pair.delete("gone there.md").await;
    pair.write("agreed.md", "second");
    pair.put("agreed.md", "second").await;
    // New on both sides, and different.
    pair.write("new.md", "mine");
    pair.put("new.md", "theirs").await;
    let pass = pair.pass().await;
    assert_eq!(pass.conflicts, ["new (conflict 2026-03-01).md", "note (conflict 2026-03-01).md"]);
    let both = pair.same().await;
    for (path, text) in [
        ("note.md", "theirs"),
        ("note (conflict 2026-03-01).md", "mine"),
        ("new.md", "theirs"),
        ("new (conflict 2026-03-01).md", "mine"),
        ("gone here.md", "edited there"),
        ("gone there.md", "edited here"),
        ("agreed.md", "second"),
    ] {
        assert_eq!(both[path], text, "{path}");
    }
    assert!(pair.pass().await.is_idle(), "nothing to do");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_not_there_empties_no_vault() {
    let pair = Pair::new("mirror-mount").await;
    for number in 0..12 {
        pair.put(&format!("note {number}.md"), &number.to_string()).await;
    }
    pair.pass().await;
    // Its disk is not mounted: an empty folder in its place.
    fs::rename(pair.folder(), pair.root.path().join("elsewhere")).unwrap();
    let refused = pair.open().await.unwrap_err().to_string();
    assert!(refused.contains("is its disk mounted?"), "{refused}");
    fs::remove_dir_all(pair.folder()).unwrap();
    fs::rename(pair.root.path().join("elsewhere"), pair.folder()).unwrap();
    // Nearly everything is gone, and somebody has to say that this is meant.
    for number in 0..11 {
        fs::remove_file(pair.folder().join(format!("note {number}.md"))).unwrap();
    }
    let mirror = pair.open().await.unwrap();
    let refused = mirror.pass(TODAY, false, |gone, of| (gone, of) != (11, 12)).await.unwrap_err().to_string();
    assert!(refused.contains("11 of 12 files"), "{refused}");
    assert_eq!(Pair::below(&pair.bucket).await.len(), 12);
    assert_eq!(mirror.pass(TODAY, true, |_, _| false).await.unwrap().removed_there.len(), 11, "a dry run");
    assert_eq!(Pair::below(&pair.bucket).await.len(), 12);
    assert_eq!(pair.pass().await.removed_there.len(), 11);
    // The folder of one vault is not that of another.
    let other = Pair { bucket: pair.bucket.below("inner"), trash: pair.trash.clone(), root: pair.root };
    let refused = other.open().await.unwrap_err().to_string();
    assert!(refused.contains("is a copy of the vault"), "{refused}");
}

/// Small numbers that are the same in every run.
struct Draw(blake3::OutputReader);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_both_sides_do_they_become_the_same_and_nothing_is_lost() {
    let pair = Pair::new("mirror-random").await;
    let mut draw = Draw(blake3::Hasher::new().update(b"mirror").finalize_xof());
    let (mut conflicts, mut removals, mut texts) = (0, 0, 0);
    for round in 0..12 {
        // What each side has when the pass begins: every such text must be somewhere after it.
        for _ in 0..6 {
            let path = format!("folder {}/note {}.md", draw.below(2), draw.below(4));
            texts += 1;
            let text = format!("text {texts}");
            match (draw.below(5), pair.folder().join(&path).exists()) {
                (0 | 1, _) => pair.write(&path, &text),
                (2 | 3, _) => pair.put(&path, &text).await,
                (_, true) => fs::remove_file(pair.folder().join(&path)).unwrap(),
                _ => {}
            }
        }
        let mut whole: BTreeSet<String> = pair.here().into_values().collect();
        whole.extend(Pair::below(&pair.bucket).await.into_values());
        let pass = pair.pass().await;
        conflicts += pass.conflicts.len();
        removals += pass.removed_here.len() + pass.removed_there.len();
        let both = pair.same().await;
        let mut kept: BTreeSet<String> = both.into_values().collect();
        kept.extend(Pair::below(&pair.trash).await.into_values());
        kept.extend(files(&pair.folder().join(".trash")).into_values().map(|bytes| String::from_utf8(bytes).unwrap()));
        assert!(whole.is_subset(&kept), "round {round}: lost {:?}", whole.difference(&kept).collect::<Vec<_>>());
        assert!(pair.pass().await.is_idle(), "round {round}: a second pass has nothing to do");
    }
    assert!(conflicts >= 3 && removals >= 3, "{conflicts} conflicts, {removals} removals");
}

#[test]
fn the_command_keeps_a_copy_that_obsidian_can_open() {
    let place = Place::in_bucket();
    place.drop_file("12/lease.txt", b"The lease of the flat.\n");
    assert!(place.run(&["sweep"]).status.success());
    let copy = place.path("copy");
    let folder = copy.to_str().unwrap();
    let dry: Value = place.json(&["--dry-run", "vault", "sync", folder]);
    assert_eq!(dry["fetched"].as_array().unwrap().len(), 2, "{dry}");
    assert!(!copy.join("attachments").exists());
    let first: Value = place.json(&["vault", "sync", folder]);
    let fetched: Vec<_> = first["fetched"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert_eq!(fetched, ["10-19 Life/12 Home/lease.md", "attachments/lease.txt"]);
    assert_eq!(fs::read(copy.join("attachments/lease.txt")).unwrap(), b"The lease of the flat.\n");

    // Its owner moves the note in Obsidian: emm follows it, and undoes nothing that is edited.
    fs::create_dir_all(copy.join("10-19 Life/11 Me")).unwrap();
    fs::rename(copy.join("10-19 Life/12 Home/lease.md"), copy.join("10-19 Life/11 Me/lease.md")).unwrap();
    place.json(&["vault", "sync", folder]);
    assert_eq!(place.verify("after the move"), 1);
    let log = place.json(&["log"]).to_string();
    assert!(log.contains("moved") && log.contains("11 Me/lease.md"), "{log}");

    let refused = Place::new();
    let output = refused.run(&["vault", "sync", folder]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is a folder already"), "{said}");
    assert_eq!(Path::new(folder), copy);
}
