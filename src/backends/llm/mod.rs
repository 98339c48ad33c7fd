//! A language model on a server: asked one question at a time within bounds, and left alone when it fails.

mod account;
mod protocol;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

pub use account::{About, Account, AccountError};
pub use settings::{Place, Provider, Settings};

use super::web;
use crate::domain::opinion::Prompt;

/// Failures in a row after which a server is left alone.
const FAILURES_MAX: u32 = 3;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LlmError {
    /// No server is configured, or it cannot be used.
    #[error("{0}")]
    Settings(String),
    /// It failed before, and is left alone for a while.
    #[error("the model's server failed and is left alone for {0} s")]
    Resting(u64),
    /// It asks for a longer pause than it is given.
    #[error("the model's server is busy and asks to wait {0} s")]
    Busy(u64),
    /// It took too long.
    #[error("the model gave no answer within {0} ms")]
    Slow(u64),
    /// It could not be reached, or the connection broke.
    #[error("the model's server cannot be reached: {0}")]
    Away(String),
    /// It answered with more than is read.
    #[error("the answer has more than {0} bytes")]
    Long(usize),
    /// It refused.
    #[error("the model's server says {status}: {said}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What it said, shortened.
        said: String,
    },
    /// It answered in a form that is not that of its API.
    #[error("the model's server answered in an unknown form: {0}")]
    Form(String),
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// Whether it was stopped before it was done.
    pub cut_off: bool,
    /// Tokens of the question, as the server counted them.
    pub tokens_in: u64,
    /// Tokens of the answer.
    pub tokens_out: u64,
}

/// The client of one server; cheap to clone.
#[derive(Clone)]
pub struct Llm(Arc<Inner>);

struct Inner {
    settings: Settings,
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

impl Llm {
    /// The client of the server of these settings; nothing is asked yet.
    ///
    /// # Errors
    /// When they name no server or no model.
    pub fn new(settings: &Settings) -> Result<Llm, LlmError> {
        let wrong = |reason: &str| Err(LlmError::Settings(reason.to_owned()));
        if settings.provider == Provider::None {
            return wrong("no language model is configured: set llm.provider");
        }
        if settings.model.is_empty() {
            return wrong("llm.model is empty: name the model to ask");
        }
        let url = settings.url();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return wrong("llm.base_url must begin with http:// or https://");
        }
        let client = web::client(url.starts_with("https://"), Duration::from_millis(settings.answer_ms_max));
        let client = client.map_err(|error| LlmError::Settings(format!("TLS: {error}; install ca-certificates")))?;
        let turns = Semaphore::new(settings.concurrency.max(1));
        Ok(Llm(Arc::new(Inner { settings: settings.clone(), client, turns, rest: Mutex::default() })))
    }

    /// Whom it asks, and how.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Asks one question, when it is its turn. Waits for a busy server once, and not for long.
    ///
    /// # Errors
    /// Whatever kept it from a whole answer in time.
    pub async fn ask(&self, prompt: &Prompt, schema: &Value) -> Result<Reply, LlmError> {
        let _turn = self.0.turns.acquire().await;
        let (path, body) = protocol::question(&self.0.settings, prompt, schema);
        let answer = match self.call(Method::POST, path, Some(&body)).await {
            Err(LlmError::Busy(seconds)) if seconds * 1000 <= self.0.settings.pause_ms_max => {
                sleep(Duration::from_secs(seconds)).await;
                self.call(Method::POST, path, Some(&body)).await?
            }
            answer => answer?,
        };
        protocol::reply(self.0.settings.provider, &answer)
    }

    /// What the server says of its models: their names, and the context of ours where it tells.
    ///
    /// # Errors
    /// As [`Llm::ask`].
    pub async fn models(&self) -> Result<(Vec<String>, Option<u64>), LlmError> {
        let list = self.call(Method::GET, protocol::models_path(self.0.settings.provider), None).await?;
        let names = protocol::models(&list);
        let mut context = protocol::context(&list, &self.0.settings.model);
        if self.0.settings.provider == Provider::Ollama {
            let about = serde_json::json!({ "model": self.0.settings.model });
            if let Ok(about) = self.call(Method::POST, "/api/show", Some(&about)).await {
                context = protocol::shown_context(&about);
            }
        }
        Ok((names, context))
    }

    /// One call, unless the server is left alone; what came of it says whether it will be.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, LlmError> {
        if let Some(until) = self.0.rest.lock().until.filter(|until| *until > Instant::now()) {
            return Err(LlmError::Resting((until - Instant::now()).as_secs() + 1));
        }
        let limit_ms = self.0.settings.answer_ms_max.max(1);
        let called = timeout(Duration::from_millis(limit_ms), self.exchange(method, path, body)).await;
        let called = called.unwrap_or(Err(LlmError::Slow(limit_ms)));
        let mut rest = self.0.rest.lock();
        match &called {
            Err(LlmError::Away(_) | LlmError::Slow(_) | LlmError::Refused { status: 500.., .. }) => {
                rest.failures += 1;
                if rest.failures >= FAILURES_MAX {
                    rest.until = Some(Instant::now() + Duration::from_millis(self.0.settings.rest_ms));
                }
            }
            Err(LlmError::Busy(seconds)) => {
                let pause = Duration::from_secs(*seconds);
                if pause > Duration::from_millis(self.0.settings.pause_ms_max) {
                    rest.until = Some(Instant::now() + pause.min(Duration::from_millis(self.0.settings.rest_ms)));
                }
            }
            _ => *rest = Rest::default(),
        }
        called
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, LlmError> {
        let settings = &self.0.settings;
        let mut request = Request::builder().method(method).uri(format!("{}{path}", settings.url()));
        if !settings.api_key.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", settings.api_key.text()));
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body));
        let request = request.map_err(|error| LlmError::Settings(format!("llm.base_url or llm.api_key: {error}")))?;
        let answer = self.0.client.request(request).await.map_err(|error| LlmError::Away(chain(&error)))?;
        let (status, wait) = (answer.status(), retry_after(&answer));
        let limit = settings.answer_bytes_max;
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
