//! The short description of a document: its first sentences, as plain words.

use unicode_segmentation::UnicodeSegmentation;

use super::name::is_hidden;
use super::properties::one_line;

/// The longest description in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 200;
/// So much of a text is looked at; the first sentences lie far before it ends.
const LOOKED_AT_CHARS_MAX: usize = 8_000;
/// A sentence that is shorter than this does not stop the search for another paragraph.
const ENOUGH_CHARS: usize = 60;

/// The first sentences of a text in plain words, at most 200 characters; whole sentences where they fit, else cut
/// between words with `…`. Headings, code, tables, images and rules are passed over, unless there is nothing else.
#[must_use]
pub fn describe(text: &str) -> String {
    let start: String = text.chars().take(LOOKED_AT_CHARS_MAX).collect();
    let prose = words(&start, true);
    let chosen = if prose.is_empty() { words(&start, false) } else { prose };
    shorten(&chosen)
}

/// One line of at most 200 characters from a text that is given as description.
pub(super) fn shorten(text: &str) -> String {
    let line = one_line(text);
    if line.chars().count() <= DESCRIPTION_CHARS_MAX {
        return line;
    }
    let mut kept = String::new();
    let mut count = 0;
    // One place is kept for the ellipsis.
    for grapheme in line.graphemes(true) {
        count += grapheme.chars().count();
        if count >= DESCRIPTION_CHARS_MAX {
            break;
        }
        kept.push_str(grapheme);
    }
    let sentences = sentence_end(&kept);
    if let Some(whole) = kept.get(..sentences).filter(|whole| whole.chars().count() >= ENOUGH_CHARS) {
        return whole.trim_end().to_owned();
    }
    // Chinese and Japanese have no spaces: there the cut stays where it is.
    let at_word = kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words);
    let kept = if at_word.len() * 2 > kept.len() { at_word } else { &kept };
    format!("{}…", kept.trim_end_matches([' ', ',', ';', ':', '-', '、', '，']))
}

/// The byte offset after the last sentence that is complete.
fn sentence_end(text: &str) -> usize {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let ends = match c {
            '.' | '!' | '?' | '…' | '؟' | '۔' | '।' => next == Some(' '),
            '。' | '！' | '？' => true,
            _ => false,
        };
        if ends {
            end = at + c.len_utf8();
        }
    }
    end
}

/// The words of a text without its Markdown, as one line; of the first paragraphs until there is enough.
fn words(text: &str, prose_only: bool) -> String {
    let mut out = String::new();
    let mut in_fence = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") || line.starts_with("~~~") {
            in_fence = !in_fence;
            continue;
        }
        let apart = line.is_empty() || line.starts_with('#');
        if apart && out.chars().count() >= ENOUGH_CHARS {
            break;
        }
        let no_prose = in_fence || line.starts_with(['#', '|']) || line.starts_with("![");
        let line = plain(line);
        if (prose_only && no_prose) || !line.chars().any(char::is_alphanumeric) {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&line);
        if out.chars().count() > 2 * DESCRIPTION_CHARS_MAX {
            break;
        }
    }
    one_line(&out)
}

/// A line without marks of lists, quotes, emphasis, tables and links; of a link its text.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches(['#', '>', '-', '*', '+', '|', ' ', '•', '·']);
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '*' | '`' | '[' | '\\' => {}
            '|' => out.push(' '),
            ']' => {
                if let Some((_, after)) = rest.strip_prefix('(').and_then(|target| target.split_once(')')) {
                    rest = after;
                }
            }
            '_' if !(out.ends_with(char::is_alphanumeric) && rest.starts_with(char::is_alphanumeric)) => {}
            _ if is_hidden(c) && !c.is_control() => {}
            _ => out.push(c),
        }
    }
    out
}
