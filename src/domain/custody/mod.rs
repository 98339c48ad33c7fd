//! The rules of custody: the chain of effects that each item has, and what a chain means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    classify::{Candidate, Guess},
    note::Patch,
    opinion::Opinion,
};

/// The version of the stored form; a build refuses a newer one with a clear word.
pub const FORMAT: u32 = 1;

/// How an item is written in a link: where it lay, and what it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Where it lay, relative to the inbox.
    pub place: String,
    /// BLAKE3 of its content, hexadecimal.
    pub hash: String,
    /// Its size.
    pub bytes: u64,
    /// Whether it is a folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub folder: bool,
    /// Why the folder is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Everything that filing one item does to the vault and the inbox, settled before the first effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The category or id.
    pub code: String,
    /// The note, relative to the vault.
    pub note: String,
    /// BLAKE3 of the note as it is written.
    pub note_hash: String,
    /// Where the original lies in the vault, unless the note is the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// What was inserted into a Markdown file: the original is the note without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Patch>,
    /// The dated folder of the trash that the inbox's copy goes to, `YYYY-MM-DD`.
    pub trash: String,
    /// What the decision rested on.
    pub why: Why,
}

/// What a decision rested on, for `emm why`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// How sure, from 0 to 1.
    pub confidence: f64,
    /// Whether a person chose.
    pub by_person: bool,
    /// The candidates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// The engine that ranked them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
    /// The structure it was chosen from.
    pub structure: String,
    /// The title.
    pub title: String,
    /// What a language model said, if one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
    /// What emm took for the best place, unless a folder had said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<Guess>,
    /// The confidence from which it files there by itself, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// One whole effect in the life of an item. Links are written once and never deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// The version of this form.
    pub format: u32,
    /// When, RFC 3339 in UTC, to the second.
    pub at: String,
    /// The sweep, review or command it belongs to.
    pub run: String,
    /// The effect.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What happened to an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Link 0 of every chain: emm decided something about the item for the first time.
    Seen {
        /// Where and what it was.
        origin: Origin,
        /// Set where the decision was to file: the intent, so that a restart finishes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Box<Plan>>,
    },
    /// The intent to file an item that had been seen before.
    Filing {
        /// Where it lay.
        origin: Origin,
        /// What is going to be done.
        plan: Box<Plan>,
    },
    /// The plan of the link before was carried out: vault and note are durable.
    Filed {
        /// The number of the link that has the plan.
        plan: u32,
    },
    /// A plan was given up before it was carried out; what it had done is to be taken back.
    Abandoned {
        /// Why.
        reason: String,
    },
    /// What a plan that was given up had written is out of the vault again, or stays there as the only copy.
    TakenBack,
    /// The same bytes were dropped again.
    Duplicate {
        /// Where and what.
        origin: Origin,
        /// The dated folder of the trash that they went to.
        trash: String,
    },
    /// A person said that it is right where it is.
    Confirmed {
        /// The place.
        code: String,
    },
    /// Its note is somewhere else now.
    Moved {
        /// The place, if the new folder has one.
        code: Option<String>,
        /// The note before.
        from: String,
        /// The note now.
        note: String,
        /// Whether its owner moved it by hand.
        by_hand: bool,
    },
    /// Its owner moved its original inside the vault.
    OriginalMoved {
        /// The original before.
        from: String,
        /// The original now.
        original: String,
    },
    /// A person decided not to file it.
    Skipped,
    /// It was moved out of the inbox because reading it failed badly.
    Quarantined {
        /// Where it lay, and what it was.
        origin: Origin,
        /// What happened.
        reason: String,
    },
    /// It was put back from quarantine.
    Released {
        /// Where it lies, relative to the inbox.
        place: String,
    },
    /// Its owner took it back before it was filed.
    Withdrawn,
    /// The intent to undo.
    Undoing {
        /// Where it is going to lie, relative to the inbox.
        place: String,
    },
    /// Every effect was reversed.
    Undone {
        /// Where it lies again, relative to the inbox.
        place: String,
    },
}

/// What a chain amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In the inbox, waiting for a person.
    Review,
    /// In the inbox, because a person said so.
    Skipped,
    /// On its way into the vault.
    Filing,
    /// In the vault.
    Filed,
    /// In the vault, and a person said that it is right.
    Confirmed,
    /// In quarantine.
    Quarantined,
    /// Taken back by its owner.
    Withdrawn,
    /// On its way back out of the vault.
    Undoing,
    /// Back in the inbox after an undo.
    Undone,
}

impl Link {
    /// The link without what its decision was chosen from.
    #[must_use]
    pub fn without_candidates(mut self) -> Self {
        if let Effect::Seen { plan: Some(plan), .. } | Effect::Filing { plan, .. } = &mut self.effect {
            plan.why.candidates.clear();
        }
        self
    }
}

impl Standing {
    /// The name that items are selected by.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Review => "review",
            Standing::Skipped => "skipped",
            Standing::Filing => "filing",
            Standing::Filed => "filed",
            Standing::Confirmed => "confirmed",
            Standing::Quarantined => "quarantined",
            Standing::Withdrawn => "withdrawn",
            Standing::Undoing => "undoing",
            Standing::Undone => "undone",
        }
    }

    /// Whether the item lies in the inbox and emm leaves it there.
    pub fn in_inbox(self) -> bool {
        matches!(self, Standing::Review | Standing::Skipped | Standing::Undone)
    }
}

