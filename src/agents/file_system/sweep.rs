//! The graph of a sweep: list the inbox, decide a batch of items side by side, file them in a settled order while the next
//! batch is being decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, json};

use super::{
    FileSystemAgent,
    item::{Verdict, channel},
    review::waits,
};
use crate::{
    contracts::{
        file_system::{Item, ListInbox, Listing, Problem, lies_in},
        file_system_agent::{Review, Sweep, Swept},
        jd_classifier::{GetStructure, Published},
    },
    domain::custody::Standing,
    graph::{Checkpoint, Checkpoints, Executor, Graph, Input, Outcome, Reducer, State, Status, Turn},
    life::Shutdown,
    rpc::{self, Code, Error, Result},
};

/// What the nodes of a sweep hold.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) item: super::Context,
    pub(super) real: Threads,
    pub(super) dry: Threads,
}

/// Threads of items.
#[derive(Clone)]
pub(super) struct Threads {
    pub(super) executor: Arc<Executor<super::Context>>,
    pub(super) checkpoints: Checkpoints,
}

impl Context {
    /// Where the threads of this sweep run.
    pub(super) fn threads(&self, turn: &Turn) -> Result<&Threads> {
        Ok(if turn.state.get::<Sweep>(REQUEST)?.dry_run { &self.dry } else { &self.real })
    }
}

pub(super) const REQUEST: &str = "request";
/// What was listed, but for the items.
const LISTING: &str = "listing";
/// The items that are to be decided; `OFFSET` is the first that is not decided yet, and `LEFT` whether there is one.
const ITEMS: &str = "items";
/// Items whose bytes lie at an earlier place as well, by `emm_id`.
pub(super) const TWINS: &str = "twins";
const STRUCTURE: &str = "structure";
const LEFT: &str = "left";
const OFFSET: &str = "offset";
/// Threads about which a language model is asked, once all others are decided.
const DOUBTFUL: &str = "doubtful";
pub(super) const DECIDED: &str = "decided";
pub(super) const FILED: &str = "filed";
const REVIEW: &str = "review";
pub(super) const FAILED: &str = "failed";
pub(super) const TAKEN: &str = "taken";

/// The thread of an item: the same for the same bytes, wherever they lie.
pub(super) fn thread(emm_id: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, emm_id.as_bytes()).to_string()
}

pub(super) fn graph() -> Graph<Context> {
    Graph::new("sweep", "list")
        .node("list", list)
        .node("decide", decide)
        .node("file", super::batch::file)
        .node("consult", consult)
        .edge("list", "decide")
        // Deciding is work for the processor, filing mostly for the disk: one batch is filed while the next is decided.
        .branch("decide", |state| match (state.get(LEFT)?, state.find::<Vec<String>>(DOUBTFUL)?) {
            (true, _) => Ok(vec!["decide", "file"]),
            // What is sure does not wait for what a language model is asked about.
            (false, Some(doubtful)) if !doubtful.is_empty() => Ok(vec!["consult", "file"]),
            _ => Ok(vec!["file"]),
        })
        .edge("consult", "file")
        .channel(DOUBTFUL, Reducer::Append)
        .channel(FILED, Reducer::Append)
        .channel(REVIEW, Reducer::Append)
        .channel(FAILED, Reducer::Append)
        .channel(TAKEN, Reducer::Append)
}

impl FileSystemAgent {
    /// One sweep; with a listing, over that one.
    pub(super) async fn sweep(&self, request: Sweep, listing: Option<Listing>, stop: Shutdown) -> Result<Swept> {
        let _turn = self.0.sweeping.lock().await;
        let run = uuid::Uuid::new_v4().simple().to_string();
        let thread = format!("sweep-{run}");
        let mut state = State::of(REQUEST, &request)?;
        if let Some(listing) = listing {
            state.0.insert(LISTING.to_owned(), serde_json::to_value(listing)?);
        }
        state.0.insert(channel::RUN.to_owned(), json!(run));
        let over_all = request.places.is_empty() && !request.dry_run;
        let swept = stop.run_until_cancelled(self.0.sweeps.run(&thread, Input::Start(state))).await;
        match swept {
            Some(Ok(checkpoint)) => {
                let swept = summary(run, &checkpoint)?;
                if over_all {
                    self.0.failed.lock().clone_from(&swept.failed);
                }
                Ok(swept)
            }
            Some(Err(error)) => Err(error),
            // What was begun is in the journal; the next start finishes it, and the next sweep finds the rest.
            None => Err(Error::unavailable("the node is leaving")),
        }
    }
}

fn summary(run: String, checkpoint: &Checkpoint) -> Result<Swept> {
    let state = &checkpoint.state;
    let listing: Listing = state.get(LISTING)?;
    let mut failed: Vec<Problem> = state.find(FAILED)?.unwrap_or_default();
    failed.extend(listing.problems);
    let (filed, review) = (state.find(FILED)?.unwrap_or_default(), state.find(REVIEW)?.unwrap_or_default());
    Ok(Swept { run, filed, review, failed, settling: listing.settling })
}

