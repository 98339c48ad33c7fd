//! Adding an id to the text of `jd.yaml`: the one place where it is needed changes, all else stays as its owner wrote
//! it.

use super::code;
use super::finding::{Edit, apply};
use super::lint::lint;
use super::order::{line_end, line_start, starts_line};
use super::yaml::{self, Node, Value};

/// Why an id was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// The text has errors of its own.
    #[error("jd.yaml does not lint (line {line}: {message}); mend it first")]
    Unusable {
        /// The line of the first error.
        line: usize,
        /// The first error.
        message: String,
    },
    /// There is no such category.
    #[error("there is no category {0} in jd.yaml; add it first")]
    NoCategory(String),
    /// The code is not one of the category's.
    #[error("{0} is not an id of the category; it must be the category, a point and two digits")]
    NotAnId(String),
    /// The code is taken.
    #[error("{0} is in use already; take another id")]
    Taken(String),
    /// An id needs a title.
    #[error("the title of {0} is empty; write one")]
    NoTitle(String),
    /// The layout is one that we cannot add to without rewriting it.
    #[error("{0} cannot be added without changing other lines; add it by hand")]
    Layout(String),
}

/// Adds `code: title` to the category's ids, in numeric order, in the style (block or flow) that stands there. A
/// category in short form becomes long. The result is checked: it reads as the old structure with this id and nothing
/// else.
///
/// # Errors
/// See [`InsertError`]; the text is then to be left as it is.
pub fn insert_id(text: &str, category: &str, code: &str, title: &str) -> Result<String, InsertError> {
    let before = lint(text);
    let first = before.errors().next().map(|finding| (finding.line, finding.message.clone()));
    let Some(structure) = before.structure else {
        let (line, message) = first.unwrap_or((1, "it is empty".to_owned()));
        return Err(InsertError::Unusable { line, message });
    };
    if structure.category(category).is_none() {
        return Err(InsertError::NoCategory(category.to_owned()));
    }
    if code::category_of(code).as_deref() != Some(category) {
        return Err(InsertError::NotAnId(code.to_owned()));
    }
    if structure.find(code).is_some() {
        return Err(InsertError::Taken(code.to_owned()));
    }
    let title = super::fields::single_spaced(title);
    if title.is_empty() {
        return Err(InsertError::NoTitle(code.to_owned()));
    }
    let layout = || InsertError::Layout(code.to_owned());
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = yaml::parse(body).ok().flatten().ok_or_else(layout)?;
    let place = find(&root, category).ok_or_else(layout)?;
    let entry = format!("{}: {}", quoted(code), quoted(&title));
    let edit = Site { text: body, unit: place.unit, line_end: if body.contains("\r\n") { "\r\n" } else { "\n" } }
        .edit(&place, code, &entry)
        .ok_or_else(layout)?;
    let mut after = apply(body, vec![edit]).ok_or_else(layout)?;
    if body.len() != text.len() {
        after.insert(0, '\u{feff}');
    }
    let wanted = structure.with_ids(&[(code.to_owned(), title)]);
    if lint(&after).structure == Some(wanted) { Ok(after) } else { Err(layout()) }
}

/// Where a category stands.
struct Category<'n> {
    key: &'n Node,
    value: &'n Node,
    /// Whether it is an entry of a flow map.
    in_flow: bool,
    /// Spaces by which the file indents.
    unit: usize,
}

fn find<'n>(root: &'n Node, category: &str) -> Option<Category<'n>> {
    let house = field(root, "areas").map_or(root, |(_, areas)| areas);
    let Value::Map { entries: areas, .. } = &house.value else { return None };
    areas.iter().find_map(|(area, value)| {
        let (_, categories) = field(value, "categories")?;
        let Value::Map { entries, flow } = &categories.value else { return None };
        let (key, value) = entries.iter().find(|(key, _)| key.text() == Some(category))?;
        // Area, `categories:`, category: two steps, unless lines are shared.
        let steps = key.column.saturating_sub(area.column) / 2;
        Some(Category { key, value, in_flow: *flow, unit: if (1..=8).contains(&steps) { steps } else { 2 } })
    })
}

fn field<'n>(map: &'n Node, name: &str) -> Option<(&'n Node, &'n Node)> {
    let Value::Map { entries, .. } = &map.value else { return None };
    entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(key, value)| (key, value))
}

struct Site<'t> {
    text: &'t str,
    unit: usize,
    line_end: &'static str,
}

