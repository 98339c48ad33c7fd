//! Settles everything that filing an item will do, before the first effect.

use std::time::{Duration, Instant};

use super::{FileSystem, reading::file_name};
use crate::{
    backends::vault::VaultError,
    contracts::file_system::{Decision, Document, Item},
    domain::{
        custody::{Plan, Why},
        extract::{Extracted, Kind},
        note::{self, NoteInput, TextFormat, VaultStyle},
    },
    rpc::{Error, Result},
    services::blocking::blocking,
};

/// A plan and the bytes of its note; none where the note is written already.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) note: Option<Vec<u8>>,
}

/// How long the vault's settings are remembered: one sweep reads them a few times, not once an item.
const STYLE_AGE_MAX: Duration = Duration::from_secs(1);

/// Names for a plan: those that an earlier plan of the item has taken already, and those that others have.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// The note's, if it is settled.
    pub(super) note: Option<String>,
    /// The original's, if it is settled.
    pub(super) original: Option<String>,
    /// Paths that are taken, besides those in the vault.
    pub(super) avoid: &'a [String],
}

impl FileSystem {
    /// The plan for an item, with names that are settled or free now.
    pub(super) async fn prepare(&self, item: &Item, decision: &Decision, names: Names<'_>) -> Result<Prepared> {
        let folder = match names.note.as_deref().and_then(|note| note.rsplit_once('/')) {
            Some((folder, _)) => folder.to_owned(),
            None => self.place_of(&decision.structure, &decision.code).await?,
        };
        let (extracted, title) = match self.read(item).await? {
            Document::Text { extracted, title } => (*extracted, title),
            Document::Poison { reason } => {
                return Err(Error::invalid(format!("{} cannot be read: {reason}", item.place)));
            }
        };
        let has_own = extracted.title.as_deref().is_some_and(|title| !title.is_empty());
        let title = decision.opinion.as_ref().map_or(title.clone(), |it| it.title_of(has_own, &title).to_owned());
        let style = self.style().await;
        let markdown = extracted.kind == Kind::Markdown && item.bytes <= self.parts.settings.markdown_bytes_max;
        let own = if markdown { self.own_bytes(item).await? } else { None };
        let named = match own {
            Some(_) => markdown_name(file_name(&item.place)),
            None => note::note_file_name(&title),
        };
        let note_path = match names.note {
            Some(settled) => settled,
            None => self.free(&folder, &named, &item.emm_id, names.avoid).await?,
        };
        let original = match (&own, names.original) {
            (Some(_), _) => None,
            (None, Some(settled)) => Some(settled),
            (None, None) => {
                let name = note::safe_name(file_name(&item.place));
                Some(self.free(&style.attachment_folder(&folder), &name, &item.emm_id, names.avoid).await?)
            }
        };
        let mut input = self.input(item, decision, extracted, title.clone(), &note_path, original.clone());
        if let Some(reason) = &item.folder {
            input = self.folder_note(item, reason, input).await?;
        }
        let (bytes, patch) = match own {
            Some(own) => with_properties(own, &input)?,
            None => (note::render(&input, &style).into_bytes(), None),
        };
        let why = Why {
            confidence: decision.confidence,
            by_person: decision.by_person,
            candidates: decision.candidates.clone(),
            engine: decision.engine.clone(),
            structure: decision.structure.clone(),
            title,
            opinion: decision.opinion.clone(),
            guess: decision.guess.clone(),
            threshold: decision.threshold,
        };
        let note_hash = blake3::hash(&bytes).to_hex().to_string();
        let trash = self.parts.clock.today();
        let code = decision.code.clone();
        Ok(Prepared { plan: Plan { code, note: note_path, note_hash, original, patch, trash, why }, note: Some(bytes) })
    }

    /// How the owner's Obsidian writes links and keeps attachments.
    pub(super) async fn style(&self) -> VaultStyle {
        if let Some((_, style)) = self.style.lock().as_ref().filter(|(read, _)| read.elapsed() < STYLE_AGE_MAX) {
            return style.clone();
        }
        let settings = self.parts.vault.read(".obsidian/app.json", 1 << 20).await.ok();
        let style = VaultStyle::from_app_json(settings.and_then(|bytes| String::from_utf8(bytes).ok()).as_deref());
        *self.style.lock() = Some((Instant::now(), style.clone()));
        style
    }

