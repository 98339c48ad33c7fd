//! The names of the roles. What each one is made of stands in the table, `crate::roles`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;

/// A name that a process is started with. Kebab-case everywhere: flag, URL, service name, metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sweeps the inbox and files what is in it.
    FileSystemAgent,
    /// Says what something is: ranks the places of the structure for a document.
    ContentClassifier,
    /// Knows the owner's Johnny.Decimal structure.
    JdClassifier,
    /// The only writer of vault and store.
    FileSystem,
}

impl Role {
    /// Every role that is built, in the order of the table.
    pub const ALL: [Role; 4] = [Role::FileSystemAgent, Role::ContentClassifier, Role::JdClassifier, Role::FileSystem];

    /// The name, as it is typed and as it stands in URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::FileSystemAgent => "file-system-agent",
            Role::ContentClassifier => "content-classifier",
            Role::JdClassifier => "jd-classifier",
            Role::FileSystem => "file-system",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || Role::ALL.map(Role::as_str).join(", ");
        let role = Role::ALL.into_iter().find(|role| role.as_str() == name);
        role.ok_or_else(|| Error::invalid(format!("unknown role {name:?}; known are all, {}", known())))
    }
}
