//! `emm llm check`, `log`, `compare`, and `emm eval --engine llm`, as a person types them.

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};

use crate::{
    llm_server::{LlmServer, Says, vote},
    pods::toml,
    process::Place,
    world::merge,
};

/// A home that asks this server.
fn place(server: &LlmServer, provider: &str, more: &Value) -> Place {
    let place = Place::new();
    let jd = "\"10-19\":\n  name: Life\n  categories:\n    \"11\": {name: Health, keywords: [doctor, clinic]}\n    \"12\": {name: Home, keywords: [rent, flat]}\n    \"13\": {name: Travel, privacy: local, keywords: [ticket]}\n";
    fs::write(place.path("jd.yaml"), jd).unwrap();
    let mut flags = server.flags(provider);
    merge(&mut flags, &json!({ "llm": more }));
    fs::write(place.path("emm.toml"), toml(&flags)).unwrap();
    place
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs commands, which block, beside the server.
async fn beside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_a_server_can_and_what_to_do_if_not() {
    for provider in ["ollama", "openai"] {
        let server = LlmServer::start(|_, _| Says::Place("12")).await;
        let home = place(&server, provider, &json!({}));
        let checked = beside(|| home.json(&["llm", "check"])).await;
        assert_eq!(
            (checked["keeps_to_the_schema"].clone(), checked["right"].clone()),
            (json!(true), json!(true)),
            "{checked}"
        );
        assert_eq!((checked["listed"].clone(), checked["remote"].clone()), (json!(true), json!(false)), "{checked}");
        if provider == "ollama" {
            assert_eq!(checked["context_tokens"], 2048);
            let text = said(&beside(|| home.run(&["llm", "check"])).await);
            assert!(text.contains("2048 tokens, and llm.context_tokens is 4096: lower it"), "{text}");
        }
    }
    let prose = LlmServer::start(|_, _| Says::Words("Home, I would say.".into())).await;
    let home = place(&prose, "openai", &json!({}));
    let output = beside(|| home.run(&["llm", "check"])).await;
    assert!(
        !output.status.success() && said(&output).contains("not what was asked for: Home, I would say."),
        "{}",
        said(&output)
    );
    let missing = LlmServer::start(|_, _| Says::Http(404, None, "{\"error\":\"model 'x' not found\"}")).await;
    let home = place(&missing, "ollama", &json!({ "model": "x" }));
    let text = said(&beside(|| home.run(&["llm", "check"])).await);
    assert!(text.contains("'ollama pull x' gets it") && text.contains("test-model:latest"), "{text}");
    let none = Place::new();
    let text = said(&beside(|| none.run(&["llm", "check"])).await);
    assert!(text.contains("set llm.provider"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_and_why_tell_what_was_asked_and_answered() {
    let server = LlmServer::start(|_, _| Says::Words(vote("99", "", ""))).await;
    let home = place(&server, "ollama", &json!({ "price_in": 1.0, "price_out": 1.0 }));
    home.drop_file("letter.txt", b"The doctor of the clinic wrote about the rent of the flat.\n");
    beside(|| {
        home.run(&["sweep"]);
        let why = said(&home.run(&["why", "letter.txt"]));
        assert!(why.contains("test-model gave no vote: it named a place that was not on the list"), "{why}");
        let log = home.json(&["llm", "log"]);
        let entry = &log["entries"][0];
        assert_eq!(
            (&entry["name"], &entry["tokens"], &entry["micros"]),
            (&json!("letter.txt"), &json!(320), &json!(320)),
            "{log}"
        );
        let text = said(&home.run(&["llm", "log"]));
        assert!(text.contains("1 questions, 320 tokens, 0.000320") && text.contains("not on the list"), "{text}");
        assert_eq!(home.json(&["llm", "log", "--day", "2001-01-01"])["entries"], json!([]));
    })
    .await;
}

/// Says the place whose word stands in the document.
fn knows(question: &str, _: usize) -> Says {
    let document = question.split("between two fences").nth(1).unwrap_or_default();
    Says::Words(vote(if document.contains("zebra") { "11" } else { "12" }, "", ""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eval_and_compare_measure_a_model_beside_the_engine() {
    let server = LlmServer::start(knows).await;
    let home = place(&server, "openai", &json!({ "price_in": 1.0, "price_out": 1.0 }));
    // The engine cannot know what a zebra has to do with it.
    let item = |number: usize| {
        let (animal, label) = if number.is_multiple_of(2) { ("zebra", "11") } else { ("lion", "12") };
        json!({ "id": number.to_string(), "title": "", "text": format!("the doctor wrote about rent: {animal} {number}"), "label": label })
    };
    let items: String = (0..20).map(|number| item(number).to_string() + "\n").collect();
    fs::write(home.path("items.jsonl"), items).unwrap();
    let (items, jd) = (home.path("items.jsonl"), home.path("jd.yaml"));
    let (items, jd) = (items.to_str().unwrap(), jd.to_str().unwrap());
    let eval = ["eval", "--items", items, "--jd", jd, "--protocol", "cold", "--limit", "10"];
    beside(|| {
        let alone = home.json(&eval);
        assert!(alone.get("llm").is_none() && server.asked().is_empty(), "{alone}");
        let with = home.json(&[&eval[..], &["--engine", "llm"]].concat());
        let llm = &with["llm"];
        assert_eq!((&llm["questions"], &llm["votes"], &llm["right"]), (&json!(10), &json!(10), &json!(10)), "{with}");
        assert_eq!((&llm["tokens_in"], &llm["cost"]), (&json!(3000), &json!(0.0032)), "{with}");
        assert!(with["top1"].as_f64() > alone["top1"].as_f64() && with["top1"] == 1.0, "{alone} {with}");
    })
    .await;

    // People's own confirmations: what they filed by hand.
    for number in 0..6 {
        let folder = if number % 2 == 0 { "11" } else { "12" };
        let animal = if number % 2 == 0 { "zebra" } else { "lion" };
        home.drop_file(
            &format!("{folder}/{number}.txt"),
            format!("the doctor wrote about rent: {animal} {number}\n").as_bytes(),
        );
    }
    let asked = server.asked().len();
    beside(|| {
        assert!(home.run(&["sweep"]).status.success());
        let rows = home.json(&["llm", "compare", "test-model", "another"]);
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1]["model"], "another");
        assert!(
            rows.iter().all(|row| row["votes"] == row["right"] && row["questions"].as_u64() >= Some(1)),
            "{rows:?}"
        );
        let logged = home.json(&["llm", "log"])["entries"].as_array().unwrap().len();
        assert_eq!(logged, server.asked().len() - asked, "what a comparison sends is in the ledger as well");
        let text = said(&home.run(&["llm", "compare", "test-model", "-n", "3"]));
        assert!(text.contains("3 documents that people placed"), "{text}");
        // Where a private place may be meant, nothing goes to a remote server.
        let (before, config) = (server.asked().len(), home.path("emm.toml"));
        let remote = fs::read_to_string(&config).unwrap() + "\"llm\".\"place\" = \"remote\"\n";
        fs::write(&config, remote).unwrap();
        let private =
            fs::read_to_string(home.path("jd.yaml")).unwrap().replace("name: Health,", "name: Health, privacy: local,");
        fs::write(home.path("jd.yaml"), private).unwrap();
        home.json(&["llm", "compare", "test-model"]);
        assert_eq!(server.asked().len(), before);
        let nothing = Place::new();
        assert!(said(&nothing.run(&["llm", "compare", "x"])).contains("nothing was taught yet"));
        assert!(Path::new(items).is_file());
    })
    .await;
}
