//! The tools for one command: those of the node that runs on the home, or of roles hosted for this command alone.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{screen::Screen, setup::Setup};
use crate::{
    backends::{
        Clock,
        home::{Home, HomeError, Lock, Running, Spot},
        parsers::own_program,
    },
    config::Config,
    contracts::{
        file_system::{ListInbox, Listing, Overview},
        file_system_agent::ListReviews,
        jd_classifier::GetStructure,
    },
    node::{Node, Start},
    rpc::{Code, Error, Result, Role, Tools, peers::Peers, replicas::Addresses, token::Tokens},
};

/// How long a command waits for another one that holds the home.
const BUSY_WAIT: Duration = Duration::from_secs(20);
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// What a command calls its tools with; to be closed.
pub(super) struct Session {
    pub(super) tools: Tools,
    hosted: Option<Hosted>,
    /// The process that runs on the home, where it is not this one.
    beside: Option<u32>,
    /// Whether it was found well after a call of it had failed.
    retried: bool,
}

/// Roles in this very process.
struct Hosted {
    node: Node,
    limit: Duration,
    // Given back last: the home is ours until the node is gone.
    _lock: Option<Lock>,
}

impl Session {
    /// The node that was named or that runs on the home; else `roles`, hosted here.
    pub(super) async fn open(setup: &Setup, screen: &Screen, roles: &[Role]) -> Result<Session> {
        if let Some(url) = &setup.global.node {
            return Ok(Session { tools: remote(setup, url, &Role::ALL)?, hosted: None, beside: None, retried: false });
        }
        setup.check()?;
        match hold(&setup.home, screen).await? {
            Held::By(running) => {
                let tools = beside(setup, &running)?;
                Ok(Session { tools, hosted: None, beside: Some(running.pid), retried: false })
            }
            Held::Ours(lock) => Session::host(setup.home.clone(), quiet(&setup.config), roles, Some(lock), false).await,
        }
    }

    /// Roles hosted here, over a home that is held; with `read_only` they only look at vault and store.
    pub(super) async fn host(
        home: Home,
        config: Config,
        roles: &[Role],
        lock: Option<Lock>,
        read_only: bool,
    ) -> Result<Session> {
        let limit = Duration::from_millis(config.node.drain_limit_ms);
        let program = own_program().map_err(Error::unavailable)?;
        let (roles, clock, listener) = (roles.to_vec(), Clock::System, None);
        let start = Start { roles, config, home, clock, listener, program, read_only };
        let node = Node::start(start).await?;
        let (tools, hosted) = (node.tools.clone(), Some(Hosted { node, limit, _lock: lock }));
        Ok(Session { tools, hosted, beside: None, retried: false })
    }

