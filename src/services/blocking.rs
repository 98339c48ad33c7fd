//! Work that blocks, whose panic is an error of the call.

use crate::rpc::{Error, Result};

/// Runs work that blocks (files, locks, much to compute) beside the runtime. A panic in it is an internal error.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    crate::backends::blocking::blocking(work).await.map_err(Error::internal)
}
