//! What every state does, in a file and on a server: one set of tests for both.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use emm::{
    backends::{
        redis::Redis,
        state::{Lease, Put, RedisSettings, RedisState, Select, Space, Sqlite, SqliteSettings, State},
    },
    config::Config,
};
use serde_json::{Value, json};

use crate::redis_server::RedisServer;

/// Both states, empty, and what they live in.
struct Both {
    states: [(&'static str, State); 2],
    server: RedisServer,
    _folder: tempfile::TempDir,
}

/// Pages of three, so that nothing is read with one request only.
fn settings() -> RedisSettings {
    let flags = json!({ "state": { "redis": { "entries_per_page": 3 } } });
    Config::load(None, &flags).unwrap().state.redis
}

async fn both() -> Both {
    let (server, folder) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let sqlite = SqliteSettings { queue_max: 64, batch_max: 64 };
    let sqlite = State::Sqlite(Sqlite::open(&folder.path().join("state.sqlite"), &sqlite).unwrap());
    let redis = State::Redis(RedisState::open(Redis::new(&server.settings("a")).unwrap(), &settings()).await.unwrap());
    Both { states: [("sqlite", sqlite), ("redis", redis)], server, _folder: folder }
}

async fn scan(state: &State, select: Select) -> Vec<(String, String)> {
    state.scan(Space::Effects, select).await.unwrap()
}

fn put(key: &str, tag: &str, value: &str) -> Put {
    Put::new(Space::Effects, key, tag, &value)
}

fn keys(found: &[(String, String)]) -> Vec<&str> {
    found.iter().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn entries_are_found_by_key_tag_prefix_and_place() {
    let both = both().await;
    for (name, state) in &both.states {
        let all = ["b/1", "b/2", "a", "c", "b/3", "b", "é", "z:1", "\u{0}", ""];
        let puts = all.iter().map(|key| put(key, if key.starts_with('b') { "1:x" } else { "" }, key)).collect();
        state.write(puts).await.unwrap();
        let select = |tag: Option<&str>, prefix: &str, from: Option<&str>, newest_first, limit| {
            let (tag, from) = (tag.map(str::to_owned), from.map(str::to_owned));
            Select { tag, prefix: prefix.to_owned(), from, newest_first, limit }
        };
        type Case = (Option<&'static str>, &'static str, Option<&'static str>, bool, usize, Vec<&'static str>);
        let cases: Vec<Case> = vec![
            (None, "", None, false, 0, vec!["", "\u{0}", "a", "b", "b/1", "b/2", "b/3", "c", "z:1", "é"]),
            (None, "", None, true, 4, vec!["é", "z:1", "c", "b/3"]),
            (None, "b/", None, false, 0, vec!["b/1", "b/2", "b/3"]),
            (None, "b/", None, false, 2, vec!["b/1", "b/2"]),
            (None, "", Some("b/2"), false, 2, vec!["b/2", "b/3"]),
            (None, "", Some("b/2"), true, 0, vec!["b/1", "b", "a", "\u{0}", ""]),
            (None, "b/", Some("b/2"), true, 0, vec!["b/1"]),
            (None, "b/", Some("x"), true, 1, vec!["b/3"]),
            (None, "b/", Some("a"), false, 1, vec!["b/1"]),
            (None, "b/", Some("x"), false, 0, vec![]),
            (Some("1:x"), "", None, false, 0, vec!["b", "b/1", "b/2", "b/3"]),
            (Some("1:x"), "b/", None, true, 2, vec!["b/3", "b/2"]),
            (Some(""), "", None, false, 2, vec!["", "\u{0}"]),
            (Some("1"), "", None, false, 0, vec![]),
        ];
        for (tag, prefix, from, newest_first, limit, expected) in cases {
            let found = scan(state, select(tag, prefix, from, newest_first, limit)).await;
            assert_eq!(keys(&found), expected, "{name}: {tag:?} {prefix:?} {from:?} {newest_first} {limit}");
            assert!(found.iter().all(|(key, value)| key == value), "{name}: {found:?}");
        }
        assert_eq!(state.count(Space::Effects).await.unwrap(), [(String::new(), 6), ("1:x".to_owned(), 4)], "{name}");

        state
            .write(vec![Put::remove(Space::Effects, "b/2"), put("b/1", "", "new"), put("b/1", "2", "newer")])
            .await
            .unwrap();
        assert_eq!(keys(&scan(state, select(Some("1:x"), "", None, false, 0)).await), ["b", "b/3"], "{name}");
        assert_eq!(keys(&scan(state, select(Some("2"), "", None, false, 0)).await), ["b/1"], "{name}");
        assert_eq!(state.get::<String>(Space::Effects, "b/1").await.unwrap().unwrap(), "newer", "{name}");
        assert_eq!(state.get::<String>(Space::Effects, "b/2").await.unwrap(), None, "{name}");
        assert_eq!(state.get::<String>(Space::Notes, "a").await.unwrap(), None, "{name}: another space");
        let wanted = ["a", "nowhere", "b", "c", "é"].map(str::to_owned).to_vec();
        let many: BTreeMap<String, String> = state.get_many(Space::Effects, wanted).await.unwrap();
        assert_eq!(many.into_keys().collect::<Vec<_>>(), ["a", "b", "c", "é"], "{name}");

        state.write(vec![Put::new(Space::Notes, "other", "", &1)]).await.unwrap();
        assert_eq!(state.keys(Space::Notes).await.unwrap(), ["other"], "{name}");
        let all = state.keys(Space::Effects).await.unwrap();
        assert_eq!(all.len(), 9, "{name}");
        state.write(all.iter().map(|key| Put::remove(Space::Effects, key)).collect()).await.unwrap();
        assert!(scan(state, Select::default()).await.is_empty(), "{name}");
        assert!(state.count(Space::Effects).await.unwrap().is_empty(), "{name}");
        assert_eq!(state.get::<u8>(Space::Notes, "other").await.unwrap(), Some(1), "{name}");
    }
    assert!(both.server.keys().iter().all(|key| key.starts_with("a:")), "{:?}", both.server.keys());
}

#[tokio::test]
async fn any_writes_leave_the_same_in_both() {
    let both = both().await;
    // A fixed walk: the same on every run.
    let mut seed = 7_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..60 {
        let puts: Vec<Put> = (0..=next(8))
            .map(|_| {
                let (key, tag) = (format!("{}/{}", next(4), next(6)), next(3).to_string());
                if next(4) == 0 { Put::remove(Space::Effects, key) } else { put(&key, &tag, &round.to_string()) }
            })
            .collect();
        for (_, state) in &both.states {
            state.write(puts.clone()).await.unwrap();
        }
        let tag = (next(2) == 0).then(|| next(3).to_string());
        let prefix = if next(2) == 0 { format!("{}/", next(4)) } else { String::new() };
        let from = (next(2) == 0).then(|| format!("{}/{}", next(4), next(6)));
        let select = Select { tag, prefix, from, newest_first: next(2) == 0, limit: next(7) as usize };
        let [(_, one), (_, other)] = &both.states;
        let found = (scan(one, select.clone()).await, scan(other, select.clone()).await);
        assert_eq!(found.0, found.1, "round {round}: {select:?}");
        let counts = (one.count(Space::Effects).await.unwrap(), other.count(Space::Effects).await.unwrap());
        assert_eq!(counts.0, counts.1, "round {round}");
    }
}

#[tokio::test]
async fn who_comes_late_changes_nothing() {
    let both = both().await;
    for (name, state) in &both.states {
        let written = |tag: &str, next: Value| {
            let put = Put::new(Space::Chains, "item", tag, &json!({ "by": tag, "next": next })).growing_by("next");
            state.write(vec![put, Put::new(Space::Chains, "beside", tag, &1)])
        };
        let found = async || -> Value { state.get(Space::Chains, "item").await.unwrap().unwrap() };
        written("first", json!(3)).await.unwrap();
        written("late", json!(2)).await.unwrap();
        assert_eq!(found().await["by"], "first", "{name}");
        // Only that entry stays, and it is told by its own tag.
        let count = state.count(Space::Chains).await.unwrap();
        assert_eq!(count, [("first".to_owned(), 1), ("late".to_owned(), 1)], "{name}");
        for (tag, next) in [("again", json!(3)), ("tenth", json!(10)), ("eleventh", json!(11))] {
            written(tag, next).await.unwrap();
            assert_eq!(found().await["by"], tag, "{name}");
        }
        // What is no such entry is replaced, and a removal is one whatever it removes.
        for damaged in [json!("text"), json!(null), json!({ "next": "text" }), json!([12])] {
            state.write(vec![Put::new(Space::Chains, "item", "", &damaged)]).await.unwrap();
            written("whole", json!(1)).await.unwrap();
            assert_eq!(found().await["by"], "whole", "{name}: {damaged}");
        }
        let gone = vec![Put::remove(Space::Chains, "item"), Put::remove(Space::Chains, "beside")];
        state.write(gone).await.unwrap();
        assert!(state.count(Space::Chains).await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn what_is_written_once_stays() {
    let both = both().await;
    for (name, state) in &both.states {
        let once = |by: &str| Put::new(Space::Vectors, "text", by, &by).once();
        state.write(vec![once("first"), Put::new(Space::Vectors, "beside", "", &1)]).await.unwrap();
        state.write(vec![once("second"), Put::new(Space::Vectors, "beside", "", &2)]).await.unwrap();
        let text: Option<String> = state.get(Space::Vectors, "text").await.unwrap();
        let beside: Option<u32> = state.get(Space::Vectors, "beside").await.unwrap();
        assert_eq!((text.as_deref(), beside), (Some("first"), Some(2)), "{name}");
        let counts = state.count(Space::Vectors).await.unwrap();
        assert_eq!(counts, [(String::new(), 1), ("first".to_owned(), 1)], "{name}");
        // What was taken away can be written again.
        state.write(vec![Put::remove(Space::Vectors, "text"), once("third")]).await.unwrap();
        assert_eq!(state.get::<String>(Space::Vectors, "text").await.unwrap().as_deref(), Some("third"), "{name}");
    }
}

#[tokio::test]
async fn a_write_that_fails_on_the_server_leaves_nothing() {
    let both = both().await;
    let state = &both.states[1].1;
    both.server.command::<()>(&["SET", "a:state:notes:tagged", "not what it should be"]);
    let puts = vec![put("before", "", "x"), Put::new(Space::Notes, "poison", "", &1), put("behind", "", "x")];
    let error = state.write(puts).await.unwrap_err().to_string();
    assert!(error.contains("a:state:notes:tagged"), "{error}");
    assert!(scan(state, Select::default()).await.is_empty());
    // A full server refuses as a whole as well.
    both.server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = state.write(vec![put("one", "", "x"), put("two", "", "x")]).await.unwrap_err().to_string();
    assert!(error.contains("OOM"), "{error}");
    both.server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(scan(state, Select::default()).await.is_empty());
    state.write(vec![put("one", "", "x")]).await.unwrap();
}

#[tokio::test]
async fn vaults_that_share_a_server_do_not_meet() {
    let both = both().await;
    let mine = &both.states[1].1;
    let other = Redis::new(&both.server.settings("b")).unwrap();
    let other = State::Redis(RedisState::open(other, &settings()).await.unwrap());
    mine.write(vec![put("one", "", "mine")]).await.unwrap();
    assert!(scan(&other, Select::default()).await.is_empty());
    assert!(mine.lease("sweep", "me", 60_000).await.unwrap().is_some());
    assert!(other.lease("sweep", "you", 60_000).await.unwrap().is_some());
}

/// Takes a lease as soon as whoever has it lets it go or is gone.
async fn taken(state: &State, owner: &str) -> Lease {
    for _ in 0..2_000 {
        if let Some(lease) = state.lease("work", owner, 60_000).await.unwrap() {
            return lease;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the lease of one that is gone was never given to another");
}

#[tokio::test]
async fn a_lease_has_one_owner_and_a_token_that_grows() {
    let both = both().await;
    for (name, state) in &both.states {
        let first = state.lease("work", "one", 60_000).await.unwrap().unwrap();
        assert_eq!(state.lease("work", "two", 60_000).await.unwrap(), None, "{name}");
        assert!(state.lease("other work", "two", 60_000).await.unwrap().is_some(), "{name}");
        assert!(state.renew(&first, 60_000).await.unwrap(), "{name}");
        state.release(&first).await.unwrap();
        assert!(!state.renew(&first, 60_000).await.unwrap(), "{name}: it was given back");

        let second = state.lease("work", "two", 60_000).await.unwrap().unwrap();
        assert!(second.token > first.token, "{name}");
        assert!(!state.renew(&first, 60_000).await.unwrap(), "{name}: another one has it");
        state.release(&first).await.unwrap();
        assert_eq!(state.lease("work", "one", 60_000).await.unwrap(), None, "{name}: only its owner gives it back");

        // An owner that vanished: it is renewed to end soon, and nobody gives it back.
        assert!(state.renew(&second, 50).await.unwrap(), "{name}");
        let third = taken(state, "three").await;
        assert!(third.token > second.token, "{name}");
        assert!(!state.renew(&second, 60_000).await.unwrap(), "{name}: it ended");
    }
    // Tokens grow even where all that was known of them was lost.
    let redis = &both.states[1].1;
    let before = redis.lease("lost", "one", 60_000).await.unwrap().unwrap();
    both.server.command::<()>(&["FLUSHALL"]);
    let after = redis.lease("lost", "two", 60_000).await.unwrap().unwrap();
    assert!(after.token > before.token, "{after:?} {before:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_a_vanished_node_held_is_done_by_another() {
    let both = both().await;
    let [(_, file), (_, one)] = &both.states;
    let redis = Redis::new(&both.server.settings("a")).unwrap();
    let other = State::Redis(RedisState::open(redis, &settings()).await.unwrap());
    let held = one.hold("work").await.unwrap().unwrap();
    assert!(other.hold("work").await.unwrap().is_none());
    assert!(other.hold("other work").await.unwrap().is_some());
    held.let_go().await;
    let vanished = other.hold("work").await.unwrap().unwrap();
    // As with kill -9: nobody renews it, and nobody gives it back.
    drop(vanished);
    let begun = Instant::now();
    assert!(one.hold("work").await.unwrap().is_none(), "not before its lease ended");
    assert!(one.hold_within("work", Duration::from_secs(60)).await.unwrap().is_some());
    assert!(begun.elapsed() < Duration::from_secs(8), "within one lease: {:?}", begun.elapsed());
    // A home has one node, which never waits for itself.
    let (first, second) = (file.hold("work").await.unwrap(), file.hold("work").await.unwrap());
    assert!(first.is_some() && second.is_some());
}
