//! Johnny.Decimal: codes, zeros, places, numbers, the starter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use emm::domain::jd::{self, Level, Receives, Structure, Zero};

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

pub(crate) fn starter() -> String {
    read(here("config/starter-jd.yaml"))
}

pub(crate) fn structure(text: &str) -> Structure {
    let report = jd::lint(text);
    report.structure.clone().unwrap_or_else(|| panic!("{:#?}", report.findings))
}

#[test]
fn codes_are_text_with_a_level() {
    let table = [
        ("10-19", Some(Level::Area)),
        ("00-09", Some(Level::Area)),
        ("100-109", Some(Level::Area)),
        ("10-20", None),
        ("11-19", None),
        ("010-019", None),
        ("11", Some(Level::Category)),
        ("08", Some(Level::Category)),
        ("101", Some(Level::Category)),
        ("8", None),
        ("011", None),
        ("1٢", None),
        ("11.02", Some(Level::Id)),
        ("101.10", Some(Level::Id)),
        ("11.1", None),
        ("11.100", None),
        ("+1.02", None),
        ("11.+2", None),
        ("", None),
    ];
    for (code, level) in table {
        assert_eq!(jd::level(code), level, "{code}");
    }
    assert_eq!(jd::category_of("08.10").as_deref(), Some("08"));
    assert_eq!(jd::category_of("08"), None);
    assert_eq!(jd::leading_code("11.02 Documents"), Some("11.02"));
    assert_eq!(jd::leading_code("10-19"), Some("10-19"));
    assert_eq!(jd::leading_code("11.02Documents"), None);
    assert_eq!(jd::leading_code("2024 taxes"), None);
}

/// The rest of emm reads YAML through serde-saphyr; it must see the same keys and texts as this room.
#[test]
fn codes_stay_exact_text_as_in_serde_saphyr() {
    #[derive(serde::Deserialize)]
    struct House {
        categories: BTreeMap<String, Inner>,
    }
    #[derive(serde::Deserialize)]
    struct Inner {
        name: String,
        ids: BTreeMap<String, String>,
    }
    let text = "00-09:\n  name: Odds\n  categories:\n    08: {name: no, ids: {08.10: 11.10, 08.20: 0x1F}}\n    09: {name: 1e3, ids: {}}\n";
    let house: BTreeMap<String, House> = serde_saphyr::from_str(text).unwrap();
    let ours = structure(text);
    for (area, house) in &house {
        assert_eq!(ours.find(area).unwrap().title(), "Odds");
        for (category, inner) in &house.categories {
            assert_eq!(ours.find(category).unwrap().title(), inner.name);
            for (id, title) in &inner.ids {
                assert_eq!(ours.find(id).unwrap().title(), title);
            }
        }
    }
    assert_eq!(ours.find("08.10").unwrap().title(), "11.10");
    assert_eq!(ours.places().count(), 5);
}

#[test]
fn the_starter_is_clean_and_tells_a_classifier_something() {
    let report = jd::lint(&starter());
    assert_eq!(report.findings, [], "the starter must lint clean");
    let starter = report.structure.unwrap();
    let targets = starter.targets();
    assert!((30..=45).contains(&targets.len()), "{}", targets.len());
    let categories = starter.areas.iter().map(|area| area.categories.len()).sum::<usize>();
    assert!((5..=7).contains(&categories), "{categories}");
    for place in starter.places().filter(|place| place.level() != Level::Area) {
        let about = place.about().unwrap();
        assert!(
            about.description.is_some() && about.keywords.len() >= 8 && about.examples.len() >= 2,
            "{}",
            place.code()
        );
        let mut words: Vec<String> = about.keywords.iter().map(|word| word.to_lowercase()).collect();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), about.keywords.len(), "{} repeats a keyword", place.code());
        assert!(place.category.is_some() && (place.id.is_some() || !about.not.is_empty()), "{}", place.code());
    }
    for word in ["Rechnung", "facture", "factura", "счёт"] {
        let invoice = starter.find("13.14").unwrap();
        assert!(invoice.about().unwrap().keywords.iter().any(|keyword| keyword == word), "{word}");
    }
    assert_eq!(jd::fix(&self::starter()), (self::starter(), Vec::new()));
}

