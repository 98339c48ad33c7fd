//! MSG: Outlook's messages, their people, body, and the messages attached to them.

use super::super::markdown::{Markdown, escape};
use super::super::{ExtractError, Extracted, Kind, Limits, date, html, rtf, text};
use super::{Compound, u32_at, u64_at, utf16};
use std::collections::BTreeSet;

/// Property ids ([MS-OXPROPS]).
const SUBJECT: &str = "0037";
const BODY: &str = "1000";
const BODY_RTF: &str = "1009";
const BODY_HTML: &str = "1013";
const SENDER: &str = "0C1A";
const SENDER_ADDRESS: &str = "5D01";
const SENDER_ADDRESS_OLD: &str = "0C1F";
const TO: &str = "0E04";
const CC: &str = "0E03";
const FILE_NAME: &str = "3707";
const FILE_NAME_SHORT: &str = "3704";

/// Reads an Outlook message.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let file = Compound::open(bytes).ok_or_else(|| ExtractError::damaged(Kind::Msg, "its container cannot be read"))?;
    let mut out = Markdown::new(limits.text_bytes_max);
    let message = Item { file: &file, at: String::new() };
    found.title = message.text(SUBJECT);
    found.author.extend(message.text(SENDER));
    found.created = message.sent();
    let sender = [message.text(SENDER), message.address()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    for (fact, value) in [("from", Some(sender)), ("to", message.text(TO)), ("cc", message.text(CC))] {
        found.facts.extend(value.map(|value| (fact.to_owned(), value)));
    }
    let mut attached = Vec::new();
    message.body(limits, &mut out, &mut attached, 0);
    if !attached.is_empty() {
        found.facts.insert("attachments".to_owned(), attached.join(", "));
    }
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

/// A message at a path of the container; the outermost one has the empty path.
struct Item<'a, 'b> {
    file: &'a Compound<'b>,
    at: String,
}

impl Item<'_, '_> {
    fn raw(&self, id: &str, kind: &str) -> Option<Vec<u8>> {
        self.file.stream(&format!("{}__substg1.0_{id}{kind}", self.at))
    }

    /// A text property, Unicode or of an unnamed code page.
    fn text(&self, id: &str) -> Option<String> {
        let wide = self.raw(id, "001F").map(|bytes| utf16(&bytes));
        let text = wide.or_else(|| self.raw(id, "001E").map(|bytes| text::decode(&bytes)))?;
        Some(text.trim_matches(['\0', ' ']).to_owned()).filter(|text| !text.is_empty())
    }

    fn address(&self) -> Option<String> {
        let plain = |id| self.text(id).filter(|address: &String| address.contains('@'));
        plain(SENDER_ADDRESS).or_else(|| plain(SENDER_ADDRESS_OLD)).map(|address| format!("<{address}>"))
    }

    /// When it was sent, else received, else made: UTC, from the fixed-size properties.
    fn sent(&self) -> Option<String> {
        let properties = self.file.stream(&format!("{}__properties_version1.0", self.at))?;
        let header = if self.at.is_empty() { 32 } else { 24 };
        let entries = properties.get(header..)?.chunks_exact(16);
        let time = |tag: u32| {
            entries
                .clone()
                .find(|entry| u32_at(entry, 0) == tag)
                .and_then(|entry| date::from_filetime(u64_at(entry, 8)))
        };
        time(0x0039_0040).or_else(|| time(0x0e06_0040)).or_else(|| time(0x3007_0040))
    }

    fn body(&self, limits: &Limits, out: &mut Markdown, attached: &mut Vec<String>, depth: usize) {
        let page = || self.raw(BODY_HTML, "0102").map(|bytes| text::decode(&bytes)).or_else(|| self.text(BODY_HTML));
        if let Some(text) = self.text(BODY) {
            out.paragraph(&text.replace("\r\n", "\n"));
        } else if let Some(page) = page() {
            out.paragraph(&html::to_markdown(&page, limits.text_bytes_max));
        } else if let Some(rich) = self.raw(BODY_RTF, "0102").and_then(|packed| unpack(&packed, limits)) {
            let mut inner = Extracted::default();
            rtf::read(&rich, limits, &mut inner);
            out.paragraph(&inner.text);
        }
        let start = format!("{}__attach_version1.0_", self.at);
        let storages: BTreeSet<String> = self
            .file
            .names()
            .filter_map(|name| Some(format!("{start}{}/", name.strip_prefix(&start)?.split_once('/')?.0)))
            .collect();
        for at in storages {
            let inner = Item { file: self.file, at: format!("{at}__substg1.0_3701000D/") };
            let attachment = Item { file: self.file, at };
            let is_message = self.file.stream(&format!("{}__properties_version1.0", inner.at)).is_some();
            if is_message && depth < 6 {
                out.heading(2, &escape(&inner.text(SUBJECT).unwrap_or_else(|| "(attached message)".to_owned())));
                inner.body(limits, out, attached, depth + 1);
            } else {
                attached.extend(attachment.text(FILE_NAME).or_else(|| attachment.text(FILE_NAME_SHORT)));
            }
        }
    }
}

/// What every compressed RTF may refer back to ([MS-OXRTFCP] 2.1.3.1.2).
const PRESET: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// Unpacks compressed RTF; what can be read of it if it is damaged.
fn unpack(packed: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let body = packed.get(16..)?;
    match packed.get(8..12)? {
        b"MELA" => return Some(body.to_vec()),
        b"LZFu" => {}
        _ => return None,
    }
    let wanted = (u32_at(packed, 4) as usize).min(limits.unpacked_bytes_max as usize);
    let mut window = [b' '; 4096];
    let mut write = PRESET.len();
    window.get_mut(..write)?.copy_from_slice(PRESET);
    let mut out = Vec::new();
    let mut bytes = body.iter().copied();
    'all: while out.len() < wanted {
        let Some(control) = bytes.next() else { break };
        for bit in 0..8 {
            let Some(first) = bytes.next() else { break 'all };
            if control & (1 << bit) == 0 {
                window[write] = first;
                write = (write + 1) % 4096;
                out.push(first);
                continue;
            }
            let Some(second) = bytes.next() else { break 'all };
            let offset = usize::from(first) << 4 | usize::from(second) >> 4;
            if offset == write {
                break 'all;
            }
            for index in 0..usize::from(second & 15) + 2 {
                let byte = window[(offset + index) % 4096];
                window[write] = byte;
                write = (write + 1) % 4096;
                out.push(byte);
            }
        }
    }
    Some(out)
}
