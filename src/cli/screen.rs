//! Where commands write: results to standard output, progress and remarks to standard error.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use console::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::flags::Global;
use crate::rpc::{Error, Result};

/// The two streams, and how to write to them. A reader that went away (`| head`) is no error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// One JSON document instead of lines.
    pub(super) json: bool,
    quiet: bool,
    colour: bool,
}

impl Screen {
    pub(super) fn new(global: &Global) -> Screen {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        console::set_colors_enabled(wanted && io::stdout().is_terminal());
        Screen { json: global.json, quiet: global.quiet, colour: wanted && io::stdout().is_terminal() }
    }

    /// Text on standard output, as it is.
    pub(super) fn text(&self, text: impl Display) {
        let _ = write!(io::stdout().lock(), "{text}").and_then(|()| io::stdout().flush());
    }

    /// A line on standard output.
    pub(super) fn line(&self, line: impl Display) {
        self.text(format_args!("{line}\n"));
    }

    /// A reply, as it came.
    pub(super) fn reply<T: Serialize>(&self, reply: &T) -> Result<()> {
        self.line(serde_json::to_string_pretty(reply)?);
        Ok(())
    }

    /// A reply as JSON, or as a person reads it.
    pub(super) fn show<T: Serialize>(&self, reply: &T, lines: impl FnOnce(&Screen, &T)) -> Result<()> {
        if self.json {
            return self.reply(reply);
        }
        lines(self, reply);
        Ok(())
    }

    /// A remark on standard error, unless nobody wants remarks.
    pub(super) fn remark(&self, remark: impl Display) {
        if !self.quiet && !self.json {
            let _ = writeln!(io::stderr().lock(), "{remark}");
        }
    }

    /// Why a command failed.
    pub(super) fn failure(&self, error: &Error) {
        if self.json {
            let _ = self.reply(error);
        } else {
            let _ = writeln!(io::stderr().lock(), "emm: {}", safe_lines(&error.message));
        }
    }

    /// A question on standard error; only `y` or `yes` is one.
    pub(super) fn confirmed(&self, question: &str) -> bool {
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// A style for standard output; plain where colours are not wanted.
    pub(super) fn style(&self, style: Style) -> Style {
        style.force_styling(self.colour)
    }

    /// Something on standard error that turns while long work goes on; nothing if that is no terminal.
    pub(super) fn busy(&self, doing: &str) -> ProgressBar {
        let bar = self.bar();
        bar.set_style(
            ProgressStyle::with_template("{spinner} {msg} ({elapsed})").unwrap_or(ProgressStyle::default_spinner()),
        );
        bar.set_message(doing.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// As `busy`, with a count.
    pub(super) fn counting(&self, doing: &str, count: usize) -> ProgressBar {
        let bar = self.bar();
        bar.set_length(count as u64);
        bar.set_style(
            ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}").unwrap_or(ProgressStyle::default_bar()),
        );
        bar.set_message(doing.to_owned());
        bar
    }

    fn bar(&self) -> ProgressBar {
        let shown = !self.quiet && !self.json && io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        ProgressBar::with_draw_target(None, target)
    }
}

/// Text of a document or a name as it is safe to print: nothing in it steers the terminal.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|letter| if steers(letter) { '\u{fffd}' } else { letter }).collect()
}

/// As [`safe`], but its lines stay lines.
pub(super) fn safe_lines(text: &str) -> String {
    let kept = |letter: char| if steers(letter) && letter != '\n' && letter != '\t' { '\u{fffd}' } else { letter };
    text.chars().map(kept).collect()
}

/// Control characters, and those that turn the direction of what follows.
fn steers(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `0.8` as `80 %`; rounded down, for 79.6 % is below a threshold of 80 %.
pub(super) fn percent(probability: f64) -> String {
    format!("{} %", (probability * 100.0 + 1e-6).floor())
}
