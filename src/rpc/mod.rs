//! How it is said: a typed tool, answered in this process or in another.

pub mod circuit;
pub mod context;
pub mod error;
pub mod http;
pub mod peers;
pub mod replicas;
pub mod role;
pub mod token;
pub mod tool;
pub mod toolbox;
pub mod tools;
pub mod trace;

pub use context::Context;
pub use error::{Code, Error, Result};
pub use role::Role;
pub use tool::{Answer, Effect, Tool};
pub use toolbox::Toolbox;
pub use tools::Tools;
pub use trace::Trace;
