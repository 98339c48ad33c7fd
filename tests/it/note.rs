//! Notes: names, front matter, properties, rendering; cases lie in `tests/cases/note/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use emm::domain::note::*;
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

fn cases(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/note").join(name)
}

/// The lines of a table of `left => right`, without comments; escapes resolved.
fn table(name: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(cases(name)).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("# ") && !line.is_empty())
        .map(|line| line.split_once(" => ").unwrap_or_else(|| panic!("{name}: no arrow in {line:?}")))
        .map(|(left, right)| (unescaped(left), unescaped(right)))
        .collect();
    assert!(lines.len() > 5, "{name} has cases");
    lines
}

fn unescaped(text: &str) -> String {
    let text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\");
    let mut parts = text.split("\\u{");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        out.push_str(rest);
    }
    out
}

/// Files of a folder in order of their names.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(cases(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(files.len() > 2, "{folder} has cases");
    files
}

fn text(name: &str, value: &str) -> Property {
    Property { name: name.to_owned(), value: Value::Text(value.to_owned()) }
}

fn list(name: &str, items: &[&str]) -> Property {
    Property { name: name.to_owned(), value: Value::List(items.iter().map(|item| (*item).to_owned()).collect()) }
}

#[test]
fn names_are_made_safe() {
    for (name, safe) in table("names.txt") {
        assert_eq!(safe_name(&name), safe, "of {name:?}");
        assert_eq!(check_name(&safe), Ok(()), "{safe:?} is safe as it is");
    }
}

#[test]
fn long_names_are_cut_between_graphemes_and_keep_their_extension() {
    let family = "👩\u{200d}👩\u{200d}👧";
    for unit in ["a", "ä", "字", "Ж", family, "e\u{301}\u{302}"] {
        let name = safe_name(&format!("{}.tar.gz", unit.repeat(300)));
        let stem = name.strip_suffix(".tar.gz").unwrap_or_else(|| panic!("{name} keeps its extension"));
        assert!(name.len() <= NAME_BYTES_MAX);
        let unit = safe_name(unit);
        assert!(stem.len() + unit.len() + ".tar.gz".len() > NAME_BYTES_MAX, "{name} is as long as it may be");
        assert_eq!(stem.replace(&unit, ""), "", "{name} holds whole graphemes");
    }
    assert_eq!(safe_name(&"\u{301}".repeat(400)), "untitled");
}

#[test]
fn colliding_names_are_recognised_and_told_apart() {
    for (one, other) in
        [("Ä.md", "ä.MD"), ("A\u{308}.md", "ä.md"), ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("Ёлка", "ёЛКА")]
    {
        assert_eq!(collision_key(one), collision_key(other), "{one} and {other}");
    }
    assert_ne!(collision_key("a.md"), collision_key("b.md"));
    assert_eq!(with_suffix("Letter.pdf", "1a2b3c4d"), "Letter (1a2b3c4d).pdf");
    assert_eq!(with_suffix("a.tar.gz", "1a2b3c4d"), "a (1a2b3c4d).tar.gz");
    assert_eq!(with_suffix("Ж".repeat(150).as_str(), "../x"), format!("{} (x)", "Ж".repeat(98)));
    assert_eq!(note_file_name("Node.js"), "Node.js.md");
    assert_eq!(note_file_name(""), "untitled.md");
    assert_eq!(note_file_name("con"), "con_.md");
}

#[test]
fn extensions_are_split() {
    let cases = [
        ("a.pdf", ("a", "pdf")),
        ("archive.tar.gz", ("archive", "tar.gz")),
        ("archive.TAR.GZ", ("archive", "TAR.GZ")),
        (".gitignore", (".gitignore", "")),
        ("noext", ("noext", "")),
        ("v 1.2", ("v 1.2", "")),
        ("Dr. Example letter", ("Dr. Example letter", "")),
        ("song.mp3", ("song", "mp3")),
        ("dot.", ("dot.", "")),
        (".tar.gz", (".tar", "gz")),
    ];
    for (name, parts) in cases {
        assert_eq!(split_extension(name), parts, "of {name}");
    }
}

