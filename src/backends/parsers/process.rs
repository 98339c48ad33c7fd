//! One child as the pool sees it: started, asked, and looked at when it has ended.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::pool::Place;
use super::protocol::{Hello, PROTOCOL, Reply, Request, frame, length, parse, reply_bytes_max, send_with};
use super::{Failure, Settings};

/// What is kept of a child's standard error: enough for the last words, in bytes.
const STDERR_BYTES_MAX: usize = 4096;
/// A greeting is short, in bytes.
const HELLO_BYTES_MAX: usize = 1024;
/// A child that has closed its socket is dying; it gets so long before it is killed.
const DYING: Duration = Duration::from_secs(2);
/// What a child may know of the environment: never a token or a password.
const ENVIRONMENT: &[&str] = &["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TESSDATA_PREFIX", "LLVM_PROFILE_FILE"];

/// The ids of living children; shared so that a child that is dropped in any way takes its id out.
pub(super) type Ids = Arc<Mutex<BTreeSet<u32>>>;

/// A child process that is killed and reaped whatever happens to its owner. Whoever drops it half-way does not wait:
/// that is done on the runtime, and until then the process keeps its `place`.
pub(super) struct Mortal {
    child: Option<Child>,
    listed: Option<Listed>,
    place: Option<Place>,
}

impl Mortal {
    pub(super) fn new(child: Child, ids: &Ids, place: &Place) -> Mortal {
        let id = child.id().unwrap_or_default();
        ids.lock().insert(id);
        Mortal { child: Some(child), listed: Some(Listed(id, Arc::clone(ids))), place: Some(Arc::clone(place)) }
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.child else { return Err(io::ErrorKind::NotFound.into()) };
        let status = child.wait().await?;
        self.child = None;
        self.listed = None;
        Ok(status)
    }

    /// Ends it and waits until it is reaped.
    pub(super) async fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(child) = &mut self.child {
            child.start_kill()?;
        }
        self.wait().await
    }

    /// From now on it counts for `place`, or for none.
    pub(super) fn hold(&mut self, place: Option<Place>) {
        self.place = place;
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        // Without a runtime `kill_on_drop` still holds.
        if let (Some(mut child), Ok(runtime)) = (self.child.take(), Handle::try_current()) {
            let kept = (self.listed.take(), self.place.take());
            runtime.spawn(async move {
                let _ = child.kill().await;
                drop(kept);
            });
        }
    }
}

/// A parser child.
pub(super) struct Process {
    mortal: Mortal,
    stream: UnixStream,
    stderr: JoinHandle<String>,
    /// Files that were given to this child.
    pub(super) files: u32,
    /// Since when it has had nothing to do.
    pub(super) rested: Instant,
}

struct Listed(u32, Ids);

impl Drop for Listed {
    fn drop(&mut self) {
        self.1.lock().remove(&self.0);
    }
}

/// A command that knows nothing of our environment and dies with its handle.
pub(super) fn command(program: &Path, args: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env_clear().kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::piped());
    // A group of its own: Ctrl-C in a terminal speaks to the node, which then drains.
    command.process_group(0);
    // Should the allocator be mimalloc: it takes a writable gibibyte at the start, which counts against RLIMIT_DATA
    // and can be used without meeting it.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

impl Process {
    /// Starts a child and waits for its first word.
    ///
    /// # Errors
    /// The reason in words: the program is missing, ended at once, is another version, or said nothing in time.
    pub(super) async fn start(
        program: &Path,
        args: &[OsString],
        ids: &Ids,
        place: &Place,
        settings: &Settings,
    ) -> Result<Process, String> {
        let name = program.display();
        let mut process =
            Process::spawn(program, args, ids, place).map_err(|error| format!("cannot start {name}: {error}"))?;
        let limit = Duration::from_millis(settings.start_ms_max);
        let greeted = timeout(limit, process.receive::<Hello>(HELLO_BYTES_MAX)).await;
        let wrong = match &greeted {
            Ok(Ok(Hello { protocol: PROTOCOL })) => return Ok(process),
            Ok(Ok(Hello { protocol })) => {
                format!("speaks protocol {protocol}, this node speaks {PROTOCOL}: restart the node")
            }
            Ok(Err(_)) => "ended before it was ready".to_owned(),
            Err(_) => format!("was not ready within {} ms (parsers.start_ms_max)", settings.start_ms_max),
        };
        let ended = process.end(matches!(greeted, Ok(Err(_)))).await;
        Err(format!("{name} {wrong} ({ended})"))
    }

