//! DOCX: headings, paragraphs, lists, tables, text boxes, formulas, notes.

mod styles;

use super::super::markdown::{self, Markdown};
use super::super::package::Package;
use super::super::xml::Element;
use super::super::{ExtractError, Extracted, Kind, Limits};
use super::{Relations, alternative, emphasise, is_on, join_marks, math};
use std::collections::BTreeMap;
use styles::Styles;

/// Reads a word processor document.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let mut package = Package::open(Kind::Docx, bytes, limits)?;
    super::core_properties(&mut package, found);
    let main = super::main_part(&mut package, "word/document.xml");
    let relations = super::relations(&mut package, &main);
    let document = package.xml(&main).ok_or_else(|| ExtractError::damaged(Kind::Docx, "it has no main document"))?;
    let styles = Styles::read(&mut package, &relations);
    let mut walk = Walk::new(limits.text_bytes_max, &styles, &relations);
    if let Some(body) = document.find("body") {
        walk.blocks(body, 0);
    }
    for kind in ["footnotes", "endnotes"] {
        let Some(part) = super::of_kind(&relations, kind).map(str::to_owned) else { continue };
        let Some(notes) = package.xml(&part) else { continue };
        let own = super::relations(&mut package, &part);
        let mark = if kind == "footnotes" { "" } else { "e" };
        for note in notes.all(kind.trim_end_matches('s')) {
            // The separators are notes too, of a type of their own.
            if let Some(id) = note.attr("id").filter(|_| note.attr("type").is_none_or(|kind| kind == "normal")) {
                let text = Walk::new(limits.text_bytes_max, &styles, &own).flat(note);
                if !text.is_empty() {
                    walk.out.paragraph(&format!("[^{mark}{id}]: {text}"));
                }
            }
        }
    }
    if found.title.is_none() {
        found.title = walk.title.take();
    }
    if document.broken {
        found.warnings.push("the document is cut off or too big; what follows is missing".to_owned());
        found.truncated = true;
    }
    super::note_limits(&package, found);
    let (text, cut) = walk.out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

