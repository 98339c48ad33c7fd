//! References: paths of the inbox as text that loses nothing, though a file name may be any bytes.
//!
//! A byte that is not UTF-8 is written `%FF`; a `%` that would be read as such is written `%25`. All other names stay as
//! they are, so `100%.pdf` is `100%.pdf`, and two different names never have one reference.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Writes one name as text.
#[must_use]
pub fn encode(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for (at, character) in chunk.valid().char_indices() {
            text.push(character);
            // An escape never begins in one chunk and ends in the next: what follows a chunk is a `%` again.
            if character == '%' && chunk.valid().as_bytes().get(at..).and_then(escape).is_some() {
                text.push_str("25");
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Reads one name back.
#[must_use]
pub fn decode(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match escape(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

/// The byte that an escape at the beginning stands for: `%25`, or `%80` to `%FF` in capital letters.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let byte = digit(*high)? * 16 + digit(*low)?;
    (byte >= 0x80 || byte == b'%').then_some(byte)
}

/// A name for people: bytes that are not UTF-8 become the replacement character.
#[must_use]
pub fn shown(reference: &str) -> String {
    decode(reference).to_string_lossy().into_owned()
}

/// The names of a reference; `None` when it is no plain relative path.
pub(super) fn parts(reference: &str) -> Option<Vec<OsString>> {
    let parts: Vec<_> = reference.split('/').map(decode).collect();
    let plain = |name: &OsString| {
        let bytes = name.as_bytes();
        !bytes.is_empty() && bytes != b"." && bytes != b".." && !bytes.contains(&0) && !bytes.contains(&b'/')
    };
    parts.iter().all(plain).then_some(parts)
}