#[test]
fn the_hash_is_of_the_meaning_and_not_of_the_writing() {
    let block = "\"20-29\":\n  name: Work\n\"10-19\":\n  name: Life   # mine\n  categories:\n    \"12\": Home\n    \"11\": {name: Me, keywords: a}\n";
    let flow = "areas: {10-19: {title: Life, categories: {11: {name:  Me , keywords: [a]}, 12: {name: Home, ids: {}}}}, 20-29: Work}";
    let (block, flow) = (structure(block), structure(flow));
    assert_eq!(block, flow);
    assert_eq!(block.hash(), flow.hash());
    // Stored names depend on this value: it may change only together with the version in the hash's text.
    assert_eq!(
        structure("\"10-19\": {name: Life, categories: {\"11\": Me}}").hash(),
        "d0018845f2c402ac24200730e27bd6ab39b12bead41bcc8e53ce9639f5a3a8b2"
    );
    let sent: Structure = serde_json::from_str(&serde_json::to_string(&block).unwrap()).unwrap();
    assert_eq!(sent.hash(), block.hash());
    let schema = schemars::schema_for!(jd::Report).to_value().to_string();
    assert!(schema.contains("\"eaten-id\"") && schema.contains("\"keywords\""));
    let mut other = block.clone();
    other.areas[0].categories[0].about.privacy = Some("private".to_owned());
    assert_ne!(other.hash(), block.hash());
}

#[test]
fn zeros_are_known_by_number_and_title() {
    let table = [
        ("11.00", "", Some(Zero::Index)),
        ("11.00", "Index for Me", Some(Zero::Index)),
        ("11.01", "Inbox", Some(Zero::Inbox)),
        ("11.01", "INBOX for me & mine", Some(Zero::Inbox)),
        ("11.01", "Eingang", Some(Zero::Inbox)),
        ("11.01", "Indexing", None),
        ("11.02", "Task & project management for Me", Some(Zero::Tasks)),
        ("11.02", "Documents", None),
        ("11.03", "Templates, letters", Some(Zero::Templates)),
        ("11.05", "", Some(Zero::Reserved)),
        ("11.05", "Templates, letters", None),
        ("11.05", "Templates for me", Some(Zero::Templates)),
        ("11.08", "Someday maybe", Some(Zero::Someday)),
        ("11.09", "Архив", Some(Zero::Archive)),
        ("11.11", "Archive", None),
        ("11.10", "", None),
        ("11", "Index", None),
    ];
    for (code, title, zero) in table {
        assert_eq!(jd::zero(code, title), zero, "{code} {title}");
    }
}

#[test]
fn only_ordinary_places_receive_content() {
    let text = r#"
"00-09": {name: System, categories: {"01": {name: Rules, ids: {"01.01": Inbox, "01.11": How we name things}}}}
"10-19":
  name: Life admin
  categories:
    "10": {name: Life admin management, ids: {"10.01": , "10.11": Plans, "10.12": {title: Open after all, header: false}}}
    "11": {name: Me, ids: {"11.00": , "11.01": , "11.02": Documents, "11.10": ■ Papers, "11.11": Passport, "11.12": {title: Group, header: true}}}
    "12": {name: Home, ids: {"12.01": , "12.09": Archive for Home}}
    "13": Money
    "14": {name: Closed, header: true}
"20-29": {name: Work, categories: {"20": Projects, "21": {name: Job, ids: {"21.02": {title: Tasks for me, header: false}}}}}
"#;
    let house = structure(text);
    let targets: Vec<&str> = house.targets().iter().map(jd::Place::code).collect();
    assert_eq!(targets, ["10.12", "11.02", "11.11", "12", "13", "20", "21.02"]);
    let inboxes: Vec<&str> =
        house.places().filter(|place| place.receives() == Receives::Inbox).map(|place| place.code()).collect();
    assert_eq!(inboxes, ["01.01", "10.01", "11.01", "12.01"]);
    assert_eq!(house.receives("11"), Some(Receives::Nothing));
    assert_eq!(house.receives("99"), None);
    assert_eq!(house.inbox("13").as_deref(), Some("13.01"));
    assert_eq!(house.inbox("99"), None);
    let own = structure("\"10-19\": {name: A, categories: {\"11\": {name: Me, ids: {\"11.01\": Passports}}}}");
    assert_eq!(own.inbox("11"), None, "the owner uses the number for something else");
    assert_eq!(own.targets()[0].code(), "11.01");
}