async fn list(context: Context, turn: Turn) -> Result<Outcome> {
    let request: Sweep = turn.state.get(REQUEST)?;
    let tools = &context.item.tools;
    let given: Option<Listing> = turn.state.find(LISTING)?;
    let fresh = given.is_none();
    let mut listing = match given {
        Some(listing) => listing,
        None => {
            tools
                .call(ListInbox { after: None, wait_ms: 0, settled: request.settled, places: request.places.clone() })
                .await?
        }
    };
    if listing.labels.is_none() {
        return Err(Error::unavailable(
            "the vault is being read for the first time; its knowledge is not caught up yet",
        ));
    }
    if request.places.is_empty() && !request.dry_run {
        forget_what_left(&context, &listing, fresh).await?;
    }
    // One sweep at a time: whatever an earlier dry run left on its way is nobody's.
    for (thread, _) in context.dry.checkpoints.all().await? {
        context.dry.checkpoints.remove(&thread).await?;
    }
    let Published { hash, .. } = tools.call(GetStructure::default()).await?;
    listing.items.retain(|item| wanted(item, &request));
    // The same bytes have one thread: the first place, by path, is the item; the others follow it as duplicates.
    let (mut seen, mut twins) = (BTreeSet::new(), Twins::new());
    listing.items.retain(|item| {
        let first = seen.insert(item.emm_id.clone());
        if !first {
            twins.entry(item.emm_id.clone()).or_default().push(item.clone());
        }
        first
    });
    let items = std::mem::take(&mut listing.items);
    Outcome::set(LISTING, &listing)?.and(ITEMS, &items)?.and(TWINS, &twins)?.and(STRUCTURE, &hash)?.and(OFFSET, &0)
}

/// Forgets the threads of items that nobody can answer any more: gone, or filed, or with other bytes in their place.
async fn forget_what_left(context: &Context, listing: &Listing, fresh: bool) -> Result<()> {
    let here: BTreeSet<&str> = listing.items.iter().map(|item| item.emm_id.as_str()).collect();
    let places: BTreeSet<&str> = listing.items.iter().map(|item| item.place.as_str()).collect();
    // What settles is not listed; and a listing from before another sweep does not have what that one found.
    let whole = fresh && listing.settling == 0;
    for (thread, at) in context.real.checkpoints.all().await? {
        let Some(item) = at.state.find::<Item>(channel::ITEM)? else { continue };
        if here.contains(item.emm_id.as_str()) {
            continue;
        }
        let left = whole || places.contains(item.place.as_str());
        if left || !context.item.standing(&item.emm_id).await?.is_some_and(waits) {
            context.real.checkpoints.remove(&thread).await?;
        }
    }
    Ok(())
}

/// Further places of the same bytes, by `emm_id`.
pub(super) type Twins = BTreeMap<String, Vec<Item>>;

fn wanted(item: &Item, request: &Sweep) -> bool {
    let inside = |place: &String| lies_in(&item.place, place);
    match request.places.is_empty() {
        true => item.standing != Some(Standing::Skipped),
        // Whoever names a skipped item wants to be asked about it again.
        false => request.places.iter().any(inside),
    }
}

/// Brings each item of the batch as far as it goes without filing: ready to be filed, waiting for a person, or failed.
async fn decide(context: Context, turn: Turn) -> Result<Outcome> {
    let labels = turn.state.get::<Listing>(LISTING)?.labels.unwrap_or_default();
    let (offset, size): (usize, usize) = (turn.state.get(OFFSET)?, context.item.settings.items_per_batch.max(1));
    let mut batch: Vec<Item> = turn.state.slice(ITEMS, offset, size + 1)?;
    let left = batch.len() > size;
    batch.truncate(size);
    let work = batch.into_iter().map(|item| {
        let (context, turn) = (context.clone(), turn.clone());
        rpc::Context::beside(async move {
            let place = item.place.clone();
            let decided = bring(&context, &turn, item, labels).await;
            decided.map_err(|error| Problem { place, reason: error.to_string() })
        })
    });
    let decided: Vec<Result<Ready, Problem>> =
        stream::iter(work).buffered(context.item.settings.items_in_flight.max(1)).collect().await;
    tracing::debug!(items = decided.len(), "a batch is decided");
    told(decided)?.and(OFFSET, &(offset + size))?.and(LEFT, &left)
}

