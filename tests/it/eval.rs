//! `emm eval`: exact figures on a small set, the same on every run, and clear words where something is wrong.

use std::{collections::BTreeMap, fs, path::PathBuf};

use emm::domain::classify::{Measures, Outcome, accuracy};
use serde_json::Value;

use crate::process::Place;

fn case(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/eval").join(name).to_string_lossy().into_owned()
}

fn eval(place: &Place, more: &[&str]) -> Value {
    let (items, jd) = (case("items.jsonl"), case("jd.yaml"));
    place.json(&[&["eval", "--items", &items, "--jd", &jd], more].concat())
}

/// What is measured, and not how long it took or how much it weighed.
fn figures(report: &Value) -> BTreeMap<String, Value> {
    let machine = ["learn_ms", "predict_ms", "model_bytes", "rss_bytes"];
    let figures = report.as_object().unwrap().clone().into_iter();
    figures.filter(|(name, _)| !machine.contains(&name.as_str())).collect()
}

#[test]
fn the_figures_of_a_small_set_are_kept() {
    let place = Place::new();
    let splits = case("splits.json");
    let expected: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_str(&fs::read_to_string(case("expected.json")).unwrap()).unwrap();
    for protocol in ["cold", "warm", "growing"] {
        let report = eval(&place, &["--protocol", protocol, "--splits", &splits]);
        for (name, value) in &expected[protocol] {
            let found = report[name].as_f64().unwrap();
            assert!((found - value).abs() < 1e-9, "{protocol}: {name} is {found}, not {value}: {report:#}");
        }
        for name in ["learn_ms", "predict_ms", "model_bytes", "rss_bytes"] {
            let least = if (protocol, name) == ("cold", "learn_ms") { 0.0 } else { f64::MIN_POSITIVE };
            assert!(report[name].as_f64().unwrap() >= least, "{protocol}: {name}: {report:#}");
        }
        assert_eq!(report["first100"].is_number(), protocol == "growing", "{report:#}");
    }
}

#[test]
fn a_seed_makes_the_same_splits_every_time() {
    let place = Place::new();
    for protocol in ["cold", "warm", "growing"] {
        let seeded = |seed: &str| figures(&eval(&place, &["--protocol", protocol, "--seed", seed]));
        assert_eq!(seeded("7"), seeded("7"), "{protocol}");
        if protocol != "growing" {
            assert_ne!(seeded("7"), seeded("8"), "{protocol}");
        }
    }
    let warm = eval(&place, &["--protocol", "warm"]);
    // 70 % of each label, to the nearest: 6 of 8 each of seven times, 2 of 3, 1 of 2.
    assert_eq!((warm["learnt"].as_u64(), warm["asked"].as_u64()), (Some(45), Some(16)), "{warm:#}");
    let limited = eval(&place, &["--protocol", "warm", "--limit", "5"]);
    assert_eq!((limited["learnt"].as_u64(), limited["asked"].as_u64()), (Some(45), Some(5)), "{limited:#}");
}

#[test]
fn a_small_inbox_teaches_nothing() {
    let place = Place::new();
    let cold = |more: &[&str]| figures(&eval(&place, &[&["--protocol", "cold"], more].concat()));
    assert_eq!(cold(&["--inbox-em"]), cold(&[]));
}

#[test]
fn an_inbox_tells_where_names_say_nothing() {
    let place = Place::new();
    let mut lines = String::new();
    for number in 0..40 {
        for (label, name, words) in [("11", "Health", "brilm tovash quendle"), ("31", "Garden", "snarp woldic frebbin")]
        {
            // Of every fourth names and thesaurus say nothing, but what lies beside it does.
            let title = if number % 4 == 0 { "Untitled" } else { name };
            let item =
                serde_json::json!({ "id": format!("{label} {number}"), "title": title, "text": words, "label": label });
            lines += &format!("{item}\n");
        }
    }
    let items = place.path("items.jsonl");
    fs::write(&items, lines).unwrap();
    let (items, jd) = (items.to_string_lossy().into_owned(), case("jd.yaml"));
    let cold = |more: &[&str]| {
        let arguments = ["eval", "--items", &items, "--jd", &jd, "--protocol", "cold"];
        place.json(&[&arguments, more].concat())["top1"].as_f64().unwrap()
    };
    assert!((cold(&[]) - 0.75).abs() < 1e-9, "{}", cold(&[]));
    assert!((cold(&["--inbox-em"]) - 1.0).abs() < 1e-9, "{}", cold(&["--inbox-em"]));
}

