//! The executor of state graphs: steps, interrupts, and a checkpoint wherever a thread waits for somebody.
//!
//! The model is LangGraph's: a state of named channels, nodes that return updates, edges that choose what is next,
//! an interrupt that stops a thread until somebody answers. Nodes that are next together run together (one superstep);
//! their updates are applied in the order of their names, so that the same inputs give the same state.

mod checkpoint;
mod executor;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use checkpoint::{Checkpoint, Checkpoints, Status};
pub use executor::{Executor, Input};

use crate::rpc::{Error, Result};

/// The state of a thread: JSON under channel names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct State(pub Map<String, Value>);

impl State {
    /// A state with one channel.
    pub fn of<T: Serialize>(channel: &str, value: &T) -> Result<State> {
        Ok(State(Map::from_iter([(channel.to_owned(), serde_json::to_value(value)?)])))
    }

    /// A channel as a type; an error if it is missing or is something else.
    pub fn get<T: DeserializeOwned>(&self, channel: &str) -> Result<T> {
        let value = self.0.get(channel).ok_or_else(|| Error::internal(format!("channel {channel} is empty")))?;
        T::deserialize(value).map_err(|error| Error::internal(format!("channel {channel}: {error}")))
    }

    /// At most `count` elements of a channel that is a list, from `offset` on; the others are not touched.
    pub fn slice<T: DeserializeOwned>(&self, channel: &str, offset: usize, count: usize) -> Result<Vec<T>> {
        let list = self.0.get(channel).and_then(Value::as_array);
        let list = list.ok_or_else(|| Error::internal(format!("channel {channel} has no list")))?;
        let typed = list.iter().skip(offset).take(count).map(T::deserialize).collect::<Result<_, _>>();
        typed.map_err(|error| Error::internal(format!("channel {channel}: {error}")))
    }

    /// A channel as a type, if it was ever written.
    pub fn find<T: DeserializeOwned>(&self, channel: &str) -> Result<Option<T>> {
        if self.0.contains_key(channel) { self.get(channel).map(Some) } else { Ok(None) }
    }
}

/// What a node answers.
pub enum Outcome {
    /// New values of channels.
    Update(Map<String, Value>),
    /// Stop here and show this; the node runs again with the answer in `Turn::answer`.
    Interrupt(Value),
}

impl Outcome {
    /// One channel.
    pub fn set<T: Serialize>(channel: &str, value: &T) -> Result<Outcome> {
        Ok(Outcome::Update(State::of(channel, value)?.0))
    }

    /// This update with one more channel.
    pub fn and<T: Serialize>(self, channel: &str, value: &T) -> Result<Outcome> {
        match self {
            Outcome::Update(mut update) => {
                update.insert(channel.to_owned(), serde_json::to_value(value)?);
                Ok(Outcome::Update(update))
            }
            interrupt @ Outcome::Interrupt(_) => Ok(interrupt),
        }
    }
}

/// What a node is given.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The thread.
    pub thread: String,
    /// The state before this step; all nodes of the step look at the same one.
    pub state: Arc<State>,
    /// The answer to the node's own interrupt, when it runs again.
    pub answer: Option<Value>,
}

/// How an update meets what a channel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reducer {
    /// The new value takes the place of the old one.
    Replace,
    /// The elements of the new list go behind those of the old one.
    Append,
    /// As `Replace`, but the value is not kept in checkpoints: a thread that goes on without it makes it again.
    Untracked,
}

type Run<C> = Box<dyn Fn(C, Turn) -> BoxFuture<'static, Result<Outcome>> + Send + Sync>;
type Choose = Box<dyn Fn(&State) -> Result<Vec<&'static str>> + Send + Sync>;

/// Nodes and edges over a context `C`, such as the tools that the nodes call.
pub struct Graph<C> {
    name: &'static str,
    entry: &'static str,
    nodes: BTreeMap<&'static str, Run<C>>,
    edges: BTreeMap<&'static str, Choose>,
    reducers: BTreeMap<&'static str, Reducer>,
    pauses: Vec<&'static str>,
}

impl<C: Clone + Send + Sync + 'static> Graph<C> {
    /// A graph that begins at `entry`.
    pub fn new(name: &'static str, entry: &'static str) -> Self {
        let (nodes, edges, reducers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Graph { name, entry, nodes, edges, reducers, pauses: Vec::new() }
    }

    /// The graph with a node. Without an edge from it, a thread ends there.
    #[must_use]
    pub fn node<F>(mut self, name: &'static str, run: impl Fn(C, Turn) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Outcome>> + Send + 'static,
    {
        self.nodes.insert(name, Box::new(move |context, turn| Box::pin(run(context, turn))));
        self
    }

    /// The graph with an edge that is always taken.
    #[must_use]
    pub fn edge(self, from: &'static str, to: &'static str) -> Self {
        self.branch(from, move |_| Ok(vec![to]))
    }

    /// The graph with an edge that the state chooses; no name means the end.
    #[must_use]
    pub fn branch(
        mut self,
        from: &'static str,
        choose: impl Fn(&State) -> Result<Vec<&'static str>> + Send + Sync + 'static,
    ) -> Self {
        self.edges.insert(from, Box::new(choose));
        self
    }

    /// The graph with a channel that is not simply replaced.
    #[must_use]
    pub fn channel(mut self, name: &'static str, reducer: Reducer) -> Self {
        self.reducers.insert(name, reducer);
        self
    }

    /// The graph with a pause before a node: a thread stops there until it is resumed.
    #[must_use]
    pub fn pause_before(mut self, node: &'static str) -> Self {
        self.pauses.push(node);
        self
    }

    /// The state as a checkpoint keeps it.
    fn tracked(&self, state: &State) -> State {
        let tracked = |channel: &String| self.reducers.get(channel.as_str()) != Some(&Reducer::Untracked);
        State(
            state
                .0
                .iter()
                .filter(|(channel, _)| tracked(channel))
                .map(|(it, value)| (it.clone(), value.clone()))
                .collect(),
        )
    }

    fn reduce(&self, state: &mut State, update: Map<String, Value>) {
        for (channel, value) in update {
            let reducer = self.reducers.get(channel.as_str()).copied().unwrap_or(Reducer::Replace);
            match (reducer, state.0.get_mut(&channel), value) {
                (Reducer::Append, Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
                (_, _, value) => {
                    state.0.insert(channel, value);
                }
            }
        }
    }
}
