//! What the agent does beside what its owner and other calls do: dry runs, moves, late answers.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use emm::{
    contracts::{
        file_system::{ListInbox, Overview, Verify},
        file_system_agent::{AnswerReview, Answered, ListFailed, ListReviews, Sweep, Swept},
    },
    rpc::Code,
};
use serde_json::json;

use crate::{
    process::{JD, Place},
    world::{Placement, World},
};

/// An undo that cannot go on for what lies in the inbox must not go on in the empty inbox of a dry run.
#[test]
fn a_dry_run_finishes_nothing_that_was_begun() {
    let place = Place::new();
    place.drop_file("12/lease.txt", b"The lease of the flat.\n");
    assert!(place.run(&["sweep"]).status.success());
    // The trash expired, and something else lies where it came from.
    fs::remove_dir_all(place.path("store/trash")).unwrap();
    place.drop_file("12/lease.txt", b"another thing of that name\n");
    assert!(!place.run(&["undo", "--yes"]).status.success());
    let before = place.contents();
    fs::write(place.path("x.txt"), "something else\n").unwrap();
    let dry = place.run(&["file", "--dry-run", place.path("x.txt").to_str().unwrap()]);
    assert_eq!(place.contents(), before, "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(dry.status.code().is_some_and(|code| code != 1), "{}", String::from_utf8_lossy(&dry.stderr));
}

/// Only what a command put into the inbox itself is complete at once; all else must have lain still.
#[test]
fn a_sweep_waits_for_what_is_still_written() {
    let place = Place::new();
    let sweep = || place.command(&["--json", "sweep"]).env("EMM_INBOX__SETTLE_SECONDS", "86400").output().unwrap();
    place.drop_file("12/download.bin", b"first half,");
    let said: serde_json::Value = serde_json::from_slice(&sweep().stdout).unwrap();
    assert_eq!((said["filed"].as_array().unwrap().len(), said["settling"].as_u64()), (0, Some(1)), "{said}");

    let own = place.path("own.txt");
    fs::write(&own, "put there by a command\n").unwrap();
    let mut file = place.command(&["--json", "file", own.to_str().unwrap()]);
    let output = file.env("EMM_INBOX__SETTLE_SECONDS", "86400").output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["filed"].as_array().unwrap().len() + said["review"].as_array().unwrap().len(), 1, "{said}");
    assert!(place.path("UNSORTED/12/download.bin").exists(), "{said}");
}

/// Where only emm's own looks count, what a caller says is complete is taken all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_put_there_is_settled_on_a_share_as_well() {
    let settings = json!({"inbox": {"watch": "poll", "settle_seconds": 5}});
    let world = World::start(Placement::Together, JD, &settings).await;
    world.caught_up().await;
    world.drop_file("12/lease.txt", b"the lease\n");
    world.drop_file("12/other.txt", b"another one\n");
    let swept = world.call(Sweep { places: vec!["12/lease.txt".into()], settled: true, dry_run: false }).await.unwrap();
    assert_eq!((swept.filed.len(), swept.settling), (1, 1), "{swept:#?}");
    world.stop().await;
}

/// What keeps failing is not only a line of a log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sweep_could_not_file_is_said_until_it_is_filed() {
    let world = World::start(Placement::Together, JD, &json!({ "file_system_agent": { "sweeps": false } })).await;
    world.caught_up().await;
    let failed = async || world.call(ListFailed {}).await.unwrap().failed;
    // The vault takes no originals.
    fs::write(world.path("vault/attachments"), "a file").unwrap();
    world.drop_file("12/lease.txt", b"the lease\n");
    let swept = sweep(&world).await;
    assert_eq!((swept.failed.len(), failed().await), (1, swept.failed.clone()), "{swept:#?}");
    assert!(swept.failed[0].reason.contains("where a folder is needed"), "{swept:#?}");
    // A look at something else, and a dry run, say nothing of it.
    world.drop_file("12/other.md", b"another one\n");
    let other = Sweep { places: vec!["12/other.md".into()], settled: true, dry_run: false };
    assert_eq!(world.call(other).await.unwrap().filed.len(), 1);
    world.call(Sweep { settled: true, dry_run: true, ..Sweep::default() }).await.unwrap();
    assert_eq!(failed().await, swept.failed);
    fs::remove_file(world.path("vault/attachments")).unwrap();
    assert_eq!(sweep(&world).await.filed.len(), 1);
    assert_eq!(failed().await, []);

    fs::rename(world.path("UNSORTED"), world.path("elsewhere")).unwrap();
    let problems = world.call(Overview {}).await.unwrap().problems;
    assert!(problems.len() == 1 && problems[0].reason.contains("is gone"), "{problems:?}");
    world.stop().await;
}

