//! The connection to Redis: bounded, and made again by itself.

use std::time::{Duration, Instant};

use emm::{
    backends::redis::{Fault, Redis, Request, Settings},
    config::Config,
};
use serde_json::json;

use crate::redis_server::RedisServer;

async fn set(redis: &Redis, limit: Duration) -> Result<(), Fault> {
    let mut command = redis::cmd("SET");
    command.arg(redis.key(&["test"])).arg(1);
    redis.ask_within(limit, Request::Command(&command)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ended_or_hangs_is_found_again() {
    let mut server = RedisServer::start();
    let redis = Redis::new(&server.settings("a")).unwrap();
    let limit = Duration::from_millis(200);
    set(&redis, limit).await.unwrap();
    assert_eq!(server.keys(), ["a:test"]);

    server.pause();
    let begun = Instant::now();
    assert!(matches!(set(&redis, limit).await, Err(Fault::Slow { limit_ms: 200, .. })));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    server.go_on();
    set(&redis, Duration::from_secs(10)).await.unwrap();

    server.kill();
    let fault = set(&redis, limit).await.unwrap_err();
    assert!(fault.is_silence(), "{fault}");
    server.start_again();
    redis.wait().await.unwrap();
    set(&redis, Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_password_is_asked_for_once_and_refused_at_once() {
    let server = RedisServer::start();
    server.command::<()>(&["CONFIG", "SET", "requirepass", "a secret"]);
    let with = |password: &str| -> Settings {
        Config::load(None, &json!({ "redis": { "port": server.port, "password": password } })).unwrap().redis
    };
    Redis::new(&with("a secret")).unwrap().wait().await.unwrap();
    let begun = Instant::now();
    for wrong in ["", "another"] {
        let fault = Redis::new(&with(wrong)).unwrap().wait().await.unwrap_err();
        assert!(matches!(fault, Fault::Refused { .. }), "{wrong:?}: {fault}");
        assert!(!fault.to_string().contains("a secret"));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "what is refused is not waited for: {:?}", begun.elapsed());
    let shown = serde_json::to_string(&with("a secret")).unwrap();
    assert!(shown.contains("***") && !shown.contains("a secret"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_waited_for_and_then_named() {
    let mut server = RedisServer::start();
    server.kill();
    let mut settings = server.settings("a");
    settings.start_ms_max = 200;
    let fault = Redis::new(&settings).unwrap().wait().await.unwrap_err();
    assert!(fault.to_string().contains(&format!("127.0.0.1:{}", server.port)), "{fault}");
    settings.start_ms_max = 60_000;
    let redis = Redis::new(&settings).unwrap();
    let (waited, ()) = tokio::join!(redis.wait(), async { tokio::task::block_in_place(|| server.start_again()) });
    waited.unwrap();
}
