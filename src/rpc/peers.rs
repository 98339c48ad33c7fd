//! The far side of a tool call: one keep-alive POST to the role that answers it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_util::client::legacy::connect::capture_connection;
use serde::{Deserialize, Serialize};

use super::{
    Code, Context, Error, Result, Role, Tool,
    circuit::{self, Circuit, Pass},
    http::{DEADLINE_HEADER, JSON, REQUEST_ID_HEADER, STARTING_HEADER, STORE_HEADER},
    replicas::{self, Addresses, Connections, Replicas},
    token::Tokens,
    trace,
};

/// Where other roles are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of a role that is not in this process; `{role}` stands for its name.
    pub pattern: String,
    /// Addresses of single roles, where the pattern does not fit: one, or a list of all replicas.
    pub addresses: BTreeMap<Role, Addresses>,
    /// The largest reply that is accepted, in bytes.
    pub reply_bytes_max: usize,
    /// How long a connection may stay unused, in seconds: less than the node at its other end allows.
    pub idle_seconds: u64,
    /// How old a connection may become, in seconds, so that new replicas get calls as well.
    pub connection_seconds_max: u64,
    /// How long making a connection may take, in milliseconds.
    pub connect_ms_max: u64,
    /// Calls in a row that nothing answered at an address, after which calls of it fail at once.
    pub circuit_failures: u32,
    /// How long they do, in milliseconds, until one call looks whether it answers again.
    pub circuit_retry_ms: u64,
}

/// The client that all calls to other processes share.
#[derive(Clone)]
pub struct Peers {
    replicas: Arc<BTreeMap<Role, Replicas>>,
    connections: Arc<Connections>,
    reply_bytes_max: usize,
    tokens: Tokens,
}

impl Peers {
    /// A client for these addresses, with the token that it sends.
    pub fn new(settings: Settings, tokens: Tokens) -> Self {
        let connections = Connections::new(replicas::Limits {
            connect: Duration::from_millis(settings.connect_ms_max.max(1)),
            idle: Duration::from_secs(settings.idle_seconds),
            age: Duration::from_secs(settings.connection_seconds_max),
        });
        let replicas = Arc::new(replicas(&settings));
        Self { replicas, connections: Arc::new(connections), reply_bytes_max: settings.reply_bytes_max, tokens }
    }

    /// The base addresses of `role`.
    pub fn addresses(&self, role: Role) -> impl Iterator<Item = &str> {
        self.replicas.get(&role).into_iter().flat_map(Replicas::addresses)
    }

    /// One POST of `request`, within the deadline of `context`, to the replica whose turn it is; to the next one where
    /// none could be connected to, or that is only starting. It is for nodes of this `store`, if there is one.
    pub async fn post<T: Tool>(
        &self,
        context: &Context,
        store: Option<&str>,
        request: &T,
    ) -> Result<T::Reply, Failure> {
        let body = Bytes::from(serde_json::to_vec(request).map_err(Error::from)?);
        let what = format!("{}/{}", T::ROLE, T::NAME);
        let replicas: Vec<_> = self.replicas.get(&T::ROLE).into_iter().flat_map(Replicas::in_turn).collect();
        let (mut silent, mut refused, mut left_alone) = (None, Vec::new(), Vec::new());
        let mut tries: VecDeque<_> = replicas.iter().map(|circuit| (*circuit, None)).collect();
        while let Some((circuit, pass)) = tries.pop_front() {
            match pass.map_or_else(|| circuit.enter(), Ok) {
                Ok(pass) => match self.post_to::<T>(circuit, pass, context, store, body.clone()).await {
                    Err(Failure::Starting(error)) => refused.push(format!("{}: {}", circuit.address(), error.message)),
                    Err(Failure::Unconnected(error)) => silent = Some(error.during(circuit.address()).during(&what)),
                    reply => {
                        return reply.map_err(|failure| failure.during(format!("{what} at {}", circuit.address())));
                    }
                },
                Err(message) => {
                    refused.push(message);
                    left_alone.push(circuit);
                }
            }
            if tries.is_empty() && replicas.len() > 1 {
                // Nobody else is there: one that was left alone may be back, and nobody has looked yet.
                tries.extend(left_alone.drain(..).map(|circuit| (circuit, Some(circuit.enter_anyway()))));
            }
        }
        Err(match silent {
            Some(error) => Failure::Silent(error),
            None if refused.is_empty() => {
                let message = format!("{what}: peers.addresses has an empty list for {}; name one", T::ROLE);
                Failure::Answered(Error::unavailable(message))
            }
            None => Failure::Answered(Error::unavailable(format!("{what} at {}", refused.join("; ")))),
        })
    }

