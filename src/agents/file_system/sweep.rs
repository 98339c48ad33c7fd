//! The graph of a sweep: list the inbox, decide a batch of items side by side, file them in a settled order, go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, json};

use super::{
    FileSystemAgent,
    item::{Understood, Verdict, channel},
    order::{Wants, groups},
    review::waits,
};
use crate::{
    contracts::{
        file_system::{File, Filed, Item, ListInbox, Listing, Problem, lies_in},
        file_system_agent::{Outcome as Done, Review, Sweep, Swept},
        jd_classifier::{GetStructure, Published},
    },
    domain::custody::Standing,
    graph::{Checkpoint, Checkpoints, Executor, Graph, Input, Outcome, Reducer, State, Status, Turn},
    life::Shutdown,
    rpc::{Code, Error, Result},
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
    fn threads(&self, turn: &Turn) -> Result<&Threads> {
        Ok(if turn.state.get::<Sweep>(REQUEST)?.dry_run { &self.dry } else { &self.real })
    }
}

const REQUEST: &str = "request";
const LISTING: &str = "listing";
/// Items whose bytes lie at an earlier place as well, by `emm_id`.
const TWINS: &str = "twins";
const STRUCTURE: &str = "structure";
const ITEMS: &str = "items";
const OFFSET: &str = "offset";
const DECIDED: &str = "decided";
const FILED: &str = "filed";
const REVIEW: &str = "review";
const FAILED: &str = "failed";
const TAKEN: &str = "taken";

/// The thread of an item: the same for the same bytes, wherever they lie.
pub(super) fn thread(emm_id: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, emm_id.as_bytes()).to_string()
}

