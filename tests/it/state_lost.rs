//! A server that loses all it had, under running nodes and between two starts: nothing is forgotten or filed twice.

use emm::{
    backends::{
        redis::Redis,
        state::{RedisState, State},
    },
    config::Config,
    contracts::{
        file_system::{Account, History, Overview, Verify},
        file_system_agent::{ListReviews, Sweep, Swept},
    },
};
use serde_json::{Value, json};

use crate::{
    process::{JD, eventually},
    redis_server::RedisServer,
    world::{BOTH, Placement, World},
};

fn extra(server: &RedisServer) -> Value {
    json!({ "redis": server.flags("vault"), "state": { "backend": "redis", "redis": { "look_ms": 50 } } })
}

async fn sweep(world: &World) -> Swept {
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap()
}

/// Nodes that have filed one document and wait for an answer to another.
async fn begun(server: &RedisServer, placement: Placement) -> World {
    let world = World::start(placement, JD, &extra(server)).await;
    world.drop_file("11/note.txt", b"A note about the house.\n");
    world.drop_file("strange.txt", b"xyzzy plugh frobnicate\n");
    world.caught_up().await;
    let swept = sweep(&world).await;
    assert_eq!((swept.filed.len(), swept.review.len()), (1, 1), "{swept:?}");
    assert!(server.keys().contains(&"vault:state:chains:values".to_owned()), "{:?}", server.keys());
    world
}

/// Nothing is forgotten, nothing is filed twice, and what is dropped now is filed.
async fn goes_on(world: &World, at: &str) {
    let known = world.call(Overview {}).await.unwrap();
    assert_eq!(known.items.values().sum::<usize>(), 2, "{at}: {known:?}");
    assert!(!world.call(History::default()).await.unwrap().entries.is_empty(), "{at}");
    // The same bytes again, and others.
    world.drop_file("11/again.txt", b"A note about the house.\n");
    world.drop_file("12/roof.txt", b"The roof was mended.\n");
    let swept = sweep(world).await;
    let filed: Vec<(&str, bool)> = swept.filed.iter().map(|it| (it.place.as_str(), it.filed.duplicate)).collect();
    assert_eq!(filed, [("11/again.txt", true), ("12/roof.txt", false)], "{at}: {swept:?}");
    // The question is asked again.
    assert_eq!(swept.review.len(), 1, "{at}: {swept:?}");
    assert_eq!(world.call(ListReviews {}).await.unwrap().reviews.len(), 1, "{at}");
    let Account { seen, filed, waiting, violations, .. } = world.call(Verify {}).await.unwrap();
    assert_eq!((seen, filed, waiting, violations.len()), (3, 2, 1, 0), "{at}: {violations:?}");
    let notes = world.files("vault").into_keys().filter(|path| path.ends_with(".md")).count();
    assert_eq!(notes, 2, "{at}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_lost_under_running_nodes_is_made_again() {
    for placement in BOTH {
        let server = RedisServer::start();
        let world = begun(&server, placement).await;
        server.command::<()>(&["FLUSHALL"]);
        goes_on(&world, &format!("{placement:?}, emptied")).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_empty_is_filled_again() {
    let mut server = RedisServer::start();
    let world = begun(&server, Placement::Together).await;
    server.kill();
    let refused = world.call(Overview {}).await.unwrap_err();
    assert_eq!(refused.code, emm::rpc::Code::Unavailable, "{refused}");
    tokio::task::block_in_place(|| server.start_empty());
    // Whoever comes while it is made again waits for that.
    goes_on(&world, "came back empty").await;

    // With all it had kept it is as good.
    tokio::task::block_in_place(|| server.start_again());
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!((account.seen, account.filed, account.waiting), (3, 2, 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_over_an_empty_server_finds_everything() {
    let mut server = RedisServer::start();
    let world = begun(&server, Placement::Apart).await;
    tokio::task::block_in_place(|| server.start_empty());
    let world = world.restart(Placement::Apart, &extra(&server)).await;
    world.caught_up().await;
    goes_on(&world, "started again").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_notices_and_says_so_to_nobody() {
    let server = RedisServer::start();
    let world = begun(&server, Placement::Together).await;
    let before: usize = server.command(&["HLEN", "vault:state:chains:values"]);
    server.command::<()>(&["FLUSHALL"]);
    // Nobody calls anything.
    tokio::task::block_in_place(|| {
        eventually("the chains are there again", || {
            (server.command::<usize>(&["HLEN", "vault:state:chains:values"]) == before).then_some(())
        });
        eventually("the notes are there again", || {
            (server.command::<usize>(&["HLEN", "vault:state:notes:values"]) == 1).then_some(())
        });
    });
    world.stop().await;
}

/// How many scripts the server has run.
fn scripts(server: &RedisServer) -> u64 {
    let info: String = server.command(&["INFO", "commandstats"]);
    let calls = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    calls.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_that_another_node_sweeps_is_left_to_it() {
    let server = RedisServer::start();
    let redis = Redis::new(&server.settings("vault")).unwrap();
    let settings = Config::load(None, &json!({})).unwrap().state.redis;
    let other = State::Redis(RedisState::open(redis, &settings).await.unwrap());
    let lease = other.lease("sweep", "another node", 600_000).await.unwrap().unwrap();

    let mut flags = extra(&server);
    flags["inbox"] = json!({ "settle_seconds": 0 });
    flags["file_system_agent"] = json!({ "look_ms": 50, "settling_look_ms": 20 });
    let world = World::start(Placement::Together, JD, &flags).await;
    world.caught_up().await;
    world.drop_file("11/note.txt", b"A note about the house.\n");
    let before = scripts(&server);
    tokio::task::block_in_place(|| {
        eventually("its agent asked for its turn many times", || (scripts(&server) > before + 30).then_some(()));
    });
    assert!(world.files("vault").is_empty(), "it swept all the same");
    // Who asks for a sweep gets one.
    assert_eq!(sweep(&world).await.filed.len(), 1);

    world.drop_file("12/roof.txt", b"The roof was mended.\n");
    other.release(&lease).await.unwrap();
    tokio::task::block_in_place(|| {
        eventually("its agent sweeps", || (world.files("vault").len() == 4).then_some(()));
    });
    world.stop().await;
}
