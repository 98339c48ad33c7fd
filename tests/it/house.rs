//! The house rules that no linter knows, held against the sources, the configuration and the documents of the crate.

use std::collections::{BTreeMap, BTreeSet};

use emm::{config::Config, rpc::Role};
use serde_json::{Value, json};

use super::sources::{self, Source, Token, paths, reads};

/// Lines of a file, of the median file, of a function and of `main.rs`.
const FILE_LINES_MAX: usize = 400;
const MEDIAN_LINES_MAX: usize = 150;
const FUNCTION_LINES_MAX: usize = 70;
const MAIN_LINES_MAX: usize = 60;

/// Functions that are longer, and better so.
const LONG_FUNCTIONS: &[&str] = &[];

/// Every static there may be: recorders of a process, the thesaurus, counters of injected faults, the context of a call, and whether its
/// thread may be blocked.
const STATICS: &[&str] = &[
    "backends/blocking.rs MAY_BLOCK",
    "domain/classify/thesaurus.rs THESAURUS",
    "fault.rs AT",
    "fault.rs HITS",
    "node/telemetry.rs METRICS",
    "rpc/context.rs CONTEXT",
];

/// Where roles are told apart: the list of their names, and the table. Everywhere else no role is special.
const ROLE_FILES: &[&str] = &["rpc/role.rs", "roles/"];

#[test]
fn files_are_short() {
    let lengths: Vec<(usize, String)> =
        sources::all().into_iter().map(|source| (source.text.lines().count(), source.path)).collect();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > FILE_LINES_MAX).collect();
    assert!(long.is_empty(), "longer than {FILE_LINES_MAX} lines; there is a second idea in them: {long:?}");
    let mut sorted: Vec<usize> = lengths.iter().map(|(lines, _)| *lines).collect();
    sorted.sort_unstable();
    let median = sorted[sorted.len() / 2];
    assert!(median <= MEDIAN_LINES_MAX, "the median file has {median} lines, more than {MEDIAN_LINES_MAX}");
    let main = lengths.iter().find(|(_, path)| path == "main.rs").expect("there is a main.rs").0;
    assert!(main <= MAIN_LINES_MAX, "main.rs has {main} lines; it is for flags, signals and the exit code");
}

#[test]
fn functions_are_short() {
    let found: BTreeMap<String, usize> = sources::all().iter().flat_map(long_functions).collect();
    let new: Vec<_> = found.iter().filter(|(name, _)| !LONG_FUNCTIONS.contains(&name.as_str())).collect();
    assert!(new.is_empty(), "longer than {FUNCTION_LINES_MAX} lines; split them, or list them with a reason: {new:?}");
    let stale: Vec<_> = LONG_FUNCTIONS.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(stale.is_empty(), "these are short or gone; take them off the list: {stale:?}");
}

/// `path name` and lines of every function that is too long.
fn long_functions(source: &Source) -> Vec<(String, usize)> {
    let tokens = source.tokens();
    let functions =
        (0..tokens.len()).filter(|at| tokens[*at].text == "fn" && tokens.get(at + 1).is_some_and(Token::is_word));
    functions
        .filter_map(|at| {
            let last = &tokens[sources::item_end(&tokens, at) - 1];
            let lines = last.line - tokens[at].line + 1;
            (lines > FUNCTION_LINES_MAX).then(|| (format!("{} {}", source.path, tokens[at + 1].text), lines))
        })
        .collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources::all().into_iter().filter(|it| !it.text.starts_with("//! ")).map(|it| it.path).collect();
    assert!(silent.is_empty(), "these do not begin with a //! sentence: {silent:?}");
}

