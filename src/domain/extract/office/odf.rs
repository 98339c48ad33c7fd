//! ODT, ODS and ODP, packed or flat: headings, paragraphs, lists, tables, slides, notes.

mod cells;

use super::super::markdown::{self, Markdown};
use super::super::package::Package;
use super::super::xml::{Element, Xml};
use super::super::{ExtractError, Extracted, Limits, date};
use super::{emphasise, join_marks};
use std::collections::BTreeMap;

/// Reads an OpenDocument file.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let mut sheets = Vec::new();
    let content = if bytes.starts_with(b"PK") {
        let mut package = Package::open(found.kind, bytes, limits)?;
        if let Some(meta) = package.xml("meta.xml") {
            metadata(&meta, found);
        }
        let encrypted = package
            .part("META-INF/manifest.xml")
            .is_some_and(|manifest| super::super::kind::find(&manifest, b"encryption-data").is_some());
        if encrypted {
            return Err(ExtractError::Encrypted { kind: found.kind });
        }
        sheets.extend(package.xml("styles.xml"));
        let content =
            package.xml("content.xml").ok_or_else(|| ExtractError::damaged(found.kind, "it has no content"))?;
        super::note_limits(&package, found);
        content
    } else {
        let flat = Xml::parse(bytes);
        metadata(&flat, found);
        flat
    };
    let mut styles = Styles::default();
    for xml in sheets.iter().chain([&content]) {
        styles.add(xml);
    }
    let mut walk = Walk::new(limits.text_bytes_max, &styles);
    if let Some(body) = content.find("body") {
        walk.sheets = body.child("spreadsheet").is_some();
        walk.blocks(body, 0);
    }
    for (number, note) in std::mem::take(&mut walk.notes) {
        walk.out.paragraph(&format!("[^{number}]: {note}"));
    }
    found.pages = Some(walk.pages).filter(|pages| *pages > 0).or(found.pages);
    found.title = found.title.take().or(walk.title.take());
    found.truncated |= content.broken;
    let (text, cut) = walk.out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

fn metadata(meta: &Xml, found: &mut Extracted) {
    let Some(meta) = meta.find("meta") else { return };
    let field = |name: &str| meta.find(name).map(Element::text).filter(|text| !text.trim().is_empty());
    found.title = field("title");
    found.author.extend(field("initial-creator").or_else(|| field("creator")));
    found.created = field("creation-date").and_then(|written| date::normal(&written));
    found.language = field("language");
    found.keywords = meta.collect("keyword").into_iter().map(Element::text).collect();
    found.facts.extend(field("subject").map(|text| ("subject".to_owned(), text)));
    found.facts.extend(field("description").map(|text| ("description".to_owned(), text)));
    let pages = meta.find("document-statistic").and_then(|statistic| statistic.attr("page-count"));
    found.pages = pages.and_then(|pages| pages.parse().ok());
}

#[derive(Debug, Default)]
struct Styles {
    /// Bold and italic of the text styles.
    text: BTreeMap<String, (bool, bool)>,
    /// The style that a paragraph style is made from.
    parents: BTreeMap<String, String>,
    /// Whether each level of a list style is numbered.
    lists: BTreeMap<(String, usize), bool>,
}

impl Styles {
    fn add(&mut self, xml: &Xml) {
        for style in xml.all("style") {
            let name = style.attr("name").unwrap_or_default().to_owned();
            if let Some(parent) = style.attr("parent-style-name") {
                self.parents.insert(name.clone(), parent.to_owned());
            }
            if let Some(look) = style.child("text-properties").filter(|_| style.attr("family") == Some("text")) {
                let bold = look.attr("font-weight") == Some("bold");
                self.text.insert(name, (bold, look.attr("font-style") == Some("italic")));
            }
        }
        for list in xml.all("list-style") {
            let name = list.attr("name").unwrap_or_default();
            for level in list.children() {
                let depth = level.attr("level").and_then(|depth| depth.parse::<usize>().ok()).unwrap_or(1);
                let numbered = level.name() == "list-level-style-number"
                    && level.attr("num-format").is_some_and(|f| !f.is_empty());
                self.lists.insert((name.to_owned(), depth), numbered);
            }
        }
    }

    /// Whether a paragraph style is, or is made from, the document's title.
    fn is_title(&self, name: &str) -> bool {
        name == "Title" || self.parents.get(name).is_some_and(|parent| parent == "Title")
    }
}

struct Walk<'a> {
    out: Markdown,
    styles: &'a Styles,
    notes: Vec<(usize, String)>,
    boxes: Vec<Element<'a>>,
    title: Option<String>,
    /// Slides or sheets so far.
    pages: u32,
    /// In a spreadsheet tables are sheets, with names that people see.
    sheets: bool,
}

impl<'a> Walk<'a> {
    fn new(max: usize, styles: &'a Styles) -> Self {
        Self {
            out: Markdown::new(max),
            styles,
            notes: Vec::new(),
            boxes: Vec::new(),
            title: None,
            pages: 0,
            sheets: false,
        }
    }

    fn blocks(&mut self, parent: Element<'a>, depth: usize) {
        for child in parent.children() {
            if self.out.full() || depth > 60 {
                return;
            }
            match child.name() {
                "h" => {
                    let level = child.attr("outline-level").and_then(|level| level.parse().ok()).unwrap_or(1);
                    self.heading(child, level, depth);
                }
                "p" => {
                    let style = child.attr("style-name").unwrap_or_default();
                    if self.styles.is_title(style) {
                        self.heading(child, 1, depth);
                    } else {
                        let text = join_marks(&self.inline(child));
                        self.out.paragraph(&text);
                        self.boxed(depth);
                    }
                }
                "list" => self.list(child, 0, None, depth),
                "table" => self.table(child),
                "page" => {
                    self.pages += 1;
                    self.page(child, depth);
                }
                "tracked-changes" | "forms" | "annotation" | "sequence-decls" | "" => {}
                "header" | "footer" | "header-decl" | "footer-decl" | "date-time-decl" => {}
                _ => self.blocks(child, depth + 1),
            }
        }
    }

