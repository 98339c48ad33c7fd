//! Which room may use which: the one table of the layers, held against every path that the sources write.

use super::sources::{self, Source, Token, paths};

/// A row: who, whom they may use, what of that they may not.
struct Row {
    /// The layer, as `ARCHITECTURE.md` and `lib.rs` number it.
    layer: u8,
    /// The first part of the module path.
    room: &'static str,
    /// Paths of our own that it may use, besides its own part: `services::*` is the same service, not its siblings.
    may: &'static [&'static str],
    /// What it may not use: a part of what it may, or of other crates.
    never: &'static [&'static str],
}

/// What pure rooms do without.
const WORLD: &[&str] = &[
    "tokio",
    "tokio_util",
    "futures_util",
    "rusqlite",
    "object_store",
    "cap_std",
    "rustix",
    "notify",
    "metrics",
    "tracing",
    "std::fs",
    "std::env",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
    "uuid::Uuid::new_v4",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
];

/// THE TABLE. `lib.rs` lists the rooms in the same order; a room may use only rooms above it.
#[rustfmt::skip]
const LAYERS: &[Row] = &[
    Row { layer: 0, room: "domain",    may: &["domain"], never: WORLD },
    Row { layer: 0, room: "fault",     may: &["fault", "life", "rpc"], never: &[] },
    Row { layer: 0, room: "life",      may: &["life", "fault", "rpc"], never: &[] },
    Row { layer: 0, room: "rpc",       may: &["rpc", "life", "fault"], never: &[] },
    Row { layer: 1, room: "backends",  may: &["backends", "domain", "life", "fault"], never: &[] },
    Row { layer: 1, room: "contracts", may: &["contracts", "domain", "rpc::Tool", "rpc::Role", "rpc::Effect"], never: WORLD },
    Row { layer: 2, room: "services",  may: &["services::*", "services::blocking", "contracts", "backends", "domain", "life", "fault", "rpc"],
                                       never: &["rpc::Tools", "rpc::tools", "rpc::peers"] },
    Row { layer: 3, room: "graph",     may: &["graph", "rpc", "backends::state"], never: &[] },
    Row { layer: 3, room: "agents",    may: &["agents::*", "graph", "contracts", "rpc", "life", "domain", "backends::state"], never: &[] },
    Row { layer: 4, room: "config",    may: TO_CONFIG, never: &[] },
    Row { layer: 4, room: "roles",     may: TO_ROLES, never: &[] },
    Row { layer: 5, room: "node",      may: TO_NODE, never: &[] },
    Row { layer: 6, room: "cli",       may: TO_CLI, never: &[] },
    Row { layer: 7, room: "main",      may: &["cli", "backends::parsers"], never: &[] },
];

#[rustfmt::skip]
const TO_CONFIG: &[&str] =
    &["domain", "fault", "life", "rpc", "backends", "contracts", "services", "graph", "agents", "config"];
#[rustfmt::skip]
const TO_ROLES: &[&str] =
    &["domain", "fault", "life", "rpc", "backends", "contracts", "services", "graph", "agents", "config", "roles"];
#[rustfmt::skip]
const TO_NODE: &[&str] =
    &["domain", "fault", "life", "rpc", "backends", "contracts", "services", "graph", "agents", "config", "roles", "node"];
#[rustfmt::skip]
const TO_CLI: &[&str] =
    &["domain", "fault", "life", "rpc", "backends", "contracts", "services", "graph", "agents", "config", "roles", "node", "cli"];

/// What is wrong with the paths of one source: one line each.
fn complaints(source: &Source) -> Vec<String> {
    let module = source.module();
    let room = if source.path == "main.rs" { "main" } else { module.first().map_or("lib", String::as_str) };
    if room == "lib" {
        return Vec::new();
    }
    let Some(row) = LAYERS.iter().find(|row| row.room == room) else {
        return vec![format!("src/{}: the room {room} has no row in the table of the layers", source.path)];
    };
    let own_part = module.iter().take(2).cloned().collect::<Vec<_>>().join("::");
    let mut complaints = Vec::new();
    for path in paths(source) {
        let (ours, path_text) = match path.segments.split_first() {
            Some((root, rest)) if root == "crate" || root == "emm" => (true, rest.join("::")),
            _ => (false, path.segments.join("::")),
        };
        let allowed = !ours
            || row.may.iter().any(|may| match may.strip_suffix("::*") {
                Some(_) => inside(&path_text, &own_part),
                None => inside(&path_text, may),
            });
        let forbidden = row.never.iter().any(|never| inside(&path_text, never) || (ours && brings(&path_text, never)));
        if !allowed || forbidden {
            complaints.push(format!("src/{}:{}: {room} may not use {path_text}", source.path, path.line));
        }
    }
    complaints
}

