//! Big files are not read whole, bombs do not go off, and text is cut between characters.

use super::build;
use emm::domain::extract::{Kind, Limits, extract};
use std::io::{Cursor, Read, Result, Seek, SeekFrom};

/// A file of `size` bytes that is not there: `head`, then the same byte for ever; it counts what is read.
struct Huge {
    head: Vec<u8>,
    fill: u8,
    size: u64,
    at: u64,
    read: u64,
}

impl Read for Huge {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = buffer.len().min((self.size - self.at) as usize);
        for (index, byte) in buffer[..count].iter_mut().enumerate() {
            *byte = self.head.get(self.at as usize + index).copied().unwrap_or(self.fill);
        }
        self.at += count as u64;
        self.read += count as u64;
        Ok(count)
    }
}

impl Seek for Huge {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.size.saturating_add_signed(by),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

fn huge(head: &[u8], fill: u8) -> Huge {
    Huge { head: head.to_vec(), fill, size: 8 << 30, at: 0, read: 0 }
}

#[test]
fn of_a_file_of_many_gigabytes_only_the_start_is_read() {
    let limits = Limits { text_bytes_max: 1000, ..Limits::default() };
    let cases: &[(&str, &[u8], u8, Kind)] = &[
        ("a.txt", b"", b'x', Kind::Text),
        ("a.md", b"# T\n", b'x', Kind::Markdown),
        ("a.csv", b"a,b\n", b'x', Kind::Csv),
        ("a.json", b"[", b'1', Kind::Json),
        ("a.html", b"<html><body>", b'x', Kind::Html),
        ("a.xml", b"<?xml version='1.0'?><a>", b'x', Kind::Xml),
        ("a.mbox", b"From a\nFrom: a\nTo: b\nSubject: c\n\n", b'x', Kind::Mbox),
        ("a.jpg", b"\xff\xd8\xff\xe0", 0, Kind::Image),
        ("a.iso", b"\0\0\0", 0, Kind::Other),
        ("a.pdf", b"%PDF-1.4", b'x', Kind::Pdf),
        ("a.docx", b"PK\x03\x04", 0, Kind::Docx),
    ];
    for (name, head, fill, kind) in cases {
        let mut file = huge(head, *fill);
        let found = extract(name, &mut file, &limits).expect("read");
        assert_eq!(found.kind, *kind, "{name}");
        assert!(file.read <= 2 << 20, "{name}: {} bytes were read", file.read);
        assert!(found.text.len() <= 1000, "{name}");
        assert!(found.truncated || found.text.is_empty(), "{name}");
        assert_eq!(matches!(kind, Kind::Pdf | Kind::Docx), !found.warnings.is_empty(), "{name}: {:?}", found.warnings);
    }
}

#[test]
fn an_archive_is_listed_from_its_directory() {
    let big = "0".repeat(3 << 20);
    let archive = build::zip(&[("папка/файл 水.txt", &big), ("b.bin", "x")]);
    let mut file = Huge { size: archive.len() as u64, head: archive, fill: 0, at: 0, read: 0 };
    let found = extract("a.zip", &mut file, &Limits::default()).expect("read");
    assert_eq!(found.text, "- папка/файл 水.txt (3145728 bytes)\n- b.bin (1 bytes)");
    assert_eq!(found.facts["unpacked_bytes"], "3145729");
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let body =
        format!("<w:p><w:r><w:t>start</w:t></w:r></w:p><w:p><w:r><w:t>{}</w:t></w:r></w:p>", "a ".repeat(20 << 20));
    let packed = build::docx(&body);
    assert!(packed.len() < 200_000, "it is small while packed: {}", packed.len());
    let limits = Limits { unpacked_bytes_max: 1 << 20, ..Limits::default() };
    let found = extract("a.docx", &mut Cursor::new(packed), &limits).expect("what is there");
    assert!(found.truncated && found.text.starts_with("start") && found.text.len() <= 1 << 20);
    assert!(found.warnings.iter().any(|warning| warning.contains("limit")), "{:?}", found.warnings);
}

#[test]
fn text_is_cut_between_characters() {
    for max in 0..30 {
        let limits = Limits { text_bytes_max: max, ..Limits::default() };
        for name in ["a.txt", "a.md", "a.html"] {
            let found = extract(name, &mut Cursor::new("Ж水😀 и ещё слова".as_bytes()), &limits).expect("read");
            assert!(
                found.text.len() <= max && "Ж水😀 и ещё слова".starts_with(&found.text),
                "{name} {max}: {:?}",
                found.text
            );
            assert!(found.truncated, "{name} {max}");
        }
    }
}
