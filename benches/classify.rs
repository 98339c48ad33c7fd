//! How well and how fast the engine classifies labelled sets: `cargo bench --bench classify -- DIR [--growing] [SET..]`.
//!
//! Each set is a folder with `items.jsonl`, `jd.yaml` and `splits.json`; `path` gives the label away and is never read.
#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::time::Instant;

use emm::domain::classify::{Candidate, Document, Engine, Features, Target};
use serde_json::Value;

struct Item {
    id: String,
    label: String,
    title: String,
    features: Features,
}

struct Set {
    items: BTreeMap<String, Item>,
    targets: Vec<Target>,
    splits: BTreeMap<String, Vec<String>>,
    features_us: f64,
}

/// One prediction: the probability of the first candidate and the rank of the right one.
struct Outcome {
    probability: f64,
    rank: Option<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let growing = arguments.iter().any(|a| a == "--growing");
    let mut plain = arguments.iter().filter(|a| !a.starts_with("--"));
    let Some(folder) = plain.next().map(PathBuf::from) else {
        println!("usage: cargo bench --bench classify -- DIR [--growing] [SET..]");
        return Ok(());
    };
    let mut sets: Vec<String> = plain.cloned().collect();
    if sets.is_empty() {
        for entry in std::fs::read_dir(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if folder.join(&name).join("items.jsonl").exists() {
                sets.push(name);
            }
        }
        sets.sort();
    }
    println!(
        "{:18} {:8} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>9} {:>9} {:>9}",
        "set", "protocol", "items", "top1", "top3", "cov95", "cov90", "ece", "mean p", "features", "learn", "classify"
    );
    let foreign = arguments.iter().find_map(|a| a.strip_prefix("--foreign="));
    let foreign = foreign.map(|name| read(&folder.join(name))).transpose()?;
    for name in sets {
        let set = read(&folder.join(&name))?;
        if let Some(foreign) = &foreign {
            strangers(&name, &set, foreign);
            continue;
        }
        cold(&name, &set);
        warm(&name, &set);
        weigh(&set);
        if growing {
            grow(&name, &set);
        }
    }
    Ok(())
}

fn cold(name: &str, set: &Set) {
    let engine = Engine::new(set.targets.clone());
    let start = Instant::now();
    let test: Vec<&Item> = set.splits["warm_test"].iter().filter_map(|id| set.items.get(id)).collect();
    let outcomes: Vec<Outcome> =
        test.iter().map(|item| outcome(&engine.classify_features(&item.features, 3), &item.label)).collect();
    row(name, "cold", &outcomes, set.features_us, 0.0, micros(start, outcomes.len()));
}

fn warm(name: &str, set: &Set) {
    let mut engine = Engine::new(set.targets.clone());
    let start = Instant::now();
    let train: Vec<&Item> = set.splits["warm_train"].iter().filter_map(|id| set.items.get(id)).collect();
    for item in &train {
        engine.learn_features(&item.label, &item.id, &item.title, &item.features);
    }
    let learn = micros(start, train.len());
    let start = Instant::now();
    let test: Vec<&Item> = set.splits["warm_test"].iter().filter_map(|id| set.items.get(id)).collect();
    let outcomes: Vec<Outcome> =
        test.iter().map(|item| outcome(&engine.classify_features(&item.features, 3), &item.label)).collect();
    row(name, "warm", &outcomes, set.features_us, learn, micros(start, outcomes.len()));
}

/// How sure the engine is of items that belong nowhere here: those of another set.
fn strangers(name: &str, set: &Set, foreign: &Set) {
    let mut engine = Engine::new(set.targets.clone());
    for item in set.splits["warm_train"].iter().filter_map(|id| set.items.get(id)) {
        engine.learn_features(&item.label, &item.id, &item.title, &item.features);
    }
    let test = foreign.splits["warm_test"].iter().take(500).filter_map(|id| foreign.items.get(id));
    let sure: Vec<f64> =
        test.map(|item| engine.classify_features(&item.features, 1).first().map_or(0.0, |c| c.probability)).collect();
    let share = |least: f64| 100.0 * sure.iter().filter(|p| **p >= least).count() as f64 / sure.len().max(1) as f64;
    println!(
        "{name:18} strangers {:6}: >= 0.5 {:5.1} %, >= 0.7 {:5.1} %, >= 0.9 {:5.1} %",
        sure.len(),
        share(0.5),
        share(0.7),
        share(0.9)
    );
}

/// What the whole set costs: all of it learnt, as snapshot, restored.
fn weigh(set: &Set) {
    let start = Instant::now();
    let mut engine = Engine::new(set.targets.clone());
    for item in set.items.values() {
        engine.learn_features(&item.label, &item.id, &item.title, &item.features);
    }
    let learn = start.elapsed();
    let grown = engine.bytes() as f64 / 1e6;
    let start = Instant::now();
    let snapshot = engine.snapshot();
    let write = start.elapsed();
    drop(engine);
    let start = Instant::now();
    let restored = Engine::restore(set.targets.clone(), &snapshot);
    println!(
        "{:18} all of {}: learnt in {:.2} s, {grown:.1} MB of memory; snapshot {:.1} MB written in {:.0} ms, restored in {:.0} ms ({})",
        "",
        set.items.len(),
        learn.as_secs_f64(),
        snapshot.len() as f64 / 1e6,
        write.as_secs_f64() * 1e3,
        start.elapsed().as_secs_f64() * 1e3,
        restored.map_or_else(|error| error.to_string(), |engine| format!("{} examples", engine.len())),
    );
}

