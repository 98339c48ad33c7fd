//! Damaged, hostile and empty documents: an answer or an error, never a panic.

use super::{build, legacy, pdf};
use emm::domain::extract::{Limits, extract};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let rtf = b"{\\rtf1\\ansi{\\fonttbl{\\f0\\fcharset204 A;}}\\f0 \\'c2\\'ee\\u27700?\\intbl a\\cell\\row}".to_vec();
    let mail = "From: a@example.org\nSubject: =?utf-8?B?0JY=?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>x</p>\n--b--\n";
    let page = "<html><head><title>Ж</title></head><body><table><tr><td>a<td>b<tr><td>c</table><ul><li>x<p>y</ul><pre>z</pre></body></html>";
    vec![
        ("a.docx", build::docx("<w:p><w:r><w:t>Ж</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>")),
        ("a.xlsx", build::xlsx()),
        ("a.pptx", build::pptx()),
        ("a.odt", build::odf("text", "<text:p>Ж<text:s/></text:p>")),
        ("a.epub", build::epub()),
        (
            "a.pdf",
            pdf::page(
                "BT /F1 10 Tf 50 700 Td [(a) -300 (b)] TJ /F2 9 Tf <00010002> Tj ET",
                "1 beginbfchar <0001> <0416> endbfchar",
                "/Info 9 0 R",
            ),
        ),
        ("a.doc", legacy::doc()),
        ("a.xls", legacy::xls()),
        ("a.ppt", legacy::ppt()),
        ("a.msg", legacy::msg()),
        ("a.rtf", rtf),
        ("a.eml", mail.as_bytes().to_vec()),
        ("a.html", page.as_bytes().to_vec()),
    ]
}

fn survives(name: &str, bytes: &[u8], what: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(extract(name, &mut Cursor::new(bytes), &Limits::default()))));
    assert!(outcome.is_ok(), "{name}: {what}");
}

#[test]
fn cut_documents_never_panic() {
    for (name, bytes) in documents() {
        let step = (bytes.len() / 60).max(1);
        for end in (0..bytes.len()).step_by(step) {
            survives(name, &bytes[..end], &format!("cut at {end}"));
        }
    }
}

#[test]
fn documents_with_wrong_bytes_never_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    for (name, bytes) in documents() {
        for round in 0..60 {
            let mut broken = bytes.clone();
            for _ in 0..1 + random(12) {
                let at = random(broken.len());
                broken[at] = random(256) as u8;
            }
            survives(name, &broken, &format!("round {round}"));
        }
    }
}

#[test]
fn empty_and_mislabelled_files_are_answered() {
    let extensions = [
        "md", "txt", "html", "pdf", "docx", "doc", "pptx", "xls", "odt", "rtf", "epub", "eml", "mbox", "msg", "csv",
        "json", "xml", "zip", "png", "xyz", "",
    ];
    for extension in extensions {
        let found =
            extract(&format!("a.{extension}"), &mut Cursor::new([]), &Limits::default()).expect("an empty document");
        assert_eq!((found.text.as_str(), found.title), ("", None), "{extension}");
        for (name, bytes) in documents() {
            survives(&format!("a.{extension}"), &bytes, name);
        }
        for head in [
            &b"PK\x03\x04"[..],
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            b"%PDF-",
            b"{\\rtf1",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xfe",
            b"<?xml",
        ] {
            survives(&format!("a.{extension}"), head, "only its magic");
        }
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = 30_000;
    let cases = [
        ("a.html", format!("{}x{}", "<div>".repeat(deep), "</div>".repeat(deep))),
        ("a.html", format!("{}x", "<ul><li><blockquote>".repeat(3000))),
        ("a.html", format!("{}x", "<table><tr><td>".repeat(3000))),
        ("a.xml", format!("<?xml version=\"1.0\"?>{}x{}", "<a>".repeat(deep), "</a>".repeat(deep))),
        ("a.rtf", format!("{{\\rtf1 {}x{}}}", "{".repeat(deep), "}".repeat(deep))),
        ("a.json", "[".repeat(deep)),
        (
            "a.fodt",
            format!(
                "<?xml version=\"1.0\"?><office:document><office:body>{}x",
                "<text:list><text:list-item>".repeat(deep)
            ),
        ),
    ];
    for (name, text) in cases {
        survives(name, text.as_bytes(), "deep");
    }
    let page = format!("<p>start</p>{}x", "<div>".repeat(deep));
    let found = super::read("a.html", page.as_bytes());
    assert!(
        found.truncated && found.text == "start" && !found.warnings.is_empty(),
        "what is left out is said: {found:?}"
    );
    let nested = build::docx(&format!("{}<w:p><w:r><w:t>x</w:t></w:r></w:p>", "<w:tbl><w:tr><w:tc>".repeat(5000)));
    survives("a.docx", &nested, "deep tables");
    let form = "q /Fm Do Q";
    survives("a.pdf", &pdf::page(&form.repeat(1000), "", ""), "missing forms");
}