#[test]
fn nothing_is_left_half_done_or_can_be_poisoned() {
    let found: Vec<String> = sources::all().iter().flat_map(banned).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Macros and types that no source may have.
fn banned(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let unfinished = |at: &usize| ["todo", "unimplemented", "dbg"].iter().any(|name| reads(&tokens, *at, &[name, "!"]));
    let macros = (0..tokens.len())
        .filter(unfinished)
        .map(|at| format!("src/{}:{}: {}! is for unfinished work", source.path, tokens[at].line, tokens[at].text));
    let locks = ["std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar", "std::sync::*"];
    let locks = paths(source).into_iter().filter_map(|path| {
        let text = path.segments.join("::");
        let lock = locks.iter().find(|lock| text.starts_with(**lock))?;
        Some(format!("src/{}:{}: {lock} can be poisoned by a caught panic; use parking_lot", source.path, path.line))
    });
    macros.chain(locks).collect()
}

#[test]
fn no_role_is_special() {
    let found: Vec<String> = sources::all().iter().flat_map(special_roles).collect();
    assert!(found.is_empty(), "src/roles is the only place that tells one role from another:\n{}", found.join("\n"));
}

/// Comparisons with a role outside the table: `role == x`, `match role`, `x != Role::Y`, `Role::Y =>`.
fn special_roles(source: &Source) -> Vec<String> {
    if ROLE_FILES.iter().any(|file| source.path.starts_with(file)) {
        return Vec::new();
    }
    let tokens = source.tokens();
    let is = |at: Option<usize>, signs: &[&str]| {
        at.and_then(|at| tokens.get(at)).is_some_and(|it| signs.contains(&it.text.as_str()))
    };
    let special = |at: usize| match tokens[at].text.as_str() {
        "role" => is(Some(at + 1), &["==", "!="]) || is(at.checked_sub(1), &["match"]),
        "Role" if is(Some(at + 1), &["::"]) => {
            is(at.checked_sub(1), &["==", "!=", "|"]) || is(Some(at + 3), &["==", "!=", "=>", "|"])
        }
        _ => false,
    };
    let found = (0..tokens.len()).filter(|at| special(*at));
    found.map(|at| format!("src/{}:{}: it tells roles apart", source.path, tokens[at].line)).collect()
}

#[test]
fn contracts_take_what_a_newer_build_adds() {
    let strict = |source: &Source| source.tokens().iter().any(|token| token.text == "deny_unknown_fields");
    let found: Vec<String> = sources::all()
        .into_iter()
        .filter(|it| it.path.starts_with("contracts/"))
        .filter(strict)
        .map(|it| it.path)
        .collect();
    assert!(found.is_empty(), "a field that another build adds would fail every call to these: {found:?}");
    assert!(strict(&Source::made_up("contracts/a.rs", "#[serde(default, deny_unknown_fields)] struct A;")));
}

#[test]
fn statics_are_the_ones_that_are_meant() {
    let found: BTreeSet<String> = sources::all().iter().flat_map(statics).collect();
    let meant: BTreeSet<String> = STATICS.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(
        found, meant,
        "ten nodes fit into one process because nothing else is shared; left: found, right: meant"
    );
}

/// `path NAME` of every static, thread-local or lazily made.
fn statics(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let word = |at: usize| tokens.get(at).filter(|it| it.is_word()).map(|it| it.text.clone());
    let name = |at: usize| match tokens[at].text.as_str() {
        "static" => word(at + 1)
            .filter(|it| it != "move")
            .and_then(|it| if it == "mut" || it == "ref" { word(at + 2) } else { Some(it) }),
        _ => None,
    };
    (0..tokens.len()).filter_map(name).map(|name| format!("{} {name}", source.path)).collect()
}

#[test]
fn every_default_says_what_it_means() {
    let text = sources::text("config/default.toml");
    let silent: Vec<String> = defaults(&text).into_iter().filter(|it| it.comment.is_empty()).map(|it| it.key).collect();
    assert!(silent.is_empty(), "these keys of config/default.toml have no comment after them: {silent:?}");
}

#[test]
fn a_share_that_is_none_is_refused_by_its_name() {
    for (flags, named) in [
        (serde_json::json!({ "decide": { "precision": 90 } }), "decide.precision = 90"),
        (serde_json::json!({ "file_system_agent": { "threshold": -0.1 } }), "file_system_agent.threshold = -0.1"),
    ] {
        let refused = emm::config::Config::load(None, &flags).unwrap_err().to_string();
        assert!(refused.contains(named) && refused.contains("from 0 to 1"), "{refused}");
    }
}

#[test]
fn the_defaults_are_all_keys_there_are() {
    let config = Config::load(None, &json!({})).expect("the defaults alone are a configuration");
    let documented: BTreeSet<String> =
        defaults(&sources::text("config/default.toml")).into_iter().map(|it| it.key).collect();
    assert!(documented.len() > 30, "the keys are found");
    let known = keys(&serde_json::to_value(&config).expect("serialises"));
    let missing: Vec<_> = known.difference(&documented).collect();
    let strange: Vec<_> = documented.difference(&known).collect();
    assert!(
        missing.is_empty() && strange.is_empty(),
        "not in config/default.toml: {missing:?}; only there: {strange:?}"
    );
    // Rooms that bring defaults of their own, for their tests, bring the same.
    assert_eq!(config.inbox, emm::backends::inbox::Settings::default(), "[inbox]");
    assert_eq!(config.parsers, emm::backends::parsers::Settings::default(), "[parsers]");
}

/// A key of the defaults and the comment behind it.
struct Documented {
    key: String,
    comment: String,
}

/// The keys of a TOML text that has one key a line.
fn defaults(toml: &str) -> Vec<Documented> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in toml.lines() {
        let (code, comment) = line.split_at(comment_start(line));
        let comment = comment.trim_start_matches('#').trim().to_owned();
        if let Some(name) = code.trim().strip_prefix('[').filter(|_| !code.contains('=')) {
            section = name.trim_end_matches(']').to_owned() + ".";
        } else if let Some((key, _)) = code.split_once('=') {
            found.push(Documented { key: format!("{section}{}", key.trim()), comment });
        }
    }
    found
}