#[test]
fn where_an_item_lay_is_not_read() {
    let place = Place::new();
    let text = fs::read_to_string(case("items.jsonl")).unwrap();
    let without: String = text
        .lines()
        .map(|line| {
            let mut item: Value = serde_json::from_str(line).unwrap();
            item.as_object_mut().unwrap().remove("path");
            format!("{item}\n")
        })
        .collect();
    assert_ne!(text, without);
    let items = place.path("items.jsonl");
    fs::write(&items, without).unwrap();
    let (items, jd) = (items.to_string_lossy().into_owned(), case("jd.yaml"));
    let other = place.json(&["eval", "--items", &items, "--jd", &jd, "--protocol", "growing"]);
    assert_eq!(figures(&other), figures(&eval(&place, &["--protocol", "growing"])));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let place = Place::new();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(place.path(name), bytes).unwrap();
        place.path(name).to_string_lossy().into_owned()
    };
    let good = "{\"id\": \"a\", \"text\": \"x\", \"label\": \"11\"}\n";
    let jd = case("jd.yaml");
    let cases: [(Vec<u8>, &str); 6] = [
        (format!("{good}{{\"id\": \"b\", \"label\"\n").into_bytes(), "line 2: EOF"),
        (format!("{good}{{\"id\": \"b\"}}\n").into_bytes(), "line 2: missing field `label`"),
        (format!("{good}\n{good}").into_bytes(), "line 3: the id \"a\" is there twice"),
        ([good.as_bytes(), b"\xff\xfe"].concat(), "line 2: it is not UTF-8"),
        (b"\n\n".to_vec(), "has no items"),
        (b"[1]\n".to_vec(), "line 1: "),
    ];
    let refused = |arguments: &[&str], code: i32, word: &str| {
        let output = place.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
    };
    for (bytes, word) in cases {
        let items = write("wrong.jsonl", &bytes);
        refused(&["eval", "--items", &items, "--jd", &jd, "--protocol", "cold"], 1, word);
    }
    let items = case("items.jsonl");
    let splits = write("splits.json", br#"{"warm_train": ["n00"], "warm_test": ["nobody"], "growing_order": []}"#);
    refused(
        &["eval", "--items", &items, "--jd", &jd, "--protocol", "warm", "--splits", &splits],
        1,
        "there is no item \"nobody\"",
    );
    let empty = write("jd.yaml", b"# nothing\n");
    refused(&["eval", "--items", &items, "--jd", &empty, "--protocol", "cold"], 1, "jd.yaml");
    refused(&["eval", "--items", &items, "--jd", "/nowhere/jd.yaml", "--protocol", "cold"], 1, "/nowhere/jd.yaml");
    refused(&["eval", "--items", &items, "--protocol", "cold"], 1, "--jd");
    refused(&["eval", "--items", &items, "--jd", &jd, "--protocol", "hot"], 2, "hot");
    refused(&["eval", "--items", &items, "--jd", &jd, "--protocol", "warm", "--inbox-em"], 1, "--inbox-em");
}

fn outcome(label: &str, predicted: &str, confidence: f64, rank: Option<usize>) -> Outcome {
    let predicted = (!predicted.is_empty()).then(|| predicted.to_owned());
    Outcome { label: label.to_owned(), predicted, confidence, rank }
}

