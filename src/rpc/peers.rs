//! The far side of a tool call: one keep-alive POST to the role that answers it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde::{Deserialize, Serialize};

use super::{
    Code, Context, Error, Result, Role, Tool,
    http::{DEADLINE_HEADER, REQUEST_ID_HEADER},
    token::Tokens,
};

/// Where other roles are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of a role that is not in this process; `{role}` stands for its name.
    pub pattern: String,
    /// Addresses of single roles, where the pattern does not fit.
    pub addresses: BTreeMap<Role, String>,
    /// The largest reply that is accepted, in bytes.
    pub reply_bytes_max: usize,
    /// How long a connection may stay unused, in seconds.
    pub idle_seconds: u64,
}

/// The client that all calls to other processes share.
#[derive(Clone)]
pub struct Peers {
    settings: Arc<Settings>,
    tokens: Tokens,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Peers {
    /// A client for these addresses, with the token that it sends.
    pub fn new(settings: Settings, tokens: Tokens) -> Self {
        let mut connector = HttpConnector::new();
        // Without it small requests wait for a delayed acknowledgement.
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(settings.idle_seconds))
            .build(connector);
        Self { settings: Arc::new(settings), tokens, http }
    }

    /// The base address of `role`.
    pub fn address(&self, role: Role) -> String {
        let pattern = self.settings.addresses.get(&role).unwrap_or(&self.settings.pattern);
        pattern.replace("{role}", role.as_str()).trim_end_matches('/').to_owned()
    }

    /// One POST of `request`, within the deadline of `context`.
    pub async fn post<T: Tool>(&self, context: &Context, request: &T) -> Result<T::Reply> {
        let address = self.address(T::ROLE);
        let what = || format!("{}/{} at {address}", T::ROLE, T::NAME);
        let left = context.left();
        let exchange = self.exchange(&address, context, left, request);
        match tokio::time::timeout(left, exchange).await {
            Ok(reply) => {
                reply.map_err(|error| if error.code == Code::Unavailable { error.during(what()) } else { error })
            }
            Err(_) => Err(Error::new(Code::Deadline, format!("{}: no answer within the deadline", what()))),
        }
    }

    async fn exchange<T: Tool>(
        &self,
        address: &str,
        context: &Context,
        left: Duration,
        request: &T,
    ) -> Result<T::Reply> {
        let mut post = Request::post(format!("{address}/{}/{}", T::ROLE, T::NAME))
            .header(CONTENT_TYPE, "application/json")
            .header(DEADLINE_HEADER, left.as_millis().to_string())
            .header(REQUEST_ID_HEADER, &context.request_id);
        if let Some(token) = self.tokens.to_send() {
            post = post.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = Full::from(serde_json::to_vec(request)?);
        let post = post.body(body).map_err(|error| Error::invalid(format!("address {address}: {error}")))?;
        let response = self.http.request(post).await.map_err(|error| Error::unavailable(root_cause(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), self.settings.reply_bytes_max).collect().await;
        let body = body.map_err(|error| Error::unavailable(format!("reply: {error}")))?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| Error::internal(format!("reply not understood: {error}")));
        }
        Err(serde_json::from_slice(&body)
            .unwrap_or_else(|_| Error::unavailable(format!("answered with status {status}"))))
    }
}

/// The innermost reason: "connection refused" says more than "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