    fn spawn(program: &Path, args: &[OsString], ids: &Ids, place: &Place) -> io::Result<Process> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let mut child = command(program, args).stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        let stderr = tokio::spawn(last_words(child.stderr.take()));
        Ok(Process { mortal: Mortal::new(child, ids, place), stream, stderr, files: 0, rested: Instant::now() })
    }

    /// At work it holds a place, at rest none.
    pub(super) fn hold(&mut self, place: Option<Place>) {
        self.mortal.hold(place);
    }

    /// Has a document read.
    ///
    /// # Errors
    /// The child is gone or answers nonsense; either way it is to be ended.
    pub(super) async fn ask(&mut self, file: &File, request: &Request) -> io::Result<Reply> {
        self.files += 1;
        let bytes = frame(request)?;
        let stream = &self.stream;
        let send = || send_with(stream.as_fd(), file.as_fd(), &bytes);
        let sent = stream.async_io(Interest::WRITABLE, send).await?;
        self.stream.write_all(bytes.get(sent..).unwrap_or_default()).await?;
        self.receive(reply_bytes_max(request.limits.text_bytes_max)).await
    }

    async fn receive<T: DeserializeOwned>(&mut self, bytes_max: usize) -> io::Result<T> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await?;
        let length = length(head, bytes_max)?;
        let mut body = Vec::new();
        // Memory grows with what arrives, not with what was announced.
        (&mut self.stream).take(length as u64).read_to_end(&mut body).await?;
        if body.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        parse(&body)
    }

    /// Ends the child and waits until it is reaped. A `dying` one is first given time to end in its own way, so that
    /// its last words and its signal can be known.
    pub(super) async fn end(mut self, dying: bool) -> Ended {
        let mut own = None;
        if dying {
            own = timeout(DYING, self.mortal.wait()).await.ok().and_then(Result::ok);
        }
        if own.is_none() {
            let _ = self.mortal.kill().await;
        }
        let stderr = timeout(DYING, &mut self.stderr).await.ok().and_then(Result::ok).unwrap_or_default();
        Ended { own, stderr }
    }
}

/// Reads standard error to its end, so that no child ever waits for us, and keeps the last of it.
pub(super) async fn last_words(stderr: Option<ChildStderr>) -> String {
    let mut kept = VecDeque::new();
    let mut chunk = [0; 4096];
    let Some(mut stderr) = stderr else { return String::new() };
    while let Ok(got @ 1..) = stderr.read(&mut chunk).await {
        kept.extend(chunk.iter().take(got));
        let surplus = kept.len().saturating_sub(STDERR_BYTES_MAX);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(kept.make_contiguous()).trim().to_owned()
}

/// How a child ended.
pub(super) struct Ended {
    /// Its own end; `None` if we killed it.
    own: Option<ExitStatus>,
    stderr: String,
}

impl Ended {
    /// What the end says about the file that was being read.
    pub(super) fn verdict(&self, settings: &Settings) -> Failure {
        let signal = self.own.and_then(|status| status.signal());
        let is = |wanted: Signal| signal == Some(wanted.as_raw());
        let said = |words: &str| self.stderr.contains(words);
        // Rust's runtime says why it aborts; the kernel's own killings say nothing.
        if is(Signal::XCPU) {
            Failure::Cpu { limit_seconds: settings.cpu_seconds_max }
        } else if is(Signal::KILL) || (is(Signal::ABORT) && said("memory allocation of ")) {
            Failure::Memory { limit_bytes: settings.memory_bytes_max }
        } else if is(Signal::ABORT) && said("panicked at ") {
            Failure::Panicked(self.last_line())
        } else if said("has overflowed its stack") {
            Failure::Died("it overflowed its stack".to_owned())
        } else {
            Failure::Died(self.to_string())
        }
    }

    fn last_line(&self) -> String {
        let line = self.stderr.lines().next_back().unwrap_or_default();
        line.chars().filter(|char| !char.is_control()).take(200).collect()
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.own {
            Some(status) => write!(formatter, "{status}")?,
            None => formatter.write_str("it was killed")?,
        }
        let line = self.last_line();
        if line.is_empty() { Ok(()) } else { write!(formatter, "; its last words: {line}") }
    }
}