pub(super) fn graph() -> Graph<Context> {
    Graph::new("sweep", "list")
        .node("list", list)
        .node("decide", decide)
        .node("file", file)
        .edge("list", "decide")
        .edge("decide", "file")
        .branch("file", |state| {
            let (offset, items): (usize, usize) = (state.get(OFFSET)?, state.get(ITEMS)?);
            Ok(if offset < items { vec!["decide"] } else { vec![] })
        })
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
        let swept = stop.run_until_cancelled(self.0.sweeps.run(&thread, Input::Start(state))).await;
        match swept {
            Some(Ok(checkpoint)) => summary(run, &checkpoint),
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
    Outcome::set(LISTING, &listing)?
        .and(TWINS, &twins)?
        .and(STRUCTURE, &hash)?
        .and(ITEMS, &listing.items.len())?
        .and(OFFSET, &0)
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

type Twins = BTreeMap<String, Vec<Item>>;

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
    let listing: Listing = turn.state.get(LISTING)?;
    let offset: usize = turn.state.get(OFFSET)?;
    let batch = listing.items.into_iter().skip(offset).take(context.item.settings.items_per_batch.max(1));
    let labels = listing.labels.unwrap_or_default();
    let work = batch.map(|item| {
        let (context, turn) = (&context, &turn);
        async move {
            let place = item.place.clone();
            let decided = bring(context, turn, item, labels).await;
            decided.map_err(|error| Problem { place, reason: error.to_string() })
        }
    });
    let decided: Vec<Result<Ready, Problem>> =
        stream::iter(work).buffered(context.item.settings.items_in_flight.max(1)).collect().await;
    let (mut ready, mut review, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for one in decided {
        match one {
            Ok(Ready::File(thread)) => ready.push(thread),
            Ok(Ready::Review(shown)) => review.push(*shown),
            Ok(Ready::Nothing(Some(problem))) | Err(problem) => failed.push(problem),
            Ok(Ready::Nothing(None)) => {}
        }
    }
    Outcome::set(DECIDED, &ready)?.and(REVIEW, &review)?.and(FAILED, &failed)
}

/// How far an item was brought.
enum Ready {
    File(String),
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
    let at = match threads.executor.run(&thread, Input::Again(State(state), before)).await {
        Ok(at) => at,
        // It left or changed while it was looked at: the next look sees it as it is then.
        Err(error) if matches!(error.code, Code::NotFound | Code::Conflict) => return Ok(Ready::Nothing(None)),
        Err(error) => return Err(error),
    };
    match (at.status, at.interrupt) {
        (Status::Paused, _) => Ok(Ready::File(thread)),
        (Status::Interrupted, Some(shown)) => {
            if request.dry_run {
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

/// Files what is ready: new ids first, one by one in the order of the hashes, then all that cannot collide side by side.
async fn file(context: Context, turn: Turn) -> Result<Outcome> {
    let threads: Vec<String> = turn.state.get(DECIDED)?;
    let request: Sweep = turn.state.get(REQUEST)?;
    let mut wants = Vec::new();
    let mut states = Vec::new();
    let over = context.threads(&turn)?;
    for thread in threads {
        let Some(at) = over.checkpoints.get(&thread).await? else { continue };
        let (item, understood): (Item, Understood) = (at.state.get(channel::ITEM)?, at.state.get(channel::UNDERSTOOD)?);
        wants.push(Wants { emm_id: item.emm_id, place: item.place, title: understood.title });
        states.push((thread, at));
    }
    reserve_in_order(over, &wants, &states).await?;
    let groups = groups(&wants);
    let twins: Twins = turn.state.get(TWINS)?;
    let taken: Vec<String> = turn.state.find(TAKEN)?.unwrap_or_default();
    let results: Vec<Vec<Result<Done, Problem>>> = if request.dry_run {
        // Side by side, two items of a dry run would take the same name: nothing is there to stop the second.
        vec![file_group(&context, over, &states, &wants, &twins, groups.concat(), Some(taken)).await]
    } else {
        let work = groups.into_iter().map(|group| file_group(&context, over, &states, &wants, &twins, group, None));
        stream::iter(work).buffered(context.item.settings.items_in_flight.max(1)).collect().await
    };
    let (mut filed, mut failed) = (Vec::new(), Vec::new());
    for result in results.into_iter().flatten() {
        match result {
            Ok(done) => filed.push(done),
            Err(problem) => failed.push(problem),
        }
    }
    filed.sort_by(|a, b| a.place.cmp(&b.place));
    let paths: Vec<String> = match request.dry_run {
        true => filed
            .iter()
            .flat_map(|it| std::iter::once(it.filed.note.clone()).chain(it.filed.original.clone()))
            .collect(),
        false => Vec::new(),
    };
    let offset = turn.state.get::<usize>(OFFSET)? + context.item.settings.items_per_batch.max(1);
    Outcome::set(FILED, &filed)?.and(FAILED, &failed)?.and(OFFSET, &offset)?.and(TAKEN, &paths)
}

/// New ids are allocated one after the other in the order of the hashes, so that the same items get the same ids.
async fn reserve_in_order(over: &Threads, wants: &[Wants], states: &[(String, Checkpoint)]) -> Result<()> {
    let mut reserving: Vec<usize> =
        (0..states.len()).filter(|index| states[*index].1.next.iter().any(|node| node == "reserve")).collect();
    reserving.sort_by(|a, b| wants[*a].emm_id.cmp(&wants[*b].emm_id));
    for index in reserving {
        // It goes on to the pause before `file`; a failure shows again when it is filed.
        let _ = over.executor.run(&states[index].0, Input::Resume).await;
    }
    Ok(())
}

async fn file_group(
    context: &Context,
    over: &Threads,
    states: &[(String, Checkpoint)],
    wants: &[Wants],
    twins: &Twins,
    group: Vec<usize>,
    mut taken: Option<Vec<String>>,
) -> Vec<Result<Done, Problem>> {
    let mut results = Vec::new();
    for index in group {
        let (thread, place) = (&states[index].0, wants[index].place.clone());
        let input = match &taken {
            Some(taken) => Input::Update(Map::from_iter([(channel::TAKEN.to_owned(), json!(taken))])),
            None => Input::Resume,
        };
        let done = file_one(over, thread, &place, input).await;
        if let Ok((done, again)) = &done {
            if let Some(taken) = &mut taken {
                taken.extend(std::iter::once(done.filed.note.clone()).chain(done.filed.original.clone()));
            }
            for twin in twins.get(&wants[index].emm_id).into_iter().flatten() {
                results.push(file_twin(context, twin, done, again).await);
            }
        }
        results.push(done.map(|(done, _)| done).map_err(|error| Problem { place, reason: error.to_string() }));
    }
    results
}

/// The same bytes at another place: filed once, so this is recorded as a duplicate.
async fn file_twin(context: &Context, twin: &Item, first: &Done, again: &File) -> Result<Done, Problem> {
    let place = twin.place.clone();
    let filed = if again.dry_run {
        Ok(Filed { duplicate: true, ..first.filed.clone() })
    } else {
        context.item.tools.call(File { item: twin.clone(), ..again.clone() }).await
    };
    match filed {
        Ok(filed) => Ok(Done { place, confidence: first.confidence, filed }),
        Err(error) => Err(Problem { place, reason: error.to_string() }),
    }
}

/// Files the item of a thread; also gives the request, for those that have the same bytes.
async fn file_one(over: &Threads, thread: &str, place: &str, input: Input) -> Result<(Done, File)> {
    let at = over.executor.run(thread, input).await?;
    let filed: Filed = at.state.get(channel::FILED)?;
    let Verdict::File(decision) = at.state.get(channel::VERDICT)? else {
        return Err(Error::internal(format!("thread {thread} filed without a decision")));
    };
    let done = Done { place: place.to_owned(), confidence: decision.confidence, filed };
    let (item, run, dry_run) =
        (at.state.get(channel::ITEM)?, at.state.get(channel::RUN)?, at.state.get(channel::DRY_RUN)?);
    over.checkpoints.remove(thread).await?;
    Ok((done, File { item, decision, run, dry_run, taken: Vec::new() }))
}
