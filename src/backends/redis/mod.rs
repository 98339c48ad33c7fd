//! The server of what several nodes share: one connection that all calls go through, made when it is needed and made
//! again when it broke or went silent. No call waits longer than it is told to.

use std::{sync::Arc, time::Duration};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisResult, ScriptInvocation, aio::MultiplexedConnection as Connection,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Mutex as Turn,
    time::{Instant, sleep, timeout_at},
};

use crate::domain::secret::Secret;

/// What is asked.
pub enum Request<'a> {
    /// One command.
    Command(&'a Cmd),
    /// Several at once, others may come in between.
    Pipeline(&'a Pipeline),
    /// A script, of which all or nothing is seen.
    Script(&'a ScriptInvocation<'a>),
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A name or an address.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Who we are; empty means the default user.
    pub username: String,
    /// Empty means none.
    pub password: Secret,
    /// The number of the database.
    pub database: i64,
    /// What stands before every key.
    pub prefix: String,
    /// How long connecting may take, in milliseconds.
    pub connect_ms_max: u64,
    /// How long an answer may take where nothing can stand in for it, in milliseconds.
    pub answer_ms_max: u64,
    /// How long a starting node waits for the server, in milliseconds.
    pub start_ms_max: u64,
    /// Requests under way at once.
    pub calls_in_flight_max: usize,
}

/// Why the server did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// It did not answer in time.
    #[error("redis at {address} did not answer within {limit_ms} ms")]
    Slow {
        /// Where it should be.
        address: String,
        /// How long it was waited for.
        limit_ms: u64,
    },
    /// It cannot be reached, or the connection broke.
    #[error("redis at {address} cannot be reached: {reason}")]
    Gone {
        /// Where it should be.
        address: String,
        /// Why.
        reason: String,
    },
    /// It answered that it will not.
    #[error("redis at {address} refused: {reason}")]
    Refused {
        /// Where it is.
        address: String,
        /// Its words.
        reason: String,
    },
}

impl Fault {
    /// Whether nothing is known of what the server did: it was not reached, or did not answer.
    pub fn is_silence(&self) -> bool {
        !matches!(self, Fault::Refused { .. })
    }
}

/// A server; cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    settings: Settings,
    address: String,
    /// The connection and its number: who finds it broken takes away this one, and none that came after it.
    connection: Mutex<(u64, Option<Connection>)>,
    /// One connects, and the others take what came of it.
    connecting: Turn<()>,
}

/// The pause between two looks for a server that is not there yet.
const START_PAUSE: Duration = Duration::from_millis(50);

impl Redis {
    /// The configured server; nothing is connected yet.
    pub fn new(settings: &Settings) -> Result<Redis, Fault> {
        let address = format!("{}:{}", settings.host, settings.port);
        let refused = |error: ::redis::RedisError| Fault::Refused { address: address.clone(), reason: said(&error) };
        let mut who = RedisConnectionInfo::default().set_db(settings.database).set_skip_set_lib_name();
        if !settings.username.is_empty() {
            who = who.set_username(&settings.username);
        }
        if !settings.password.is_empty() {
            who = who.set_password(settings.password.text());
        }
        let place = ConnectionAddr::Tcp(settings.host.clone(), settings.port);
        let info = place.into_connection_info().map_err(refused)?.set_redis_settings(who);
        let client = Client::open(info).map_err(refused)?;
        let (connection, connecting) = (Mutex::new((0, None)), Turn::new(()));
        Ok(Redis(Arc::new(Inner { client, settings: settings.clone(), address, connection, connecting })))
    }

    /// A key of ours, from its parts.
    pub fn key(&self, parts: &[&str]) -> String {
        let mut key = self.0.settings.prefix.clone();
        for part in parts {
            key.push(':');
            key.push_str(part);
        }
        key
    }

    /// Asks within the time that is allowed where nothing can stand in for the answer.
    pub async fn ask<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, Fault> {
        self.ask_within(Duration::from_millis(self.0.settings.answer_ms_max), request).await
    }

    /// Asks within `limit`, connecting included.
    ///
    /// # Errors
    /// After `Slow` and `Gone` it may have been done or not.
    pub async fn ask_within<T: FromRedisValue>(&self, limit: Duration, request: Request<'_>) -> Result<T, Fault> {
        let end = Instant::now() + limit;
        let slow = || Fault::Slow { address: self.0.address.clone(), limit_ms: limit.as_millis() as u64 };
        let mut again = true;
        loop {
            let before = self.connected().is_some();
            let connected = timeout_at(end, self.connection()).await.map_err(|_| slow())?;
            let (number, mut connection) = connected.map_err(|error| self.fault(&error))?;
            let asked = async {
                match request {
                    Request::Command(command) => command.query_async(&mut connection).await,
                    Request::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
                    Request::Script(script) => script.invoke_async(&mut connection).await,
                }
            };
            let answer: Result<RedisResult<T>, _> = timeout_at(end, asked).await;
            if answer.as_ref().map_or(true, |answer| answer.as_ref().is_err_and(is_broken)) {
                // A connection that went silent may never say so; a new one costs little.
                let mut current = self.0.connection.lock();
                if current.0 == number {
                    current.1 = None;
                }
            }
            let answer = answer.map_err(|_| slow())?;
            // A server that was started anew leaves connections that are dead and do not know it. All that is asked may be
            // asked twice.
            if before && std::mem::take(&mut again) && answer.as_ref().is_err_and(is_broken) {
                continue;
            }
            return answer.map_err(|error| self.fault(&error));
        }
    }

    /// Waits for the server, as a starting node does.
    pub async fn wait(&self) -> Result<(), Fault> {
        let end = Instant::now() + Duration::from_millis(self.0.settings.start_ms_max);
        let mut told = false;
        loop {
            let fault = match self.ping().await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            // What it refuses now it refuses later.
            if Instant::now() >= end || !(fault.is_silence() || is_loading(&fault)) {
                return Err(fault);
            }
            if !told {
                tracing::warn!("waiting for it: {fault}");
                told = true;
            }
            sleep(START_PAUSE).await;
        }
    }

    /// Whether it answers, connecting included.
    pub async fn ping(&self) -> Result<(), Fault> {
        let limit = Duration::from_millis(self.0.settings.connect_ms_max);
        self.ask_within(limit, Request::Command(&::redis::cmd("PING"))).await
    }

    async fn connection(&self) -> RedisResult<(u64, Connection)> {
        if let Some(connected) = self.connected() {
            return Ok(connected);
        }
        let _turn = self.0.connecting.lock().await;
        if let Some(connected) = self.connected() {
            return Ok(connected);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(self.0.settings.connect_ms_max)))
            // Each call has a limit of its own.
            .set_response_timeout(None)
            .set_concurrency_limit(self.0.settings.calls_in_flight_max.max(1));
        let connection = self.0.client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut current = self.0.connection.lock();
        *current = (current.0 + 1, Some(connection.clone()));
        Ok((current.0, connection))
    }

    fn connected(&self) -> Option<(u64, Connection)> {
        let current = self.0.connection.lock();
        current.1.clone().map(|connection| (current.0, connection))
    }

    fn fault(&self, error: &::redis::RedisError) -> Fault {
        let (address, reason) = (self.0.address.clone(), said(error));
        if is_broken(error) { Fault::Gone { address, reason } } else { Fault::Refused { address, reason } }
    }
}

fn is_broken(error: &::redis::RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped()
}

/// A server that reads what it had kept answers nothing else until that is done.
fn is_loading(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { reason, .. } if reason.contains("LOADING"))
}

fn said(error: &::redis::RedisError) -> String {
    error.to_string()
}
