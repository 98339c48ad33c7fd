//! State: all or none of a write, whatever becomes of its neighbours; and a file that is of no use is made anew.

use std::{cell::Cell, fs, path::Path};

use emm::{
    backends::state::{Put, Select, Space, Sqlite, SqliteSettings, State, StateError},
    contracts::{
        file_system::{History, Overview, Reindex, Verify},
        file_system_agent::{ListReviews, Sweep},
    },
    domain::custody::Standing,
};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    process::JD,
    world::{Placement, World},
};

fn open(path: &Path) -> State {
    State::Sqlite(Sqlite::open(path, &SqliteSettings { queue_max: 64, batch_max: 64 }).unwrap())
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
    let State::Sqlite(sqlite) = &state else { panic!("it is not in a file") };
    let (written, panicked) = tokio::join!(state.write(vec![put("one")]), sqlite.panic());
    written.unwrap();
    assert!(matches!(panicked, Err(StateError::Panicked)), "{panicked:?}");
    state.write(vec![put("two")]).await.unwrap();
    assert_eq!(keys(&state).await, ["one", "two"]);
}

/// Says whether the state counts as one that lost something.
async fn has_lost(state: &State) -> bool {
    // Whatever was queued has been tried when this is answered.
    keys(state).await;
    futures_util::FutureExt::now_or_never(state.lost()).is_some()
}

#[tokio::test]
async fn what_is_written_soon_is_found_at_once_and_told_if_it_was_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let state = open(&path);
    state.write_soon(vec![put("one")]).await.unwrap();
    assert_eq!(keys(&state).await, ["one"]);
    assert!(!has_lost(&state).await);

    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN new.key = 'poison'
                  BEGIN SELECT RAISE(ABORT, 'no poison'); END";
    Connection::open(&path).unwrap().execute_batch(refuse).unwrap();
    state.write_soon(vec![put("before"), put("poison")]).await.unwrap();
    assert!(has_lost(&state).await);
    assert_eq!(keys(&state).await, ["one"], "all or none");

    // What is lost while it is made again is lost still.
    let healing = state.begin_healing().await.unwrap();
    assert!(healing.write_soon(vec![put("poison")]).await.is_err(), "who makes it again has to know");
    state.write_soon(vec![put("poison")]).await.unwrap();
    keys(&state).await;
    healing.healed().await.unwrap();
    assert!(has_lost(&state).await);
    state.begin_healing().await.unwrap().healed().await.unwrap();
    assert!(!has_lost(&state).await);
}

#[tokio::test]
async fn a_file_of_another_version_is_put_aside() {
    let of_version_7 = "CREATE TABLE entries (space TEXT, key TEXT, value BLOB); PRAGMA user_version = 7";
    let of_no_version = "CREATE TABLE entries (
            space TEXT NOT NULL, key TEXT NOT NULL, tag TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, key)
        ) WITHOUT ROWID;
        INSERT INTO entries VALUES ('notes', 'old', '', '\"old\"')";
    for schema in [of_version_7, of_no_version] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        Connection::open(&path).unwrap().execute_batch(schema).unwrap();
        let state = open(&path);
        assert_eq!(keys(&state).await, Vec::<String>::new(), "{schema}");
        state.write(vec![put("new")]).await.unwrap();
        drop(state);
        assert!(fs::read_dir(folder.path()).unwrap().count() > 1, "the old file is still there: {schema}");
        // Its own version is read again.
        assert_eq!(keys(&open(&path)).await, ["new"], "{schema}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_do_not_parse_are_made_again() {
    let world = World::start(Placement::Together, JD, &Value::Null).await;
    world.drop_file("11/note.txt", b"A note about the house.\n");
    world.drop_file("strange.txt", b"xyzzy plugh frobnicate\n");
    world.caught_up().await;
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert_eq!((swept.filed.len(), swept.review.len()), (1, 1), "{swept:?}");
    // The account looks at the vault first, so that its notes are known.
    world.call(Verify {}).await.unwrap();
    let before = world.call(Overview {}).await.unwrap();

    for space in ["chains", "checkpoints", "effects", "notes"] {
        let homes = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().path().join("state.sqlite"));
        let state = homes.into_iter().find(|path| path.is_file()).unwrap();
        let spoil = "UPDATE entries SET value = '{\"of\": \"another build\"}' WHERE space = ?";
        let spoiled = Connection::open(&state).unwrap().execute(spoil, [space]).unwrap();
        assert!(spoiled > 0, "{space} has no entries");
    }
    let world = world.restart(Placement::Together, &Value::Null).await;
    world.caught_up().await;
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.filed, account.waiting), (2, 1, 1), "{account:?}");
    let after = world.call(Overview {}).await.unwrap();
    assert_eq!(after.items, before.items);
    world.call(Reindex {}).await.unwrap();
    assert!(!world.call(History::default()).await.unwrap().entries.is_empty());
    // The question is asked again by the next sweep.
    assert!(world.call(ListReviews {}).await.unwrap().reviews.is_empty());
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    assert_eq!(swept.review.len(), 1, "{swept:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_while_all_is_made_again_finds_it() {
    let world = World::start(Placement::Together, JD, &Value::Null).await;
    world.caught_up().await;
    for number in 0..20 {
        world.drop_file(&format!("11/note {number}.txt"), format!("Note {number} about the house.\n").as_bytes());
    }
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
    let whole = async |world: &World| {
        let items: usize = world.call(Overview {}).await.unwrap().items.values().sum();
        (items, world.call(History { limit: 100, ..History::default() }).await.unwrap().entries.len())
    };
    let before = whole(&world).await;
    assert_eq!(before, (20, 40));

    let remade = Cell::new(None);
    let remake = async { remade.set(Some(world.call(Reindex {}).await.unwrap().items)) };
    let ask = async {
        while remade.get().is_none() {
            assert_eq!(whole(&world).await, before);
        }
        assert_eq!(whole(&world).await, before);
    };
    tokio::join!(remake, ask);
    assert_eq!(remade.get(), Some(20));

    // What the journal does not have is dropped, and what is wrong is set right.
    let homes = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().path().join("state.sqlite"));
    let state = Connection::open(homes.into_iter().find(|path| path.is_file()).unwrap()).unwrap();
    for sql in [
        "INSERT INTO entries SELECT space, 'zz' || key, tag, value FROM entries WHERE space IN ('chains', 'effects')",
        "UPDATE entries SET tag = 'review' WHERE space = 'chains' AND key LIKE 'a%'",
    ] {
        assert!(state.execute(sql, []).unwrap() > 0, "{sql}");
    }
    assert_ne!(whole(&world).await, before);
    world.call(Reindex {}).await.unwrap();
    assert_eq!(whole(&world).await, before);
    let items = world.call(Overview {}).await.unwrap().items;
    assert_eq!(items.into_keys().collect::<Vec<_>>(), [Standing::Filed]);
    world.stop().await;
}
