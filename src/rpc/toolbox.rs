//! The tools that this process answers. The direct call, the HTTP route, the MCP tool and the OpenAPI operation read it.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    future::ready,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;
use tokio::{sync::Semaphore, time::timeout_at};
use tracing::Instrument;

use super::{Answer, Code, Context, Effect, Error, Result, Role, Tool};
use crate::life::Tasks;

/// The in-process face of a tool.
pub type Typed<T> = Box<dyn Fn(T) -> BoxFuture<'static, Result<<T as Tool>::Reply>> + Send + Sync>;
/// The face that every wire shares: JSON in, JSON out.
pub type Json = Box<dyn Fn(&[u8]) -> BoxFuture<'static, Result<Vec<u8>>> + Send + Sync>;

/// One tool as a wire sees it.
pub struct Entry {
    /// Who answers.
    pub role: Role,
    /// Its name within the role.
    pub name: &'static str,
    /// What it does to the world.
    pub effect: Effect,
    /// How long a call may take, unless its caller says less.
    pub deadline: Duration,
    /// The schema of the request; each reading chooses components or inlining by the generator it brings.
    pub request: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of the reply.
    pub reply: fn(&mut SchemaGenerator) -> Schema,
    /// Answers a JSON request.
    pub json: Json,
    typed: Box<dyn Any + Send + Sync>,
}

impl Entry {
    /// What the tool does: the doc comment of its request type.
    pub fn description(&self) -> String {
        let schema = (self.request)(&mut schemars::generate::SchemaSettings::draft2020_12().into_generator());
        let text = |schema: &Schema| schema.get("description").and_then(Value::as_str).map(str::to_owned);
        // A named type comes as a reference, beside which schemars keeps no description: generate it inlined.
        text(&schema)
            .or_else(|| {
                let inline = schemars::generate::SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
                text(&(self.request)(&mut inline.into_generator()))
            })
            .unwrap_or_default()
    }
}

/// What a box gives each of its tools: where detached work runs, and how many calls may be under way.
#[derive(Clone)]
pub struct Limits {
    /// Calls of one tool under way at once; further ones wait, at most until their deadline.
    pub calls_in_flight_max: usize,
    /// Where tools that `Finishes` run, so that a drain can wait for them.
    pub tasks: Tasks,
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls_in_flight_max: 64, tasks: Tasks::default() }
    }
}

/// The tools of one process.
#[derive(Default)]
pub struct Toolbox {
    entries: HashMap<TypeId, Entry>,
    limits: Limits,
}

impl Toolbox {
    /// An empty box whose tools live within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self { entries: HashMap::new(), limits }
    }

    /// The box with `T`, answered by `service`.
    #[must_use]
    pub fn with<T: Tool, S: Answer<T>>(mut self, service: &Arc<S>) -> Self {
        let calls = Arc::new(Semaphore::new(self.limits.calls_in_flight_max.max(1)));
        let typed = || -> Typed<T> {
            let (service, calls, tasks) = (service.clone(), calls.clone(), self.limits.tasks.clone());
            Box::new(move |request| invoke(service.clone(), calls.clone(), tasks.clone(), request).boxed())
        };
        let answer = typed();
        let json: Json = Box::new(move |request| match serde_json::from_slice::<T>(request) {
            Ok(request) => answer(request).map(|reply| Ok(serde_json::to_vec(&reply?)?)).boxed(),
            Err(error) => ready(Err(Error::invalid(format!("{}/{}: {error}", T::ROLE, T::NAME)))).boxed(),
        });
        let entry = Entry {
            role: T::ROLE,
            name: T::NAME,
            effect: T::EFFECT,
            deadline: Duration::from_millis(T::DEADLINE_MS),
            request: SchemaGenerator::subschema_for::<T>,
            reply: SchemaGenerator::subschema_for::<T::Reply>,
            json,
            typed: Box::new(typed()),
        };
        let before = self.entries.insert(TypeId::of::<T>(), entry);
        debug_assert!(before.is_none(), "{}/{} is registered twice", T::ROLE, T::NAME);
        self
    }

    /// The box with everything of `other` in it as well.
    #[must_use]
    pub fn and(mut self, other: Toolbox) -> Self {
        self.entries.extend(other.entries);
        self
    }

    /// Every tool, sorted by role and name.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_by_key(|entry| (entry.role, entry.name));
        entries
    }

    /// The in-process face of `T`, if this process answers it.
    pub fn typed<T: Tool>(&self) -> Option<&Typed<T>> {
        self.entries.get(&TypeId::of::<T>()).and_then(|entry| entry.typed.downcast_ref())
    }

    /// The tool of this name.
    pub fn find(&self, role: &str, name: &str) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.role.as_str() == role && entry.name == name)
    }

    /// The tool of this name, if just one role here has it.
    pub fn find_alone(&self, name: &str) -> Option<&Entry> {
        let mut roles: Vec<_> = self.entries.values().map(|entry| entry.role).collect();
        roles.sort();
        roles.dedup();
        match roles.as_slice() {
            [only] => self.find(only.as_str(), name),
            _ => None,
        }
    }
}

