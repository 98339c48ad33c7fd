//! What kind of document some bytes are: magic bytes first, then what the text looks like, then the extension.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of documents that emm tells apart. Everything it cannot read is `Other`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Kind {
    Markdown,
    Text,
    Html,
    Pdf,
    Docx,
    Doc,
    Pptx,
    Ppt,
    Xlsx,
    Xls,
    Odt,
    Ods,
    Odp,
    Rtf,
    Epub,
    Eml,
    Mbox,
    Msg,
    Csv,
    Json,
    Xml,
    Zip,
    Image,
    #[default]
    Other,
}

/// How many bytes from the start of a file `detect` wants to see.
pub const HEAD_BYTES: usize = 8192;

/// One row a kind: its media type and the extensions that name it.
const KINDS: &[(Kind, &str, &[&str])] = &[
    (Kind::Markdown, "text/markdown", &["md", "markdown", "mdown", "mkd"]),
    (
        Kind::Text,
        "text/plain",
        &[
            "txt", "text", "log", "rst", "adoc", "asciidoc", "org", "tex", "vtt", "srt", "ini", "cfg", "conf", "toml",
            "yaml", "yml", "ics", "vcf", "rs", "py", "js", "ts", "c", "h", "cpp", "java", "go", "sh", "sql", "css",
        ],
    ),
    (Kind::Html, "text/html", &["html", "htm", "xhtml"]),
    (Kind::Pdf, "application/pdf", &["pdf"]),
    (
        Kind::Docx,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        &["docx", "docm", "dotx", "dotm"],
    ),
    (Kind::Doc, "application/msword", &["doc", "dot"]),
    (
        Kind::Pptx,
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        &["pptx", "pptm", "ppsx", "ppsm", "potx"],
    ),
    (Kind::Ppt, "application/vnd.ms-powerpoint", &["ppt", "pps", "pot"]),
    (Kind::Xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx", "xlsm", "xltx"]),
    (Kind::Xls, "application/vnd.ms-excel", &["xls", "xlt"]),
    (Kind::Odt, "application/vnd.oasis.opendocument.text", &["odt", "ott", "fodt"]),
    (Kind::Ods, "application/vnd.oasis.opendocument.spreadsheet", &["ods", "ots", "fods"]),
    (Kind::Odp, "application/vnd.oasis.opendocument.presentation", &["odp", "otp", "fodp"]),
    (Kind::Rtf, "application/rtf", &["rtf"]),
    (Kind::Epub, "application/epub+zip", &["epub"]),
    (Kind::Eml, "message/rfc822", &["eml", "mht", "mhtml"]),
    (Kind::Mbox, "application/mbox", &["mbox", "mbx"]),
    (Kind::Msg, "application/vnd.ms-outlook", &["msg"]),
    (Kind::Csv, "text/csv", &["csv", "tsv", "tab"]),
    (Kind::Json, "application/json", &["json", "jsonl", "ndjson", "geojson", "ipynb"]),
    (Kind::Xml, "application/xml", &["xml", "enex", "opml", "rss", "atom", "fb2", "svg", "gpx", "kml"]),
    (Kind::Zip, "application/zip", &["zip"]),
    (
        Kind::Image,
        "image/*",
        &["png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "heic", "heif", "avif", "ico"],
    ),
    (Kind::Other, "application/octet-stream", &[]),
];

/// Magic bytes: offset, bytes, kind, media type. The first that fits wins.
const MAGIC: &[(usize, &[u8], Kind, &str)] = &[
    (0, b"%PDF-", Kind::Pdf, "application/pdf"),
    (0, b"{\\rtf", Kind::Rtf, "application/rtf"),
    (0, b"\x89PNG\r\n\x1a\n", Kind::Image, "image/png"),
    (0, b"\xff\xd8\xff", Kind::Image, "image/jpeg"),
    (0, b"GIF87a", Kind::Image, "image/gif"),
    (0, b"GIF89a", Kind::Image, "image/gif"),
    (0, b"II*\0", Kind::Image, "image/tiff"),
    (0, b"MM\0*", Kind::Image, "image/tiff"),
    (8, b"WEBP", Kind::Image, "image/webp"),
    (4, b"ftypheic", Kind::Image, "image/heic"),
    (4, b"ftypheix", Kind::Image, "image/heic"),
    (4, b"ftypmif1", Kind::Image, "image/heif"),
    (4, b"ftypavif", Kind::Image, "image/avif"),
    (0, b"\0\0\x01\0", Kind::Image, "image/x-icon"),
    (4, b"ftyp", Kind::Other, "video/mp4"),
    (8, b"WAVE", Kind::Other, "audio/wav"),
    (8, b"AVI ", Kind::Other, "video/x-msvideo"),
    (0, b"ID3", Kind::Other, "audio/mpeg"),
    (0, b"OggS", Kind::Other, "audio/ogg"),
    (0, b"fLaC", Kind::Other, "audio/flac"),
    (0, b"\x1a\x45\xdf\xa3", Kind::Other, "video/x-matroska"),
    (0, b"\x1f\x8b", Kind::Other, "application/gzip"),
    (0, b"BZh", Kind::Other, "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", Kind::Other, "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::Other, "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", Kind::Other, "application/vnd.rar"),
    (257, b"ustar", Kind::Other, "application/x-tar"),
    (0, b"\x7fELF", Kind::Other, "application/x-executable"),
    (0, b"MZ", Kind::Other, "application/vnd.microsoft.portable-executable"),
    (0, b"SQLite format 3\0", Kind::Other, "application/vnd.sqlite3"),
    (0, b"%!PS", Kind::Other, "application/postscript"),
];

/// Names inside a ZIP that say what it holds; looked for in the local headers at the start of the file.
const PACKAGES: &[(&[u8], Kind)] = &[
    (b"mimetypeapplication/epub+zip", Kind::Epub),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", Kind::Odt),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", Kind::Ods),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", Kind::Odp),
    (b"word/document", Kind::Docx),
    (b"xl/workbook", Kind::Xlsx),
    (b"xl/worksheets", Kind::Xlsx),
    (b"ppt/presentation", Kind::Pptx),
    (b"ppt/slides", Kind::Pptx),
];

/// The media type of a kind; `image/*` and `application/octet-stream` where `media_type` would need the bytes.
pub(super) fn media_type_of(kind: Kind) -> &'static str {
    KINDS.iter().find(|row| row.0 == kind).map_or("application/octet-stream", |row| row.1)
}

/// The media type of a file of this kind that starts with `head`.
pub(super) fn media_type(kind: Kind, head: &[u8]) -> &'static str {
    match kind {
        Kind::Image | Kind::Other => match magic(head) {
            Some((found, media)) if found == kind => media,
            _ if kind == Kind::Image && head.starts_with(b"BM") => "image/bmp",
            _ => media_type_of(kind),
        },
        _ => media_type_of(kind),
    }
}