/// Where the comment of a line begins: at the first `#` outside quotes.
fn comment_start(line: &str) -> usize {
    let mut quoted = false;
    for (at, letter) in line.char_indices() {
        quoted ^= letter == '"';
        if letter == '#' && !quoted {
            return at;
        }
    }
    line.len()
}

/// The paths of all leaves; a map with nothing in it is a leaf.
fn keys(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let below = keys(value);
        if below.is_empty() {
            found.insert(key.clone());
        }
        found.extend(below.into_iter().map(|inner| format!("{key}.{inner}")));
    }
    found
}

#[test]
fn the_readme_lists_the_roles() {
    let listed = first_cells(&sources::text("README.md"), "| role |");
    let built: Vec<&str> = Role::ALL.into_iter().map(Role::as_str).collect();
    assert_eq!(listed, built, "the table that begins with '| role |' in README.md; left: there, right: Role::ALL");
}

/// The first cells of a Markdown table, without their backticks.
fn first_cells(markdown: &str, head: &str) -> Vec<String> {
    let rows =
        markdown.lines().skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(1)).map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_rules_can_be_broken() {
    let source = |text: &str| Source::made_up("services/made_up.rs", text);
    let long = format!(
        "fn short() {{}}\nfn long(a: [u8; 3])\nwhere A: B {{\n{}}}\ntrait T {{ fn none(); }}",
        "x();\n".repeat(70)
    );
    assert_eq!(long_functions(&source(&long)), [("services/made_up.rs long".to_owned(), 73)]);
    assert_eq!(banned(&source("fn f() { todo!() }\n// dbg!(1)\nuse std::sync::{Arc, Mutex};")).len(), 2);
    assert_eq!(banned(&source("use parking_lot::Mutex; use tokio::sync::RwLock; use std::sync::Arc;")).len(), 0);
    let apart = "if role == x {} match role { Role::A => 1, _ => 2 } if a != Role::B {}";
    assert_eq!(special_roles(&source(apart)).len(), 4);
    let alike =
        "entry.role.as_str() == role && a; struct A { role: Role } f(Role::A); Role::ALL; Role::$role; [Role::A]";
    assert_eq!(special_roles(&source(alike)).len(), 0);
    let text = "static A: u8 = 1; static mut B: &'static str = \"static C\"; thread_local! { static D: u8 = 1 } #[cfg(test)] static E: u8 = 1;";
    assert_eq!(statics(&source(text)), ["services/made_up.rs A", "services/made_up.rs B", "services/made_up.rs D"]);

    let found = defaults("[a]  # about a\nb = \"#\" # about b\nc = 1\n[a.d]\ne = {} # about e\n");
    let found: Vec<(&str, &str)> = found.iter().map(|it| (it.key.as_str(), it.comment.as_str())).collect();
    assert_eq!(found, [("a.b", "about b"), ("a.c", ""), ("a.d.e", "about e")]);
    let known = keys(&json!({ "a": { "b": "#", "c": [1], "d": { "e": {} } } }));
    assert_eq!(known.into_iter().collect::<Vec<_>>(), ["a.b", "a.c", "a.d.e"]);
    assert_eq!(first_cells("| role | x |\n|---|---|\n| `a` | 1 |\n| `b` | 2 |\n\n| c | d |", "| role |"), ["a", "b"]);
}
