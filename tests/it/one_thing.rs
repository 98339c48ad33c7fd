//! A folder that is one thing is in the same custody as a file: verified, undone, and killed at every step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use emm::contracts::file_system::{Account, History, ListInbox, Search, Undo, Verify};
use emm::contracts::file_system_agent::{AnswerReview, Answered, ListReviews, Sweep};
use emm::domain::custody::Effect;
use emm::rpc::{Code, Error};
use serde_json::Value;

use crate::vault::everything;
use crate::world::{Placement, World, files, write};

const JD: &str = "\"10-19\":\n  name: Life\n  categories:\n    \"11\": Me\n    \"12\": Home\n";
const INBOX: [&str; 3] = ["repo/.git/HEAD", "repo/README.md", "repo/src/main.rs"];
const VAULT: [&str; 4] = [
    "10-19 Life/11 Me/repo.md",
    "attachments/repo/.git/HEAD",
    "attachments/repo/README.md",
    "attachments/repo/src/main.rs",
];

async fn dropped() -> World {
    let world = World::start(Placement::Together, JD, &Value::Null).await;
    for place in INBOX {
        write(&world.path("made elsewhere").join(place), place.as_bytes());
    }
    // In one step, so that no test kills a process that has dropped half of it.
    fs::rename(world.path("made elsewhere/repo"), world.path("UNSORTED/repo")).unwrap();
    world
}

/// Sweeps, and accepts the folder if a person is asked; gives its `emm_id`, and whether one was.
async fn accept(world: &World) -> (String, bool) {
    world.caught_up().await;
    let listing = world.call(ListInbox { after: None, wait_ms: 0, settled: true, places: vec![] }).await.unwrap();
    let emm_id = listing.items[0].emm_id.clone();
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert!(swept.failed.is_empty(), "{:?}", swept.failed);
    let asked = !world.call(ListReviews {}).await.unwrap().reviews.is_empty();
    if asked {
        let answer = Answered::File { code: "11".into() };
        world.call(AnswerReview { emm_id: emm_id.clone(), answer }).await.unwrap();
    }
    (emm_id, asked)
}

async fn undo(world: &World, emm_id: &str) -> Result<String, Error> {
    let undone = world.call(Undo { emm_id: emm_id.to_owned(), run: "test".into(), dry_run: false }).await;
    undone.map(|undone| undone.place)
}

/// The account; every item seen must be accounted for, unless violations are expected.
async fn account(world: &World, violations: usize, at: &str) -> Account {
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!(account.violations.len(), violations, "{at}: {:?}", account.violations);
    assert_eq!(account.seen, account.accounted + violations, "{at}: {account:?}");
    account
}

