//! XLS (BIFF5 and BIFF8): each sheet a heading and its tables.

use super::super::markdown::{Markdown, escape};
use super::super::office::{numbers, write_table};
use super::super::{ExtractError, Extracted, Kind, Limits};
use super::strings::Pieces;
use super::{Compound, summary, u16_at, u32_at, u64_at};
use encoding_rs::Encoding;
use std::collections::BTreeMap;

/// Record types ([MS-XLS] 2.3).
const FORMULA: u16 = 0x06;
const EOF: u16 = 0x0a;
const DATE_MODE: u16 = 0x22;
const FILE_PASS: u16 = 0x2f;
const CONTINUE: u16 = 0x3c;
const CODE_PAGE: u16 = 0x42;
const SHEET: u16 = 0x85;
const MANY_NUMBERS: u16 = 0xbd;
const RICH_STRING: u16 = 0xd6;
const CELL_STYLE: u16 = 0xe0;
const SHARED_STRINGS: u16 = 0xfc;
const SHARED_STRING: u16 = 0xfd;
const TEXT_BOX: u16 = 0x1b6;
const NUMBER: u16 = 0x203;
const LABEL: u16 = 0x204;
const BOOL_OR_ERROR: u16 = 0x205;
const FORMULA_STRING: u16 = 0x207;
const SMALL_NUMBER: u16 = 0x27e;
const FORMAT: u16 = 0x41e;
const BOF: u16 = 0x809;

/// Reads an old Excel workbook.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let file = Compound::open(bytes).ok_or_else(|| ExtractError::damaged(Kind::Xls, "its container cannot be read"))?;
    summary(&file, found);
    let stream = file.stream("Workbook").or_else(|| file.stream("Book"));
    let stream = stream.ok_or_else(|| ExtractError::damaged(Kind::Xls, "it has no workbook stream"))?;
    let mut out = Markdown::new(limits.text_bytes_max);
    let mut book = Book { modern: true, page: Encoding::for_label(b"windows-1252"), ..Book::default() };
    if !book.globals(&stream) {
        return Err(ExtractError::Encrypted { kind: Kind::Xls });
    }
    for (name, at) in &book.sheets {
        if out.full() {
            break;
        }
        out.heading(2, &escape(name));
        book.sheet(stream.get(*at..).unwrap_or_default(), &mut out);
    }
    found.pages = u32::try_from(book.sheets.len()).ok();
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

/// A record with the pieces of its continuations.
fn records(stream: &[u8]) -> impl Iterator<Item = (u16, Vec<&[u8]>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let kind = stream.get(at..at + 2).map(|_| u16_at(stream, at))?;
        let mut pieces = Vec::new();
        loop {
            let end = at + 4 + usize::from(u16_at(stream, at + 2));
            pieces.push(stream.get(at + 4..end.min(stream.len()))?);
            at = end;
            if u16_at(stream, at) != CONTINUE || stream.len() < at + 4 {
                return Some((kind, pieces));
            }
        }
    })
}

#[derive(Default)]
struct Book {
    modern: bool,
    page: Option<&'static Encoding>,
    sheets: Vec<(String, usize)>,
    strings: Vec<String>,
    formats: BTreeMap<u16, String>,
    /// The number format of each cell style.
    styles: Vec<u16>,
    since_1904: bool,
}

impl Book {
    /// Reads what all sheets share; false if it is encrypted.
    fn globals(&mut self, stream: &[u8]) -> bool {
        for (kind, pieces) in records(stream) {
            let first = pieces.first().copied().unwrap_or_default();
            match kind {
                BOF => self.modern = u16_at(first, 0) >= 0x600,
                FILE_PASS => return false,
                DATE_MODE => self.since_1904 = u16_at(first, 0) == 1,
                CODE_PAGE => {
                    self.page = Encoding::for_label(format!("windows-{}", u16_at(first, 0)).as_bytes()).or(self.page)
                }
                SHEET => {
                    let length = usize::from(first.get(6).copied().unwrap_or(0));
                    let name = self.string(first, 7, length);
                    // Charts and macros have sheets of their own kinds.
                    if matches!(first.get(5), Some(0)) {
                        self.sheets.push((name, u32_at(first, 0) as usize));
                    }
                }
                FORMAT => {
                    let (at, length) = if self.modern {
                        (4, usize::from(u16_at(first, 2)))
                    } else {
                        (3, usize::from(first.get(2).copied().unwrap_or(0)))
                    };
                    self.formats.insert(u16_at(first, 0), self.string(first, at, length));
                }
                CELL_STYLE => self.styles.push(u16_at(first, 2)),
                SHARED_STRINGS => self.strings = shared(pieces),
                EOF => break,
                _ => {}
            }
        }
        true
    }

