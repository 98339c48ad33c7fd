//! From a YAML tree to a structure: every key is checked where it stands, and what cannot be read is a finding.

use std::collections::BTreeMap;

use super::code;
use super::eaten;
use super::fields::{self, Fields, Findings, at};
use super::finding::{Edit, Finding, Rule};
use super::model::{About, Area, Category, Id, Structure};
use super::order;
use super::yaml::{Node, Value};
use super::zeros;

/// What came of reading.
pub(super) struct Read {
    pub(super) structure: Structure,
    pub(super) findings: Findings,
}

/// Reads a document's root.
pub(super) fn structure(text: &str, root: Option<&Node>) -> Read {
    let mut reader = Reader {
        text,
        findings: Findings::default(),
        seen: BTreeMap::new(),
        strays: Vec::new(),
        own_zeros: Vec::new(),
    };
    let mut areas = reader.areas(root);
    areas.sort_by_key(|area| code::area_number(&area.code));
    reader.settle_strays();
    Read { structure: Structure { areas }, findings: reader.findings }
}

/// The entries of a map under the code that each is for, checked for form and doubles.
type Coded<'n> = Vec<(String, &'n Node, &'n Node)>;

struct Reader<'t> {
    text: &'t str,
    findings: Findings,
    /// Every code of the file and the line of its first use.
    seen: BTreeMap<String, usize>,
    /// Entries whose number names another parent: key, code, parent, what it stands in.
    strays: Vec<(Node, String, String, String)>,
    /// Ordinary ids among the zeros of the category that is being read: line, column, code.
    own_zeros: Vec<(usize, usize, String)>,
}

