//! HTTP to servers that are none of ours, with TLS where their address asks for it.

use std::{io, sync::Arc, time::Duration};

use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pooled, connect::HttpConnector as Tcp},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// How long a connection may stay unused.
const IDLE: Duration = Duration::from_secs(20);

/// A pool of connections.
pub(super) type Client<B> = Pooled<HttpsConnector<Tcp>, B>;

/// Trusts the certificates of the system, which are read only where TLS is spoken.
///
/// # Errors
/// When the system has no certificates.
pub(super) fn client<B>(tls: bool, connect_max: Duration) -> io::Result<Client<B>>
where
    B: Body<Data: Send> + Send,
{
    let provider = ring::default_provider();
    let builder = match tls {
        true => HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?,
        false => HttpsConnectorBuilder::new().with_tls_config(
            ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth(),
        ),
    };
    let mut tcp = Tcp::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_max));
    let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
    let pool = Pooled::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        // Whether a request was carried out is for the caller to find out, not for the pool to guess.
        .retry_canceled_requests(false)
        .build(connector);
    Ok(pool)
}