/// Not even what its owner puts into a folder of that number; but that is no guess, so a person is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zeros_and_headers_receive_nothing_but_the_inbox() {
    let jd = "\"10-19\":\n  name: Life\n  categories:\n    \"11\":\n      name: Me\n      ids:\n        \"11.00\": Index\n        \
        \"11.01\": Inbox\n        \"11.02\": Documents\n        \"11.10\": ■ Papers\n        \"11.11\": Passport\n";
    let world = World::start(Placement::Together, jd, &json!({ "file_system_agent": { "sweeps": false } })).await;
    world.caught_up().await;
    for code in ["11.00", "11.01", "11.02", "11.10", "11.11"] {
        world.drop_file(&format!("{code}/of {code}.txt"), format!("something for {code}\n").as_bytes());
    }
    let swept = sweep(&world).await;
    let filed: Vec<&str> = swept.filed.iter().map(|it| it.filed.code.as_str()).collect();
    assert_eq!(filed, ["11.01", "11.02", "11.11"], "{swept:#?}");
    let asked: Vec<&str> = swept.review.iter().map(|it| it.reason.as_str()).collect();
    let said = |code: &str| format!("its folder says {code}, which holds no documents");
    assert_eq!(asked, [said("11.00 Index"), said("11.10 ■ Papers")], "{swept:#?}");
    let answer = async |code: &str| {
        let (emm_id, code) = (swept.review[0].item.emm_id.clone(), code.to_owned());
        world.call(AnswerReview { emm_id, answer: Answered::File { code } }).await
    };
    assert_eq!(answer("11.10").await.unwrap_err().code, Code::Invalid);
    assert_eq!(answer("11.01").await.unwrap().filed.unwrap().code, "11.01");
    world.stop().await;
}

async fn world() -> World {
    let world = World::start(Placement::Together, JD, &json!({})).await;
    world.caught_up().await;
    world
}

