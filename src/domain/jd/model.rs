//! The structure itself: areas, categories and ids in numeric order, and the ways to look into it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::{self, Level};

/// An owner's Johnny.Decimal structure: what `jd.yaml` says, or that plus the ids that were allocated since.
///
/// Areas, categories and ids are in numeric order, so equal structures are equal byte for byte in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Structure {
    /// The areas, in numeric order.
    pub areas: Vec<Area>,
}

/// The word in `privacy` that keeps documents of a place from remote servers.
const LOCAL: &str = "local";

/// An area: ten categories that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Area {
    /// `10-19`
    pub code: String,
    /// The name without the code.
    pub name: String,
    /// What belongs here, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A word on who may read what lies here, for all its categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<String>,
    /// The categories, in numeric order.
    pub categories: Vec<Category>,
}

impl Area {
    /// The first and the last category number: (10, 19). `None` if the code is malformed (lint lets none pass).
    pub fn range(&self) -> Option<(u16, u16)> {
        code::area_number(&self.code).map(|area| (area * 10, area * 10 + 9))
    }
}

/// A category: up to a hundred ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Category {
    /// `11`
    pub code: String,
    /// The name without the code.
    pub name: String,
    /// What belongs here and what does not.
    #[serde(flatten)]
    pub about: About,
    /// The owner's word on whether it and its ids receive content: `true` never (but the inbox), `false` like any
    /// other. Absent: the rules of zeros decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The ids, in numeric order; empty where the owner files into the category itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<Id>,
}

/// An id: the folder in which things lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Id {
    /// `11.02`
    pub code: String,
    /// The title without the code.
    pub title: String,
    /// What belongs here and what does not.
    #[serde(flatten)]
    pub about: About,
    /// The owner's word on whether it receives content: `true` never, `false` like any other. Absent: the rules of
    /// zeros decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
}

/// What the owner says of a place: all that a classifier knows before it has seen a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// What belongs here, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words that speak for this place, in any language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Titles of things that belong here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// What does not belong here although it looks so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<String>,
    /// Other names of this place, as people say or write them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// A word on who may read what lies here: `local` keeps it from language models elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<String>,
}

/// A place in a structure: an area, a category in it, or an id in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The area; always there.
    pub area: &'a Area,
    /// The category, unless the place is an area.
    pub category: Option<&'a Category>,
    /// The id, if the place is one.
    pub id: Option<&'a Id>,
}

impl<'a> Place<'a> {
    /// The code of the place itself.
    pub fn code(&self) -> &'a str {
        match (self.id, self.category) {
            (Some(id), _) => &id.code,
            (None, Some(category)) => &category.code,
            (None, None) => &self.area.code,
        }
    }

    /// The name or title of the place itself.
    pub fn title(&self) -> &'a str {
        match (self.id, self.category) {
            (Some(id), _) => &id.title,
            (None, Some(category)) => &category.name,
            (None, None) => &self.area.name,
        }
    }

    /// What the owner says of the place itself; `None` for an area, which has a description only.
    pub fn about(&self) -> Option<&'a About> {
        self.id.map(|id| &id.about).or(self.category.map(|category| &category.about))
    }

    /// The level of the place.
    pub fn level(&self) -> Level {
        match (self.id, self.category) {
            (Some(_), _) => Level::Id,
            (None, Some(_)) => Level::Category,
            (None, None) => Level::Area,
        }
    }
}

impl Structure {
    /// The place with this code, at whichever level.
    pub fn find(&self, code: &str) -> Option<Place<'_>> {
        self.places().find(|place| place.code() == code)
    }

    /// The category with this code.
    pub fn category(&self, code: &str) -> Option<&Category> {
        self.find(code).filter(|place| place.level() == Level::Category).and_then(|place| place.category)
    }

    /// Every place in numeric order, a parent before its children.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.areas.iter().flat_map(|area| {
            let categories = area.categories.iter().flat_map(move |category| {
                let ids = category.ids.iter().map(move |id| Place { area, category: Some(category), id: Some(id) });
                std::iter::once(Place { area, category: Some(category), id: None }).chain(ids)
            });
            std::iter::once(Place { area, category: None, id: None }).chain(categories)
        })
    }

    /// Whether documents of a place stay within reach of their owner: said of it, or of what it lies in.
    pub fn is_private(&self, code: &str) -> bool {
        let Some(place) = self.find(code) else { return false };
        let words = [
            place.id.and_then(|id| id.about.privacy.as_deref()),
            place.category.and_then(|category| category.about.privacy.as_deref()),
            place.area.privacy.as_deref(),
        ];
        words.into_iter().flatten().any(|word| word.trim().eq_ignore_ascii_case(LOCAL))
    }

    /// The structure's name: the BLAKE3 hash, in hex, of its canonical JSON. Equal structures have equal hashes on
    /// every machine, however their `jd.yaml` was written.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"emm jd structure 1\n");
        // Serialising plain data into memory does not fail; should it ever, the debug form is as good a canonical form.
        let canonical = serde_json::to_vec(self).unwrap_or_else(|_| format!("{self:?}").into_bytes());
        hasher.update(&canonical);
        hasher.finalize().to_hex().to_string()
    }

    /// The effective structure: this one and the ids allocated since, as `(code, title)`.
    ///
    /// What `jd.yaml` says wins: a code that it has already keeps its title. A code whose category the owner has
    /// removed is left out (its folder is no longer a place to file into). The order of `allocated` does not matter: of
    /// two titles for a code, the one that sorts first is taken.
    #[must_use]
    pub fn with_ids(&self, allocated: &[(String, String)]) -> Self {
        let mut effective = self.clone();
        let mut allocated: Vec<&(String, String)> = allocated.iter().collect();
        allocated.sort();
        for (code, title) in allocated {
            let Some(parent) = code::category_of(code) else { continue };
            let categories = effective.areas.iter_mut().flat_map(|area| area.categories.iter_mut());
            for category in categories.filter(|category| category.code == parent) {
                if let Err(position) = category.ids.binary_search_by(|id| id.code.cmp(code)) {
                    let id = Id { code: code.clone(), title: title.clone(), about: About::default(), header: None };
                    category.ids.insert(position, id);
                }
            }
        }
        effective
    }
}