/// The span of a call.
const SPAN: &str = "call";

/// One call of one tool, the same however it came: a place among those in flight, a deadline, a caught panic, metrics.
async fn invoke<T: Tool, S: Answer<T>>(
    service: Arc<S>,
    calls: Arc<Semaphore>,
    tasks: Tasks,
    request: T,
) -> Result<T::Reply> {
    let context = Context::within(Duration::from_millis(T::DEADLINE_MS));
    let started = Instant::now();
    // At the level of what a node normally logs: whatever it says then says for which request. What that leads to within the
    // node lies in the same span, so it needs one of its own only for who looks closer.
    let span = if tracing::Span::current().metadata().is_some_and(|outer| outer.name() == SPAN) {
        tracing::debug_span!(SPAN, role = %T::ROLE, tool = T::NAME)
    } else {
        tracing::info_span!(SPAN, role = %T::ROLE, tool = T::NAME, request = %context.request(), trace = %context.trace)
    };
    let reply = placed(service, calls, tasks, request, context).instrument(span).await;
    let code = reply.as_ref().err().map_or("ok", |error| error.code.as_str());
    metrics::counter!("emm_tool_calls_total", "role" => T::ROLE.as_str(), "tool" => T::NAME, "code" => code)
        .increment(1);
    metrics::histogram!("emm_tool_seconds", "role" => T::ROLE.as_str(), "tool" => T::NAME)
        .record(started.elapsed().as_secs_f64());
    reply
}

/// Waits for a place and for the answer, both until the deadline.
async fn placed<T: Tool, S: Answer<T>>(
    service: Arc<S>,
    calls: Arc<Semaphore>,
    tasks: Tasks,
    request: T,
    context: Context,
) -> Result<T::Reply> {
    let deadline = context.deadline;
    let late = |what: &str| Error::new(Code::Deadline, format!("{}/{}: {what}", T::ROLE, T::NAME));
    let place = match calls.clone().try_acquire_owned() {
        Ok(place) => place,
        Err(_) => match timeout_at(deadline, calls.acquire_owned()).await {
            Ok(place) => place.map_err(|_| Error::unavailable("this node is leaving"))?,
            Err(_) => return Err(late("too many calls are under way; try again later")),
        },
    };
    let answer = async move {
        let _place = place;
        // A panic is one failed call, in process exactly as over HTTP.
        let answer = AssertUnwindSafe(async { service.answer(request).await }).catch_unwind();
        answer.await.unwrap_or_else(|_| Err(panicked::<T>()))
    };
    match T::EFFECT {
        Effect::Finishes => {
            // Only the waiting has the caller's deadline: the work and its nested calls go on without it.
            let work = context.outliving().scope(answer.in_current_span());
            let reply = timeout_at(deadline, tasks.spawn(work)).await;
            let reply = reply.map_err(|_| late("not done within the deadline; it goes on without you"))?;
            let ended = || Error::unavailable("the node left before this was done; its next start finishes it");
            reply.unwrap_or_else(|_| Some(Err(panicked::<T>()))).unwrap_or_else(|| Err(ended()))
        }
        Effect::Reads | Effect::Changes => timeout_at(deadline, context.scope(answer))
            .await
            .unwrap_or_else(|_| Err(late("no answer within the deadline"))),
    }
}

fn panicked<T: Tool>() -> Error {
    Error::internal(format!("{}/{} panicked; the log of its node has the place", T::ROLE, T::NAME))
}
