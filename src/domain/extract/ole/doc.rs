//! DOC: the text by its piece table (Word 97 and later), or in one run (Word 6 and 95).

use super::super::markdown::{Markdown, escape};
use super::super::{ExtractError, Extracted, Kind, Limits, text};
use super::{Compound, summary, u16_at, u32_at, utf16};

/// Reads an old Word document ([MS-DOC] 2.4.1).
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let damaged = |reason| ExtractError::damaged(Kind::Doc, reason);
    let file = Compound::open(bytes).ok_or_else(|| damaged("its container cannot be read"))?;
    summary(&file, found);
    let main = file.stream("WordDocument").ok_or_else(|| damaged("it has no text stream"))?;
    let flags = u16_at(&main, 0x0a);
    if flags & 0x0100 != 0 {
        return Err(ExtractError::Encrypted { kind: Kind::Doc });
    }
    let mut out = Markdown::new(limits.text_bytes_max);
    let old = u16_at(&main, 2) < 0xc1;
    let characters = if old {
        let (from, to) = (u32_at(&main, 0x18) as usize, u32_at(&main, 0x1c) as usize);
        text::decode_as(main.get(from..to.min(main.len())).unwrap_or_default(), Some("windows-1252"))
    } else {
        let table = file.stream(if flags & 0x0200 != 0 { "1Table" } else { "0Table" });
        let table = table.ok_or_else(|| damaged("it has no table stream"))?;
        pieces(&main, &table).ok_or_else(|| damaged("its piece table cannot be read"))?
    };
    write(&characters, &mut out);
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

/// All characters but those of headers, footers and comments.
fn pieces(main: &[u8], table: &[u8]) -> Option<String> {
    let at = u32_at(main, 0x1a2) as usize;
    let mut clx = table.get(at..at.checked_add(u32_at(main, 0x1a6) as usize)?.min(table.len()))?;
    while clx.first() == Some(&1) {
        clx = clx.get(3 + usize::from(u16_at(clx, 1))..)?;
    }
    let plc = clx.get(5..).filter(|_| clx.first() == Some(&2))?;
    let length = (u32_at(clx, 1) as usize).min(plc.len());
    let count = length.checked_sub(4)? / 12;
    let mut all = String::new();
    let mut ends = Vec::new();
    for index in 0..count {
        let (first, next) = (u32_at(plc, index * 4) as usize, u32_at(plc, index * 4 + 4) as usize);
        let Some(characters) = next.checked_sub(first) else { break };
        let place = u32_at(plc, (count + 1) * 4 + index * 8 + 2);
        let one_byte = place & 0x4000_0000 != 0;
        let start = (place & 0x3fff_ffff) as usize / if one_byte { 2 } else { 1 };
        let size = characters.saturating_mul(if one_byte { 1 } else { 2 });
        let bytes = main.get(start..start.saturating_add(size).min(main.len())).unwrap_or_default();
        ends.push((all.len(), first));
        all.push_str(&if one_byte {
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
        } else {
            utf16(bytes)
        });
    }
    Some(visible(main, &all))
}

/// The parts of the text that a reader sees: body, footnotes, endnotes, text boxes; positions count UTF-16 units.
fn visible(main: &[u8], all: &str) -> String {
    let length = |at: usize| u32_at(main, at) as usize;
    let (body, footnotes, headers) = (length(0x4c), length(0x50), length(0x54));
    let (comments, endnotes, boxes) = (length(0x5c), length(0x60), length(0x64));
    let notes_end = body.saturating_add(footnotes);
    let endnotes_start = notes_end.saturating_add(headers).saturating_add(length(0x58)).saturating_add(comments);
    let boxes_end = endnotes_start.saturating_add(endnotes).saturating_add(boxes);
    let mut unit = 0;
    let mut out = String::new();
    for character in all.chars() {
        if unit < notes_end || (endnotes_start..boxes_end).contains(&unit) {
            out.push(character);
        }
        unit += character.len_utf16();
    }
    out
}

/// Word's control characters: paragraphs, cells, breaks; of a field its result and not its instruction.
fn write(characters: &str, out: &mut Markdown) {
    let mut line = String::new();
    let mut row: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    // One entry an open field: whether we are past its instruction.
    let mut fields: Vec<bool> = Vec::new();
    for character in characters.chars() {
        if out.full() {
            return;
        }
        match character {
            '\u{13}' => fields.push(false),
            '\u{14}' => {
                if let Some(field) = fields.last_mut() {
                    *field = true;
                }
            }
            '\u{15}' => drop(fields.pop()),
            _ if fields.last() == Some(&false) => {}
            '\u{7}' => {
                // A row ends with a mark of its own after that of its last cell.
                if line.trim().is_empty() && !row.is_empty() {
                    rows.push(std::mem::take(&mut row));
                } else {
                    row.push(escape(line.trim()));
                }
                line.clear();
            }
            '\r' | '\u{c}' | '\u{e}' if row.is_empty() => {
                out.table(&rows);
                rows.clear();
                out.paragraph(&escape(line.trim()));
                line.clear();
            }
            '\r' | '\u{b}' => line.push('\n'),
            '\u{1e}' => line.push('-'),
            '\t' => line.push('\t'),
            '\u{f020}'..='\u{f0ff}' => line.push('•'),
            control if control.is_control() || control == '\u{ad}' => {}
            shown => line.push(shown),
        }
    }
    if !row.is_empty() {
        rows.push(row);
    }
    out.table(&rows);
    out.paragraph(&escape(line.trim()));
}
