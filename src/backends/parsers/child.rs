//! The child's side: `emm __parse` reads documents one after another until the node closes the socket.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::io::{self, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use parking_lot::Mutex;

use super::protocol::{Answer, Hello, PROTOCOL, Reply, Request, receive, send};
use super::{limits, ocr};
use crate::domain::extract::{ExtractError, extract};

/// The hidden sub-command.
pub const SUBCOMMAND: &str = "__parse";

/// Longest panic message that is passed on, in bytes.
const PANIC_BYTES_MAX: usize = 2048;

/// Whether this process was started as a child of the pool. To be asked before anything else is set up: no flags, no
/// runtime, no log.
#[must_use]
pub fn is_child() -> bool {
    std::env::args_os().nth(1).is_some_and(|first| first == SUBCOMMAND)
}

/// Serves the pool until it closes the socket. `main` calls it first of all when [`is_child`].
#[must_use]
pub fn child_main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(2).collect();
    limits::at_start();
    match if args.is_empty() { serve() } else { ocr::become_tesseract(&args) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the parent's, which keeps its last words.
            let _ = writeln!(std::io::stderr(), "{SUBCOMMAND}: {error}");
            if error.kind() == io::ErrorKind::NotFound { ExitCode::from(ocr::NOT_INSTALLED) } else { ExitCode::FAILURE }
        }
    }
}

fn serve() -> io::Result<()> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut gauge = limits::Gauge::open();
    limits::lifeline(&stream)?;
    #[cfg(target_os = "linux")]
    super::confine::confine(super::confine::Left::Nothing);
    let panic = catch_messages();
    send(&stream, &Hello { protocol: PROTOCOL })?;
    while let Some((request, file)) = receive(&stream)? {
        limits::memory(request.memory_bytes_max);
        limits::cpu(request.cpu_seconds_max);
        let reply = reply(&stream, &request, file, &panic, &mut gauge);
        send(&stream, &reply)?;
        if reply.last {
            break;
        }
    }
    Ok(())
}

/// Reads one document; a panic is an answer too, but the last one.
fn reply(
    stream: &UnixStream,
    request: &Request,
    file: OwnedFd,
    panic: &Mutex<String>,
    gauge: &mut limits::Gauge,
) -> Reply {
    match catch_unwind(AssertUnwindSafe(|| read(stream, request, File::from(file)))) {
        // What a parser has grown to is seldom given back: a swollen child is not used again.
        Ok(answer) => Reply { last: gauge.bytes() > request.memory_bytes_max / 2, answer },
        Err(_) => Reply { last: true, answer: Answer::Panicked(std::mem::take(&mut *panic.lock())) },
    }
}

#[cfg_attr(not(feature = "failpoints"), expect(unused_variables, reason = "only faults need the socket"))]
fn read(stream: &UnixStream, request: &Request, file: File) -> Answer {
    let before = match file.metadata() {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Answer::Refused("not a regular file".to_owned()),
        Err(error) => return Answer::Unreadable(error.to_string()),
    };
    #[cfg(feature = "failpoints")]
    super::fault::inject(&request.name, stream, &file);
    // Readers of packed formats ask for a few bytes at a time.
    let answer = match extract(&request.name, &mut BufReader::new(&file), &request.limits) {
        Ok(extracted) => Answer::Read(Box::new(extracted)),
        // The disk's or the network's word, and not a reader's about what is in the file.
        Err(ExtractError::Io(error)) if error.raw_os_error().is_some() => Answer::Unreadable(error.to_string()),
        Err(refused) => Answer::Refused(refused.to_string()),
    };
    match file.metadata() {
        Ok(after) if after.len() == before.len() && after.modified().ok() == before.modified().ok() => answer,
        _ => Answer::Changed,
    }
}

/// Keeps the latest panic's message and place instead of printing it.
fn catch_messages() -> Arc<Mutex<String>> {
    let caught = Arc::new(Mutex::new(String::new()));
    let keep = Arc::clone(&caught);
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let message = info.payload_as_str().unwrap_or("no message");
        let cut = message.floor_char_boundary(PANIC_BYTES_MAX);
        let message = message.get(..cut).unwrap_or_default();
        let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        *keep.lock() = format!("{message}{place}");
    }));
    caught
}
