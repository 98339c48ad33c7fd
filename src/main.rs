//! The `emm` program: a parser child if it was started as one, else the command that was typed.

use std::process::ExitCode;

fn main() -> ExitCode {
    if emm::backends::parsers::is_child() {
        return emm::backends::parsers::child_main();
    }
    emm::cli::main().into()
}
