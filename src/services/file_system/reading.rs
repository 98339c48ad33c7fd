//! Reading an item of the inbox, in a child process, once per content.

use std::fs::File;

use super::FileSystem;
use crate::{
    backends::{cache::Unkept, parsers::Failure},
    contracts::file_system::{Document, Item},
    domain::{
        extract::{Extracted, READERS_VERSION},
        note,
    },
    rpc::{Error, Result},
    services::blocking::blocking,
};

impl FileSystem {
    /// Text and metadata of an item. The result is kept under its content, its name, the version of
    /// the readers and what they were allowed.
    pub(super) async fn read(&self, item: &Item) -> Result<Document> {
        if let Some(reason) = &item.folder {
            let extracted = Extracted { text: String::new(), warnings: vec![reason.clone()], ..Extracted::default() };
            return Ok(Document::Text { extracted: Box::new(extracted), title: file_name(&item.place).to_owned() });
        }
        self.read_file(item, async { Ok(self.parts.inbox.open(&item.place).await?) }).await
    }

    /// The same of an item that is a file and lies where `open` opens it.
    pub(super) async fn read_file(&self, item: &Item, open: impl Future<Output = Result<File>>) -> Result<Document> {
        let name = file_name(&item.place).to_owned();
        let key = format!("read/{READERS_VERSION}/{}/{}/{name}", self.parts.parsers.means(), item.hash);
        let compute = async {
            let mut file = open.await.map_err(Unkept::Error)?;
            let (place, hash) = (item.place.clone(), item.hash.clone());
            // What is read must be what was hashed, for the result is kept under that hash.
            let check = move || -> Result<File> {
                let mut hasher = blake3::Hasher::new();
                let hashed = hasher.update_reader(&mut file);
                hashed.map_err(|error| Error::unavailable(format!("{place}: {error}")))?;
                if hasher.finalize().to_hex().as_str() != hash {
                    return Err(Error::conflict(format!("{place} changed since it was listed; it is looked at again")));
                }
                Ok(file)
            };
            let file = blocking(check).await.and_then(|opened| opened).map_err(Unkept::Error)?;
            match self.parts.parsers.read(file, &name).await {
                Ok(extracted) => Ok(described(extracted, &name)),
                // Encrypted or malformed: it is still filed by its name, its type and its folders.
                Err(Failure::Refused(reason)) => {
                    let extracted = Extracted { warnings: vec![reason], ..Extracted::default() };
                    Ok(described(extracted, &name))
                }
                // A quieter machine or a later try may read it: nobody else is told.
                Err(failure) if failure.blames_file() => {
                    Err(Unkept::Value(Document::Poison { reason: failure.to_string() }))
                }
                Err(failure) => Err(Unkept::Error(failure.into())),
            }
        };
        Unkept::settle(self.parts.cache.get_or(key, compute).await)
    }
}

fn described(extracted: Extracted, name: &str) -> Document {
    let title = note::title_for(extracted.title.as_deref(), None, name);
    Document::Text { extracted: Box::new(extracted), title }
}

/// The last part of a place in the inbox, for people.
pub(super) fn file_name(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}
