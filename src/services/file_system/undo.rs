//! Undo: every effect of a filing reversed, in the order that keeps the bytes somewhere at every moment.

use super::{FileSystem, filing::parse_hash};
use crate::{
    backends::{
        inbox::{InboxError, UNDONE},
        vault::{Created, Removed, VaultError},
    },
    contracts::file_system::{Undo, Undone},
    domain::custody::{self, Chain, Effect, Plan, Standing},
    fault,
    rpc::{Code, Error, Result},
};

/// The part of a name that its name in the trash keeps, in bytes: the rest of the 255 says whose it is.
const NAME_BYTES_MAX: usize = 190;
/// How often the same item can be undone on one day.
const UNDONE_MAX: u32 = 1000;

impl FileSystem {
    pub(super) async fn undo(&self, request: Undo) -> Result<Undone> {
        let emm_id = request.emm_id.clone();
        let missing = || Error::not_found(format!("no item {emm_id}"));
        self.look_again_if_moved(&emm_id).await?;
        let chain = self.chains.get(&emm_id).await?.ok_or_else(missing)?;
        let plan = match (&chain.plan, chain.standing) {
            (Some((_, plan)), Standing::Filed | Standing::Confirmed | Standing::Undoing) => plan.clone(),
            (_, standing) => {
                let message = format!("nothing to undo: item {emm_id} is {}, not filed", standing.as_str());
                return Err(Error::invalid(message));
            }
        };
        if chain.standing != Standing::Undoing {
            self.refuse_edited(&emm_id, &chain, &plan).await?;
        }
        let removed = std::iter::once(plan.note.clone()).chain(plan.original.clone()).collect();
        if request.dry_run {
            return Ok(Undone { emm_id, place: chain.origin.place, removed });
        }
        let chain = match chain.standing {
            Standing::Undoing => chain,
            _ => {
                let effect = Effect::Undoing { place: chain.origin.place.clone() };
                let appended = self.chains.append(&emm_id, Some(&chain), &request.run, effect).await?;
                appended.ok_or_else(|| Error::conflict(format!("item {emm_id} changed meanwhile; look again")))?
            }
        };
        let place = self.reverse(&emm_id, &chain, &plan, &request.run).await?;
        Ok(Undone { emm_id, place, removed })
    }

    /// Carries out an undo whose intent is committed; what is done already is found done.
    pub(super) async fn reverse(&self, emm_id: &str, chain: &Chain, plan: &Plan, run: &str) -> Result<String> {
        fault!("undo: after the intent");
        let place = self.bring_back(emm_id, chain, plan).await?;
        fault!("undo: after the inbox");
        match self.remove(&plan.note, &plan.note_hash, emm_id, false).await {
            // Edited since the undo began: that is its owner's, and stays.
            Err(error) if error.code == Code::Conflict => tracing::warn!(emm_id, "{error}"),
            removed => removed?,
        }
        fault!("undo: after the note");
        if let Some(original) = &plan.original {
            self.remove(original, &chain.origin.hash, emm_id, chain.origin.folder).await?;
        }
        fault!("undo: before the journal");
        self.unteach(emm_id).await?;
        self.chains.append(emm_id, Some(chain), run, Effect::Undone { place: place.clone() }).await?;
        self.nudge_knowledge();
        self.nudge();
        Ok(place)
    }

