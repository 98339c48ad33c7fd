//! The variables of the original system, which mean here what they meant there.

use figment::value::Value;

use super::ConfigError;

/// What selects the pod profile.
const POD: &str = "K8S_MODE";

/// A variable and the key that it sets, where this build has that key.
const VARIABLES: [(&str, &str); 2] = [("REDIS_HOST", "redis.host"), ("REDIS_PORT", "redis.port")];

/// Whether the pod profile is asked for.
///
/// # Errors
/// A value that is neither `true` nor `false`: a typing error must not make a laptop of a pod.
pub fn is_pod(given: impl Fn(&str) -> Option<String>) -> Result<bool, ConfigError> {
    match given(POD).unwrap_or_default().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        other => Err(ConfigError(format!("{POD} is {other:?}; set it to true or false"))),
    }
}

/// The keys that are given by variables of the original, of those that `known` knows.
pub fn keys(given: impl Fn(&str) -> Option<String>, known: impl Fn(&str) -> bool) -> Vec<(&'static str, Value)> {
    let rows = VARIABLES.into_iter().filter(|(_, key)| known(key));
    rows.filter_map(|(variable, key)| {
        // Kubernetes itself sets REDIS_PORT to an address like this, in every pod beside a service named "redis".
        let text = given(variable).filter(|text| !text.is_empty() && !text.starts_with("tcp://"))?;
        let value = text.parse().unwrap_or_else(|never| match never {});
        Some((key, value))
    })
    .collect()
}
