//! The graph of one item: read, decide, ask if in doubt, file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, decide};
use crate::{
    contracts::{
        content_classifier::{Classified, Classify, SecondOpinion, Weighed},
        file_system::{Decision, Document, File, Filed, Held, Hold, Item, Read},
        file_system_agent::Review,
        jd_classifier::{Reserve, Reserved},
    },
    domain::{classify::Candidate, custody::Standing, opinion::Opinion},
    graph::{Graph, Outcome, Turn},
    rpc::{Error, Result},
};

/// The channels of an item's state.
pub(super) mod channel {
    pub(in super::super) const ITEM: &str = "item";
    pub(in super::super) const RUN: &str = "run";
    pub(in super::super) const STRUCTURE: &str = "structure";
    pub(in super::super) const LABELS: &str = "labels";
    pub(in super::super) const DRY_RUN: &str = "dry_run";
    pub(in super::super) const TAKEN: &str = "taken";
    pub(in super::super) const UNDERSTOOD: &str = "understood";
    pub(in super::super) const POISON: &str = "poison";
    pub(in super::super) const VERDICT: &str = "verdict";
    pub(in super::super) const FILED: &str = "filed";
}

/// What reading and classifying told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Understood {
    pub(super) title: String,
    pub(super) excerpt: String,
    pub(super) candidates: Vec<Candidate>,
    pub(super) engine: String,
    /// Whether the document has a title of its own.
    #[serde(default)]
    pub(super) own_title: bool,
    /// What a language model said, if one was asked.
    #[serde(default)]
    pub(super) opinion: Option<Opinion>,
    /// The confidence from which emm files by itself, for the categories of the candidates.
    #[serde(default)]
    pub(super) thresholds: BTreeMap<String, f64>,
}

/// What is to be done with an item.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// File it here.
    File(Decision),
    /// File it under a new id of this category.
    New { category: String, title: String, decision: Decision },
    /// A language model may know.
    Doubt,
    /// Ask, for this reason.
    Ask(String),
    /// Leave it in the inbox, for a person said so.
    Skip,
    /// Nothing: something became of it meanwhile.
    Leave,
    /// Put it into quarantine, for this reason.
    Quarantine(String),
}

/// The graph. A pause stands before `file`, so that a sweep settles the order of those that collide, and before `consult`,
/// so that what is sure need not wait for a language model.
pub(super) fn graph() -> Graph<Context> {
    Graph::new("item", "read")
        .node("read", read)
        .node("decide", decide)
        .node("consult", consult)
        .node("review", super::review::node)
        .node("reserve", reserve)
        .node("file", file)
        .node("hold", hold)
        .edge("read", "decide")
        .branch("decide", |state| next(&state.get(channel::VERDICT)?))
        .branch("consult", |state| next(&state.get(channel::VERDICT)?))
        .branch("review", |state| next(&state.get(channel::VERDICT)?))
        .edge("reserve", "file")
        .pause_before("consult")
        .pause_before("reserve")
        .pause_before("file")
}

fn next(verdict: &Verdict) -> Result<Vec<&'static str>> {
    Ok(match verdict {
        Verdict::File(_) => vec!["file"],
        Verdict::New { .. } => vec!["reserve"],
        Verdict::Doubt => vec!["consult"],
        Verdict::Ask(_) => vec!["review"],
        Verdict::Skip | Verdict::Quarantine(_) => vec!["hold"],
        Verdict::Leave => vec![],
    })
}

async fn read(context: Context, turn: Turn) -> Result<Outcome> {
    let item: Item = turn.state.get(channel::ITEM)?;
    let (extracted, title) = match context.tools.call(Read { item: item.clone() }).await? {
        Document::Text { extracted, title } => (extracted, title),
        Document::Poison { reason } => return Outcome::set(channel::POISON, &reason),
    };
    let excerpt = extracted.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let excerpt = excerpt.chars().take(context.settings.excerpt_chars).collect();
    let name = item.place.rsplit('/').next().unwrap_or(&item.place).to_owned();
    let hints = item.hints.words.iter().chain(&extracted.keywords).cloned().collect();
    let request = Classify {
        structure: turn.state.get(channel::STRUCTURE)?,
        name,
        // A title made from the file name says nothing that the name does not.
        title: extracted.title.clone().unwrap_or_default(),
        text: extracted.text,
        kind: extracted.kind.as_str().to_owned(),
        hints,
        category: item.hints.category.clone(),
        at_least: turn.state.get(channel::LABELS)?,
        top: context.settings.candidates_max,
        bar: Some(context.bar),
    };
    let own_title = !request.title.is_empty();
    let Classified { candidates, engine, thresholds, .. } = context.tools.call(request).await?;
    let understood = Understood { title, excerpt, candidates, engine, own_title, opinion: None, thresholds };
    Outcome::set(channel::UNDERSTOOD, &understood)
}

