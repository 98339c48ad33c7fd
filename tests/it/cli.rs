//! The command line as a person and a script use it: the built program over homes of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const INVOICE: &str = "Income tax assessment 2023 of the tax office: the tax return was assessed, refund of 120 EUR.";
const RIDDLE: &str = "zzyzx qwrtp";

/// A home that goes with the test.
struct Home(TempDir);

/// How a command ended, and what it said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join("home").join(inner)
    }

    fn document(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emm"));
        command.args(args).env("EMM_HOME", self.path("")).current_dir(self.0.path()).env("EMM_PARSERS__OCR", "false");
        // What a test dropped is complete.
        command.env("EMM_INBOX__SETTLE_SECONDS", "0");
        command.stdin(Stdio::null());
        command
    }

    fn emm(&self, args: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// A command that must end so, and what it printed.
    fn ends(&self, code: i32, args: &[&str]) -> Said {
        let said = self.emm(args);
        assert_eq!(said.code, code, "emm {args:?}\n{}{}", said.out, said.err);
        said
    }

    fn json(&self, code: i32, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let said = self.ends(code, &args);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
    }

    /// Every file below, with its content; what changes with every look at a home is left out.
    fn files(&self, inner: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(&self.path(inner), &mut found);
        found.sort();
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, found),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
}

/// A node of a home, stopped with the test.
struct Node(Child);

impl Node {
    fn start(home: &Home, args: &[&str]) -> Node {
        let args: Vec<&str> = ["--role", "all", "--listen", "127.0.0.1:0"].iter().chain(args).copied().collect();
        let mut child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("Ctrl-C") {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "the node ended before it was ready");
        }
        Node(child)
    }

    fn stop(mut self) -> i32 {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something that another process does.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} did not happen");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_second_signal_ends_a_node_at_once() {
    let home = Home::new();
    home.ends(0, &["file", home.document("tax 2023.txt", INVOICE).to_str().unwrap()]);
    let config = home.document("slow.toml", "[node]\ndrain_delay_ms = 600000\n");
    let mut node = Node::start(&home, &["--config", config.to_str().unwrap()]);
    let id = Pid::from_child(&node.0);
    kill_process(id, Signal::TERM).unwrap();
    // It serves on while it says that it is not ready any more, for ten minutes; a second word is enough.
    let ready = || status(&home, "/readyz");
    eventually("the node says that it leaves", || ready().is_some_and(|status| status == 503));
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(node.0.wait().unwrap().code(), Some(1));
    // Nothing of it stays in the way.
    home.ends(0, &["verify"]);
}

/// The status of a page of the node that runs on a home.
fn status(home: &Home, page: &str) -> Option<u16> {
    let lock: Value = serde_json::from_slice(&fs::read(home.path("node.lock")).ok()?).ok()?;
    let address = lock["address"].as_str()?.strip_prefix("http://")?;
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    let request = format!("GET {page} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_source_on_another_file_system_goes_only_when_it_is_safe() {
    let home = Home::new();
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a file system of its own on every Linux");
    let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap());
    assert_ne!(device(elsewhere.path()), device(home.0.path()), "this test needs two file systems");
    let source = elsewhere.path().join("tax 2023.txt");
    fs::write(&source, INVOICE).unwrap();

    // Where it cannot be taken in, it stays.
    home.ends(0, &["file", home.document("tax 2022.txt", &INVOICE.replace("2023", "2022")).to_str().unwrap()]);
    let inbox = home.path("UNSORTED");
    fs::remove_dir(&inbox).unwrap();
    fs::write(&inbox, "in the way").unwrap();
    home.ends(1, &["file", "--move", source.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&source).unwrap(), INVOICE);
    fs::remove_file(&inbox).unwrap();
    fs::create_dir(&inbox).unwrap();

    home.json(0, &["file", "--move", source.to_str().unwrap()]);
    assert!(!source.exists(), "--move takes the source away");
    let mut kept = Vec::new();
    collect(&home.path("vault"), &mut kept);
    assert!(kept.iter().any(|(_, bytes)| bytes == INVOICE.as_bytes()), "its bytes are in the vault");
    home.ends(0, &["verify"]);
}

