//! The accept loop: our own, so that a drain has a limit and every connection has its bounds.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1::{Builder, Connection};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tracing::{debug, warn};

use crate::{
    config,
    life::{Shutdown, Tasks},
};

/// The bounds of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    connections_max: usize,
    header: Duration,
    age: Duration,
}

impl From<&config::Node> for Limits {
    fn from(node: &config::Node) -> Self {
        Self {
            connections_max: node.connections_max,
            header: Duration::from_secs(node.header_seconds_max.max(1)),
            age: Duration::from_secs(node.connection_seconds_max.max(1)),
        }
    }
}

/// Serves until shutdown, then lets every connection finish what it is answering.
pub(super) async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: Shutdown, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(limits.connections_max.max(1)));
    // HTTP/1.1 alone: its time-out for the head is also the limit of a connection that says nothing or rests.
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header);
    while let Some((stream, place)) = stop.run_until_cancelled(accept(&listener, places.clone())).await {
        let service = TowerToHyperService::new(routes.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let stop = stop.clone();
        tasks.spawn(async move {
            let _place = place;
            if let Err(error) = until(connection, limits.age, stop).await {
                debug!("connection ended: {error}");
            }
        });
    }
}

/// What one connection is served with.
type Served = Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

/// Runs a connection to its end. From `age` on, and from the shutdown on, it answers what it is answering and closes: a
/// connection that were kept for ever would stay with one node of several, and new ones would get no calls.
async fn until(connection: Served, age: Duration, stop: Shutdown) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        _ = stop.run_until_cancelled(sleep(age)) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// The next connection, and its place among those that are open.
async fn accept(
    listener: &TcpListener,
    places: Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    let place = places.acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it a small reply waits some 40 ms for the delayed acknowledgement of its head.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(error) => {
                // Mostly no file descriptors left: those that end give some back.
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
