//! Which model says what texts mean, and within which bounds it is asked.

use serde::{Deserialize, Serialize};

use crate::{
    backends::llm::{Place, Provider},
    domain::secret::Secret,
};

/// A model of sentence embeddings, which judges documents by what they mean beside their words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which kind of server.
    pub provider: Provider,
    /// Its address; empty means the usual one of the provider.
    pub base_url: String,
    /// The model, as the server calls it.
    pub model: String,
    /// The key that calls carry; empty means none.
    pub api_key: Secret,
    /// Whether what is sent leaves the reach of its owner.
    pub place: Place,
    /// Whether emm is unhealthy without it.
    pub required: bool,
    /// What stands before each text of a document, where the model wants that.
    pub document_prefix: String,
    /// What stands before each text of a place.
    pub place_prefix: String,
    /// Numbers of a vector that the server is asked for; 0 means as many as the model has.
    pub dimensions: usize,
    /// The beginning of a text that is looked at, in characters.
    pub text_chars_max: usize,
    /// Texts that go with one call.
    pub texts_per_call: usize,
    /// How long a document waits for its vector, in milliseconds; then it is judged without.
    pub wait_ms_max: u64,
    /// How long one answer may take that nothing waits for, in milliseconds.
    pub answer_ms_max: u64,
    /// The largest answer, in bytes.
    pub answer_bytes_max: usize,
    /// Calls under way at once, in one process.
    pub concurrency: usize,
    /// The longest pause that a busy server may ask for and be given, in milliseconds.
    pub pause_ms_max: u64,
    /// How long a server that failed is left alone, in milliseconds.
    pub rest_ms: u64,
    /// Tokens a day; 0 sets no bound.
    pub tokens_per_day: u64,
    /// Money a day, in whatever the price is in; 0 sets no bound.
    pub cost_per_day: f64,
    /// The price of a million tokens.
    pub price_in: f64,
}

impl Settings {
    /// The address of the server, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.provider.url(&self.base_url)
    }

    /// Whether what is sent leaves the reach of its owner.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.place.is_remote(self.url())
    }

    /// A document's text as it is sent.
    #[must_use]
    pub fn document_text(&self, text: &str) -> String {
        format!("{}{text}", self.document_prefix)
    }

    /// A place's text as it is sent.
    #[must_use]
    pub fn place_text(&self, text: &str) -> String {
        format!("{}{text}", self.place_prefix)
    }

    /// All that a vector rests on, but for the text: vectors under different names say nothing of each other.
    #[must_use]
    pub fn name(&self) -> String {
        let Settings { provider, model, dimensions, document_prefix, place_prefix, text_chars_max, .. } = self;
        let made = format!("{dimensions} {document_prefix:?} {place_prefix:?} {text_chars_max}");
        format!("{provider:?} {} {model} {made}", self.url())
    }

    /// What so many tokens cost, in millionths of the unit of the price.
    #[must_use]
    pub fn micros(&self, tokens: u64) -> u64 {
        // The price is for a million tokens, so a token costs as many millionths as it says.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let micros = (tokens as f64 * self.price_in.max(0.0)).ceil() as u64;
        micros
    }
}