#[test]
fn the_first_file_makes_the_home_and_is_filed() {
    let home = Home::new();
    let missing = home.ends(1, &["status"]);
    assert!(missing.err.contains("--role all"), "{}", missing.err);
    assert!(!home.path("").exists(), "a command that only looks makes no home");

    let tax = home.document("tax.txt", INVOICE);
    let swept = home.json(0, &["file", tax.to_str().unwrap()]);
    let note = swept["filed"][0]["note"].as_str().unwrap();
    assert!(note.contains("13.16 Taxes"), "{note}");
    assert!(home.path("vault").join(note).is_file() && home.path("jd.yaml").is_file());
    assert!(tax.is_file(), "the source stays where it is");
    assert!(home.files("UNSORTED").is_empty(), "the copy left the inbox");
    let account = home.json(0, &["verify"]);
    assert_eq!((&account["seen"], &account["accounted"]), (&1.into(), &1.into()));
    assert!(home.ends(0, &["verify"]).out.starts_with("1 seen = 1 accounted for\n"));
    let hits = home.json(0, &["search", "assessment"]);
    assert_eq!(hits["hits"][0]["path"], note);
    let why = home.json(0, &["why", home.path("vault").join(note).to_str().unwrap()]);
    assert_eq!(why["why"]["candidates"][0]["code"], "13.16");

    let moved = home.document("again/tax.txt", INVOICE);
    let again = home.json(0, &["file", "--move", moved.to_str().unwrap()]);
    assert_eq!(again["filed"][0]["duplicate"], true);
    assert!(!moved.exists(), "--move takes the source away");
}

#[test]
fn doubt_is_answered_and_taken_back_by_scripts() {
    let home = Home::new();
    let [one, two] = [home.document("one.txt", RIDDLE), home.document("two.txt", "qqq xxyy")];
    home.ends(3, &["file", one.to_str().unwrap(), two.to_str().unwrap()]);
    let reviews = home.json(3, &["review"]);
    let places: Vec<&str> =
        reviews["reviews"].as_array().unwrap().iter().map(|it| it["item"]["place"].as_str().unwrap()).collect();
    assert_eq!(places, ["one.txt", "two.txt"]);

    assert!(home.ends(1, &["review", "accept", "1", "99.99"]).err.contains("99.99"));
    let settled = home.json(0, &["review", "accept", "1", "13.16"]);
    assert_eq!(settled["filed"]["code"], "13.16");
    home.ends(0, &["review", "skip", "1"]);
    home.ends(0, &["review"]);
    home.ends(0, &["sweep"]);
    // The last answer first: the skip, then the filing.
    assert_eq!(home.json(3, &["review", "undo"])["item"]["place"], "two.txt");
    assert_eq!(home.json(3, &["review", "undo"])["item"]["place"], "one.txt");
    assert_eq!(home.json(3, &["review"])["reviews"].as_array().unwrap().len(), 2);
    // The same once more: an undo must not be in the way of the next.
    home.ends(0, &["review", "accept", "1", "13.16"]);
    home.ends(3, &["review", "undo"]);
    assert!(home.files("vault").is_empty(), "{:?}", home.files("vault"));
    home.ends(0, &["verify"]);
}

#[test]
fn undo_goes_on_after_what_was_edited() {
    let home = Home::new();
    let documents = ["a.md", "b.md"].map(|name| home.document(name, &format!("# {name}\n\n{INVOICE} {name}\n")));
    let swept = home.json(0, &["file", documents[0].to_str().unwrap(), documents[1].to_str().unwrap()]);
    let note = home.path("vault").join(swept["filed"][0]["note"].as_str().unwrap());
    fs::write(&note, fs::read_to_string(&note).unwrap() + "\nmy own words\n").unwrap();
    assert!(home.ends(0, &["verify"]).out.contains("edited since"));

    let before = home.files("vault");
    let asked = home.ends(1, &["undo", "--since", "1h"]);
    assert!(asked.out.contains("would come back") && home.files("vault") == before, "nobody said yes: {}", asked.out);
    let report = home.json(1, &["undo", "--run", swept["run"].as_str().unwrap(), "--yes"]);
    assert_eq!(report["undone"].as_array().unwrap().len(), 1);
    assert!(report["refused"][0]["message"].as_str().unwrap().contains("+my own words"));
    assert_eq!(home.json(1, &["undo", "ffffffff", "--yes"])["code"], "not_found");
}

