//! What `file-system-agent` answers: sweeps and reviews.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    content_classifier::EarnedByCategory,
    file_system::{Filed, Item, Problem},
    tool,
};
use crate::domain::{
    classify::Candidate,
    opinion::{Opinion, Proposal},
};

/// Goes once through the inbox now, beside the sweeps that the agent makes by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// Only these places, relative to the inbox; empty means all.
    #[serde(default)]
    pub places: Vec<String>,
    /// Do not wait for files at these places to settle: the caller put them there itself, so they are complete.
    #[serde(default)]
    pub settled: bool,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}
tool!(Sweep, FileSystemAgent, "sweep", Swept, Finishes, deadline 3600000);

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Swept {
    /// The sweep, for `emm undo --run`.
    pub run: String,
    /// What was filed.
    pub filed: Vec<Outcome>,
    /// What waits for a person.
    pub review: Vec<Review>,
    /// What could not be taken, and why.
    pub failed: Vec<Problem>,
    /// How many files are still settling.
    pub settling: usize,
}

/// One filed item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Where it lay, relative to the inbox.
    pub place: String,
    /// How sure emm was, from 0 to 1.
    pub confidence: f64,
    /// What became of it.
    #[serde(flatten)]
    pub filed: Filed,
}

/// One item that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// The item.
    pub item: Item,
    /// Its title.
    pub title: String,
    /// The first words of its text.
    pub excerpt: String,
    /// Why emm did not file it by itself.
    pub reason: String,
    /// The best places, best first.
    pub candidates: Vec<Candidate>,
    /// What a language model said, if one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
    /// The places that it was shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<String>,
}

/// What waits for a person, in the order of its places in the inbox.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListReviews {}
tool!(ListReviews, FileSystemAgent, "list_reviews", Reviews);

/// What waits for a person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reviews {
    /// The items.
    pub reviews: Vec<Review>,
    /// Places that are missing for some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Proposal>,
}

/// What each category has earned, by the bar of this agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListAutonomy {}
tool!(ListAutonomy, FileSystemAgent, "list_autonomy", EarnedByCategory);

/// What the last sweep of this process could not take or file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListFailed {}
tool!(ListFailed, FileSystemAgent, "list_failed", Failures);

/// What could not be taken or filed. It is tried again with each sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// The places, and why.
    pub failed: Vec<Problem>,
}

/// Answers one review. Idempotent: the same answer again changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerReview {
    /// The item.
    pub emm_id: String,
    /// What to do with it.
    pub answer: Answered,
}
tool!(AnswerReview, FileSystemAgent, "answer_review", Settled, Finishes, deadline 600000);

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// File it here: a category or an id.
    File {
        /// The place.
        code: String,
    },
    /// File it under a new id of this category.
    New {
        /// The category.
        category: String,
        /// The title of the new id.
        title: String,
    },
    /// Leave it in the inbox and do not ask again.
    Skip,
}

/// What the answer led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settled {
    /// What was filed; nothing for a skip.
    pub filed: Option<Filed>,
}
