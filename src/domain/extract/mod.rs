//! Readers: from the bytes of a document to its text as Markdown and its metadata. Pure; they run in a killable child.

mod date;
mod eml;
mod epub;
mod html;
mod image;
mod kind;
mod mail;
mod markdown;
mod office;
mod ole;
mod package;
mod pdf;
mod rtf;
mod tables;
mod text;
mod xml;

pub use kind::{HEAD_BYTES, Kind, detect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

/// Grows whenever a reader gives another result for the same bytes, so that no cache serves the old one.
pub const READERS_VERSION: u32 = 1;

/// What a reader found in a document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Extracted {
    /// What the document is, by its bytes.
    pub kind: Kind,
    /// Its media type, such as `application/pdf`.
    pub media_type: String,
    /// Its title by its own metadata or first heading; never the file name.
    pub title: Option<String>,
    /// Its text as Markdown (plain text stays as it is), at most `Limits::text_bytes_max` bytes.
    pub text: String,
    /// Whether text is missing at the end because a limit was reached.
    pub truncated: bool,
    /// Who wrote it, as the document says.
    pub author: Vec<String>,
    /// When the document says it was made: `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SS`, in the time zone it was written in.
    pub created: Option<String>,
    /// When the document says it was published, in the same forms.
    pub published: Option<String>,
    /// The address it says it comes from.
    pub source: Option<String>,
    /// Its language by its own metadata, such as `de` or `pt-BR`.
    pub language: Option<String>,
    /// Pages, slides or sheets.
    pub pages: Option<u32>,
    /// Keywords of its metadata.
    pub keywords: Vec<String>,
    /// What else its metadata says: `subject`, `from`, `to`, `camera`, `width`, `location`, ...
    pub facts: BTreeMap<String, String>,
    /// What could not be read, for people.
    pub warnings: Vec<String>,
}

/// How much a reader may take in and give out. All sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest text that is given back.
    pub text_bytes_max: usize,
    /// The biggest PDF, office document or mail that is read; a bigger one is known by name and type only.
    /// Plain text, Markdown, CSV, JSON, HTML and ZIP listings have no such limit: their start is read.
    pub document_bytes_max: u64,
    /// The most that the parts of one packed document may unpack to, all together.
    pub unpacked_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text_bytes_max: 4 << 20, document_bytes_max: 512 << 20, unpacked_bytes_max: 512 << 20 }
    }
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The bytes could not be had.
    #[error("cannot read the document: {0}; check the file and its permissions")]
    Io(#[from] io::Error),
    /// The bytes are not the document they start as.
    #[error("the {kind:?} document is damaged: {reason}; open it in its own program to see what is left")]
    Damaged {
        /// What it starts as.
        kind: Kind,
        /// What is wrong.
        reason: String,
    },
    /// The document cannot be opened without a password.
    #[error("the {kind:?} document is encrypted; save a copy without a password")]
    Encrypted {
        /// What it is.
        kind: Kind,
    },
}

impl ExtractError {
    fn damaged(kind: Kind, reason: impl ToString) -> Self {
        Self::Damaged { kind, reason: reason.to_string() }
    }
}

