//! The one test binary. A new test is a new file here, or a new case under `tests/cases/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test stops at whatever is not as it should be"
)]

mod cli;
mod inbox;
mod inbox_custody;
mod jd;
mod jd_text;
mod note;
mod parsers;
mod search;
mod vault;
mod vault_custody;
