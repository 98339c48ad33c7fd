//! Meaning beside words: it places what shares no word with the structure, learns, is asked once, and stays within privacy; the
//! same in every placement.

use std::fs;

use emm::{
    backends::embeddings::Settings,
    config::Config,
    contracts::{
        content_classifier::{Classified, Classify, LlmLog},
        file_system::{Decision, File, ListInbox},
        jd_classifier::GetStructure,
    },
    services::content_classifier::ENGINE,
};
use serde_json::{Value, json};

use crate::{
    embedding_server::{EmbeddingServer, Gives},
    pods::toml,
    process::{Place, eventually},
    world::{ALL, BOTH, Placement, World, merge},
};

pub(crate) const JD: &str = r#"
"10-19":
  name: Life
  categories:
    "11": { name: Health, keywords: [doctor] }
    "12": { name: Home, keywords: [rent, flat] }
    "13": { name: Travel, keywords: [hotel] }
    "14": { name: Money, keywords: [tax] }
    "15": { name: School, keywords: [university] }
    "16": { name: Food, keywords: [recipe] }
"#;

/// In a language that only the model knows: neither the structure nor the thesaurus has one of these words.
pub(crate) const FOREIGN: [(&str, &str); 3] = [
    ("12", "Velmo dastur Kowalski, om qarvel ul tovine prantis. Un saruql"),
    ("13", "Om morkan ul Tselm, om zelbu aprindo."),
    ("16", "Wexil drubo ul prantis, hestur om hestur."),
];

pub(crate) async fn world(placement: Placement, server: &EmbeddingServer, provider: &str, more: &Value) -> World {
    let mut flags = server.flags(provider);
    merge(&mut flags, &json!({ "embeddings": more }));
    let world = World::start(placement, JD, &flags).await;
    world.caught_up().await;
    world
}

pub(crate) async fn asked(world: &World, text: &str, at_least: u64) -> Classified {
    let structure = world.call(GetStructure::default()).await.unwrap().hash;
    let (name, text) = ("scan.txt".to_owned(), text.to_owned());
    let request = Classify {
        structure,
        name,
        title: String::new(),
        text,
        kind: "txt".into(),
        hints: vec![],
        category: None,
        at_least,
        top: 3,
        bar: None,
    };
    world.call(request).await.unwrap()
}

pub(crate) fn best(ranked: &Classified) -> &str {
    ranked.candidates.first().map_or("", |best| &best.code)
}

