//! A language model on a server: asked one question at a time within bounds, and left alone when it fails.

mod account;
mod protocol;
mod server;
mod settings;

use std::sync::Arc;

use hyper::Method;
use serde_json::Value;

pub(super) use account::Budget;
pub use account::{About, Account, AccountError, Books};
pub(super) use protocol::{models, models_path};
pub use server::{Bounds, Server};
pub use settings::{Place, Provider, Settings};

use crate::domain::opinion::Prompt;

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

impl LlmError {
    /// Whether the server said nothing that is its own, and not something that is of no use.
    fn is_silence(&self) -> bool {
        matches!(self, LlmError::Away(_) | LlmError::Slow(_) | LlmError::Refused { status: 500.., .. })
    }
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

/// The client of one model; cheap to clone.
#[derive(Clone)]
pub struct Llm {
    settings: Arc<Settings>,
    server: Server,
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
        let server = Server::new(Bounds {
            section: "llm",
            url: settings.url().to_owned(),
            api_key: settings.api_key.clone(),
            answer_bytes_max: settings.answer_bytes_max,
            connect_ms_max: settings.answer_ms_max,
            concurrency: settings.concurrency,
            pause_ms_max: settings.pause_ms_max,
            rest_ms: settings.rest_ms,
            strict: false,
        })?;
        Ok(Llm { settings: Arc::new(settings.clone()), server })
    }

    /// Whom it asks, and how.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks one question, when it is its turn. Waits for a busy server once, and not for long.
    ///
    /// # Errors
    /// Whatever kept it from a whole answer in time.
    pub async fn ask(&self, prompt: &Prompt, schema: &Value) -> Result<Reply, LlmError> {
        let _turn = self.server.turn().await;
        let (path, body) = protocol::question(&self.settings, prompt, schema);
        let read = |answer: &Value| protocol::reply(self.settings.provider, answer);
        self.server.ask(path, &body, self.settings.answer_ms_max, read).await
    }

    /// What the server says of its models: their names, and the context of ours where it tells.
    ///
    /// # Errors
    /// As [`Llm::ask`].
    pub async fn models(&self) -> Result<(Vec<String>, Option<u64>), LlmError> {
        let limit_ms = self.settings.answer_ms_max;
        let ollama = self.settings.provider == Provider::Ollama;
        let read = |list: &Value| Ok((protocol::models(list), protocol::context(list, &self.settings.model)));
        let path = protocol::models_path(ollama);
        let (names, mut context) = self.server.call(Method::GET, path, None, limit_ms, read).await?;
        if ollama {
            let about = serde_json::json!({ "model": self.settings.model });
            let read = |about: &Value| Ok(protocol::shown_context(about));
            if let Ok(shown) = self.server.call(Method::POST, "/api/show", Some(&about), limit_ms, read).await {
                context = shown;
            }
        }
        Ok((names, context))
    }
}