    fn heading(&mut self, element: Element<'a>, level: usize, depth: usize) {
        let text = markdown::squeeze(&self.inline(element).replace('*', ""));
        if level == 1 && !text.is_empty() {
            self.title.get_or_insert(text.clone());
        }
        self.out.heading(level, &text);
        self.boxed(depth);
    }

    /// The text boxes that hung on the paragraph just written.
    fn boxed(&mut self, depth: usize) {
        for inner in std::mem::take(&mut self.boxes) {
            self.blocks(inner, depth + 1);
        }
    }

    /// A slide: its title first, its notes last.
    fn page(&mut self, page: Element<'a>, depth: usize) {
        let is_title = |frame: &Element<'a>| frame.attr("class") == Some("title");
        for frame in page.children().filter(is_title) {
            let text = self.flat(frame);
            self.title.get_or_insert(text.clone());
            self.out.heading(1, &text);
        }
        // A slide without a title has at least a name, if its author gave it one.
        let name = page
            .attr("name")
            .filter(|name| !name.trim_end_matches(|c: char| c.is_ascii_digit()).eq_ignore_ascii_case("page"));
        if let Some(name) = name.filter(|_| !page.children().any(|part| is_title(&part))) {
            self.out.heading(1, &markdown::escape(name));
        }
        for part in page.children().filter(|part| !is_title(part)) {
            if part.name() == "notes" {
                let text = self.flat(part);
                if !text.is_empty() {
                    self.out.paragraph(&format!("> {text}"));
                }
            } else if part.find("p").is_some() {
                self.blocks(part, depth + 1);
            }
        }
    }

    fn list(&mut self, list: Element<'a>, level: usize, outer: Option<&'a str>, depth: usize) {
        if depth > 60 {
            return;
        }
        let style = list.attr("style-name").or(outer);
        let numbered =
            style.and_then(|style| self.styles.lists.get(&(style.to_owned(), level + 1))).copied().unwrap_or(false);
        let mut number = 0;
        for item in list.children().filter(|child| matches!(child.name(), "list-item" | "list-header")) {
            number += 1;
            let mut marker = if numbered { format!("{number}.") } else { "-".to_owned() };
            for part in item.children() {
                match part.name() {
                    "list" => self.list(part, level + 1, style, depth + 1),
                    "p" => {
                        let text = join_marks(&self.inline(part));
                        self.out.item(level, &marker, &text);
                        marker = " ".to_owned();
                        self.boxed(depth);
                    }
                    // A numbered heading stands in a list.
                    "h" => {
                        let deep = part.attr("outline-level").and_then(|deep| deep.parse().ok()).unwrap_or(1);
                        self.heading(part, deep, depth);
                    }
                    _ => {}
                }
            }
        }
    }

    fn inline(&mut self, parent: Element<'a>) -> String {
        let mut out = String::new();
        for child in parent.children() {
            if let Some(text) = child.own_text() {
                // Line ends and runs of spaces in the file are one space.
                let mut last = out.ends_with(' ');
                for character in markdown::escape(text).chars() {
                    let space = matches!(character, ' ' | '\n' | '\t' | '\r');
                    if !(space && last) {
                        out.push(if space { ' ' } else { character });
                    }
                    last = space;
                }
                continue;
            }
            match child.name() {
                "s" => {
                    let count = child.attr("c").and_then(|count| count.parse::<usize>().ok()).unwrap_or(1);
                    out.push_str(&" ".repeat(count.min(100)));
                }
                "tab" => out.push('\t'),
                "line-break" => out.push('\n'),
                "span" => {
                    let text = self.inline(child);
                    let style = child.attr("style-name").and_then(|style| self.styles.text.get(style));
                    let (bold, italic) = style.copied().unwrap_or_default();
                    out.push_str(&emphasise(&text, bold, italic));
                }
                "a" => {
                    let text = self.inline(child);
                    match child.attr("href").filter(|address| address.contains(':') && !text.trim().is_empty()) {
                        Some(address) => out.push_str(&format!("[{}]({})", text.trim(), address.replace(' ', "%20"))),
                        None => out.push_str(&text),
                    }
                }
                "note" => {
                    let number = self.notes.len() + 1;
                    out.push_str(&format!("[^{number}]"));
                    self.notes.push((number, String::new()));
                    let text = child.child("note-body").map(|body| self.flat(body)).unwrap_or_default();
                    if let Some(note) = self.notes.get_mut(number - 1) {
                        note.1 = text;
                    }
                }
                "frame" | "custom-shape" | "g" | "rect" => self.boxes.push(child),
                "annotation" | "annotation-end" | "tracked-changes" | "change" | "ruby-text" => {}
                _ => out.push_str(&self.inline(child)),
            }
        }
        out
    }

    /// All of an element on one line.
    fn flat(&mut self, element: Element<'a>) -> String {
        let outer = std::mem::replace(&mut self.out, Markdown::new(1 << 20));
        let pages = self.pages;
        self.blocks(element, 30);
        self.pages = pages;
        let (text, _) = std::mem::replace(&mut self.out, outer).finish();
        let lines = text.lines().filter(|line| !line.starts_with("| ---"));
        lines.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
    }
}
