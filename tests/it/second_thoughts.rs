//! What people and other programs do to an item meanwhile: nothing is swallowed, nothing overrides a person.

use std::{fs, path::Path};

use emm::{
    contracts::{
        file_system::{Decision, File, Filed, Held, History, Hold, Item, ListInbox, Undo, Verify},
        file_system_agent::{AnswerReview, Answered, ListReviews, Sweep},
        jd_classifier::GetStructure,
    },
    domain::custody::Standing,
    rpc::Code,
};
use serde_json::Value;

use crate::{
    process::JD,
    world::{Placement, World},
};

async fn world() -> World {
    let world = World::start(Placement::Together, JD, &Value::Null).await;
    world.caught_up().await;
    world
}

async fn items(world: &World) -> Vec<Item> {
    world.call(ListInbox { settled: true, ..ListInbox::default() }).await.unwrap().items
}

async fn decision(world: &World, code: &str) -> Decision {
    let structure = world.call(GetStructure::default()).await.unwrap().hash;
    let (candidates, engine) = (Vec::new(), String::new());
    Decision {
        code: code.into(),
        structure,
        confidence: 1.0,
        by_person: true,
        candidates,
        engine,
        opinion: None,
        guess: None,
        threshold: None,
    }
}

async fn file(world: &World, item: &Item, code: &str) -> emm::rpc::Result<Filed> {
    let decision = decision(world, code).await;
    let (run, dry_run, taken) = ("test".to_owned(), false, Vec::new());
    world.call(File { item: item.clone(), decision, run, dry_run, taken }).await
}

async fn whole(world: &World) {
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, &account.violations), (account.accounted, &Vec::new()), "{account:?}");
}

async fn effects(world: &World, emm_id: &str) -> Vec<String> {
    let entries = world.call(History { item: Some(emm_id.into()), ..History::default() }).await.unwrap().entries;
    let name = |entry: &emm::contracts::file_system::Entry| {
        serde_json::to_value(&entry.link).unwrap()["effect"].as_str().unwrap().to_owned()
    };
    entries.iter().rev().map(name).collect()
}

