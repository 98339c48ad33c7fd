//! One process: the selected roles, one listener, one lifecycle.

mod admin;
mod serve;
pub mod supervise;
pub mod telemetry;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::Uri;
use tokio::{net::TcpListener, time};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::{
    backends::{Clock, home::Home},
    config::Config,
    life::{Health, Latch, Ready, Shutdown, Tasks},
    roles::{self, Close, Kept, Loop, Parts},
    rpc::{
        Error, Result, Role, Toolbox, Tools,
        http::{self, Face},
        peers::Peers,
        token::Tokens,
        toolbox::Limits,
    },
};

/// How long a role may take to close what it holds.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// How a node is started.
pub struct Start {
    /// The roles that it hosts.
    pub roles: Vec<Role>,
    /// The configuration.
    pub config: Config,
    /// The home.
    pub home: Home,
    /// The clock.
    pub clock: Clock,
    /// Where it listens; nothing hosts the roles for this process alone.
    pub listener: Option<TcpListener>,
    /// The program whose parser children read documents; normally `parsers::own_program()`.
    pub program: PathBuf,
    /// Whether vault and store are only looked at: for a dry run over the vault of another home.
    pub read_only: bool,
}

/// A running node.
pub struct Node {
    /// Where it listens.
    pub address: Option<SocketAddr>,
    /// The tools of every role.
    pub tools: Tools,
    /// What it still waits for.
    pub ready: Ready,
    /// How its backends and roles are.
    pub health: Health,
    stop: Shutdown,
    failed: Shutdown,
    tasks: Tasks,
    close: Vec<Close>,
}

impl Node {
    /// Starts the roles. It is served at once: until the roles are built, tools answer that the node is starting. Returns
    /// once every tool can be called; `ready` tells when all is caught up. Who stops waiting for it ends what was begun.
    pub async fn start(start: Start) -> Result<Node> {
        let (ready, health, stop, tasks) = (Ready::default(), Health::default(), Shutdown::new(), Tasks::default());
        let begun = tasks.guard();
        let Start { roles, config, home, clock, listener, program, read_only } = start;
        let address = listener.as_ref().map(TcpListener::local_addr).transpose().map_err(Error::internal)?;
        let tokens = tokens(&config, &home, address)?;

        let config = Arc::new(config);
        let limits = Limits { calls_in_flight_max: config.node.calls_in_flight_max, tasks: tasks.clone() };
        let peers = Peers::new(config.peers.clone(), tokens.clone());
        let hosts = hosts(&config.node.hosts, &roles, &peers);
        let tools = Tools::new(peers);
        let kept = Kept::new(home, clock, program);
        let parts = Parts { config, kept, tools, limits, ready, health, stop, read_only };

        let _starting = parts.ready.hold("starting");
        let pending: Vec<_> = roles.iter().map(|role| (*role, parts.ready.hold(role.as_str()))).collect();
        if let Some(listener) = listener {
            let body_bytes_max = parts.config.node.body_bytes_max;
            let face = Arc::new(Face { tools: parts.tools.clone(), tokens, hosts, body_bytes_max });
            let admin = admin::routes(face.clone(), parts.ready.clone(), parts.health.clone());
            let routes = http::guarded(http::routes(face.clone()).merge(admin), face);
            let limits = serve::Limits::from(&parts.config.node);
            tasks.spawn(serve::serve(listener, routes, limits, parts.stop.clone(), tasks.clone()));
        }
        tasks.spawn(telemetry::upkeep(parts.stop.clone()));

        // Also where no role of it is here: what it calls must be of the same store.
        let (_, store) = parts.kept.store(&parts.config).await?;
        parts.tools.belong_to(store);
        let Assembled { toolbox, loops, close } = assemble(pending, &parts).await?;
        parts.tools.host(Arc::new(toolbox));
        let failed = supervise::spawn(loops, &parts.health, &parts.stop, &tasks);
        info!(roles = ?roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(), ?address, "started");
        let Parts { tools, ready, health, stop, .. } = parts;
        begun.disarm();
        Ok(Node { address, tools, ready, health, stop, failed, tasks, close })
    }

    /// Ends when none of the roles can run any more.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Fails readiness, keeps serving for `delay`, then takes nothing new and waits at most `limit` for calls and loops
    /// to finish what they are at; what is left then is ended by force. Nothing of the node runs afterwards, but for
    /// single system calls on threads of their own. Says whether all work ended by itself.
    pub async fn drain(self, delay: Duration, limit: Duration) -> bool {
        let _draining = self.ready.hold("draining");
        time::sleep(delay).await;
        self.stop.cancel();
        let drained = self.tasks.end(limit).await;
        if !drained {
            warn!(?limit, "some work did not finish in time; what it left is finished at the next start");
        }
        for close in self.close {
            if time::timeout(CLOSE_MAX, close).await.is_err() {
                warn!("a role did not close what it holds within {CLOSE_MAX:?}");
            }
        }
        drained
    }
}

/// What the roles of a node are together.
#[derive(Default)]
struct Assembled {
    toolbox: Toolbox,
    loops: Vec<(Role, Vec<Loop>)>,
    close: Vec<Close>,
}

/// Builds the roles one after the other; each gives its latch back when it is built.
async fn assemble(roles: Vec<(Role, Latch)>, parts: &Parts) -> Result<Assembled> {
    let mut all = Assembled::default();
    for (role, _latch) in roles {
        let row = roles::row(role).ok_or_else(|| Error::internal(format!("role {role} has no row")))?;
        // On a task of its own, so that one that blocks does not keep whoever starts the node from leaving.
        let built = AbortOnDropHandle::new(tokio::spawn((row.build)(parts.clone()))).await;
        let built = built.map_err(Error::internal)?.map_err(|error| error.during(role))?;
        all.toolbox = all.toolbox.and(built.toolbox);
        all.loops.push((role, built.loops));
        all.close.extend(built.close);
    }
    Ok(all)
}

/// The names that a node answers to: those that are configured, and those that its peers call its roles by.
fn hosts(configured: &[String], roles: &[Role], peers: &Peers) -> BTreeSet<String> {
    let addresses =
        roles.iter().flat_map(|role| peers.addresses(*role)).filter_map(|address| address.parse::<Uri>().ok());
    let called = addresses.filter_map(|address| address.host().map(str::to_owned));
    configured.iter().cloned().chain(called).map(|host| host.to_ascii_lowercase()).collect()
}

/// The tokens of a node. Beyond loopback one must be configured: a token in a home is no secret between machines.
fn tokens(config: &Config, home: &Home, address: Option<SocketAddr>) -> Result<Tokens> {
    let node = &config.node;
    if !node.token.is_empty() {
        return Ok(Tokens::new([&node.token, &node.token_previous].map(|secret| secret.text().to_owned())));
    }
    let beyond_loopback = |ip: IpAddr| !ip.is_loopback();
    match address {
        Some(address) if beyond_loopback(address.ip()) => Err(Error::invalid(format!(
            "{address} can be reached from other machines: set EMM_NODE__TOKEN (or EMM_NODE__TOKEN_FILE), or listen on 127.0.0.1"
        ))),
        Some(_) => Ok(Tokens::new([home.token()?])),
        None => Ok(Tokens::default()),
    }
}
