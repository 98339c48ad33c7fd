//! `file-system-agent`: sweeps the inbox, decides, files, and asks a person where it doubts.

mod batch;
mod decide;
mod item;
mod order;
mod review;
mod sweep;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    backends::state::State,
    contracts::{
        file_system::{ListInbox, Listing, Problem},
        file_system_agent::{Failures, ListFailed, Sweep, Swept},
    },
    domain::classify::Bar,
    graph::{Checkpoints, Executor},
    life::Shutdown,
    rpc::{Answer, Result, Tools},
};

/// How the agent decides and works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether the agent sweeps by itself when the inbox changes; a command that hosts it for one call turns that off.
    pub sweeps: bool,
    /// The probability from which an item is filed without asking until people spoke of its category; 0 and 1 hold whatever they
    /// say.
    pub threshold: f64,
    /// Whether an item whose category is clear, but none of its ids, gets a new id of its own.
    pub new_ids: bool,
    /// How many candidates are kept for a review and for `emm why`.
    pub candidates_max: usize,
    /// Items that are worked on at once.
    pub items_in_flight: usize,
    /// Items that are decided together before any of them is filed; the next so many are decided meanwhile.
    pub items_per_batch: usize,
    /// The longest wait between two looks at the inbox, in milliseconds.
    pub look_ms: u64,
    /// The wait while something in the inbox is still settling, in milliseconds.
    pub settling_look_ms: u64,
    /// The first characters of a text that a review shows.
    pub excerpt_chars: usize,
}

/// What filing without asking shall reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The share of what is filed in a category that shall be right, from 0 to 1: what people confirmed or corrected is held
    /// against it.
    pub precision: f64,
}

impl Settings {
    /// What filing without asking has to reach.
    pub fn bar(&self, decide: &Decide) -> Bar {
        Bar { threshold: self.threshold, precision: decide.precision }
    }
}

/// The name of the work of sweeping, among all nodes of an inbox.
const SWEEP: &str = "sweep";

/// What the nodes of both graphs hold.
#[derive(Clone)]
struct Context {
    tools: Tools,
    settings: Arc<Settings>,
    bar: Bar,
    /// Documents about which a language model is asked at once; 0 where there is none.
    opinions: usize,
}

/// The agent; cheap to clone.
#[derive(Clone)]
pub struct FileSystemAgent(Arc<Inner>);

struct Inner {
    context: Context,
    checkpoints: Checkpoints,
    items: Arc<Executor<Context>>,
    sweeps: Executor<sweep::Context>,
    state: State,
    /// One sweep at a time: two would only look at the same items.
    sweeping: Mutex<()>,
    /// What the last sweep over all could not take or file.
    failed: parking_lot::Mutex<Vec<Problem>>,
}

impl FileSystemAgent {
    /// The agent over its own state and the tools of all roles. `opinions` is how many documents a language model is asked about
    /// at once; 0 where there is none.
    pub fn new(settings: Settings, decide: Decide, opinions: usize, state: State, tools: Tools) -> FileSystemAgent {
        let checkpoints = Checkpoints::new(state.clone());
        let bar = settings.bar(&decide);
        let context = Context { tools, settings: Arc::new(settings), bar, opinions };
        let items = Arc::new(Executor::new(item::graph(), context.clone(), checkpoints.clone()));
        let over = sweep::Threads { executor: items.clone(), checkpoints: checkpoints.clone() };
        // A dry run leaves no trace, and what a sweep has found so far is found again by the next one.
        let (forgotten, sweeping) = (Checkpoints::in_memory(), Checkpoints::in_memory());
        let dry_items = Arc::new(Executor::new(item::graph(), context.clone(), forgotten.clone()));
        let dry = sweep::Threads { executor: dry_items, checkpoints: forgotten };
        let sweeps = Executor::new(sweep::graph(), sweep::Context { item: context.clone(), real: over, dry }, sweeping);
        let (sweeping, failed) = (Mutex::new(()), parking_lot::Mutex::default());
        FileSystemAgent(Arc::new(Inner { context, checkpoints, items, sweeps, state, sweeping, failed }))
    }

    /// Sweeps whenever the inbox changed, until shutdown.
    pub async fn watch(&self, stop: Shutdown) -> Result<()> {
        let settings = self.0.context.settings.clone();
        if !settings.sweeps {
            stop.cancelled().await;
            return Ok(());
        }
        let mut seen: Option<Listing> = None;
        // Another node sweeps this inbox: if it vanishes, what it leaves is ours.
        let mut elsewhere = false;
        loop {
            let wait_ms = match &seen {
                Some(listing) if listing.settling > 0 || elsewhere => settings.settling_look_ms,
                _ => settings.look_ms,
            };
            let request = ListInbox { after: seen.as_ref().map(|it| it.generation), wait_ms, ..ListInbox::default() };
            let listing = match stop.run_until_cancelled(self.0.context.tools.call(request)).await {
                None => return Ok(()),
                Some(Ok(listing)) => listing,
                Some(Err(error)) => {
                    tracing::warn!("the inbox cannot be listed: {error}");
                    let pause = tokio::time::sleep(Duration::from_millis(settings.settling_look_ms));
                    let _ = stop.run_until_cancelled(pause).await;
                    continue;
                }
            };
            if listing.items.is_empty() {
                self.0.failed.lock().clear();
            }
            if listing.labels.is_some() && !listing.items.is_empty() {
                let held = self.0.state.hold(SWEEP).await;
                elsewhere = matches!(held, Ok(None));
                // Where nobody can say who sweeps, both may: who comes second finds nothing left to do.
                if !elsewhere {
                    self.sweep_and_report(listing.clone(), stop.clone()).await;
                }
                if let Ok(Some(held)) = held {
                    held.let_go().await;
                }
            }
            seen = Some(listing);
        }
    }

    /// A sweep that has begun goes on to its end within the drain; items under way are checkpointed.
    async fn sweep_and_report(&self, listing: Listing, stop: Shutdown) {
        let swept = self.sweep(Sweep::default(), Some(listing), stop).await;
        swept.map(|swept| report(&swept)).unwrap_or_else(|error| tracing::warn!("a sweep failed: {error}"));
    }
}

fn report(swept: &Swept) {
    for outcome in &swept.filed {
        let (note, confidence) = (&outcome.filed.note, outcome.confidence);
        tracing::info!(place = outcome.place, note, confidence, duplicate = outcome.filed.duplicate, "filed");
    }
    for problem in &swept.failed {
        tracing::warn!(place = problem.place, "not filed: {}", problem.reason);
    }
}

impl Answer<ListFailed> for FileSystemAgent {
    async fn answer(&self, _: ListFailed) -> Result<Failures> {
        Ok(Failures { failed: self.0.failed.lock().clone() })
    }
}

impl Answer<Sweep> for FileSystemAgent {
    async fn answer(&self, request: Sweep) -> Result<Swept> {
        // Somebody waits for it, so it is done whoever else sweeps; but nobody else needs to begin meanwhile.
        let held = if request.dry_run { None } else { self.0.state.hold(SWEEP).await.ok().flatten() };
        let swept = self.sweep(request, None, Shutdown::new()).await;
        if let Some(held) = held {
            held.let_go().await;
        }
        swept
    }
}