    /// One exchange with one replica, and what it says about its circuit.
    async fn post_to<T: Tool>(
        &self,
        circuit: &Arc<Circuit>,
        mut pass: Pass,
        context: &Context,
        store: Option<&str>,
        body: Bytes,
    ) -> Result<T::Reply, Failure> {
        let left = context.left();
        let mut post = self.request::<T>(circuit.address(), context, store, body)?;
        let mut connection = capture_connection(&mut post);
        let mut exchange = std::pin::pin!(tokio::time::timeout(left, async {
            let response = self.connections.http().request(post).await.map_err(|error| {
                let cause = Error::unavailable(root_cause(&error));
                if error.is_connect() { Failure::Unconnected(cause) } else { Failure::Silent(cause) }
            })?;
            let starting = response.headers().contains_key(STARTING_HEADER);
            let reply = self.reply::<T>(response).await;
            Ok(if starting { reply.map_err(Failure::Starting)? } else { reply? })
        }));
        let reply = tokio::select! {
            biased;
            reply = &mut exchange => reply,
            connected = async { connection.wait_for_connection_metadata().await.is_some() } => {
                // It may take long to answer, as a long poll does: others need not wait for that.
                if connected {
                    pass.connected();
                }
                exchange.await
            }
        };
        let reply = reply.unwrap_or_else(|_| {
            let error = Error::new(Code::Deadline, "no answer within the deadline");
            Err(Failure::Answered(error))
        });
        let connected = connection.connection_metadata().is_some();
        match &reply {
            Err(Failure::Unconnected(_)) => pass.silent(),
            // One that was killed in mid-call was there; behind its address others may be well. And a deadline before
            // anything was connected says nothing.
            Err(Failure::Silent(_)) => drop(pass),
            Err(Failure::Answered(error)) if error.code == Code::Deadline && !connected => drop(pass),
            _ => pass.answered(),
        }
        reply
    }

    fn request<T: Tool>(
        &self,
        address: &str,
        context: &Context,
        store: Option<&str>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>> {
        let mut post = Request::post(format!("{address}/{}/{}", T::ROLE, T::NAME))
            .header(CONTENT_TYPE, JSON)
            .header(DEADLINE_HEADER, context.left().as_millis().to_string())
            .header(REQUEST_ID_HEADER, &*context.request())
            .header(trace::HEADER, context.trace.to_string());
        if let Some(store) = store {
            post = post.header(STORE_HEADER, store);
        }
        if let Some(token) = self.tokens.to_send() {
            post = post.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        post.body(Full::from(body)).map_err(|error| Error::invalid(format!("address {address}: {error}")))
    }

    /// What the peer said.
    async fn reply<T: Tool>(&self, response: Response<Incoming>) -> Result<T::Reply> {
        let (status, limit) = (response.status(), self.reply_bytes_max);
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

/// The replicas of every role. Roles at one address share its circuit.
fn replicas(settings: &Settings) -> BTreeMap<Role, Replicas> {
    let limits = circuit::Limits {
        failures: settings.circuit_failures.max(1),
        retry: Duration::from_millis(settings.circuit_retry_ms),
    };
    let pattern = Addresses::One(settings.pattern.clone());
    let mut known: BTreeMap<String, Arc<Circuit>> = BTreeMap::new();
    let mut circuit = |role: Role, address: &String| {
        let address = address.replace("{role}", role.as_str()).trim_end_matches('/').to_owned();
        known.entry(address.clone()).or_insert_with(|| Circuit::new(address, limits)).clone()
    };
    let mut replicas = |role: Role| {
        let addresses = settings.addresses.get(&role).unwrap_or(&pattern);
        (role, Replicas::new(addresses.all().iter().map(|address| circuit(role, address)).collect()))
    };
    Role::ALL.into_iter().map(&mut replicas).collect()
}

/// Why a POST came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// The peer does not host its roles yet: nothing was done.
    Starting(Error),
    /// There was no connection: nothing was sent.
    Unconnected(Error),
    /// Nothing answered: the same request may be sent again.
    Silent(Error),
    /// The peer answered with this, or may still be working: it is not asked again.
    Answered(Error),
}

impl Failure {
    /// The error, whoever made it.
    pub fn error(self) -> Error {
        match self {
            Failure::Starting(error)
            | Failure::Unconnected(error)
            | Failure::Silent(error)
            | Failure::Answered(error) => error,
        }
    }

    /// Says which peer it was where the error itself does not.
    fn during(self, what: String) -> Failure {
        match self {
            Failure::Silent(error) => Failure::Silent(error.during(what)),
            Failure::Answered(error) if matches!(error.code, Code::Unavailable | Code::Deadline) => {
                Failure::Answered(error.during(what))
            }
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