    /// The bytes of a Markdown file that can be filed as itself; nothing if it is not UTF-8 after all.
    async fn own_bytes(&self, item: &Item) -> Result<Option<Vec<u8>>> {
        let (place, limit) = (item.place.clone(), item.bytes);
        let file = self.parts.inbox.open(&place).await?;
        let read = move || -> Result<Vec<u8>> {
            let mut bytes = Vec::with_capacity(usize::try_from(limit + 1).unwrap_or_default());
            std::io::Read::read_to_end(&mut std::io::Read::take(file, limit + 1), &mut bytes)
                .map_err(|error| Error::unavailable(format!("{place}: {error}")))?;
            Ok(bytes)
        };
        let bytes = blocking(read).await??;
        if blake3::hash(&bytes).to_hex().as_str() != item.hash {
            return Err(Error::conflict(format!("{} changed while it was being filed", item.place)));
        }
        Ok(std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0')).then_some(bytes))
    }

    /// `name` in `folder`, or with the item's own suffix if the name is taken: settled by hash, not by who came first.
    pub(super) async fn free(&self, folder: &str, name: &str, emm_id: &str, avoid: &[String]) -> Result<String> {
        let path = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let suffix: String = emm_id.chars().take(8).collect();
        let avoided = |name: &str| {
            let key = note::collision_key(&path(name));
            avoid.iter().any(|taken| note::collision_key(taken) == key)
        };
        for candidate in [name.to_owned(), note::with_suffix(name, &suffix), note::with_suffix(name, emm_id)] {
            // Neither of the two goes away by looking again, so neither is a conflict.
            let taken =
                self.parts.vault.taken(folder, &candidate, note::collision_key).await.map_err(|error| match error {
                    VaultError::Exists { path } => Error::invalid(format!(
                        "vault: a file lies at {path:?} or above it, where a folder is needed: give it another name"
                    )),
                    error => error.into(),
                })?;
            if taken.is_none() && !avoided(&candidate) {
                return Ok(path(&candidate));
            }
        }
        Err(Error::invalid(format!(
            "{} and its variants are all taken in the vault: give the document another name",
            path(name)
        )))
    }

    pub(super) fn input(
        &self,
        item: &Item,
        decision: &Decision,
        extracted: Extracted,
        title: String,
        note_path: &str,
        original_path: Option<String>,
    ) -> NoteInput {
        let name = file_name(&item.place);
        let text_format = text_format(extracted.kind);
        let (text, cut) = cut(extracted.text, self.parts.settings.note_text_bytes_max);
        let mut warnings = extracted.warnings;
        if cut || extracted.truncated {
            warnings.push("the text is not whole here; the original has all of it".to_owned());
        }
        NoteInput {
            aliases: aliases(&title, name),
            title,
            note_path: note_path.to_owned(),
            kind: extracted.kind.as_str().to_owned(),
            original_name: name.to_owned(),
            original_path,
            text,
            text_format,
            author: extracted.author,
            created: extracted.created,
            published: extracted.published,
            source: extracted.source,
            description: decision.opinion.as_ref().and_then(|opinion| opinion.description.clone()),
            jd: Some(decision.code.clone()),
            tags: Vec::new(),
            emm_id: item.emm_id.clone(),
            emm_hash: format!("blake3:{}", item.hash),
            status: "filed".to_owned(),
            confidence: (!decision.by_person).then_some(decision.confidence),
            warnings,
        }
    }
}

/// How the text of a kind is to be read: what readers give as Markdown, data in a fence, words otherwise.
fn text_format(kind: Kind) -> TextFormat {
    match kind {
        Kind::Text | Kind::Eml | Kind::Other | Kind::Image => TextFormat::Plain,
        Kind::Json | Kind::Xml => TextFormat::Code(kind.as_str().to_owned()),
        _ => TextFormat::Markdown,
    }
}

/// The name of a Markdown file that is filed as itself: Obsidian knows notes by `.md` alone.
fn markdown_name(name: &str) -> String {
    let name = note::safe_name(name);
    match note::split_extension(&name) {
        (stem, extension) if MARKDOWN.iter().any(|it| extension.eq_ignore_ascii_case(it)) => format!("{stem}.md"),
        _ => note::safe_name(&format!("{name}.md")),
    }
}

/// Extensions that say Markdown.
const MARKDOWN: [&str; 4] = ["md", "markdown", "mdown", "mkd"];

/// The file's own name as an alias, where the title says something else.
fn aliases(title: &str, name: &str) -> Vec<String> {
    let (stem, _) = note::split_extension(name);
    if stem == title || stem.is_empty() { Vec::new() } else { vec![stem.to_owned()] }
}

/// A Markdown file with the properties that it lacks. One whose properties cannot be read is filed as it is.
fn with_properties(own: Vec<u8>, input: &NoteInput) -> Result<(Vec<u8>, Option<note::Patch>)> {
    let text = String::from_utf8_lossy(&own);
    let body = text.get(note::read_front_matter(&text).body_offset_bytes..).unwrap_or_default();
    let properties = note::note_properties(input, &note::describe(body));
    let patch = note::add_missing(&own, &properties).unwrap_or_default();
    let bytes = patch.apply(&own).map_err(Error::internal)?;
    Ok((bytes, Some(patch)))
}

/// The beginning of a text, cut at a character; and whether something was cut.
fn cut(mut text: String, bytes_max: usize) -> (String, bool) {
    if text.len() <= bytes_max {
        return (text, false);
    }
    text.truncate(text.floor_char_boundary(bytes_max));
    (text, true)
}
