//! Images: size, EXIF and PNG texts. Their pixels are read elsewhere, by text recognition.

use super::{Extracted, date, kind::find, markdown, text};

/// Reads what an image says about itself.
pub(super) fn read(bytes: &[u8], found: &mut Extracted) {
    if let Some((width, height)) = size(bytes).filter(|(width, height)| *width > 0 && *height > 0) {
        found.facts.insert("width".to_owned(), width.to_string());
        found.facts.insert("height".to_owned(), height.to_string());
    }
    png_texts(bytes, found);
    if let Some(tiff) = exif_block(bytes) {
        Exif { tiff, little: tiff.starts_with(b"II") }.read(found);
    }
}

fn big16(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from(u16::from_be_bytes(*chunk)))
}

fn big32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))
}

fn little16(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from(u16::from_le_bytes(*chunk)))
}

/// Width and height in pixels.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(b"\x89PNG") {
        return Some((big32(bytes, 16)?, big32(bytes, 20)?));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((little16(bytes, 6)?, little16(bytes, 8)?));
    }
    if bytes.starts_with(b"BM") {
        return Some((little16(bytes, 18)?, little16(bytes, 22)?));
    }
    if bytes.get(8..12) == Some(b"WEBP") {
        return match bytes.get(12..16)? {
            b"VP8X" => Some((
                (little16(bytes, 24)? | u32::from(*bytes.get(26)?) << 16) + 1,
                (little16(bytes, 27)? | u32::from(*bytes.get(29)?) << 16) + 1,
            )),
            b"VP8 " => Some((little16(bytes, 26)? & 0x3fff, little16(bytes, 28)? & 0x3fff)),
            b"VP8L" => {
                let packed = little16(bytes, 21)? | little16(bytes, 23)? << 16;
                Some(((packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1))
            }
            _ => None,
        };
    }
    segments(bytes).find_map(|(marker, body)| {
        // Frame headers, without the tables that share their range.
        let frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if frame { Some((big16(body, 3)?, big16(body, 1)?)) } else { None }
    })
}

/// The segments of a JPEG before its pixels: marker and body.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        if !bytes.starts_with(b"\xff\xd8") || bytes.get(at) != Some(&0xff) {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        let end = at + 2 + big16(bytes, at + 2)? as usize;
        let body = bytes.get(at + 4..end.min(bytes.len()))?;
        at = end;
        (marker != 0xda).then_some((marker, body))
    })
}

/// The TIFF structure that holds the EXIF fields, wherever the format keeps it.
fn exif_block(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") {
        return Some(bytes);
    }
    if bytes.starts_with(b"\xff\xd8") {
        return segments(bytes).find_map(|(marker, body)| body.strip_prefix(b"Exif\0\0").filter(|_| marker == 0xe1));
    }
    let name: &[u8] = if bytes.starts_with(b"\x89PNG") { b"eXIf" } else { b"EXIF" };
    if bytes.starts_with(b"\x89PNG") || bytes.get(8..12) == Some(b"WEBP") {
        let at = find(bytes, name)?;
        let body = bytes.get(at + if name == b"EXIF" { 8 } else { 4 }..)?;
        return Some(body.strip_prefix(b"Exif\0\0").unwrap_or(body));
    }
    // HEIC keeps it as an item whose place is written elsewhere; the mark before it is plain enough.
    let at = find(bytes, b"Exif\0\0").filter(|_| bytes.get(4..8) == Some(b"ftyp"))?;
    bytes.get(at + 6..)
}

struct Exif<'a> {
    tiff: &'a [u8],
    little: bool,
}