/// A chain, read from its first link to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// What it amounts to.
    pub standing: Standing,
    /// Where it lay last, and what it is.
    pub origin: Origin,
    /// The plan in force, and the number of its link.
    pub plan: Option<(u32, Plan)>,
    /// Why it is in quarantine.
    pub quarantine: Option<String>,
    /// How often the same bytes were dropped again.
    pub duplicates: u32,
    /// Whether a person decided where it is, so that something was taught with it.
    pub taught: bool,
    /// Whether a filing of it was undone, so that only a person may file it again.
    #[serde(default)]
    pub undone: bool,
    /// A plan that was given up: what it may have left in the vault is to be taken back.
    #[serde(default)]
    pub abandoned: Option<Box<Plan>>,
    /// How many links there are: the number of the next.
    pub next: u32,
    /// When the last link was made.
    pub at: String,
}

impl Chain {
    /// Reads a chain. Nothing if it has no first link, or one that is not `Seen`.
    pub fn read<'a>(links: impl IntoIterator<Item = &'a Link>) -> Option<Chain> {
        let mut links = links.into_iter();
        let first = links.next()?;
        let Effect::Seen { origin, plan } = &first.effect else { return None };
        let mut chain = Chain {
            standing: if plan.is_some() { Standing::Filing } else { Standing::Review },
            origin: origin.clone(),
            plan: plan.as_ref().map(|plan| (0, (**plan).clone())),
            quarantine: None,
            duplicates: 0,
            taught: false,
            undone: false,
            abandoned: None,
            next: 1,
            at: first.at.clone(),
        };
        links.for_each(|link| chain.extend(link));
        Some(chain)
    }

    /// Takes the next link into account.
    pub fn extend(&mut self, link: &Link) {
        let number = self.next;
        self.next += 1;
        self.at.clone_from(&link.at);
        match &link.effect {
            Effect::Seen { .. } => {}
            Effect::Filing { origin, plan } => {
                self.origin = origin.clone();
                self.plan = Some((number, (**plan).clone()));
                self.standing = Standing::Filing;
            }
            Effect::Filed { .. } => {
                (self.standing, self.abandoned) = (Standing::Filed, None);
                let by_person = self.plan.as_ref().is_some_and(|(_, plan)| plan.why.by_person);
                self.taught |= by_person;
                self.undone &= !by_person;
            }
            Effect::Abandoned { .. } => {
                self.abandoned = self.plan.take().map(|(_, plan)| Box::new(plan));
                self.standing = self.back();
            }
            Effect::TakenBack => self.abandoned = None,
            Effect::Duplicate { .. } => self.duplicates += 1,
            Effect::Confirmed { code } => {
                (self.standing, self.taught) = (Standing::Confirmed, true);
                self.change_plan(|plan| plan.code.clone_from(code));
            }
            Effect::Moved { code, note, by_hand, .. } => {
                if *by_hand {
                    (self.standing, self.taught) = (Standing::Confirmed, true);
                }
                self.change_plan(|plan| {
                    plan.note.clone_from(note);
                    plan.code = code.clone().unwrap_or_else(|| plan.code.clone());
                });
            }
            Effect::OriginalMoved { original, .. } => {
                self.change_plan(|plan| plan.original = Some(original.clone()));
            }
            Effect::Skipped => self.standing = Standing::Skipped,
            Effect::Quarantined { origin, reason } => {
                self.origin = origin.clone();
                self.quarantine = Some(reason.clone());
                self.standing = Standing::Quarantined;
            }
            Effect::Released { place } => {
                self.origin.place.clone_from(place);
                (self.quarantine, self.standing) = (None, self.back());
            }
            Effect::Withdrawn => (self.plan, self.standing) = (None, Standing::Withdrawn),
            Effect::Undoing { place } => {
                self.origin.place.clone_from(place);
                self.standing = Standing::Undoing;
            }
            Effect::Undone { place } => {
                self.origin.place.clone_from(place);
                (self.plan, self.standing, self.taught, self.undone) = (None, Standing::Undone, false, true);
            }
        }
    }

    fn change_plan(&mut self, change: impl FnOnce(&mut Plan)) {
        if let Some((_, plan)) = &mut self.plan {
            change(plan);
        }
    }

    /// What an item that lies in the inbox again is: what was undone once stays so until a person files it.
    fn back(&self) -> Standing {
        if self.undone { Standing::Undone } else { Standing::Review }
    }

    /// The chain without what its decision was chosen from.
    #[must_use]
    pub fn without_candidates(mut self) -> Self {
        self.change_plan(|plan| plan.why.candidates.clear());
        self
    }

    /// Whether the item is in the vault.
    pub fn in_vault(&self) -> bool {
        matches!(self.standing, Standing::Filed | Standing::Confirmed)
    }
}

/// Digits of an identity.
const ID_DIGITS: usize = 32;

/// The identity that content gives an item: the first 32 hexadecimal digits of its hash.
pub fn emm_id(hash: &str) -> String {
    hash.chars().take(ID_DIGITS).collect()
}

/// Whether a text has the form of an identity.
pub fn is_emm_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
