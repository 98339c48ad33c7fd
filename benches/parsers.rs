//! What the pool costs for a small file: the time to start a child, and the time for each file after that.
//!
//! `cargo bench --bench parsers [-- FILES]`
#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::io::Write;
use std::time::Instant;

use emm::backends::parsers::{Parsers, SUBCOMMAND, Settings, spool};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: u32 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(2000);
    let text = "Minutes of the house meeting. ".repeat(64);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let parsers = Parsers::new(Settings::default(), env!("CARGO_BIN_EXE_emm").into(), vec![SUBCOMMAND.into()]);
        let mut file = spool()?;
        file.write_all(text.as_bytes())?;
        let start = Instant::now();
        parsers.read(file.try_clone()?, "first.txt").await?;
        let first = start.elapsed();
        let start = Instant::now();
        for _ in 0..files {
            parsers.read(file.try_clone()?, "minutes.txt").await?;
        }
        let each = start.elapsed() / files;
        println!("first file, with the start of a child: {first:?}; each of {files} files of 2 KB: {each:?}");
        parsers.close().await;
        Ok(())
    })
}