struct Walk<'a> {
    out: Markdown,
    styles: &'a Styles,
    relations: &'a Relations,
    /// The numbers of the numbered lists, by list and level.
    counters: BTreeMap<(String, usize), usize>,
    /// Text boxes met inside a paragraph, to be written after it.
    boxes: Vec<Element<'a>>,
    title: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(max: usize, styles: &'a Styles, relations: &'a Relations) -> Self {
        Self { out: Markdown::new(max), styles, relations, counters: BTreeMap::new(), boxes: Vec::new(), title: None }
    }

    fn blocks(&mut self, parent: Element<'a>, depth: usize) {
        for child in parent.children() {
            if self.out.full() || depth > 60 {
                return;
            }
            match child.name() {
                "p" => self.paragraph(child, depth),
                "tbl" => self.table(child, depth),
                "AlternateContent" => {
                    if let Some(version) = alternative(child) {
                        self.blocks(version, depth + 1);
                    }
                }
                "sectPr" | "pPr" | "rPr" | "sdtPr" | "tblPr" | "del" | "moveFrom" => {}
                "" => {}
                _ => self.blocks(child, depth + 1),
            }
        }
    }

    fn paragraph(&mut self, paragraph: Element<'a>, depth: usize) {
        let text = join_marks(&self.inline(paragraph));
        let style = paragraph.path(&["pPr", "pStyle"]).and_then(|style| style.attr("val")).unwrap_or_default();
        let own_level = paragraph.path(&["pPr", "outlineLvl"]).and_then(|level| level.attr("val"));
        let level =
            own_level.and_then(|level| level.parse::<usize>().ok()).filter(|level| *level < 9).map(|level| level + 1);
        let list = self.styles.list(paragraph, style);
        if let Some(level) = level.or_else(|| self.styles.heading(style)) {
            let plain = text.replace('*', "");
            if self.title.is_none() && level == 1 {
                self.title = Some(markdown::squeeze(&plain));
            }
            let number = list.and_then(|list| self.styles.number(&list, &mut self.counters).1);
            let number = number.map(|number| format!("{number} ")).unwrap_or_default();
            self.out.heading(level, &format!("{number}{plain}"));
        } else if let Some(list) = list.filter(|_| !text.trim().is_empty()) {
            let (marker, _) = self.styles.number(&list, &mut self.counters);
            self.out.item(list.level, &marker, &text);
        } else {
            self.out.paragraph(&text);
        }
        for inner in std::mem::take(&mut self.boxes) {
            self.blocks(inner, depth + 1);
        }
    }

    /// The text of a paragraph's runs, with emphasis, links, breaks and formulas.
    fn inline(&mut self, parent: Element<'a>) -> String {
        let mut out = String::new();
        for child in parent.children() {
            match child.name() {
                "r" => out.push_str(&self.run(child)),
                "hyperlink" => {
                    let text = self.inline(child);
                    let address = child.attr("id").and_then(|id| self.relations.get(id));
                    match address.filter(|relation| relation.external && !text.trim().is_empty()) {
                        Some(relation) if relation.target.len() < 2000 => {
                            out.push_str(&format!("[{}]({})", text.trim(), relation.target.replace(' ', "%20")));
                        }
                        _ => out.push_str(&text),
                    }
                }
                "oMath" => out.push_str(&format!(" ${}$ ", math::latex(child))),
                "oMathPara" => {
                    for formula in child.collect("oMath") {
                        out.push_str(&format!(" $${}$$ ", math::latex(formula)));
                    }
                }
                "pPr" | "rPr" | "del" | "moveFrom" | "sdtPr" | "" => {}
                "AlternateContent" => {
                    if let Some(version) = alternative(child) {
                        out.push_str(&self.inline(version));
                    }
                }
                "txbxContent" => self.boxes.push(child),
                "sdt" if child.path(&["sdtPr", "checkbox"]).is_some() => {
                    let checked = child.path(&["sdtPr", "checkbox", "checked"]).and_then(|checked| checked.attr("val"));
                    out.push_str(if matches!(checked, Some("1" | "true")) { "[x]" } else { "[ ]" });
                }
                _ => out.push_str(&self.inline(child)),
            }
        }
        out
    }

    fn run(&mut self, run: Element<'a>) -> String {
        let properties = run.child("rPr");
        let mut text = String::new();
        for child in run.children() {
            match child.name() {
                "t" => text.push_str(&markdown::escape(&child.text())),
                "tab" | "ptab" => text.push('\t'),
                "br" | "cr" if child.attr("type").is_none_or(|kind| kind == "textWrapping") => text.push('\n'),
                "noBreakHyphen" => text.push('-'),
                "sym" => text.extend(symbol(child)),
                "footnoteReference" => text.push_str(&format!("[^{}]", child.attr("id").unwrap_or("0"))),
                "endnoteReference" => text.push_str(&format!("[^e{}]", child.attr("id").unwrap_or("0"))),
                "AlternateContent" => {
                    if let Some(version) = alternative(child) {
                        text.push_str(&self.inline(version));
                    }
                }
                "drawing" | "pict" | "object" => text.push_str(&self.inline(child)),
                _ => {}
            }
        }
        let hidden = properties.is_some_and(|properties| is_on(properties.child("vanish")));
        if hidden {
            return String::new();
        }
        let is = |name: &str| properties.is_some_and(|properties| is_on(properties.child(name)));
        emphasise(&text, is("b"), is("i"))
    }

    /// All of an element on one line, as in a table's cell.
    fn flat(&mut self, element: Element<'a>) -> String {
        let outer = std::mem::replace(&mut self.out, Markdown::new(1 << 20));
        self.blocks(element, 30);
        let (text, _) = std::mem::replace(&mut self.out, outer).finish();
        let lines = text.lines().filter(|line| !line.starts_with("| ---"));
        lines.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    fn table(&mut self, table: Element<'a>, depth: usize) {
        let mut rows = Vec::new();
        for row in table.collect("tr") {
            let mut cells = Vec::new();
            for cell in row.collect("tc") {
                let properties = cell.child("tcPr");
                let span = properties.and_then(|p| p.child("gridSpan")).and_then(|span| span.attr("val"));
                // The lower cells of a merged column repeat nothing.
                let merged =
                    properties.and_then(|p| p.child("vMerge")).is_some_and(|m| m.attr("val") != Some("restart"));
                cells.push(if merged || depth > 40 { String::new() } else { self.flat(cell) });
                let span = span.and_then(|span| span.parse::<usize>().ok()).unwrap_or(1);
                cells.extend((1..span.min(64)).map(|_| String::new()));
            }
            rows.push(cells);
        }
        self.out.table(&rows);
    }
}

/// A character of a symbol font; those of the private area are bullets and arrows at best.
fn symbol(element: Element<'_>) -> Option<char> {
    let code = u32::from_str_radix(element.attr("char")?, 16).ok()?;
    match code & 0xff {
        0xfe | 0x52 if element.attr("font") == Some("Wingdings 2") || element.attr("font") == Some("Wingdings") => {
            Some('☑')
        }
        0xa8 | 0x6f if element.attr("font") == Some("Wingdings") => Some('☐'),
        _ if (0xf000..0xf100).contains(&code) => Some('•'),
        _ => char::from_u32(code),
    }
}
