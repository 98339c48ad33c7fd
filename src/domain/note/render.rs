//! Writes the note of anything that is not Markdown: properties, a description, the link to the original, and the text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defuse::{TextFormat, defuse};
use super::describe::{describe, shorten};
use super::name::split_extension;
use super::obsidian::{LinkFormat, VaultStyle};
use super::properties::{note_properties, one_line};
use super::yaml::property_lines;

/// What Obsidian shows in place: PDF, images, audio and video (its list of accepted formats).
const EMBEDDED: &[&str] = &[
    "pdf", "avif", "bmp", "gif", "jpeg", "jpg", "png", "svg", "webp", "3gp", "flac", "m4a", "mp3", "ogg", "wav",
    "webm", "mkv", "mov", "mp4", "ogv",
];
/// Characters that end or split a wikilink.
const NOT_IN_WIKILINKS: &[char] = &['[', ']', '|', '#', '^', '`'];

/// All that a note is written from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoteInput {
    /// The human title, of `title_for`.
    pub title: String,
    /// Other names of the note.
    pub aliases: Vec<String>,
    /// Where the note will lie, a vault path; relative links start there.
    pub note_path: String,
    /// What the original is, in one word for people (`PDF`, `spreadsheet`); may be empty.
    pub kind: String,
    /// The original's name as it came.
    pub original_name: String,
    /// Where the original lies, a vault path; `None` if it is not kept in the vault.
    pub original_path: Option<String>,
    /// The extracted text; empty if it has none.
    pub text: String,
    /// How to read `text`.
    pub text_format: TextFormat,
    /// Who wrote it.
    pub author: Vec<String>,
    /// When it was written, ISO 8601; from the document, never from the clock.
    pub created: Option<String>,
    /// When it was published, ISO 8601.
    pub published: Option<String>,
    /// Its address, if it has one.
    pub source: Option<String>,
    /// A description; `None` takes the first sentences of the text.
    pub description: Option<String>,
    /// Its Johnny.Decimal code, such as `11.01`.
    pub jd: Option<String>,
    /// Tags besides that of the code.
    pub tags: Vec<String>,
    /// emm's name for the item.
    pub emm_id: String,
    /// The hash of the original's bytes.
    pub emm_hash: String,
    /// `filed`, or what else the caller says.
    pub status: String,
    /// The probability of the decision, 0 to 1; written with two decimals.
    pub confidence: Option<f64>,
    /// What the reader should know, such as a page that could not be read.
    pub warnings: Vec<String>,
}

/// The note as text: line feeds only, one at the end. Content is not normalised; nothing of the document's is live (see
/// `defuse`).
#[must_use]
pub fn render(note: &NoteInput, style: &VaultStyle) -> String {
    let description = match note.description.as_deref().map(shorten) {
        Some(given) if !given.is_empty() => given,
        // The first lines of data and source code say nothing.
        _ if matches!(note.text_format, TextFormat::Code(_)) => String::new(),
        _ => describe(&note.text),
    };
    // What has no words is described by what it is.
    let description =
        if description.is_empty() { shorten(&format!("{} {}", note.kind, note.original_name)) } else { description };
    let properties: String = note_properties(note, &description).iter().map(property_lines).collect();
    let mut parts = vec![format!("---\n{properties}---\n")];
    // What is short enough to be its own description is not said twice.
    if description != one_line(&note.text) {
        parts.push(defuse(&description, &TextFormat::Plain));
    }
    if !note.warnings.is_empty() {
        let lines = note.warnings.iter().map(|warning| defuse(&one_line(warning), &TextFormat::Plain));
        parts.push(format!("> [!warning]\n{}", lines.map(|line| format!("> - {line}")).collect::<String>()));
    }
    parts.extend(note.original_path.as_deref().map(|path| format!("{}\n", original_line(note, path, style))));
    parts.push(defuse(&note.text, &note.text_format));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// What a reader sees of the original: itself, or a line with its kind and a link.
fn original_line(note: &NoteInput, path: &str, style: &VaultStyle) -> String {
    let link = link(path, &note.note_path, style);
    let extension = split_extension(path).1.to_ascii_lowercase();
    if EMBEDDED.contains(&extension.as_str()) {
        return format!("!{link}");
    }
    let kind = defuse(&one_line(&note.kind), &TextFormat::Plain);
    let kind = kind.trim();
    if kind.is_empty() { format!("Original: {link}") } else { format!("Original ({kind}): {link}") }
}

/// A link to a file of the vault in the owner's style. A path that a wikilink cannot hold gets a Markdown link in any
/// case.
fn link(path: &str, note_path: &str, style: &VaultStyle) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let target = match style.link_format {
        LinkFormat::Relative => relative(path, note_path),
        LinkFormat::Shortest | LinkFormat::Absolute => path.to_owned(),
    };
    if style.markdown_links || target.contains(NOT_IN_WIKILINKS) {
        format!("[{}]({})", defuse(name, &TextFormat::Plain).trim_end(), percent_encoded(&target))
    } else {
        format!("[[{target}]]")
    }
}

/// The way from the note's folder to a file of the vault. In the folder itself it begins with `./`, for Obsidian takes
/// a bare name for the shortest form and looks for it in the whole vault.
fn relative(path: &str, note_path: &str) -> String {
    let from: Vec<&str> = note_path.split('/').collect();
    let to: Vec<&str> = path.split('/').collect();
    let folders = from.len().saturating_sub(1).min(to.len().saturating_sub(1));
    let common = from.iter().zip(&to).take(folders).take_while(|(a, b)| a == b).count();
    let up = from.len().saturating_sub(1 + common);
    let mut parts = if up == 0 { vec!["."] } else { vec![".."; up] };
    parts.extend(to.iter().skip(common));
    parts.join("/")
}

/// RFC 3986, path only. Letters of all scripts stay readable, as Obsidian writes them; what Markdown or an address
/// would misread is encoded.
fn percent_encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        let stays = c.is_alphanumeric()
            || "/-._~!$&'+,;=@".contains(c)
            || (!c.is_ascii() && !c.is_whitespace() && !c.is_control());
        if stays {
            out.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
