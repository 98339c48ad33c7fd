//! ZIP packages: the parts of an office document within a bound on what they unpack to, and the listing of an archive.

use super::xml::Xml;
use super::{ExtractError, Extracted, Kind, Limits, markdown};
use std::io::{Cursor, Read, Seek};
use zip::ZipArchive;

/// An open package.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    budget: u64,
    /// Whether the bound stopped a part from being read whole.
    pub(super) over: bool,
}

impl<'a> Package<'a> {
    /// Opens the package; damaged if its directory cannot be read.
    pub(super) fn open(kind: Kind, bytes: &'a [u8], limits: &Limits) -> Result<Self, ExtractError> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| ExtractError::damaged(kind, error))?;
        Ok(Self { archive, budget: limits.unpacked_bytes_max, over: false })
    }

    /// The names of all parts, in the order of the directory.
    pub(super) fn names(&self) -> Vec<String> {
        self.archive.file_names().flatten().map(|name| name.into_owned()).collect()
    }

    /// A part's bytes; as many as could be unpacked if it is damaged; none if there is no such part.
    pub(super) fn part(&mut self, name: &str) -> Option<Vec<u8>> {
        let name = name.trim_start_matches('/');
        let index = self.archive.index_for_name(name).or_else(|| {
            let known = self.names().into_iter().find(|known| known.replace('\\', "/").eq_ignore_ascii_case(name))?;
            self.archive.index_for_name(&known)
        })?;
        let file = self.archive.by_index(index).ok()?;
        let mut bytes = Vec::new();
        // A checksum that does not fit is an error at the very end: what was read is good enough to show.
        let _ = file.take(self.budget.saturating_add(1)).read_to_end(&mut bytes);
        if bytes.len() as u64 > self.budget {
            self.over = true;
            bytes.truncate(self.budget as usize);
        }
        self.budget -= bytes.len() as u64;
        Some(bytes)
    }

    /// A part as XML.
    pub(super) fn xml(&mut self, name: &str) -> Option<Xml> {
        self.part(name).map(|bytes| Xml::parse(&bytes))
    }
}

/// What a package holds, by the names of its parts.
pub(super) fn kind(bytes: &[u8]) -> Option<Kind> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut media = String::new();
    if let Ok(file) = archive.by_name("mimetype") {
        let _ = file.take(100).read_to_string(&mut media);
    }
    let by_media = [
        ("opendocument.text", Kind::Odt),
        ("opendocument.spreadsheet", Kind::Ods),
        ("opendocument.presentation", Kind::Odp),
        ("epub+zip", Kind::Epub),
    ];
    if let Some((_, kind)) = by_media.iter().find(|(name, _)| media.contains(name)) {
        return Some(*kind);
    }
    let by_folder =
        [("word/", Kind::Docx), ("xl/", Kind::Xlsx), ("ppt/", Kind::Pptx), ("META-INF/container.xml", Kind::Epub)];
    let holds = |start: &str| archive.file_names().flatten().any(|name| name.starts_with(start));
    by_folder.iter().find(|(start, _)| holds(start)).map(|(_, kind)| *kind)
}

/// Lists an archive from its directory alone: nothing is unpacked, however big it is.
pub(super) fn list<R: Read + Seek>(input: &mut R, limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let mut archive = ZipArchive::new(input).map_err(|error| ExtractError::damaged(Kind::Zip, error))?;
    let mut out = markdown::Markdown::new(limits.text_bytes_max);
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let Ok(file) = archive.by_index_raw(index) else { continue };
        total = total.saturating_add(file.size());
        if !file.is_dir() && !out.full() {
            let name = file.name().map(|name| markdown::squeeze(&name)).unwrap_or_default();
            out.item(0, "-", &format!("{} ({} bytes)", markdown::escape(&name), file.size()));
        }
    }
    found.facts.insert("entries".to_owned(), archive.len().to_string());
    found.facts.insert("unpacked_bytes".to_owned(), total.to_string());
    let comment = String::from_utf8_lossy(archive.comment()).into_owned();
    found.facts.insert("comment".to_owned(), comment);
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}