#[test]
fn figures_are_what_they_are_called() {
    // By confidence: right, right, wrong, right, wrong (nothing to say).
    let outcomes = [
        outcome("a", "a", 0.90, Some(0)),
        outcome("b", "a", 0.60, Some(2)),
        outcome("b", "b", 0.85, Some(0)),
        outcome("a", "a", 0.55, Some(0)),
        outcome("c", "", 0.0, None),
    ];
    let measures = Measures::of(&outcomes);
    let close = |found: f64, expected: f64, what: &str| assert!((found - expected).abs() < 1e-12, "{what}: {found}");
    close(measures.top1, 3.0 / 5.0, "top1");
    close(measures.top3, 4.0 / 5.0, "top3");
    // a: 2 right of 2, predicted 3 times; b: 1 right of 2, predicted once; c: never.
    close(measures.macro_f1, (4.0 / 5.0 + 2.0 / 3.0 + 0.0) / 3.0, "macro_f1");
    // Half of five is three, rounded away from nothing; 80 % is four.
    close(measures.conf50, 2.0 / 3.0, "conf50");
    close(measures.conf80, 3.0 / 4.0, "conf80");
    // Bins: 0.90 alone (0.1 off), 0.85 alone (0.15), 0.60 alone (0.6), 0.55 alone (0.45), 0.0 alone (0).
    close(measures.ece, (0.1 + 0.15 + 0.6 + 0.45) / 5.0, "ece");
    close(measures.coverage95, 2.0 / 5.0, "coverage95");
    close(measures.coverage90, 2.0 / 5.0, "coverage90");
    close(accuracy(&outcomes[1..]), 2.0 / 4.0, "accuracy");
    let nothing = Measures::of(&[]);
    assert_eq!(nothing, Measures::default());
    // Ten of which the least sure is wrong: nine of ten are 90 %, and nine are all right.
    let many: Vec<Outcome> =
        (0..10).map(|at| outcome("a", "a", 0.99 - f64::from(at) / 100.0, (at != 9).then_some(0))).collect();
    close(Measures::of(&many).coverage90, 1.0, "coverage90");
    close(Measures::of(&many).coverage95, 0.9, "coverage95");
    // The last two are as sure as each other: no threshold takes one of them.
    let tied = [outcome("a", "a", 0.9, Some(0)), outcome("a", "a", 0.5, Some(0)), outcome("a", "b", 0.5, None)];
    close(Measures::of(&tied).coverage90, 1.0 / 3.0, "coverage90");
}

#[test]
fn a_person_is_told_how_well_emm_knows_their_own_vault() {
    let place = Place::new();
    let jd = "\"10-19\":\n  name: Life\n  categories:\n    \"11\": {name: Health}\n    \"12\": {name: Home}\n    \"13\": {name: Rent}\n";
    fs::write(place.path("jd.yaml"), jd).unwrap();
    let nothing = place.run(&["eval"]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing that you filed"), "{nothing:?}");
    // Two places that nobody can tell apart by their words, and one that is clear.
    for number in 0..12 {
        for (folder, words) in [
            ("11 Health", "doctor clinic prescription"),
            ("12 Home", "landlord flat lease"),
            ("13 Rent", "landlord flat lease"),
        ] {
            let path = place.path(&format!("vault/10-19 Life/{folder}/note {number}.md"));
            crate::world::write(&path, format!("# Note {number}\n\nAbout the {words}, number {number}.\n").as_bytes());
        }
    }
    assert!(place.run(&["sweep"]).status.success());
    let svg = place.path("mine.svg");
    let told = place.json(&["eval", "--svg", svg.to_str().unwrap(), "--precision", "0.9"]);
    assert_eq!(told["documents"], 36, "{told}");
    let of = |code: &str| told["places"].as_array().unwrap().iter().find(|it| it["code"] == code).unwrap().clone();
    assert_eq!(
        (&of("11")["found"], &of("11")["documents"]),
        (&serde_json::json!(12), &serde_json::json!(12)),
        "{told}"
    );
    // What lies there says nothing of itself: each was asked about without what it had taught.
    assert!(of("12")["found"].as_u64().unwrap() + of("13")["found"].as_u64().unwrap() < 20, "{told}");
    let pair = &told["confused"][0];
    let names = [pair["belongs"].as_str().unwrap(), pair["taken_for"].as_str().unwrap()];
    assert!(names.contains(&"12 Home") && names.contains(&"13 Rent"), "{told}");
    assert!(!pair["examples"].as_array().unwrap().is_empty(), "{told}");
    let proposed = &told["proposed"];
    assert!(proposed["precision"].as_f64().unwrap() >= 0.9 && proposed["coverage"].as_f64().unwrap() > 0.3, "{told}");
    let drawn = fs::read_to_string(svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n") && drawn.contains("proposed: from"), "{drawn}");
    let text = place.run(&["eval"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("36 documents of yours") && text.contains("taken for each other"), "{text}");
}
