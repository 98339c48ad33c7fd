//! One server that answers over HTTP: within bounds of time and bytes, one call after the other, left alone when it fails.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

use super::LlmError;
use crate::backends::web;
use crate::domain::secret::Secret;

/// Failures in a row after which a server is left alone.
const FAILURES_MAX: u32 = 3;

/// A server, and within which bounds it is called.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The section of the configuration that all this comes from, to name its keys in errors.
    pub section: &'static str,
    /// Its address, without a slash at its end.
    pub url: String,
    /// The key that calls carry; empty means none.
    pub api_key: Secret,
    /// The largest answer, in bytes.
    pub answer_bytes_max: usize,
    /// How long a connection may take to come about, in milliseconds.
    pub connect_ms_max: u64,
    /// Calls under way at once.
    pub concurrency: usize,
    /// The longest pause that it may ask for and be given, in milliseconds.
    pub pause_ms_max: u64,
    /// How long it is left alone when it failed, in milliseconds.
    pub rest_ms: u64,
    /// Whether an answer that is of no use counts as a failure, and not only none.
    pub strict: bool,
}

/// The client of one server; cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    bounds: Bounds,
    client: web::Client<Full<Bytes>>,
    turns: Semaphore,
    rest: Mutex<Rest>,
}

/// Whether the server is left alone.
#[derive(Default)]
struct Rest {
    failures: u32,
    until: Option<Instant>,
}

impl Server {
    /// The client of this server; nothing is asked yet.
    ///
    /// # Errors
    /// When its address is none.
    pub fn new(bounds: Bounds) -> Result<Server, LlmError> {
        let Bounds { section, url, .. } = &bounds;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(LlmError::Settings(format!("{section}.base_url must begin with http:// or https://")));
        }
        let client = web::client(url.starts_with("https://"), Duration::from_millis(bounds.connect_ms_max));
        let client = client.map_err(|error| LlmError::Settings(format!("TLS: {error}; install ca-certificates")))?;
        let turns = Semaphore::new(bounds.concurrency.max(1));
        Ok(Server(Arc::new(Inner { bounds, client, turns, rest: Mutex::default() })))
    }

    /// Waits until it is the caller's turn, which lasts until what is given is dropped.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.0.turns.acquire().await.ok()
    }

    /// A question that waits for a busy server once, and not for long; `read` makes of the answer what it says.
    ///
    /// # Errors
    /// Whatever kept it from a whole answer in time.
    pub async fn ask<T>(
        &self,
        path: &str,
        body: &Value,
        limit_ms: u64,
        read: impl Fn(&Value) -> Result<T, LlmError>,
    ) -> Result<T, LlmError> {
        match self.call(Method::POST, path, Some(body), limit_ms, &read).await {
            Err(LlmError::Busy(seconds)) if seconds * 1000 <= self.0.bounds.pause_ms_max => {
                sleep(Duration::from_secs(seconds)).await;
                self.call(Method::POST, path, Some(body), limit_ms, &read).await
            }
            answer => answer,
        }
    }

    /// For how many seconds the server is left alone, if it is.
    #[must_use]
    pub fn rests_for(&self) -> Option<u64> {
        let until = self.0.rest.lock().until?;
        (until > Instant::now()).then(|| (until - Instant::now()).as_secs() + 1)
    }

    /// One call of at most `limit_ms`, unless the server is left alone; what came of it says whether it will be.
    ///
    /// # Errors
    /// Whatever kept it from a whole answer in time.
    pub async fn call<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        limit_ms: u64,
        read: impl Fn(&Value) -> Result<T, LlmError>,
    ) -> Result<T, LlmError> {
        if let Some(seconds) = self.rests_for() {
            return Err(LlmError::Resting(seconds));
        }
        let limit_ms = limit_ms.max(1);
        let called = timeout(Duration::from_millis(limit_ms), self.exchange(method, path, body)).await;
        let called = called.unwrap_or(Err(LlmError::Slow(limit_ms))).and_then(|answer| read(&answer));
        let Bounds { pause_ms_max, rest_ms, strict, .. } = self.0.bounds;
        let mut rest = self.0.rest.lock();
        match &called {
            Err(LlmError::Busy(seconds)) => {
                let pause = Duration::from_secs(*seconds);
                if pause > Duration::from_millis(pause_ms_max) {
                    rest.until = Some(Instant::now() + pause.min(Duration::from_millis(rest_ms)));
                }
            }
            Err(error) if strict || error.is_silence() => {
                rest.failures += 1;
                if rest.failures >= FAILURES_MAX {
                    rest.until = Some(Instant::now() + Duration::from_millis(rest_ms));
                }
            }
            _ => *rest = Rest::default(),
        }
        called
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, LlmError> {
        let Bounds { section, url, api_key, answer_bytes_max: limit, .. } = &self.0.bounds;
        let limit = *limit;
        let mut request = Request::builder().method(method).uri(format!("{url}{path}"));
        if !api_key.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", api_key.text()));
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body));
        let wrong = |error| LlmError::Settings(format!("{section}.base_url or {section}.api_key: {error}"));
        let answer = self.0.client.request(request.map_err(wrong)?).await;
        let answer = answer.map_err(|error| LlmError::Away(chain(&error)))?;
        let (status, wait) = (answer.status(), retry_after(&answer));
        let body = Limited::new(answer.into_body(), limit).collect().await.map_err(|error| {
            match error.downcast_ref::<http_body_util::LengthLimitError>() {
                Some(_) => LlmError::Long(limit),
                None => LlmError::Away(error.to_string()),
            }
        })?;
        let bytes = body.to_bytes();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(LlmError::Busy(wait.unwrap_or(1)));
        }
        if !status.is_success() {
            let said: String =
                String::from_utf8_lossy(&bytes).chars().filter(|it| !it.is_control()).take(200).collect();
            return Err(LlmError::Refused { status: status.as_u16(), said });
        }
        serde_json::from_slice(&bytes).map_err(|error| LlmError::Form(error.to_string()))
    }
}

/// Seconds that a busy server asks for. A date counts as a short while; a number beyond all reason is cut to a day.
fn retry_after<B>(answer: &Response<B>) -> Option<u64> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse::<u128>().ok().map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX));
    Some(seconds.unwrap_or(60).min(24 * 3600))
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
