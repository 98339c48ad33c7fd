//! Text in images, with the real tesseract and with false ones.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use emm::backends::parsers::Settings;

use super::{alive, patient, pool, pool_with, script, settings};

fn image() -> File {
    File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/parsers/ocr.png")).expect("the image")
}

#[tokio::test]
async fn tesseract_reads_images() {
    let found = Command::new("tesseract").arg("--version").output();
    assert!(found.is_ok(), "this test needs tesseract: apt-get install tesseract-ocr");
    let memory_bytes_max = 512 << 20;
    let parsers = pool(Settings { ocr: true, memory_bytes_max, ..settings() });
    let read = patient(parsers.read(image(), "scan.png")).await.expect("an image");
    assert_eq!(read.warnings, [] as [String; 0]);
    let words: Vec<&str> = read.text.split_whitespace().collect();
    assert_eq!(words, ["THE", "CHAIR", "OLIVE", "OIL", "COPPER", "TEA"]);
    let elvish = Settings { ocr: true, memory_bytes_max, ocr_languages: vec!["elvish".to_owned()], ..settings() };
    let read = patient(pool(elvish).read(image(), "scan.png")).await.expect("an image");
    assert!(read.text.is_empty() && read.warnings[0].contains("elvish"), "{:?}", read.warnings);
}

/// `tesseract` as some lines of shell that come after its list of languages.
fn fake_tesseract(folder: &Path, lines: &str) -> String {
    script(folder, "tesseract", &format!("[ $1 = --list-langs ] && echo eng && exit\n{lines}"));
    format!("PATH={}:/usr/bin:/bin", folder.display())
}

#[tokio::test]
async fn what_goes_wrong_with_tesseract_is_a_warning() {
    let cases = [
        ("echo 'Image too small' >&2; exit 1", "", "Image too small"),
        ("exec sleep 1000", "", "not done within 1000 ms"),
        ("while :; do :; done", "", "not done within 1000 ms"),
        ("while :; do printf 'яяяяяяя'; done", "яяя", ""),
        ("echo one; printf '\\f'; echo two", "one\n\ntwo", ""),
    ];
    for (lines, text, warning) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let text_bytes_max = if text.is_ascii() { 1000 } else { 7 };
        let settings = Settings { ocr: true, ocr_ms_max: 1000, text_bytes_max, ..settings() };
        let parsers = pool_with(settings, &[&fake_tesseract(folder.path(), lines)]);
        let read = patient(parsers.read(image(), "scan.png")).await.expect("an image");
        assert_eq!((read.text.as_str(), read.truncated), (text, !text.is_ascii()), "{lines}: {:?}", read.warnings);
        assert_eq!(read.warnings.len(), usize::from(!warning.is_empty()), "{lines}: {:?}", read.warnings);
        assert!(read.warnings.iter().all(|said| said.contains(warning)), "{lines}: {:?}", read.warnings);
        assert_eq!(parsers.children().len(), 1, "{lines}: only the parser rests");
    }
    let parsers = pool_with(Settings { ocr: true, ..settings() }, &["PATH=/nonexistent"]);
    for _ in 0..2 {
        let read = patient(parsers.read(image(), "scan.png")).await.expect("an image");
        assert!(read.warnings[0].contains("install tesseract-ocr"), "{:?}", read.warnings);
    }
}

#[tokio::test]
async fn dropping_a_read_ends_its_tesseract() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = fake_tesseract(folder.path(), "exec sleep 1000");
    let parsers = pool_with(Settings { ocr: true, ..settings() }, &[&path]);
    let mut reading = Box::pin(parsers.read(image(), "scan.png"));
    let tesseract = patient(async {
        loop {
            // The parser is asked first, then the languages, then the image.
            let command = |id: &u32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            if let Some(found) = parsers.children().into_iter().find(|id| command(id).starts_with("sleep")) {
                break found;
            }
            tokio::select! { biased; _ = &mut reading => panic!("read"), () = tokio::task::yield_now() => {} }
        }
    })
    .await;
    drop(reading);
    patient(parsers.close()).await;
    assert!(!alive(tesseract));
}