impl Reader<'_> {
    fn areas(&mut self, root: Option<&Node>) -> Vec<Area> {
        let Some(house) = self.house(root) else { return Vec::new() };
        let mut areas = Vec::new();
        for (code, key, value) in self.coded("the house", house, Rule::MalformedArea, code::area_number) {
            if code::area_number(&code) >= Some(10) {
                let message = format!(
                    "area {code}: a house has ten areas, 00-09 to 90-99; it is read, but other tools may refuse it"
                );
                self.findings.at(Rule::BeyondTen, key, message);
            }
            areas.extend(self.area(code, key, value));
        }
        areas
    }

    /// The map of areas, at the top or under `areas:`.
    fn house<'n>(&mut self, root: Option<&'n Node>) -> Option<&'n Node> {
        let Some(root) = root.filter(|root| !root.is_null()) else {
            self.findings.push(Finding::new(Rule::NoAreas, 1, NO_AREAS));
            return None;
        };
        let Value::Map { entries, .. } = &root.value else {
            self.findings.at(Rule::WrongType, root, NO_AREAS);
            return None;
        };
        let key = |name: &str| entries.iter().find(|(key, _)| key.text() == Some(name));
        let begins_with_digit =
            |key: &Node| key.text().is_some_and(|text| text.starts_with(|letter: char| letter.is_ascii_digit()));
        let any_area = entries.iter().any(|(key, _)| begins_with_digit(key));
        if let (Some((scope, _)), None, false) = (key("scope"), key("areas"), any_area) {
            self.findings.at(Rule::ForeignScope, scope, FOREIGN_SCOPE);
            return None;
        }
        let inner = match key("areas") {
            None => root,
            Some((_, areas)) => {
                for (key, _) in entries.iter().filter(|(key, _)| key.text() != Some("areas")) {
                    let name = key.text().unwrap_or_default();
                    if begins_with_digit(key) {
                        self.findings.at(
                            Rule::MalformedArea,
                            key,
                            format!("`{name}` stands beside `areas:`; move it into it"),
                        );
                    } else {
                        self.findings.push(fields::unknown("the house", key, name, &["areas"]));
                    }
                }
                if entries.iter().filter(|(key, _)| key.text() == Some("areas")).count() > 1 {
                    self.findings.at(Rule::Duplicate, root, "`areas:` stands twice; keep one");
                }
                areas
            }
        };
        match &inner.value {
            Value::Map { entries, .. } if !entries.is_empty() => Some(inner),
            Value::Map { .. } => {
                self.findings.at(Rule::NoAreas, inner, NO_AREAS);
                None
            }
            _ => {
                self.findings.at(Rule::WrongType, inner, NO_AREAS);
                None
            }
        }
    }

    /// Checks the keys of a map of areas, categories or ids: form, quoting, doubles, order.
    fn coded<'n, N>(&mut self, owner: &str, map: &'n Node, rule: Rule, number: fn(&str) -> Option<N>) -> Coded<'n> {
        let Value::Map { entries, .. } = &map.value else { return Vec::new() };
        let mut coded: Coded<'n> = Vec::new();
        if entries.len() > ENTRIES_MAX {
            self.findings.at(
                Rule::TooLarge,
                map,
                format!("{owner} has {} entries; a hundred ids are the most", entries.len()),
            );
            return Vec::new();
        }
        let mut codes: Vec<Option<String>> = vec![None; entries.len()];
        let siblings: Vec<&str> = entries.iter().filter_map(|(key, _)| key.text()).collect();
        for (index, (key, value)) in entries.iter().enumerate() {
            let Some(code) = key.text() else {
                self.findings.at(rule, key, format!("{owner}: a code must be plain text, such as {}", example(rule)));
                continue;
            };
            let mut code = code.to_owned();
            if number(&code).is_none() {
                let (finding, sure) = eaten::malformed(owner, rule, key, &code, index, &siblings);
                self.findings.push(finding);
                // What lies below a code whose repair is sure is read too, so that one run tells all.
                let Some(sure) = sure else { continue };
                code = sure;
            } else if key.is_plain() && code::would_be_eaten(&code) {
                let message = format!(
                    "{code} is not quoted: other YAML tools read a number and write {}",
                    eaten::as_number(&code)
                );
                let edit = Edit { range: key.start..key.end, text: format!("\"{code}\"") };
                self.findings
                    .push(at(Rule::UnquotedId, key, message).fixed_by(format!("write \"{code}\""), vec![edit]));
            }
            if let Some(place) = codes.get_mut(index) {
                *place = Some(code.clone());
            }
            if let Some(line) = self.seen.get(&code) {
                let message = format!(
                    "{code} stands twice (first in line {line}); give one of them another number, or merge them"
                );
                self.findings.at(Rule::Duplicate, key, message);
                continue;
            }
            self.seen.insert(code.clone(), key.line);
            coded.push((code, key, value));
        }
        if let Some(finding) = order::check(self.text, owner, map, &codes) {
            self.findings.push(finding);
        }
        coded
    }

    fn area(&mut self, code: String, key: &Node, value: &Node) -> Option<Area> {
        let owner = format!("area {code}");
        let Value::Map { entries, .. } = &value.value else {
            let name = self.short(&owner, key, value)?;
            return Some(Area { code, name, description: None, privacy: None, categories: Vec::new() });
        };
        let fields = Fields::read(&owner, entries, fields::AREA, &mut self.findings);
        let name = self.named(&owner, key, &fields);
        let description = fields.text(&owner, "description", &mut self.findings);
        let privacy = fields.text(&owner, "privacy", &mut self.findings);
        let number = code::area_number(&code);
        let mut categories = Vec::new();
        if let Some(map) = self.children(&owner, &fields, "categories") {
            for (child, key, value) in self.coded(&owner, map, Rule::MalformedCategory, code::category_number) {
                let parent = code::category_number(&child).map(|category| category / 10);
                if parent != number {
                    let parent = parent.map(code::area_code).unwrap_or_default();
                    self.strays.push((key.clone(), child.clone(), parent, code.clone()));
                }
                categories.extend(self.category(child, key, value));
            }
        }
        categories.sort_by_key(|category| code::category_number(&category.code));
        Some(Area { code, name: name?, description, privacy, categories })
    }

    fn category(&mut self, code: String, key: &Node, value: &Node) -> Option<Category> {
        let owner = format!("category {code}");
        let Value::Map { entries, .. } = &value.value else {
            let name = self.short(&owner, key, value)?;
            return Some(Category { code, name, about: About::default(), header: None, ids: Vec::new() });
        };
        let fields = Fields::read(&owner, entries, fields::CATEGORY, &mut self.findings);
        let name = self.named(&owner, key, &fields);
        let about = fields.about(&owner, &mut self.findings);
        let header = fields.switch(&owner, "header", &mut self.findings);
        let number = code::category_number(&code);
        let mut ids = Vec::new();
        if let Some(map) = self.children(&owner, &fields, "ids") {
            for (child, key, value) in self.coded(&owner, map, Rule::MalformedId, code::id_numbers) {
                let parent = code::id_numbers(&child).map(|(category, _)| category);
                if parent != number {
                    let parent = parent.map(code::category_code).unwrap_or_default();
                    self.strays.push((key.clone(), child.clone(), parent, code.clone()));
                }
                ids.extend(self.id(child, name.as_deref().unwrap_or_default(), key, value));
            }
        }
        ids.sort_by_key(|id| code::id_numbers(&id.code));
        self.own_zeros();
        self.fullness(&owner, key, ids.len());
        Some(Category { code, name: name?, about, header, ids })
    }

    fn id(&mut self, code: String, category: &str, key: &Node, value: &Node) -> Option<Id> {
        let owner = format!("id {code}");
        let mut id = Id { title: String::new(), about: About::default(), header: None, code };
        // A zero needs no title of its own: it is called by its label.
        let standard = zeros::standard_title(&id.code, category);
        id.title = match &value.value {
            Value::Map { entries, .. } => {
                let fields = Fields::read(&owner, entries, fields::ID, &mut self.findings);
                id.about = fields.about(&owner, &mut self.findings);
                id.header = fields.switch(&owner, "header", &mut self.findings);
                match (fields.name(&owner, &mut self.findings), standard) {
                    (Some(title), _) | (None, Some(title)) => title,
                    (None, None) => self.named(&owner, key, &fields)?,
                }
            }
            Value::Text { text, .. } if (value.is_null() || text.trim().is_empty()) && standard.is_some() => standard?,
            _ => self.short(&owner, key, value)?,
        };
        self.zero(&owner, key, &id);
        Some(id)
    }

    /// The short form: the value is the name.
    fn short(&mut self, owner: &str, key: &Node, value: &Node) -> Option<String> {
        let Some(text) = value.text() else {
            self.findings.at(
                Rule::WrongType,
                value,
                format!("{owner}: a name or a map of fields is wanted here, not a list"),
            );
            return None;
        };
        let name = Some(fields::single_spaced(text)).filter(|name| !name.is_empty() && !value.is_null());
        if name.is_none() {
            self.findings.at(Rule::EmptyName, key, format!("{owner} has no name; write one"));
        }
        name
    }

    fn named(&mut self, owner: &str, key: &Node, fields: &Fields<'_>) -> Option<String> {
        let errors = self.findings.errors;
        let name = fields.name(owner, &mut self.findings);
        if name.is_none() && self.findings.errors == errors {
            self.findings.at(Rule::EmptyName, key, format!("{owner} has no name; add `name:`"));
        }
        name
    }

    fn children<'n>(&mut self, owner: &str, fields: &Fields<'n>, field: &str) -> Option<&'n Node> {
        let node = fields.node(field)?;
        match &node.value {
            Value::Map { .. } => Some(node),
            _ => {
                let message = format!("{owner}: `{field}` must be a map of codes, such as {{\"11\": \"Me\"}}");
                self.findings.at(Rule::WrongType, node, message);
                None
            }
        }
    }

    fn fullness(&mut self, owner: &str, key: &Node, ids: usize) {
        if ids > 80 {
            let message =
                format!("{owner} has {ids} of its 100 ids in use; think of a further category or of broader ids");
            self.findings.at(Rule::NearlyFull, key, message);
        }
    }

    /// Zeros that are used otherwise than they are meant. The structure stays usable: `zeros` says how each is taken.
    fn zero(&mut self, owner: &str, key: &Node, id: &Id) {
        let low = code::id_numbers(&id.code).filter(|(_, number)| *number < 10);
        let Some((_, number)) = low.filter(|_| id.header.is_none()) else { return };
        let message = match zeros::zero(&id.code, &id.title) {
            None => return self.own_zeros.push((key.line, key.column, id.code.clone())),
            Some(zero) if !zeros::belongs_at(zero, number) => {
                format!("{owner}: `{}` is the title of another zero's number", id.title)
            }
            Some(zeros::Zero::Inbox) => return,
            Some(_) if id.about.keywords.is_empty() && id.about.examples.is_empty() => return,
            Some(_) => format!("{owner} is a standard zero and never receives content; its keywords say nothing"),
        };
        self.findings.at(Rule::Zero, key, message);
    }

    /// One finding for all ids of a category that use the zeros' numbers for things of their own.
    fn own_zeros(&mut self) {
        let own = std::mem::take(&mut self.own_zeros);
        let Some((line, column, _)) = own.first() else { return };
        let codes = own.iter().map(|(_, _, code)| code.as_str()).collect::<Vec<_>>().join(", ");
        let message = format!(
            "{codes}: among the standard zeros (.00 to .09), but taken for ordinary by the title; own ids begin at .11"
        );
        let mut finding = Finding::new(Rule::Zero, *line, message);
        finding.column = Some(*column);
        self.findings.push(finding);
    }

    /// Names the strays, now that all codes of the file are known.
    fn settle_strays(&mut self) {
        for (key, code, parent, stands_in) in std::mem::take(&mut self.strays) {
            let is_id = code.contains('.');
            let (rule, word) = match (self.seen.get(&parent), is_id) {
                (None, _) => (Rule::Orphan, format!("{parent} does not exist; add it, or renumber {code}")),
                (Some(line), true) => {
                    (Rule::WrongCategory, format!("move it to {parent} (line {line}), or renumber it"))
                }
                (Some(line), false) => (Rule::WrongArea, format!("move it to {parent} (line {line}), or renumber it")),
            };
            self.findings.at(rule, &key, format!("{code} stands in {stands_in} but belongs to {parent}: {word}"));
        }
    }
}

/// Ten areas, ten categories, a hundred ids; the rest is room for what is wrong.
const ENTRIES_MAX: usize = 1000;

/// A good code of the kind that a rule is about.
fn example(rule: Rule) -> &'static str {
    match rule {
        Rule::MalformedArea => "\"10-19\"",
        Rule::MalformedCategory => "\"11\"",
        _ => "\"11.02\"",
    }
}

const NO_AREAS: &str = "no areas here; jd.yaml maps areas to their categories, such as \"10-19\": {name: Life admin, \
                        categories: {\"11\": Me}}";
const FOREIGN_SCOPE: &str = "this is an agent's scope file of another Johnny.Decimal tool (`scope:` and no areas), not a \
                             structure; point --jd at a file with areas";
