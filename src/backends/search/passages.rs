//! Cutting a text into passages for the index and into sentences for the answer, without losing a character.

use super::TEXT_BYTES_MAX;
use crate::domain::text::continues;

/// A passage is cut at the first empty line, line end or space after this many bytes, whichever comes by then.
const PASSAGE_BYTES: usize = 6_000;

/// How far beyond [`PASSAGE_BYTES`] a better place to cut is looked for.
const SLACK_BYTES: usize = 2_000;

/// A sentence without an end is cut here: Thai has none, tables neither.
const SENTENCE_CHARS: usize = 240;

/// The text as passages; put together again they are the text, up to [`TEXT_BYTES_MAX`].
pub(super) fn passages(text: &str) -> Vec<&str> {
    let mut rest = text.split_at(text.floor_char_boundary(TEXT_BYTES_MAX)).0;
    let mut all = Vec::new();
    while rest.len() > PASSAGE_BYTES + SLACK_BYTES {
        let near = rest.floor_char_boundary(PASSAGE_BYTES);
        let far = rest.floor_char_boundary(PASSAGE_BYTES + SLACK_BYTES);
        let slack = rest.get(near..far).unwrap_or_default();
        let end = ["\n\n", "\n", ". ", "。", " "]
            .iter()
            .find_map(|mark| slack.find(mark).map(|at| near + at + mark.len()))
            .unwrap_or(far);
        let (passage, after) = rest.split_at(end);
        all.push(passage);
        rest = after;
    }
    all.push(rest);
    all
}

/// The sentences of a passage, with the white space around them; put together again they are the passage.
pub(super) fn sentences(passage: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let (mut start, mut count, mut before) = (0, 0, ' ');
    for (at, c) in passage.char_indices() {
        let ended = match before {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' | '…' | '؟' | '۔' | '।' | '॥' | '።' => c.is_whitespace(),
            _ => false,
        };
        let long = count >= SENTENCE_CHARS && !continues(c) && (!c.is_alphanumeric() || count >= 2 * SENTENCE_CHARS);
        if ended || long {
            all.extend(passage.get(start..at));
            (start, count) = (at, 0);
        }
        (count, before) = (count + 1, c);
    }
    all.extend(passage.get(start..));
    all
}
