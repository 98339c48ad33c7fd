//! What `jd-classifier` answers: the owner's structure, and new ids in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tool;
use crate::domain::jd::{Finding, Structure};

/// The structure in force: jd.yaml plus the ids that were allocated since.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GetStructure {
    /// The structure published under this hash; without it the newest.
    #[serde(default)]
    pub hash: Option<String>,
}
tool!(GetStructure, JdClassifier, "get_structure", Published);

/// A structure and the hash that names it in later requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// BLAKE3 of the canonical form, hexadecimal.
    pub hash: String,
    /// The structure.
    pub structure: Structure,
    /// Where its text comes from, for a person to find.
    pub source: String,
    /// Why a later edit of jd.yaml is not in force, if so: its findings.
    #[serde(default)]
    pub refused: Vec<Finding>,
}

/// One place of the structure: an area, a category or an id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    /// `10-19`, `11` or `11.02`.
    pub code: String,
    /// The hash of the structure to look in; nothing means the one in force.
    #[serde(default)]
    pub structure: Option<String>,
}
tool!(Lookup, JdClassifier, "lookup", Place);

/// Where a code points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The code that was asked for.
    pub code: String,
    /// Its title.
    pub title: String,
    /// Its folder, relative to the vault.
    pub folder: String,
    /// Whether a person may file documents there: also in an inbox, which no classifier chooses.
    pub files: bool,
}

/// A new id in a category. Asking again for the same item gives the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reserve {
    /// The category, two digits.
    pub category: String,
    /// The title of the new id.
    pub title: String,
    /// The item that it is for: the key of this request.
    pub emm_id: String,
}
tool!(Reserve, JdClassifier, "reserve", Reserved, Changes);

/// An allocated id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reserved {
    /// The id, such as `11.14`.
    pub code: String,
    /// The structure that has it.
    pub structure: String,
}

/// Checks a structure without taking it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lint {
    /// The text of a jd.yaml; without it the configured one.
    #[serde(default)]
    pub text: Option<String>,
}
tool!(Lint, JdClassifier, "lint", Linted);

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Linted {
    /// Findings in the order of their lines.
    pub findings: Vec<Finding>,
}