/// Tells the kind of the file called `name` whose first bytes are `head` (give up to [`HEAD_BYTES`]).
///
/// The bytes win over the name: a PDF called `letter.txt` is a PDF, and a text called `letter.docx` is text.
pub fn detect(name: &str, head: &[u8]) -> Kind {
    let named = by_extension(name);
    if let Some((kind, _)) = magic(head) {
        return kind;
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return package(named, head);
    }
    if head.starts_with(&super::ole::MAGIC) {
        return match named {
            Some(kind @ (Kind::Doc | Kind::Xls | Kind::Ppt | Kind::Msg)) => kind,
            _ => Kind::Other,
        };
    }
    if head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]) && head.len() > 26 {
        return Kind::Image;
    }
    // Some writers put a line of rubbish before the header of a PDF; readers look into the first kilobyte.
    if head.get(..head.len().min(1024)).is_some_and(|start| find(start, b"%PDF-").is_some()) {
        return Kind::Pdf;
    }
    if !super::text::looks_like_text(head) {
        return Kind::Other;
    }
    text_kind(named, head)
}

/// The kind that a text is: what its first characters say, then its extension.
fn text_kind(named: Option<Kind>, head: &[u8]) -> Kind {
    let start = super::text::decode(head);
    let start = start.trim_start();
    let lower: String = start.chars().take(2048).collect::<String>().to_lowercase();
    let textual = match named {
        Some(kind @ (Kind::Markdown | Kind::Text | Kind::Csv | Kind::Json | Kind::Eml | Kind::Html)) => Some(kind),
        _ => None,
    };
    if let Some(kind) = textual {
        return kind;
    }
    let is_mail = super::mail::looks_like_mail(&lower);
    if lower.starts_with("from ") && (named == Some(Kind::Mbox) || is_mail) {
        return Kind::Mbox;
    }
    if lower.starts_with("<?xml") || lower.starts_with('<') {
        if lower.contains("<office:document") {
            return match named {
                Some(kind @ (Kind::Ods | Kind::Odp)) => kind,
                _ => Kind::Odt,
            };
        }
        if lower.contains("<html") || lower.contains("<!doctype html") || lower.contains("<body") {
            return Kind::Html;
        }
        if lower.starts_with("<?xml") || named == Some(Kind::Xml) {
            return Kind::Xml;
        }
    }
    if is_mail {
        return Kind::Eml;
    }
    match named {
        Some(kind @ (Kind::Mbox | Kind::Xml)) => kind,
        _ => Kind::Text,
    }
}

/// The kind of a ZIP: what the names in it say, for a few kinds the extension, else a plain archive.
fn package(named: Option<Kind>, head: &[u8]) -> Kind {
    if let Some((_, kind)) = PACKAGES.iter().find(|(name, _)| find(head, name).is_some()) {
        return *kind;
    }
    match named {
        Some(kind @ (Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Odt | Kind::Ods | Kind::Odp | Kind::Epub)) => kind,
        _ => Kind::Zip,
    }
}

fn magic(head: &[u8]) -> Option<(Kind, &'static str)> {
    MAGIC
        .iter()
        .find(|(at, bytes, ..)| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)))
        .map(|(_, _, kind, media)| (*kind, *media))
}

fn by_extension(name: &str) -> Option<Kind> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = extension.to_lowercase();
    KINDS.iter().find(|row| row.2.contains(&extension.as_str())).map(|row| row.0)
}

/// Where `needle` first is in `haystack`.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}

impl Kind {
    /// The name, as it stands in JSON and in notes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Markdown => "markdown",
            Kind::Text => "text",
            Kind::Html => "html",
            Kind::Pdf => "pdf",
            Kind::Docx => "docx",
            Kind::Doc => "doc",
            Kind::Pptx => "pptx",
            Kind::Ppt => "ppt",
            Kind::Xlsx => "xlsx",
            Kind::Xls => "xls",
            Kind::Odt => "odt",
            Kind::Ods => "ods",
            Kind::Odp => "odp",
            Kind::Rtf => "rtf",
            Kind::Epub => "epub",
            Kind::Eml => "eml",
            Kind::Mbox => "mbox",
            Kind::Msg => "msg",
            Kind::Csv => "csv",
            Kind::Json => "json",
            Kind::Xml => "xml",
            Kind::Zip => "zip",
            Kind::Image => "image",
            Kind::Other => "other",
        }
    }
}
