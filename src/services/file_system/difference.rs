//! What an owner changed in a note since it was filed: what an undo of it would throw away.

use super::{FileSystem, filing::item_of};
use crate::{
    contracts::file_system::{Decision, Document},
    domain::{
        custody::{self, Chain, Effect, Origin, Plan},
        note,
    },
    services::blocking::blocking,
};

/// The largest note whose difference is shown, in bytes.
const SHOWN_BYTES_MAX: u64 = 16 << 20;

impl FileSystem {
    /// The difference between a note as it was filed and as it is now. Nothing where what was filed is not kept and cannot be
    /// made again, byte for byte.
    pub(super) async fn difference(&self, emm_id: &str, chain: &Chain) -> Option<String> {
        let (number, now) = chain.plan.as_ref()?;
        let now_text = self.parts.vault.read(&now.note, SHOWN_BYTES_MAX).await.ok()?;
        // As it was planned: note and original may have been moved since.
        let links = self.chains.links(emm_id).await.ok()?;
        let (origin, plan) = match links.into_iter().nth(*number as usize)?.link.effect {
            Effect::Seen { origin, plan: Some(plan) } | Effect::Filing { origin, plan } => (origin, plan),
            _ => return None,
        };
        let before = match &now.original {
            Some(original) if !origin.folder => self.written(emm_id, &origin, &plan, original).await?,
            Some(_) => return None,
            None => self.filed_as_itself(&origin, &plan).await?,
        };
        if blake3::hash(&before).to_hex().as_str() != plan.note_hash {
            return None;
        }
        let (before, now_text) = (String::from_utf8(before).ok()?, String::from_utf8(now_text).ok()?);
        Some(note::unified_diff(&before, &now_text, ("as it was filed", "as it is now")))
    }

    /// A Markdown file with what emm added to it, while the trash still has it.
    async fn filed_as_itself(&self, origin: &Origin, plan: &Plan) -> Option<Vec<u8>> {
        let (inbox, trash) = (&self.parts.inbox, &self.parts.trash);
        let found = inbox.find_in_trash(trash, &plan.trash, &custody::emm_id(&origin.hash)).await.ok()?;
        let file = inbox.open_trashed(found.first()?, trash).await.ok()?;
        let read = move || {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(file, SHOWN_BYTES_MAX), &mut bytes).map(|_| bytes)
        };
        let before = blocking(read).await.ok()?.ok()?;
        plan.patch.as_ref()?.apply(&before).ok()
    }

    /// A note that emm wrote, from its original in the vault.
    async fn written(&self, emm_id: &str, origin: &Origin, plan: &Plan, original: &str) -> Option<Vec<u8>> {
        let item = item_of(emm_id, origin);
        let open = async { Ok(self.parts.vault.open(original).await?) };
        let Ok(Document::Text { extracted, .. }) = self.read_file(&item, open).await else { return None };
        let (title, decision) = (plan.why.title.clone(), Decision::from(plan));
        let input = self.input(&item, &decision, *extracted, title, &plan.note, plan.original.clone());
        Some(note::render(&input, &self.style().await).into_bytes())
    }
}
