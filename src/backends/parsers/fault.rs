//! Faults for the tests, only under `failpoints`: a file whose name contains a word of `EMM_FAULT_PARSE` (words
//! separated by commas) makes its child misbehave in that way.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::net::UnixStream;

type Fault = fn(&UnixStream, &File);

/// Word, and what happens.
const FAULTS: &[(&str, Fault)] = &[
    ("panic", |_, _| panic()),
    ("loop", |_, _| endless()),
    ("swell", |_, _| swell()),
    ("exit", |_, _| std::process::exit(7)),
    ("abort", |_, _| std::process::abort()),
    ("overflow", overflow),
    ("flood", |_, _| flood()),
    ("garbage", garbage),
    ("boast", boast),
    ("chatter", |_, _| chatter()),
    ("open", |_, _| open()),
    ("environ", |_, _| environ()),
    ("leak", |_, _| leak()),
    ("touch", touch),
];

/// Does what the file's name asks for, if the environment allows it.
pub(super) fn inject(name: &str, stream: &UnixStream, file: &File) {
    let allowed = std::env::var("EMM_FAULT_PARSE").unwrap_or_default();
    for (word, fault) in FAULTS {
        if name.contains(word) && allowed.split(',').any(|allowed| allowed == *word) {
            fault(stream, file);
        }
    }
}

#[expect(clippy::panic, reason = "the fault is a panic")]
fn panic() {
    panic!("injected: größer 💥");
}

fn endless() {
    loop {
        black_box(());
    }
}

fn swell() {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
    }
}

/// Holds on to memory, but lets the file be read: the next one finds less.
fn leak() {
    std::mem::forget(black_box(vec![1_u8; 24 << 20]));
}

fn overflow(_: &UnixStream, _: &File) {
    black_box(deeper(0));
}

fn deeper(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { deeper(depth + 1) + here.iter().sum::<u64>() }
}

/// Eight megabytes of standard error, more than any pipe holds; then the file is read.
fn flood() {
    for _ in 0..1 << 17 {
        let _ = std::io::stderr().write_all(&[b'x'; 64]);
    }
}

/// Standard output is nobody's: the file is read.
fn chatter() {
    let _ = std::io::stdout().write_all(&[b'y'; 1 << 20]);
}

/// A frame that is not JSON.
fn garbage(mut stream: &UnixStream, _: &File) {
    let _ = stream.write_all(b"\0\0\0\x05nonse");
}

/// A frame that claims to be four gigabytes long.
fn boast(mut stream: &UnixStream, _: &File) {
    let _ = stream.write_all(&[0xff; 64]);
}

/// Panics with what came of opening a file that every machine has.
#[expect(clippy::panic, reason = "the answer travels as a panic")]
fn open() {
    panic!("{}", if std::fs::File::open("/etc/passwd").is_ok() { "opened" } else { "kept out" });
}

/// Panics with what the child knows of the environment.
#[expect(clippy::panic, reason = "the answer travels as a panic")]
fn environ() {
    panic!("{:?}", std::env::vars_os().map(|(name, _)| name).collect::<Vec<_>>());
}

/// The file changes while it is read.
fn touch(_: &UnixStream, file: &File) {
    let _ = file.set_modified(std::time::UNIX_EPOCH);
}
