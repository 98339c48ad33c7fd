//! The one test binary. A new test is a new file here, or a new case under `tests/cases/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test stops at whatever is not as it should be"
)]

mod agents;
mod classify;
mod cli;
mod custody;
mod doors;
mod extract;
mod fabric;
mod faults;
mod graph;
mod house;
mod inbox;
mod inbox_custody;
mod jd;
mod jd_text;
mod layers;
mod learning;
mod note;
mod one_thing;
mod parsers;
mod pod;
mod process;
mod quarantine;
mod routing;
mod scenarios;
mod search;
mod second_thoughts;
mod sources;
mod state;
mod store;
mod structures;
mod supervise;
mod vault;
mod vault_custody;
mod vault_trees;
mod world;
