//! The styles and numberings of a DOCX: which paragraphs are headings, which are items of which list.

use super::super::super::package::Package;
use super::super::super::xml::Element;
use super::super::{Relations, of_kind};
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone)]
struct Style {
    name: String,
    based_on: String,
    outline: Option<usize>,
    list: Option<(String, usize)>,
}

/// A level of a list.
#[derive(Debug, Default, Clone)]
struct Level {
    /// `bullet`, `decimal`, ...
    format: String,
    start: usize,
    /// The number with those of the levels above it: `%1.%2`.
    text: String,
}

/// What the paragraphs refer to.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: BTreeMap<String, Style>,
    levels: BTreeMap<(String, usize), Level>,
}

/// The list a paragraph is an item of.
#[derive(Debug)]
pub(super) struct List {
    id: String,
    pub(super) level: usize,
}

impl Styles {
    pub(super) fn read(package: &mut Package<'_>, relations: &Relations) -> Self {
        let mut out = Self::default();
        if let Some(xml) = of_kind(relations, "styles").and_then(|part| package.xml(part)) {
            for style in xml.all("style") {
                let value =
                    |name: &str| style.child(name).and_then(|child| child.attr("val")).unwrap_or_default().to_owned();
                let properties = style.child("pPr");
                let outline =
                    properties.and_then(|p| p.child("outlineLvl")).and_then(|level| level.attr("val")?.parse().ok());
                let list = properties.and_then(number_properties);
                let made = Style { name: value("name").to_lowercase(), based_on: value("basedOn"), outline, list };
                out.styles.insert(style.attr("styleId").unwrap_or_default().to_owned(), made);
            }
        }
        if let Some(xml) = of_kind(relations, "numbering").and_then(|part| package.xml(part)) {
            let mut abstracts: BTreeMap<&str, Vec<(usize, Level)>> = BTreeMap::new();
            for list in xml.all("abstractNum") {
                let levels = list.collect("lvl").into_iter().map(|level| {
                    let value = |name: &str| level.child(name).and_then(|child| child.attr("val")).unwrap_or_default();
                    let depth = level.attr("ilvl").and_then(|depth| depth.parse().ok()).unwrap_or(0);
                    let (format, text) = (value("numFmt").to_owned(), value("lvlText").to_owned());
                    (depth, Level { format, start: value("start").parse().unwrap_or(1), text })
                });
                abstracts.insert(list.attr("abstractNumId").unwrap_or_default(), levels.collect());
            }
            for list in xml.all("num") {
                let id = list.attr("numId").unwrap_or_default();
                let base = list.child("abstractNumId").and_then(|base| base.attr("val")).unwrap_or_default();
                for (depth, level) in abstracts.get(base).into_iter().flatten() {
                    out.levels.insert((id.to_owned(), *depth), level.clone());
                }
            }
        }
        out
    }

    /// A style and those it is based on, nearest first.
    fn chain(&self, id: &str) -> impl Iterator<Item = &Style> {
        std::iter::successors(self.styles.get(id), |style| self.styles.get(&style.based_on)).take(12)
    }

    /// The level of heading that a style makes, from 1.
    pub(super) fn heading(&self, id: &str) -> Option<usize> {
        let named = |style: &Style| match style.name.as_str() {
            "title" => Some(1),
            name => name.strip_prefix("heading ").and_then(|level| level.trim().parse::<usize>().ok()),
        };
        let by_style =
            self.chain(id).find_map(|style| named(style).or(style.outline.filter(|l| *l < 9).map(|l| l + 1)));
        // A document without its styles still says what it means: `Heading1`, `Title`.
        let plain = || match id.strip_prefix("Heading") {
            Some(level) => level.parse().ok(),
            None => (id == "Title").then_some(1),
        };
        by_style.or_else(plain).filter(|level| (1..=9).contains(level))
    }

    /// The list that a paragraph belongs to, by its own properties or its style's.
    pub(super) fn list(&self, paragraph: Element<'_>, style: &str) -> Option<List> {
        let own = paragraph.child("pPr").and_then(number_properties);
        let (id, level) = own.or_else(|| self.chain(style).find_map(|style| style.list.clone()))?;
        // List 0 takes a paragraph out of the list that its style puts it into.
        (id != "0").then_some(List { id, level })
    }

    /// Counts the next item of a list: its marker in a list (`-`, `3.`), and its number before a heading (`2.3`), if any.
    pub(super) fn number(
        &self,
        list: &List,
        counters: &mut BTreeMap<(String, usize), usize>,
    ) -> (String, Option<String>) {
        let key = (list.id.clone(), list.level);
        let Some(level) =
            self.levels.get(&key).filter(|level| !matches!(level.format.as_str(), "bullet" | "none" | ""))
        else {
            return ("-".to_owned(), None);
        };
        let number = *counters.entry(key).and_modify(|number| *number += 1).or_insert(level.start);
        counters.retain(|(id, depth), _| *id != list.id || *depth <= list.level);
        let mut text = level.text.clone();
        for depth in 0..=list.level.min(8) {
            let start = || self.levels.get(&(list.id.clone(), depth)).map_or(1, |level| level.start);
            let count = counters.get(&(list.id.clone(), depth)).copied().unwrap_or_else(start);
            text = text.replace(&format!("%{}", depth + 1), &count.to_string());
        }
        let text = text.trim_end_matches('.').trim().to_owned();
        (format!("{number}."), Some(text).filter(|text| !text.is_empty()))
    }
}

fn number_properties(properties: Element<'_>) -> Option<(String, usize)> {
    let numbers = properties.child("numPr")?;
    let id = numbers.child("numId")?.attr("val")?.to_owned();
    let level = numbers.child("ilvl").and_then(|level| level.attr("val")?.parse().ok()).unwrap_or(0);
    Some((id, level))
}
