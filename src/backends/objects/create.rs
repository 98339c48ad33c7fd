//! Put-if-absent that knows who won, also where an answer was lost.
//!
//! Every write carries a mark of its own in the metadata of the object. Whenever the server did not plainly say "done",
//! what lies under the key is looked at: our mark means that we won, another that somebody else did, and nothing that it
//! may be tried again. A refusal is looked at as well: it can be the answer to a repetition of our own request, and AWS
//! says 409 where two requests met of which perhaps none was carried out.

use std::time::Duration;

use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, path::Path,
};
use tokio::time::Instant;

use super::{Bucket, ObjectsError};

/// The name of the mark: `x-amz-meta-emm-put`.
pub(super) const MARK: &str = "emm-put";
/// The first pause before a repetition, and the longest.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Who wrote what lies under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// With its ETag.
    Ours(String),
    Another,
    Nobodys,
}

impl Bucket {
    /// Creates an object; `false` if another one is there. What it says is sure, and what it created is durable.
    ///
    /// # Errors
    /// `Unsure` when no sure answer was to be had; what the server says.
    pub async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<bool, ObjectsError> {
        Ok(self.create_marked(&self.key(key)?, bytes.into(), &new_mark()).await?.is_some())
    }

    /// As [`Bucket::create`], with a mark that nobody else has; gives the ETag of what it created.
    pub(super) async fn create_marked(
        &self,
        path: &Path,
        payload: PutPayload,
        mark: &str,
    ) -> Result<Option<String>, ObjectsError> {
        let (end, mut pause) = (Instant::now() + self.server.patience, PAUSES.0);
        loop {
            let failure = match self.put(path, payload.clone(), mark).await {
                Ok(etag) => return Ok(Some(etag)),
                Err(error) if is_final(&error) => return Err(error.into()),
                Err(error) => error,
            };
            let failure = match self.whose(path, mark).await {
                Ok(Whose::Ours(etag)) => return Ok(Some(etag)),
                Ok(Whose::Another) => return Ok(None),
                Ok(Whose::Nobodys) => failure,
                Err(error) if is_final(&error) => return Err(error.into()),
                Err(error) => error,
            };
            if Instant::now() + pause > end {
                let patience_ms = u64::try_from(self.server.patience.as_millis()).unwrap_or(u64::MAX);
                return Err(ObjectsError::Unsure { key: path.to_string(), patience_ms, source: Box::new(failure) });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// One request to write an object where nothing is; gives its ETag.
    pub(super) async fn put(&self, path: &Path, payload: PutPayload, mark: &str) -> Result<String, Error> {
        let attributes = Attributes::from_iter([(Attribute::Metadata(MARK.into()), mark.to_owned())]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        self.server.objects.put_opts(path, payload, options).await.map(|put| bare(put.e_tag.as_deref()))
    }

    /// Whose mark the object has.
    pub(super) async fn whose(&self, path: &Path, mark: &str) -> Result<Whose, Error> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.server.objects.get_opts(path, options).await {
            Ok(object) => {
                let found = object.attributes.get(&Attribute::Metadata(MARK.into()));
                let ours = found.is_some_and(|found| found.as_ref() == mark);
                Ok(if ours { Whose::Ours(bare(object.meta.e_tag.as_deref())) } else { Whose::Another })
            }
            Err(Error::NotFound { .. }) => Ok(Whose::Nobodys),
            Err(error) => Err(error),
        }
    }
}

/// An ETag without its quotes.
pub(super) fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// A mark that no other write has.
pub(super) fn new_mark() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Whether trying again cannot help.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::NotImplemented { .. }
            | Error::NotSupported { .. }
            | Error::NotFound { .. }
            | Error::InvalidPath { .. }
            | Error::UnknownConfigurationKey { .. }
    )
}
