//! The one test binary. A new test is a new file here, or a new case under `tests/cases/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test stops at whatever is not as it should be"
)]

mod classify;
mod custody;
mod inbox;
mod inbox_custody;
mod jd;
mod jd_text;
mod note;
mod one_thing;
mod parsers;
mod process;
mod scenarios;
mod search;
mod vault;
mod vault_custody;
mod vault_trees;
mod world;
