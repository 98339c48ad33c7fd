//! Runs one thread of a graph until it ends, pauses or is interrupted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use futures_util::future::try_join_all;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::{Checkpoint, Checkpoints, Graph, Outcome, State, Status, Turn};
use crate::rpc::{Error, Result};

/// The most steps a thread makes in one go, against graphs that turn in a circle.
const STEPS_MAX: u64 = 100_000;

/// How a thread is set going.
pub enum Input {
    /// From the entry, with this state, whatever was before.
    Start(State),
    /// As `Start`, but only if the thread still stands as the caller saw it; else a conflict.
    Again(State, Option<Checkpoint>),
    /// From its checkpoint, over the pause that it waits at.
    Resume,
    /// From its interrupt, whose node is given this answer, and over every pause. Only an interrupted thread takes it, and
    /// a failure leaves the thread interrupted as it was: the same question stands again.
    Answer(Value),
    /// From its checkpoint, with these channels changed first.
    Update(Map<String, Value>),
}

/// A graph, its context and the place of its checkpoints.
pub struct Executor<C> {
    graph: Graph<C>,
    context: C,
    checkpoints: Checkpoints,
    /// One run of a thread at a time. Each has a turn of its own: a run may take minutes, and must keep no other waiting.
    turns: parking_lot::Mutex<BTreeMap<String, Weak<Mutex<()>>>>,
}

/// Turns above which those that nobody has are forgotten.
const TURNS_MAX: usize = 1024;

impl<C: Clone + Send + Sync + 'static> Executor<C> {
    /// An executor of `graph`; its nodes are given `context`.
    pub fn new(graph: Graph<C>, context: C, checkpoints: Checkpoints) -> Self {
        Self { graph, context, checkpoints, turns: parking_lot::Mutex::default() }
    }

    /// The turn of a thread, which lives as long as somebody has it or waits for it.
    fn turn(&self, thread: &str) -> Arc<Mutex<()>> {
        let mut turns = self.turns.lock();
        if let Some(turn) = turns.get(thread).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= TURNS_MAX {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::default();
        turns.insert(thread.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Runs a thread as far as it goes. A node's error leaves the thread `Failed` at that node, and is returned.
    pub async fn run(&self, thread: &str, input: Input) -> Result<Checkpoint> {
        let turn = self.turn(thread);
        let _turn = turn.lock().await;
        let (mut at, mut answer) = self.begin(thread, input).await?;
        // Whole, with what checkpoints leave out: the question as it stands.
        let asked = answer.is_some().then(|| at.clone());
        at.interrupt = None;
        // The pause that a thread waits at is passed when it goes on.
        let mut passing = at.status == Status::Paused;
        let last = at.step + STEPS_MAX;
        loop {
            if at.next.is_empty() {
                return self.keep(thread, at, Status::Done).await;
            }
            let pause = at.next.iter().any(|node| self.graph.pauses.contains(&node.as_str()));
            if pause && asked.is_none() && !std::mem::take(&mut passing) {
                return self.keep(thread, at, Status::Paused).await;
            }
            if at.step >= last {
                return Err(Error::internal(format!("thread {thread} of {} makes too many steps", self.graph.name)));
            }
            let outcomes = match self.step(thread, &mut at, answer.take()).await {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    match asked {
                        Some(asked) => self.keep(thread, asked, Status::Interrupted).await?,
                        None => self.keep(thread, at, Status::Failed).await?,
                    };
                    return Err(error);
                }
            };
            if let Some(Outcome::Interrupt(shown)) = outcomes.iter().find(|it| matches!(it, Outcome::Interrupt(_))) {
                at.interrupt = Some(shown.clone());
                return self.keep(thread, at, Status::Interrupted).await;
            }
            self.advance(&mut at, outcomes)?;
        }
    }

    async fn begin(&self, thread: &str, input: Input) -> Result<(Checkpoint, Option<Value>)> {
        let (update, answer) = match input {
            Input::Start(state) => return Ok((self.fresh(state), None)),
            Input::Again(state, seen) => {
                return match self.checkpoints.get(thread).await? == seen {
                    true => Ok((self.fresh(state), None)),
                    false => Err(Error::conflict(format!("thread {thread} went on meanwhile"))),
                };
            }
            Input::Resume => (Map::new(), None),
            Input::Answer(answer) => (Map::new(), Some(answer)),
            Input::Update(update) => (update, None),
        };
        let found = self.checkpoints.take(thread).await?;
        let mut at = found.ok_or_else(|| Error::not_found(format!("there is no thread {thread}")))?;
        if answer.is_some() && at.status != Status::Interrupted {
            let status = at.status.as_str();
            let message = format!("thread {thread} waits for no answer: it is {status}");
            self.checkpoints.put(thread, &at).await?;
            return Err(Error::conflict(message));
        }
        self.graph.reduce(&mut at.state, update);
        Ok((at, answer))
    }

    fn fresh(&self, state: State) -> Checkpoint {
        let graph = self.graph.name.to_owned();
        Checkpoint {
            graph,
            step: 0,
            state,
            next: vec![self.graph.entry.to_owned()],
            status: Status::Running,
            interrupt: None,
        }
    }

    /// Runs the nodes that are next, together.
    async fn step(&self, thread: &str, at: &mut Checkpoint, answer: Option<Value>) -> Result<Vec<Outcome>> {
        // A state can be large and a step short: the nodes share it, and it comes back when all have looked.
        let state = Arc::new(std::mem::take(&mut at.state));
        let outcomes = try_join_all(at.next.iter().map(|name| {
            let turn = Turn { thread: thread.to_owned(), state: state.clone(), answer: answer.clone() };
            async move {
                let missing = || Error::internal(format!("graph {} has no node {name}", self.graph.name));
                let node = self.graph.nodes.get(name.as_str()).ok_or_else(missing)?;
                node(self.context.clone(), turn).await
            }
        }))
        .await;
        at.state = Arc::unwrap_or_clone(state);
        outcomes
    }

    /// Applies the updates in the order of the nodes' names, and follows the edges.
    fn advance(&self, at: &mut Checkpoint, outcomes: Vec<Outcome>) -> Result<()> {
        for outcome in outcomes {
            if let Outcome::Update(update) = outcome {
                self.graph.reduce(&mut at.state, update);
            }
        }
        let mut next = Vec::new();
        for node in &at.next {
            if let Some(choose) = self.graph.edges.get(node.as_str()) {
                next.extend(choose(&at.state)?.into_iter().map(str::to_owned));
            }
        }
        next.sort();
        next.dedup();
        at.next = next;
        at.step += 1;
        Ok(())
    }

    async fn keep(&self, thread: &str, mut at: Checkpoint, status: Status) -> Result<Checkpoint> {
        at.status = status;
        // On its way it is in memory only, whole; what is kept leaves out what can be made again.
        if matches!(status, Status::Running | Status::Paused) {
            self.checkpoints.put(thread, &at).await?;
        } else {
            let kept = Checkpoint { state: self.graph.tracked(&at.state), ..at.clone() };
            self.checkpoints.put(thread, &kept).await?;
        }
        Ok(at)
    }
}