#[test]
fn titles_are_human() {
    for (given, title) in table("titles.txt") {
        let parts: Vec<&str> = given.split(" | ").map(|part| if part == "-" { "" } else { part }).collect();
        let given = |n: usize| Some(parts[n]).filter(|part| !part.is_empty());
        assert_eq!(title_for(given(0), given(1), parts[2]), title, "of {parts:?}");
    }
    let long = title_for(Some(&"слово ".repeat(100)), None, "x");
    assert!(long.len() <= 163 && long.ends_with("слово…"), "{long}");
}

/// A case has the parts `before` and `after` (or `left alone`), each under a line of its own.
#[test]
fn missing_properties_are_inserted_and_nothing_else_changes() {
    let ours = [text("title", "Ours"), list("tags", &["jd/11-01"]), text("jd", "11.01"), text("emm_id", "0123")];
    for path in files("front_matter", "txt") {
        let case = fs::read_to_string(&path).unwrap();
        for bom in ["", "\u{feff}"] {
            for end in ["\n", "\r\n"] {
                let (before, after) = case.split_once("=== after\n").unwrap_or((&case, "=== left alone"));
                let before = before.strip_prefix("=== before\n").unwrap().replace("=== left alone\n", "");
                let before = format!("{bom}{}", before.replace('\n', end));
                let after = format!("{bom}{}", after.replace('\n', end));
                let context = format!("{} with line end {end:?} and mark {bom:?}", path.display());
                match add_missing(before.as_bytes(), &ours) {
                    Ok(patch) => {
                        let new = patch.apply(before.as_bytes()).unwrap();
                        assert_eq!(String::from_utf8(new.clone()).unwrap(), after, "{context}");
                        assert_eq!(patch.reverse(&new).unwrap(), before.as_bytes(), "{context}");
                        assert!(add_missing(&new, &ours).unwrap().is_empty(), "{context}: added once");
                    }
                    Err(error) => assert!(case.contains("=== left alone"), "{context}: {error}"),
                }
            }
        }
    }
}

#[test]
fn what_is_no_text_is_an_original() {
    for bytes in [&b"\xff\xfea\0b\0"[..], b"caf\xe9", b"a\0b\0"] {
        assert_eq!(add_missing(bytes, &[text("title", "x")]), Err(FrontMatterError::NotText));
    }
}

#[test]
fn hostile_blocks_are_left_alone() {
    let bomb: String = (1..20).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9))).collect();
    for block in [
        format!("a: {}\n", "[".repeat(30_000)),
        format!("a: {}{}\n", "{b: ".repeat(10_000), "}".repeat(10_000)),
        format!("a0: &a0 x\n{bomb}"),
        "- ".repeat(10_000) + "\n",
        format!("a: \"{}\n", "\\".repeat(30_001)),
        "a: b\n".repeat(20_000),
    ] {
        let note = format!("---\n{block}---\nx\n");
        let start: String = block.chars().take(20).collect();
        let result = add_missing(note.as_bytes(), &[text("title", "x"), list("tags", &["a"])]);
        assert!(matches!(result, Err(FrontMatterError::LeftAlone { .. })), "{start}");
        assert_eq!(note.get(read_front_matter(&note).body_offset_bytes..), Some("x\n"), "{start}");
    }
}

#[test]
fn front_matter_is_read_as_text() {
    let note = "---\njd: 11.10\nzip: 01234\nflag: no\nempty:\nnil: null\ndate: 2020-08-21\n\"quoted key\": 'it''s'\nTags: [a, \"b c\"]\n\
                block:\n- one\n- two\nfolded: >\n  long\n  text\nmap: {a: 1}\n---\nBody\n";
    let read = read_front_matter(note);
    let words = |name: &str| read.text(name).unwrap_or_else(|| panic!("{name} is text"));
    assert_eq!(words("jd"), "11.10");
    assert_eq!(words("zip"), "01234");
    assert_eq!(words("flag"), "no");
    assert_eq!(words("date"), "2020-08-21");
    assert_eq!(words("quoted key"), "it's");
    assert_eq!(words("folded"), "long text\n");
    assert_eq!(read.get("empty"), Some(&Found::Empty));
    assert_eq!(read.get("nil"), Some(&Found::Empty));
    assert_eq!(read.list("tags"), ["a", "b c"]);
    assert_eq!(read.list("block"), ["one", "two"]);
    assert_eq!(read.get("map"), Some(&Found::Other("{a: 1}".to_owned())));
    assert_eq!(note.get(read.body_offset_bytes..), Some("Body\n"));
    assert_eq!(read_front_matter("# no block\n---\na: b\n---\n"), FrontMatter::default());
}