/// Whether a path is `place` or below it.
fn inside(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether an import brings `never` along, being above it: `rpc`, `rpc::*`.
fn brings(path: &str, never: &str) -> bool {
    let path = path.strip_suffix("::*").unwrap_or(path);
    never.strip_prefix(path).is_some_and(|rest| rest.starts_with("::"))
}

#[test]
fn every_room_uses_only_what_its_layer_allows() {
    let complaints: Vec<String> = sources::all().iter().flat_map(complaints).collect();
    assert!(complaints.is_empty(), "the table is in tests/it/layers.rs:\n{}", complaints.join("\n"));
}

#[test]
fn lib_lists_the_rooms_in_the_order_of_the_layers() {
    let lib = Source::made_up("lib.rs", &sources::text("src/lib.rs"));
    let table: Vec<&str> = LAYERS.iter().map(|row| row.room).filter(|room| *room != "main").collect();
    assert_eq!(modules(&lib.tokens()), table, "left: the mod lines of lib.rs, right: the table of the layers");
}

#[test]
fn rooms_use_only_rooms_above_them() {
    let place = |room: &str| LAYERS.iter().position(|row| row.room == room);
    for (at, row) in LAYERS.iter().enumerate() {
        for may in row.may {
            let used = may.split("::").next().unwrap_or(may);
            let other = place(used).unwrap_or_else(|| panic!("{} may use {used}, which has no row", row.room));
            let together = LAYERS[other].layer == 0 && row.layer == 0 && row.room != "domain";
            assert!(other <= at || together, "{} may use {used}, which stands below it", row.room);
        }
    }
    assert!(LAYERS.is_sorted_by_key(|row| row.layer), "the table goes up layer by layer");
}

/// The names of the `mod` lines, in their order.
fn modules(tokens: &[Token]) -> Vec<String> {
    let lines = (0..tokens.len()).filter(|at| tokens[*at].text == "mod" && sources::reads(tokens, at + 2, &[";"]));
    lines.map(|at| tokens[at + 1].text.clone()).collect()
}

/// The checker must be able to fail: each made-up source breaks one row, or is one that only looks as if it did.
#[rustfmt::skip]
const MADE_UP: &[(&str, &str, &[&str])] = &[
    // What no room may do.
    ("domain/jd/lint.rs", "use tokio::sync::Notify;", &["domain may not use tokio::sync::Notify"]),
    ("domain/jd/lint.rs", "fn f() { let now = std::time::SystemTime::now(); }", &["domain may not use std::time::SystemTime::now"]),
    ("domain/jd/lint.rs", "use std::{collections::BTreeMap,\n fs};", &["domain may not use std::fs"]),
    ("domain/jd/lint.rs", "use crate::backends::Clock;", &["domain may not use backends::Clock"]),
    ("domain/jd/lint.rs", "use super::super::super::rpc::Error;", &["domain may not use rpc::Error"]),
    ("rpc/tools.rs", "use crate::contracts::jd_classifier::Lookup;", &["rpc may not use contracts::jd_classifier::Lookup"]),
    ("life.rs", "use crate::{\n    domain,\n    rpc::Error,\n};", &["life may not use domain"]),
    ("fault.rs", "fn f() { crate::node::telemetry::render(); }", &["fault may not use node::telemetry::render"]),
    ("contracts/file_system.rs", "use crate::rpc::{Effect, Tools};", &["contracts may not use rpc::Tools"]),
    ("contracts/file_system.rs", "use crate::rpc;", &["contracts may not use rpc"]),
    ("contracts/file_system.rs", "use crate::{domain::{custody::Link, jd}, backends::{vault::Vault}};", &["contracts may not use backends::vault::Vault"]),
    ("backends/vault/mod.rs", "use crate::{contracts::file_system::Item, rpc::Error};",
        &["backends may not use contracts::file_system::Item", "backends may not use rpc::Error"]),
    ("services/file_system/undo.rs", "use crate::services::jd_classifier::JdClassifier;", &["services may not use services::jd_classifier::JdClassifier"]),
    ("services/file_system/undo.rs", "use super::super::jd_classifier;", &["services may not use services::jd_classifier"]),
    ("services/file_system/undo.rs", "use crate::services;", &["services may not use services"]),
    ("services/file_system/undo.rs", "use crate::{self as all};", &["services may not use "]),
    ("services/file_system/undo.rs", "use crate::rpc::{Answer, Tools};", &["services may not use rpc::Tools"]),
    ("services/file_system/undo.rs", "use crate::rpc::*;", &["services may not use rpc::*"]),
    ("services/file_system/undo.rs", "use crate::rpc;", &["services may not use rpc"]),
    ("services/file_system/undo.rs", "fn f(t: crate::rpc::tools::Tools) {}", &["services may not use rpc::tools::Tools"]),
    ("services/faults.rs", "use crate::agents::file_system::Settings;", &["services may not use agents::file_system::Settings"]),
    ("agents/file_system/item.rs", "use crate::services::file_system::FileSystem;", &["agents may not use services::file_system::FileSystem"]),
    ("agents/file_system/item.rs", "use crate::backends::{state::State, store::Journal};", &["agents may not use backends::store::Journal"]),
    ("agents/file_system/item.rs", "use crate::agents::bookmarks::Bookmark;", &["agents may not use agents::bookmarks::Bookmark"]),
    ("graph/executor.rs", "use crate::contracts::file_system::Item;", &["graph may not use contracts::file_system::Item"]),
    ("config.rs", "use crate::node::Node;", &["config may not use node::Node"]),
    ("roles/parts.rs", "use crate::cli;", &["roles may not use cli"]),
    ("node/mod.rs", "use crate::cli::Flags;", &["node may not use cli::Flags"]),
    ("main.rs", "fn main() { emm::node::start(); emm::cli::run() }", &["main may not use node::start"]),
    ("helpers/mod.rs", "", &["the room helpers has no row in the table of the layers"]),
    // What only looks so.
    ("domain/jd/lint.rs", "//! crate::backends::Clock\nconst A: &str = \"crate::rpc::Error\"; /* use tokio::net; */ #[cfg(test)] mod tests { use tokio::net; }", &[]),
    ("domain/note/mod.rs", "use super::{classify::Candidate, text}; use std::sync::Arc;", &[]),
    ("contracts/mod.rs", "macro_rules! tool { () => { impl crate::rpc::Tool for X { const ROLE: crate::rpc::Role = crate::rpc::Role::$role; } } }", &[]),
    ("services/file_system/undo.rs", "use super::{FileSystem, filing::parse_hash}; use crate::services::blocking::blocking; use crate::rpc::{Answer, Error}; crate::fault!(\"x\");", &[]),
    ("agents/file_system/item.rs", "use super::{Context, decide}; use crate::{backends::state::State, rpc::Tools, graph::Graph};", &[]),
    ("cli/mod.rs", "use crate::{node::Node, roles, config::Config};", &[]),
    ("main.rs", "fn main() { if emm::backends::parsers::is_child() {} emm::cli::run() }", &[]),
];

#[test]
fn the_checker_complains_of_each_row() {
    for (path, text, expected) in MADE_UP {
        let found = complaints(&Source::made_up(path, text));
        let words: Vec<&str> = found.iter().filter_map(|it| Some(it.split_once(": ")?.1)).collect();
        assert_eq!(words, *expected, "{path}: {text}");
    }
    for row in LAYERS.iter().filter(|row| row.room != "cli") {
        let complaint = format!("{} may not", row.room);
        let broken = MADE_UP.iter().any(|(_, _, expected)| expected.iter().any(|it| it.starts_with(&complaint)));
        assert!(broken, "no made-up source breaks the row of {}", row.room);
    }
}