#[test]
fn folders_have_safe_names() {
    let text = r#"
"10-19":
  name: "Life / admin"
  categories:
    "11": {name: "Me: 私 🌱 [x]#^|", ids: {"11.11": "a\\b?..", "11.12": "tab\there\u0007", "11.13": "..", "11.14": "LONG"}}
    "12": {name: Home, ids: {"12.01": Passports}}
"#;
    let house = structure(&text.replace("LONG", &"ж".repeat(300)));
    let category = "10-19 Life - admin/11 Me - 私 🌱 (x)---";
    assert_eq!(house.folder("10-19").as_deref(), Some("10-19 Life - admin"));
    assert_eq!(house.folder("11").as_deref(), Some(category));
    assert_eq!(house.folder("11.11"), Some(format!("{category}/11.11 a-b")));
    assert_eq!(house.folder("11.12"), Some(format!("{category}/11.12 tab here")));
    assert_eq!(house.folder("11.13"), Some(format!("{category}/11.13 untitled")));
    assert_eq!(house.folder("11.14"), Some(format!("{category}/11.14 {}", "ж".repeat(100))));
    assert_eq!(house.folder("11.01"), Some(format!("{category}/11.01 Inbox for Me - 私 🌱 (x)---")));
    assert_eq!(house.folder("11.02"), None);
    assert_eq!(house.folder("12.01").as_deref(), Some("10-19 Life - admin/12 Home/12.01 Passports"));
    assert_eq!(house.folder("../.."), None);
}

#[test]
fn the_next_id_follows_the_highest() {
    let next = |ids: &str, taken: &[String]| {
        let text =
            format!("\"10-19\": {{name: A, categories: {{\"11\": {{name: Me, ids: {{{ids}}}}}, \"12\": Home}}}}");
        structure(&text).next_id("11", &taken.iter().cloned().collect::<BTreeSet<_>>())
    };
    let some = |code: &str| Some(code.to_owned());
    let range = |numbers: std::ops::RangeInclusive<u16>| numbers.map(|id| format!("11.{id:02}")).collect::<Vec<_>>();
    assert_eq!(next("", &[]), some("11.11"));
    assert_eq!(next("\"11.01\": , \"11.02\": Documents, \"11.10\": Papers", &[]), some("11.11"));
    assert_eq!(next("\"11.11\": a, \"11.14\": b", &[]), some("11.15"), "a gap may be a retired number");
    assert_eq!(next("\"11.11\": a", &["11.12".into(), "12.50".into(), "junk".into()]), some("11.13"));
    assert_eq!(next("\"11.19\": a", &[]), some("11.20"));
    assert_eq!(next("\"11.10\": ■ One, \"11.19\": a, \"11.20\": ■ Two", &range(21..=29)), some("11.31"));
    assert_eq!(next("\"11.99\": z", &[]), some("11.11"), "gaps only when the end is reached");
    assert_eq!(next("", &range(11..=99)), some("11.10"), "headings' numbers last");
    assert_eq!(next("", &range(10..=99)), None, "zeros are never given out");
    assert_eq!(structure("\"10-19\": A").next_id("11", &BTreeSet::new()), None);
    let wide = structure("\"100-109\": {name: A, categories: {\"101\": B}}");
    assert_eq!(wide.next_id("101", &BTreeSet::new()), some("101.11"));
}

#[test]
fn allocated_ids_join_the_structure() {
    let house =
        structure("\"10-19\": {name: A, categories: {\"11\": {name: Me, ids: {\"11.12\": Owner's}}, \"12\": Home}}");
    let pair = |code: &str, title: &str| (code.to_owned(), title.to_owned());
    let all =
        [pair("11.13", "b"), pair("11.11", "a"), pair("11.12", "not this"), pair("19.11", "gone"), pair("11.13", "a")];
    let effective = house.with_ids(&all);
    let ids: Vec<(&str, &str)> =
        effective.category("11").unwrap().ids.iter().map(|id| (id.code.as_str(), id.title.as_str())).collect();
    assert_eq!(ids, [("11.11", "a"), ("11.12", "Owner's"), ("11.13", "a")]);
    let mut turned = all.to_vec();
    turned.reverse();
    assert_eq!(house.with_ids(&turned).hash(), effective.hash(), "the order of allocation does not matter");
    assert_eq!(effective.with_ids(&all), effective);
}

#[test]
fn the_tree_marks_what_holds_nothing() {
    let text = "\"10-19\": {name: Life, categories: {\"11\": {name: Me, ids: {\"11.00\": , \"11.01\": , \"11.11\": Papers}}, \"12\": {name: Off, header: true}}}\n\"20-29\": Work\n";
    let expected = "10-19 Life\n├─ 11 Me\n│  ├─ 11.00 Index for Me  (holds nothing)\n│  ├─ 11.01 Inbox for Me  (inbox)\n│  └─ 11.11 Papers\n└─ 12 Off  (holds nothing)\n20-29 Work\n";
    assert_eq!(jd::tree(&structure(text)), expected);
}
