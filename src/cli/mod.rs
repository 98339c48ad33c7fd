//! The command line: what a person types, as calls of `Tools`.
//!
//! A command talks to the node that runs on its home (or to `--node`), and hosts the roles itself where none runs; no
//! command knows which of the two it is, but for those that must write beside the inbox. `flags` has every definition,
//! `setup` finds home and configuration, `session` the tools, `screen` writes.

pub mod demo;
mod doctor;
mod documents;
pub mod eval;
pub mod flags;
mod intake;
mod into_bucket;
pub mod jd;
mod journal;
mod llm;
mod look;
pub mod moment;
mod review;
mod screen;
mod serve;
mod session;
mod settings;
mod setup;
mod shadow;
mod undo;
mod vault;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, error::ErrorKind};

use self::{
    flags::{Cli, Command, Global},
    screen::Screen,
    setup::Setup,
};
use crate::{
    config::LogFormat,
    node::telemetry,
    roles,
    rpc::{Error, Result},
};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something failed.
    Error = 1,
    /// The command was not understood.
    Usage = 2,
    /// Done, and items need review.
    Review = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Parses the command line of this process, runs the command, and says how it ended.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_run(&error),
    };
    let screen = Screen::new(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.failure(&Error::internal(error));
            return Exit::Error;
        }
    };
    let exit = runtime.block_on(run(cli, &screen)).unwrap_or_else(|error| {
        screen.failure(&error);
        Exit::Error
    });
    // What still blocks was waited for within the drain's limit.
    runtime.shutdown_background();
    exit
}

/// What was not understood, or asks for help or the version only.
fn not_run(error: &clap::Error) -> Exit {
    let json = std::env::args_os().any(|argument| argument == "--json");
    match error.exit_code() {
        0 => {
            let _ = error.print();
            Exit::Done
        }
        _ if json => {
            let said = Error::invalid(error.render().to_string().trim_end());
            Screen::new(&Global { json, ..Global::default() }).failure(&said);
            Exit::Usage
        }
        _ => {
            let _ = error.print();
            Exit::Usage
        }
    }
}

async fn run(cli: Cli, screen: &Screen) -> Result<Exit> {
    let Cli { role: node, global, command } = cli;
    let command = match (node, command) {
        (None, Some(command)) => command,
        (Some(names), None) => {
            let roles = match roles::select(&names) {
                Ok(roles) => roles,
                Err(error) => return Ok(not_run(&Cli::command().error(ErrorKind::InvalidValue, error.message))),
            };
            let setup = Setup::load(&global)?;
            telemetry::install(&setup.config.log).map_err(Error::invalid)?;
            return serve::run(setup, screen, roles).await;
        }
        (node, _) => {
            let mut usage = Cli::command();
            let error = match node {
                Some(_) => usage.error(ErrorKind::ArgumentConflict, "--role starts a node and takes no command"),
                None => clap::Error::raw(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, usage.render_help()),
            };
            return Ok(not_run(&error));
        }
    };
    match command {
        Command::Roles => settings::roles(screen),
        Command::Eval(options) => eval::run(&global, screen, &options).await,
        Command::Completions { shell } => settings::completions(screen, shell),
        Command::Man { dir } => settings::man(screen, dir.as_deref()),
        Command::Config { action } => settings::config(&global, screen, action),
        command => over_home(Setup::load(&global)?, screen, command).await,
    }
}

/// Commands that have to do with a home.
async fn over_home(mut setup: Setup, screen: &Screen, command: Command) -> Result<Exit> {
    log_quietly(&mut setup);
    telemetry::install(&setup.config.log).map_err(Error::invalid)?;
    let (setup, screen) = (&setup, screen);
    match command {
        Command::File { paths, moves } => documents::file(setup, screen, &paths, moves).await,
        Command::Sweep => documents::sweep(setup, screen).await,
        Command::Demo => demo::run(setup, screen).await,
        Command::Review { answer } => review::run(setup, screen, answer).await,
        Command::Why { item } => why::run(setup, screen, &item).await,
        Command::Log { item, since, run, limit } => journal::log(setup, screen, item, since, run, limit).await,
        Command::Undo { item, since, run } => undo::run(setup, screen, item, since, run).await,
        Command::Status { file } => look::status(setup, screen, file.as_deref()).await,
        Command::Search { words, limit } => look::search(setup, screen, &words.join(" "), limit).await,
        Command::Verify => look::verify(setup, screen).await,
        Command::Reindex => look::reindex(setup, screen).await,
        Command::Quarantine { action } => documents::quarantine(setup, screen, action).await,
        Command::Llm { action } => llm::run(setup, screen, action).await,
        Command::Vault { action } => vault::run(setup, screen, action).await,
        Command::Jd { action } => jd::run(setup, screen, action).await,
        Command::Extract { file } => documents::extract(setup, screen, &file).await,
        Command::Doctor => doctor::run(setup, screen).await,
        // Dealt with before a home was looked for.
        Command::Roles
        | Command::Eval(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Config { .. } => Ok(Exit::Done),
    }
}

/// A command logs warnings only, unless it was asked for more: its results are what a person wants to see.
fn log_quietly(setup: &mut Setup) {
    let log = &mut setup.config.log;
    if log.level == "info" && log.format == LogFormat::Text {
        log.level = "warn".to_owned();
    }
}
