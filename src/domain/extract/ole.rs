//! Compound files (OLE2): the container of old office documents and Outlook messages, and their summary properties.

pub(super) mod doc;
pub(super) mod msg;
pub(super) mod ppt;
mod strings;
pub(super) mod xls;

use super::{Extracted, Kind, date, text};
use std::collections::{BTreeMap, BTreeSet};

/// The first bytes of every compound file.
pub(super) const MAGIC: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// Sector numbers from here on mean the end of a chain or no sector.
const NO_SECTOR: u32 = 0xffff_fffa;

/// A little-endian number of two bytes; zero beyond the end.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u16::from_le_bytes(*chunk))
}

/// A little-endian number of four bytes; zero beyond the end.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// A little-endian number of eight bytes; zero beyond the end.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// The text of little-endian UTF-16.
fn utf16(bytes: &[u8]) -> String {
    encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned()
}

/// An open compound file.
#[derive(Debug)]
pub(super) struct Compound<'a> {
    bytes: &'a [u8],
    sector: usize,
    fat: Vec<u32>,
    mini_fat: Vec<u32>,
    mini: Vec<u8>,
    mini_cutoff: usize,
    /// Start and size of each stream by its path, storages apart by `/`.
    streams: BTreeMap<String, (u32, usize)>,
}

impl<'a> Compound<'a> {
    /// Reads the tables and the directory ([MS-CFB] 2); whatever is missing at the end of a cut file is left out.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let shift = u16_at(bytes, 0x1e);
        if !matches!(shift, 9 | 12) {
            return None;
        }
        let mut file = Self {
            bytes,
            sector: 1 << shift,
            fat: Vec::new(),
            mini_fat: Vec::new(),
            mini: Vec::new(),
            mini_cutoff: u32_at(bytes, 0x38) as usize,
            streams: BTreeMap::new(),
        };
        file.read_fat();
        let mini_fat = file.chain(u32_at(bytes, 0x3c), usize::MAX);
        file.mini_fat = mini_fat.chunks_exact(4).map(|chunk| u32_at(chunk, 0)).collect();
        let directory = file.chain(u32_at(bytes, 0x30), usize::MAX);
        let root_start = u32_at(&directory, 0x74);
        let root_size = u32_at(&directory, 0x78) as usize;
        file.mini = file.chain(root_start, root_size);
        file.read_directory(&directory);
        Some(file)
    }

    fn sector_at(&self, number: u32) -> &'a [u8] {
        let start = (number as usize).saturating_add(1).saturating_mul(self.sector);
        let end = start.saturating_add(self.sector).min(self.bytes.len());
        self.bytes.get(start..end).unwrap_or_default()
    }

    fn read_fat(&mut self) {
        let mut sectors: Vec<u32> = (0..109).map(|index| u32_at(self.bytes, 0x4c + index * 4)).collect();
        let mut next = u32_at(self.bytes, 0x44);
        let most = self.bytes.len() / self.sector + 1;
        for _ in 0..most {
            if next >= NO_SECTOR {
                break;
            }
            let table = self.sector_at(next);
            let entries = table.len() / 4;
            sectors.extend((0..entries.saturating_sub(1)).map(|index| u32_at(table, index * 4)));
            next = u32_at(table, entries.saturating_sub(1) * 4);
        }
        for number in sectors.into_iter().filter(|number| *number < NO_SECTOR).take(most) {
            self.fat.extend(self.sector_at(number).chunks_exact(4).map(|chunk| u32_at(chunk, 0)));
        }
    }

    /// The bytes of a chain of sectors, at most `size`.
    fn chain(&self, start: u32, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut next = start;
        // A chain longer than the table turns in a circle.
        for _ in 0..=self.fat.len() {
            if next >= NO_SECTOR || out.len() >= size {
                break;
            }
            let sector = self.sector_at(next);
            if sector.is_empty() {
                break;
            }
            out.extend_from_slice(sector);
            next = self.fat.get(next as usize).copied().unwrap_or(NO_SECTOR);
        }
        out.truncate(size);
        out
    }

    fn mini_chain(&self, start: u32, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut next = start;
        for _ in 0..=self.mini_fat.len() {
            if next >= NO_SECTOR || out.len() >= size {
                break;
            }
            let at = (next as usize).saturating_mul(64);
            let end = at.saturating_add(64).min(self.mini.len());
            out.extend_from_slice(self.mini.get(at..end).unwrap_or_default());
            next = self.mini_fat.get(next as usize).copied().unwrap_or(NO_SECTOR);
        }
        out.truncate(size);
        out
    }

    /// Walks the trees of siblings, each storage with its path.
    fn read_directory(&mut self, directory: &[u8]) {
        let entry = |index: u32| directory.get(index as usize * 128..index as usize * 128 + 128);
        let mut seen = BTreeSet::new();
        let mut open = vec![(directory.get(..128).map_or(u32::MAX, |root| u32_at(root, 0x4c)), String::new())];
        while let Some((index, path)) = open.pop() {
            let Some(entry) = entry(index).filter(|_| seen.insert(index)) else { continue };
            let length = usize::from(u16_at(entry, 0x40)).saturating_sub(2).min(62);
            let name = format!("{path}{}", utf16(entry.get(..length).unwrap_or_default()));
            open.push((u32_at(entry, 0x44), path.clone()));
            open.push((u32_at(entry, 0x48), path));
            match entry.get(0x42) {
                Some(1) => open.push((u32_at(entry, 0x4c), format!("{name}/"))),
                Some(2) => {
                    self.streams.insert(name, (u32_at(entry, 0x74), u32_at(entry, 0x78) as usize));
                }
                _ => {}
            }
        }
    }

    /// The paths of all streams.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.streams.keys().map(String::as_str)
    }

    /// The bytes of a stream, as many as are there.
    pub(super) fn stream(&self, path: &str) -> Option<Vec<u8>> {
        let (start, size) = match self.streams.get(path) {
            Some(found) => *found,
            // Names differ in case only where a writer did not care for it.
            None => *self.streams.iter().find(|(name, _)| name.eq_ignore_ascii_case(path))?.1,
        };
        Some(if size < self.mini_cutoff { self.mini_chain(start, size) } else { self.chain(start, size) })
    }
}

