//! Places where tests end the process, as kill -9 would. Without the feature `failpoints` there is nothing here.

/// Ends the process here if this is the hit that `EMM_FAULT_AT` counts to; the name tells a reader which step this is.
#[macro_export]
macro_rules! fault {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::fault::hit($name);
    };
}

/// Counts a hit. At the number that `EMM_FAULT_AT` gives the process says where it is and kills itself.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str) {
    use std::{
        io::Write,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    static HITS: AtomicU64 = AtomicU64::new(0);
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    let Some(at) = *AT.get_or_init(|| std::env::var("EMM_FAULT_AT").ok()?.parse().ok()) else { return };
    if HITS.fetch_add(1, Ordering::SeqCst) + 1 == at {
        let _ = writeln!(std::io::stderr(), "fault {at}: {name}");
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal is on its way; nothing may happen after this point.
        loop {
            std::thread::park();
        }
    }
}
