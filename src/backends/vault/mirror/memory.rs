//! What a copy of a vault remembers between two passes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Mirror, MirrorError, at};

/// The version of what is remembered.
const FORMAT: u32 = 1;

/// A file that was the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) hash: String,
    pub(super) size_bytes: u64,
    /// Of the file in the folder; 0 where nobody looked.
    pub(super) modified_ns: i64,
    /// Of the object; empty where it was not told.
    pub(super) etag: String,
}

/// All such files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    format: u32,
    vault: String,
    pub(super) files: BTreeMap<String, Known>,
}

impl Mirror {
    pub(super) fn remembered(&self) -> Result<Memory, MirrorError> {
        let text = match std::fs::read(&self.memory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.nothing()),
            read => read.map_err(at(&self.memory))?,
        };
        let memory: Memory =
            serde_json::from_slice(&text).map_err(|error| at(&self.memory)(io::Error::other(error)))?;
        let vault = self.objects.bucket().url();
        match (memory.format <= FORMAT, memory.vault == vault) {
            (false, _) => Err(MirrorError::Refused(format!("{} is of a newer emm", self.memory.display()))),
            // Another vault was kept in this folder: nothing of it is remembered.
            (true, false) => Ok(self.nothing()),
            (true, true) => Ok(memory),
        }
    }

    fn nothing(&self) -> Memory {
        Memory { format: FORMAT, vault: self.objects.bucket().url(), files: BTreeMap::new() }
    }

    /// Whoever reads it finds the old one or this one.
    pub(super) fn keep(&self, memory: &Memory) -> Result<(), MirrorError> {
        let write = || {
            let folder = self.memory.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, memory)?;
            file.as_file().sync_all()?;
            file.persist(&self.memory).map(drop).map_err(io::Error::from)
        };
        write().map_err(at(&self.memory))
    }
}
