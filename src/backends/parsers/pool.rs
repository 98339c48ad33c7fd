//! The pool: who reads when, in which child, and what becomes of the child.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::ocr::{self, Ocr};
use super::process::{Ids, Process};
use super::protocol::{Answer, Reply, Request};
use super::{Failure, Settings};
use crate::domain::extract::Extracted;

/// After a failed start the next one waits so long, doubled for each further failure.
const BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait after failed starts.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// More children than any machine has use for.
const CHILDREN_MAX: usize = 1024;

/// The pool of parser processes. Cheap until it is used: no child runs before the first file or when all is quiet.
pub struct Parsers(Arc<Shared>);

/// The right to have a child at work; held until that child is reaped or at rest.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

pub(super) struct Shared {
    pub(super) settings: Settings,
    means: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) ocr: Ocr,
    /// One permit for each child that works or is being ended; with the idle ones never more than `children_max`.
    places: Arc<Semaphore>,
    idle: Mutex<Idle>,
    starts: Mutex<Starts>,
    pub(super) ids: Ids,
    closed: CancellationToken,
}

/// Children with nothing to do, the longest idle first; and whether somebody watches how long.
#[derive(Default)]
struct Idle {
    processes: Vec<Process>,
    watched: bool,
}

/// Starts that failed in a row.
#[derive(Default)]
struct Starts {
    failed: u32,
    again: Option<Instant>,
    reason: String,
}

/// The running program itself, also after the file on disk was replaced by another version.
///
/// # Errors
/// The system does not tell.
pub fn own_program() -> io::Result<PathBuf> {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { Ok(own) } else { std::env::current_exe() }
}

/// A place for the bytes of a document that is no file (an object in S3): a temporary file without a name, gone when
/// it is closed. Fill it, then give it to [`Parsers::read`].
///
/// # Errors
/// No temporary file can be made.
pub fn spool() -> io::Result<File> {
    tempfile::tempfile()
}

impl Parsers {
    /// A pool of children started as `program args...`: normally [`own_program`] with
    /// [`SUBCOMMAND`](super::SUBCOMMAND). Starts nothing yet.
    #[must_use]
    pub fn new(mut settings: Settings, program: PathBuf, args: Vec<OsString>) -> Parsers {
        settings.children_max = settings.children_max.clamp(1, CHILDREN_MAX);
        let places = settings.children_max;
        Parsers(Arc::new(Shared {
            means: settings.means(),
            settings,
            program,
            args,
            ocr: Ocr::default(),
            places: Arc::new(Semaphore::new(places)),
            idle: Mutex::default(),
            starts: Mutex::default(),
            ids: Ids::default(),
            closed: CancellationToken::new(),
        }))
    }

    /// A short name of those settings that change what comes out of a document.
    #[must_use]
    pub fn means(&self) -> &str {
        &self.0.means
    }

    /// Reads a document in a child. `file` is a regular file opened for reading; `name` is its name, by which readers
    /// tell formats that content does not. Waits for a free child. Dropping this future ends the child at work.
    ///
    /// The offset of `file` does not matter, but it is shared: whoever keeps a duplicate must not read through it
    /// meanwhile.
    ///
    /// # Errors
    /// See [`Failure`]; after any of them the pool goes on with the next file.
    pub async fn read(&self, file: File, name: &str) -> Result<Extracted, Failure> {
        tokio::select! {
            biased;
            () = self.0.closed.cancelled() => Err(Failure::Unavailable("the pool is closed".to_owned())),
            read = self.0.read(&file, name) => read,
        }
    }

    /// The process ids of the children that live now.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        self.0.ids.lock().iter().copied().collect()
    }

    /// Fails the reads under way and ends all children; returns when the last is reaped. For good.
    pub async fn close(&self) {
        self.0.closed.cancel();
        let places = u32::try_from(self.0.settings.children_max).unwrap_or(u32::MAX);
        // All permits back means: no child works and none is being ended.
        let Ok(_all) = self.0.places.acquire_many(places).await else { return };
        let idle = std::mem::take(&mut self.0.idle.lock().processes);
        for process in idle {
            process.end(false).await;
        }
        self.0.places.close();
    }
}