async fn decide(context: Context, turn: Turn) -> Result<Outcome> {
    let verdict = match turn.state.find::<String>(channel::POISON)? {
        Some(reason) => Verdict::Quarantine(reason),
        None => {
            let item: Item = turn.state.get(channel::ITEM)?;
            let understood: Understood = turn.state.get(channel::UNDERSTOOD)?;
            let structure: String = turn.state.get(channel::STRUCTURE)?;
            let forced = decide::lookup(&context.tools, &item.hints, &structure).await?;
            // Nothing leaves the machine in a dry run.
            let may_consult = context.opinions > 0 && !turn.state.get::<bool>(channel::DRY_RUN)?;
            decide::verdict(&item, &understood, &structure, forced, &context.settings, may_consult)
        }
    };
    Outcome::set(channel::VERDICT, &verdict)
}

/// Asks a language model, and decides once more. It never fails the item: without an opinion a person is asked.
async fn consult(context: Context, turn: Turn) -> Result<Outcome> {
    let item: Item = turn.state.get(channel::ITEM)?;
    let mut understood: Understood = turn.state.get(channel::UNDERSTOOD)?;
    let structure: String = turn.state.get(channel::STRUCTURE)?;
    let Document::Text { extracted, .. } = context.tools.call(Read { item: item.clone() }).await? else {
        return Outcome::set(channel::VERDICT, &Verdict::Ask("it could be read before, and cannot be now".to_owned()));
    };
    let request = SecondOpinion {
        structure: structure.clone(),
        hash: item.hash.clone(),
        name: item.place.rsplit('/').next().unwrap_or(&item.place).to_owned(),
        title: understood.title.clone(),
        text: extracted.text,
        candidates: understood.candidates.clone(),
    };
    let opinion = match context.tools.call(request).await {
        Ok(Weighed { candidates, opinion, .. }) => {
            understood.candidates = candidates;
            opinion
        }
        Err(error) => Opinion::abstained("", error.message),
    };
    understood.title = opinion.title_of(understood.own_title, &understood.title).to_owned();
    understood.opinion = Some(opinion);
    let verdict = decide::verdict(&item, &understood, &structure, decide::Forced::No, &context.settings, false);
    Outcome::set(channel::UNDERSTOOD, &understood)?.and(channel::VERDICT, &verdict)
}

/// Allocates the new id; asking again for the same item gives the same one.
async fn reserve(context: Context, turn: Turn) -> Result<Outcome> {
    let item: Item = turn.state.get(channel::ITEM)?;
    let verdict: Verdict = turn.state.get(channel::VERDICT)?;
    let Verdict::New { category, title, decision } = verdict else {
        return Err(Error::internal("there is no new id to reserve"));
    };
    if turn.state.get(channel::DRY_RUN)? {
        // Only a real run may allocate: the category stands for its new id.
        return Outcome::set(channel::VERDICT, &Verdict::File(Decision { code: category, ..decision }));
    }
    let request = Reserve { category, title, emm_id: item.emm_id };
    let Reserved { code, structure } = context.tools.call(request).await?;
    Outcome::set(channel::VERDICT, &Verdict::File(Decision { code, structure, ..decision }))
}

async fn file(context: Context, turn: Turn) -> Result<Outcome> {
    let Verdict::File(decision) = turn.state.get(channel::VERDICT)? else {
        return Err(Error::internal("there is no decision to file by"));
    };
    let request = File {
        item: turn.state.get(channel::ITEM)?,
        decision,
        run: turn.state.get(channel::RUN)?,
        dry_run: turn.state.get(channel::DRY_RUN)?,
        taken: turn.state.find(channel::TAKEN)?.unwrap_or_default(),
    };
    let filed: Filed = context.tools.call(request).await?;
    Outcome::set(channel::FILED, &filed)
}

async fn hold(context: Context, turn: Turn) -> Result<Outcome> {
    let why = match turn.state.get(channel::VERDICT)? {
        Verdict::Quarantine(reason) => Held::Quarantine { reason },
        Verdict::Skip => Held::Skipped,
        _ => Held::Review,
    };
    let standing = record(&context, &turn, why).await?;
    Outcome::set("standing", &standing)
}

/// Tells the journal why an item stays out of the vault.
pub(super) async fn record(context: &Context, turn: &Turn, why: Held) -> Result<Standing> {
    if turn.state.get(channel::DRY_RUN)? {
        return Ok(Standing::Review);
    }
    let request = Hold { item: turn.state.get(channel::ITEM)?, why, run: turn.state.get(channel::RUN)? };
    context.tools.call(request).await
}

/// What a person is shown.
pub(super) fn question(turn: &Turn) -> Result<Review> {
    let Verdict::Ask(reason) = turn.state.get(channel::VERDICT)? else {
        return Err(Error::internal(format!("thread {} has nothing to ask: {}", turn.thread, json!(*turn.state))));
    };
    let Understood { title, excerpt, mut candidates, opinion, .. } = turn.state.get(channel::UNDERSTOOD)?;
    let asked = candidates.iter().filter(|_| opinion.is_some());
    let shown = asked.map(|candidate| candidate.code.clone()).collect();
    candidates.truncate(3);
    Ok(Review { item: turn.state.get(channel::ITEM)?, title, excerpt, reason, candidates, opinion, shown })
}