fn grow(name: &str, set: &Set) {
    let mut engine = Engine::new(set.targets.clone());
    let start = Instant::now();
    let order: Vec<&Item> = set.splits["growing_order"].iter().take(3000).filter_map(|id| set.items.get(id)).collect();
    let mut outcomes = Vec::new();
    for item in &order {
        outcomes.push(outcome(&engine.classify_features(&item.features, 3), &item.label));
        engine.learn_features(&item.label, &item.id, &item.title, &item.features);
    }
    let each = micros(start, order.len());
    row(name, "growing", &outcomes, set.features_us, 0.0, each);
    row(name, "  late", &outcomes[outcomes.len() / 2..], set.features_us, 0.0, each);
}

fn outcome(candidates: &[Candidate], label: &str) -> Outcome {
    Outcome {
        probability: candidates.first().map_or(0.0, |best| best.probability),
        rank: candidates.iter().position(|candidate| candidate.code == label),
    }
}

fn micros(start: Instant, count: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / count.max(1) as f64
}

fn row(name: &str, protocol: &str, outcomes: &[Outcome], features: f64, learn: f64, classify: f64) {
    let share = |test: &dyn Fn(&Outcome) -> bool| {
        100.0 * outcomes.iter().filter(|o| test(o)).count() as f64 / outcomes.len().max(1) as f64
    };
    let top1 = share(&|o| o.rank == Some(0));
    let top3 = share(&|o| o.rank.is_some());
    let mean = 100.0 * outcomes.iter().map(|o| o.probability).sum::<f64>() / outcomes.len().max(1) as f64;
    println!(
        "{name:18} {protocol:8} {:6} {top1:6.1} {top3:6.1} {:6.1} {:6.1} {:6.1} {mean:6.1} {features:6.0} us {learn:6.0} us {classify:6.0} us",
        outcomes.len(),
        coverage(outcomes, 0.95),
        coverage(outcomes, 0.90),
        calibration_error(outcomes),
    );
}

/// The largest share, taken by confidence, that keeps the precision.
fn coverage(outcomes: &[Outcome], precision: f64) -> f64 {
    let mut sorted: Vec<&Outcome> = outcomes.iter().collect();
    sorted.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let (mut right, mut best) = (0, 0);
    for (at, outcome) in sorted.iter().enumerate() {
        right += usize::from(outcome.rank == Some(0));
        if right as f64 >= precision * (at + 1) as f64 {
            best = at + 1;
        }
    }
    100.0 * best as f64 / outcomes.len().max(1) as f64
}

/// Expected calibration error over ten bins, in per cent.
fn calibration_error(outcomes: &[Outcome]) -> f64 {
    let mut bins = [(0.0, 0.0); 10];
    for outcome in outcomes {
        let bin = &mut bins[((outcome.probability * 10.0) as usize).min(9)];
        bin.0 += outcome.probability;
        bin.1 += f64::from(u8::from(outcome.rank == Some(0)));
    }
    100.0 * bins.iter().map(|(said, was)| (said - was).abs()).sum::<f64>() / outcomes.len().max(1) as f64
}

fn read(folder: &Path) -> Result<Set, Box<dyn Error>> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut raw = Vec::new();
    for line in read_to_string(folder.join("items.jsonl"))?.lines() {
        let value: Value = serde_json::from_str(line)?;
        raw.push((
            text(&value, "id"),
            text(&value, "label"),
            text(&value, "title"),
            text(&value, "text"),
            text(&value, "url"),
        ));
    }
    let start = Instant::now();
    let mut items = BTreeMap::new();
    for (id, label, title, body, url) in raw {
        let hints = if url.is_empty() { vec![] } else { vec![url_words(&url)] };
        let features = Features::of(&Document { name: "", title: &title, text: &body, kind: "", hints: &hints });
        items.insert(id.clone(), Item { id, label, title, features });
    }
    let features_us = micros(start, items.len());
    let splits: BTreeMap<String, Value> = serde_json::from_str(&read_to_string(folder.join("splits.json"))?)?;
    let ids = |value: &Value| {
        value.as_array().map_or(vec![], |all| all.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
    };
    let splits = splits.iter().map(|(key, value)| (key.clone(), ids(value))).collect();
    Ok(Set { items, targets: targets(&read_to_string(folder.join("jd.yaml"))?), splits, features_us })
}

/// Host and path of an address without what every address has.
fn url_words(url: &str) -> String {
    let plain = ["https", "http", "www", "com", "org", "net", "html", "io", "github"];
    let words = url.split(|c: char| !c.is_alphanumeric()).filter(|word| !plain.contains(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Reads the one-line areas of these sets: `"10-19": {name: "..", categories: {"11": "..", ..}}`.
fn targets(yaml: &str) -> Vec<Target> {
    let mut targets = Vec::new();
    for line in yaml.lines() {
        let Some((head, categories)) = line.split_once("categories:") else { continue };
        let area_title = head.split_once("name:").map_or("", |(_, name)| name).trim_matches([' ', '"', ',']).to_owned();
        let parts: Vec<&str> = categories.split('"').collect();
        for pair in parts[1..].chunks(4) {
            if let [code, _, title, ..] = pair {
                targets.push(Target {
                    code: (*code).to_owned(),
                    title: (*title).to_owned(),
                    area_title: area_title.clone(),
                    ..Target::default()
                });
            }
        }
    }
    targets
}
