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
mod autonomy;
mod cache;
mod cache_workload;
mod classify;
mod cli;
mod custody;
mod doors;
mod embedding_server;
mod embeddings_real;
mod eval;
mod extract;
mod fabric;
mod faults;
mod fleet;
mod fleet_blows;
mod graph;
mod house;
mod inbox;
mod inbox_custody;
mod jd;
mod jd_text;
mod k8s;
mod k8s_pods;
mod lakefs;
mod lakefs_client;
mod lakefs_emm;
mod layers;
mod learning;
mod llm;
mod llm_commands;
mod llm_real;
mod llm_server;
mod meaning;
mod meaning_faults;
mod mirror;
mod moving_house;
mod note;
mod one_thing;
mod owner;
mod parsers;
mod pod;
mod pods;
mod process;
mod proposals;
mod quarantine;
mod redis;
mod redis_server;
mod routing;
mod s3_proxy;
mod s3_server;
mod scenarios;
mod search;
mod second_thoughts;
mod sources;
mod state;
mod state_both;
mod state_lost;
mod store;
mod store_s3;
mod structures;
mod supervise;
mod terminal;
mod thesaurus;
mod vault;
mod vault_custody;
mod vault_s3;
mod vault_trees;
mod world;
