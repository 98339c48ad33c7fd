//! How often the right note is found first: `cargo bench --bench search -- DIR` with a folder `xquad_LANG` a language;
//! and how fast a vault is indexed and searched: `cargo bench --bench search -- ITEMS.jsonl`. Exit 1: a bar is missed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a measurement prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a measurement stops at whatever is not as it should be")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use emm::backends::search::{Doc, Index};

/// The part of the questions whose right note must come first.
const BARS: &[(&str, f64)] = &[("en", 0.93), ("de", 0.90), ("ru", 0.90), ("zh", 0.93)];

fn main() -> ExitCode {
    let dir = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let Some(dir) = dir else {
        eprintln!(
            "usage: cargo bench --bench search -- DIR | ITEMS.jsonl   (DIR holds xquad_LANG/vault and xquad_LANG/qs.json)"
        );
        return ExitCode::from(2);
    };
    if Path::new(&dir).is_file() {
        return speed(Path::new(&dir));
    }
    println!(
        "{:<12} {:>6} {:>6} {:>7} {:>7} {:>7} {:>9}",
        "vault", "notes", "asked", "first", "in 5", "bar", "ms/query"
    );
    let mut vaults: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("qs.json").exists())
        .collect();
    vaults.sort();
    if vaults.is_empty() {
        eprintln!("no folder with a qs.json in it");
        return ExitCode::from(2);
    }
    let missed = vaults.iter().filter(|vault| !measure(vault)).count();
    if missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(dir: &Path) -> bool {
    let home = tempfile::tempdir().unwrap();
    let (index, _) = Index::open(home.path()).unwrap();
    let mut docs = Vec::new();
    read(&dir.join("vault"), &dir.join("vault"), &mut docs);
    index.upsert_all(&docs).unwrap();
    let text = std::fs::read_to_string(dir.join("qs.json")).unwrap();
    let questions: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let (mut first, mut in_five) = (0, 0);
    let started = Instant::now();
    for question in &questions {
        let hits = index.search(question["q"].as_str().unwrap(), 5).unwrap();
        let gold = |key: &str| question["gold"].as_array().unwrap().iter().any(|gold| gold == key);
        first += usize::from(hits.first().is_some_and(|hit| gold(&hit.key)));
        in_five += usize::from(hits.iter().any(|hit| gold(&hit.key)));
    }
    let each_ms = started.elapsed().as_secs_f64() * 1e3 / questions.len() as f64;
    let part = |count: usize| count as f64 / questions.len() as f64;
    let name = dir.file_name().unwrap().to_string_lossy();
    let bar = BARS.iter().find(|(lang, _)| name.ends_with(lang)).map_or(0.0, |(_, bar)| *bar);
    println!(
        "{name:<12} {:>6} {:>6} {:>7.4} {:>7.4} {bar:>7.2} {each_ms:>9.2}",
        docs.len(),
        questions.len(),
        part(first),
        part(in_five)
    );
    part(first) >= bar
}

fn read(root: &Path, folder: &Path, docs: &mut Vec<Doc>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, docs);
            continue;
        }
        let key = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        docs.push(Doc {
            path: key.clone(),
            title: path.file_stem().unwrap().to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
            key,
            ..Doc::default()
        });
    }
}

/// Notes a second that a rebuild must reach.
const NOTES_A_SECOND: f64 = 3_000.0;

fn speed(file: &Path) -> ExitCode {
    let mut docs = Vec::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let item: serde_json::Value = serde_json::from_str(line).unwrap();
        let get = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        docs.push(Doc {
            key: get("path"),
            path: get("path"),
            title: get("title"),
            text: get("text"),
            ..Doc::default()
        });
    }
    let home = tempfile::tempdir().unwrap();
    let (index, _) = Index::open(home.path()).unwrap();
    let started = Instant::now();
    let mut rebuild = index.begin_rebuild().unwrap();
    docs.iter().for_each(|doc| rebuild.add(doc).unwrap());
    rebuild.finish().unwrap();
    let each_second = docs.len() as f64 / started.elapsed().as_secs_f64();
    println!("{} notes, {each_second:.0} a second, {} MB index", docs.len(), index.status().unwrap().file_bytes >> 20);

    let asked: Vec<&Doc> = docs.iter().step_by(docs.len().div_ceil(200).max(1)).collect();
    let mut times_ms = Vec::new();
    let mut first = 0;
    for doc in &asked {
        let started = Instant::now();
        let hits = index.search(&doc.title, 10).unwrap();
        times_ms.push(started.elapsed().as_secs_f64() * 1e3);
        first += usize::from(hits.first().is_some_and(|hit| hit.title == doc.title));
    }
    times_ms.sort_by(f64::total_cmp);
    let (median, worst) = (times_ms[times_ms.len() / 2], times_ms[times_ms.len() - 1]);
    println!("{} titles asked for, {first} first; median {median:.1} ms, worst {worst:.1} ms", asked.len());

    let started = Instant::now();
    docs.iter().take(100).for_each(|doc| index.upsert(doc).unwrap());
    println!("one change: {:.1} ms", started.elapsed().as_secs_f64() * 10.0);
    drop(index);
    let started = Instant::now();
    Index::open(home.path()).unwrap();
    println!("open: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    if each_second < NOTES_A_SECOND { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
