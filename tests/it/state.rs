//! State: all or none of a write, whatever becomes of its neighbours.

use std::path::Path;

use emm::backends::state::{Put, Select, Settings, Space, State, StateError};
use rusqlite::Connection;

fn open(path: &Path) -> State {
    State::open(path, &Settings { queue_max: 64, batch_max: 64 }).unwrap()
}

fn put(key: &str) -> Put {
    Put::new(Space::Notes, key, "", &key)
}

async fn keys(state: &State) -> Vec<String> {
    let found: Vec<(String, String)> = state.scan(Space::Notes, Select::default()).await.unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_and_its_neighbours_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let state = open(&path);
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN new.key = 'poison'
                  BEGIN SELECT RAISE(ABORT, 'no poison'); END";
    Connection::open(&path).unwrap().execute_batch(refuse).unwrap();
    let bad = vec![put("before"), put("poison"), put("behind")];
    let (one, refused, other) =
        tokio::join!(state.write(vec![put("one")]), state.write(bad), state.write(vec![put("other")]));
    one.unwrap();
    other.unwrap();
    assert!(refused.unwrap_err().to_string().contains("no poison"));
    assert_eq!(keys(&state).await, ["one", "other"]);
}

#[tokio::test]
async fn a_commit_that_fails_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let state = open(&path);
    // A rule that is looked at only when the transaction is committed, as a full disk often is.
    let late = "CREATE TABLE parents (id INTEGER PRIMARY KEY);
                CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
                CREATE TRIGGER late AFTER INSERT ON entries WHEN new.key = 'late'
                BEGIN INSERT INTO children VALUES (1); END";
    Connection::open(&path).unwrap().execute_batch(late).unwrap();
    let error = state.write(vec![put("late")]).await.unwrap_err();
    assert!(error.to_string().contains("FOREIGN KEY"), "{error}");
    state.write(vec![put("after")]).await.unwrap();
    assert_eq!(keys(&state).await, ["after"]);
}

#[tokio::test]
async fn a_step_that_panics_ends_nothing_but_itself() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder.path().join("state.sqlite"));
    let (written, panicked) = tokio::join!(state.write(vec![put("one")]), state.panic());
    written.unwrap();
    assert!(matches!(panicked, Err(StateError::Panicked)), "{panicked:?}");
    state.write(vec![put("two")]).await.unwrap();
    assert_eq!(keys(&state).await, ["one", "two"]);
}
