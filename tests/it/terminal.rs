//! The review as a person sees it: the real program in a pseudo-terminal, one key after the other.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;
use serde_json::Value;

use crate::process::{EMM, Running, eventually};

/// Which documents of the demo belong where.
const EXPECTED: &str = include_str!("../../config/demo/expected.json");

/// A home with the demo in it, swept once.
struct Demo {
    root: tempfile::TempDir,
    expected: Value,
}

impl Demo {
    fn new() -> Demo {
        let demo = Demo { root: tempfile::tempdir().unwrap(), expected: serde_json::from_str(EXPECTED).unwrap() };
        for command in ["demo", "sweep"] {
            let code = demo.command(&[command]).output().unwrap().status.code();
            assert!(matches!(code, Some(0 | 3)), "{command}: {code:?}");
        }
        demo
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(EMM);
        command.arg("--home").arg(self.home()).args(arguments).stdin(Stdio::null());
        environment(&mut command);
        command
    }

    /// What waits for review, in the order in which it is asked about.
    fn waiting(&self) -> Vec<Value> {
        let output = self.command(&["--json", "review"]).output().unwrap();
        let reviews: Value = serde_json::from_slice(&output.stdout).unwrap();
        reviews["reviews"].as_array().unwrap().clone()
    }

    /// What a person types who knows where an item belongs.
    fn keys(&self, review: &Value) -> String {
        let name = review["item"]["place"].as_str().unwrap().rsplit('/').next().unwrap();
        let codes = self.expected[name].as_array();
        let Some(right) = codes.and_then(|codes| codes.first()).and_then(Value::as_str) else { return "s".to_owned() };
        let candidates = review["candidates"].as_array().unwrap();
        match candidates.iter().position(|candidate| candidate["code"] == right) {
            Some(at) => format!("{}", at + 1),
            // With completion: part of the number, and Tab makes the rest of it.
            None => format!("o{right}\t\r"),
        }
    }

    /// `emm review` in a terminal of its own.
    fn review(&self) -> Terminal {
        Terminal::review(&self.home())
    }

    /// Every item is accounted for; gives how many there are.
    fn verify(&self) -> u64 {
        let output = self.command(&["--json", "verify"]).output().unwrap();
        let account: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success() && account["seen"] == account["accounted"], "{account}");
        account["seen"].as_u64().unwrap()
    }
}

fn environment(command: &mut Command) {
    for (name, value) in [("EMM_INBOX__SETTLE_SECONDS", "0"), ("EMM_PARSERS__OCR", "false"), ("NO_COLOR", "1")] {
        command.env(name, value);
    }
}

/// A program in a terminal.
pub(crate) struct Terminal {
    process: Running,
    keys: Option<ChildStdin>,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How far what was shown has been looked at.
    read: usize,
}

impl Terminal {
    /// `emm review` on a home.
    pub(crate) fn review(home: &Path) -> Terminal {
        let emm = format!("'{EMM}' --home '{}' review", home.display());
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", &emm, "/dev/null"]);
        environment(&mut command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (keys, mut screen) = (child.stdin.take(), child.stdout.take().unwrap());
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let (into, mut chunk) = (shown.clone(), [0; 4096]);
        std::thread::spawn(move || {
            while let Ok(count @ 1..) = screen.read(&mut chunk) {
                into.lock().extend_from_slice(&chunk[..count]);
            }
        });
        Terminal { process: Running(child), keys, shown, read: 0 }
    }

    /// Waits until this is shown, after what was waited for before.
    pub(crate) fn shows(&mut self, wanted: &str) {
        let (shown, read) = (self.shown.clone(), self.read);
        self.read = eventually(wanted, || {
            let shown = shown.lock();
            let text = &shown[read.min(shown.len())..];
            let at = text.windows(wanted.len()).position(|window| window == wanted.as_bytes())?;
            Some(read + at + wanted.len())
        });
    }

    pub(crate) fn press(&mut self, keys: &str) {
        let input = self.keys.as_mut().unwrap();
        input.write_all(keys.as_bytes()).and_then(|()| input.flush()).unwrap();
    }

    /// The exit code, once it has ended by itself.
    pub(crate) fn ended(mut self) -> i32 {
        eventually("the review ends", || self.process.0.try_wait().unwrap()).code().unwrap()
    }
}

#[test]
fn everything_that_waits_is_decided_with_a_few_keys() {
    let demo = Demo::new();
    let waiting = demo.waiting();
    assert!((1..=10).contains(&waiting.len()), "{} wait: at least 20 of 30 are filed without asking", waiting.len());
    let mut terminal = demo.review();
    for (at, review) in waiting.iter().enumerate() {
        let count = format!("{} of {}", at + 1, waiting.len());
        terminal.shows(&count);
        terminal.shows("q quit");
        terminal.press(&demo.keys(review));
        terminal.shows("\u{2192} ");
        if at == 0 {
            // Second thoughts: the same question again, and the same answer.
            terminal.shows("q quit");
            terminal.press("u");
            terminal.shows(&count);
            terminal.shows("q quit");
            terminal.press(&demo.keys(review));
            terminal.shows("\u{2192} ");
        }
    }
    terminal.shows(&format!("{} answered; nothing waits any more", waiting.len()));
    assert_eq!(terminal.ended(), 0);
    assert!(demo.waiting().is_empty());
    assert_eq!(demo.verify(), 30);

    // All that could be filed is where it belongs.
    let notes = crate::world::files(&demo.home().join("vault"));
    let filed = demo.expected.as_object().unwrap().values().filter(|codes| codes.is_array()).count();
    let notes = notes.into_iter().filter(|(path, _)| path.ends_with(".md")).count();
    assert_eq!(notes, filed, "a note for each document that has a place");
}

#[test]
fn a_review_that_is_broken_off_loses_nothing() {
    let demo = Demo::new();
    let waiting = demo.waiting();
    let first = demo.keys(&waiting[0]);
    let mut terminal = demo.review();
    terminal.shows("q quit");
    terminal.press(&first);
    terminal.shows("2 of ");
    terminal.shows("q quit");
    // Ctrl-C.
    terminal.press("\u{3}");
    terminal.shows(&format!("1 answered, {} wait", waiting.len() - 1));
    assert_eq!(terminal.ended(), 3);

    // The terminal is closed in the middle of choosing a place.
    let mut terminal = demo.review();
    terminal.shows("q quit");
    terminal.press("o1");
    terminal.shows("file under: 1");
    terminal.process.kill();
    // The program hears of it and leaves the home to the next.
    assert_eq!(demo.waiting().len(), waiting.len() - 1);
    assert_eq!(demo.verify(), 30);
}
