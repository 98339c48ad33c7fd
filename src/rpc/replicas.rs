//! The addresses of a peer, and connections to them that new replicas get a share of.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task,
    time::Duration,
    vec,
};

use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::{TokioExecutor, TokioTimer},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tower_service::Service;

use super::circuit::Circuit;

/// One address, or those of all replicas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Addresses {
    /// One; its name may resolve to several.
    One(String),
    /// A fixed list.
    Many(Vec<String>),
}

impl Addresses {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Addresses::One(address) => std::slice::from_ref(address),
            Addresses::Many(addresses) => addresses,
        }
    }
}

/// The addresses of one role, each with its circuit; calls take turns.
#[derive(Debug)]
pub struct Replicas {
    circuits: Vec<Arc<Circuit>>,
    turn: AtomicUsize,
}

impl Replicas {
    /// These addresses.
    pub fn new(circuits: Vec<Arc<Circuit>>) -> Self {
        Self { circuits, turn: AtomicUsize::new(0) }
    }

    /// Every address, in the order in which this call is to try them.
    pub fn in_turn(&self) -> impl Iterator<Item = &Arc<Circuit>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.circuits.len().max(1);
        let (before, after) = self.circuits.split_at(first);
        after.iter().chain(before)
    }

    /// Every address.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.circuits.iter().map(|circuit| circuit.address())
    }
}

/// A client whose connections become so old at most.
pub type Http = Client<HttpConnector<Turning>, Full<Bytes>>;

/// How connections are made and kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long making one may take.
    pub connect: Duration,
    /// How long one may stay unused.
    pub idle: Duration,
    /// How old one may become.
    pub age: Duration,
}

/// The connections to all peers. Those of one generation are left together: what is under way on them ends, what is idle
/// closes, and the names of the peers are looked up again.
#[derive(Debug)]
pub struct Connections {
    limits: Limits,
    current: Mutex<(Instant, Http)>,
}

impl Connections {
    /// No connection yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, current: Mutex::new((Instant::now(), http(&limits))) }
    }

    /// The client to make the next call with.
    pub fn http(&self) -> Http {
        let mut current = self.current.lock();
        if current.0.elapsed() >= self.limits.age {
            *current = (Instant::now(), http(&self.limits));
        }
        current.1.clone()
    }
}

fn http(limits: &Limits) -> Http {
    let mut connector = HttpConnector::new_with_resolver(Turning::default());
    // Without it small requests wait for a delayed acknowledgement.
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(limits.connect));
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(limits.idle).build(connector)
}

/// The resolver of the system, beginning with another address each time: connections would all go to the first one.
#[derive(Debug, Clone)]
pub struct Turning {
    system: GaiResolver,
    turn: Arc<AtomicUsize>,
}

impl Default for Turning {
    fn default() -> Self {
        Self { system: GaiResolver::new(), turn: Arc::default() }
    }
}

impl Service<Name> for Turning {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, std::io::Result<Self::Response>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.system.call(name).map_ok(move |found| turned(found, turn)).boxed()
    }
}

/// The same addresses, beginning with another one each turn.
pub fn turned(found: impl Iterator<Item = SocketAddr>, turn: usize) -> vec::IntoIter<SocketAddr> {
    let mut all: Vec<_> = found.collect();
    let first = turn % all.len().max(1);
    all.rotate_left(first);
    all.into_iter()
}
