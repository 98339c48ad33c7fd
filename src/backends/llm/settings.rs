//! Which language model is asked, and within which bounds.

use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// A language model for what the built-in engine doubts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which kind of server.
    pub provider: Provider,
    /// Its address; empty means the usual one of the provider.
    pub base_url: String,
    /// The model.
    pub model: String,
    /// The key that calls carry; empty means none.
    pub api_key: Secret,
    /// Whether what is sent leaves the reach of its owner.
    pub place: Place,
    /// Whether emm is unhealthy without it.
    pub required: bool,
    /// How long one answer may take, in milliseconds.
    pub answer_ms_max: u64,
    /// The largest answer, in bytes.
    pub answer_bytes_max: usize,
    /// Questions under way at once, in one process.
    pub concurrency: usize,
    /// The longest pause that a busy server may ask for and be given, in milliseconds; a longer one ends the question.
    pub pause_ms_max: u64,
    /// How long a server that failed is left alone, in milliseconds.
    pub rest_ms: u64,
    /// The context window of the model, in tokens.
    pub context_tokens: usize,
    /// The longest answer, in tokens.
    pub output_tokens_max: usize,
    /// Tokens a day, of questions and answers; 0 sets no bound.
    pub tokens_per_day: u64,
    /// Money a day, in whatever the prices are in; 0 sets no bound.
    pub cost_per_day: f64,
    /// The price of a million tokens of questions.
    pub price_in: f64,
    /// The price of a million tokens of answers.
    pub price_out: f64,
}

/// Which kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// None is asked, and nothing is missing.
    None,
    /// Ollama, by its own API.
    Ollama,
    /// Any server that speaks as OpenAI's does.
    Openai,
}

impl Provider {
    /// The address of its server, without a slash at its end; its usual one where the owner gives none.
    #[must_use]
    pub fn url(self, given: &str) -> &str {
        match (given.trim_end_matches('/'), self) {
            ("", Provider::Ollama) => "http://127.0.0.1:11434",
            ("", _) => "https://api.openai.com/v1",
            (url, _) => url,
        }
    }
}

/// Whether what is sent leaves the reach of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// An address of loopback is local, every other one is remote.
    Auto,
    /// The owner says that it does not.
    Local,
    /// It does, whatever the address.
    Remote,
}

impl Place {
    /// Whether what is sent to this address leaves the reach of its owner.
    #[must_use]
    pub fn is_remote(self, url: &str) -> bool {
        match self {
            Place::Local => false,
            Place::Remote => true,
            Place::Auto => !url.parse::<hyper::Uri>().is_ok_and(|url| url.host().is_some_and(is_loopback)),
        }
    }
}

impl Settings {
    /// The address of the server, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.provider.url(&self.base_url)
    }

    /// Whether a question leaves the reach of its owner.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.place.is_remote(self.url())
    }

    /// What so many tokens cost, in millionths of the unit of the prices.
    #[must_use]
    pub fn micros(&self, tokens_in: u64, tokens_out: u64) -> u64 {
        // Prices are for a million tokens, so a token costs as many millionths as its price says.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let micros =
            (tokens_in as f64 * self.price_in.max(0.0) + tokens_out as f64 * self.price_out.max(0.0)).ceil() as u64;
        micros
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']);
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