#[test]
fn owners_opt_out() {
    for (line, out) in [
        ("emm: ignore", true),
        ("AutoNoteMover: disable", true),
        ("jd-ignore: true", true),
        ("emm: \"Ignore\"", true),
        ("jd-ignore: false", false),
        ("emm: 1", false),
        ("title: emm", false),
    ] {
        assert_eq!(opt_out(&read_front_matter(&format!("---\n{line}\n---\n"))), out, "{line}");
    }
}

/// Texts that YAML, Obsidian or Templater would make something else of.
const TRICKY: &[&str] = &[
    "11.10",
    "01234",
    "no",
    "Yes",
    "on",
    "null",
    "~",
    "1e3",
    "0x1F",
    ".inf",
    "NaN",
    "-1",
    "12:30",
    "2020-08-21",
    "a: b",
    "a #b",
    "#a",
    "- a",
    "? a",
    "! a",
    "& a",
    "* a",
    "| a",
    "> a",
    "@a",
    "`a`",
    "%a",
    "{a}",
    "[[Note]]",
    "\"",
    "'",
    "it's",
    "\\n",
    "a\\",
    " a",
    "a ",
    "",
    "a:",
    ":",
    "---",
    "...",
    "tab\there",
    "line\nbreak",
    "\u{0}\u{7}\u{1b}",
    "\u{85}\u{2028}\u{feff}",
    "\u{202e}abc",
    "Привет: мир",
    "你好",
    "👩\u{200d}👧 ok",
    "e\u{301}",
    "مرحبا",
    "<% tp.file.delete() %>",
    "true story",
    "No way",
    "a, b",
    "\u{a0}x",
    "y",
    "N",
    "=",
    "<<",
    "1_000",
];

