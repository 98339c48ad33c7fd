//! A vault that moves from a laptop into a cluster and back by copying it and its store: nothing depends on where it began.

use std::{fs, path::Path};

use emm::{
    backends::objects::Bucket,
    contracts::{
        file_system::{Confirm, Undo, Verify},
        file_system_agent::{AnswerReview, Answered, ListReviews, Sweep, Swept},
    },
};
use serde_json::Value;

use crate::{
    process::JD,
    s3_server::S3Server,
    world::{Placement, World, differences, files, write},
};

async fn sweep(world: &World) -> Swept {
    world.caught_up().await;
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert!(swept.failed.is_empty(), "{swept:?}");
    swept
}

async fn whole(world: &World, seen: usize) {
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.accounted), (seen, seen), "{account:?}");
}

/// What the owner does first: notes, an original, a doubt.
async fn first(world: &World) -> String {
    write(&world.path("vault/10-19 Life/12 Home/own.md"), b"# The boiler\n\nIts manual and its bills.\n");
    world.drop_file("12/lease.txt", b"The lease of the flat.\n");
    world.drop_file("11/note.md", b"# A note\n\nFiled as itself.\n");
    world.drop_file("strange.txt", b"xyzzy plugh frobnicate\n");
    let swept = sweep(world).await;
    assert_eq!((swept.filed.len(), swept.review.len()), (2, 1), "{swept:?}");
    swept.filed[0].filed.emm_id.clone()
}

/// What is done after the first move: the doubt is answered, what is there already is dropped again.
async fn second(world: &World, emm_id: &str) {
    whole(world, 3).await;
    world.drop_file("12/lease again.txt", b"The lease of the flat.\n");
    world.drop_file("12/same.txt", b"something new\n");
    let swept = sweep(world).await;
    let duplicates = swept.filed.iter().filter(|it| it.filed.duplicate).count();
    assert_eq!((swept.filed.len(), duplicates, swept.review.len()), (2, 1, 1), "{swept:?}");
    let waiting = world.call(ListReviews {}).await.unwrap().reviews;
    let answer = AnswerReview { emm_id: waiting[0].item.emm_id.clone(), answer: Answered::File { code: "11".into() } };
    world.call(answer).await.unwrap();
    let confirm = Confirm { emm_id: emm_id.to_owned(), code: None, structure: None, run: "test".into() };
    world.call(confirm).await.unwrap();
}

/// And after the second: what was filed first is undone.
async fn third(world: &World, emm_id: &str) {
    whole(world, 4).await;
    world.call(Undo { emm_id: emm_id.to_owned(), run: "test".into(), dry_run: false }).await.unwrap();
    whole(world, 4).await;
}

/// Copies what is its owner's, and of the store what lies in folders wherever the rest is.
fn copy(from: &Path, to: &Path, folders: &[&str]) {
    for folder in folders {
        fs::create_dir_all(to.join(folder)).unwrap();
        if from.join(folder).is_dir() {
            for (path, bytes) in files(&from.join(folder)) {
                write(&to.join(folder).join(path), &bytes);
            }
        }
    }
    fs::copy(from.join("jd.yaml"), to.join("jd.yaml")).unwrap();
}

/// The bucket of a world in pods; its prefix is the name of its folder.
fn bucket(root: &Path) -> Bucket {
    let name = root.file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned();
    Bucket::new(&S3Server::seaweedfs().settings(&name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laptop_to_pods_to_laptop_is_as_if_it_had_stayed() {
    let stayed = World::start(Placement::Together, JD, &Value::Null).await;
    let emm_id = first(&stayed).await;
    second(&stayed, &emm_id).await;
    third(&stayed, &emm_id).await;

    let laptop = World::start(Placement::Together, JD, &Value::Null).await;
    assert_eq!(first(&laptop).await, emm_id);
    let laptop = laptop.stop().await;

    let root = tempfile::tempdir().unwrap();
    copy(laptop.path(), root.path(), &["vault", "UNSORTED", "store/trash", "store/quarantine"]);
    let objects = files(&laptop.path().join("store"));
    let mut copied = 0;
    for (key, bytes) in objects.into_iter().filter(|(key, _)| !key.starts_with("trash/")) {
        assert!(bucket(root.path()).create(&key, bytes).await.unwrap(), "{key}");
        copied += 1;
    }
    assert!(copied > 8, "{copied}");
    drop(laptop);
    let path = root.path().to_owned();
    let pods = World::over(root, path, Placement::Pods, &Value::Null).await;
    second(&pods, &emm_id).await;
    let pods = pods.stop().await;

    let root = tempfile::tempdir().unwrap();
    copy(pods.path(), root.path(), &["vault", "UNSORTED", "store/trash", "store/quarantine"]);
    for key in bucket(pods.path()).names("").await.unwrap() {
        write(&root.path().join("store").join(&key), &bucket(pods.path()).get(&key).await.unwrap());
    }
    drop(pods);
    let path = root.path().to_owned();
    let back = World::over(root, path, Placement::Together, &Value::Null).await;
    third(&back, &emm_id).await;

    let (there, here) = (stayed.files("vault"), back.files("vault"));
    assert!(differences(&there, &here).is_empty(), "{:#?}", differences(&there, &here));
    assert_eq!(stayed.files("UNSORTED"), back.files("UNSORTED"));
    stayed.stop().await;
    back.stop().await;
}