/// Whether emm wrote the note itself, and wherever its owner moved it.
#[test]
fn an_undo_shows_once_what_it_would_throw_away() {
    let home = Home::new();
    let swept = home.json(0, &["file", home.document("tax.txt", INVOICE).to_str().unwrap()]);
    let note = home.path("vault").join(swept["filed"][0]["note"].as_str().unwrap());
    let as_filed = fs::read_to_string(&note).unwrap();
    fs::write(&note, format!("{as_filed}\nmy own words\n")).unwrap();

    let said = home.ends(1, &["undo", "--since", "1h"]).out;
    assert_eq!(said.matches("+my own words").count(), 1, "{said}");
    assert!(said.contains("--- as it was filed") && !said.contains("-title:"), "only what was changed: {said}");
    let moved = home.path("vault/21 elsewhere/mine.md");
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(&note, &moved).unwrap();
    home.ends(0, &["verify"]);
    let refused = &home.json(1, &["undo", "--yes"])["refused"];
    let message = refused[0]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("21 elsewhere/mine.md was edited") && message.contains("+my own words"), "{refused}");
    // What cannot be shown is not guessed at.
    fs::remove_file(home.path("vault/attachments/tax.txt")).unwrap();
    let said = home.ends(1, &["undo"]).out;
    assert!(said.contains("cannot be shown any more") && !said.contains("+++"), "{said}");

    fs::write(home.path("vault/attachments/tax.txt"), INVOICE).unwrap();
    fs::write(&moved, as_filed).unwrap();
    let asked = home.json(1, &["undo"]);
    assert!(asked["code"] == "invalid" && asked["message"].as_str().unwrap().contains("--yes"), "{asked}");
    assert_eq!(home.json(0, &["undo", "--yes"])["undone"].as_array().unwrap().len(), 1);
}

#[test]
fn a_description_is_of_the_text_and_not_of_the_properties() {
    let home = Home::new();
    let text = format!("---\ntitle: My taxes\ncssclasses: [wide]\n---\n{INVOICE}\n");
    let swept = home.json(0, &["file", home.document("tax.md", &text).to_str().unwrap()]);
    let note = fs::read_to_string(home.path("vault").join(swept["filed"][0]["note"].as_str().unwrap())).unwrap();
    assert!(note.contains("description: \"Income tax assessment 2023"), "{note}");
}