fn paths(world: &World, folder: &str) -> Vec<String> {
    let temporaries: Vec<_> =
        everything(&world.path(folder)).into_iter().filter(|it| it.contains(".emm-tmp")).collect();
    assert!(temporaries.is_empty(), "{temporaries:?}");
    files(&world.path(folder)).into_keys().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_or_missing_tree_is_a_violation_and_is_not_undone() {
    let world = dropped().await;
    let (emm_id, _) = accept(&world).await;
    assert_eq!(paths(&world, "vault"), VAULT);
    account(&world, 0, "filed").await;
    let head = world.path("vault/attachments/repo/.git/HEAD");
    fs::write(&head, "changed").unwrap();
    let reason = account(&world, 1, "changed").await.violations.remove(0).reason;
    assert!(reason.contains("attachments/repo was changed"), "{reason}");
    let refused = undo(&world, &emm_id).await.unwrap_err();
    assert!(refused.code == Code::Conflict && refused.message.contains("attachments/repo was changed"), "{refused}");
    assert_eq!((paths(&world, "vault").len(), paths(&world, "UNSORTED").len()), (4, 0));
    fs::write(&head, INBOX[0]).unwrap();
    account(&world, 0, "as it was").await;
    fs::rename(world.path("vault/attachments/repo"), world.path("taken away")).unwrap();
    let reason = account(&world, 1, "missing").await.violations.remove(0).reason;
    assert!(reason.contains("attachments/repo is missing; its bytes are still in the trash"), "{reason}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_its_owner_moves_is_followed_and_undone_from_there() {
    let world = dropped().await;
    let (emm_id, _) = accept(&world).await;
    fs::create_dir(world.path("vault/projects")).unwrap();
    fs::rename(world.path("vault/attachments/repo"), world.path("vault/projects/repo")).unwrap();
    account(&world, 0, "moved").await;
    let entries = world.call(History { item: Some(emm_id.clone()), ..History::default() }).await.unwrap().entries;
    let moved = Effect::OriginalMoved { from: "attachments/repo".into(), original: "projects/repo".into() };
    assert_eq!(entries[0].link.effect, moved);
    // What lies in it is none of its owner's notes there either.
    let hits = world.call(Search { words: "README".into(), limit: 9 }).await.unwrap().hits;
    assert!(hits.iter().all(|hit| !hit.path.starts_with("projects/")), "{hits:?}");

    // Under another name, and as deep as it may be.
    fs::create_dir_all(world.path("vault/projects/old")).unwrap();
    fs::rename(world.path("vault/projects/repo"), world.path("vault/projects/old/my first one")).unwrap();
    account(&world, 0, "renamed").await;
    let entries = world.call(History { item: Some(emm_id.clone()), ..History::default() }).await.unwrap().entries;
    let renamed = Effect::OriginalMoved { from: "projects/repo".into(), original: "projects/old/my first one".into() };
    assert_eq!(entries[0].link.effect, renamed);

    fs::rename(world.path("vault/projects/old/my first one"), world.path("vault/another")).unwrap();
    assert_eq!(undo(&world, &emm_id).await.unwrap(), "repo");
    assert!(paths(&world, "vault").is_empty());
    account(&world, 0, "undone").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_brings_a_folder_back_from_the_vault_when_the_trash_has_expired() {
    let world = dropped().await;
    let (emm_id, _) = accept(&world).await;
    fs::remove_dir_all(world.path("store/trash")).unwrap();
    assert_eq!(undo(&world, &emm_id).await.unwrap(), "repo");
    let back = files(&world.path("UNSORTED"));
    assert!(back.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).eq(INBOX.map(|it| (it, it.as_bytes()))));
    assert!(paths(&world, "vault").is_empty());
    account(&world, 0, "undone").await;
    // What its owner changes while it waits is another thing.
    fs::write(world.path("UNSORTED/repo/README.md"), "written on").unwrap();
    assert_eq!(account(&world, 0, "written on").await.withdrawn, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests below in a process of its own"]
async fn child_that_is_killed() {
    let Ok(work) = std::env::var("EMM_TEST_WORK") else { return };
    let world = dropped().await;
    write(&world.path("begun accept"), b"");
    let (emm_id, _) = accept(&world).await;
    if work == "undo" {
        write(&world.path("begun undo"), b"");
        undo(&world, &emm_id).await.unwrap();
    }
    world.stop().await;
}

/// What a child left that was killed.
struct Killed {
    room: tempfile::TempDir,
    path: PathBuf,
    /// The name of the fault.
    at: String,
}

impl Killed {
    async fn restart(self) -> World {
        World::over(self.room, self.path, Placement::Together, &Value::Null).await
    }
}

/// Kills a child at the fault number `at`; nothing if it came to its end before that.
fn killed(work: &str, at: usize) -> Option<Killed> {
    use std::os::unix::process::ExitStatusExt;
    let room = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_thing::child_that_is_killed", "--ignored", "--nocapture"])
        .env("TMPDIR", room.path())
        .env("EMM_TEST_WORK", work)
        .env("EMM_FAULT_AT", at.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.signal() != Some(9) {
        let passed = output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(passed, "{work} {at}: {said}");
        return None;
    }
    let fault = said.lines().find(|line| line.starts_with("fault ")).unwrap_or("an unnamed fault");
    let at = format!("{work}, {fault}");
    let path = fs::read_dir(room.path()).unwrap().map(|it| it.unwrap().path()).find(|it| it.join("jd.yaml").exists());
    Some(Killed { path: path.unwrap(), room, at })
}

/// Every child that was killed at its work, one after the other.
fn at_every_step(work: &str) -> impl Iterator<Item = Killed> {
    let begun = format!("begun {work}");
    (1..).map_while(move |at| killed(work, at)).filter(move |killed| killed.path.join(&begun).exists())
}

/// Each file of the folder lies whole somewhere.
fn nothing_lost(root: &Path, at: &str) {
    let kept: Vec<Vec<u8>> =
        ["vault", "UNSORTED", "store"].iter().flat_map(|it| files(&root.join(it)).into_values()).collect();
    for place in INBOX {
        assert!(kept.iter().any(|bytes| bytes == place.as_bytes()), "{at}: {place} is nowhere");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_killed_at_every_step_is_filed_by_a_restart() {
    let mut injected = 0;
    for killed in at_every_step("accept") {
        injected += 1;
        let at = killed.at.clone();
        nothing_lost(&killed.path, &at);
        let world = killed.restart().await;
        account(&world, 0, &at).await;
        let history = world.call(History::default()).await.unwrap().entries;
        let intended = history.iter().any(|entry| matches!(entry.link.effect, Effect::Filing { .. }));
        if intended {
            // The start itself has finished it, but for what only a look at the inbox can tell.
            assert_eq!(paths(&world, "vault"), VAULT, "{at}");
            assert!(history.iter().any(|entry| matches!(entry.link.effect, Effect::Filed { .. })), "{at}: {history:?}");
        }
        if !paths(&world, "UNSORTED").is_empty() {
            let asked = accept(&world).await.1;
            assert!(!(intended && asked), "{at}: a person is asked again");
        }
        assert!(paths(&world, "UNSORTED").is_empty(), "{at}: {:?}", paths(&world, "UNSORTED"));
        assert_eq!(paths(&world, "vault"), VAULT, "{at}");
        let note = fs::read_to_string(world.path("vault").join(VAULT[0])).unwrap();
        assert!(note.contains("A git repository: 3 files, "), "{at}: {note}");
        assert_eq!(account(&world, 0, &at).await.filed, 1, "{at}");
        world.stop().await;
    }
    assert!(injected >= 20, "only {injected} faults were injected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_taken_back_after_a_kill_leaves_a_note_with_it_or_no_note() {
    let (mut nothing, mut copies, mut all) = (0, 0, 0);
    for killed in at_every_step("accept") {
        let at = killed.at.clone();
        let inbox = killed.path.join("UNSORTED/repo");
        if inbox.exists() {
            fs::rename(inbox, killed.path.join("taken back")).unwrap();
        }
        let world = killed.restart().await;
        let left = paths(&world, "vault");
        // The copy itself stays where it was written whole: to emm it might be the only one.
        let outcome = match left.as_slice() {
            [] => &mut nothing,
            left if left == VAULT => &mut all,
            left if left == &VAULT[1..] => &mut copies,
            left => panic!("{at}: {left:?}"),
        };
        *outcome += 1;
        account(&world, 0, &at).await;
        world.stop().await;
    }
    assert!(
        nothing >= 10 && copies >= 3 && all >= 3,
        "{nothing} times nothing, {copies} times a copy, {all} times all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_of_a_folder_killed_at_every_step_is_resumed_by_a_restart() {
    let mut injected = 0;
    for killed in at_every_step("undo") {
        injected += 1;
        let at = killed.at.clone();
        nothing_lost(&killed.path, &at);
        let world = killed.restart().await;
        account(&world, 0, &at).await;
        if !paths(&world, "vault").is_empty() {
            // It was killed before the journal had the intent.
            let history = world.call(History::default()).await.unwrap().entries;
            assert!(matches!(history[0].link.effect, Effect::Filed { .. }), "{at}: {history:?}");
            undo(&world, &history[0].emm_id).await.unwrap();
        }
        assert_eq!(paths(&world, "UNSORTED"), INBOX, "{at}");
        assert!(paths(&world, "vault").is_empty(), "{at}: {:?}", paths(&world, "vault"));
        account(&world, 0, &at).await;
        world.stop().await;
    }
    assert!(injected >= 8, "only {injected} faults were injected");
}
