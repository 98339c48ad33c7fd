//! XLSX: each sheet a heading and its tables, dates as dates, charts as tables.

use super::super::markdown::{self, Markdown};
use super::super::package::Package;
use super::super::xml::{Element, Xml};
use super::super::{ExtractError, Extracted, Kind, Limits};
use super::{Relations, charts, numbers, of_kind, write_table};
use std::collections::BTreeMap;

/// Columns beyond this are not read: Excel's own limit.
const COLUMNS_MAX: usize = 16_384;

/// Reads a workbook.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let mut package = Package::open(Kind::Xlsx, bytes, limits)?;
    super::core_properties(&mut package, found);
    let main = super::main_part(&mut package, "xl/workbook.xml");
    let relations = super::relations(&mut package, &main);
    let workbook = package.xml(&main).ok_or_else(|| ExtractError::damaged(Kind::Xlsx, "it has no workbook"))?;
    let book = Book {
        strings: of_kind(&relations, "sharedStrings")
            .and_then(|part| package.xml(part))
            .map(|xml| shared(&xml))
            .unwrap_or_default(),
        dates: of_kind(&relations, "styles")
            .and_then(|part| package.xml(part))
            .map(|xml| date_styles(&xml))
            .unwrap_or_default(),
        since_1904: workbook.find("workbookPr").is_some_and(|p| matches!(p.attr("date1904"), Some("1" | "true"))),
    };
    let mut out = Markdown::new(limits.text_bytes_max);
    let mut count = 0;
    for sheet in workbook.all("sheet") {
        count += 1;
        let Some(relation) = sheet.attr("id").and_then(|id| relations.get(id)) else { continue };
        if out.full() {
            continue;
        }
        out.heading(2, &markdown::escape(sheet.attr("name").unwrap_or_default()));
        if let Some(xml) = package.xml(&relation.target) {
            found.truncated |= xml.broken;
            book.sheet(&xml, &mut out);
        }
        let own = super::relations(&mut package, &relation.target);
        drawings(&mut package, &own, &mut out);
    }
    found.pages = Some(count);
    super::note_limits(&package, found);
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

struct Book {
    strings: Vec<String>,
    /// Whether each cell style shows dates.
    dates: Vec<bool>,
    since_1904: bool,
}

/// The shared strings; phonetic guides are no text.
fn shared(xml: &Xml) -> Vec<String> {
    xml.all("si").map(rich_text).collect()
}

fn rich_text(element: Element<'_>) -> String {
    element
        .children()
        .filter(|child| matches!(child.name(), "t" | "r"))
        .map(
            |child| {
                if child.name() == "t" { child.text() } else { child.child("t").map(Element::text).unwrap_or_default() }
            },
        )
        .collect()
}

fn date_styles(xml: &Xml) -> Vec<bool> {
    let mut codes = BTreeMap::new();
    for format in xml.all("numFmt") {
        if let Some((id, code)) =
            format.attr("numFmtId").and_then(|id| id.parse::<u32>().ok()).zip(format.attr("formatCode"))
        {
            codes.insert(id, code);
        }
    }
    let Some(styles) = xml.find("cellXfs") else { return Vec::new() };
    let date = |style: Element<'_>| {
        let id = style.attr("numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
        numbers::is_date(id, codes.get(&id).copied())
    };
    styles.children().filter(|child| child.name() == "xf").map(date).collect()
}

impl Book {
    fn sheet(&self, xml: &Xml, out: &mut Markdown) {
        // An empty row ends a table.
        let mut table: Vec<Vec<String>> = Vec::new();
        let mut expected = 0_u32;
        for row in xml.all("row") {
            let number = row.attr("r").and_then(|number| number.parse().ok()).unwrap_or(expected + 1);
            let mut cells = Vec::new();
            for cell in row.children().filter(|child| child.name() == "c") {
                let at = cell.attr("r").and_then(column).unwrap_or(cells.len());
                if at >= cells.len() && at < COLUMNS_MAX {
                    cells.resize(at, String::new());
                    cells.push(markdown::escape(&self.value(cell)));
                }
            }
            let empty = cells.iter().all(|cell| cell.trim().is_empty());
            if empty || number > expected + 1 {
                write_table(&mut table, out);
            }
            if !empty {
                table.push(cells);
            }
            expected = number;
            if out.full() {
                return;
            }
            // A long table is written in pieces, so that the limit is met early.
            if table.len() > 5000 {
                write_table(&mut table, out);
            }
        }
        write_table(&mut table, out);
    }

    fn value(&self, cell: Element<'_>) -> String {
        let stored = cell.child("v").map(Element::text).unwrap_or_default();
        match cell.attr("t").unwrap_or("n") {
            "s" => stored
                .trim()
                .parse::<usize>()
                .ok()
                .and_then(|index| self.strings.get(index))
                .cloned()
                .unwrap_or_default(),
            "inlineStr" => cell.child("is").map(rich_text).unwrap_or_default(),
            "b" => if stored.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "n" => {
                let style = cell.attr("s").and_then(|style| style.parse::<usize>().ok()).unwrap_or(0);
                let dated = self.dates.get(style).copied().unwrap_or(false);
                let date =
                    stored.trim().parse().ok().filter(|_| dated).and_then(|n| numbers::date_of(n, self.since_1904));
                date.unwrap_or_else(|| numbers::general(&stored))
            }
            _ => stored,
        }
    }
}

/// The column of a reference such as `AB12`, from 0.
fn column(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters
        .take(4)
        .fold(0_usize, |number, letter| number * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

/// The charts and text boxes drawn on a sheet, and its notes.
fn drawings(package: &mut Package<'_>, relations: &Relations, out: &mut Markdown) {
    for relation in relations.values() {
        let Some(xml) = (match relation.kind.as_str() {
            "drawing" | "comments" => package.xml(&relation.target),
            _ => None,
        }) else {
            continue;
        };
        if relation.kind == "comments" {
            for comment in xml.all("comment") {
                let text: Vec<String> = comment.collect("t").into_iter().map(Element::text).collect();
                let place = comment.attr("ref").unwrap_or_default();
                out.paragraph(&format!("{place}: {}", markdown::escape(&markdown::squeeze(&text.concat()))));
            }
            continue;
        }
        for shape in xml.all("txBody") {
            for paragraph in shape.collect("p") {
                let text: Vec<String> = paragraph.collect("t").into_iter().map(Element::text).collect();
                out.paragraph(&markdown::escape(&text.concat()));
            }
        }
        let own = super::relations(package, &relation.target);
        for chart in own.values().filter(|relation| relation.kind == "chart") {
            if let Some(xml) = package.xml(&chart.target) {
                charts::chart(&xml, out);
            }
        }
    }
}