#[test]
fn what_cannot_be_taken_is_named_once() {
    let home = Home::new();
    home.document("letters/inner/a.txt", INVOICE);
    let pipe = home.0.path().join("letters/inner/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = home.ends(1, &["file", "letters", "/nowhere"]).out;
    assert!(said.contains("/letters/inner/pipe: it is a pipe"), "{said}");
    assert_eq!(said.matches("/nowhere").count(), 1, "{said}");
    assert!(home.files("UNSORTED").is_empty(), "{:?}", home.files("UNSORTED"));
}

/// A folder that has the inbox in it would be copied into itself without an end.
#[test]
fn what_emm_works_in_is_not_filed() {
    let home = Home::new();
    let letter = home.document("papers/tax.txt", INVOICE);
    let vault = home.0.path().join("Vault");
    fs::create_dir(&vault).unwrap();
    fs::write(vault.join("mine.md"), "# Mine\n").unwrap();
    fs::write(home.document("jd.yaml", ""), home.ends(0, &["jd", "starter"]).out).unwrap();
    for what in [".", "home", "home/store", "Vault", "home/UNSORTED/.."] {
        for how in [&[][..], &["--dry-run"], &["--move"]] {
            let args = [&["file", what, "--vault", "Vault", "--jd", "jd.yaml"], how].concat();
            let said = home.ends(1, &args).out;
            assert!(said.contains("emm itself works in"), "{args:?}: {said}");
        }
    }
    assert!(home.files("UNSORTED").is_empty() && vault.join("mine.md").exists(), "{:?}", home.files("UNSORTED"));
    home.ends(0, &["file", letter.parent().unwrap().to_str().unwrap(), "--vault", "Vault"]);
}

#[test]
fn a_dry_run_leaves_the_home_as_it_is() {
    let home = Home::new();
    home.ends(0, &["file", home.document("tax.txt", INVOICE).to_str().unwrap()]);
    let retried = home.json(0, &["quarantine", "retry", "ffffffff", "--dry-run"]);
    assert_eq!(retried["filed"], Value::Array(Vec::new()));
    let letters = ["letters/a.txt", "letters/b.txt", "letters/copy of a.txt"];
    for (at, name) in letters.iter().enumerate() {
        home.document(name, &format!("{INVOICE} {}", at % 2));
    }
    let state = || (home.files("vault"), home.files("UNSORTED"), home.files("store"));
    let before = state();
    let planned = home.json(0, &["file", "--dry-run", "letters", "tax.txt"]);
    assert_eq!(state(), before);
    let real = home.json(0, &["file", "letters", "tax.txt"]);
    let told = |swept: &Value| -> Vec<(Value, Value, Value)> {
        let filed = swept["filed"].as_array().unwrap().iter();
        let mut told: Vec<_> =
            filed.map(|it| (it["place"].clone(), it["note"].clone(), it["duplicate"].clone())).collect();
        told.sort_by_key(|row| row.0.to_string());
        told
    };
    assert_eq!(told(&planned), told(&real));
    assert_eq!(real["filed"].as_array().unwrap().iter().filter(|it| it["duplicate"] == true).count(), 2);
}

#[test]
fn a_command_talks_to_the_node_that_runs_on_the_home() {
    let home = Home::new();
    let node = Node::start(&home, &[]);
    let lock: Value = serde_json::from_slice(&fs::read(home.path("node.lock")).unwrap()).unwrap();
    let address = lock["address"].as_str().unwrap();
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    assert!(home.ends(0, &["status"]).out.contains(address));
    let tax = home.document("tax.txt", INVOICE);
    home.ends(0, &["file", tax.to_str().unwrap()]);
    assert!(home.ends(1, &["--role", "all"]).err.contains(address), "a home belongs to one node");
    assert!(home.ends(1, &["file", "--dry-run", "tax.txt"]).err.contains("emm sweep --dry-run"));
    assert_eq!(home.json(0, &["status", "--node", address])["items"]["filed"], 1);

    let stranger = Home::new();
    assert_eq!(stranger.json(1, &["status", "--node", address])["code"], "unauthorized");
    assert_eq!(node.stop(), 0);
    assert!(home.ends(0, &["status"]).out.contains("no node"), "a lock that nobody holds is no node");
    assert_eq!(home.json(1, &["status", "--node", address])["code"], "unavailable");
}

#[test]
fn a_node_files_what_is_dropped() {
    let home = Home::new();
    fs::create_dir_all(home.0.path().join("My Vault")).unwrap();
    let vault = home.0.path().join("My Vault");
    let refused = home.ends(1, &["--role", "all", "--vault", vault.to_str().unwrap()]);
    assert!(refused.err.contains("--jd"), "{}", refused.err);
    fs::write(vault.join("jd.yaml"), home.ends(0, &["jd", "starter"]).out).unwrap();
    let inbox = home.0.path().join("in/box");
    let config = home.document("own.toml", "[inbox]\nsettle_seconds = 0\n");
    let args = ["--vault", vault.to_str().unwrap(), "--inbox", inbox.to_str().unwrap()];
    let node = Node::start(&home, &[&args[..], &["--config", config.to_str().unwrap()]].concat());
    fs::write(inbox.join("tax.txt"), INVOICE).unwrap();
    eventually("filing", || home.json(0, &[&["status"][..], &args].concat())["items"]["filed"] == 1);
    assert_eq!(node.stop(), 0);
    let missing = home.0.path().join("nowhere");
    let refused = Home::new().ends(1, &["--role", "all", "--vault", missing.to_str().unwrap()]);
    assert!(refused.err.contains("mkdir") && !missing.exists(), "a missing vault is not made: {}", refused.err);
}

#[test]
fn paths_of_the_first_start_are_remembered() {
    let home = Home::new();
    let vault = home.0.path().join("Vault");
    fs::create_dir(&vault).unwrap();
    fs::write(vault.join("jd.yaml"), home.ends(0, &["jd", "starter"]).out).unwrap();
    let tax = home.document("tax.txt", INVOICE);
    home.ends(0, &["file", tax.to_str().unwrap(), "--vault", "Vault"]);
    let said = home.ends(0, &["status"]);
    assert!(said.out.contains(vault.to_str().unwrap()), "{}", said.out);
    let other = home.ends(1, &["status", "--vault", "Other"]);
    assert!(other.err.contains("belongs to the vault"), "{}", other.err);
}

#[test]
fn wrong_usage_and_wrong_configuration_are_told_apart() {
    let home = Home::new();
    assert!(home.ends(2, &[]).err.contains("--role all"));
    assert!(home.ends(2, &["--no-such-flag"]).err.contains("--no-such-flag"));
    home.ends(2, &["file"]);
    home.ends(2, &["log", "--since", "yesterday-ish"]);
    home.ends(2, &["--role", "all", "status"]);
    assert!(home.ends(2, &["--role", "no-such-role"]).err.contains("file-system-agent"));
    for wrong in [&["bogus"][..], &["file"], &["--role", "no-such-role"], &["--role", "all", "status"], &[]] {
        let said = home.json(2, wrong);
        assert!(said["code"] == "invalid" && said["message"].as_str().is_some_and(|it| !it.is_empty()), "{said}");
    }
    assert!(home.ends(0, &["file", "--help", "--json"]).out.contains("Examples:"));
    let taken = home.ends(1, &["--role", "all", "--listen", "nowhere"]).err;
    assert!(taken.contains("--listen 127.0.0.1:8080"), "{taken}");
    let config = home.document("emm.toml", "[file_system_agent]\ntreshold = 0.5\n");
    let said = home.ends(1, &["config", "check", config.to_str().unwrap()]);
    assert!(said.err.contains("file_system_agent.treshold") && said.err.contains("\"threshold\""), "{}", said.err);
    fs::write(&config, "[inbox]\nsetle = 5\n").unwrap();
    let said = home.ends(1, &["config", "check", config.to_str().unwrap()]);
    assert!(said.err.contains("did you mean \"settle_seconds\""), "{}", said.err);
    fs::write(&config, "[file_system_agent]\nthreshold = 0.5\n").unwrap();
    home.ends(0, &["config", "check", config.to_str().unwrap()]);
    let shown = home.json(0, &["config", "show", "--config", config.to_str().unwrap(), "--listen", "127.0.0.1:1"]);
    assert_eq!(
        (&shown["file_system_agent"]["threshold"], &shown["node"]["listen"]),
        (&0.5.into(), &"127.0.0.1:1".into())
    );
    // What is shown can be used again.
    let text = home.ends(0, &["config", "show"]).out;
    home.ends(0, &["config", "check", home.document("again.toml", &text).to_str().unwrap()]);
}

#[test]
fn the_structure_is_linted_mended_and_extended() {
    let home = Home::new();
    let eaten =
        "\"10-19\":\n  name: Life # mine\n  categories:\n    \"11\":\n      name: Me\n      ids: {11.20: Papers}\n";
    let file = home.document("jd.yaml", eaten);
    let path = file.to_str().unwrap();
    let warned = home.ends(0, &["jd", "lint", path]).out;
    assert!(warned.starts_with(&format!("{path}:6:13 warning unquoted-id: ")), "{warned}");
    let orphan = home.document("orphan.yaml", &format!("{eaten}    \"31\": Lost\n"));
    let refused = home.ends(1, &["jd", "lint", orphan.to_str().unwrap()]).out;
    assert!(refused.contains(":7:5 error orphan: "), "{refused}");
    let planned = home.ends(0, &["jd", "lint", path, "--fix", "--dry-run"]);
    assert!(planned.out.contains("+      ids: {\"11.20\": Papers}") && fs::read_to_string(&file).unwrap() == eaten);
    home.ends(0, &["jd", "lint", path, "--fix"]);
    assert!(fs::read_to_string(&file).unwrap().contains("# mine"));
    home.ends(0, &["jd", "lint", path]);

    home.ends(0, &["file", home.document("tax.txt", INVOICE).to_str().unwrap()]);
    let next = home.ends(0, &["jd", "next", "14"]).out;
    assert_eq!(home.json(0, &["jd", "new", "14", "Server notes"])["code"], next.trim());
    assert!(home.ends(0, &["jd", "tree"]).out.contains(&format!("{} Server notes", next.trim())));
    assert!(fs::read_to_string(home.path("jd.yaml")).unwrap().contains("Server notes"));
    assert_eq!(home.json(1, &["jd", "next", "77"])["code"], "not_found");
}

#[test]
fn what_needs_no_home_works_without_one() {
    let home = Home::new();
    let tax = home.document("tax.txt", INVOICE);
    assert_eq!(home.json(0, &["extract", tax.to_str().unwrap()])["kind"], "text");
    assert_eq!(home.json(0, &["roles"]).as_array().unwrap().len(), emm::roles::ROLES.len());
    assert!(home.ends(0, &["man"]).out.starts_with(".ie"));
    assert!(home.ends(0, &["completions", "bash"]).out.contains("quarantine"));
    assert!(home.ends(0, &["config", "default"]).out.contains("[file_system_agent]"));
    let checks = home.json(1, &["doctor"]);
    assert!(checks.as_array().unwrap().iter().any(|it| it["name"] == "parser" && it["grade"] == "ok"), "{checks}");
    assert!(!home.path("").exists());
}

#[test]
fn a_command_logs_nothing_that_is_as_it_should_be() {
    let place = crate::process::Place::new();
    let output = place.run(&["verify"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
