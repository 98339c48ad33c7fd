//! The token that every tool call over HTTP carries.

use std::sync::Arc;

/// The tokens that this node accepts; the first is the one it sends. Two may be valid at once, for a rotation.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Vec<String>>);

impl Tokens {
    /// These tokens; empty ones are dropped.
    pub fn new(tokens: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(tokens.into_iter().filter(|token| !token.is_empty()).collect()))
    }

    /// The token to send, if there is one.
    pub fn to_send(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Whether a request with this `Authorization` header may come in. Without any token nothing may.
    pub fn accept(&self, authorization: Option<&str>) -> bool {
        let Some(given) = authorization.and_then(|value| value.strip_prefix("Bearer ")) else { return false };
        // Comparing hashes takes the same time wherever the first difference is.
        self.0.iter().any(|token| blake3::hash(token.as_bytes()) == blake3::hash(given.as_bytes()))
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({} secret)", self.0.len())
    }
}