/// A person puts a text somewhere; gives the number of the label.
pub(crate) async fn teach(world: &World, name: &str, text: &str, code: &str) -> u64 {
    let structure = world.call(GetStructure::default()).await.unwrap().hash;
    world.drop_file(name, text.as_bytes());
    let request = ListInbox { after: None, wait_ms: 0, settled: true, places: vec![] };
    let item = world.call(request).await.unwrap().items.remove(0);
    let decision = Decision {
        code: code.into(),
        structure,
        confidence: 1.0,
        by_person: true,
        candidates: vec![],
        engine: String::new(),
        opinion: None,
        guess: None,
        threshold: None,
    };
    let (run, dry_run, taken) = ("test".to_owned(), false, vec![]);
    world.call(File { item, decision, run, dry_run, taken }).await.unwrap();
    world.caught_up().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shares_no_word_is_placed_the_same_in_every_placement() {
    let without = World::start(Placement::Together, JD, &json!({})).await;
    without.caught_up().await;
    for (_, text) in FOREIGN {
        let ranked = asked(&without, text, 0).await;
        assert!(ranked.candidates.first().is_none_or(|best| best.probability < 0.2), "{ranked:#?}");
        assert!(ranked.candidates.iter().all(|it| it.meaning.is_none()) && ranked.engine == ENGINE);
    }
    without.stop().await;
    for provider in ["ollama", "openai"] {
        let mut found = Vec::new();
        for placement in if provider == "ollama" { &ALL[..3] } else { &BOTH[..1] } {
            let server = EmbeddingServer::sound().await;
            let world = world(*placement, &server, provider, &json!({ "place_prefix": "place: " })).await;
            let mut all = Vec::new();
            for (code, text) in FOREIGN {
                let ranked = asked(&world, text, 0).await;
                assert_eq!(best(&ranked), code, "{ranked:#?}");
                assert!(ranked.candidates[0].meaning.is_some_and(|share| share > 0.5), "{ranked:#?}");
                assert_eq!(ranked.engine, format!("{ENGINE}, with meaning by test-model"));
                all.push(ranked.candidates);
            }
            // What a person teaches counts on the very next item, and by what it means: the rent is of the school now.
            let seq = teach(&world, "a.txt", "Qarvel ul grondel, om saruql.", "15").await;
            let seq = teach(&world, "b.txt", "Saruql, tovine ul qarvel.", "15").await.max(seq);
            let ranked = asked(&world, FOREIGN[0].1, seq).await;
            assert!(ranked.candidates.iter().any(|it| it.code == "15"), "{ranked:#?}");
            all.push(ranked.candidates);
            let call = &server.asked()[0];
            assert_eq!(call["model"], "test-model");
            assert!(server.texts().iter().any(|text| text == "place: Home. rent, flat"), "{:?}", server.texts());
            let mut texts = server.texts();
            texts.sort();
            let count = texts.len();
            texts.dedup();
            assert_eq!(texts.len(), count, "nothing is asked twice: {texts:?}");
            found.push(all);
            world.stop().await;
        }
        assert!(found.windows(2).all(|two| two[0] == two[1]), "{provider}: {found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_pays_nothing_again_and_another_model_begins_anew() {
    let server = EmbeddingServer::sound().await;
    let first = world(Placement::Together, &server, "ollama", &json!({})).await;
    let seq = teach(&first, "a.txt", FOREIGN[1].1, "13").await;
    let before = asked(&first, FOREIGN[0].1, seq).await.candidates;
    let calls = server.asked().len();
    let again = first.restart(Placement::Together, &server.flags("ollama")).await;
    again.caught_up().await;
    assert_eq!(asked(&again, FOREIGN[0].1, seq).await.candidates, before);
    assert_eq!(server.asked().len(), calls, "kept: {:?}", server.texts());
    // Vectors of two models say nothing of each other: all is asked anew, the example as well.
    let mut other = server.flags("ollama");
    merge(&mut other, &json!({ "embeddings": { "model": "another" } }));
    server.now(|_, _| Gives::Numbers(48));
    let world = again.restart(Placement::Together, &other).await;
    world.caught_up().await;
    let example = |server: &EmbeddingServer| {
        let calls = server.asked().into_iter().skip(calls);
        let texts = calls.filter(|call| call["model"] == "another").map(|call| call["input"].to_string());
        texts.collect::<String>().contains("morkan")
    };
    eventually("the example is asked about again", || example(&server).then_some(()));
    assert_eq!(best(&asked(&world, FOREIGN[0].1, seq).await), "12");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_places_keep_their_documents_and_what_is_said_of_them_from_remote_servers() {
    let jd = JD.replace("\"12\": { name: Home", "\"12\": { name: Home, privacy: local");
    // As many as are looked at speak of hotels, so that one of those may be meant and not the private one.
    let hotels = (21..27).map(|code| format!("    \"{code}\": {{ name: \"Hotel {code}\", keywords: [sea] }}\n"));
    let jd = format!("{jd}\"20-29\":\n  name: Sea\n  categories:\n{}", hotels.collect::<String>());
    let letter = "The rent of the flat. Secret: 4711.";
    for (place, leaves) in [("remote", false), ("auto", true)] {
        let server = EmbeddingServer::sound().await;
        let mut flags = server.flags("ollama");
        merge(&mut flags, &json!({ "embeddings": { "place": place, "price_in": 2.0 } }));
        let world = World::start(Placement::Together, &jd, &flags).await;
        world.caught_up().await;
        let ranked = asked(&world, letter, 0).await;
        assert_eq!((best(&ranked), ranked.engine.contains("stay here")), ("12", !leaves), "{}", ranked.engine);
        let seq = teach(&world, "a.txt", "The landlord wrote. Secret: 4712.", "12").await;
        asked(&world, "A hotel at the sea.", seq).await;
        let sent = server.texts().join("\n");
        assert!(sent.contains("A hotel at the sea"), "{sent}");
        for private in ["4711", "4712", "Home"] {
            assert_eq!(sent.contains(private), leaves, "{place} {private}: {sent}");
        }
        // What left is in the ledger; what stayed on this machine did not leave.
        let entries = world.call(LlmLog { day: None, limit: 99 }).await.unwrap().entries;
        assert_eq!(entries.is_empty(), leaves, "{entries:#?}");
        if let Some(entry) = entries.first() {
            assert!(
                entry.remote && entry.outcome.as_deref() == Some("vectors") && entry.micros == 2 * entry.tokens,
                "{entry:?}"
            );
            assert!(entries.iter().any(|it| it.name == "scan.txt") && entries.len() == server.asked().len());
        }
        world.stop().await;
    }
    let remote = |url: &str| {
        let flags = json!({ "embeddings": { "provider": "openai", "base_url": url } });
        let settings: Settings = Config::load(None, &flags).unwrap().embeddings;
        settings.is_remote()
    };
    assert!(remote("") && remote("http://192.168.1.4/v1") && !remote("http://localhost:1/v1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_bounds_what_goes_to_a_remote_server() {
    let server = EmbeddingServer::sound().await;
    let more = json!({ "place": "remote", "tokens_per_day": 90 });
    let world = world(Placement::Together, &server, "openai", &more).await;
    let mut spent = 0;
    for number in 0..8 {
        let ranked = asked(&world, &format!("{} {number}", FOREIGN[0].1), 0).await;
        spent += u32::from(ranked.engine.contains("the budget of 90 tokens a day is spent"));
    }
    assert!((1..=7).contains(&spent), "{spent} of 8 had none");
    assert_eq!(server.asked().len() as u32 + spent, 9, "one call for the places");
    world.stop().await;
}

fn home(server: &EmbeddingServer, provider: &str, more: &Value) -> Place {
    let place = Place::new();
    fs::write(place.path("jd.yaml"), JD).unwrap();
    let mut flags = server.flags(provider);
    merge(&mut flags, &json!({ "embeddings": more }));
    fs::write(place.path("emm.toml"), toml(&flags)).unwrap();
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_what_the_server_can_and_what_to_do_if_not() {
    let server = EmbeddingServer::sound().await;
    let said = |place: &Place| {
        let output = tokio::task::block_in_place(|| place.run(&["doctor"]));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().find(|line| line.contains("embeddings")).unwrap_or_default().to_owned()
    };
    let fine = said(&home(&server, "openai", &json!({})));
    assert!(fine.contains("ok") && fine.contains("32 numbers") && fine.contains("for what it is"), "{fine}");
    server.now(|_, _| Gives::Http(404, None, "{\"error\":\"model 'x' not found\"}"));
    let missing = said(&home(&server, "ollama", &json!({ "model": "x" })));
    assert!(missing.contains("'ollama pull x' gets it; it has test-model:latest"), "{missing}");
    server.now(|_, _| Gives::Http(401, None, "{}"));
    let refused = said(&home(&server, "openai", &json!({ "required": true })));
    assert!(refused.contains("FAIL") && refused.contains("EMM_EMBEDDINGS__API_KEY_FILE"), "{refused}");
    assert_eq!(said(&Place::new()), "", "without a model nothing is missing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eval_measures_it_and_asks_nothing_twice() {
    let server = EmbeddingServer::sound().await;
    let place = home(&server, "openai", &json!({}));
    let item = |(number, (code, text)): (usize, &(&str, &str))| {
        json!({ "id": number.to_string(), "title": "", "text": text, "label": code }).to_string() + "\n"
    };
    fs::write(place.path("items.jsonl"), FOREIGN.iter().enumerate().map(item).collect::<String>()).unwrap();
    let path = |name: &str| place.path(name).to_string_lossy().into_owned();
    let (items, jd, vectors) = (path("items.jsonl"), path("jd.yaml"), path("vectors.jsonl"));
    let eval = ["eval", "--items", &items, "--jd", &jd, "--protocol", "cold"];
    tokio::task::block_in_place(|| {
        let alone = place.json(&eval);
        assert!(server.asked().is_empty() && alone.get("embeddings").is_none(), "{alone}");
        let with = [&eval[..], &["--embeddings", "--vectors", &vectors]].concat();
        let first = place.json(&with);
        assert_eq!((first["top1"].as_f64(), first["embeddings"]["texts"].as_u64()), (Some(1.0), Some(9)), "{first}");
        assert!(alone["top1"].as_f64() < Some(0.5), "{alone}");
        let again = place.json(&with);
        assert_eq!((&again["top1"], &again["embeddings"]["texts"]), (&first["top1"], &json!(0)), "{again}");
        server.now(|_, _| Gives::Http(500, None, "broken"));
        let output = place.run(&[&eval[..], &["--embeddings"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("says 500: broken"), "{said}");
    });
}