/// Reads the document `input`; `name` (with its extension) helps where the bytes leave a doubt.
///
/// # Errors
/// [`ExtractError`] when the bytes cannot be had, are damaged beyond use, or are encrypted. A document that is
/// merely of a kind that emm cannot read is `Ok` with [`Kind::Other`] and no text.
pub fn extract<R: Read + Seek>(name: &str, input: &mut R, limits: &Limits) -> Result<Extracted, ExtractError> {
    let size = input.seek(SeekFrom::End(0))?;
    input.rewind()?;
    let head = take(input, HEAD_BYTES as u64)?;
    let mut kind = detect(name, &head);
    input.rewind()?;
    let mut found = Extracted { media_type: kind::media_type(kind, &head).to_owned(), kind, ..Extracted::default() };
    // The text kinds need no more of the file than the text that is kept; markup and Unicode may make it four times that.
    let start = (limits.text_bytes_max as u64).saturating_mul(4).saturating_add(4096);
    let whole = match kind {
        Kind::Text | Kind::Markdown | Kind::Csv | Kind::Json => (limits.text_bytes_max as u64).saturating_mul(2) + 64,
        Kind::Html | Kind::Xml | Kind::Mbox | Kind::Image => start.max(1 << 20),
        Kind::Zip => {
            package::list(input, limits, &mut found)?;
            return Ok(finish(found));
        }
        Kind::Other if !head.starts_with(&ole::MAGIC) => return Ok(finish(found)),
        _ if size > limits.document_bytes_max => {
            found
                .warnings
                .push(format!("not read: {size} bytes are more than the limit of {}", limits.document_bytes_max));
            return Ok(finish(found));
        }
        _ => limits.document_bytes_max,
    };
    let bytes = take(input, whole)?;
    found.truncated = (bytes.len() as u64) < size && kind != Kind::Image;
    kind = sharper(kind, &bytes);
    if kind != found.kind {
        found.kind = kind;
        kind::media_type(kind, &head).clone_into(&mut found.media_type);
    }
    read(&bytes, limits, &mut found)?;
    Ok(finish(found))
}

/// The reader of each kind.
fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    match found.kind {
        Kind::Markdown => text::read_markdown(bytes, limits, found),
        Kind::Text => text::read(bytes, limits, found),
        Kind::Html => html::read(bytes, limits, found),
        Kind::Csv => tables::read_csv(bytes, limits, found),
        Kind::Json => tables::read_json(bytes, limits, found),
        Kind::Xml => xml::read(bytes, limits, found),
        Kind::Image => image::read(bytes, found),
        Kind::Rtf => rtf::read(bytes, limits, found),
        Kind::Mbox => mail::read_mbox(bytes, limits, found),
        Kind::Eml => eml::read(bytes, limits, found)?,
        Kind::Pdf => pdf::read(bytes, limits, found)?,
        Kind::Epub => epub::read(bytes, limits, found)?,
        Kind::Docx => office::docx::read(bytes, limits, found)?,
        Kind::Pptx => office::pptx::read(bytes, limits, found)?,
        Kind::Xlsx => office::xlsx::read(bytes, limits, found)?,
        Kind::Odt | Kind::Ods | Kind::Odp => office::odf::read(bytes, limits, found)?,
        Kind::Doc => ole::doc::read(bytes, limits, found)?,
        Kind::Xls => ole::xls::read(bytes, limits, found)?,
        Kind::Ppt => ole::ppt::read(bytes, limits, found)?,
        Kind::Msg => ole::msg::read(bytes, limits, found)?,
        Kind::Zip | Kind::Other => {}
    }
    Ok(())
}

/// The kind again, now that all bytes are there: what a compound file or a package really holds.
fn sharper(kind: Kind, bytes: &[u8]) -> Kind {
    if bytes.starts_with(&ole::MAGIC) {
        return ole::kind(bytes).unwrap_or(kind);
    }
    match kind {
        Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Odt | Kind::Ods | Kind::Odp | Kind::Epub => {
            package::kind(bytes).unwrap_or(kind)
        }
        _ => kind,
    }
}

/// Brings the small fields into one form.
fn finish(mut found: Extracted) -> Extracted {
    let tidy = |text: &str| markdown::cut(&markdown::squeeze(&text.replace('\0', " ")), 1000).to_owned();
    for field in [&mut found.title, &mut found.source, &mut found.language] {
        *field = field.as_deref().map(tidy).filter(|text| !text.is_empty());
    }
    for list in [&mut found.author, &mut found.keywords] {
        let mut seen = Vec::new();
        for entry in list.iter().map(|entry| tidy(entry)) {
            if !entry.is_empty() && !seen.contains(&entry) && seen.len() < 100 {
                seen.push(entry);
            }
        }
        *list = seen;
    }
    found.facts =
        found.facts.iter().map(|(key, value)| (key.clone(), tidy(value))).filter(|fact| !fact.1.is_empty()).collect();
    found
}

/// At most `max` bytes of what is left.
fn take<R: Read>(input: &mut R, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
