//! What a hit of the cache costs, near and on a server, beside a bare GET through the same client:
//! `cargo bench --bench cache` (needs redis-server). Exit 1: a bar is missed.
#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a measurement stops at whatever is not as it should be")]

use std::{
    future::Future,
    net::TcpListener,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use emm::{
    backends::{
        cache::Cache,
        redis::{Redis, Request},
    },
    config::Config,
    life::Health,
};
use serde_json::{Value, json};

/// A near hit, in microseconds; and a far hit, as so many bare GETs.
const NEAR_US_MAX: f64 = 2.0;
const FAR_RATIO_MAX: f64 = 1.3;

/// Hits of one turn, and turns of which the quickest counts: the rest is what else the machine does.
const HITS: u32 = 2_000;
const TURNS: usize = 15;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let _server = Server(command.stdout(Stdio::null()).spawn().unwrap());
    let near = Config::load(None, &json!({ "redis": { "port": port } })).unwrap();
    // Nothing fits into the memory of this one: each of its hits is far.
    let far = Config::load(None, &json!({ "cache": { "redis": { "near_bytes_max": 0 } } })).unwrap();
    let redis = Redis::new(&near.redis).unwrap();
    redis.wait().await.unwrap();
    let near = Cache::on_server(&near.cache.redis, redis.clone(), Health::default());
    let far = Cache::on_server(&far.cache.redis, redis.clone(), Health::default());
    // What a ranking looks like.
    let value =
        json!({ "candidates": [{ "code": "11.16", "probability": 0.79 }], "labels": 12, "engine": "built-in 1" });
    let key = "classify/built-in 1/0123456789abcdef";
    let found = async |cache: &Cache| {
        let compute = async { Ok::<Value, Failed>(value.clone()) };
        assert!(cache.get_or(key.to_owned(), compute).await.is_ok());
    };
    found(&near).await;
    let name = redis.key(&["cache", key]);
    let bare = async || {
        let limit = Duration::from_secs(1);
        let mut command = redis::cmd("GET");
        let bytes: Vec<u8> = redis.ask_within(limit, Request::Command(command.arg(&name))).await.unwrap();
        assert!(!bytes.is_empty());
    };
    let (mut near_us, mut far_us, mut bare_us) = (f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..TURNS {
        near_us = near_us.min(each_us(|| found(&near)).await);
        bare_us = bare_us.min(each_us(&bare).await);
        far_us = far_us.min(each_us(|| found(&far)).await);
    }
    let ratio = far_us / bare_us;
    println!("near hit {near_us:.2} us (bar {NEAR_US_MAX})");
    println!("far hit {far_us:.1} us, bare GET {bare_us:.1} us, ratio {ratio:.2} (bar {FAR_RATIO_MAX})");
    let counts = far.counts();
    assert_eq!((counts.near, counts.computed), (0, 0), "{counts:?}");
    if near_us <= NEAR_US_MAX && ratio <= FAR_RATIO_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn each_us<F: Future<Output = ()>>(work: impl Fn() -> F) -> f64 {
    let begun = Instant::now();
    for _ in 0..HITS {
        work().await;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(HITS)
}

#[derive(Debug, Clone)]
struct Failed;

impl From<serde_json::Error> for Failed {
    fn from(_: serde_json::Error) -> Failed {
        Failed
    }
}
