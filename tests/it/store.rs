//! The store: what another emm wrote is told apart from damage, and a store is told from every other one.

use emm::backends::store::{Ids, Journal, Labels, Store, StoreError, Structures};
use serde_json::{Value, json};

use crate::world::write;

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
