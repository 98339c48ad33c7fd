//! The role table: every role, whom it calls, and how it is built. Read this first.

mod parts;

use std::{future::Future, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};

pub use parts::{Kept, Parts};

use crate::{
    life::Shutdown,
    rpc::{Error, Result, Role, Toolbox},
};

/// One row of the table.
pub struct Row {
    /// Its name.
    pub role: Role,
    /// What it is for, in one line.
    pub about: &'static str,
    /// Roles that it calls.
    pub needs: &'static [Role],
    /// Builds it.
    pub build: fn(Parts) -> BoxFuture<'static, Result<Built>>,
}

/// Every role that is built. `all` is every row.
pub const ROLES: [Row; 4] = [
    Row {
        role: Role::FileSystemAgent,
        about: "sweeps the inbox, decides, files, and asks where it doubts",
        needs: &[Role::FileSystem, Role::ContentClassifier, Role::JdClassifier],
        build: |parts| parts::file_system_agent(parts).boxed(),
    },
    Row {
        role: Role::ContentClassifier,
        about: "ranks the places of the structure for a document",
        needs: &[],
        build: |parts| parts::content_classifier(parts).boxed(),
    },
    Row {
        role: Role::JdClassifier,
        about: "keeps the Johnny.Decimal structure and allocates ids",
        needs: &[],
        build: |parts| parts::jd_classifier(parts).boxed(),
    },
    Row {
        role: Role::FileSystem,
        about: "reads the inbox, writes the vault, keeps custody",
        needs: &[],
        build: |parts| parts::file_system(parts).boxed(),
    },
];

/// A role that was built.
#[derive(Default)]
pub struct Built {
    /// The tools that it answers.
    pub toolbox: Toolbox,
    /// The loops that it runs.
    pub loops: Vec<Loop>,
    /// What it closes once its calls and loops have ended: they may need it to their end.
    pub close: Option<Close>,
}

/// Work that a node does last.
pub type Close = BoxFuture<'static, ()>;

/// Work that a role does until shutdown. It is started again if it ends before.
pub struct Loop {
    /// What it is, for logs and health.
    pub name: &'static str,
    /// Starts it.
    pub start: Box<dyn Fn(Shutdown) -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

impl Loop {
    /// A loop of a service.
    pub fn new<S, F>(name: &'static str, service: Arc<S>, run: fn(Arc<S>, Shutdown) -> F) -> Loop
    where
        S: Send + Sync + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Loop { name, start: Box::new(move |stop| run(service.clone(), stop).boxed()) }
    }
}

/// `all`, one role, or several with commas between them.
pub fn select(names: &str) -> Result<Vec<Role>> {
    let mut roles = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name {
            "all" => roles.extend(Role::ALL),
            name => roles.push(name.parse()?),
        }
    }
    roles.sort();
    roles.dedup();
    if roles.is_empty() {
        return Err(Error::invalid("--role needs a name: all, or one that 'emm roles' lists"));
    }
    Ok(roles)
}

/// The row of a role.
pub fn row(role: Role) -> Option<&'static Row> {
    ROLES.iter().find(|row| row.role == role)
}
