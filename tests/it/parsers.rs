//! The pool of parser processes, with real children of the crate's own program.

mod ocr;

use std::ffi::OsString;
use std::fs::File;
use std::future::Future;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use emm::backends::parsers::{Failure, Parsers, SUBCOMMAND, Settings, own_program, spool};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process};

const EMM: &str = env!("CARGO_BIN_EXE_emm");
const TEXT: &str = "Счёт за июль, 請求書, ein Maß 💥 e\u{301}";
/// Nothing here takes long; a test that hangs shall fail, also on a crowded machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings { children_max: 1, memory_bytes_max: 64 << 20, wall_ms_max: 30_000, ocr: false, ..Settings::default() }
}

/// A pool whose children misbehave for files that are named after a fault, with more words for their environment.
fn pool_with(settings: Settings, environment: &[&str]) -> Parsers {
    let faults = "panic,loop,swell,exit,abort,overflow,flood,garbage,boast,chatter,open,environ,leak,touch";
    let mut args: Vec<OsString> = vec![format!("EMM_FAULT_PARSE={faults}").into()];
    args.extend(environment.iter().map(Into::into));
    args.extend([EMM, SUBCOMMAND].map(Into::into));
    Parsers::new(settings, "/usr/bin/env".into(), args)
}

fn pool(settings: Settings) -> Parsers {
    pool_with(settings, &[])
}

/// A document with no path, its offset at the end.
fn document(bytes: impl AsRef<[u8]>) -> File {
    let mut file = spool().expect("a spool");
    file.write_all(bytes.as_ref()).expect("room for a document");
    file
}

async fn read(parsers: &Parsers, name: &str) -> Result<String, Failure> {
    patient(parsers.read(document(TEXT), name)).await.map(|extracted| extracted.text)
}

async fn patient<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("something hangs")
}

fn alive(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

/// The one child that lives.
fn only_child(parsers: &Parsers) -> u32 {
    let children = parsers.children();
    assert_eq!(children.len(), 1, "{children:?}");
    children[0]
}

/// A program of a few lines of shell. Written by another process: were it open for writing here, a child that some
/// other test forks meanwhile would keep it open for a moment, and the kernel would call it busy.
fn script(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let path = folder.join(name);
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod +x "$2""#;
    let written = Command::new("sh").args(["-c", write, "sh", lines]).arg(&path).status();
    assert!(written.is_ok_and(|status| status.success()), "no script {name}");
    path
}

#[tokio::test]
async fn one_child_reads_many_files_and_is_replaced_after_its_share() {
    let parsers = pool(Settings { files_per_child: 3, ..settings() });
    assert_eq!(parsers.children(), [] as [u32; 0], "started before there was anything to read");
    let mut served = Vec::new();
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(read(&parsers, "Счёт.txt").await, Ok(TEXT.to_owned()));
            served.push(only_child(&parsers));
        }
        assert_eq!(read(&parsers, "третий.txt").await, Ok(TEXT.to_owned()));
        assert_eq!(parsers.children(), [] as [u32; 0], "the third file is the child's last");
    }
    assert!(served[0] == served[1] && served[2] == served[3] && served[0] != served[2], "{served:?}");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_child_limits_itself_and_is_the_first_to_go() {
    let parsers = pool(settings());
    assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
    let told =
        |what: &str| std::fs::read_to_string(format!("/proc/{}/{what}", only_child(&parsers))).expect("a living child");
    assert_eq!(told("oom_score_adj").trim(), "1000");
    let limits = told("limits");
    let soft = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).expect("a limit of that name");
        line.trim_start_matches(name).split_whitespace().next().map(str::to_owned)
    };
    assert_eq!(soft("Max core file size").as_deref(), Some("0"));
    assert_eq!(soft("Max data size").as_deref(), Some("67108864"));
    assert_eq!(soft("Max cpu time").as_deref(), Some("61"));
    let status = told("status");
    let held = status.lines().find_map(|line| line.strip_prefix("VmData:")).expect("a size");
    let held_kib: u64 = held.trim_end_matches("kB").trim().parse().expect("a number");
    assert!(held_kib < 32 << 10, "the allocator has {held_kib} KiB before anything is read: the limit is void");
}

