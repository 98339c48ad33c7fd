//! The far side of a tool call: one keep-alive POST to the role that answers it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
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
    /// How long a connection may stay unused, in seconds: less than the node at its other end allows.
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
    pub async fn post<T: Tool>(&self, context: &Context, request: &T) -> Result<T::Reply, Failure> {
        let address = self.address(T::ROLE);
        let left = context.left();
        let exchange = self.exchange(&address, context, left, request);
        let what = || format!("{}/{} at {address}", T::ROLE, T::NAME);
        match tokio::time::timeout(left, exchange).await {
            Ok(reply) => reply.map_err(|failure| failure.during(what())),
            Err(_) => {
                let error = Error::new(Code::Deadline, format!("{}: no answer within the deadline", what()));
                Err(Failure::Answered(error))
            }
        }
    }

    async fn exchange<T: Tool>(
        &self,
        address: &str,
        context: &Context,
        left: Duration,
        request: &T,
    ) -> Result<T::Reply, Failure> {
        let mut post = Request::post(format!("{address}/{}/{}", T::ROLE, T::NAME))
            .header(CONTENT_TYPE, "application/json")
            .header(DEADLINE_HEADER, left.as_millis().to_string())
            .header(REQUEST_ID_HEADER, &context.request_id);
        if let Some(token) = self.tokens.to_send() {
            post = post.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = Full::from(serde_json::to_vec(request).map_err(Error::from)?);
        let post = post.body(body).map_err(|error| Error::invalid(format!("address {address}: {error}")))?;
        let response = self.http.request(post).await;
        let response = response.map_err(|error| Failure::Silent(Error::unavailable(root_cause(&error))))?;
        Ok(self.reply::<T>(response).await?)
    }

    /// What the peer said.
    async fn reply<T: Tool>(&self, response: Response<Incoming>) -> Result<T::Reply> {
        let (status, limit) = (response.status(), self.settings.reply_bytes_max);
        let body = Limited::new(response.into_body(), limit).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => {
                let message = format!("the reply is larger than peers.reply_bytes_max = {limit} bytes");
                Error::new(Code::TooLarge, message)
            }
            None => Error::unavailable(format!("the reply did not arrive whole: {error}")),
        })?;
        let body = body.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| Error::internal(format!("reply not understood: {error}")));
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
            Error::new(Code::of_http(status.as_u16()), format!("answered with status {status}, and not as emm does"))
        }))
    }
}

/// Why a POST came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// Nothing answered: the same request may be sent again.
    Silent(Error),
    /// The peer answered with this, or may still be working: it is not asked again.
    Answered(Error),
}

impl Failure {
    /// The error, whoever made it.
    pub fn error(self) -> Error {
        match self {
            Failure::Silent(error) | Failure::Answered(error) => error,
        }
    }

    /// Says which peer it was where the error itself does not.
    fn during(self, what: String) -> Failure {
        match self {
            Failure::Silent(error) => Failure::Silent(error.during(what)),
            Failure::Answered(error) if error.code == Code::Unavailable => Failure::Answered(error.during(what)),
            answered => answered,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Answered(error)
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
