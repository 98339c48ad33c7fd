//! Where secrets come from: the environment, or a file that it names.

use std::{ffi::OsString, path::PathBuf};

use super::ConfigError;

/// Every key that holds a secret. Its value may also lie in a file that `EMM_SECTION__KEY_FILE` names.
const SECRETS: [&str; 7] = [
    "node.token",
    "node.token_previous",
    "redis.password",
    "store.s3.key_id",
    "store.s3.secret",
    "llm.api_key",
    "embeddings.api_key",
];

/// The variable of a secret, and that of a file with it.
fn variables(secret: &str) -> [String; 2] {
    let name = format!("EMM_{}", secret.to_uppercase().replace('.', "__"));
    [name.clone(), name + "_FILE"]
}

/// Whether a name behind `EMM_` belongs to a secret, in whichever case.
pub(super) fn is_one(key: &str) -> bool {
    let name = format!("EMM_{key}");
    SECRETS.iter().any(|secret| variables(secret).iter().any(|it| it.eq_ignore_ascii_case(&name)))
}

/// The secrets that the environment gives, itself or by a file; what is empty is not given. They are no TOML: a secret
/// of digits is a secret.
pub(super) fn given() -> Result<Vec<(&'static str, String)>, ConfigError> {
    SECRETS.into_iter().filter_map(|key| one(key).transpose().map(|text| Ok((key, text?)))).collect()
}

fn one(key: &str) -> Result<Option<String>, ConfigError> {
    let [name, file] = variables(key);
    let text = match (variable(&name), variable(&file)) {
        (Some(_), Some(_)) => return Err(ConfigError(format!("{name} and {file} are both set; keep one of them"))),
        (Some(text), None) => text.into_string().map_err(|_| ConfigError(format!("{name} is not UTF-8")))?,
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            std::fs::read_to_string(&path)
                .map_err(|error| ConfigError(format!("{file}: {key} from {}: {error}", path.display())))?
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(text.trim().to_owned()))
}

fn variable(name: &str) -> Option<OsString> {
    let mut all = std::env::vars_os();
    let found = all.find(|(it, _)| it.to_str().is_some_and(|it| it.eq_ignore_ascii_case(name)));
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}