/// What a compound file holds, by its streams.
pub(super) fn kind(bytes: &[u8]) -> Option<Kind> {
    const STREAMS: &[(&str, Kind)] = &[
        ("WordDocument", Kind::Doc),
        ("PowerPoint Document", Kind::Ppt),
        ("Workbook", Kind::Xls),
        ("Book", Kind::Xls),
        ("__properties_version1.0", Kind::Msg),
    ];
    let file = Compound::open(bytes)?;
    STREAMS
        .iter()
        .find(|(name, _)| file.streams.keys().any(|known| known.eq_ignore_ascii_case(name)))
        .map(|(_, kind)| *kind)
}

/// Title, author and the like from the summary stream ([MS-OLEPS]).
fn summary(file: &Compound<'_>, found: &mut Extracted) {
    let Some(set) = file.stream("\u{5}SummaryInformation") else { return };
    let section = set.get(u32_at(&set, 0x2c) as usize..).unwrap_or_default();
    let count = (u32_at(section, 4) as usize).min(200);
    let property = |wanted: u32| {
        let index = (0..count).find(|index| u32_at(section, 8 + index * 8) == wanted)?;
        section.get(u32_at(section, 12 + index * 8) as usize..)
    };
    let page = property(1).map_or(0, |value| u16_at(value, 4));
    let string = |id: u32| {
        let value = property(id)?;
        let length = u32_at(value, 4) as usize;
        let text = match u16_at(value, 0) {
            0x1e => {
                let bytes = value.get(8..8 + length.min(value.len().saturating_sub(8)))?;
                let label = if page == 65001 { "utf-8".to_owned() } else { format!("windows-{page}") };
                text::decode_as(bytes.split(|byte| *byte == 0).next().unwrap_or_default(), Some(&label))
            }
            0x1f => utf16(value.get(8..8 + (length * 2).min(value.len().saturating_sub(8)))?),
            _ => return None,
        };
        Some(text.trim_matches(['\0', ' ']).to_owned()).filter(|text| !text.is_empty())
    };
    found.title = string(2).filter(|title| title != "PowerPoint Presentation");
    found.author.extend(string(4));
    found.facts.extend(string(3).map(|subject| ("subject".to_owned(), subject)));
    found.keywords = string(5).map(|all| all.split([',', ';']).map(str::to_owned).collect()).unwrap_or_default();
    found.created = property(12).and_then(|value| date::from_filetime(u64_at(value, 4)));
}
