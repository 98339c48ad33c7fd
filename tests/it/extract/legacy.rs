//! The binary formats of the nineties, from compound files that the tests write themselves.

use super::{WORDS, build, read};
use emm::domain::extract::{ExtractError, Kind, Limits, extract};
use std::io::Cursor;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// A Word document of two pieces, one of them in one byte a character.
pub(crate) fn doc() -> Vec<u8> {
    let wide = utf16(&format!("{WORDS}\r\u{13} HYPERLINK x \u{14}shown\u{15}\ra\u{7}b\u{7}\u{7}"));
    let narrow = b"caf\xe9\r".to_vec();
    let units = wide.len() / 2;
    let mut main = vec![0_u8; 0x400];
    main[..4].copy_from_slice(&[0xec, 0xa5, 0xc1, 0]);
    main[0x0b] = 2;
    let total = (units + narrow.len()) as u32;
    put(&mut main, 0x4c, total);
    put(&mut main, 0x1a6, 5 + 3 * 4 + 2 * 8);
    let wide_at = main.len() as u32;
    main.extend(&wide);
    let narrow_at = main.len() as u32;
    main.extend(&narrow);
    let mut table = vec![2_u8];
    for number in [28, 0, units as u32, total] {
        table.extend(u32::to_le_bytes(number));
    }
    for place in [wide_at, (narrow_at * 2) | 0x4000_0000] {
        table.extend([0, 0]);
        table.extend(place.to_le_bytes());
        table.extend([0, 0]);
    }
    build::compound(&[("WordDocument", main), ("1Table", table)])
}

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(body.len() as u16).to_le_bytes(), body].concat()
}

/// A workbook whose second shared string is cut by a record border, with one byte before it and two after.
pub(crate) fn xls() -> Vec<u8> {
    let name = utf16("Лист");
    let sheet_head = |at: u32| record(0x85, &[&at.to_le_bytes()[..], &[0, 0, 4, 1], &name].concat());
    let strings = [
        record(0xfc, &[&[2, 0, 0, 0, 2, 0, 0, 0][..], &[1, 0, 1], &utf16("水"), &[4, 0, 0], b"ab"].concat()),
        record(0x3c, &[&[1][..], &utf16("жз")].concat()),
    ]
    .concat();
    let styles = [record(0xe0, &[0; 20]), record(0xe0, &[&[0, 0, 14, 0][..], &[0; 16]].concat())].concat();
    let start = [record(0x809, &[0, 6, 5, 0, 0, 0, 0, 0]), styles, strings].concat();
    let globals_length = start.len() + sheet_head(0).len() + 4;
    let globals = [start, sheet_head(globals_length as u32), record(0x0a, &[])].concat();
    let cell = |row: u8, column: u8, style: u8| [row, 0, column, 0, style, 0];
    let sheet = [
        record(0x809, &[0, 6, 0x10, 0, 0, 0, 0, 0]),
        record(0xfd, &[&cell(0, 0, 0)[..], &[0, 0, 0, 0]].concat()),
        record(0xfd, &[&cell(0, 1, 0)[..], &[1, 0, 0, 0]].concat()),
        record(0x203, &[&cell(1, 0, 1)[..], &45292_f64.to_le_bytes()].concat()),
        record(0x27e, &[&cell(1, 1, 0)[..], &(((1234_i32) << 2) | 3).to_le_bytes()].concat()),
        record(0x06, &[&cell(2, 0, 0)[..], &[0, 0, 0, 0, 0, 0, 0xff, 0xff], &[0; 6]].concat()),
        record(0x207, &[&[2, 0, 1][..], &utf16("фо")].concat()),
        record(0x0a, &[]),
    ]
    .concat();
    build::compound(&[("Workbook", [globals, sheet].concat())])
}

fn atom(version: u16, kind: u16, body: &[u8]) -> Vec<u8> {
    [&version.to_le_bytes()[..], &kind.to_le_bytes(), &(body.len() as u32).to_le_bytes(), body].concat()
}

