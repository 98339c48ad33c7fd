//! The filing of a batch: what a sweep has decided, in an order that gives the same names wherever it runs.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, stream};
use serde_json::{Map, json};

use super::{
    item::{Understood, Verdict, channel},
    order::{Wants, groups},
    sweep::{Context, DECIDED, FAILED, FILED, REQUEST, TAKEN, TWINS, Threads, Twins},
};
use crate::{
    contracts::{
        file_system::{File, Filed, Item, Problem},
        file_system_agent::{Outcome as Done, Sweep},
    },
    graph::{Checkpoint, Input, Outcome, Turn},
    rpc::{self, Code, Error, Result},
};

/// Files what is ready: new ids first, one by one in the order of the hashes, then all that cannot collide side by side.
pub(super) async fn file(context: Context, turn: Turn) -> Result<Outcome> {
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
    let mut failed = reserve_in_order(over, &mut wants, &mut states).await;
    let groups = groups(&wants);
    let batch =
        Batch { context: context.item.clone(), over: over.clone(), states, wants, twins: turn.state.get(TWINS)? };
    let batch = Arc::new(batch);
    let taken: Vec<String> = turn.state.find(TAKEN)?.unwrap_or_default();
    let results: Vec<Vec<Result<Done, Problem>>> = if request.dry_run {
        // Side by side, two items of a dry run would take the same name: nothing is there to stop the second.
        vec![file_group(batch, groups.concat(), Some(taken)).await]
    } else {
        let work = groups.into_iter().map(|group| rpc::Context::beside(file_group(batch.clone(), group, None)));
        stream::iter(work).buffered(context.item.settings.items_in_flight.max(1)).collect().await
    };
    let mut filed = Vec::new();
    for result in results.into_iter().flatten() {
        match result {
            Ok(done) => filed.push(done),
            Err(problem) => failed.push(problem),
        }
    }
    tracing::debug!(items = filed.len(), "a batch is filed");
    filed.sort_by(|a, b| a.place.cmp(&b.place));
    let paths: Vec<String> = match request.dry_run {
        true => filed
            .iter()
            .flat_map(|it| std::iter::once(it.filed.note.clone()).chain(it.filed.original.clone()))
            .collect(),
        false => Vec::new(),
    };
    Outcome::set(FILED, &filed)?.and(FAILED, &failed)?.and(TAKEN, &paths)
}

/// New ids are allocated one after the other in the order of the hashes, so that the same items get the same ids. What could
/// not get one is taken out, and returned with the reason.
async fn reserve_in_order(
    over: &Threads,
    wants: &mut Vec<Wants>,
    states: &mut Vec<(String, Checkpoint)>,
) -> Vec<Problem> {
    let mut reserving: Vec<usize> =
        (0..states.len()).filter(|index| states[*index].1.next.iter().any(|node| node == "reserve")).collect();
    reserving.sort_by(|a, b| wants[*a].emm_id.cmp(&wants[*b].emm_id));
    let mut failed = BTreeMap::new();
    for index in reserving {
        // It goes on to the pause before `file`.
        if let Err(error) = over.executor.run(&states[index].0, Input::Resume).await {
            failed.insert(index, error);
        }
    }
    let problem = |(index, error): (&usize, &Error)| {
        let place = wants[*index].place.clone();
        Problem { place, reason: error.clone().during("getting a new id").to_string() }
    };
    let problems = failed.iter().map(problem).collect();
    for index in failed.keys().rev() {
        wants.remove(*index);
        states.remove(*index);
    }
    problems
}

/// What is ready to be filed.
struct Batch {
    context: super::Context,
    over: Threads,
    /// The threads, and where they stand.
    states: Vec<(String, Checkpoint)>,
    /// What each of them wants, in the same order.
    wants: Vec<Wants>,
    twins: Twins,
}

/// Files the items of a group one after the other.
async fn file_group(
    batch: Arc<Batch>,
    group: Vec<usize>,
    mut taken: Option<Vec<String>>,
) -> Vec<Result<Done, Problem>> {
    let Batch { context, over, states, wants, twins } = &*batch;
    let mut results = Vec::new();
    for index in group {
        let (thread, place) = (&states[index].0, wants[index].place.clone());
        let input = match &taken {
            Some(taken) => Input::Update(Map::from_iter([(channel::TAKEN.to_owned(), json!(taken))])),
            None => Input::Resume,
        };
        let done = match file_one(over, thread, &place, input).await {
            // It left or changed since it was decided: the next look sees it as it is then.
            Err(error) if matches!(error.code, Code::NotFound | Code::Conflict) => {
                tracing::info!(place, "not filed: {error}");
                continue;
            }
            done => done,
        };
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
async fn file_twin(context: &super::Context, twin: &Item, first: &Done, again: &File) -> Result<Done, Problem> {
    let place = twin.place.clone();
    let filed = if again.dry_run {
        Ok(Filed { duplicate: true, ..first.filed.clone() })
    } else {
        context.tools.call(File { item: twin.clone(), ..again.clone() }).await
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
