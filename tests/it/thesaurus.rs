//! What words are about: places are known by what their names stand for, and what is learnt of a word counts for its kin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use emm::domain::classify::{Document, Engine, Target};

fn engine(titles: &[&str]) -> Engine {
    let target = |(at, title): (usize, &&str)| Target {
        code: (11 + at).to_string(),
        title: (*title).to_owned(),
        ..Target::default()
    };
    Engine::new(titles.iter().enumerate().map(target).collect())
}

/// The title of the place that is ranked first; nothing if nothing speaks for any.
fn first<'a>(engine: &'a Engine, text: &str) -> Option<&'a str> {
    let best = engine.classify(&Document { title: text, ..Document::default() }, 1).into_iter().next()?;
    engine.targets().iter().find(|target| target.code == best.code).map(|target| target.title.as_str())
}

#[test]
fn a_place_is_known_by_what_its_name_stands_for() {
    let engine = engine(&["Finanzen", "Gesundheit", "Reisen", "Kochen", "Datenbanken", "Holzarbeiten"]);
    for (text, place) in [
        ("invoice, to be paid within thirty days", "Finanzen"),
        ("счет на оплату", "Finanzen"),
        ("resultados del dermatólogo", "Gesundheit"),
        ("boarding pass to Lisbon", "Reisen"),
        ("guanciale and pecorino for a carbonara", "Kochen"),
        ("PostgreSQL 17 vacuum", "Datenbanken"),
        ("数据库 索引", "Datenbanken"),
        ("dovetail chisel", "Holzarbeiten"),
    ] {
        assert_eq!(first(&engine, text), Some(place), "{text}");
    }
    assert_eq!(first(&engine, "qqxz wvvk"), None, "what nobody knows is not guessed");
}

#[test]
fn a_longer_name_is_not_about_its_parts() {
    let engine = engine(&["Machine learning", "Machines"]);
    assert_eq!(first(&engine, "gradient descent for transformers"), Some("Machine learning"));
    assert_eq!(first(&engine, "a lathe with a worn spindle"), Some("Machines"));
}

#[test]
fn what_is_learnt_of_a_word_counts_for_its_kin() {
    // The names say nothing: only what was filed does.
    let mut engine = engine(&["Qqxz", "Wvvk"]);
    let learn = |engine: &mut Engine, code: &str, title: &str| {
        engine.learn(code, title, &Document { title, ..Document::default() });
    };
    for (code, titles) in
        [("11", ["pandas", "scikit-learn", "matplotlib"]), ("12", ["pecorino", "guanciale", "tagliatelle"])]
    {
        titles.iter().for_each(|title| learn(&mut engine, code, title));
    }
    assert_eq!(first(&engine, "numpy"), Some("Qqxz"), "it is of Python and of data, as those are");
    assert_eq!(first(&engine, "mozzarella"), Some("Wvvk"), "it is eaten, as those are");
}

#[test]
fn languages_that_are_called_by_a_letter_are_told_apart() {
    let engine = engine(&["C", "C++", "C#", "F#"]);
    for (text, place) in
        [("modern C++ templates", "C++"), ("LINQ in C#.", "C#"), ("C, the old one", "C"), ("F#: types", "F#")]
    {
        assert_eq!(first(&engine, text), Some(place), "{text}");
    }
}

/// All parts, by their paths.
fn parts() -> BTreeMap<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/classify/thesaurus");
    let inside = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).expect("the folder is there");
        entries.map(|entry| entry.expect("an entry can be read").path()).collect::<Vec<_>>()
    };
    let files = inside(folder).into_iter().flat_map(inside);
    files.map(|path| (path.clone(), read_to_string(path).expect("a part is text"))).collect()
}

#[test]
fn every_line_of_the_thesaurus_is_sound() {
    let parts = parts();
    let source = read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/classify/thesaurus.rs"));
    let source = source.expect("the reader is there");
    let (mut names, mut topics, mut wrong) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (path, text) in &parts {
        let shown: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        if !source.contains(&format!("thesaurus/{}/{}\"", shown[1], shown[0])) {
            wrong.push(format!("{} is read by nobody", path.display()));
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let mut say = |what: &str| wrong.push(format!("{}:{}: {what}", path.display(), number + 1));
            let (words, above) = line.split_once('<').unwrap_or((line, ""));
            let star = words.starts_with('*');
            let words: Vec<&str> = words.trim_start_matches('*').split(',').map(str::trim).collect();
            let above: Vec<&str> = above.split(',').map(str::trim).filter(|topic| !topic.is_empty()).collect();
            if words.iter().any(|word| word.is_empty()) {
                say("an empty word");
            }
            if words.iter().any(|word| *word != word.to_lowercase()) {
                say("a word that is not lower case");
            }
            if words.iter().collect::<BTreeSet<_>>().len() < words.len() {
                say("a word twice");
            }
            if star && above.is_empty() {
                say("words that belong to nothing");
            }
            if !star {
                names.insert(words[0]);
            }
            topics.extend(above.into_iter().map(|topic| (topic, format!("{}:{}", path.display(), number + 1))));
        }
    }
    wrong.extend(
        topics.iter().filter(|(topic, _)| !names.contains(topic)).map(|(topic, at)| format!("{at}: no {topic:?}")),
    );
    assert!(topics.len() > 1_000, "the parts are there");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
