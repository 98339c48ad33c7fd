//! Office documents in packages: what OOXML and ODF share, and one reader a format.

mod charts;
pub(super) mod docx;
mod math;
pub(super) mod numbers;
pub(super) mod odf;
pub(super) mod pptx;
pub(super) mod xlsx;

use super::markdown::Markdown;
use super::package::Package;
use super::xml::Element;
use super::{Extracted, date};
use std::collections::BTreeMap;

/// The targets of a part's relationships by their ids: type (its last word) and path inside the package, or address.
pub(super) type Relations = BTreeMap<String, Relation>;

/// One relationship.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    kind: String,
    target: String,
    external: bool,
}

/// The relationships of a part (`word/document.xml` has them in `word/_rels/document.xml.rels`).
pub(super) fn relations(package: &mut Package<'_>, part: &str) -> Relations {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let name = if folder.is_empty() { format!("_rels/{file}.rels") } else { format!("{folder}/_rels/{file}.rels") };
    let Some(xml) = package.xml(&name) else { return Relations::new() };
    let mut out = Relations::new();
    for relation in xml.all("Relationship") {
        let (Some(id), Some(target)) = (relation.attr("Id"), relation.attr("Target")) else { continue };
        let external = relation.attr("TargetMode") == Some("External");
        let target = if external { target.to_owned() } else { resolve(folder, target) };
        let kind = relation.attr("Type").unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        out.insert(id.to_owned(), Relation { kind, target, external });
    }
    out
}

/// A path relative to a folder of the package, with its `..` worked off.
fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The part that the package is about (`word/document.xml`, ...), which may have any name.
fn main_part(package: &mut Package<'_>, usual: &str) -> String {
    let relations = relations(package, "");
    let main = relations.values().find(|relation| relation.kind == "officeDocument");
    main.map_or_else(|| usual.to_owned(), |relation| relation.target.clone())
}

/// The first relationship of that kind.
fn of_kind<'a>(relations: &'a Relations, kind: &str) -> Option<&'a str> {
    relations.values().find(|relation| relation.kind == kind).map(|relation| relation.target.as_str())
}

/// Title, author and the like of an OOXML package.
fn core_properties(package: &mut Package<'_>, found: &mut Extracted) {
    let Some(core) = package.xml("docProps/core.xml") else { return };
    let field = |name: &str| core.find(name).map(Element::text).filter(|text| !text.trim().is_empty());
    found.title = field("title");
    found.author = field("creator").map(|all| all.split(';').map(str::to_owned).collect()).unwrap_or_default();
    found.created = field("created").and_then(|written| date::normal(&written));
    found.language = field("language");
    found.keywords =
        field("keywords").map(|all| all.split([',', ';']).map(str::to_owned).collect()).unwrap_or_default();
    for (fact, name) in [("subject", "subject"), ("description", "description"), ("category", "category")] {
        found.facts.extend(field(name).map(|text| (fact.to_owned(), text)));
    }
}

/// Says so when a part was cut by the bound on unpacked bytes.
fn note_limits(package: &Package<'_>, found: &mut Extracted) {
    if package.over {
        found.truncated = true;
        found.warnings.push("not read to the end: it unpacks to more than the limit".to_owned());
    }
}

/// The one of `mc:AlternateContent`'s versions to read: its choice, or the fallback if the choice shows no text.
fn alternative(element: Element<'_>) -> Option<Element<'_>> {
    let choice = element.child("Choice");
    choice.filter(|choice| !choice.text().trim().is_empty()).or_else(|| element.child("Fallback")).or(choice)
}

/// Whether an on-off property is on: there, and not switched off.
fn is_on(element: Option<Element<'_>>) -> bool {
    element.is_some_and(|element| !matches!(element.attr("val"), Some("0" | "false" | "off" | "none")))
}

/// Emphasis around a run's text, the marks hugging the words.
fn emphasise(text: &str, bold: bool, italic: bool) -> String {
    let core = text.trim();
    let mark = match (bold, italic) {
        (true, true) => "***",
        (true, false) => "**",
        (false, true) => "*",
        (false, false) => return text.to_owned(),
    };
    if core.is_empty() || core.contains('*') || core.contains('\n') {
        return text.to_owned();
    }
    text.replacen(core, &format!("{mark}{core}{mark}"), 1)
}

/// Two runs in the same emphasis stand as one: `**a****b**` is `**ab**`.
fn join_marks(text: &str) -> String {
    text.replace("******", "").replace("****", "")
}

/// Writes a table without the empty columns at its left.
pub(super) fn write_table(table: &mut Vec<Vec<String>>, out: &mut Markdown) {
    let first = table.iter().filter_map(|row| row.iter().position(|cell| !cell.trim().is_empty())).min().unwrap_or(0);
    for row in table.iter_mut() {
        row.drain(..first.min(row.len()));
    }
    out.table(table);
    table.clear();
}
