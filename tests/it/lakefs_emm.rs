//! emm over lakeFS, or what stands in for it: store, vault and inbox on one branch, with the custody of a folder, also while the
//! branch is locked; and refused at start, with the reason, where it cannot be.

use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc, time::Instant};

use emm::{
    backends::{
        objects::{Bucket, ObjectsError, Removal, Removed},
        store::{Backend, Journal, Settings, Store, StoreError},
    },
    contracts::{file_system::Verify, file_system_agent::Sweep},
    domain::custody::{Effect, FORMAT, Link},
};
use serde_json::{Value, json};

use crate::{
    lakefs::{LOCKED, LakeFs, REPOSITORY, Trouble},
    process::{JD, Place},
    s3_server::{KEY, SECRET},
    scenarios::vault_of,
    world::{Placement, World, differences},
};

/// A configuration with all of it on one branch.
fn on_branch(lake: &LakeFs, name: &str) -> Value {
    let at = |what: &str| format!("main/{name}/{what}");
    json!({ "store": lake.flags(&at("store")),
        "vault": { "backend": "s3", "s3": { "prefix": at("vault"), "inbox": at("inbox") } } })
}

fn python(script: &'static str, arguments: Vec<String>) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/bin/python3");
    let output = Command::new(python).args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What lakeFS's own client finds below a prefix of `main`, and again in a commit of it.
async fn by_rest(lake: &LakeFs, prefix: &str) -> BTreeMap<String, String> {
    const SCRIPT: &str = r#"
import json, lakefs, sys
url, key, secret, repository, prefix = sys.argv[1:]
branch = lakefs.Repository(repository, client=lakefs.Client(host=url, username=key, password=secret)).branch("main")
def content(of):
    return {it.path[len(prefix):]: of.object(it.path).reader().read().decode() for it in of.objects(prefix=prefix, amount=3)}
assert all("emm-put" in branch.object(it.path).stat().metadata for it in branch.objects(prefix=prefix))
now = content(branch)
assert content(branch.commit("what emm wrote")) == now
print(json.dumps(now))
"#;
    let url = format!("http://127.0.0.1:{}", lake.port);
    let arguments = [&url, KEY, SECRET, REPOSITORY, prefix].map(str::to_owned).to_vec();
    let found = tokio::task::spawn_blocking(move || python(SCRIPT, arguments)).await.unwrap();
    serde_json::from_value(found).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cases_leave_the_same_vault_on_lakefs() {
    let lake = LakeFs::start().await;
    for case in ["06-undo", "07-reviews"] {
        let folder = vault_of(case, Placement::Together, &json!({})).await;
        let there = vault_of(case, Placement::Bucket, &on_branch(&lake, case)).await;
        let differences = differences(&folder, &there);
        assert!(differences.is_empty(), "{case}:\n{}", differences.join("\n"));
        let seen = by_rest(&lake, &format!("{case}/vault/")).await;
        let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8(bytes).unwrap());
        assert_eq!(seen, there.into_iter().map(text).collect(), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_branch_delays_a_sweep_and_costs_nothing() {
    let lake = LakeFs::start().await;
    let extra = on_branch(&lake, "locked");
    let world = World::start(Placement::Bucket, JD, &extra).await;
    world.caught_up().await;
    let rounds = [
        (Trouble::Locked, "main/locked/"),
        (Trouble::Conflict, "PUT main/locked/vault/"),
        (Trouble::Locked, "DELETE main/locked/inbox/"),
    ];
    for (round, (trouble, part)) in rounds.into_iter().enumerate() {
        for folder in ["11", "12"] {
            world.drop_file(&format!("{folder}/{round}.txt"), format!("{folder} {round}").as_bytes());
        }
        lake.fail(trouble, 5, part);
        let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
        assert_eq!((swept.filed.len(), swept.failed.len()), (2, 0), "{part}: {swept:?}");
        assert_eq!((lake.still_to_fail(), world.files("UNSORTED").len()), (0, 0), "{part}");
    }
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.accounted, account.filed), (6, 6, 6), "{account:?}");
    world.stop().await;
}

async fn open(s3: emm::backends::objects::Settings) -> Result<Store, StoreError> {
    Store::open(&Settings { backend: Backend::S3, s3 }, Path::new("/nonexistent")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_waits_for_the_branch_and_a_removal_is_not_taken_for_done() {
    let lake = LakeFs::start().await;
    let settings = lake.settings("main/waits");
    let (journal, bucket) = (Journal::new(open(settings.clone()).await.unwrap()), Bucket::new(&settings).unwrap());
    let effect = Effect::Confirmed { code: "11.01".into() };
    let link = Link { format: FORMAT, at: "2024-05-01T12:00:00Z".into(), run: "ours".into(), effect };
    for (number, trouble) in [Trouble::Locked, Trouble::Conflict].into_iter().enumerate() {
        lake.fail(trouble, 2, "PUT main/waits/journal/");
        journal.append("ab12", number as u32, &link).await.unwrap();
        assert_eq!(lake.still_to_fail(), 0, "{trouble:?}");

        bucket.create("note", b"one".to_vec()).await.unwrap();
        let seen = bucket.head("note").await.unwrap().unwrap();
        lake.fail(trouble, 2, "DELETE main/waits/note");
        assert_eq!(bucket.remove("note", &seen.etag).await.unwrap(), Removed::Gone, "{trouble:?}");
        assert_eq!((lake.still_to_fail(), bucket.head("note").await.unwrap()), (0, None), "{trouble:?}");
    }
    // What is written to try the bucket out is taken away again, as soon as the branch allows.
    lake.fail(Trouble::Locked, 3, "DELETE main/waits/probe/");
    open(settings.clone()).await.unwrap();
    assert_eq!((lake.still_to_fail(), bucket.list("probe", 9).await.unwrap()), (0, vec![]));

    // A branch that stays locked is an error, and what was to be taken away stays.
    let mut impatient = settings;
    impatient.patience_ms = 300;
    let bucket = Bucket::new(&impatient).unwrap();
    bucket.create("note", b"one".to_vec()).await.unwrap();
    let seen = bucket.head("note").await.unwrap().unwrap();
    lake.fail(Trouble::Locked, usize::MAX, "main/waits/");
    let failed = bucket.remove("note", &seen.etag).await.unwrap_err().to_string();
    assert!(failed.contains("could not be taken out of the bucket: the server said 500"), "{failed}");
    let failed = bucket.create("other", b"two".to_vec()).await.unwrap_err();
    assert!(matches!(&failed, ObjectsError::Unsure { .. }) && failed.to_string().contains(LOCKED), "{failed}");
    assert_eq!(bucket.get("note").await.unwrap(), b"one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lakefs_can_do_is_known_at_start() {
    // Whether it refuses a condition on a removal or does not look at it: emm must.
    for lake in [LakeFs::start().await, LakeFs::refusing_conditional_delete().await] {
        let bucket = Bucket::new(&lake.settings("main/known")).unwrap();
        lake.fail(Trouble::Locked, 1, "DELETE main/known/probe/");
        let bucket = bucket.with_removal().await.unwrap();
        assert_eq!((bucket.removal(), lake.still_to_fail()), (Removal::Looked, 0));
        assert_eq!(bucket.list("probe", 9).await.unwrap(), []);
        bucket.create("note", b"one".to_vec()).await.unwrap();
        assert_eq!(bucket.remove("note", "another").await.unwrap(), Removed::Changed);
        bucket.remove("note", &bucket.head("note").await.unwrap().unwrap().etag).await.unwrap();
        bucket.reach().await.unwrap();
        assert_eq!(bucket.list("", 9).await.unwrap(), []);
    }
    let lake = LakeFs::start().await;
    // The default prefix, a branch that is not there, the whole repository.
    for prefix in ["emm", "none/emm", ""] {
        let said = open(lake.settings(prefix)).await.unwrap_err().to_string();
        assert!(said.contains("is not there") && said.contains("begins with one of its branches"), "{said}");
    }
    let bucket = Bucket::new(&lake.settings("main/protected")).unwrap();
    bucket.create("note", b"one".to_vec()).await.unwrap();
    let seen = bucket.head("note").await.unwrap().unwrap();
    lake.protect("main");
    let begun = Instant::now();
    let said = open(lake.settings("main/protected")).await.unwrap_err().to_string();
    assert!(said.contains("protected branch"), "{said}");
    let said = bucket.remove("note", &seen.etag).await.unwrap_err().to_string();
    assert!(said.contains("the server said 403"), "{said}");
    // No patience helps, which is twenty seconds here.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

async fn run(place: &Arc<Place>, arguments: &'static [&'static str]) -> (bool, String) {
    let place = place.clone();
    let output = tokio::task::spawn_blocking(move || place.run(arguments)).await.unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (output.status.success(), said.concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_say_what_lakefs_lacks() {
    let lake = LakeFs::start().await;
    let place = Arc::new(Place::with(|_| on_branch(&lake, "commands")));
    let (done, said) = run(&place, &["sweep"]).await;
    assert!(done && said.contains("takes no condition on a removal"), "{said}");
    let (_, said) = run(&place, &["doctor"]).await;
    assert!(said.contains("refuses a taken key") && said.contains("it takes no condition on a removal"), "{said}");

    // A branch that is not there would take nothing, and look like an empty vault.
    for what in ["prefix", "inbox"] {
        let mut flags = on_branch(&lake, "commands");
        flags["vault"]["s3"][what] = json!(format!("none/{what}"));
        let place = Arc::new(Place::with(|_| flags));
        for command in [&["sweep"], &["doctor"]] {
            let (done, said) = run(&place, command).await;
            let named = said.contains(&format!("none/{what}")) && said.contains("begins with one of its branches");
            assert!(!done && named, "{command:?}: {said}");
        }
    }
}
