//! Configuration, in one place and in one order: compiled-in defaults < pod profile < file < environment < flags.

pub mod original;
mod secrets;

use std::path::Path;

use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

pub use crate::domain::secret::Secret;
use crate::{agents, backends, rpc, services};

/// The defaults, and their documentation.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// What pods have otherwise, where `K8S_MODE` is true.
pub const POD: &str = include_str!("../config/pod.toml");

/// Everything that can be set: each room's own settings under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The process.
    pub node: Node,
    /// Logs.
    pub log: Log,
    /// Where things are.
    pub paths: backends::home::Settings,
    /// Where other roles are.
    pub peers: rpc::peers::Settings,
    /// The server that cache and state may be in.
    pub redis: backends::redis::Settings,
    /// The cache.
    pub cache: backends::cache::Settings,
    /// The state.
    pub state: backends::state::Settings,
    /// Where the store is.
    pub store: backends::store::Settings,
    /// The vault.
    pub vault: backends::vault::Settings,
    /// The inbox.
    pub inbox: backends::inbox::Settings,
    /// The language model that is asked in doubt.
    pub llm: backends::llm::Settings,
    /// The model that says what texts mean.
    pub embeddings: backends::embeddings::Settings,
    /// The processes that documents are read in.
    pub parsers: backends::parsers::Settings,
    /// Keeping what was filed.
    pub file_system: services::file_system::Settings,
    /// The structure.
    pub jd_classifier: services::jd_classifier::Settings,
    /// What emm learns.
    pub content_classifier: services::content_classifier::Settings,
    /// Working on the inbox.
    pub file_system_agent: agents::file_system::Settings,
    /// Deciding.
    pub decide: agents::file_system::Decide,
}

/// The process: its address, its doors and how it leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Where it listens, `address:port`; port 0 takes a free one.
    pub listen: String,
    /// Host names, without port, that requests may carry, besides addresses and what peers call the roles of this node.
    pub hosts: Vec<String>,
    /// The token that calls carry; empty means the token of the home. Needed to listen beyond loopback.
    pub token: Secret,
    /// A second token that is accepted, during a rotation.
    pub token_previous: Secret,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Connections open at once.
    pub connections_max: usize,
    /// How long a client may take to send its request head, and an unused connection stay open, in seconds.
    pub header_seconds_max: u64,
    /// How old a connection may become, in seconds; then it finishes what it answers and is closed.
    pub connection_seconds_max: u64,
    /// Calls of one tool under way at once; further ones wait.
    pub calls_in_flight_max: usize,
    /// How long a leaving node goes on serving while it says that it is not ready, in milliseconds.
    pub drain_delay_ms: u64,
    /// How long a leaving node waits for work under way, in milliseconds.
    pub drain_limit_ms: u64,
}

/// Logs, on standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `emm=debug`.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no configuration; the message names the key, where it comes from and what to do.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl Config {
    /// The configuration from its layers. `flags` is a partial `Config`.
    pub fn load(file: Option<&Path>, flags: &serde_json::Value) -> Result<Config, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        let given = |name: &str| std::env::var(name).ok();
        let ours = figment.clone();
        if original::is_pod(given)? {
            figment = figment.merge(Toml::string(POD));
        }
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(format!("{} is not a file", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        for (key, value) in original::keys(given, |key| ours.find_value(key).is_ok()) {
            figment = figment.merge((key, value));
        }
        figment = figment.merge(environment());
        for (key, secret) in secrets::given()? {
            figment = figment.merge((key, secret));
        }
        let config: Config = figment.merge(Serialized::defaults(flags)).extract().map_err(|error| explain(&error))?;
        config.shares_are_shares()?;
        Ok(config)
    }

    fn shares_are_shares(&self) -> Result<(), ConfigError> {
        let (threshold, precision) = (self.file_system_agent.threshold, self.decide.precision);
        for (key, share) in [("file_system_agent.threshold", threshold), ("decide.precision", precision)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(ConfigError(format!("{key} = {share}: a share from 0 to 1 is wanted, such as 0.9")));
            }
        }
        Ok(())
    }
}

/// `EMM_SECTION__KEY`, and nothing else that begins with `EMM_`: `EMM_HOME` and `EMM_CONFIG` are flags, secrets
/// are read as they stand.
fn environment() -> Env {
    Env::prefixed("EMM_")
        .filter_map(|key| {
            let key = key.as_str().to_lowercase();
            (key.contains("__") && !secrets::is_one(&key)).then(|| key.replace("__", ".").into())
        })
        .split("\0")
        .lowercase(false)
}

/// figment's first error in our words: the key, the nearest known one, the place it was set.
fn explain(error: &figment::Error) -> ConfigError {
    let place = error.metadata.as_ref().map(|metadata| match &metadata.source {
        Some(source) => format!(" ({source})"),
        None => format!(" ({})", metadata.name),
    });
    let place = place.unwrap_or_default();
    let path = error.path.join(".");
    let message = match &error.kind {
        Kind::UnknownField(key, known) => {
            let whole =
                if path.ends_with(key.as_str()) || path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let whole = if path.ends_with(key.as_str()) { path.clone() } else { whole };
            let nearest = known
                .iter()
                // It favours a common beginning: of `settle_seconds` most typed `settle` first.
                .max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
            let hint = nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
            format!("there is no key {whole:?}{place}{hint}")
        }
        kind => format!("{path}{place}: {kind}"),
    };
    ConfigError(message)
}
