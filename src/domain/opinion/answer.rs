//! Reads what a model answered: one object with a place of the list, or nothing at all.

use serde::Deserialize;
use unicode_segmentation::UnicodeSegmentation;

use super::{Opinion, Prompt, Vote};

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 80;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 300;
/// Sentences of a description.
const SENTENCES_MAX: usize = 2;
/// So many letters of the rules in a row are no coincidence.
const ECHO_CHARS: usize = 40;

/// What came back from a server.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The model that answered.
    pub model: &'a str,
    /// What it wrote.
    pub text: &'a str,
    /// Whether it was stopped before it was done.
    pub cut_off: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
}

/// The opinion in an answer. Whatever is not exactly an answer to the question is an abstention that says why.
#[must_use]
pub fn read(said: Said<'_>, codes: &[&str], prompt: &Prompt) -> Opinion {
    let abstained = |reason: &str| Opinion::abstained(said.model, reason);
    if said.cut_off {
        return abstained("its answer was cut off");
    }
    let text = said.text.trim();
    if text.is_empty() {
        return abstained("it said nothing");
    }
    let answer: Answer = match serde_json::from_str(bare(text)) {
        Ok(answer) => answer,
        Err(_) if text.starts_with('{') => return abstained("its answer is no whole object of the kind asked for"),
        Err(_) => return abstained("it answered in prose"),
    };
    let vote = match answer.id.as_str() {
        "none" => Vote::Nowhere,
        id if codes.contains(&id) => Vote::Place(id.to_owned()),
        _ => return abstained("it named a place that was not on the list"),
    };
    let kept = |text: String| (!text.is_empty() && !echoes(&text, prompt)).then_some(text);
    Opinion {
        model: said.model.to_owned(),
        vote,
        title: kept(clean_title(&answer.title)),
        description: kept(clean_description(&answer.description)),
    }
}

/// An object that a model put into a fence of Markdown, as many do.
fn bare(text: &str) -> &str {
    let inner = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    inner.and_then(|inner| inner.trim().strip_suffix("```")).map_or(text, str::trim)
}

/// Whether a text repeats the rules or the list.
fn echoes(text: &str, prompt: &Prompt) -> bool {
    let letters: Vec<char> = text.chars().collect();
    let frame = [prompt.system.as_str(), prompt.user.split("\nThe document, between").next().unwrap_or_default()];
    letters.windows(ECHO_CHARS).any(|window| {
        let window: String = window.iter().collect();
        frame.iter().any(|part| part.contains(&window))
    })
}

/// A title of one line and at most 80 characters.
#[must_use]
pub fn clean_title(text: &str) -> String {
    shortened(&plain(text), TITLE_CHARS_MAX)
}

/// A description of at most two sentences and 300 characters.
#[must_use]
pub fn clean_description(text: &str) -> String {
    let plain = plain(text);
    let sentences: String = plain.unicode_sentences().take(SENTENCES_MAX).collect();
    shortened(sentences.trim(), DESCRIPTION_CHARS_MAX)
}

/// One line of plain words: no markup, no links, no addresses, nothing that is not seen.
fn plain(text: &str) -> String {
    let seen = |letter: &char| {
        let hidden = matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        !hidden
    };
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).filter(seen).collect();
    let is_address = |word: &&str| {
        let word = word.to_lowercase();
        word.contains("://") || word.contains("javascript:") || word.contains("data:")
    };
    let is_rule = |word: &&str| word.chars().all(|letter| matches!(letter, '-' | '=' | '_' | '*'));
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_address(word) && !is_rule(word)).collect();
    let markup =
        |letter: char| matches!(letter, '[' | ']' | '<' | '>' | '`' | '|' | '\\' | '{' | '}' | '*' | '$' | '%');
    let line: String = words.join(" ").chars().filter(|letter| !markup(*letter)).collect();
    // What begins like a heading, a list, a tag or a property is none here.
    line.trim_start_matches(['#', '-', '+', '=', '!', ':', '/', ' ', '.']).trim().replace(" #", " ")
}

/// At most so many characters, cut between words.
fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(chars_max - 1).collect();
    let at_word = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    let kept = if at_word.len() * 2 > cut.len() { at_word } else { &cut };
    format!("{}…", kept.trim_end())
}