impl Shared {
    async fn read(self: &Arc<Shared>, file: &File, name: &str) -> Result<Extracted, Failure> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = Arc::new(place.map_err(|_| Failure::Unavailable("the pool is closed".to_owned()))?);
        let mut extracted = self.read_at(&place, file, name).await?;
        if self.settings.ocr {
            // Still at our place: recognition counts as one child.
            ocr::add(self, &place, file, &mut extracted).await;
        }
        Ok(extracted)
    }

    async fn read_at(self: &Arc<Shared>, place: &Place, file: &File, name: &str) -> Result<Extracted, Failure> {
        let idle = self.idle.lock().processes.pop();
        if let Some(mut process) = idle {
            process.hold(Some(Arc::clone(place)));
            match self.read_in(process, file, name).await {
                Err(failure) if failure.may_be_inherited() => {}
                done => return done,
            }
        }
        let fresh = self.start(place).await?;
        self.read_in(fresh, file, name).await
    }

    async fn read_in(self: &Arc<Shared>, mut process: Process, file: &File, name: &str) -> Result<Extracted, Failure> {
        let limit_ms = self.settings.wall_ms_max;
        let asked = timeout(Duration::from_millis(limit_ms), process.ask(file, &self.request(name))).await;
        match asked {
            Ok(Ok(Reply { last, answer })) => {
                if last || process.files >= self.settings.files_per_child {
                    process.end(false).await;
                } else {
                    self.rest(process);
                }
                match answer {
                    Answer::Read(extracted) => Ok(*extracted),
                    Answer::Refused(reason) => Err(Failure::Refused(reason)),
                    Answer::Panicked(message) => Err(Failure::Panicked(message)),
                    Answer::Unreadable(reason) => Err(Failure::Unreadable(reason)),
                    Answer::Changed => Err(Failure::Changed),
                }
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                process.end(false).await;
                Err(Failure::Died(format!("it answered with {error}")))
            }
            Ok(Err(_)) => Err(process.end(true).await.verdict(&self.settings)),
            Err(_) => {
                process.end(false).await;
                Err(Failure::TimedOut { limit_ms })
            }
        }
    }

    fn request(&self, name: &str) -> Request {
        let settings = &self.settings;
        Request {
            name: name.to_owned(),
            memory_bytes_max: settings.memory_bytes_max,
            cpu_seconds_max: settings.cpu_seconds_max,
            limits: settings.limits(),
        }
    }

    /// A new child; or at once the reason why there was none a moment ago, so that a broken program is not started
    /// for every file.
    async fn start(&self, place: &Place) -> Result<Process, Failure> {
        {
            let starts = self.starts.lock();
            if starts.again.is_some_and(|again| Instant::now() < again) {
                return Err(Failure::Unavailable(starts.reason.clone()));
            }
        }
        let started = Process::start(&self.program, &self.args, &self.ids, place, &self.settings).await;
        let mut starts = self.starts.lock();
        started.inspect(|_| *starts = Starts::default()).map_err(|reason| {
            let wait = BACKOFF.saturating_mul(1_u32 << starts.failed.min(16)).min(BACKOFF_MAX);
            *starts = Starts { failed: starts.failed.saturating_add(1), again: Some(Instant::now() + wait), reason };
            Failure::Unavailable(starts.reason.clone())
        })
    }

    /// Lays a child aside for the next file, and sees to it that somebody watches how long.
    fn rest(self: &Arc<Shared>, mut process: Process) {
        process.hold(None);
        process.rested = Instant::now();
        let mut idle = self.idle.lock();
        idle.processes.push(process);
        if !std::mem::replace(&mut idle.watched, true) {
            tokio::spawn(watch(Arc::downgrade(self), Duration::from_millis(self.settings.idle_ms)));
        }
    }
}

/// Ends children that have been idle for too long; returns when none is left.
async fn watch(shared: Weak<Shared>, limit: Duration) {
    while let Some(shared) = shared.upgrade() {
        let next = {
            let mut idle = shared.idle.lock();
            let oldest = idle.processes.first().map(|oldest| oldest.rested + limit);
            idle.watched = oldest.is_some();
            oldest
        };
        let Some(next) = next else { return };
        if next > Instant::now() {
            drop(shared);
            sleep_until(next).await;
            continue;
        }
        // Ending takes a place, as working does. Who closes the pool ends the idle ones as well.
        let Ok(_place) = shared.places.acquire().await else { return };
        let expired = {
            let mut idle = shared.idle.lock();
            idle.processes
                .first()
                .is_some_and(|oldest| oldest.rested + limit <= Instant::now())
                .then(|| idle.processes.remove(0))
        };
        if let Some(process) = expired {
            process.end(false).await;
        }
    }
}