    /// Another session, if a call failed because the node beside this command starts, leaves or has gone; else the error. One
    /// that is well and fails once more cannot do it.
    pub(super) async fn again(
        mut self,
        setup: &Setup,
        screen: &Screen,
        roles: &[Role],
        error: Error,
    ) -> Result<Session> {
        let beside = self.beside.filter(|_| error.code == Code::Unavailable && !self.retried);
        let Some(pid) = beside else {
            self.close().await;
            return Err(error);
        };
        let began = Instant::now();
        // Who was killed holds its lock until the system has taken it apart.
        while let Some(running) = setup.home.running().filter(|running| running.pid == pid) {
            if self.answers(&running).await {
                self.retried = true;
                return Ok(self);
            }
            if began.elapsed() > BUSY_WAIT {
                return Err(error);
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        screen.remark(format_args!("the node that ran on this home has gone: going on without it"));
        Session::open(setup, screen, roles).await
    }

    /// Whether the node that runs on the home answers for the roles that it hosts.
    async fn answers(&self, running: &Running) -> bool {
        let (limit, hosts) = (Duration::from_secs(2), |role: Role| hosts(running, role));
        (!hosts(Role::FileSystem) || self.tools.call_within(Overview {}, limit).await.is_ok())
            && (!hosts(Role::FileSystemAgent) || self.tools.call_within(ListReviews {}, limit).await.is_ok())
            && (!hosts(Role::JdClassifier) || self.tools.call_within(GetStructure::default(), limit).await.is_ok())
    }

    /// Whether the roles are in this process.
    pub(super) fn is_hosted(&self) -> bool {
        self.hosted.is_some()
    }

    /// The inbox of the node: it may have been started with another one than this command.
    pub(super) async fn inbox(&self, setup: &Setup) -> Result<Spot> {
        match (&self.hosted, &setup.home.inbox) {
            (None, Spot::Folder(_)) => Ok(Spot::Folder(self.tools.call(Overview {}).await?.inbox.into())),
            // A bucket is what the settings say, for every node of it.
            (_, spot) => Ok(spot.clone()),
        }
    }

    /// Waits until the vault was read: only then is known what its owner filed there.
    pub(super) async fn caught_up(&self, screen: &Screen) -> Result<()> {
        let busy = screen.busy("reading the vault");
        let mut after = None;
        loop {
            // Settled, for only a look at the inbox as a whole may take note of what left it.
            let request = ListInbox { after, wait_ms: 1000, settled: true, places: Vec::new() };
            let Listing { labels, generation, .. } = self.tools.call(request).await?;
            if labels.is_some() {
                busy.finish_and_clear();
                return Ok(());
            }
            after = Some(generation);
        }
    }

    /// Lets work under way end.
    pub(super) async fn close(self) {
        if let Some(Hosted { node, limit, .. }) = self.hosted {
            node.drain(Duration::ZERO, limit).await;
        }
    }
}

/// A configuration for one command: the agent does nothing by itself.
pub(super) fn quiet(config: &Config) -> Config {
    let mut config = config.clone();
    config.file_system_agent.sweeps = false;
    config.node.drain_delay_ms = 0;
    config
}

/// Who has a home.
pub(super) enum Held {
    /// This node.
    By(Running),
    /// This process.
    Ours(Lock),
}

/// Takes the home, or finds the node that runs on it. Waits for commands that hold it for a moment.
pub(super) async fn hold(home: &Home, screen: &Screen) -> Result<Held> {
    let began = Instant::now();
    let mut busy = None;
    loop {
        // One that was killed holds its lock for a moment more.
        if let Some(running) = home.running()
            && (lives(&running).await || began.elapsed() > BUSY_WAIT)
        {
            return Ok(Held::By(running));
        }
        match home.lock() {
            Ok(lock) => return Ok(Held::Ours(lock)),
            Err(HomeError::InUse { .. } | HomeError::Busy { .. }) if began.elapsed() < BUSY_WAIT => {}
            Err(error) => return Err(error.into()),
        }
        if busy.is_none() && began.elapsed() > BUSY_PAUSE * 4 {
            busy = Some(screen.busy("waiting for another emm command on this home"));
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

/// The roles of the node that runs on the home; the others are where that node has them, by `[peers]`.
fn beside(setup: &Setup, running: &Running) -> Result<Tools> {
    let hosted: Vec<Role> = Role::ALL.into_iter().filter(|role| hosts(running, *role)).collect();
    remote(setup, &running.address, &hosted)
}

/// Whether the process answers: connections are made for one that was killed too, until the system has taken it apart.
async fn lives(running: &Running) -> bool {
    let address = running.address.trim_start_matches("http://");
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        let ask = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await?;
        stream.read_u8().await
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), answer).await, Ok(Ok(_)))
}

fn hosts(running: &Running, role: Role) -> bool {
    running.roles.is_empty() || running.roles.iter().any(|name| name == role.as_str())
}

/// These roles at one address.
fn remote(setup: &Setup, url: &str, roles: &[Role]) -> Result<Tools> {
    let url = url.trim_end_matches('/');
    if !url.starts_with("http://") {
        return Err(Error::invalid(format!("--node {url}: write it as http://address:port")));
    }
    let mut peers = setup.config.peers.clone();
    peers.addresses.extend(roles.iter().map(|role| (*role, Addresses::One(url.to_owned()))));
    let node = &setup.config.node;
    let token = match (node.token.is_empty(), setup.home.path.join("token").is_file()) {
        (false, _) => node.token.text().to_owned(),
        (true, true) => setup.home.token()?,
        (true, false) => String::new(),
    };
    Ok(Tools::new(Peers::new(peers, Tokens::new([token]))))
}

/// Whether a node answers there, with our token; without `--node` it is the one that runs on the home.
pub(super) async fn remote_ready(setup: &Setup, url: &str) -> Result<()> {
    let limit = Duration::from_secs(5);
    let tools = match setup.home.running().filter(|_| setup.global.node.is_none()) {
        Some(running) => beside(setup, &running)?,
        None => remote(setup, url, &Role::ALL)?,
    };
    tools.call_within(GetStructure::default(), limit).await.map(drop)
}
