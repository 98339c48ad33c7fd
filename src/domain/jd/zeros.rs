//! The standard zeros: which places hold the system itself and therefore never receive content, except the inbox.
//!
//! Johnny.Decimal 2.0 keeps the first ids of every category for the system: `.00` index, `.01` inbox, `.02` tasks,
//! `.03` templates, `.04`-`.07` reserved, `.08` someday, `.09` archive, titled `<zero label> for <place>`; and likewise
//! the area `00-09` and the categories `A0` for the management of the house and of each area. But many real structures
//! number their own things from `.01` or use `20` as an ordinary category. The decision taken here, in this order:
//!
//! 1. The owner's explicit `header: true` or `header: false` is the last word.
//! 2. A title that begins with `■` is a header (the mark that the author of the system uses).
//! 3. An id `.00`-`.09` is a zero if it has no title of its own, if its title begins with the label that belongs to its
//!    number ("Templates, letters" at `.03`), or if it is any zero label alone or `<zero label> for <place>`.
//!    Otherwise, with a title of its own ("Documents" at `.02`), it is an ordinary id: it may be chosen, and a person
//!    may force it.
//! 4. `A0` is the area's management if its name says so; `00-09` as a whole if the area's name says so. Otherwise
//!    ordinary.
//! 5. In a management category every id is the system's, zero or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code;
use super::model::{Area, Category, Id, Place, Structure};

/// A standard zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Zero {
    /// `.00`
    Index,
    /// `.01`, the only one that receives content.
    Inbox,
    /// `.02`
    Tasks,
    /// `.03`
    Templates,
    /// `.04` to `.07`
    Reserved,
    /// `.08`
    Someday,
    /// `.09`
    Archive,
}

/// What a place receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Receives {
    /// Content: it may be chosen.
    Content,
    /// Content that a person sends there or that waits to be sorted; never chosen by a classifier.
    Inbox,
    /// Nothing: it is an area, a header, a zero, the management's, or a category whose ids receive the content.
    Nothing,
}

