//! What `file-system` answers: the inbox, the vault, and the custody of every item.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tool;
use crate::domain::{
    classify::{Candidate, Guess},
    custody::{Link, Plan, Standing},
    extract::Extracted,
    inbox::Hints,
    opinion::Opinion,
};

/// What lies in the inbox and is ready to be taken, in the order of its paths.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListInbox {
    /// Answer at once if the inbox differs from this generation, else wait.
    #[serde(default)]
    pub after: Option<u64>,
    /// How long to wait for a change, in milliseconds; at most 20 000.
    #[serde(default)]
    pub wait_ms: u64,
    /// Do not wait for files to settle: what was just put there by the caller is complete.
    #[serde(default)]
    pub settled: bool,
    /// With `settled`: only these places are, relative to the inbox, and what lies in them; empty means all.
    #[serde(default)]
    pub places: Vec<String>,
}
tool!(ListInbox, FileSystem, "list_inbox", Listing, Reads, deadline 60000);

/// Whether a path is this place or lies in it.
pub fn lies_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The inbox at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listing {
    /// Grows with each change that was noticed.
    pub generation: u64,
    /// What is ready.
    pub items: Vec<Item>,
    /// How many are still being written, or were changed a moment ago.
    pub settling: usize,
    /// What cannot be taken, and why.
    pub problems: Vec<Problem>,
    /// What people taught so far; nothing while the vault is still being read for the first time.
    pub labels: Option<u64>,
}

/// Something in the inbox that emm will not touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where, relative to the inbox.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// A reference to a file, or to a folder that is one thing: place, hash and size, never bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The identity that its content gives it: 32 hexadecimal digits.
    pub emm_id: String,
    /// Where it lies, relative to the inbox, `/`-separated; bytes that are not UTF-8 are percent-encoded.
    pub place: String,
    /// BLAKE3 of the content, hexadecimal.
    pub hash: String,
    /// Its size.
    pub bytes: u64,
    /// Why it is one thing, if it is a folder.
    #[serde(default)]
    pub folder: Option<String>,
    /// What its folders say about where it belongs.
    #[serde(default)]
    pub hints: Hints,
    /// What the journal says of the same bytes.
    #[serde(default)]
    pub standing: Option<Standing>,
}

/// Text and metadata of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Read {
    /// The item.
    pub item: Item,
}
tool!(Read, FileSystem, "read", Document, Reads, deadline 180000);

/// What was read, or why it could not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// Text and metadata, and the title that its note will have.
    Text {
        /// What the reader found.
        extracted: Box<Extracted>,
        /// The title.
        title: String,
    },
    /// The parser crashed, hung or swelled: the item belongs into quarantine.
    Poison {
        /// What happened.
        reason: String,
    },
}

/// Files an item: its bytes into the vault, its note, the journal, and only then the inbox. Idempotent by `emm_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// What to file.
    pub item: Item,
    /// Where and why.
    pub decision: Decision,
    /// The sweep or review that this belongs to.
    pub run: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// In a dry run: the paths that earlier items of it would have taken.
    #[serde(default)]
    pub taken: Vec<String>,
}
tool!(File, FileSystem, "file", Filed, Finishes, deadline 600000);

/// Where an item goes, who says so and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The category or id.
    pub code: String,
    /// The hash of the structure it stands in.
    pub structure: String,
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Whether a person chose it; if so, emm learns from it.
    #[serde(default)]
    pub by_person: bool,
    /// The candidates it was chosen from, kept for `emm why`.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
    /// The engine that ranked them.
    #[serde(default)]
    pub engine: String,
    /// What a language model said, if one was asked.
    #[serde(default)]
    pub opinion: Option<Opinion>,
    /// What emm took for the best place; a person's word on it is told with the lesson.
    #[serde(default)]
    pub guess: Option<Guess>,
    /// The confidence from which emm files there by itself.
    #[serde(default)]
    pub threshold: Option<f64>,
}

impl From<&Plan> for Decision {
    /// The decision that a plan was made from, to carry it out again.
    fn from(plan: &Plan) -> Self {
        Decision {
            code: plan.code.clone(),
            structure: plan.why.structure.clone(),
            confidence: plan.why.confidence,
            by_person: plan.why.by_person,
            candidates: plan.why.candidates.clone(),
            engine: plan.why.engine.clone(),
            opinion: plan.why.opinion.clone(),
            guess: plan.why.guess.clone(),
            threshold: plan.why.threshold,
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Filed {
    /// The item.
    pub emm_id: String,
    /// The place.
    pub code: String,
    /// The note, relative to the vault.
    pub note: String,
    /// The original, relative to the vault, unless the note is the original.
    pub original: Option<String>,
    /// The same bytes had been filed before: this drop was recorded as a duplicate.
    pub duplicate: bool,
    /// What was taught up to and with this.
    pub labels: u64,
}

/// Records that an item stays out of the vault: it waits for a person, was skipped, or goes into quarantine. Idempotent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// The item.
    pub item: Item,
    /// Why it is held.
    pub why: Held,
    /// The sweep or review that this belongs to.
    pub run: String,
}
tool!(Hold, FileSystem, "hold", Standing, Finishes);

/// Why an item stays out of the vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A person must decide; it stays in the inbox.
    Review,
    /// A person decided not to file it; it stays in the inbox and is not asked about again.
    Skipped,
    /// Reading it failed badly; it moves out of the inbox into quarantine.
    Quarantine {
        /// What happened.
        reason: String,
    },
}

/// Puts quarantined items back into the inbox, to be tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The item.
    pub emm_id: String,
}
tool!(Release, FileSystem, "release", Standing, Finishes);