async fn sweep(world: &World) -> Swept {
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_what_waits_into_a_numbered_folder_answers_the_question() {
    let world = world().await;
    world.drop_file("strange.txt", b"xyzzy plugh\n");
    assert_eq!(sweep(&world).await.review.len(), 1);
    assert_eq!(sweep(&world).await.review.len(), 1);
    fs::create_dir(world.path("UNSORTED/12")).unwrap();
    fs::rename(world.path("UNSORTED/strange.txt"), world.path("UNSORTED/12/strange.txt")).unwrap();
    let swept = sweep(&world).await;
    assert_eq!((swept.filed.len(), swept.review.len()), (1, 0), "{swept:#?}");
    assert_eq!(swept.filed[0].filed.code, "12");
    world.stop().await;
}

fn strange(world: &World, count: u32) {
    for n in 0..count {
        let words: String = (0..6).map(|k| format!("w{} ", (n * 7919 + k * 104_729) % 99_991)).collect();
        world.drop_file(&format!("f{n:02}.txt"), words.as_bytes());
    }
}

fn answer(emm_id: &str, code: &str) -> AnswerReview {
    AnswerReview { emm_id: emm_id.to_owned(), answer: Answered::File { code: code.to_owned() } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_is_asked_about_no_more() {
    let world = world().await;
    strange(&world, 3);
    let ids: Vec<String> = sweep(&world).await.review.into_iter().map(|review| review.item.emm_id).collect();
    let waiting = async || world.call(ListReviews {}).await.unwrap().reviews.len();
    assert_eq!(waiting().await, 3);

    fs::remove_file(world.path("UNSORTED/f00.txt")).unwrap();
    world.call(ListInbox::default()).await.unwrap();
    assert_eq!(waiting().await, 2, "before any sweep");
    let late = world.call(answer(&ids[0], "12")).await.unwrap_err();
    assert_eq!(late.code, Code::Conflict, "{late}");

    // Other bytes under its name are another item.
    world.drop_file("f01.txt", b"xyzzy plugh frobnicate\n");
    assert_eq!(sweep(&world).await.review.len(), 2);
    let reviews = world.call(ListReviews {}).await.unwrap().reviews;
    assert!(reviews.iter().all(|review| review.item.emm_id != ids[1]), "{reviews:#?}");
    for id in &ids[..2] {
        assert_eq!(world.call(answer(id, "12")).await.unwrap_err().code, Code::NotFound);
    }
    assert_eq!(world.call(answer(&ids[2], "12")).await.unwrap().filed.unwrap().code, "12");
    assert_eq!(world.files("UNSORTED").len(), 1);
    world.stop().await;
}

/// Whatever sweeps run beside them, answers hold: each is carried out once, and nothing is asked about again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_hold_beside_sweeps() {
    // Never sure enough to file by itself, whatever the answers teach.
    let settings = json!({"file_system_agent": {"threshold": 1.0}});
    let world = World::start(Placement::Together, JD, &settings).await;
    world.caught_up().await;
    strange(&world, 24);
    let asked = sweep(&world).await.review;
    assert_eq!(asked.len(), 24);
    let done = AtomicBool::new(false);
    let sweeping = async {
        let mut outcomes = Vec::new();
        while !done.load(Ordering::SeqCst) {
            outcomes.extend(sweep(&world).await.filed);
        }
        outcomes
    };
    let answering = async {
        let mut skipped = Vec::new();
        for (n, review) in asked.iter().enumerate() {
            let id = &review.item.emm_id;
            let code = if n % 2 == 0 { "11" } else { "12" };
            let skip = AnswerReview { emm_id: id.clone(), answer: Answered::Skip };
            let request = if n % 4 == 3 { skip } else { answer(id, code) };
            let settled = loop {
                match world.call(request.clone()).await {
                    Ok(settled) => break settled,
                    // Just being looked at by a sweep, which asks again or files it.
                    Err(error) if error.code == Code::Conflict => tokio::task::yield_now().await,
                    Err(error) => panic!("{}: {error}", review.item.place),
                }
            };
            match settled.filed {
                None => skipped.push(id.clone()),
                Some(filed) => assert_eq!((filed.code.as_str(), filed.duplicate), (code, false)),
            }
        }
        done.store(true, Ordering::SeqCst);
        skipped
    };
    let (swept, skipped) = tokio::join!(sweeping, answering);
    // What an answer is just taking out of the inbox may be found by a sweep, never as another drop of the same bytes.
    assert!(swept.iter().all(|it| !it.filed.duplicate), "{swept:#?}");
    assert_eq!(skipped.len(), 6);
    sweep(&world).await;
    let reviews = world.call(ListReviews {}).await.unwrap().reviews;
    assert!(reviews.is_empty(), "{reviews:#?}");
    assert_eq!(world.files("UNSORTED").len(), 6);
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.accounted), (24, 24), "{:?}", account.violations);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_cannot_be_had_is_told_and_holds_nothing_else_up() {
    let jd = r#"
"10-19":
  name: Life
  categories:
    "11":
      name: Gardening
      description: "plants, seeds, soil, roses and tomatoes in the garden"
      keywords: [garden, roses, tomatoes, soil, seeds]
      ids: { "11.11": Gardening tools, "11.12": Gardening books }
    "12": Astronomy
"#;
    let world = World::start(Placement::Together, jd, &json!({ "file_system_agent": { "new_ids": true } })).await;
    world.caught_up().await;
    world.drop_file("garden.txt", b"Gardening: the roses and tomatoes in the garden need soil, seeds and gardening.\n");
    world.drop_file("12/comet.txt", b"A comet.\n");
    // No folder, so that no id can be made in it.
    let ids = world.path("store/ids");
    let _ = fs::remove_dir(&ids);
    fs::write(&ids, "in the way\n").unwrap();
    let swept = sweep(&world).await;
    assert_eq!(swept.filed.iter().map(|it| it.place.as_str()).collect::<Vec<_>>(), ["12/comet.txt"], "{swept:?}");
    let [failed] = swept.failed.as_slice() else { panic!("{swept:?}") };
    assert_eq!(failed.place, "garden.txt");
    assert!(failed.reason.contains("ids"), "{failed:?}");

    fs::remove_file(&ids).unwrap();
    let swept = sweep(&world).await;
    assert_eq!((swept.filed.len(), swept.failed.len()), (1, 0), "{swept:?}");
    assert_eq!(swept.filed[0].filed.code, "11.13");
    world.stop().await;
}
