//! The store: what another emm wrote is told apart from damage, and a store is told from every other one.

use std::fs;

use emm::{
    backends::store::{Ids, Journal, Labels, Ledger, Sent, Spent, Store, StoreError, Structures},
    domain::opinion::Asked,
};
use serde_json::{Value, json};

use crate::{
    process::Place,
    world::{files, write},
};

/// A store with one object, written by somebody else.
fn with(object: &str, value: &Value) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(object), value.to_string().as_bytes());
    let store = Store::folder(folder.path()).unwrap();
    (folder, store)
}

/// Reads an object with the reader that its path calls for.
async fn read(store: &Store, object: &str) -> StoreError {
    let store = store.clone();
    let error = match object.split('/').next().unwrap() {
        "journal" => Journal::new(store).links("ab12", 0).await.err(),
        "labels" => Labels::new(store).get(1).await.err(),
        "ids" => Ids::new(store).all().await.err(),
        _ => Structures::new(store).get("abc").await.err(),
    };
    error.unwrap_or_else(|| panic!("{object} was read"))
}

const OBJECTS: [&str; 4] = ["journal/ab/ab12-000000", "labels/000000/0000000001", "ids/11.01", "structure/abc"];

#[tokio::test]
async fn what_a_newer_emm_wrote_is_told_from_damage() {
    for object in OBJECTS {
        // Nothing but the format is as this emm knows it.
        let (_folder, store) = with(object, &json!({ "format": 2, "effect": "teleported", "lessons": "none" }));
        match read(&store, object).await {
            StoreError::Newer { path, found, known } => assert_eq!((path.as_str(), found, known), (object, 2, 1)),
            error => panic!("{object}: {error}"),
        }
        for damaged in [json!({ "effect": "seen" }), json!({ "format": 1, "effect": "teleported" })] {
            let (_folder, store) = with(object, &damaged);
            match read(&store, object).await {
                StoreError::Damaged { path, .. } => assert_eq!(path, object),
                error => panic!("{object}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn a_store_has_one_identity_whoever_asks_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::folder(folder.path()).unwrap();
    assert_eq!(store.identity().await.unwrap(), None);
    let (one, other) = (store.clone(), Store::folder(folder.path()).unwrap());
    let (one, other) = tokio::join!(one.identify(), other.identify());
    let id = one.unwrap();
    assert_eq!(id, other.unwrap());
    assert_eq!(Store::folder(folder.path()).unwrap().identity().await.unwrap(), Some(id));
}

#[test]
fn a_home_uses_no_store_but_its_own() {
    let place = Place::new();
    place.drop_file("11/note.txt", b"a note\n");
    assert!(place.run(&["sweep"]).status.success());
    let journal = files(&place.path("store"));

    // Its disk is not mounted: the folder is empty, and stays so.
    fs::rename(place.path("store"), place.path("aside")).unwrap();
    let output = place.run(&["sweep"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("has no store") && said.contains("mounted"), "{said}");
    assert!(files(&place.path("store")).is_empty(), "an empty folder became a store");

    // The store of somebody else.
    let other = Place::new();
    assert!(other.run(&["sweep"]).status.success());
    fs::remove_dir_all(place.path("store")).unwrap();
    fs::rename(other.path("store"), place.path("store")).unwrap();
    let output = place.run(&["verify"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is the store") && said.contains("another --home"), "{said}");

    fs::remove_dir_all(place.path("store")).unwrap();
    fs::rename(place.path("aside"), place.path("store")).unwrap();
    assert_eq!(place.verify("its own again"), 1);
    assert_eq!(files(&place.path("store")), journal);
}

#[tokio::test]
async fn a_question_that_nobody_answered_counts_with_the_most_it_can_take() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(Store::folder(root.path()).unwrap());
    let asked = |at: &str, tokens: u64| Asked {
        at: at.into(),
        to: "http://127.0.0.1".into(),
        remote: false,
        model: "m".into(),
        document: "d".into(),
        name: "n".into(),
        bytes: 1,
        tokens,
        micros: tokens * 2,
        outcome: None,
    };
    let (first, late) = ("2026-03-01T10:00:00.000Z", "2026-03-01T23:59:59.999Z");
    // One by a process that was killed, one that is answered on the next day: both belong to the day on which they were sent.
    ledger.sent("aa", &asked(first, 500)).await.unwrap();
    ledger.sent("bb", &asked(late, 600)).await.unwrap();
    ledger.used("bb", &Asked { outcome: Some("none".into()), ..asked(late, 320) }).await.unwrap();
    assert_eq!(ledger.spent("2026-03-01", Sent::Question).await.unwrap(), Spent { tokens: 820, micros: 1640 });
    let outcomes: Vec<_> =
        ledger.of("2026-03-01").await.unwrap().into_iter().map(|it| (it.tokens, it.outcome)).collect();
    assert_eq!(outcomes, [(500, None), (320, Some("none".into()))]);
    assert_eq!(ledger.days().await.unwrap(), ["2026-03-01"]);
    assert_eq!(ledger.spent("2026-03-02", Sent::Question).await.unwrap(), Spent::default());
    // Texts whose meaning is asked for have a budget of their own.
    ledger.sent(&Sent::Texts.id(), &asked(first, 70)).await.unwrap();
    ledger.sent(&Sent::Question.id(), &asked(first, 1)).await.unwrap();
    assert_eq!(ledger.spent("2026-03-01", Sent::Texts).await.unwrap().tokens, 70);
    assert_eq!(ledger.spent("2026-03-01", Sent::Question).await.unwrap().tokens, 821);
}
