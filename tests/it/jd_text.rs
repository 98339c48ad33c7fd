//! Johnny.Decimal: the text of `jd.yaml`: lint, fix and insertion over case files, limits, and damaged texts.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use emm::domain::jd::{self, Level, Rule};

use crate::jd::{here, read, starter, structure};

/// Findings, the fixed text and what is left after it: what a case file's `.expected` holds.
fn told(text: &str) -> String {
    let mut told = String::new();
    let list = |told: &mut String, findings: &[jd::Finding]| {
        for finding in findings {
            writeln!(told, "{finding}").unwrap();
            if let Some(fix) = &finding.fix {
                writeln!(told, "    fix: {fix}").unwrap();
            }
        }
    };
    let report = jd::lint(text);
    list(&mut told, &report.findings);
    writeln!(told, "structure: {}", if report.structure.is_some() { "yes" } else { "no" }).unwrap();
    let (fixed, _) = jd::fix(text);
    if fixed != text {
        writeln!(told, "--- fixed\n{fixed}--- left").unwrap();
        list(&mut told, &jd::lint(&fixed).findings);
    }
    told
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(here(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() >= 15, "only {} cases in {folder}", paths.len());
    paths
}

/// Case files stay readable: these marks stand for what an editor would hide or change.
fn case_text(path: &Path) -> String {
    read(path).replace("<BOM>", "\u{feff}").replace("<CR>", "\r").replace("<TAB>", "\t")
}

fn compare(path: &Path, got: &str, bless: bool, wrong: &mut String) {
    let expected = path.with_extension("expected");
    if bless {
        std::fs::write(&expected, got).unwrap();
    } else if read(&expected) != got {
        writeln!(wrong, "=== {}\n{got}", path.display()).unwrap();
    }
}

/// Each `tests/cases/jd/*.yaml` beside its `.expected`. `EMM_BLESS=1` writes them anew: read the difference before you
/// commit it.
#[test]
fn cases_are_found_and_fixed_as_expected() {
    let bless = std::env::var_os("EMM_BLESS").is_some();
    let mut wrong = String::new();
    for path in yaml_files("tests/cases/jd") {
        compare(&path, &told(&case_text(&path)), bless, &mut wrong);
    }
    assert!(wrong.is_empty(), "these differ from what is expected:\n{wrong}");
}

/// `tests/cases/jd/insert/*.yaml`: the first line says category, code and title.
#[test]
fn ids_are_inserted_as_expected() {
    let bless = std::env::var_os("EMM_BLESS").is_some();
    let mut wrong = String::new();
    for path in yaml_files("tests/cases/jd/insert") {
        let case = case_text(&path);
        let (order, text) = case.split_once('\n').unwrap();
        let text = text.strip_suffix("<EOF>\n").unwrap_or(text);
        let words: Vec<&str> = order.strip_prefix("#! ").unwrap().splitn(3, ' ').collect();
        let [category, code, title] = words[..] else { panic!("{order}") };
        let got = jd::insert_id(text, category, code, title).unwrap_or_else(|error| format!("refused: {error}\n"));
        if let Some(after) = jd::lint(&got).structure {
            assert_eq!(after.find(code).unwrap().title(), title, "{}", path.display());
            // Nothing but additions.
            let mut rest = substance(&got).into_iter();
            assert!(substance(text).iter().all(|letter| rest.any(|other| other == *letter)), "lost something:\n{got}");
        }
        let shown = got.replace('\u{feff}', "<BOM>").replace('\r', "<CR>");
        compare(&path, &shown, bless, &mut wrong);
    }
    assert!(wrong.is_empty(), "these differ from what is expected:\n{wrong}");
}

#[test]
fn insertion_refuses_what_it_cannot_do() {
    let text = "\"10-19\": {name: Life, categories: {\"11\": {name: Me, ids: {\"11.11\": One}}}}\n";
    let cases = [
        ("11", "11.11", "Again", "in use"),
        ("11", "12.11", "Elsewhere", "not an id of the category"),
        ("11", "11.1", "Short", "not an id of the category"),
        ("19", "19.11", "No category", "no category 19"),
        ("11", "11.12", " \n ", "title of 11.12 is empty"),
    ];
    for (category, code, title, words) in cases {
        let error = jd::insert_id(text, category, code, title).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = jd::insert_id("scope: [1]\n", "11", "11.11", "X").unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("scope"), "{error}");
}

#[test]
fn what_is_inserted_reads_back_whatever_the_title() {
    let titles = [
        "no",
        "11.10",
        "a: b # c",
        "\"",
        "\\",
        "- x",
        "{",
        "&a",
        "*a",
        "счёт 请求 🌱 e\u{301} فاتورة",
        "\u{85}\u{2028}x",
        "\u{1}",
        "\u{7f}x",
        "\u{feff}x",
    ];
    for text in [starter(), "\"20-29\": {name: Work, categories: {\"21\": Job}}\n".to_owned()] {
        for title in titles {
            let after = jd::insert_id(&text, "21", "21.77", title).unwrap_or_else(|error| panic!("{title:?}: {error}"));
            let wanted = title.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(structure(&after).find("21.77").unwrap().title(), wanted);
        }
    }
}

#[test]
fn sizes_are_bounded() {
    let rule = |text: &str| jd::lint(text).findings.iter().map(|finding| finding.rule).collect::<Vec<_>>();
    assert_eq!(rule(&"#".repeat((4 << 20) + 1)), [Rule::TooLarge]);
    assert_eq!(rule(&format!("a: [{}]", "x, ".repeat(450_000))), [Rule::TooLarge]);
    for open in ["[", "{a: ", "- "] {
        assert_eq!(rule(&open.repeat(100_000)), [Rule::Syntax], "{open}");
    }
    let ids: String = (0..2000).map(|at| format!("11.{}: a, ", at % 10)).collect();
    let crowded = format!("\"10-19\": {{name: A, categories: {{\"11\": {{name: B, ids: {{{ids}}}}}}}}}");
    assert_eq!(rule(&crowded), [Rule::TooLarge]);
    let many: String = (0..5000).map(|at| format!("  x{at}: 1\n")).collect();
    let report = jd::lint(&format!("\"10-19\":\n{many}"));
    assert_eq!((report.findings.len(), report.more), (1000, 4001));
    assert_eq!(report.structure, None, "the missing name counts although it is not listed");
}

const MARKS: &[u8] = b"\n\t\r :{}[],\"'#&*-0.|>%?!";

/// What a small random source of our own damages; the seed is fixed.
fn damaged(text: &str, count: usize) -> impl Iterator<Item = String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let bytes = text.as_bytes().to_vec();
    (0..count).map(move |_| {
        let mut bytes = bytes.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = MARKS[next(MARKS.len())],
                2 => bytes[at] ^= 1 << next(8),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Letters and comment marks: what a repair may never lose or add.
fn substance(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().filter(|letter| letter.is_alphabetic() || *letter == '#').collect();
    letters.sort_unstable();
    letters
}

#[test]
fn damaged_texts_never_panic_and_repairs_lose_nothing() {
    let paths = [yaml_files("tests/cases/jd"), yaml_files("tests/cases/jd/insert")].concat();
    let mut texts: Vec<String> = paths.iter().map(|path| case_text(path)).collect();
    texts.retain(|text| text.len() < 2000);
    let mut usable = 0;
    let mut repaired = 0;
    let mut check = |text: &str| {
        let before = jd::lint(text);
        let lines = text.matches(['\n', '\r']).count() + 1;
        assert!(before.findings.iter().all(|finding| (1..=lines).contains(&finding.line)), "{text}");
        assert_eq!(before.structure.is_some(), before.errors().next().is_none());
        let (fixed, findings) = jd::fix(text);
        assert_eq!(findings.is_empty(), fixed == text, "{text}");
        repaired += usize::from(fixed != text);
        assert_eq!(substance(&fixed), substance(text), "{text}\n->\n{fixed}");
        assert_eq!(jd::fix(&fixed).0, fixed, "fixing twice differs:\n{text}");
        if let Some(structure) = &before.structure {
            usable += 1;
            let after = jd::lint(&fixed);
            assert_eq!(after.structure.as_ref(), Some(structure), "{text}\n->\n{fixed}");
            assert!(after.count() <= before.count());
            for place in structure.places().filter(|place| place.level() == Level::Category) {
                let code = structure.next_id(place.code(), &BTreeSet::new());
                let inserted = code.map(|code| jd::insert_id(text, place.code(), &code, "New"));
                assert!(matches!(inserted, None | Some(Ok(_) | Err(jd::InsertError::Layout(_)))), "{inserted:?}");
            }
        }
    };
    for text in &texts {
        damaged(text, 25).for_each(|text| check(&text));
        // Every fifteenth place to cut at.
        text.char_indices().step_by(15).for_each(|(at, _)| check(text.get(..at).unwrap()));
    }
    let starter = starter();
    damaged(&starter, 8).for_each(|text| check(&text));
    assert!(usable > 200 && repaired > 150, "{usable} usable and {repaired} repaired texts prove little");
}