impl Site<'_> {
    fn edit(&self, category: &Category<'_>, code: &str, entry: &str) -> Option<Edit> {
        let Value::Map { entries, flow } = &category.value.value else { return self.lengthen(category, entry) };
        match field(category.value, "ids") {
            Some((_, ids)) if !ids.is_null() => self.among_ids(ids, code, entry),
            Some((key, ids)) => self.first(key, ids, *flow, entry),
            None if *flow => {
                Some(insert(entries.last()?.1.end.max(entries.last()?.0.end), format!(", ids: {{{entry}}}")))
            }
            None => {
                let (key, value) = entries.last()?;
                let indent = entries.first()?.0.column - 1;
                let lines =
                    [format!("{}ids:", " ".repeat(indent)), format!("{}{entry}", " ".repeat(indent + self.unit))];
                self.lines_after(value.content_end().max(key.end), &lines)
            }
        }
    }

    /// The short form `"11": Me` made long.
    fn lengthen(&self, category: &Category<'_>, entry: &str) -> Option<Edit> {
        let (key, value) = (category.key, category.value);
        let name = quoted(&super::fields::single_spaced(value.text()?));
        let written = self.text.get(value.start..value.end)?;
        let own_line =
            !category.in_flow && starts_line(self.text, key.start) && !written.contains('\n') && key.line == value.line;
        if !own_line {
            return Some(Edit { range: value.start..value.end, text: format!("{{name: {name}, ids: {{{entry}}}}}") });
        }
        // A comment after the name stays on the code's line.
        let end = line_end(self.text, value.end);
        let rest = self.text.get(value.end..end)?.trim_end();
        let before = self.text.get(key.end..value.start)?.trim_end();
        let deep = |steps: usize| " ".repeat(key.column - 1 + steps * self.unit);
        let nl = self.line_end;
        let long = format!("{before}{rest}{nl}{}name: {written}{nl}{}ids:{nl}{}{entry}{nl}", deep(1), deep(1), deep(2));
        Some(Edit { range: key.end..end, text: long })
    }

    /// Among ids that are there.
    fn among_ids(&self, ids: &Node, code: &str, entry: &str) -> Option<Edit> {
        let Value::Map { entries, flow } = &ids.value else { return None };
        let own = code::id_numbers(code)?;
        let before =
            entries.iter().rfind(|(key, _)| key.text().and_then(code::id_numbers).is_some_and(|other| other < own));
        match (before, entries.first(), flow) {
            (Some((key, value)), _, true) => Some(insert(value.end.max(key.end), format!(", {entry}"))),
            (None, Some((key, _)), true) => Some(insert(key.start, format!("{entry}, "))),
            (None, None, true) => Some(insert(ids.start + 1, entry.to_owned())),
            (Some((key, value)), Some((first, _)), false) => self
                .lines_after(value.content_end().max(key.end), &[format!("{}{entry}", " ".repeat(first.column - 1))]),
            (None, Some((key, _)), false) if starts_line(self.text, key.start) => {
                let line = format!("{}{entry}{}", " ".repeat(key.column - 1), self.line_end);
                Some(insert(self.above_comments(line_start(self.text, key.start)), line))
            }
            _ => None,
        }
    }

    /// Below an `ids:` that has nothing yet.
    fn first(&self, key: &Node, ids: &Node, flow: bool, entry: &str) -> Option<Edit> {
        let written = ids.end > ids.start;
        if flow || written {
            let colon = self.text.get(key.end..)?.find(':')? + key.end + 1;
            let range = if written { ids.start..ids.end } else { colon..colon };
            let space = if written { "" } else { " " };
            return Some(Edit { range, text: format!("{space}{{{entry}}}") });
        }
        self.lines_after(key.end, &[format!("{}{entry}", " ".repeat(key.column - 1 + self.unit))])
    }

    /// The start of the comment lines directly above a line: they belong to what follows them.
    fn above_comments(&self, mut start: usize) -> usize {
        while start > 0 {
            let above = line_start(self.text, start - 1);
            if !self.text.get(above..start).is_some_and(|line| line.trim_start().starts_with('#')) {
                break;
            }
            start = above;
        }
        start
    }

    /// Lines of their own after the line in which the offset lies.
    fn lines_after(&self, offset: usize, lines: &[String]) -> Option<Edit> {
        let at = line_end(self.text, offset);
        let missing = if self.text.get(..at)?.ends_with('\n') { "" } else { self.line_end };
        let lines: String = lines.iter().map(|line| format!("{line}{}", self.line_end)).collect();
        Some(insert(at, format!("{missing}{lines}")))
    }
}

fn insert(at: usize, text: String) -> Edit {
    Edit { range: at..at, text }
}

/// A double-quoted YAML scalar on one line. JSON's escapes are YAML's; what JSON shows and YAML forbids is escaped.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let hidden = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}');
    let shown = |letter| if hidden(letter) { format!("\\u{:04x}", u32::from(letter)) } else { String::from(letter) };
    json.chars().map(shown).collect()
}