/// A presentation with one slide, of which an older copy is still in the stream.
pub(crate) fn ppt() -> Vec<u8> {
    let slide = |text: &str| {
        let text_box =
            atom(15, 0xf00d, &[atom(0, 0x0f9f, &4_u32.to_le_bytes()), atom(0, 0x0fa0, &utf16(text))].concat());
        atom(15, 0x03ee, &atom(15, 0x040c, &text_box))
    };
    let place = atom(0, 0x03f3, &[&7_u32.to_le_bytes()[..], &[0; 16]].concat());
    let title = [atom(0, 0x0f9f, &0_u32.to_le_bytes()), atom(0, 0x0fa0, &utf16("Тема"))].concat();
    let list = atom(
        15,
        0x0ff0,
        &[place, title, atom(0, 0x0f9f, &1_u32.to_le_bytes()), atom(0, 0x0fa8, b"first\rsecond")].concat(),
    );
    let document = atom(15, 0x03e8, &list);
    let old = slide("old");
    let new_at = document.len() + old.len();
    let mut stream = [document, old, slide(WORDS)].concat();
    let directory_at = stream.len() as u32;
    stream.extend(atom(0, 0x1772, &[((1_u32 << 20) | 7).to_le_bytes(), (new_at as u32).to_le_bytes()].concat()));
    let edit_at = stream.len() as u32;
    stream.extend(atom(0, 0x0ff5, &[&[0; 12][..], &directory_at.to_le_bytes(), &[0; 8]].concat()));
    let user = [&[0; 16][..], &edit_at.to_le_bytes()].concat();
    build::compound(&[("Current User", user), ("PowerPoint Document", stream)])
}

pub(crate) fn msg() -> Vec<u8> {
    let mut properties = vec![0; 32];
    properties.extend(0x0039_0040_u32.to_le_bytes());
    properties.extend([0; 4]);
    // 2024-01-01 00:00:00 UTC in steps of 100 ns since 1601.
    properties.extend(133_485_408_000_000_000_u64.to_le_bytes());
    build::compound(&[
        ("__properties_version1.0", properties),
        ("__substg1.0_0037001F", utf16("Счёт")),
        ("__substg1.0_1000001F", utf16(WORDS)),
        ("__substg1.0_0C1A001F", utf16("Alex Example")),
    ])
}

#[test]
fn doc_joins_its_pieces() {
    let found = read("a.doc", &doc());
    assert_eq!(
        (found.kind, found.text.as_str()),
        (Kind::Doc, format!("{WORDS}\n\nshown\n\n| a | b |\n| --- | --- |\n\ncafé").as_str())
    );
}

#[test]
fn xls_joins_strings_over_record_borders() {
    let found = read("a.xls", &xls());
    assert_eq!(found.text, "## Лист\n\n| 水 | abжз |\n| --- | --- |\n| 2024-01-01 | 12.34 |\n| фо |  |");
}

#[test]
fn ppt_reads_the_live_slide_only() {
    let found = read("a.ppt", &ppt());
    assert_eq!(found.text, format!("# Тема\n\n- first\n- second\n\n{WORDS}"));
    assert_eq!((found.title.as_deref(), found.pages), (Some("Тема"), Some(1)));
}

#[test]
fn msg_reads_people_date_and_body() {
    let found = read("a.msg", &msg());
    assert_eq!((found.title.as_deref(), found.text.as_str()), (Some("Счёт"), WORDS));
    assert_eq!(
        (found.author, found.created.as_deref()),
        (vec!["Alex Example".to_owned()], Some("2024-01-01T00:00:00"))
    );
}

#[test]
fn a_compound_file_is_known_by_its_streams_and_refused_when_encrypted() {
    assert_eq!(read("a.bin", &doc()).kind, Kind::Doc);
    assert_eq!(read("a.doc", &xls()).kind, Kind::Xls);
    let locked = build::compound(&[("Workbook", [record(0x809, &[0, 6, 5, 0]), record(0x2f, &[1, 0])].concat())]);
    let refused = extract("a.xls", &mut Cursor::new(locked), &Limits::default());
    assert!(matches!(refused, Err(ExtractError::Encrypted { kind: Kind::Xls })), "{refused:?}");
}
