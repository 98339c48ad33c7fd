//! Plain text in any encoding: byte order mark, UTF-8, UTF-16 without a mark, else the encoding that chardetng hears.

use super::{Extracted, Kind, Limits, markdown};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Decodes bytes whose encoding nobody told us. Never fails; what cannot be read becomes U+FFFD.
pub(super) fn decode(bytes: &[u8]) -> String {
    decode_as(bytes, None)
}

/// Decodes bytes with the encoding that a document names (`windows-1251`, `Shift_JIS`, ...), if it names one.
/// A byte order mark wins over the name, and so does text that is plainly UTF-8.
pub(super) fn decode_as(bytes: &[u8], label: Option<&str>) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0.into_owned();
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    if let Some(text) = utf8(bytes) {
        return text;
    }
    let named = label.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    // A document that says UTF-8 and is not would lose every letter that is wrong: then listen to the bytes instead.
    let encoding = named.filter(|named| *named != UTF_8).unwrap_or_else(|| guess(bytes));
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, chardetng::Utf8Detection::Allow)
}

/// The text, if it is UTF-8; a character cut off by the end of the bytes is forgiven.
fn utf8(bytes: &[u8]) -> Option<String> {
    match std::str::from_utf8(bytes) {
        // ISO-2022-JP is 7-bit and would pass for ASCII.
        Ok(text) if text.contains("\u{1b}$") => None,
        Ok(text) => Some(text.to_owned()),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok().map(str::to_owned)
        }
        Err(_) => None,
    }
}

/// Whether the bytes are UTF-16, with its mark or without.
pub(super) fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || utf16_without_mark(bytes).is_some()
}

/// UTF-16 that forgot its mark: zeros in nearly every second byte, and always the same second.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    if sample.len() < 4 {
        return None;
    }
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    if odd * 10 >= half * 6 && even * 20 < half {
        Some(UTF_16LE)
    } else if even * 10 >= half * 6 && odd * 20 < half {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether the start of a file can be text at all: no zeros (unless UTF-16), hardly any control characters.
pub(super) fn looks_like_text(head: &[u8]) -> bool {
    if Encoding::for_bom(head).is_some() || utf16_without_mark(head).is_some() {
        return true;
    }
    let control = head.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)).count();
    !head.contains(&0) && control * 50 <= head.len()
}

/// Reads plain text: kept as it is, line ends made `\n`.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let text = decode(bytes).replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    set(found, &text, limits);
}

/// Reads Markdown: kept as it is; the title is the `title` property of the front matter or the first heading.
pub(super) fn read_markdown(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    read(bytes, limits, found);
    found.kind = Kind::Markdown;
    let front = front_matter(&found.text);
    let heading = found.text.lines().skip(front.len()).find_map(|line| {
        let (marks, title) = line.trim_end().split_once(' ')?;
        (marks == "#").then(|| title.trim().trim_end_matches('#').trim().to_owned())
    });
    let mut properties: Vec<(String, String)> = Vec::new();
    for line in &front {
        if let Some((key, value)) = line.split_once(':').filter(|(key, _)| !key.starts_with([' ', '-', '#'])) {
            properties.push((key.trim().to_lowercase(), scalar(value)));
        }
    }
    let property = |name: &str| properties.iter().find(|(key, value)| key == name && !value.is_empty());
    let take = |name: &str| property(name).map(|(_, value)| value.clone());
    found.title = take("title").or(heading).filter(|title| !title.is_empty());
    found.author.extend(take("author").filter(|author| !author.starts_with(['[', '{'])));
    found.created = take("created").or_else(|| take("date")).and_then(|date| super::date::normal(&date));
    found.published = take("published").and_then(|date| super::date::normal(&date));
    found.source = take("source").or_else(|| take("url")).filter(|url| url.contains("://"));
    found.language = take("lang").or_else(|| take("language"));
}

/// The lines of the YAML front matter with both its fences, or nothing.
fn front_matter(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Vec::new();
    }
    let mut front = vec!["---".to_owned()];
    for line in lines.take(500) {
        front.push(line.to_owned());
        if matches!(line.trim_end(), "---" | "...") {
            return front;
        }
    }
    Vec::new()
}

/// A YAML scalar on one line, unquoted.
fn scalar(value: &str) -> String {
    let value = value.trim();
    let unquoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .or_else(|| value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')));
    unquoted.unwrap_or(value).to_owned()
}

/// Puts text into the result, cut at the limit.
pub(super) fn set(found: &mut Extracted, text: &str, limits: &Limits) {
    let kept = markdown::cut(text, limits.text_bytes_max);
    found.truncated |= kept.len() < text.len();
    kept.clone_into(&mut found.text);
}
