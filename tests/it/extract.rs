//! Readers: small documents of our own making, in many writing systems, whole and damaged.
#![allow(clippy::expect_used, clippy::string_slice, reason = "a test says what it expects")]

mod build;
mod formats;
mod legacy;
mod limits;
mod pdf;
mod robust;

use emm::domain::extract::{Extracted, Kind, Limits, detect, extract};
use std::io::Cursor;

/// Words of five writing systems, an emoji outside the basic plane, and a combining mark.
pub(crate) const WORDS: &str = "Квитанция за воду 水道料金 😀 שלום مرحبا e\u{301}te\u{301}";

pub(crate) fn read(name: &str, bytes: &[u8]) -> Extracted {
    extract(name, &mut Cursor::new(bytes), &Limits::default()).expect("a sound document")
}

#[test]
fn the_bytes_win_over_the_name() {
    let docx = build::docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>");
    let cases: &[(&str, &[u8], Kind)] = &[
        ("letter.txt", b"%PDF-1.4 ...", Kind::Pdf),
        ("letter.docx", b"just a text", Kind::Text),
        ("letter.pdf", b"", Kind::Text),
        ("letter.doc", b"{\\rtf1 hello}", Kind::Rtf),
        ("letter.doc", b"<html><body>hello</body></html>", Kind::Html),
        ("letter.bin", &docx, Kind::Docx),
        ("letter.zip", &docx, Kind::Docx),
        ("notes.md", b"# Title", Kind::Markdown),
        ("photo.txt", b"\xff\xd8\xff\xe0 jpeg", Kind::Image),
        ("movie.txt", b"\0\0\0\x20ftypisom", Kind::Other),
        ("data.csv", b"a;b\n1;2", Kind::Csv),
        ("noname", b"Received: from x\nFrom: a@example.org\nSubject: s\n\nbody", Kind::Eml),
        (
            "noname",
            b"From a@example.org Mon Jan  1 00:00:00 2024\nFrom: a@example.org\nTo: b\nSubject: s\n\nbody",
            Kind::Mbox,
        ),
        ("noname", b"<?xml version=\"1.0\"?><feed/>", Kind::Xml),
        ("noname", b"\x01\x02\x03\x00\x00", Kind::Other),
        ("archive.zip", b"PK\x03\x04.........", Kind::Zip),
        ("song.mp3", b"ID3\x04", Kind::Other),
    ];
    for (name, bytes, kind) in cases {
        assert_eq!(detect(name, bytes), *kind, "{name}: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(30)]));
    }
}

#[test]
fn text_is_read_in_any_encoding() {
    let russian = "Съешь же ещё этих мягких французских булок, да выпей чаю. Оплата квитанции за электричество.";
    let japanese = "水道料金の請求書です。お支払い期限は来月末日までとなっております。よろしくお願いいたします。";
    let chinese = "这是一份关于房屋租赁的合同，请您仔细阅读并签字。租金每月支付一次。";
    let german = "Über die Straße gehört die Prüfung der Gebührenbescheide für März.";
    let cases = [
        ("windows-1251", russian),
        ("koi8-r", russian),
        ("shift_jis", japanese),
        ("euc-jp", japanese),
        ("gbk", chinese),
        ("windows-1252", german),
        ("utf-8", WORDS),
    ];
    for (label, text) in cases {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).expect("a known label");
        let bytes = encoding.encode(text).0;
        assert_eq!(read("a.txt", &bytes).text, text, "{label}");
    }
    for mark in [true, false] {
        let start = if mark { "\u{feff}" } else { "" };
        let little: Vec<u8> = format!("{start}plain words").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = format!("{start}plain words").encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read("a.txt", &little).text, "plain words");
        assert_eq!(read("a.txt", &big).text, "plain words");
    }
    let marked: Vec<u8> = format!("\u{feff}{WORDS}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read("a.txt", &marked).text, WORDS);
}

#[test]
fn markdown_is_kept_and_its_front_matter_understood() {
    let source = "---\ntitle: \"Заметка: 水\"\nauthor: Alex Example\ncreated: 2024-02-03\nsource: https://example.org/a\n---\n\n# Other\n\ntext\n";
    let found = read("a.md", source.as_bytes());
    assert_eq!(found.text, source);
    assert_eq!(found.title.as_deref(), Some("Заметка: 水"));
    assert_eq!(found.author, ["Alex Example"]);
    assert_eq!(found.created.as_deref(), Some("2024-02-03"));
    assert_eq!(found.source.as_deref(), Some("https://example.org/a"));
    assert_eq!(read("a.md", "text\n\n# Заголовок #\n".as_bytes()).title.as_deref(), Some("Заголовок"));
    assert_eq!(read("a.md", b"no heading").title, None, "never the file name");
}

#[test]
fn the_result_survives_json() {
    let found = read("a.md", "# Ж\n".as_bytes());
    let json = serde_json::to_string(&found).expect("json");
    assert!(json.contains("\"kind\":\"markdown\""), "{json}");
    assert_eq!(serde_json::from_str::<Extracted>(&json).expect("back"), found);
}