    /// An edited note is its owner's: the undo is refused, with what it would throw away.
    async fn refuse_edited(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<()> {
        let (hash, _) = match self.parts.vault.hash(&plan.note).await {
            Ok(found) => found,
            Err(VaultError::NotFound { .. }) => {
                let message =
                    format!("{} is not in the vault any more: emm cannot tell what its owner did with it", plan.note);
                return Err(Error::conflict(message));
            }
            Err(error) => return Err(error.into()),
        };
        if hash.to_hex().as_str() != plan.note_hash {
            let difference = match self.difference(emm_id, chain).await {
                Some(difference) => format!("\n{}", difference.trim_end()),
                None => " What was filed cannot be shown any more.".to_owned(),
            };
            return Err(Error::conflict(format!(
                "{} was edited since it was filed; undo would throw that away. Move your edits out, or delete the note yourself.{difference}",
                plan.note
            )));
        }
        if let Some(original) = &plan.original {
            let found = self.original_hash(original, chain.origin.folder).await?;
            if found.to_hex().as_str() != chain.origin.hash {
                return Err(Error::conflict(format!(
                    "{original} was changed since it was filed; undo would lose the change"
                )));
            }
        }
        Ok(())
    }

    /// The original lies in the inbox again: out of the trash, or copied from the vault where that has expired.
    async fn bring_back(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<String> {
        let place = chain.origin.place.clone();
        let hash = parse_hash(&chain.origin.hash)?;
        let (inbox, trash) = (&self.parts.inbox, &self.parts.trash);
        let trashed = inbox.find_in_trash(trash, &plan.trash, emm_id).await.map_err(inbox_error)?;
        if let Some(trashed) = trashed.first() {
            return inbox.restore(trashed, trash, &place).await.map_err(inbox_error);
        }
        let inbox_writer = inbox.writer().await?;
        // Brought back already by an undo that was interrupted, or expired: the vault has the bytes.
        let created = match (&plan.original, &plan.patch) {
            (Some(original), _) if chain.origin.folder => match self.parts.vault.open_tree(original).await {
                Ok(tree) => inbox_writer.create_tree(&place, tree, hash, emm_id).await,
                Err(VaultError::NotFound { .. }) => return Ok(place),
                Err(error) => return Err(error.into()),
            },
            (Some(original), _) => match self.parts.vault.open(original).await {
                Ok(file) => inbox_writer.create_from_file(&place, file, hash, emm_id).await,
                Err(VaultError::NotFound { .. }) => return Ok(place),
                Err(error) => return Err(error.into()),
            },
            (None, patch) => {
                match self.parts.vault.read(&plan.note, self.parts.settings.markdown_bytes_max * 2).await {
                    Ok(note) => {
                        let bytes = patch.clone().unwrap_or_default().reverse(&note).map_err(Error::conflict)?;
                        inbox_writer.create(&place, bytes, emm_id).await
                    }
                    Err(VaultError::NotFound { .. }) => return Ok(place),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        match created? {
            Created::New { .. } | Created::Exists { same: true } => Ok(place),
            Created::Exists { same: false } => Err(Error::conflict(format!(
                "something else lies at {place} in the inbox: move it away and undo again"
            ))),
        }
    }

    /// Takes a file or folder that emm wrote out of the vault, into the trash.
    pub(super) async fn remove(&self, path: &str, hash: &str, emm_id: &str, folder: bool) -> Result<()> {
        let (trash, day, hash) = (&self.parts.vault_trash, self.parts.clock.today(), parse_hash(hash)?);
        let mut removed = Err(VaultError::Exists { path: path.to_owned() });
        for number in 0..UNDONE_MAX {
            // Undone before on the same day: what lies in the trash stays there.
            if !matches!(removed, Err(VaultError::Exists { .. })) {
                break;
            }
            let name = undone_name(path, &hash, number);
            removed = match folder {
                true => self.parts.vault.remove_tree_to(path, hash, (trash, &day, &name), emm_id).await,
                false => self.parts.vault.remove_to(path, hash, (trash, &day, &name), emm_id).await,
            };
        }
        match removed {
            Ok(Removed::Moved) | Err(VaultError::NotFound { .. }) => {}
            Ok(Removed::Changed { .. }) => {
                return Err(Error::conflict(format!(
                    "{path} was edited while it was being undone; it stays in the vault"
                )));
            }
            Err(error) => return Err(error.into()),
        }
        // Folders that emm made for it go with it, if nothing else is in them.
        let mut folder = path.rsplit_once('/').map(|(folder, _)| folder);
        while let Some(path) = folder {
            if !self.parts.vault.remove_dir_if_empty(path).await.unwrap_or(false) {
                break;
            }
            folder = path.rsplit_once('/').map(|(folder, _)| folder);
        }
        Ok(())
    }
}

/// The name in the trash of what an undo took out of the vault, within what a file name may have. It says by what hash it was
/// known, so that what was written to later does not expire.
fn undone_name(path: &str, hash: &blake3::Hash, number: u32) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default();
    format!("{UNDONE}{}-{number}-{name}", custody::emm_id(hash.to_hex().as_str()))
}

fn inbox_error(error: InboxError) -> Error {
    Error::from(error).during("undo")
}
