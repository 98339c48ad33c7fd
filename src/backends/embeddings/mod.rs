//! What texts mean, as vectors: a model on a server, asked within bounds and left alone when it fails.

mod protocol;
mod settings;

use std::sync::Arc;

use hyper::Method;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::{Duration, timeout};

pub use settings::Settings;

use super::llm::{self, AccountError, Books, Bounds, Budget, LlmError, Server};
use super::store::Sent;
use crate::domain::{
    classify::Vector,
    opinion::{Asked, estimated_tokens},
};

/// A text whose meaning is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it is known by: the name of a document.
    pub name: String,
    /// The text itself, with what stands before it.
    pub text: String,
}

/// How much hurry there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurry {
    /// A document waits.
    Waits,
    /// Nothing does.
    None,
}

/// The client of one model; cheap to clone.
#[derive(Clone)]
pub struct Embedder(Arc<Inner>);

struct Inner {
    settings: Settings,
    server: Server,
    /// Where what leaves is entered.
    books: Option<Books>,
    /// How many numbers a vector of this model has, once one was seen.
    dimensions: Mutex<Option<usize>>,
}

impl Embedder {
    /// The client of the model of these settings; nothing is asked yet. What goes to a remote server is entered in the books;
    /// only what is no document of a home goes without.
    ///
    /// # Errors
    /// When they name no server or no model.
    pub fn new(settings: &Settings, books: Option<Books>) -> Result<Embedder, LlmError> {
        let wrong = |reason: &str| Err(LlmError::Settings(reason.to_owned()));
        if settings.provider == llm::Provider::None {
            return wrong("no model of embeddings is configured: set embeddings.provider");
        }
        if settings.model.is_empty() {
            return wrong("embeddings.model is empty: name the model to ask");
        }
        let server = Server::new(Bounds {
            section: "embeddings",
            url: settings.url().to_owned(),
            api_key: settings.api_key.clone(),
            answer_bytes_max: settings.answer_bytes_max,
            connect_ms_max: settings.wait_ms_max,
            concurrency: settings.concurrency,
            pause_ms_max: settings.pause_ms_max,
            rest_ms: settings.rest_ms,
            strict: true,
        })?;
        Ok(Embedder(Arc::new(Inner { settings: settings.clone(), server, books, dimensions: Mutex::new(None) })))
    }

    /// Whom it asks, and how.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What these texts mean, in their order; they go with one call.
    ///
    /// # Errors
    /// Whatever kept it from a whole and sound answer in time.
    pub async fn embed(&self, texts: &[Text], hurry: Hurry) -> Result<Vec<Vector>, AccountError> {
        let settings = &self.0.settings;
        let limit_ms = if hurry == Hurry::Waits { settings.wait_ms_max } else { settings.answer_ms_max };
        if let Some(seconds) = self.0.server.rests_for() {
            return Err(LlmError::Resting(seconds).into());
        }
        // To wait for one's turn says nothing of the server.
        let turn = timeout(Duration::from_millis(limit_ms), self.0.server.turn());
        let _turn = turn.await.map_err(|_| LlmError::Slow(limit_ms))?;
        let Some(books) = self.0.books.as_ref().filter(|_| settings.is_remote()) else {
            return Ok(self.asked(texts, limit_ms).await?.0);
        };
        let mut entry = self.entry(texts, books);
        let budget = Budget { tokens: settings.tokens_per_day, cost: settings.cost_per_day };
        let id = books.open(Sent::Texts, &entry, budget).await?;
        let answer = self.asked(texts, limit_ms).await;
        match &answer {
            Ok((_, tokens)) => {
                entry.tokens = if *tokens == 0 { entry.tokens } else { *tokens };
                entry.micros = settings.micros(entry.tokens);
                entry.outcome = Some("vectors".to_owned());
            }
            Err(error) => entry.outcome = Some(error.to_string()),
        }
        books.settle(&id, &entry).await;
        Ok(answer?.0)
    }

    /// The names of the server's models.
    ///
    /// # Errors
    /// As [`Embedder::embed`].
    pub async fn models(&self) -> Result<Vec<String>, LlmError> {
        let Inner { settings, server, .. } = &*self.0;
        let path = llm::models_path(settings.provider == llm::Provider::Ollama);
        server.call(Method::GET, path, None, settings.wait_ms_max, |list| Ok(llm::models(list))).await
    }

    async fn asked(&self, texts: &[Text], limit_ms: u64) -> Result<(Vec<Vector>, u64), LlmError> {
        let Inner { settings, server, .. } = &*self.0;
        let texts: Vec<String> = texts.iter().map(|it| it.text.clone()).collect();
        let (path, body) = protocol::question(settings, &texts);
        let read = |answer: &Value| self.same_length(protocol::answer(settings, texts.len(), answer)?);
        server.ask(path, &body, limit_ms, read).await
    }

    /// Whether the server is left alone for now.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.0.server.rests_for().is_some()
    }

    /// Vectors of another length than the first are of another model.
    fn same_length(&self, (vectors, tokens): (Vec<Vector>, u64)) -> Result<(Vec<Vector>, u64), LlmError> {
        let mut known = self.0.dimensions.lock();
        for vector in &vectors {
            let (now, before) = (vector.dimensions(), *known.get_or_insert(vector.dimensions()));
            if now != before {
                return Err(LlmError::Form(format!("vectors of {now} numbers, where they had {before} before")));
            }
        }
        Ok((vectors, tokens))
    }

    fn entry(&self, texts: &[Text], books: &Books) -> Asked {
        let settings = &self.0.settings;
        let bytes: usize = texts.iter().map(|it| it.text.len()).sum();
        let tokens = texts.iter().map(|it| estimated_tokens(&it.text) as u64).sum();
        let names: Vec<&str> = texts.iter().map(|it| it.name.as_str()).collect();
        Asked {
            at: books.clock.stamp(),
            to: settings.url().to_owned(),
            remote: true,
            model: settings.model.clone(),
            document: String::new(),
            name: names.join(", "),
            bytes: bytes as u64,
            tokens,
            micros: settings.micros(tokens),
            outcome: None,
        }
    }
}
