//! A server of embeddings that fails in whatever way costs nobody anything: the words decide, the reason is said, and what lacks its
//! meaning gets it when the server is back.

use emm::services::content_classifier::ENGINE;
use serde_json::{Value, json};

use crate::{
    embedding_server::{EmbeddingServer, Gives},
    meaning::{FOREIGN, JD, asked, best, teach, world},
    pods::get,
    process::eventually,
    world::{Placement, World},
};

/// What a server may do wrong, and a word of what is said of it.
fn misdeeds() -> Vec<(Gives, &'static str)> {
    vec![
        (Gives::Http(200, None, "<html>a proxy</html>"), "unknown form"),
        (Gives::Http(200, None, "{}"), "no list of vectors"),
        (Gives::Http(200, None, "{\"embeddings\": []}"), "0 vectors for"),
        (Gives::Http(200, None, "{\"embeddings\": [[]]}"), "unknown form"),
        (
            Gives::Http(200, None, "{\"embeddings\": [[0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]}"),
            "a vector that is none",
        ),
        (Gives::Http(200, None, "{\"embeddings\": [[1, 2], [1, NaN]]}"), "unknown form"),
        (Gives::Http(200, None, "{\"embeddings\": [[1, 1e999]]}"), "unknown form"),
        (Gives::Http(200, None, "{\"embeddings\": [[1], [1], [1, 2], [1], [1], [1]]}"), "vectors of 1 numbers, not 32"),
        (Gives::Numbers(31), "vectors of 31 numbers, not 32"),
        (Gives::Http(401, None, "{\"error\": \"bad key\"}"), "says 401"),
        (Gives::Http(404, None, "{\"error\": \"no model\"}"), "says 404"),
        (Gives::Http(500, None, "{\"error\": \"out of memory\"}"), "says 500"),
        (Gives::Http(429, Some(("retry-after", "9223372036854775807999")), ""), "wait 86400 s"),
        (Gives::Endless, "more than 65536 bytes"),
        (Gives::Silence, "no answer within 300 ms"),
        (Gives::Vanishes, "cannot be reached"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_server_does_the_words_decide() {
    let without = World::start(Placement::Together, JD, &json!({})).await;
    without.caught_up().await;
    let text = "The doctor wrote of the rent.";
    let plain = asked(&without, text, 0).await.candidates;
    without.stop().await;
    for (gives, word) in misdeeds() {
        let script = gives.clone();
        let server = EmbeddingServer::start(move |_, _| script.clone()).await;
        let more = json!({
            "wait_ms_max": 300, "answer_ms_max": 300, "answer_bytes_max": 65_536, "dimensions": 32, "rest_ms": 3_600_000,
        });
        let world = world(Placement::Together, &server, "ollama", &more).await;
        let first = asked(&world, text, 0).await;
        assert_eq!(first.candidates, plain, "{gives:?}");
        assert!(
            first.engine.starts_with(&format!("{ENGINE}, without meaning: ")) && first.engine.contains(word),
            "{gives:?}: {}",
            first.engine
        );
        for _ in 0..12 {
            assert_eq!(asked(&world, text, 0).await.candidates, plain, "{gives:?}");
        }
        teach(&world, "a.txt", "Something that is taught.", "12").await;
        asked(&world, text, 1).await;
        let calls = server.asked().len();
        assert!(calls <= 4, "{gives:?}: it is left alone, not asked {calls} times");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_says_that_something_optional_is_away() {
    let server = EmbeddingServer::start(|_, _| Gives::Http(500, None, "broken")).await;
    let world = world(Placement::Together, &server, "ollama", &json!({})).await;
    asked(&world, FOREIGN[0].1, 0).await;
    let address = world.addresses().remove(0);
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let health = tokio::task::block_in_place(|| get(port, "/health"));
    let health = health.unwrap_or_default();
    assert!(health.contains("degraded"), "{health}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taught_without_it_gets_its_meaning_when_the_server_is_back() {
    let lessons = [
        ("a.txt", "Wexil ul prantis om aprindo.", "15"),
        ("b.txt", "Drubo om wexil.", "15"),
        ("c.txt", "Zelbu ul Tselm.", "13"),
    ];
    let more = json!({ "rest_ms": 50 });
    let server = EmbeddingServer::sound().await;
    let always = world(Placement::Together, &server, "ollama", &more).await;
    let mut seq = 0;
    for (name, text, code) in lessons {
        seq = teach(&always, name, text, code).await;
    }
    let right = asked(&always, FOREIGN[2].1, seq).await;
    let taught = right.candidates.iter().find(|it| it.code == "15");
    assert!(taught.is_some_and(|it| !it.nearest.is_empty()), "{right:#?}");
    always.stop().await;

    server.now(|_, _| Gives::Http(500, None, "broken"));
    let world = world(Placement::Together, &server, "ollama", &more).await;
    for (name, text, code) in lessons {
        seq = teach(&world, name, text, code).await;
    }
    assert!(asked(&world, FOREIGN[2].1, seq).await.engine.contains("without meaning"));
    // Over a restart it is known what lacks its meaning.
    let mut flags = server.flags("ollama");
    crate::world::merge(&mut flags, &json!({ "embeddings": more }));
    let world = world.restart(Placement::Together, &flags).await;
    world.caught_up().await;
    server.now(|_, _| Gives::Meaning);
    let runtime = tokio::runtime::Handle::current();
    let found = tokio::task::block_in_place(|| {
        eventually("all is as if the server had never been away", || {
            let ranked = runtime.block_on(asked(&world, FOREIGN[2].1, seq));
            (ranked.candidates == right.candidates).then_some(ranked)
        })
    });
    assert_eq!(found.engine, right.engine);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_the_model_cannot_read_does_not_stop_the_others() {
    // Together with it none is taken.
    let server = EmbeddingServer::start(|texts, _| match texts.iter().any(|text| text.contains("poison")) {
        true => Gives::Http(400, None, "{\"error\": \"cannot tokenise\"}"),
        false => Gives::Meaning,
    });
    let server = server.await;
    let flags: Value = server.flags("openai");
    let world = World::start(Placement::Together, JD, &flags).await;
    world.caught_up().await;
    teach(&world, "a.txt", "poison", "14").await;
    let seq = teach(&world, "b.txt", FOREIGN[1].1, "13").await;
    let heard = |server: &EmbeddingServer| server.texts().iter().any(|text| text.contains("morkan")).then_some(());
    eventually("the other one is asked about", || heard(&server));
    assert_eq!(best(&asked(&world, FOREIGN[1].1, seq).await), "13");
    world.stop().await;
}