impl Exif<'_> {
    fn number16(&self, at: usize) -> Option<u32> {
        if self.little { little16(self.tiff, at) } else { big16(self.tiff, at) }
    }

    fn number32(&self, at: usize) -> Option<u32> {
        let chunk = self.tiff.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(*chunk) } else { u32::from_be_bytes(*chunk) })
    }

    /// Finds a field of the directory at `at`: its type, count and where its value lies.
    fn field(&self, at: usize, tag: u32) -> Option<(u32, usize, usize)> {
        let count = self.number16(at)? as usize;
        let entry = (0..count).map(|index| at + 2 + index * 12).find(|entry| self.number16(*entry) == Some(tag))?;
        let (kind, count) = (self.number16(entry + 2)?, self.number32(entry + 4)? as usize);
        let width = match kind {
            3 => 2,
            4 | 9 => 4,
            5 | 10 => 8,
            _ => 1,
        };
        let place = if count.checked_mul(width)? <= 4 { entry + 8 } else { self.number32(entry + 8)? as usize };
        Some((kind, count, place))
    }

    fn string(&self, at: usize, tag: u32) -> Option<String> {
        let (kind, count, place) = self.field(at, tag)?;
        let bytes = self.tiff.get(place..place.checked_add(count)?.min(self.tiff.len()))?;
        let text = match (kind, bytes.get(..8)) {
            (7, Some(b"UNICODE\0")) => {
                let encoding = if self.little { encoding_rs::UTF_16LE } else { encoding_rs::UTF_16BE };
                encoding.decode_without_bom_handling(bytes.get(8..)?).0.into_owned()
            }
            (7, Some(b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0")) => text::decode(bytes.get(8..)?),
            // Windows' own fields are UTF-16.
            (1, _) => encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned(),
            _ => text::decode(bytes),
        };
        Some(text.trim_matches(['\0', ' ']).to_owned()).filter(|text| !text.is_empty())
    }

    fn directory(&self, at: usize, tag: u32) -> Option<usize> {
        self.field(at, tag).and_then(|(_, _, place)| self.number32(place)).map(|place| place as usize)
    }

    fn read(&self, found: &mut Extracted) -> Option<()> {
        let main = self.number32(4)? as usize;
        let details = self.directory(main, 0x8769);
        let of_details = |tag| details.and_then(|details| self.string(details, tag));
        found.created = of_details(0x9003)
            .or_else(|| of_details(0x9004))
            .or_else(|| self.string(main, 0x0132))
            .and_then(|at| date::normal(&at));
        found.title =
            self.string(main, 0x9c9b).or_else(|| self.string(main, 0x010e)).filter(|title| !is_camera_default(title));
        found.author.extend(self.string(main, 0x013b).or_else(|| self.string(main, 0x9c9d)));
        found.keywords =
            self.string(main, 0x9c9e).map(|all| all.split(';').map(str::to_owned).collect()).unwrap_or_default();
        let camera =
            [self.string(main, 0x010f), self.string(main, 0x0110)].into_iter().flatten().collect::<Vec<_>>().join(" ");
        found.facts.insert("camera".to_owned(), camera);
        found.facts.extend(self.string(main, 0x8298).map(|text| ("copyright".to_owned(), text)));
        found.facts.extend(of_details(0x9286).map(|text| ("comment".to_owned(), text)));
        let place = self.directory(main, 0x8825)?;
        let (latitude, longitude) = (self.degrees(place, 1, "S")?, self.degrees(place, 3, "W")?);
        found.facts.insert("location".to_owned(), format!("{latitude:.6}, {longitude:.6}"));
        Some(())
    }

    /// Degrees, minutes and seconds as one number; negative with the letter `minus`.
    fn degrees(&self, at: usize, tag: u32, minus: &str) -> Option<f64> {
        let (_, _, place) = self.field(at, tag + 1)?;
        let part = |index: usize| {
            let (over, under) = (self.number32(place + index * 8)?, self.number32(place + index * 8 + 4)?);
            (under > 0).then(|| f64::from(over) / f64::from(under))
        };
        let value = part(0)? + part(1).unwrap_or(0.0) / 60.0 + part(2).unwrap_or(0.0) / 3600.0;
        let negative = self.string(at, tag).is_some_and(|letter| letter == minus);
        Some(if negative { -value } else { value })
    }
}

/// What cameras write for want of a description.
fn is_camera_default(title: &str) -> bool {
    let upper = title.to_uppercase();
    upper.contains("DIGITAL CAMERA") || upper.starts_with("DCIM") || upper.starts_with("DSC") || upper == "DEFAULT"
}

/// The `tEXt` and `iTXt` chunks of a PNG that are not packed.
fn png_texts(bytes: &[u8], found: &mut Extracted) {
    let mut at = 8;
    while bytes.starts_with(b"\x89PNG") {
        let (Some(length), Some(name)) = (big32(bytes, at), bytes.get(at + 4..at + 8)) else { return };
        let body = bytes.get(at + 8..(at + 8).saturating_add(length as usize).min(bytes.len())).unwrap_or_default();
        at = at.saturating_add(12).saturating_add(length as usize);
        let mut parts = body.splitn(2, |byte| *byte == 0);
        let (Some(key), Some(rest)) = (parts.next(), parts.next()) else { continue };
        let value = match name {
            b"tEXt" => text::decode_as(rest, Some("windows-1252")),
            // Two flags, then language and translated key, each ended by a zero.
            b"iTXt" if rest.first() == Some(&0) => {
                match rest.get(2..).unwrap_or_default().splitn(3, |byte| *byte == 0).nth(2) {
                    Some(text) => String::from_utf8_lossy(text).into_owned(),
                    None => continue,
                }
            }
            _ => continue,
        };
        let value = markdown::squeeze(&value);
        match key {
            b"Title" => found.title = Some(value),
            b"Author" => found.author.push(value),
            b"Description" | b"Comment" => drop(found.facts.insert("description".to_owned(), value)),
            b"Creation Time" => found.created = date::normal(&value),
            _ => {}
        }
    }
}
