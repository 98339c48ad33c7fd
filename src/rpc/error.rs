//! The one error that crosses roles: a closed code and a message, the same on both sides of the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A result whose error may cross a role.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a tool did not answer. The message is for a person: lower case, names the thing, says what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure this is; decides the HTTP status and whether a retry makes sense.
    pub code: Code,
    /// What happened and what to do about it.
    pub message: String,
}

/// The closed set of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is wrong; the same request will fail again.
    Invalid,
    /// A token is missing or wrong.
    Unauthorized,
    /// The Host or the Origin of the request is not one this node answers to.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// Something else came first, or changed meanwhile; look again.
    Conflict,
    /// The body is beyond its limit.
    TooLarge,
    /// The time that the caller gave ran out.
    Deadline,
    /// Not now: a peer, a disk or a limit; the same request may succeed later.
    Unavailable,
    /// A fault of emm.
    Internal,
}

/// One row a code: its name on the wire and its HTTP status. The only mapping there is.
const CODES: [(Code, &str, u16); 9] = [
    (Code::Invalid, "invalid", 400),
    (Code::Unauthorized, "unauthorized", 401),
    (Code::Forbidden, "forbidden", 403),
    (Code::NotFound, "not_found", 404),
    (Code::Conflict, "conflict", 409),
    (Code::TooLarge, "too_large", 413),
    (Code::Deadline, "deadline", 504),
    (Code::Unavailable, "unavailable", 503),
    (Code::Internal, "internal", 500),
];

impl Code {
    /// The name on the wire and in metric labels.
    pub fn as_str(self) -> &'static str {
        CODES.iter().find(|row| row.0 == self).map_or("internal", |row| row.1)
    }

    /// The HTTP status that says this.
    pub fn http(self) -> u16 {
        CODES.iter().find(|row| row.0 == self).map_or(500, |row| row.2)
    }

    /// What an HTTP status says that comes without an error of ours: from a proxy, a newer build, another program.
    pub fn of_http(status: u16) -> Code {
        let other = if (400..500).contains(&status) { Code::Invalid } else { Code::Unavailable };
        CODES.iter().find(|row| row.2 == status).map_or(other, |row| row.0)
    }
}

impl Error {
    /// An error of this code.
    pub fn new(code: Code, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }

    /// The request is wrong.
    pub fn invalid(message: impl ToString) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl ToString) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// Something else came first.
    pub fn conflict(message: impl ToString) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// Not now, maybe later.
    pub fn unavailable(message: impl ToString) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// A fault of emm.
    pub fn internal(message: impl ToString) -> Self {
        Self::new(Code::Internal, message)
    }

    /// The same failure with what was being done in front.
    #[must_use]
    pub fn during(self, what: impl std::fmt::Display) -> Self {
        Self { code: self.code, message: format!("{what}: {}", self.message) }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
