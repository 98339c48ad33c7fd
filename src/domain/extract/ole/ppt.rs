//! PPT: the live slides in their order, by the persist directory; their outline text first, then the other boxes.

use super::super::markdown::{Markdown, escape, squeeze};
use super::super::{ExtractError, Extracted, Kind, Limits};
use super::{Compound, summary, u16_at, u32_at, utf16};
use std::collections::BTreeMap;

/// Record types ([MS-PPT] 2.13.24).
const DOCUMENT: u16 = 0x03e8;
const SLIDE_PLACE: u16 = 0x03f3;
const TEXT_HEADER: u16 = 0x0f9f;
const TEXT_WIDE: u16 = 0x0fa0;
const TEXT_NARROW: u16 = 0x0fa8;
const SLIDE_LIST: u16 = 0x0ff0;
const USER_EDIT: u16 = 0x0ff5;
const PERSIST: u16 = 0x1772;
/// Containers deeper than this are not looked into.
const DEPTH_MAX: usize = 24;

/// Reads an old PowerPoint presentation.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let file = Compound::open(bytes).ok_or_else(|| ExtractError::damaged(Kind::Ppt, "its container cannot be read"))?;
    summary(&file, found);
    let stream = file.stream("PowerPoint Document");
    let stream = stream.ok_or_else(|| ExtractError::damaged(Kind::Ppt, "it has no presentation stream"))?;
    let user = file.stream("Current User").unwrap_or_default();
    if u32_at(&user, 12) == 0xf3d1_c4df || file.names().any(|name| name == "EncryptedSummary") {
        return Err(ExtractError::Encrypted { kind: Kind::Ppt });
    }
    let places = places(&stream, u32_at(&user, 16) as usize);
    let mut out = Markdown::new(limits.text_bytes_max);
    let slides = slides(&stream);
    for slide in &slides {
        for (kind, text) in &slide.outline {
            write(*kind, text, &mut out, &mut found.title);
        }
        let mut boxes = Vec::new();
        if let Some(body) = places.get(&slide.place).and_then(|at| record(&stream, *at)).map(|record| record.body) {
            texts(body, 0, &mut boxes);
        }
        for (kind, text) in boxes {
            write(kind, &text, &mut out, &mut found.title);
        }
    }
    // Without a list of slides, as in a damaged file, whatever text there is.
    if slides.is_empty() {
        let mut all = Vec::new();
        texts(&stream, 0, &mut all);
        for (kind, text) in all {
            write(kind, &text, &mut out, &mut found.title);
        }
    }
    found.pages = u32::try_from(slides.len()).ok();
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

struct Record<'a> {
    container: bool,
    instance: u16,
    kind: u16,
    body: &'a [u8],
}

fn record(stream: &[u8], at: usize) -> Option<Record<'_>> {
    let head = stream.get(at..at.checked_add(8)?)?;
    let end = (at + 8).saturating_add(u32_at(head, 4) as usize).min(stream.len());
    let flags = u16_at(head, 0);
    Some(Record {
        container: flags & 15 == 15,
        instance: flags >> 4,
        kind: u16_at(head, 2),
        body: stream.get(at + 8..end)?,
    })
}

fn records(stream: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let record = record(stream, at)?;
        at += 8 + record.body.len();
        Some(record)
    })
}

/// Where each persistent object lies: the newest of the user edits wins.
fn places(stream: &[u8], newest: usize) -> BTreeMap<u32, usize> {
    let mut out = BTreeMap::new();
    let mut edit = newest;
    for _ in 0..1000 {
        let Some(user) = record(stream, edit).filter(|record| record.kind == USER_EDIT) else { break };
        let directory = record(stream, u32_at(user.body, 12) as usize).filter(|record| record.kind == PERSIST);
        let mut rest = directory.map(|record| record.body).unwrap_or_default();
        while rest.len() >= 4 {
            let (first, count) = (u32_at(rest, 0) & 0xf_ffff, (u32_at(rest, 0) >> 20) as usize);
            for index in 0..count.min(rest.len() / 4) {
                out.entry(first + index as u32).or_insert(u32_at(rest, 4 + index * 4) as usize);
            }
            rest = rest.get(4 + count * 4..).unwrap_or_default();
        }
        edit = u32_at(user.body, 8) as usize;
        if edit == 0 {
            break;
        }
    }
    out
}

struct Slide {
    place: u32,
    outline: Vec<(u32, String)>,
}

/// The slides of the last document container, with the texts of their outline.
fn slides(stream: &[u8]) -> Vec<Slide> {
    let document = records(stream).filter(|record| record.kind == DOCUMENT).last();
    let lists = document.iter().flat_map(|document| records(document.body));
    let mut slides: Vec<Slide> = Vec::new();
    // Instance 0 lists slides; 1 and 2 list masters and notes.
    for list in lists.filter(|record| record.kind == SLIDE_LIST && record.instance == 0) {
        let mut kind = 4;
        for record in records(list.body) {
            match record.kind {
                SLIDE_PLACE => slides.push(Slide { place: u32_at(record.body, 0), outline: Vec::new() }),
                TEXT_HEADER => kind = u32_at(record.body, 0),
                _ => {
                    if let Some((slide, text)) = slides.last_mut().zip(text_of(&record)) {
                        slide.outline.push((kind, text));
                    }
                }
            }
        }
    }
    slides
}

fn text_of(record: &Record<'_>) -> Option<String> {
    match record.kind {
        TEXT_WIDE => Some(utf16(record.body)),
        TEXT_NARROW => Some(record.body.iter().map(|byte| char::from(*byte)).collect()),
        _ => None,
    }
}

/// All texts below, with the kind that the header before them says.
fn texts(stream: &[u8], depth: usize, out: &mut Vec<(u32, String)>) {
    let mut kind = 4;
    for record in records(stream) {
        if record.kind == TEXT_HEADER {
            kind = u32_at(record.body, 0);
        } else if let Some(text) = text_of(&record) {
            out.push((kind, text));
        } else if record.container && depth < DEPTH_MAX {
            texts(record.body, depth + 1, out);
        } else if record.kind == 0xf00d && depth < DEPTH_MAX {
            // A text box is a container that does not always say so.
            texts(record.body, depth + 1, out);
        }
    }
}

/// Kinds 0 and 6 are titles, 1, 5, 7 and 8 bodies; the rest is loose text.
fn write(kind: u32, text: &str, out: &mut Markdown, title: &mut Option<String>) {
    let text = text.replace('\u{b}', "\n");
    // A lone star stands for the slide's number or date.
    if text.trim().is_empty() || text.trim() == "*" {
        return;
    }
    if matches!(kind, 0 | 6) {
        let heading = squeeze(&text);
        title.get_or_insert(heading.clone());
        out.heading(1, &escape(&heading));
        return;
    }
    for paragraph in text.split('\r') {
        if matches!(kind, 1 | 7 | 8) {
            out.item(0, "-", &escape(paragraph));
        } else {
            out.paragraph(&escape(paragraph));
        }
    }
}
