//! Secrets: read as they stand, and never shown.

use std::{ffi::OsString, fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ConfigError;

/// Every key that holds a secret. Its value may also lie in a file that `EMM_SECTION__KEY_FILE` names.
const SECRETS: [&str; 2] = ["node.token", "node.token_previous"];

/// A text that neither logs nor `emm config show` nor an error shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is shown instead.
    fn mask(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "***" }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?})", self.mask())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.mask())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

/// Takes text alone, and refuses the rest without saying what it was: serde's own words would show it.
struct Text;

fn refused<T, E: de::Error>() -> Result<T, E> {
    Err(E::custom("a secret is text: write it in quotes"))
}

impl<'de> de::Visitor<'de> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        refused()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        refused()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        refused()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Secret, E> {
        refused()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Secret, E> {
        refused()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        refused()
    }
}

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
