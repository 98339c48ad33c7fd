//! EPUB: the chapters in reading order, the metadata of the package document.

use super::markdown::Markdown;
use super::package::Package;
use super::xml::Element;
use super::{ExtractError, Extracted, Kind, Limits, date, html, text};
use std::collections::BTreeMap;

/// Reads a book.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let mut package = Package::open(Kind::Epub, bytes, limits)?;
    let container = package.xml("META-INF/container.xml");
    let named = container.as_ref().and_then(|xml| xml.find("rootfile")?.attr("full-path").map(str::to_owned));
    let path = named.or_else(|| package.names().into_iter().find(|name| name.ends_with(".opf")));
    let path = path.ok_or_else(|| ExtractError::damaged(Kind::Epub, "it has no package document"))?;
    let book =
        package.xml(&path).ok_or_else(|| ExtractError::damaged(Kind::Epub, "its package document is missing"))?;
    if let Some(metadata) = book.find("metadata") {
        let all = |name| metadata.collect(name).into_iter().map(Element::text).collect::<Vec<_>>();
        let first = |name| all(name).into_iter().find(|text| !text.trim().is_empty());
        found.title = first("title");
        found.author = all("creator");
        found.language = first("language");
        found.published = first("date").and_then(|written| date::normal(&written).or(Some(written)));
        found.keywords = all("subject");
        found.facts.extend(first("publisher").map(|text| ("publisher".to_owned(), text)));
        found.facts.extend(first("description").map(|text| ("description".to_owned(), html::to_markdown(&text, 2000))));
        found.facts.extend(first("identifier").map(|text| ("identifier".to_owned(), text)));
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut files = BTreeMap::new();
    for item in book.all("item") {
        if let Some((id, address)) = item.attr("id").zip(item.attr("href")) {
            let address = unescape(address.split('#').next().unwrap_or_default());
            files.insert(id, if folder.is_empty() { address } else { format!("{folder}/{address}") });
        }
    }
    let mut out = Markdown::new(limits.text_bytes_max);
    for part in book.all("itemref").filter_map(|part| part.attr("idref")).filter_map(|id| files.get(id)) {
        if out.full() {
            break;
        }
        if let Some(chapter) = package.part(part) {
            out.paragraph(&html::to_markdown(&text::decode(&chapter), limits.text_bytes_max));
        }
    }
    found.truncated |= package.over;
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

/// `%20` and the like back to bytes.
fn unescape(address: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = address.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let mut ahead = bytes.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