/// What a batch came to.
fn told(decided: Vec<Result<Ready, Problem>>) -> Result<Outcome> {
    let (mut ready, mut doubtful, mut review, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in decided {
        match one {
            Ok(Ready::File(thread)) => ready.push(thread),
            Ok(Ready::Doubt(thread)) => doubtful.push(thread),
            Ok(Ready::Review(shown)) => review.push(*shown),
            Ok(Ready::Nothing(Some(problem))) | Err(problem) => failed.push(problem),
            Ok(Ready::Nothing(None)) => {}
        }
    }
    Outcome::set(DECIDED, &ready)?.and(DOUBTFUL, &doubtful)?.and(REVIEW, &review)?.and(FAILED, &failed)
}

/// Has a language model asked about what is doubtful, several at once, and decides by what it says.
async fn consult(context: Context, turn: Turn) -> Result<Outcome> {
    let (threads, over) = (turn.state.get::<Vec<String>>(DOUBTFUL)?, context.threads(&turn)?);
    let work = threads.into_iter().map(|thread| rpc::Context::beside(go_on(over.clone(), thread)));
    told(stream::iter(work).buffered(context.item.opinions.max(1)).collect().await)
}

/// Lets the thread of an item go on over its pause.
async fn go_on(over: Threads, thread: String) -> Result<Ready, Problem> {
    // Until its item is known, the thread stands for it.
    let mut place = thread.clone();
    let brought = async {
        let Some(before) = over.checkpoints.get(&thread).await? else { return Ok(Ready::Nothing(None)) };
        let item: Item = before.state.get(channel::ITEM)?;
        place.clone_from(&item.place);
        run(&over, thread, Input::Resume, item, false).await
    };
    brought.await.map_err(|error: Error| Problem { place, reason: error.to_string() })
}

/// How far an item was brought.
enum Ready {
    File(String),
    Doubt(String),
    Review(Box<Review>),
    Nothing(Option<Problem>),
}

/// Whether nothing about the item itself changed since it was asked about; asking is what makes it wait for review.
fn same_question(asked: &Item, now: &Item) -> bool {
    let stands = now.standing == Some(Standing::Review) || now.standing == asked.standing;
    stands && asked.place == now.place && asked.hints == now.hints
}

async fn bring(context: &Context, turn: &Turn, item: Item, labels: u64) -> Result<Ready> {
    let thread = thread(&item.emm_id);
    let structure: String = turn.state.get(STRUCTURE)?;
    let request: Sweep = turn.state.get(REQUEST)?;
    let threads = context.threads(turn)?;
    // What the journal does not know was never asked about.
    let before = if item.standing.is_some() { threads.checkpoints.get(&thread).await? } else { None };
    if before.as_ref().is_some_and(|it| it.status == Status::Done) {
        // Somebody answered since the inbox was listed: the next look sees what became of it.
        let now = context.item.standing(&item.emm_id).await?;
        if now != item.standing {
            return Ok(Ready::Nothing(None));
        }
    }
    if let Some(waiting) = before.as_ref().filter(|it| it.status == Status::Interrupted && !request.dry_run) {
        let known = (waiting.state.get::<String>(channel::STRUCTURE)?, waiting.state.get::<u64>(channel::LABELS)?);
        let same = known == (structure.clone(), labels) && same_question(&waiting.state.get(channel::ITEM)?, &item);
        if let (true, Some(shown)) = (same, &waiting.interrupt) {
            // Nothing new was taught since, and it lies where it lay: the question is the same.
            return Ok(Ready::Review(Box::new(Review::deserialize(shown)?)));
        }
    }
    let state = Map::from_iter([
        (channel::ITEM.to_owned(), serde_json::to_value(&item)?),
        (channel::RUN.to_owned(), json!(turn.state.get::<String>(channel::RUN)?)),
        (channel::STRUCTURE.to_owned(), json!(structure)),
        (channel::LABELS.to_owned(), json!(labels)),
        (channel::DRY_RUN.to_owned(), json!(request.dry_run)),
    ]);
    let input = match item.standing {
        Some(_) => Input::Again(State(state), before),
        None => Input::Start(State(state)),
    };
    run(threads, thread, input, item, request.dry_run).await
}

/// Runs the thread of an item to where it waits, and says for what.
async fn run(threads: &Threads, thread: String, input: Input, item: Item, dry_run: bool) -> Result<Ready> {
    let at = match threads.executor.run(&thread, input).await {
        Ok(at) => at,
        // It left or changed while it was looked at: the next look sees it as it is then.
        Err(error) if matches!(error.code, Code::NotFound | Code::Conflict) => return Ok(Ready::Nothing(None)),
        Err(error) => return Err(error),
    };
    match (at.status, at.interrupt) {
        (Status::Paused, _) if at.next.iter().any(|node| node == "consult") => Ok(Ready::Doubt(thread)),
        (Status::Paused, _) => Ok(Ready::File(thread)),
        (Status::Interrupted, Some(shown)) => {
            if dry_run {
                threads.checkpoints.remove(&thread).await?;
            }
            Ok(Ready::Review(Box::new(serde_json::from_value(shown)?)))
        }
        _ => {
            threads.checkpoints.remove(&thread).await?;
            let quarantined = match at.state.find(channel::VERDICT)? {
                Some(Verdict::Quarantine(reason)) => {
                    Some(Problem { place: item.place, reason: format!("quarantined: {reason}") })
                }
                _ => None,
            };
            Ok(Ready::Nothing(quarantined))
        }
    }
}