#[test]
fn our_own_program_is_known() {
    let own = own_program().and_then(std::fs::canonicalize).expect("our own program");
    assert_eq!(own, std::env::current_exe().and_then(std::fs::canonicalize).expect("this test"));
}

#[tokio::test]
async fn text_is_cut_at_the_limit_and_odd_files_are_refused() {
    let parsers = pool(Settings { text_bytes_max: 7, ..settings() });
    let cut = patient(parsers.read(document(TEXT), "a.txt")).await.expect("a text");
    assert_eq!((cut.text.as_str(), cut.truncated), ("Счё", true));
    let folder = File::open("/").expect("the root folder");
    assert_eq!(patient(parsers.read(folder, "a")).await, Err(Failure::Refused("not a regular file".to_owned())));
    let damaged = patient(parsers.read(document("PK\x03\x04 and no more"), "letter.zip")).await;
    let refused = damaged.expect_err("the reader's own word");
    assert!(matches!(&refused, Failure::Refused(reason) if reason.contains("damaged")), "{refused:?}");
    let mut changing = tempfile::NamedTempFile::new().expect("a file");
    changing.write_all(b"x").expect("room");
    let changed = patient(parsers.read(changing.reopen().expect("the file"), "touch.txt")).await;
    assert_eq!(changed, Err(Failure::Changed));
    assert!(!Failure::Changed.blames_file() && refused.blames_file());
}

#[tokio::test]
async fn a_file_that_breaks_its_child_fails_alone() {
    let died = |failure: &Failure, words: &str| matches!(failure, Failure::Died(said) if said.contains(words));
    type Expected = Box<dyn Fn(&Failure) -> bool>;
    let panicked = |failure: &Failure| matches!(failure, Failure::Panicked(said) if said.starts_with("injected: größer 💥 at ") && said.contains("fault.rs:"));
    let cases: Vec<(&str, Expected)> = vec![
        ("panic.txt", Box::new(panicked)),
        ("swell.txt", Box::new(|failure| *failure == Failure::Memory { limit_bytes: 64 << 20 })),
        ("exit.txt", Box::new(move |failure| died(failure, "exit status: 7"))),
        ("abort.txt", Box::new(move |failure| died(failure, "signal: 6"))),
        ("overflow.txt", Box::new(move |failure| died(failure, "overflowed its stack"))),
        ("garbage.txt", Box::new(move |failure| died(failure, "not understood"))),
        ("boast.txt", Box::new(move |failure| died(failure, "4294967295 bytes"))),
    ];
    let parsers = pool(settings());
    for (name, expected) in cases {
        let failure = read(&parsers, name).await.expect_err(name);
        assert!(expected(&failure), "{name}: {failure:?}");
        assert!(failure.blames_file(), "{name}");
        assert_eq!(parsers.children(), [] as [u32; 0], "{name}: its child lives on");
        assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()), "after {name}");
    }
}

#[tokio::test]
async fn a_loop_ends_by_the_clock_or_by_its_cpu_time() {
    let clock = pool(Settings { wall_ms_max: 300, ..settings() });
    let cpu = pool(Settings { cpu_seconds_max: 0, ..settings() });
    let both = tokio::join!(read(&clock, "loop.txt"), read(&cpu, "loop.txt"));
    assert_eq!(both, (Err(Failure::TimedOut { limit_ms: 300 }), Err(Failure::Cpu { limit_seconds: 0 })));
    for parsers in [clock, cpu] {
        assert_eq!(parsers.children(), [] as [u32; 0]);
        assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
    }
}

#[tokio::test]
async fn chatter_on_standard_output_and_error_is_no_fault() {
    let parsers = pool(settings());
    for name in ["flood.txt", "chatter.txt", "flood chatter.txt"] {
        assert_eq!(read(&parsers, name).await, Ok(TEXT.to_owned()), "{name}");
    }
    assert_eq!(parsers.children().len(), 1);
}

