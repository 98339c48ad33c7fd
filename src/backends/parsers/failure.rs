//! Why a document could not be read: the reasons that quarantine shows.

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The parser has a bug that this file reaches: the panic's message and place.
    #[error("the parser panicked: {0}")]
    Panicked(String),
    /// The parser was not done in time and was killed.
    #[error("not read within {limit_ms} ms (parsers.wall_ms_max): the parser was stopped")]
    TimedOut {
        /// The limit on the clock, in milliseconds.
        limit_ms: u64,
    },
    /// The parser wanted more memory than it may have, or the kernel killed it for memory.
    #[error("the parser needed more than {limit_bytes} bytes of memory (parsers.memory_bytes_max)")]
    Memory {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The parser used up its CPU time.
    #[error("the parser used more than {limit_seconds} s of CPU time (parsers.cpu_seconds_max)")]
    Cpu {
        /// The limit, in seconds.
        limit_seconds: u64,
    },
    /// The parser's process ended or answered nonsense; how, and the last it said.
    #[error("the parser's process broke: {0}")]
    Died(String),
    /// The reader's own word: encrypted, malformed, not a regular file.
    #[error("{0}")]
    Refused(String),
    /// The system could not give the bytes: a bad disk, a share that is gone.
    #[error("the file's bytes could not be had: {0}")]
    Unreadable(String),
    /// The file changed while it was read; a later try reads it as it then is.
    #[error("the file changed while it was read: try again when it is at rest")]
    Changed,
    /// No child could be started, or the pool is closed; not the file's fault.
    #[error("no parser process: {0}")]
    Unavailable(String),
}

impl Failure {
    /// Whether the file is to blame, so that it belongs into quarantine. Otherwise a later try may succeed.
    #[must_use]
    pub fn blames_file(&self) -> bool {
        !matches!(self, Failure::Unreadable(_) | Failure::Changed | Failure::Unavailable(_))
    }

    /// One word for a list, a label or a journal. Stable.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Failure::Panicked(_) => "panicked",
            Failure::TimedOut { .. } => "timed-out",
            Failure::Memory { .. } => "memory",
            Failure::Cpu { .. } => "cpu",
            Failure::Died(_) => "died",
            Failure::Refused(_) => "refused",
            Failure::Unreadable(_) => "unreadable",
            Failure::Changed => "changed",
            Failure::Unavailable(_) => "unavailable",
        }
    }

    /// Whether what earlier files left behind in the same child may be the cause.
    pub(super) fn may_be_inherited(&self) -> bool {
        matches!(self, Failure::Memory { .. } | Failure::Died(_))
    }
}
