//! Configuration, in one place and in one order: compiled-in defaults < file < environment < flags.

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

use crate::{agents, backends, rpc, services};

/// The defaults, and their documentation.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Keys whose value may lie in a file that `EMM_SECTION__KEY_FILE` names.
const SECRETS: [&str; 2] = ["node.token", "node.token_previous"];

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
    /// The cache.
    pub cache: backends::cache::Settings,
    /// The state.
    pub state: backends::state::Settings,
    /// The vault.
    pub vault: backends::vault::Settings,
    /// The inbox.
    pub inbox: backends::inbox::Settings,
    /// The processes that documents are read in.
    pub parsers: backends::parsers::Settings,
    /// Keeping what was filed.
    pub file_system: services::file_system::Settings,
    /// The structure.
    pub jd_classifier: services::jd_classifier::Settings,
    /// What emm learns.
    pub content_classifier: services::content_classifier::Settings,
    /// Deciding.
    pub file_system_agent: agents::file_system::Settings,
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
    pub token: String,
    /// A second token that is accepted, during a rotation.
    pub token_previous: String,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Connections open at once.
    pub connections_max: usize,
    /// How long a client may take to send its request head, in seconds.
    pub header_seconds_max: u64,
    /// Calls of one tool under way at once; further ones wait.
    /// How old a connection may become, in seconds; then it finishes what it answers and is closed.
    pub connection_seconds_max: u64,
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
    /// The configuration from its four layers. `flags` is a partial `Config`.
    pub fn load(file: Option<&Path>, flags: &serde_json::Value) -> Result<Config, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(format!("{} is not a file", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment.merge(environment());
        for (key, path) in secret_files() {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| ConfigError(format!("{key} from {}: {error}", path.display())))?;
            figment = figment.merge((key, text.trim().to_owned()));
        }
        figment.merge(Serialized::defaults(flags)).extract().map_err(|error| explain(&error))
    }

    /// The configuration as TOML, with secrets hidden.
    pub fn show(&self) -> serde_json::Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        for secret in SECRETS {
            let pointer = format!("/{}", secret.replace('.', "/"));
            if let Some(value) = shown.pointer_mut(&pointer).filter(|value| value.as_str() != Some("")) {
                *value = "***".into();
            }
        }
        shown
    }
}

/// `EMM_SECTION__KEY`, and nothing else that begins with `EMM_`: `EMM_HOME` and `EMM_CONFIG` are flags.
fn environment() -> Env {
    Env::prefixed("EMM_")
        .filter_map(|key| {
            let key = key.as_str().to_lowercase();
            let secret_file = SECRETS.iter().any(|secret| is_file_of(&key, secret));
            (key.contains("__") && !secret_file).then(|| key.replace("__", ".").into())
        })
        .split("\0")
        .lowercase(false)
}

fn is_file_of(key: &str, secret: &str) -> bool {
    key.strip_suffix("_file").is_some_and(|key| key.replace("__", ".") == secret)
}

fn secret_files() -> Vec<(&'static str, PathBuf)> {
    let path = |secret: &str| std::env::var_os(format!("EMM_{}_FILE", secret.to_uppercase().replace('.', "__")));
    SECRETS.into_iter().filter_map(|secret| Some((secret, path(secret)?.into()))).collect()
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
            let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, key));
            let hint = nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
            format!("there is no key {whole:?}{place}{hint}")
        }
        kind => format!("{path}{place}: {kind}"),
    };
    ConfigError(message)
}
