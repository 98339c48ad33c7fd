//! Folders that are one thing: kept whole beside a note that lists them, in the same custody as a file.

use super::{FileSystem, filing::parse_hash};
use crate::{
    backends::vault::{Created, Listing, VaultError},
    contracts::file_system::Item,
    domain::note::{self, NoteInput, TextFormat},
    rpc::Result,
};

impl FileSystem {
    /// The hash of what lies in the vault: of a file's bytes, or of a folder's tree.
    pub(super) async fn original_hash(&self, path: &str, folder: bool) -> Result<blake3::Hash, VaultError> {
        let hashed = match folder {
            true => self.parts.vault.hash_tree(path).await?,
            false => self.parts.vault.hash(path).await?,
        };
        Ok(hashed.0)
    }

    /// Copies an original of the inbox, file or folder, to its place in the vault.
    pub(super) async fn put_original(&self, item: &Item, path: &str) -> Result<Result<Created, VaultError>> {
        let hash = parse_hash(&item.hash)?;
        if item.folder.is_some() {
            let tree = self.parts.inbox.open_folder(&item.place).await?;
            return Ok(self.parts.vault.create_tree(path, tree, hash, &item.emm_id).await);
        }
        let file = self.parts.inbox.open(&item.place).await?;
        Ok(self.parts.vault.create_from_file(path, file, hash, &item.emm_id).await)
    }

    /// What the note of a folder says instead of a text and a link: Obsidian links no folders.
    pub(super) async fn folder_note(&self, item: &Item, reason: &str, input: NoteInput) -> Result<NoteInput> {
        let listed = self.parts.inbox.paths(&item.place).await?;
        let paths: Vec<String> = listed.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Ok(NoteInput {
            kind: reason.to_owned(),
            description: Some(note::describe_folder(reason, paths.len(), item.bytes)),
            text: note::folder_contents(&input.original_path.unwrap_or_default(), &paths),
            text_format: TextFormat::Markdown,
            original_path: None,
            warnings: Vec::new(),
            ..input
        })
    }

    /// All files of the vault, without those in folders that emm filed as one thing: a README of a repository is none of
    /// its owner's notes.
    pub(super) async fn listed(&self) -> Result<Listing> {
        // Before and after: one may be filed, another undone, while the vault is being listed.
        let mut trees = self.chains.trees().await?;
        let mut listing = self.parts.vault.list().await?;
        trees.extend(self.chains.trees().await?);
        if !trees.is_empty() {
            let inside = |path: &str| {
                path.match_indices('/').any(|(end, _)| path.get(..end).is_some_and(|it| trees.contains(it)))
            };
            listing.files.retain(|file| !inside(&file.path));
        }
        Ok(listing)
    }
}
