//! The fields that `jd.yaml` knows, and reading them from a map: text, lists, switches, each with its line if it is
//! wrong.

use super::finding::{Finding, Rule, Severity};
use super::model::About;
use super::yaml::{Node, Value};

/// Fields of an area.
pub(super) const AREA: &[&str] = &["name", "title", "description", "privacy", "categories"];
/// Fields of a category.
pub(super) const CATEGORY: &[&str] =
    &["name", "title", "description", "keywords", "examples", "not", "aliases", "privacy", "header", "ids"];
/// Fields of an id.
pub(super) const ID: &[&str] =
    &["name", "title", "description", "keywords", "examples", "not", "aliases", "privacy", "header"];

/// More findings than a person reads; errors beyond are still counted.
const FINDINGS_MAX: usize = 1000;

/// Gathers findings while a tree is read.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) errors: usize,
    /// How many there are beyond the list.
    pub(super) more: usize,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        self.errors += usize::from(finding.severity == Severity::Error);
        if self.list.len() < FINDINGS_MAX {
            self.list.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// A finding at a node.
    pub(super) fn at(&mut self, rule: Rule, node: &Node, message: impl Into<String>) {
        let finding = at(rule, node, message);
        self.push(finding);
    }
}

/// A finding at a node.
pub(super) fn at(rule: Rule, node: &Node, message: impl Into<String>) -> Finding {
    let mut finding = Finding::new(rule, node.line, message);
    finding.column = Some(node.column);
    finding
}

/// The fields of one map; what is unknown or doubled has been reported.
pub(super) struct Fields<'n> {
    found: Vec<(&'n str, &'n Node)>,
}

impl<'n> Fields<'n> {
    pub(super) fn read(
        owner: &str,
        entries: &'n [(Node, Node)],
        known: &[&'static str],
        findings: &mut Findings,
    ) -> Self {
        let mut found: Vec<(&str, &Node)> = Vec::new();
        for (key, value) in entries {
            let Some(name) = key.text() else {
                findings.at(Rule::WrongType, key, format!("{owner}: a field's name must be plain text"));
                continue;
            };
            if !known.contains(&name) {
                findings.push(unknown(owner, key, name, known));
            } else if found.iter().any(|(other, _)| *other == name) {
                findings.at(Rule::Duplicate, key, format!("{owner}: `{name}` stands twice; keep one"));
            } else {
                found.push((name, value));
            }
        }
        Self { found }
    }

    pub(super) fn node(&self, name: &str) -> Option<&'n Node> {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, node)| *node).filter(|node| !node.is_null())
    }

    /// `name` or `title`, spaces made single; `None` if it is missing.
    pub(super) fn name(&self, owner: &str, findings: &mut Findings) -> Option<String> {
        if let (Some(_), Some(title)) = (self.node("name"), self.node("title")) {
            findings.at(Rule::Duplicate, title, format!("{owner}: `name` and `title` mean the same; keep one"));
        }
        let field = if self.node("name").is_some() { "name" } else { "title" };
        self.text(owner, field, findings).map(|text| single_spaced(&text)).filter(|text| !text.is_empty())
    }

    pub(super) fn text(&self, owner: &str, name: &str, findings: &mut Findings) -> Option<String> {
        let node = self.node(name)?;
        match node.text() {
            Some(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            None => {
                findings.at(Rule::WrongType, node, format!("{owner}: `{name}` must be text"));
                None
            }
        }
    }

    /// A list of texts; one text alone is a list of one.
    fn list(&self, owner: &str, name: &str, findings: &mut Findings) -> Vec<String> {
        let Some(node) = self.node(name) else { return Vec::new() };
        let one = std::slice::from_ref(node);
        let items = match &node.value {
            Value::List { items, .. } => items.as_slice(),
            _ => one,
        };
        let mut texts = Vec::new();
        for item in items.iter().filter(|item| !item.is_null()) {
            match item.text() {
                Some(text) => texts.push(single_spaced(text)),
                None => findings.at(
                    Rule::WrongType,
                    item,
                    format!("{owner}: `{name}` must be a list of texts; quote what has a colon in it"),
                ),
            }
        }
        texts.retain(|text| !text.is_empty());
        texts
    }

    pub(super) fn switch(&self, owner: &str, name: &str, findings: &mut Findings) -> Option<bool> {
        let node = self.node(name)?;
        let word = node.text().map(str::to_lowercase);
        match word.as_deref() {
            Some("true" | "yes" | "on") => Some(true),
            Some("false" | "no" | "off") => Some(false),
            _ => {
                findings.at(Rule::WrongType, node, format!("{owner}: `{name}` must be true or false"));
                None
            }
        }
    }

    pub(super) fn about(&self, owner: &str, findings: &mut Findings) -> About {
        About {
            description: self.text(owner, "description", findings),
            keywords: self.list(owner, "keywords", findings),
            examples: self.list(owner, "examples", findings),
            not: self.list(owner, "not", findings),
            aliases: self.list(owner, "aliases", findings),
            privacy: self.text(owner, "privacy", findings),
        }
    }
}

pub(super) fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A misspelt field loses what its owner wrote and is an error; a foreign one (an emoji, a date) is passed over with a
/// warning.
pub(super) fn unknown(owner: &str, key: &Node, name: &str, known: &[&'static str]) -> Finding {
    let folded = name.trim().to_lowercase();
    let near = known.iter().map(|known| (distance(&folded, known), *known)).min();
    let shown: String = name.chars().take(40).collect();
    let Some((steps, nearest)) = near else {
        return at(Rule::UnknownField, key, format!("{owner}: `{shown}` is unknown"));
    };
    let mut finding = at(Rule::UnknownField, key, "");
    // Wrong letters in a longish word are a slip; in a short one they make another word (`note` is not `not`).
    let slip = (steps <= 1 && nearest.len() >= 4)
        || (steps == 2 && nearest.len() >= 5)
        || folded.trim_end_matches('s') == nearest.trim_end_matches('s');
    if slip {
        finding.severity = Severity::Error;
        finding.message = format!("{owner}: `{shown}` is not a field; did you mean `{nearest}`?");
    } else {
        finding.message = format!(
            "{owner}: `{shown}` is not a field and is passed over; the nearest is `{nearest}`, all are {}",
            known.join(", ")
        );
    }
    finding
}

/// Levenshtein's distance over the first 40 characters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().take(40).enumerate() {
        let mut before = line + 1;
        let mut next = vec![before];
        for (pair, known) in row.windows(2).zip(&other) {
            let [diagonal, above] = pair else { continue };
            before = (before + 1).min(above + 1).min(diagonal + usize::from(letter != *known));
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