/// A person says that a filing is right, or where it belongs instead; emm learns from both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Confirm {
    /// The item.
    pub emm_id: String,
    /// Where it belongs; without it, where it is.
    #[serde(default)]
    pub code: Option<String>,
    /// The hash of the structure that `code` stands in.
    #[serde(default)]
    pub structure: Option<String>,
    /// The review that this belongs to.
    pub run: String,
}
tool!(Confirm, FileSystem, "confirm", Filed, Finishes, deadline 600000);

/// Reverses every effect of a filing; refuses, with the difference, what its owner edited since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Undo {
    /// The item.
    pub emm_id: String,
    /// The run that this belongs to.
    pub run: String,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}
tool!(Undo, FileSystem, "undo", Undone, Finishes, deadline 600000);

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// The item.
    pub emm_id: String,
    /// Where it lies again, relative to the inbox.
    pub place: String,
    /// What was taken out of the vault.
    pub removed: Vec<String>,
}

/// The effects that the journal has, newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Only this item: an `emm_id`, its beginning, or the path of its note.
    #[serde(default)]
    pub item: Option<String>,
    /// Only this run.
    #[serde(default)]
    pub run: Option<String>,
    /// Only from this moment on (RFC 3339).
    #[serde(default)]
    pub since: Option<String>,
    /// At most so many; 0 means 100.
    #[serde(default)]
    pub limit: usize,
}
tool!(History, FileSystem, "history", Entries);

/// Effects, newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entries {
    /// The effects.
    pub entries: Vec<Entry>,
}

/// One effect of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The item.
    pub emm_id: String,
    /// Its number in the chain of the item.
    pub number: u32,
    /// The effect.
    pub link: Link,
}

/// Accounts for every item ever seen, by hashing what is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verify {}
tool!(Verify, FileSystem, "verify", Account, Changes, deadline 3600000);

/// The account: every item is in exactly one of these numbers, or a violation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Items that the journal has.
    pub seen: usize,
    /// Items whose bytes were found as they were, or that their owner took back.
    pub accounted: usize,
    /// In the vault.
    pub filed: usize,
    /// In the inbox, waiting for a decision.
    pub waiting: usize,
    /// In quarantine.
    pub quarantined: usize,
    /// Taken back by their owner before they were filed.
    pub withdrawn: usize,
    /// Notes that their owner edited since: no violation.
    pub edited: Vec<String>,
    /// What is missing or changed.
    pub violations: Vec<Problem>,
}

/// Full text search over notes and the text of originals: any word counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Search {
    /// The words.
    pub words: String,
    /// At most so many hits; 0 means 10.
    #[serde(default)]
    pub limit: usize,
}
tool!(Search, FileSystem, "search", Hits);

/// Notes, best first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hits {
    /// The hits.
    pub hits: Vec<Hit>,
    /// How many notes are indexed.
    pub indexed: usize,
}

/// One note that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// The note, relative to the vault.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Larger is better; comparable within one answer only.
    pub score: f64,
    /// The best passage.
    pub snippet: String,
}

/// How much is known, indexed and waiting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {}
tool!(Overview, FileSystem, "overview", Overall);

/// Numbers for `emm status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overall {
    /// The vault.
    pub vault: String,
    /// The inbox.
    pub inbox: String,
    /// Items by standing.
    pub items: std::collections::BTreeMap<Standing, usize>,
    /// Notes in the search index.
    pub indexed: usize,
    /// What people taught so far; nothing while the vault is still being read for the first time.
    pub labels: Option<u64>,
    /// What is in quarantine, and why.
    pub quarantine: Vec<Problem>,
    /// What in the inbox cannot be taken, and why.
    pub problems: Vec<Problem>,
    /// How many files in the inbox are still settling.
    pub settling: usize,
}

/// Makes every projection again: the chains from the journal, the search index from the vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reindex {}
tool!(Reindex, FileSystem, "reindex", Reindexed, Finishes, deadline 3600000);

/// What was made again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reindexed {
    /// Items of the journal.
    pub items: usize,
    /// Notes in the index.
    pub notes: usize,
}