    /// A string whose characters begin at `at`, after a byte of flags in BIFF8.
    fn string(&self, record: &[u8], at: usize, length: usize) -> String {
        let rest = record.get(at..).unwrap_or_default();
        if self.modern {
            return Pieces::new(vec![rest]).text(length).unwrap_or_default();
        }
        let bytes = rest.get(..length.min(rest.len())).unwrap_or_default();
        self.page.map_or_else(String::new, |page| page.decode_without_bom_handling(bytes).0.into_owned())
    }

    fn sheet(&self, stream: &[u8], out: &mut Markdown) {
        let mut cells: BTreeMap<u16, BTreeMap<u16, String>> = BTreeMap::new();
        let mut boxes = Vec::new();
        let mut formula = (0, 0);
        let mut depth = 0;
        for (kind, pieces) in records(stream) {
            let first = pieces.first().copied().unwrap_or_default();
            let (row, column, style) = (u16_at(first, 0), u16_at(first, 2), u16_at(first, 4));
            let mut put = |row: u16, column: u16, text: String| cells.entry(row).or_default().insert(column, text);
            match kind {
                BOF => depth += 1,
                EOF if depth <= 1 => break,
                EOF => depth -= 1,
                // A chart inside the sheet has cells of its own.
                _ if depth > 1 => {}
                SHARED_STRING => {
                    drop(put(row, column, self.strings.get(u32_at(first, 6) as usize).cloned().unwrap_or_default()))
                }
                LABEL | RICH_STRING => drop(put(row, column, self.string(first, 8, usize::from(u16_at(first, 6))))),
                NUMBER => drop(put(row, column, self.shown(f64::from_bits(u64_at(first, 6)), style))),
                SMALL_NUMBER => drop(put(row, column, self.shown(small(u32_at(first, 6)), style))),
                MANY_NUMBERS => {
                    for index in 0..first.len().saturating_sub(6) / 6 {
                        let number = small(u32_at(first, 6 + index * 6));
                        put(row, column.saturating_add(index as u16), self.shown(number, u16_at(first, 4 + index * 6)));
                    }
                }
                BOOL_OR_ERROR if first.get(7) == Some(&0) => {
                    drop(put(row, column, if first.get(6) == Some(&1) { "TRUE" } else { "FALSE" }.to_owned()));
                }
                FORMULA if u16_at(first, 12) == 0xffff => {
                    formula = (row, column);
                    if first.get(6) == Some(&1) {
                        put(row, column, if first.get(8) == Some(&1) { "TRUE" } else { "FALSE" }.to_owned());
                    }
                }
                FORMULA => drop(put(row, column, self.shown(f64::from_bits(u64_at(first, 6)), style))),
                FORMULA_STRING => drop(put(formula.0, formula.1, self.string(first, 2, usize::from(u16_at(first, 0))))),
                TEXT_BOX => {
                    let length = usize::from(u16_at(first, 10));
                    let text = pieces
                        .get(1)
                        .and_then(|piece| Pieces::new(vec![piece.get(1..)?]).characters(length, *piece.first()?));
                    boxes.extend(text);
                }
                _ => {}
            }
        }
        write(cells, out);
        for text in boxes {
            out.paragraph(&escape(&text));
        }
    }

    fn shown(&self, number: f64, style: u16) -> String {
        let format = self.styles.get(usize::from(style)).copied().unwrap_or(0);
        let dated = numbers::is_date(u32::from(format), self.formats.get(&format).map(String::as_str));
        let date = if dated { numbers::date_of(number, self.since_1904) } else { None };
        date.unwrap_or_else(|| numbers::number(number))
    }
}

/// A number packed into 30 bits ([MS-XLS] 2.5.122).
fn small(packed: u32) -> f64 {
    let value =
        if packed & 2 != 0 { f64::from((packed as i32) >> 2) } else { f64::from_bits(u64::from(packed & !3) << 32) };
    if packed & 1 != 0 { value / 100.0 } else { value }
}

fn shared(pieces: Vec<&[u8]>) -> Vec<String> {
    let mut pieces = Pieces::new(pieces);
    let mut out = Vec::new();
    if !pieces.skip(8) {
        return out;
    }
    while let Some(text) = pieces.number16().and_then(|length| pieces.text(usize::from(length))) {
        out.push(text);
    }
    out
}

/// Writes the cells; an empty row ends a table.
fn write(cells: BTreeMap<u16, BTreeMap<u16, String>>, out: &mut Markdown) {
    let mut table = Vec::new();
    let mut expected = 0;
    for (row, columns) in cells {
        let mut line = Vec::new();
        for (column, text) in columns {
            line.resize(usize::from(column), String::new());
            line.push(escape(&text));
        }
        let empty = line.iter().all(|cell| cell.trim().is_empty());
        if empty || row > expected {
            write_table(&mut table, out);
        }
        if !empty {
            table.push(line);
        }
        expected = row.saturating_add(1);
        if out.full() {
            return;
        }
    }
    write_table(&mut table, out);
}