#[test]
fn properties_read_back_as_the_same_texts() {
    for tricky in TRICKY {
        let lines = property_lines(&text("title", tricky)) + &property_lines(&list("aliases", &[tricky, "b"]));
        #[derive(serde::Deserialize)]
        struct Back {
            title: serde_json::Value,
            aliases: Vec<String>,
        }
        let back: Back = serde_saphyr::from_str(&lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
        assert_eq!(back.title, serde_json::Value::String((*tricky).to_owned()), "{lines}");
        assert_eq!(back.aliases, [*tricky, "b"], "{lines}");
        assert!(!lines.contains("<%"), "Templater runs nothing in {lines}");
        assert_eq!(lines.lines().count(), 4, "{lines:?} is one line a text");
    }
}

#[test]
fn dates_and_tags_are_obsidians() {
    for (given, date) in [
        ("2020-08-21", Some("2020-08-21")),
        ("2020-08-21T10:30:00Z", Some("2020-08-21")),
        ("2020-08-21 10:30", Some("2020-08-21")),
        ("2020-08-21T23:30:00.123-05:00", Some("2020-08-21")),
        ("2024-02-29", Some("2024-02-29")),
        ("2023-02-29", None),
        ("2020-13-01", None),
        ("2020-08", None),
        ("20200821", None),
        ("yesterday", None),
        ("２０２０-08-21", None),
        ("", None),
    ] {
        assert_eq!(date_value(given).as_deref(), date, "of {given}");
    }
    for (given, valid) in [
        ("jd/11.01", Some("jd/11-01")),
        ("#Tax return", Some("Tax-return")),
        ("11.01", Some("11-01")),
        ("2024", None),
        ("a//b/-/c", Some("a/b/c")),
        ("Ёлка & дом", Some("Ёлка-дом")),
        ("发票", Some("发票")),
        ("हिन्दी", Some("हिन्दी")),
        ("!!!", None),
        ("🎄", None),
    ] {
        assert_eq!(tag(given).as_deref(), valid, "of {given}");
    }
    assert_eq!(tag_for_code("11.01").as_deref(), Some("jd/11-01"));
    assert_eq!(tag_for_code("10-19").as_deref(), Some("jd/10-19"));
    assert_eq!(tag_for_code(" "), None);
}

#[derive(serde::Deserialize)]
struct RenderCase {
    app_json: Option<String>,
    note: NoteInput,
}

/// `X.json` is the input, `X.md` the note. `EMM_UPDATE_CASES=1` writes what comes out; read the difference before you commit it.
#[test]
fn notes_are_rendered() {
    for path in files("render", "json") {
        let case: RenderCase = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let note = render(&case.note, &VaultStyle::from_app_json(case.app_json.as_deref()));
        let expected = path.with_extension("md");
        if std::env::var_os("EMM_UPDATE_CASES").is_some() {
            fs::write(&expected, &note).unwrap();
        }
        assert_eq!(note, fs::read_to_string(&expected).unwrap(), "{}", path.display());
        assert!(note.ends_with('\n') && !note.contains('\r'));
        let block = note.strip_prefix("---\n").unwrap().split("\n---\n").next().unwrap();
        let back: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(block).unwrap();
        assert_eq!(back["title"].as_str().unwrap(), case.note.title);
        assert!(back.values().all(|value| !value.is_object() && !value.is_null()), "flat");
        let body = note.split_once("\n---\n").unwrap().1;
        assert!(!note.contains("<%") && !body.contains("%%"), "{}", path.display());
    }
}

#[test]
fn a_path_is_written_as_the_vault_asks() {
    let note = |path: &str, app: &str| {
        let note = NoteInput {
            note_path: "10-19 Life/11 Me/11.01 Inbox/Scan.md".to_owned(),
            original_path: Some(path.to_owned()),
            ..NoteInput::default()
        };
        let text = render(&note, &VaultStyle::from_app_json(Some(app)));
        text.lines().last().unwrap().to_owned()
    };
    let markdown = r#"{"useMarkdownLinks": true, "newLinkFormat": "relative"}"#;
    for (path, app, line) in [
        ("attachments/Скан 1.pdf", "{}", "![[attachments/Скан 1.pdf]]"),
        ("attachments/a.xlsx", r#"{"newLinkFormat": "absolute"}"#, "Original: [[attachments/a.xlsx]]"),
        ("attachments/Скан 1.pdf", markdown, "![Скан 1.pdf](../../../attachments/Скан%201.pdf)"),
        ("10-19 Life/11 Me/x (1).zip", markdown, "Original: [x (1).zip](../x%20%281%29.zip)"),
        ("10-19 Life/11 Me/11.01 Inbox/x.png", markdown, "![x.png](./x.png)"),
        ("C# [old]/a|b.png", "{}", "![a|b.png](C%23%20%5Bold%5D/a%7Cb.png)"),
    ] {
        assert_eq!(note(path, app), line, "of {path} with {app}");
    }
}

#[test]
fn the_vaults_settings_are_followed() {
    let folder = |path: &str| {
        let style = VaultStyle::from_app_json(Some(&format!(r#"{{"attachmentFolderPath": "{path}"}}"#)));
        assert_eq!(style.warnings, Vec::<String>::new());
        style.attachment_folder("10-19 Life/11 Me")
    };
    assert_eq!(folder("/"), "");
    assert_eq!(folder("files/in"), "files/in");
    assert_eq!(folder("./"), "10-19 Life/11 Me");
    assert_eq!(folder("./附件"), "10-19 Life/11 Me/附件");
    assert_eq!(folder("../../outside"), "outside");
    for unset in [None, Some("{}")] {
        assert_eq!(VaultStyle::from_app_json(unset).attachment_folder("x"), "attachments");
    }
    for broken in ["{", "[]", r#"{"newLinkFormat": "odd", "useMarkdownLinks": 3}"#] {
        let style = VaultStyle::from_app_json(Some(broken));
        assert!(!style.warnings.is_empty(), "{broken}");
        assert_eq!(VaultStyle { warnings: Vec::new(), ..style }, VaultStyle::default(), "{broken}");
    }
}

#[test]
fn descriptions_are_the_first_sentences() {
    assert_eq!(
        describe("# Heading\n\n- The *first* sentence. [Link](http://x) two.\n"),
        "The first sentence. Link two."
    );
    assert_eq!(describe("# Only a heading\n"), "Only a heading");
    assert_eq!(describe(""), "");
    for text in ["word ", "слово ", "字", "مرحبا ", "👩\u{200d}👩\u{200d}👧", "e\u{301}"] {
        let described = describe(&format!("x{}", text.repeat(300)));
        assert!(described.chars().count() <= DESCRIPTION_CHARS_MAX && described.ends_with('…'), "{described}");
        let unit = text.trim();
        let whole = described.trim_start_matches('x').trim_end_matches('…').replace(unit, "");
        assert_eq!(whole.trim(), "", "{described} is cut between graphemes");
    }
    let sentences = "This sentence is long enough to stand as a description by itself. ".repeat(5);
    assert_eq!(describe(&sentences), sentences.trim_end().get(..197).unwrap());
}

#[test]
fn a_diff_shows_what_was_edited() {
    let diff = unified_diff("a\nb\nc\n", "a\nB\u{1b}[31m\nc\n", ("filed", "now"));
    assert_eq!(diff, "--- filed\n+++ now\n@@ -1,3 +1,3 @@\n a\n-b\n+B\\u{1b}[31m\n c\n");
    assert_eq!(unified_diff("same", "same", ("a", "b")), "");
    let long = unified_diff(&"a\n".repeat(5_000), &"b\n".repeat(5_000), ("a", "b"));
    assert!(long.lines().count() == 201 && long.ends_with("more lines)\n"));
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a.\\- %:/\\\\\u{200b}\u{200d}\u{301}CONconum1é字👧]{0,24}",
        "\\PC{0,260}",
        "[aЖ字\u{301}👧\u{200d} .]{100,400}(\\.[a-z]{1,14})?",
    ]
}

fn any_patch() -> impl Strategy<Value = (String, Patch)> {
    (any::<String>(), prop::collection::vec((0.0..1.0_f64, any::<String>()), 0..6)).prop_map(|(text, mut places)| {
        places.sort_by(|a: &(f64, String), b| a.0.total_cmp(&b.0));
        let inserted = places
            .into_iter()
            .map(|(place, added)| Insertion { offset_bytes: (place * text.len() as f64) as usize, text: added })
            .collect();
        (text, Patch { inserted })
    })
}

/// What an independent parser finds in a text that could act: HTML, images, odd links, code that plugins run.
fn live_parts(text: &str) -> Vec<String> {
    use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
    let options = Options::ENABLE_TABLES | Options::ENABLE_MATH | Options::ENABLE_WIKILINKS | Options::ENABLE_FOOTNOTES;
    Parser::new_ext(text, options)
        .filter(|event| match event {
            Event::Html(_) | Event::InlineHtml(_) | Event::InlineMath(_) | Event::DisplayMath(_) => true,
            Event::Start(Tag::Image { .. } | Tag::HtmlBlock | Tag::MetadataBlock(_)) => true,
            Event::Start(Tag::Link { dest_url, .. }) => !["https://", "http://", "mailto:", "tel:", "#"]
                .iter()
                .any(|ok| dest_url.to_lowercase().starts_with(ok)),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => language.contains("dataview"),
            Event::Code(code) => code.trim_start().starts_with('=') || code.trim_start().starts_with("$="),
            _ => false,
        })
        .map(|event| format!("{event:?}"))
        .collect()
}

/// Whether a block of Dataview opens outside of other fences, in a quote or list too.
fn opens_dataview(text: &str) -> bool {
    let mut open = String::new();
    text.lines().any(|line| {
        let inner = line.trim_start_matches([' ', '-', '>']);
        let run: String = inner.chars().take_while(|c| inner.starts_with(*c) && matches!(c, '`' | '~')).collect();
        let info = &inner[run.len()..];
        if !open.is_empty() {
            if run.starts_with(&open) && info.trim().is_empty() && line.starts_with(&run) {
                open.clear();
            }
            return false;
        }
        if run.len() >= 3 {
            open = run;
        }
        !open.is_empty() && info.starts_with("dataview")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn every_name_has_a_safe_form(name in any_name(), suffix in "[0-9a-f]{8}") {
        for safe in [safe_name(&name), note_file_name(&name), with_suffix(&name, &suffix)] {
            prop_assert!(!safe.is_empty() && safe.len() <= NAME_BYTES_MAX, "{safe:?}");
            prop_assert!(!safe.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', '#', '^', '[', ']', '\u{202e}']), "{safe:?}");
            prop_assert!(!safe.contains("%%") && !safe.chars().any(char::is_control), "{safe:?}");
            prop_assert!(!safe.starts_with(['.', ' ']) && !safe.ends_with(['.', ' ']), "{safe:?}");
            prop_assert_eq!(&safe_name(&safe), &safe);
            prop_assert_eq!(check_name(&safe), Ok(()));
            let key = collision_key(&safe);
            let upper: String = safe.nfd().flat_map(char::to_uppercase).collect();
            prop_assert_eq!(&collision_key(&upper), &key);
            prop_assert_eq!(&collision_key(&key), &key);
        }
        prop_assert!(with_suffix(&name, &suffix).contains(&suffix));
    }

    #[test]
    fn a_patch_can_be_taken_back((text, patch) in any_patch()) {
        let new = patch.apply(text.as_bytes()).unwrap();
        prop_assert_eq!(patch.reverse(&new).unwrap(), text.as_bytes());
        let stored: Patch = serde_json::from_str(&serde_json::to_string(&patch).unwrap()).unwrap();
        prop_assert_eq!(stored, patch);
    }

    #[test]
    fn any_markdown_is_added_to_exactly_or_left_alone(
        block in "(\u{feff}?---\r?\n([a-z\"']{1,5}: ?[\\[\\]a-z,:#&|>\"' -]{0,12}\r?\n| {0,2}- [a-z: ]{0,5}\n|tags: ?(\\[[a, ]{0,4}\\]?|a|\"a\")?\n){0,5}---\r?\n)?",
        body in any::<String>(),
    ) {
        let original = format!("{block}{body}");
        let ours = [text("title", "Ours: \"x\""), list("tags", &["jd/11-01"])];
        if let Ok(patch) = add_missing(original.as_bytes(), &ours) {
            let new = String::from_utf8(patch.apply(original.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(patch.reverse(new.as_bytes()).unwrap(), original.as_bytes());
            let read = read_front_matter(&new);
            prop_assert!(read.get("title").is_some() && read.get("tags").is_some(), "{new}");
            prop_assert_eq!(new.get(read.body_offset_bytes..).map(|now| original.ends_with(now)), Some(true));
        }
    }

    #[test]
    fn any_text_is_one_property(words in any::<String>()) {
        let back: BTreeMap<String, String> = serde_saphyr::from_str(&property_lines(&text("title", &words))).unwrap();
        prop_assert_eq!(&back["title"], &words);
    }

    #[test]
    fn nothing_of_a_document_is_live(text in "([<%!`$=#\\[\\]()~|\\\\ \na:/>-]|<b>|obsidian://|```|~~~|dataviewjs|javascript:|\\[\\[|\n|- |> |\\|-\\|-\\|\n|`= x`|\u{2028}){0,40}") {
        for format in [TextFormat::Plain, TextFormat::Markdown, TextFormat::Code("dataviewjs".to_owned())] {
            let safe = defuse(&text, &format);
            prop_assert!(!safe.contains("<%") && !safe.contains("%%") && !safe.contains("obsidian://"), "{safe}");
            let code = matches!(format, TextFormat::Code(_));
            prop_assert!(code || !opens_dataview(&safe), "{safe}");
            prop_assert_eq!(live_parts(&safe), Vec::<String>::new(), "{}", safe);
            prop_assert!(!code || safe.lines().next().unwrap_or_default().bytes().all(|byte| byte == b'`'), "{safe}");
            prop_assert!(!safe.contains("](javascript:") || safe.contains('`'), "{safe}");
            prop_assert!(safe.is_empty() || safe.ends_with('\n'));
        }
    }
}
