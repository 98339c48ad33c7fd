//! The cache: what is in it is computed once, and what it is kept on may be away, slow or full without anybody noticing.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use emm::{
    backends::{
        cache::{Cache, Counts, Memory, Unkept},
        redis::Redis,
    },
    config::Config,
    life::{Health, Overall},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{process::eventually, redis_server::RedisServer};

/// One node's cache on a shared server.
struct Shared {
    cache: Cache,
    health: Health,
}

impl Shared {
    fn new(server: &RedisServer, extra: &Value) -> Shared {
        let mut keys = json!({ "rest_ms": 20 });
        keys.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        let config = Config::load(None, &json!({ "cache": { "redis": keys } })).unwrap();
        let (redis, health) = (Redis::new(&server.settings("a")).unwrap(), Health::default());
        Shared { cache: Cache::on_server(&config.cache.redis, redis, health.clone()), health }
    }

    fn is_healthy(&self) -> bool {
        self.health.overall() == Overall::Healthy
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Failed(String);

impl From<serde_json::Error> for Failed {
    fn from(error: serde_json::Error) -> Failed {
        Failed(error.to_string())
    }
}

async fn value(cache: &Cache, key: &str, computed: &AtomicU32) -> String {
    let compute = async {
        computed.fetch_add(1, Ordering::SeqCst);
        // Long enough for others to ask meanwhile.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, Failed>(format!("the value of {key}"))
    };
    cache.get_or(key.to_owned(), compute).await.unwrap()
}

/// Asks for a value that computes at once.
async fn quick(cache: &Cache, key: &str) -> String {
    cache.get_or(key.to_owned(), async { Ok::<_, Failed>(key.to_owned()) }).await.unwrap()
}

#[tokio::test]
async fn what_many_ask_for_at_once_is_computed_once() {
    let (cache, computed) = (Cache::in_memory(&Memory { bytes_max: 1 << 20 }), AtomicU32::new(0));
    join_all((0..50).map(|_| value(&cache, "key", &computed))).await;
    assert_eq!(value(&cache, "key", &computed).await, "the value of key");
    assert_eq!(computed.into_inner(), 1);
    assert_eq!(cache.counts(), Counts { near: 50, far: 0, computed: 1 });
}

#[tokio::test]
async fn what_failed_or_is_not_to_be_kept_is_computed_again() {
    let cache = Cache::in_memory(&Memory { bytes_max: 1 << 20 });
    for _ in 0..2 {
        let failed: Result<u8, Failed> = cache.get_or("key".into(), async { Err(Failed("no".into())) }).await;
        assert_eq!(failed, Err(Failed("no".into())));
        let passing = async { Err(Unkept::Value(7)) };
        let settled: Result<u8, Failed> = Unkept::settle(cache.get_or("key".into(), passing).await);
        assert_eq!(settled, Ok(7));
    }
    assert_eq!(cache.get_or("key".into(), async { Ok::<u8, Failed>(8) }).await, Ok(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_computed_the_others_find() {
    let server = RedisServer::start();
    let (one, other) = (Shared::new(&server, &Value::Null), Shared::new(&server, &Value::Null));
    let computed = AtomicU32::new(0);
    let asks = (0..40).map(|at| value(if at % 2 == 0 { &one.cache } else { &other.cache }, "key", &computed));
    assert!(join_all(asks).await.iter().all(|found| found == "the value of key"));
    assert_eq!(computed.load(Ordering::SeqCst), 1, "once among both");
    let (mine, theirs) = (one.cache.counts(), other.cache.counts());
    assert_eq!((mine.far + theirs.far, mine.computed + theirs.computed), (1, 1), "{mine:?} {theirs:?}");

    // After a restart of the node it is still there, and under its prefix only, and it will go.
    let again = Shared::new(&server, &Value::Null);
    value(&again.cache, "key", &computed).await;
    assert_eq!(again.cache.counts(), Counts { near: 0, far: 1, computed: 0 });
    assert_eq!(server.keys(), ["a:cache:key"]);
    let ttl: i64 = server.command(&["TTL", "a:cache:key"]);
    assert!((1..=604_800).contains(&ttl), "{ttl}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_server_costs_next_to_nothing_and_is_used_again_when_it_is_back() {
    let mut server = RedisServer::start();
    let shared = Shared::new(&server, &Value::Null);
    assert_eq!(quick(&shared.cache, "before").await, "before");
    server.kill();
    let begun = Instant::now();
    for at in 0..500 {
        let key = format!("key {at}");
        assert_eq!(quick(&shared.cache, &key).await, key);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(shared.health.overall(), Overall::Degraded, "{:?}", shared.health.conditions());
    // Nobody asks for anything meanwhile.
    tokio::task::block_in_place(|| {
        server.start_again();
        eventually("the cache is healthy", || shared.is_healthy().then_some(()));
    });
    quick(&shared.cache, "after").await;
    assert!(server.keys().contains(&"a:cache:after".to_owned()), "{:?}", server.keys());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_waited_for_once() {
    let server = RedisServer::start();
    let shared = Shared::new(&server, &json!({ "answer_ms_max": 200, "rest_ms": 100 }));
    quick(&shared.cache, "before").await;
    server.pause();
    let begun = Instant::now();
    let keys: Vec<String> = (0..100).map(|at| format!("key {at}")).collect();
    join_all(keys.iter().map(|key| quick(&shared.cache, key))).await;
    let first = begun.elapsed();
    for at in 0..300 {
        quick(&shared.cache, &format!("later {at}")).await;
    }
    // One wait for those that asked at that moment; the others do not ask.
    assert!(first < Duration::from_millis(1_500), "{first:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(shared.health.overall(), Overall::Degraded);
    server.go_on();
    tokio::task::block_in_place(|| eventually("the cache is healthy", || shared.is_healthy().then_some(())));
    quick(&shared.cache, "after").await;
    assert!(server.keys().contains(&"a:cache:after".to_owned()));
}

#[tokio::test]
async fn a_full_server_is_read_and_no_error() {
    let server = RedisServer::start();
    let (one, other) = (Shared::new(&server, &Value::Null), Shared::new(&server, &Value::Null));
    quick(&one.cache, "before").await;
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(quick(&other.cache, "before").await, "before");
    assert_eq!(quick(&other.cache, "new").await, "new");
    assert_eq!(other.cache.counts(), Counts { near: 0, far: 1, computed: 1 });
    assert_eq!(other.health.overall(), Overall::Degraded);
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    quick(&other.cache, "newer").await;
    assert!(other.is_healthy() && server.keys().contains(&"a:cache:newer".to_owned()));
}

#[tokio::test]
async fn a_node_that_died_while_it_computed_holds_nobody_up_for_long() {
    let server = RedisServer::start();
    let shared = Shared::new(&server, &json!({ "wait_ms_max": 100 }));
    server.command::<()>(&["SET", "a:cache-lease:key", "1"]);
    let begun = Instant::now();
    assert_eq!(quick(&shared.cache, "key").await, "key");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_the_server_has_of_no_use_is_computed_again() {
    let server = RedisServer::start();
    let shared = Shared::new(&server, &json!({ "value_bytes_max": 100_000 }));
    let large = "a ".repeat(40_000);
    let make = |cache: Cache, large: String| async move {
        cache.get_or("key".into(), async { Ok::<_, Failed>(large) }).await.unwrap()
    };
    make(shared.cache.clone(), large.clone()).await;
    let kept: Vec<u8> = server.command(&["GET", "a:cache:key"]);
    assert!(kept.len() < 1_000, "it is compressed: {}", kept.len());
    // Cut off, of another build, or empty.
    for damaged in ["\u{1}x", "\u{7}value", ""] {
        server.command::<()>(&["SET", "a:cache:key", damaged]);
        let again = Shared::new(&server, &json!({ "value_bytes_max": 100_000 }));
        assert_eq!(make(again.cache.clone(), large.clone()).await, large, "{damaged:?}");
        assert_eq!(again.cache.counts().computed, 1, "{damaged:?}");
    }
    // Too large for the server: it is near only.
    let small = Shared::new(&server, &json!({ "value_bytes_max": 1_000 }));
    server.command::<()>(&["FLUSHALL"]);
    assert_eq!(make(small.cache.clone(), large.clone()).await, large);
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}

/// A text of so many bytes with words as often as in prose: the n-th word is n times as rare as the first.
fn prose(seed: u64, bytes: usize) -> String {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut text = String::new();
    while text.len() < bytes {
        let mut word = 5_000_f64.powf(next()) as u64;
        // Its letters follow from its number.
        text.push(char::from(b'a' + (word % 26) as u8));
        while word > 0 {
            text.push(char::from(b"etaoinshrdlu"[(word % 12) as usize]));
            word /= 5;
        }
        text.push(' ');
    }
    text
}

#[tokio::test]
async fn five_thousand_items_take_fifty_megabytes_of_the_server_at_most() {
    let server = RedisServer::start();
    let shared = Shared::new(&server, &Value::Null);
    let used = || -> f64 {
        let info: String = server.command(&["INFO", "memory"]);
        info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
    };
    quick(&shared.cache, "connected").await;
    let before = used();
    // A tenth of them: documents of 16 KB of text, some ten pages each.
    for item in 0..500_u64 {
        let key = format!("read/1/{}/document {item}.txt", blake3::hash(&item.to_le_bytes()).to_hex());
        let compute = async { Ok::<_, Failed>(json!({ "text": prose(item, 16 << 10) })) };
        shared.cache.get_or(key, compute).await.unwrap();
    }
    let bytes = used() - before;
    println!("{:.1} KB an item", bytes / 500.0 / 1024.0);
    assert!(bytes * 10.0 <= 50e6, "{:.1} MB for 5,000 items", bytes / 1e5);
}
