//! What lint says: findings with a line, a rule and, where there is one, the repair.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Structure;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The text cannot be used: who has an older structure keeps it.
    Error,
    /// The text can be used, and something in it deserves a look.
    Warning,
}

/// One table makes the enum, the names on the wire and the weights.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal, $severity:ident;)*) => {
        /// The rules of `jd.yaml`; the name of each is stable and is what scripts see.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $name)] $rule,)*
        }

        impl Rule {
            /// The stable name, such as `duplicate`.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name,)* }
            }

            /// The weight the rule has unless a finding says otherwise.
            pub fn severity(self) -> Severity {
                match self { $(Rule::$rule => Severity::$severity,)* }
            }
        }
    };
}

rules! {
    /// The text is longer, deeper or has more entries than any structure needs.
    TooLarge = "too-large", Error;
    /// Not YAML.
    Syntax = "syntax", Error;
    /// A tab in the indentation.
    Tab = "tab", Error;
    /// More than one YAML document.
    Documents = "documents", Error;
    /// Anchors and aliases are not read: a structure has no use for them, and attackers have.
    Anchor = "anchor", Error;
    /// A `scope:` file of another Johnny.Decimal tool that happens to have our file's name.
    ForeignScope = "foreign-scope", Error;
    /// No area at all.
    NoAreas = "no-areas", Error;
    /// A list where a map belongs, a map where text belongs.
    WrongType = "wrong-type", Error;
    /// Not an area's code.
    MalformedArea = "malformed-area", Error;
    /// Not a category's code.
    MalformedCategory = "malformed-category", Error;
    /// Not an id's code.
    MalformedId = "malformed-id", Error;
    /// A code that a number-minded YAML tool has shortened: `11.1`, `8`.
    EatenId = "eaten-id", Error;
    /// A code or a field that stands twice.
    Duplicate = "duplicate", Error;
    /// A category or an id without the parent that its number names.
    Orphan = "orphan", Error;
    /// A category that stands in another area than its number says.
    WrongArea = "wrong-area", Error;
    /// An id that stands in another category than its number says.
    WrongCategory = "wrong-category", Error;
    /// A name or a title that is missing.
    EmptyName = "empty-name", Error;
    /// A field that is not known. An error if it looks like a known one misspelt, else a warning.
    UnknownField = "unknown-field", Warning;
    /// An unquoted code that other YAML tools would shorten.
    UnquotedId = "unquoted-id", Warning;
    /// Not in numeric order.
    Order = "order", Warning;
    /// A byte-order mark at the beginning.
    Bom = "bom", Warning;
    /// Lines that end in carriage returns.
    Crlf = "crlf", Warning;
    /// An area beyond the tenth.
    BeyondTen = "beyond-ten", Warning;
    /// A category with more than 80 of its 100 ids in use.
    NearlyFull = "nearly-full", Warning;
    /// An id among the standard zeros that is used otherwise than they are meant.
    Zero = "zero", Warning;
}

/// One thing that lint found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1, where one can be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// How much it weighs.
    pub severity: Severity,
    /// Which rule it is about.
    pub rule: Rule,
    /// What is wrong and what to do, in words.
    pub message: String,
    /// What `fix` would do about it; absent if a person has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The repair itself, on the linted text.
    #[serde(skip)]
    pub(super) edits: Vec<Edit>,
}

impl Finding {
    pub(super) fn new(rule: Rule, line: usize, message: impl Into<String>) -> Self {
        let severity = rule.severity();
        Self { line, column: None, severity, rule, message: message.into(), fix: None, edits: Vec::new() }
    }

    pub(super) fn fixed_by(mut self, words: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fix = Some(words.into());
        self.edits = edits;
        self
    }
}

impl std::fmt::Display for Finding {
    /// `12:3 error duplicate: what is wrong`; who prints puts the file's name and a colon before it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let column = self.column.map_or(String::new(), |column| format!(":{column}"));
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(out, "{}{column} {severity} {}: {}", self.line, self.rule.name(), self.message)
    }
}

/// The replacement of a range of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Applies edits that do not overlap; `None` if they do or if a range does not fit the text.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut done = String::with_capacity(text.len() + 64);
    let mut position = 0;
    for edit in edits {
        done.push_str(text.get(position..edit.range.start)?);
        done.push_str(&edit.text);
        position = edit.range.end;
    }
    done.push_str(text.get(position..)?);
    Some(done)
}

/// The answer of lint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// What was found, by line: the first thousand.
    pub findings: Vec<Finding>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// The structure: present if and only if no finding is an error.
    pub structure: Option<Structure>,
}

impl Report {
    /// How many findings there are, listed or not.
    pub fn count(&self) -> usize {
        self.findings.len() + self.more
    }

    /// The listed findings that make the text unusable.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}
