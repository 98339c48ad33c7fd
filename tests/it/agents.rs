//! What the agent does beside what its owner and other calls do: dry runs, moves, late answers.

use std::fs;

use emm::contracts::file_system_agent::{Sweep, Swept};
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