fn clear(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_again_is_no_duplicate() {
    let world = world().await;
    world.drop_file("lease.txt", b"the lease\n");
    let item = items(&world).await.remove(0);
    let first = file(&world, &item, "12").await.unwrap();
    let again = file(&world, &item, "12").await.unwrap();
    assert!(!first.duplicate && !again.duplicate);
    assert_eq!(effects(&world, &item.emm_id).await, ["seen", "filed"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_the_vault_lost_are_filed_anew() {
    let world = world().await;
    world.drop_file("11/note.md", b"as it was dropped\n");
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    // Its owner rewrote it, the trash expired, and the first version is dropped again from a backup.
    fs::write(world.path("vault/10-19 Life/11 Me/note.md"), "rewritten by its owner\n").unwrap();
    clear(&world.path("store/trash"));
    world.drop_file("11/note.md", b"as it was dropped\n");
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert_eq!(swept.filed.len(), 1, "{swept:?}");
    let vault = world.files("vault");
    let texts: Vec<_> = vault.values().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    assert!(texts.iter().any(|text| text == "rewritten by its owner\n"), "{texts:?}");
    assert!(texts.iter().any(|text| text.ends_with("as it was dropped\n")), "{texts:?}");
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_replaced_after_it_was_listed_is_not_filed_as_what_it_was() {
    let world = world().await;
    world.drop_file("lease.txt", b"first bytes\n");
    let item = items(&world).await.remove(0);
    world.drop_file("lease.txt", b"second bytes, longer\n");
    let error = file(&world, &item, "12").await.unwrap_err();
    assert_eq!(error.code, Code::Conflict, "{error}");
    assert!(world.files("vault").is_empty(), "{:?}", world.files("vault").keys());
    whole(&world).await;
    let now = items(&world).await.remove(0);
    file(&world, &now, "12").await.unwrap();
    let note = String::from_utf8(world.files("vault")["10-19 Life/12 Home/lease.md"].clone()).unwrap();
    assert!(note.contains("second bytes") && !note.contains("first bytes"), "{note}");
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_failed_does_not_override_a_person() {
    let world = world().await;
    world.drop_file("lease.txt", b"the lease\n");
    let item = items(&world).await.remove(0);
    // The attachment place cannot be made: a file stands where the folder is needed.
    fs::write(world.path("vault/attachments"), "in the way").unwrap();
    assert!(file(&world, &item, "11").await.is_err());
    fs::remove_file(world.path("vault/attachments")).unwrap();
    let filed = file(&world, &item, "12").await.unwrap();
    assert_eq!((filed.code.as_str(), filed.note.as_str()), ("12", "10-19 Life/12 Home/lease.md"));
    assert!(!world.files("vault").keys().any(|path| path.contains("11 Me")));
    whole(&world).await;

    world.drop_file("other.txt", b"another one\n");
    let item = items(&world).await.remove(0);
    fs::write(world.path("vault/10-19 Life/11 Me"), "in the way").unwrap();
    assert!(file(&world, &item, "11").await.is_err());
    fs::remove_file(world.path("vault/10-19 Life/11 Me")).unwrap();
    let hold = Hold { item: item.clone(), why: Held::Skipped, run: "test".into() };
    assert_eq!(world.call(hold).await.unwrap(), Standing::Skipped);
    let world = world.restart(Placement::Together, &Value::Null).await;
    world.caught_up().await;
    assert_eq!(world.files("UNSORTED").keys().collect::<Vec<_>>(), ["other.txt"]);
    assert_eq!(world.files("vault").len(), 2, "{:?}", world.files("vault").keys());
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_undone_is_only_filed_by_a_person() {
    let world = world().await;
    world.drop_file("12/lease.txt", b"the lease\n");
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let emm_id = swept.filed[0].filed.emm_id.clone();
    world.call(Undo { emm_id, run: "test".into(), dry_run: false }).await.unwrap();
    // Renamed inside the inbox, and verified in between: it is still what was undone.
    fs::rename(world.path("UNSORTED/12/lease.txt"), world.path("UNSORTED/12/renamed.txt")).unwrap();
    whole(&world).await;
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert_eq!((swept.filed.len(), swept.review.len()), (0, 1), "{swept:?}");
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_moved_a_moment_ago_is_found_by_verify_and_undo() {
    let world = world().await;
    world.drop_file("11/note.md", b"a note\n");
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let emm_id = swept.filed[0].filed.emm_id.clone();
    fs::rename(world.path("vault/10-19 Life/11 Me/note.md"), world.path("vault/moved.md")).unwrap();
    whole(&world).await;
    fs::rename(world.path("vault/moved.md"), world.path("vault/moved again.md")).unwrap();
    world.call(Undo { emm_id, run: "test".into(), dry_run: false }).await.unwrap();
    assert!(world.files("vault").is_empty());
    assert_eq!(world.files("UNSORTED").keys().collect::<Vec<_>>(), ["11/note.md"]);
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_original_that_its_owner_moves_is_followed() {
    let world = world().await;
    world.drop_file("11/letter.txt", b"a letter\n");
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let filed = swept.filed[0].filed.clone();
    let from = world.path("vault").join(filed.original.unwrap());
    // Neither its name nor its place is kept; something else has its size.
    world.drop_file("../vault/other.bin", b"A LETTER\n");
    fs::rename(&from, world.path("vault/renamed.txt")).unwrap();
    whole(&world).await;
    assert_eq!(effects(&world, &filed.emm_id).await.last().map(String::as_str), Some("original_moved"));
    fs::rename(world.path("vault/renamed.txt"), world.path("vault/again.txt")).unwrap();
    // What has its old place now is something else.
    fs::write(world.path("vault/renamed.txt"), "something of its owner's").unwrap();
    whole(&world).await;
    fs::rename(world.path("vault/again.txt"), world.path("vault/once more.txt")).unwrap();
    fs::write(world.path("vault/again.txt"), "and another thing").unwrap();
    world.call(Undo { emm_id: filed.emm_id, run: "test".into(), dry_run: false }).await.unwrap();
    assert_eq!(world.files("vault").keys().collect::<Vec<_>>(), ["again.txt", "other.bin", "renamed.txt"]);
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_copied_and_then_deleted_was_moved() {
    let world = world().await;
    world.drop_file("11/note.md", b"a note\n");
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let (from, to) = (world.path("vault/10-19 Life/11 Me/note.md"), world.path("vault/copy.md"));
    fs::copy(&from, to).unwrap();
    whole(&world).await;
    fs::remove_file(from).unwrap();
    // The first look sees that the note is gone, the second that its copy is the note now.
    let _ = world.call(Verify {}).await.unwrap();
    whole(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_can_be_rebuilt_may_be_lost() {
    let world = world().await;
    world.drop_file("12/lease.txt", b"the lease\n");
    world.drop_file("strange.txt", b"xyzzy plugh\n");
    world.drop_file("skipped.txt", b"frobnicate\n");
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let waiting = world.call(ListReviews {}).await.unwrap().reviews;
    let skipped = waiting.iter().find(|review| review.item.place == "skipped.txt").unwrap();
    let skip = AnswerReview { emm_id: skipped.item.emm_id.clone(), answer: Answered::Skip };
    world.call(skip).await.unwrap();
    let before = world.files("vault");
    let world = world.restart_without_state(Placement::Together, &Value::Null).await;
    world.caught_up().await;
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let places: Vec<_> = swept.review.iter().map(|review| review.item.place.as_str()).collect();
    assert_eq!((swept.filed.len(), places), (0, vec!["strange.txt"]), "{swept:?}");
    assert_eq!(world.files("vault"), before);
    whole(&world).await;
    world.stop().await;
}
