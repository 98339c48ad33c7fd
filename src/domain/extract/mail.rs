//! Mailboxes: where messages begin, and what text is a message at all.

use super::markdown::{self, Markdown};
use super::{Extracted, Limits, eml};

/// Headers of which a real message has at least one.
const TELLING: &[&str] = &["received:", "message-id:", "mime-version:", "return-path:", "delivered-to:", "x-mailer:"];
/// Headers of which a bare message has at least two.
const USUAL: &[&str] = &["from:", "to:", "subject:", "date:"];

/// Whether lower-cased text starts with the header of a message.
pub(super) fn looks_like_mail(lower: &str) -> bool {
    let mut telling = false;
    let mut usual = 0;
    for line in lower.lines().skip_while(|line| line.starts_with("from ")).take(40) {
        if line.trim().is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let name = line.split(':').next().unwrap_or_default();
        let is_header = line.contains(':') && name.chars().all(|c| c.is_ascii_graphic());
        if !is_header {
            // The text was cut in the middle of a line.
            break;
        }
        telling |= TELLING.iter().any(|header| line.starts_with(header));
        usual += usize::from(USUAL.iter().any(|header| line.starts_with(header)));
    }
    telling && usual >= 1 || usual >= 3
}

/// Reads a mailbox: every message under a heading of its own.
pub(super) fn read_mbox(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let mut out = Markdown::new(limits.text_bytes_max);
    let mut count = 0;
    for message in messages(bytes) {
        if out.full() {
            found.truncated = true;
            break;
        }
        let mut one = Extracted::default();
        eml::message(message, limits, &mut one);
        count += 1;
        out.heading(2, &markdown::escape(one.title.as_deref().unwrap_or("—")));
        let fact = |name: &str| one.facts.get(name).map_or("", String::as_str);
        let to =
            [fact("to"), fact("cc")].into_iter().filter(|people| !people.is_empty()).collect::<Vec<_>>().join(", ");
        out.item(0, "-", &markdown::escape(&format!("{} → {to}", fact("from"))));
        out.item(0, "-", fact("date"));
        out.paragraph(&one.text);
        if count == 1 {
            found.title = one.title;
            found.created = one.created;
            found.author = one.author;
        }
    }
    found.facts.insert("messages".to_owned(), count.to_string());
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
}

/// The messages of a mailbox: each begins after a `From ` line that follows an empty line or the start.
fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let (mut at, mut blank_before) = (0, true);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if blank_before && line.starts_with(b"From ") {
            starts.push((at, at + line.len()));
        }
        blank_before = line.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([bytes.len()]);
    starts.iter().zip(ends).filter_map(|((_, body), end)| bytes.get(*body..end)).collect()
}
