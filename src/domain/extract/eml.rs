//! Mail messages: subject, people and date, the text of the body, and that of messages attached.

use super::markdown::Markdown;
use super::{ExtractError, Extracted, Kind, Limits, date, html, text};
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// Messages inside messages, no deeper.
const NESTING_MAX: usize = 6;

/// Reads one message.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    // Some mail programs export with a mark that belongs to text files.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let decoded;
    let bytes = if text::is_utf16(bytes) {
        decoded = text::decode(bytes).into_bytes();
        &decoded
    } else {
        bytes
    };
    if !message(bytes, limits, found) && !bytes.is_empty() {
        return Err(ExtractError::damaged(Kind::Eml, "it has no header of a message"));
    }
    Ok(())
}

/// Reads a message into the fields; false if there is none.
pub(super) fn message(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> bool {
    let Some(message) = MessageParser::default().parse(bytes) else { return false };
    headers(&message, found);
    let mut out = Markdown::new(limits.text_bytes_max);
    let mut attached = Vec::new();
    body(&message, &mut out, &mut attached, 0);
    if !attached.is_empty() {
        found.facts.insert("attachments".to_owned(), attached.join(", "));
    }
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    true
}

fn headers(message: &Message<'_>, found: &mut Extracted) {
    found.title = message.subject().map(str::to_owned);
    found.author = message.from().map(|from| names(from)).unwrap_or_default();
    found.created = message.date().and_then(|at| {
        let written =
            format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", at.year, at.month, at.day, at.hour, at.minute, at.second);
        date::normal(&written)
    });
    let facts =
        [("from", message.from()), ("to", message.to()), ("cc", message.cc()), ("reply_to", message.reply_to())];
    for (fact, address) in facts {
        found.facts.extend(address.map(|address| (fact.to_owned(), people(address))));
    }
    found.facts.extend(message.header_raw("Date").map(|date| ("date".to_owned(), date.trim().to_owned())));
    found.facts.extend(message.message_id().map(|id| ("message_id".to_owned(), id.to_owned())));
    // A page that a browser saved as a message knows where it is from.
    let saved = message.header_raw("Snapshot-Content-Location").or_else(|| message.header_raw("Content-Location"));
    found.source = saved.map(str::trim).filter(|address| address.starts_with("http")).map(str::to_owned);
}

fn names(address: &Address<'_>) -> Vec<String> {
    address.iter().filter_map(|one| one.name().or(one.address())).map(str::to_owned).collect()
}

fn people(address: &Address<'_>) -> String {
    let one = |one: &mail_parser::Addr<'_>| match (one.name(), one.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    };
    address.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The text bodies in their order, then what is attached: messages as text, all else by name.
fn body(message: &Message<'_>, out: &mut Markdown, attached: &mut Vec<String>, depth: usize) {
    for part in message.text_bodies() {
        write(part, out);
    }
    for part in message.attachments() {
        match &part.body {
            PartType::Message(inner) if depth < NESTING_MAX => {
                out.heading(2, inner.subject().unwrap_or("(attached message)"));
                for address in [inner.from(), inner.to(), inner.cc()].into_iter().flatten() {
                    out.item(0, "-", &super::markdown::escape(&people(address)));
                }
                if let Some(date) = inner.header_raw("Date") {
                    out.item(0, "-", date.trim());
                }
                body(inner, out, attached, depth + 1);
            }
            PartType::Text(_) | PartType::Html(_) if part.attachment_name().is_none() => write(part, out),
            _ => attached.extend(part.attachment_name().map(str::to_owned)),
        }
    }
}

fn write(part: &MessagePart<'_>, out: &mut Markdown) {
    match &part.body {
        PartType::Html(source) => out.paragraph(&html::to_markdown(source, 16 << 20)),
        PartType::Text(plain) if part.is_content_type("text", "html") => {
            out.paragraph(&html::to_markdown(plain, 16 << 20))
        }
        PartType::Text(plain) => out.paragraph(&plain.replace("\r\n", "\n").replace('\r', "\n")),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes)
            if text::looks_like_text(bytes) && part.is_content_type("text", "plain") =>
        {
            out.paragraph(&text::decode(bytes));
        }
        _ => {}
    }
}