#[tokio::test]
async fn a_child_knows_no_secrets_and_opens_no_files() {
    let parsers = pool(settings());
    let Err(Failure::Panicked(environment)) = read(&parsers, "environ.txt").await else { panic!("no environment") };
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo tells its tests where they are");
    assert!(environment.contains("EMM_FAULT_PARSE") && !environment.contains("CARGO"), "{environment}");
    if landlocked() {
        let Err(Failure::Panicked(opened)) = read(&parsers, "open.txt").await else { panic!("no word about opening") };
        assert!(opened.starts_with("kept out"), "{opened}");
    }
}

/// Whether this kernel knows Landlock; containers and old kernels may not.
#[cfg(target_os = "linux")]
fn landlocked() -> bool {
    use landlock::{AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset.handle_access(AccessFs::ReadFile).and_then(Ruleset::create).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn landlocked() -> bool {
    false
}

#[tokio::test]
async fn what_earlier_files_left_behind_condemns_nobody() {
    let parsers = pool(settings());
    assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
    let first = only_child(&parsers);
    // As the kernel does when the machine is short of memory.
    kill_process(Pid::from_raw(first as i32).expect("a process id"), Signal::KILL).expect("to kill a child of ours");
    assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
    let second = only_child(&parsers);
    assert_eq!(read(&parsers, "leak 24 of 64 MiB.txt").await, Ok(TEXT.to_owned()));
    assert_eq!(only_child(&parsers), second);
    assert_eq!(read(&parsers, "leak 48 of 64 MiB.txt").await, Ok(TEXT.to_owned()));
    assert_eq!(parsers.children(), [] as [u32; 0], "a child that has swollen past half its memory is not used again");
    assert!(!alive(first) && !alive(second));
}

#[tokio::test]
async fn no_more_children_than_allowed_and_each_file_has_its_own() {
    let parsers = pool(Settings { children_max: 2, ..settings() });
    let (a, b, c, d, e) = tokio::join!(
        read(&parsers, "1.txt"),
        read(&parsers, "panic.txt"),
        read(&parsers, "3.txt"),
        read(&parsers, "exit.txt"),
        read(&parsers, "5.txt"),
    );
    assert!(a.is_ok() && b.is_err() && c.is_ok() && d.is_err() && e.is_ok(), "{a:?} {b:?} {c:?} {d:?} {e:?}");
    // Two loops hold both places: the third file cannot have been read before one of them was stopped.
    let parsers = pool(Settings { children_max: 2, wall_ms_max: 300, ..settings() });
    let most = std::cell::Cell::new(0);
    let looped = std::cell::Cell::new(0);
    let endless = async || {
        assert_eq!(read(&parsers, "loop.txt").await, Err(Failure::TimedOut { limit_ms: 300 }));
        looped.set(looped.get() + 1);
    };
    let good = async {
        assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
        assert!(looped.get() > 0, "read while both places were taken");
    };
    let watch = async {
        while looped.get() < 2 {
            most.set(parsers.children().len().max(most.get()));
            tokio::task::yield_now().await;
        }
    };
    patient(async { tokio::join!(endless(), endless(), good, watch) }).await;
    assert_eq!(most.get(), 2);
}

#[tokio::test]
async fn dropping_a_read_ends_its_child_and_frees_its_place() {
    let parsers = pool(settings());
    assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
    let child = only_child(&parsers);
    let dropped = tokio::time::timeout(Duration::from_millis(100), read(&parsers, "loop.txt")).await;
    assert!(dropped.is_err());
    // The one place is free only when the child is reaped, not even a zombie is left.
    assert_eq!(read(&parsers, "good.txt").await, Ok(TEXT.to_owned()));
    assert!(!alive(child));
    assert_ne!(only_child(&parsers), child);
}

#[tokio::test]
async fn closing_ends_everything() {
    let parsers = pool(Settings { children_max: 3, ..settings() });
    let good = tokio::join!(read(&parsers, "1.txt"), read(&parsers, "2.txt"), read(&parsers, "3.txt"));
    assert!(good.0.is_ok() && good.1.is_ok() && good.2.is_ok(), "{good:?}");
    // One of them will loop, two rest.
    let children = parsers.children();
    assert_eq!(children.len(), 3);
    let (looped, ()) = tokio::join!(read(&parsers, "loop.txt"), async {
        tokio::task::yield_now().await;
        patient(parsers.close()).await;
    });
    assert!(matches!(looped, Err(Failure::Unavailable(_))), "{looped:?}");
    assert_eq!(parsers.children(), [] as [u32; 0]);
    assert!(!children.into_iter().any(alive));
    let after = read(&parsers, "good.txt").await.expect_err("closed");
    assert_eq!(after, Failure::Unavailable("the pool is closed".to_owned()));
    assert!(!after.blames_file());
    patient(parsers.close()).await;
}

#[tokio::test]
async fn idle_children_are_ended() {
    let parsers = pool(Settings { children_max: 2, idle_ms: 20, ..settings() });
    for _ in 0..2 {
        let (a, b) = patient(async { tokio::join!(read(&parsers, "1.txt"), read(&parsers, "2.txt")) }).await;
        assert!(a.is_ok() && b.is_ok());
        patient(async {
            while !parsers.children().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_program_that_cannot_start_is_not_the_files_fault_and_not_tried_in_a_loop() {
    let missing = Parsers::new(settings(), "/nonexistent/emm".into(), vec![]);
    let failure = read(&missing, "a.txt").await.expect_err("no program");
    assert!(matches!(&failure, Failure::Unavailable(reason) if reason.contains("/nonexistent/emm")), "{failure:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let (count, mended) = (folder.path().join("count"), folder.path().join("mended"));
    let lines = format!(
        "echo x >> {}; test -e {} && exec {EMM} {SUBCOMMAND}; echo 'cannot load libfoo' >&2; exit 3",
        count.display(),
        mended.display()
    );
    let broken = Parsers::new(settings(), script(folder.path(), "broken", &lines), vec![]);
    for _ in 0..50 {
        let failure = read(&broken, "a.txt").await.expect_err("broken");
        assert!(
            matches!(&failure, Failure::Unavailable(reason) if reason.contains("exit status: 3") && reason.contains("cannot load libfoo")),
            "{failure:?}"
        );
    }
    let tried = std::fs::read_to_string(&count).expect("the count").len() / 2;
    assert!((1..10).contains(&tried), "started {tried} times for 50 files");
    std::fs::write(&mended, "").expect("a file");
    patient(async { while read(&broken, "a.txt").await.is_err() {} }).await;

    let stale = script(folder.path(), "stale", "printf '\\0\\0\\0\\016{\"protocol\":0}' >&0; exec cat");
    let failure = read(&Parsers::new(settings(), stale, vec![]), "a.txt").await.expect_err("another version");
    assert!(matches!(&failure, Failure::Unavailable(reason) if reason.contains("restart the node")), "{failure:?}");
}

/// The frames by hand, and no node behind them.
#[test]
fn a_looping_child_dies_with_its_node() {
    let (mut ours, theirs) = UnixStream::pair().expect("a socket");
    let mut command = Command::new(EMM);
    command
        .arg(SUBCOMMAND)
        .env("EMM_FAULT_PARSE", "loop")
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .stdin(Stdio::from(OwnedFd::from(theirs)));
    let mut child = command.spawn().expect("a child");
    drop(command);
    let mut head = [0; 4];
    ours.read_exact(&mut head).expect("a greeting");
    let mut hello = vec![0; u32::from_be_bytes(head) as usize];
    ours.read_exact(&mut hello).expect("a greeting");
    assert_eq!(hello, br#"{"protocol":1}"#);
    let limits = r#"{"text_bytes_max":9,"unpacked_bytes_max":9,"document_bytes_max":9}"#;
    let body = format!(r#"{{"name":"loop","memory_bytes_max":99999999,"cpu_seconds_max":30,"limits":{limits}}}"#);
    let frame = [&u32::try_from(body.len()).expect("short").to_be_bytes(), body.as_bytes()].concat();
    let file = document(TEXT);
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
    let sent = sendmsg(&ours, &[IoSlice::new(&frame)], &mut ancillary, SendFlags::empty()).expect("to send");
    assert_eq!(sent, frame.len());
    assert_eq!(child.try_wait().expect("a look"), None);
    drop(ours);
    assert_eq!(child.wait().expect("its end").signal(), Some(Signal::KILL.as_raw()));
}
