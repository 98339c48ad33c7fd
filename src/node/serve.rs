//! The accept loop: our own, so that a drain has a limit and every connection has its bounds.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tracing::{debug, warn};

use crate::{config, life::Shutdown};

/// The bounds of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    connections_max: usize,
    header_seconds_max: u64,
}

impl From<&config::Node> for Limits {
    fn from(node: &config::Node) -> Self {
        Self { connections_max: node.connections_max, header_seconds_max: node.header_seconds_max }
    }
}

/// Serves until shutdown, then lets every connection finish what it is answering.
pub(super) async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: Shutdown) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections_max.max(1)));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(limits.header_seconds_max));
    builder.http2().timer(TokioTimer::new());
    loop {
        let next = stop.run_until_cancelled(accept(&listener, places.clone())).await;
        let Some((stream, place)) = next else { break };
        let service = TowerToHyperService::new(routes.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                debug!("connection ended: {error}");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
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