/// Zero, its first and last number, the label to write, and the words that begin such a title (any case).
type Label = (Zero, u16, u16, &'static str, &'static [&'static str]);

const LABELS: [Label; 7] = [
    (Zero::Index, 0, 0, "Index", &["index", "jdex", "sommaire", "índice", "указатель"]),
    (
        Zero::Inbox,
        1,
        1,
        "Inbox",
        &["inbox", "unsorted", "eingang", "posteingang", "boîte de réception", "bandeja de entrada", "входящие"],
    ),
    (
        Zero::Tasks,
        2,
        2,
        "Tasks",
        &["tasks", "task", "to-do", "todo", "project management", "aufgaben", "tâches", "tareas", "задачи"],
    ),
    (Zero::Templates, 3, 3, "Templates", &["templates", "template", "vorlagen", "modèles", "plantillas", "шаблоны"]),
    (Zero::Reserved, 4, 7, "Reserved", &["reserved", "reserviert", "réservé", "reservado", "резерв"]),
    (Zero::Someday, 8, 8, "Someday", &["someday", "irgendwann", "un jour", "algún día", "когда-нибудь"]),
    (Zero::Archive, 9, 9, "Archive", &["archive", "archived", "archives", "archiv", "archivo", "архив"]),
];

const FOR: [&str; 6] = ["for ", "of ", "für ", "pour ", "para ", "для "];

/// How the name of a management area or category begins.
const MANAGEMENT: [&str; 8] = [
    "management",
    "area management",
    "system management",
    "system",
    "meta",
    "about this system",
    "verwaltung des systems",
    "gestion du système",
];

/// The zero that an id is, by its code and title (an empty title is none of its own). Rule 3 above.
pub fn zero(code: &str, title: &str) -> Option<Zero> {
    let (_, number) = code::id_numbers(code).filter(|&(_, number)| number < 10)?;
    let title = fold(title);
    let own = LABELS.iter().find(|label| (label.1..=label.2).contains(&number))?;
    if title.is_empty() || after_any(&title, own.4).is_some() {
        return Some(own.0);
    }
    let mut others = LABELS.iter().filter_map(|label| after_any(&title, label.4).map(|rest| (label.0, rest)));
    others.find(|(_, rest)| alone_or_for(rest)).map(|(zero, _)| zero)
}

/// The title of a zero that has none of its own: "Inbox for Me". `None` for other numbers.
pub(super) fn standard_title(code: &str, category: &str) -> Option<String> {
    let (_, number) = code::id_numbers(code)?;
    let label = LABELS.iter().find(|label| (label.1..=label.2).contains(&number))?;
    Some(format!("{} for {category}", label.3))
}

/// The number that belongs to a zero, for lint.
pub(super) fn belongs_at(zero: Zero, number: u16) -> bool {
    LABELS.iter().any(|label| label.0 == zero && (label.1..=label.2).contains(&number))
}

/// Whether the category holds the system itself (rules 1, 2, 4).
pub fn is_management(area: &Area, category: &Category) -> bool {
    if let Some(header) = category.header {
        return header;
    }
    let (area_name, name) = (fold(&area.name), fold(&category.name));
    let says_so = |name: &str| {
        let mut words = LABELS.iter().map(|label| label.4).chain([MANAGEMENT.as_slice()]);
        words.any(|words| after_any(name, words).is_some_and(alone_or_for)) || name.starts_with('■')
    };
    let area_zero = code::category_number(&category.code).is_some_and(|number| number % 10 == 0);
    let of_the_area = name == area_name || name == format!("{area_name} management");
    name.starts_with('■')
        || (area_zero && (says_so(&name) || of_the_area))
        || (area.code == "00-09" && says_so(&area_name))
}

/// Whether the id only heads others (rules 1 and 2).
pub fn is_header(id: &Id) -> bool {
    id.header.unwrap_or_else(|| id.title.trim_start().starts_with('■'))
}

fn id_receives(area: &Area, category: &Category, id: &Id) -> Receives {
    if id.header == Some(false) {
        return Receives::Content;
    }
    if is_header(id) {
        return Receives::Nothing;
    }
    match zero(&id.code, &id.title) {
        Some(Zero::Inbox) => Receives::Inbox,
        Some(_) => Receives::Nothing,
        None if is_management(area, category) => Receives::Nothing,
        None => Receives::Content,
    }
}

impl Place<'_> {
    /// What this place receives, by the rules of zeros. A category with an id that receives content receives none
    /// itself; a person's hint that names such a category limits the choice to its ids.
    pub fn receives(&self) -> Receives {
        match (self.category, self.id) {
            (Some(category), Some(id)) => id_receives(self.area, category, id),
            (Some(category), None) => {
                let by_ids = category.ids.iter().any(|id| id_receives(self.area, category, id) == Receives::Content);
                let closed = is_management(self.area, category);
                if closed || by_ids { Receives::Nothing } else { Receives::Content }
            }
            (None, _) => Receives::Nothing,
        }
    }
}

impl Structure {
    /// The places that may receive content, in numeric order: ids that are no zeros and no headers, and the categories
    /// that have no such id. The inboxes are not among them.
    pub fn targets(&self) -> Vec<Place<'_>> {
        self.places().filter(|place| place.receives() == Receives::Content).collect()
    }

    /// What the place with this code receives; `None` if there is none.
    pub fn receives(&self, code: &str) -> Option<Receives> {
        self.find(code).map(|place| place.receives())
    }

    /// The code of a category's inbox, `11.01`, listed or not. `None` if there is no such category or if the owner uses
    /// that id for something else.
    pub fn inbox(&self, category: &str) -> Option<String> {
        let category = self.category(category)?;
        let code = format!("{}.01", category.code);
        let free = match category.ids.iter().find(|id| id.code == code) {
            Some(id) => id.header.is_none() && zero(&id.code, &id.title) == Some(Zero::Inbox),
            None => true,
        };
        free.then_some(code)
    }
}

/// Whether nothing follows a label, or "for <place>".
fn alone_or_for(rest: &str) -> bool {
    rest.is_empty() || FOR.iter().any(|word| rest.starts_with(word))
}

/// Lower case, without outer spaces.
fn fold(title: &str) -> String {
    title.trim().to_lowercase()
}

/// The rest after the first of the words with which the title begins, at a word's end.
fn after_any<'t>(title: &'t str, words: &[&str]) -> Option<&'t str> {
    words.iter().find_map(|word| {
        let rest = title.strip_prefix(word)?;
        let ends = rest.chars().next().is_none_or(|next| !next.is_alphanumeric());
        ends.then(|| rest.trim_start())
    })
}
