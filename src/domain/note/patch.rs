//! Insertions into a text that can be taken back exactly: what the journal keeps of a Markdown file that was filed as
//! itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text that was added at a byte offset of the original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Insertion {
    /// Bytes of the original before it.
    pub offset_bytes: usize,
    /// What is added.
    pub text: String,
}

/// Insertions in ascending order of their offset; it removes and replaces nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Patch {
    /// The insertions.
    pub inserted: Vec<Insertion>,
}

/// Why a patch does not fit the text it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// An offset is past the end, or the offsets do not ascend.
    #[error("the patch does not fit this text at byte {offset_bytes}; use the text it was made for")]
    Misfit {
        /// The offset in the original.
        offset_bytes: usize,
    },
    /// What was added is not there any more.
    #[error("the text that was added at byte {offset_bytes} has been edited; take it out by hand")]
    Edited {
        /// The offset in the new text.
        offset_bytes: usize,
    },
}

impl Patch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inserted.iter().all(|insertion| insertion.text.is_empty())
    }

    /// The new text.
    ///
    /// # Errors
    /// `Misfit`, if the patch was made for another text.
    pub fn apply(&self, original: &[u8]) -> Result<Vec<u8>, PatchError> {
        let added: usize = self.inserted.iter().map(|insertion| insertion.text.len()).sum();
        let mut out = Vec::with_capacity(original.len() + added);
        let mut done = 0;
        for Insertion { offset_bytes, text } in &self.inserted {
            let misfit = PatchError::Misfit { offset_bytes: *offset_bytes };
            out.extend_from_slice(original.get(done..*offset_bytes).ok_or(misfit)?);
            out.extend_from_slice(text.as_bytes());
            done = *offset_bytes;
        }
        out.extend_from_slice(original.get(done..).unwrap_or_default());
        Ok(out)
    }

    /// The original again, byte for byte: `reverse(apply(x)) == x` for every `x` that the patch fits. A text that was
    /// edited elsewhere after the last insertion keeps that edit; whoever must not allow this compares hashes first.
    ///
    /// # Errors
    /// `Edited`, if something that was added is not found where it was put; `Misfit`, if the offsets do not ascend.
    pub fn reverse(&self, new: &[u8]) -> Result<Vec<u8>, PatchError> {
        let mut out = Vec::with_capacity(new.len());
        let mut rest = new;
        for Insertion { offset_bytes, text } in &self.inserted {
            let gone = PatchError::Edited { offset_bytes: new.len() - rest.len() };
            let kept = offset_bytes.checked_sub(out.len()).ok_or(PatchError::Misfit { offset_bytes: *offset_bytes })?;
            let (before, after) = rest.split_at_checked(kept).ok_or_else(|| gone.clone())?;
            out.extend_from_slice(before);
            rest = after.strip_prefix(text.as_bytes()).ok_or(gone)?;
        }
        out.extend_from_slice(rest);
        Ok(out)
    }
}
