//! What a child does to itself before it reads anything: limits that a runaway parser meets before the machine does.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The lifeline only sleeps in `poll`; its stack counts as private memory.
const LIFELINE_STACK_BYTES: usize = 64 * 1024;

/// Sets a soft limit, never above the hard one that was inherited. Best effort: systems differ in what they know.
fn limit(resource: Resource, value: u64) {
    let hard = getrlimit(resource).maximum;
    let value = hard.map_or(value, |hard| value.min(hard));
    let _ = setrlimit(resource, Rlimit { current: Some(value), maximum: hard });
}

/// For the whole life of the process: no core dumps, and the first to go when the machine is short of memory.
pub(super) fn at_start() {
    limit(Resource::Core, 0);
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// Caps private memory, in bytes. `RLIMIT_DATA` counts anonymous mappings too (Linux 4.7 and later).
pub(super) fn memory(bytes_max: u64) {
    limit(Resource::Data, bytes_max);
}

/// Grants so many seconds of CPU time from now on. The kernel counts whole seconds since the start of the process.
pub(super) fn cpu(seconds_max: u64) {
    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
    limit(Resource::Cpu, used.saturating_add(seconds_max).saturating_add(1));
}

/// Ends this process when the other end of the socket is closed, even while a parser loops. Needs no signal and
/// does not depend on which thread of the node did the fork.
pub(super) fn lifeline(stream: &UnixStream) -> std::io::Result<()> {
    let stream = stream.try_clone()?;
    let watch = move || {
        loop {
            // No event is asked for: hang-up and error are always told.
            let mut polled = [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::empty())];
            match poll(&mut polled, None) {
                Err(rustix::io::Errno::INTR) => {}
                _ => break,
            }
        }
        // Not `exit`: it runs handlers and takes locks that the parser may hold.
        let _ = kill_process(getpid(), Signal::KILL);
    };
    std::thread::Builder::new().name("lifeline".to_owned()).stack_size(LIFELINE_STACK_BYTES).spawn(watch)?;
    Ok(())
}

/// How much memory of its own this process has in use. Opened before the file system is given up.
pub(super) struct Gauge(Option<File>);

impl Gauge {
    pub(super) fn open() -> Gauge {
        Gauge(File::open("/proc/self/statm").ok())
    }

    /// Memory in use that is not backed by files, in bytes; 0 where it cannot be told. What an allocator has merely
    /// reserved does not count.
    pub(super) fn bytes(&mut self) -> u64 {
        let Some(file) = &mut self.0 else { return 0 };
        let mut line = [0; 128];
        let got = file.seek(SeekFrom::Start(0)).and_then(|_| file.read(&mut line)).unwrap_or(0);
        // Pages: size, resident, resident and shared, ... (proc_pid_statm(5)).
        let text = std::str::from_utf8(line.get(..got).unwrap_or_default()).unwrap_or_default();
        let mut pages = text.split_ascii_whitespace().skip(1).map(|pages| pages.parse::<u64>().unwrap_or(0));
        let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
        resident.saturating_sub(shared).saturating_mul(rustix::param::page_size() as u64)
    }
}
