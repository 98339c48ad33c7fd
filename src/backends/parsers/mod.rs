//! The pool of killable child processes in which documents are read: a parser that panics, loops or swells ends its
//! child, never the node.
//!
//! A child is this same program, started as `emm __parse` on demand, used for many files and ended when it has been
//! idle or has served its share. How it goes:
//!
//! - **The document crosses as an open descriptor** (`SCM_RIGHTS` over the socket pair that is the child's standard
//!   input), never as a path. What the caller opened, checked and hashed is what is read, even if the inbox's file is
//!   replaced meanwhile; and the child needs no right to open anything. Objects without a file (S3) go into
//!   [`spool`], an unlinked temporary file, and cross the same way: one transport, and nothing of any size passes
//!   through the pool's memory.
//! - Requests and replies are length-prefixed JSON on that socket, one at a time. Standard output is closed to
//!   chatter (`/dev/null`), standard error is drained, and its last lines are kept to explain a death.
//! - The child limits itself (memory, CPU time for each file, no core dump, first to go when memory is short) and, on
//!   Linux, gives up the file system and TCP for good (Landlock). The pool watches the clock and kills.
//! - A lifeline thread in the child ends it when the node's end of the socket closes. The parent-death signal is not
//!   used for children: it follows the *thread* that forked, and a runtime's threads come and go.
//! - A file is condemned only by a fresh child: a death in a child that has served other files is tried once more.
//! - `tesseract` runs as a direct child of the node, behind a second hidden form of the sub-command which sets the
//!   limits and then becomes tesseract; so there are no grandchildren to lose.

mod child;
#[cfg(target_os = "linux")]
mod confine;
mod failure;
#[cfg(feature = "failpoints")]
mod fault;
mod limits;
mod ocr;
mod pool;
mod process;
mod protocol;
mod settings;

pub use child::{SUBCOMMAND, child_main, is_child};
pub use failure::Failure;
pub use pool::{Parsers, own_program, spool};
pub use settings::Settings;
