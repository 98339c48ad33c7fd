//! Choosing a place by typing: digits and words filter, Tab completes, arrows choose.

use std::io::Write;

use console::{Key, Style, Term};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    super::screen::{Screen, safe},
    draw::{fit, width},
};
use crate::{
    domain::jd::{Level, Receives, Structure},
    rpc::{Error, Result},
};

/// Rows of the list.
const ROWS: usize = 8;

/// One place to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) code: String,
    /// The code, the title, and the titles above it.
    label: String,
    /// What the filter looks at, lower-cased.
    words: String,
}

/// The places that a document can be filed under.
pub(super) fn places(structure: &Structure) -> Vec<Choice> {
    choices(structure, |place| place.receives() == Receives::Content)
}

/// The categories that a new id can be made in.
pub(super) fn categories(structure: &Structure) -> Vec<Choice> {
    choices(structure, |place| {
        place.level() == Level::Category
            && !place.category.is_some_and(|category| crate::domain::jd::is_management(place.area, category))
    })
}

fn choices(structure: &Structure, wanted: impl Fn(&crate::domain::jd::Place<'_>) -> bool) -> Vec<Choice> {
    let wanted = structure.places().filter(wanted);
    let choices = wanted.map(|place| {
        let above = match place.level() {
            Level::Id => place.category.map_or("", |category| &category.name),
            _ => &place.area.name,
        };
        let label = safe(&format!("{} {}  ({above})", place.code(), place.title()));
        let about = place.about().map(|about| [&about.keywords[..], &about.aliases[..]].concat().join(" "));
        let words = format!("{label} {}", about.unwrap_or_default()).to_lowercase();
        Choice { code: place.code().to_owned(), label, words }
    });
    choices.collect()
}

/// Those that have every typed word in them; whose code begins with what was typed come first, then whose label has it.
pub(super) fn matching<'c>(choices: &'c [Choice], typed: &str) -> Vec<&'c Choice> {
    let typed = typed.trim().to_lowercase();
    let mut found: Vec<&Choice> =
        choices.iter().filter(|choice| typed.split_whitespace().all(|word| choice.words.contains(word))).collect();
    found.sort_by_key(|choice| (!choice.code.starts_with(&typed), !choice.label.to_lowercase().contains(&typed)));
    found
}

/// What Tab makes of what was typed: as much of the codes as all matches share, or the only match.
pub(super) fn completed(found: &[&Choice], typed: &str) -> String {
    let Some(first) = found.first() else { return typed.to_owned() };
    let by_code: Vec<&str> =
        found.iter().map(|it| it.code.as_str()).filter(|code| code.starts_with(typed.trim())).collect();
    let codes = if by_code.is_empty() { vec![first.code.as_str()] } else { by_code };
    let shared = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let head = codes.first().map(|&code| code.to_owned()).unwrap_or_default();
    codes.iter().fold(head, |head: String, code| shared(&head, code))
}

/// Lets a person choose; nothing if they left with Escape.
pub(super) fn pick(term: &Term, screen: &Screen, prompt: &str, choices: &[Choice]) -> Result<Option<String>> {
    let (mut typed, mut chosen) = (String::new(), 0_usize);
    loop {
        let found = matching(choices, &typed);
        chosen = chosen.min(found.len().saturating_sub(1));
        let lines = draw(term, screen, prompt, &typed, &found, chosen)?;
        let key = read(term)?;
        term.clear_last_lines(lines).map_err(Error::internal)?;
        match key {
            Key::Escape | Key::CtrlC => return Ok(None),
            Key::Enter => {
                if let Some(choice) = found.get(chosen) {
                    return Ok(Some(choice.code.clone()));
                }
            }
            Key::Tab => (typed, chosen) = (completed(&found, &typed), 0),
            Key::ArrowDown => chosen = (chosen + 1).min(found.len().saturating_sub(1)),
            Key::ArrowUp => chosen = chosen.saturating_sub(1),
            key => {
                edit(&mut typed, &key);
                chosen = 0;
            }
        }
    }
}

fn draw(term: &Term, screen: &Screen, prompt: &str, typed: &str, found: &[&Choice], chosen: usize) -> Result<usize> {
    let (cyan, dim) = (screen.style(Style::new().cyan().bold()), screen.style(Style::new().dim()));
    let width = width(term.size().1);
    let first = chosen.saturating_sub(ROWS - 1);
    let mut lines = Vec::new();
    for (at, choice) in found.iter().enumerate().skip(first).take(ROWS) {
        let line = fit(&choice.label, width - 4);
        lines.push(if at == chosen {
            format!("  {}", cyan.apply_to(format!("> {line}")))
        } else {
            format!("    {line}")
        });
    }
    let about = match found.len() {
        0 => "no place matches; Backspace takes letters away, Esc leaves".to_owned(),
        1 => "Enter takes it, Esc leaves".to_owned(),
        count => format!("{count} places: type to filter, Tab completes, Enter takes it, Esc leaves"),
    };
    lines.push(format!("  {}", dim.apply_to(fit(&about, width - 2))));
    lines.push(fit(&format!("{prompt}: {typed}\u{2581}"), width));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    (&*term).write_all(text.as_bytes()).map_err(Error::internal)?;
    Ok(lines.len())
}

/// One line of text; nothing if they left with Escape or wrote nothing.
pub(super) fn line(term: &Term, prompt: &str, given: &str) -> Result<Option<String>> {
    let mut typed = given.to_owned();
    loop {
        let shown = format!("{}\n", fit(&format!("{prompt}: {typed}\u{2581}"), width(term.size().1)));
        (&*term).write_all(shown.as_bytes()).map_err(Error::internal)?;
        let key = read(term)?;
        term.clear_last_lines(1).map_err(Error::internal)?;
        match key {
            Key::Escape | Key::CtrlC => return Ok(None),
            Key::Enter => return Ok(Some(typed.trim().to_owned()).filter(|typed| !typed.is_empty())),
            key => edit(&mut typed, &key),
        }
    }
}

/// What a key does to a line: whole letters come and go, in any script.
fn edit(typed: &mut String, key: &Key) {
    match key {
        Key::Char(letter) if !letter.is_control() => typed.push(*letter),
        Key::Char('\u{15}') => typed.clear(),
        Key::Backspace => {
            let kept = typed.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
            typed.truncate(kept);
        }
        _ => {}
    }
}

/// One key. The end of the input is as good as leaving.
pub(super) fn read(term: &Term) -> Result<Key> {
    match term.read_key_raw() {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Key::CtrlC),
        key => key.map_err(|error| Error::internal(format!("the terminal cannot be read: {error}"))),
    }
}
