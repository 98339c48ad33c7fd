//! Secrets: texts that are read as they stand, and never shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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
