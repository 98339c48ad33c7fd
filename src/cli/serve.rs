//! `emm --role`: a node that runs until it is told to leave.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    Exit,
    screen::Screen,
    session::{Held, hold},
    setup::{Setup, quoted},
};
use crate::{
    backends::{Clock, home::Running, parsers::own_program},
    node::{Node, Start},
    rpc::{Error, Result, Role},
};

/// Makes the home, starts the roles, and returns when the node has left.
pub(super) async fn run(setup: Setup, screen: &Screen, roles: Vec<Role>) -> Result<Exit> {
    if setup.global.dry_run {
        screen.line(format_args!("would start {} with", names(&roles)));
        screen.text(paths(&setup));
        return Ok(Exit::Done);
    }
    let mut signals = Signals::new()?;
    setup.make(screen)?;
    let mut lock = match hold(&setup.home, screen).await? {
        Held::Ours(lock) => lock,
        Held::By(Running { address, .. }) => {
            let home = setup.home.path.display();
            return Err(Error::conflict(format!(
                "a node runs on {home} already, at {address}: stop it, or use another --home"
            )));
        }
    };
    let listener = listen(&setup.config.node.listen).await?;
    let (delay, limit) = (setup.config.node.drain_delay_ms, setup.config.node.drain_limit_ms);
    let start = Start {
        roles: roles.clone(),
        config: setup.config.clone(),
        home: setup.home.clone(),
        clock: Clock::System,
        listener: Some(listener),
        program: own_program().map_err(Error::unavailable)?,
        read_only: false,
    };
    let node = tokio::select! {
        node = Node::start(start) => node?,
        () = signals.next() => {
            screen.remark("leaving before the node had started; the next start goes on from here");
            return Ok(Exit::Done);
        }
    };
    let address = node.address.map(base_address).unwrap_or_default();
    lock.announce(&address, roles.iter().map(|role| role.as_str().to_owned()).collect())?;
    welcome(&setup, screen, &roles, &address)?;

    let failed = tokio::select! {
        () = node.failed() => true,
        () = signals.next() => false,
    };
    if failed {
        screen.failure(&Error::unavailable("no role can run any more; the log above says why"));
    } else {
        screen.remark("leaving: work under way is finished first; once more to leave at once");
    }
    let drained = tokio::select! {
        drained = node.drain(Duration::from_millis(delay), Duration::from_millis(limit)) => drained,
        () = signals.next() => false,
    };
    Ok(if failed || !drained { Exit::Error } else { Exit::Done })
}

/// What tells a node to leave.
struct Signals(Signal, Signal);

impl Signals {
    fn new() -> Result<Signals> {
        let catch = |kind| signal(kind).map_err(Error::internal);
        Ok(Signals(catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::unavailable(format!(
            "{address} is taken by another program: give another address, such as --listen 127.0.0.1:0"
        )),
        _ => Error::invalid(format!(
            "cannot listen on {address:?}, for: {error}; give an address of this machine and a port, such as --listen 127.0.0.1:8080"
        )),
    })
}

/// Where other processes of this machine reach the node.
fn base_address(address: SocketAddr) -> String {
    let mut reached = address;
    if address.ip().is_unspecified() {
        reached.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() });
    }
    format!("http://{reached}")
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}

fn paths(setup: &Setup) -> String {
    let home = &setup.home;
    let (path, jd) = (home.path.display().to_string(), home.jd.display().to_string());
    let rows =
        [("home", path), ("vault", home.vault.to_string()), ("inbox", home.inbox.to_string()), ("structure", jd)];
    rows.iter().map(|(name, place)| format!("  {name:<10} {place}\n")).collect()
}

fn welcome(setup: &Setup, screen: &Screen, roles: &[Role], address: &str) -> Result<()> {
    let home = &setup.home;
    if screen.json {
        let roles = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>();
        let (vault, inbox) = (home.vault.to_string(), home.inbox.to_string());
        return screen.reply(&json!({
            "home": home.path, "vault": vault, "inbox": inbox, "jd": home.jd, "address": address, "roles": roles,
        }));
    }
    screen.line(format_args!("emm {} is running: {}", env!("CARGO_PKG_VERSION"), names(roles)));
    screen.text(paths(setup));
    screen.line(format_args!("  {:<10} {address}\n", "address"));
    let (again, settle) = (setup.again(), setup.config.inbox.settle_seconds);
    screen.line("Try next, in another terminal:");
    screen.line(format_args!("  {again} demo       puts 30 sample documents into the inbox"));
    match home.inbox.folder() {
        Some(inbox) => {
            screen.line(format_args!("  cp FILE {}/   is filed once it lies still for {settle} s", quoted(inbox)));
        }
        None => screen.line(format_args!("  {again} file FILE  puts it into the bucket and files it")),
    }
    screen.line(format_args!("  {again} review     asks you about what emm is not sure of"));
    screen.line("Ctrl-C stops it.");
    Ok(())
}
