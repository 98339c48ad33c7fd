//! Taking an object away only while it is what was seen.
//!
//! `DELETE` with `If-Match` is what makes that sure. A server without it (lakeFS) is asked just before: an edit that comes
//! between question and answer would go as well, which is said at start.

use std::time::Duration;

use hyper::{Method, StatusCode, header::IF_MATCH};
use object_store::{
    client::{HttpRequestBody, HttpService},
    path::Path,
    signer::Signer,
};
use tokio::time::Instant;

use super::{
    Bucket, ObjectsError,
    create::{PAUSES, new_mark},
};

/// How long a signed request may be used.
pub(super) const SIGNED_FOR: Duration = Duration::from_secs(300);

/// How a bucket takes an object away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Only while its ETag is the one that was seen, in one step.
    Conditional,
    /// After a look at its ETag.
    Looked,
}

/// What became of an object that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It is not what was seen, and stays.
    Changed,
}

impl Bucket {
    /// How it takes objects away.
    #[must_use]
    pub fn removal(&self) -> Removal {
        self.removal
    }

    /// The same, where it is known how it takes objects away.
    #[must_use]
    pub fn with(self, removal: Removal) -> Bucket {
        Bucket { removal, ..self }
    }

    /// Finds out how it takes objects away, and does so from then on.
    ///
    /// # Errors
    /// What the server says.
    pub async fn with_removal(self) -> Result<Bucket, ObjectsError> {
        let name = format!("probe/{}/gone", new_mark());
        let path = self.key(&name)?;
        self.create(&name, b"emm".to_vec()).await?;
        let (end, mut pause) = (Instant::now() + self.server.patience, PAUSES.0);
        let said = loop {
            // A condition that does not hold: whoever knows conditions refuses.
            let busy = match self.delete(&path, Some("0123456789abcdef0123456789abcdef")).await {
                Ok(status) if !is_busy(status) => break Ok(status),
                Ok(status) => format!("the server said {status}"),
                Err(error) => error.to_string(),
            };
            if Instant::now() + pause > end {
                // Whether it knows conditions is not known then, and must not be guessed.
                break Err(ObjectsError::Unable(format!(
                    "how {self} takes objects away could not be tried out: {busy}"
                )));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        };
        self.take_back(&name).await;
        let knows = said? == StatusCode::PRECONDITION_FAILED;
        Ok(self.with(if knows { Removal::Conditional } else { Removal::Looked }))
    }

    /// Takes away what was written to try the bucket out. What cannot be taken away is a few bytes, which is said.
    pub(super) async fn take_back(&self, name: &str) {
        let taken = match self.head(name).await {
            Ok(Some(there)) => self.clone().with(Removal::Looked).remove(name, &there.etag).await.map(drop),
            gone => gone.map(drop),
        };
        if let Err(error) = taken {
            tracing::warn!("{name} stays in the bucket: {error}");
        }
    }

    /// Takes an object away if its ETag is still this one; one that is gone already counts as taken.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove(&self, key: &str, etag: &str) -> Result<Removed, ObjectsError> {
        let path = self.key(key)?;
        let (end, mut pause) = (Instant::now() + self.server.patience, PAUSES.0);
        loop {
            match self.head(key).await? {
                None => return Ok(Removed::Gone),
                Some(now) if now.etag != etag => return Ok(Removed::Changed),
                Some(_) => {}
            }
            let condition = (self.removal == Removal::Conditional).then_some(etag);
            let (said, again) = match self.delete(&path, condition).await {
                Ok(status) if status.is_success() || status == StatusCode::NOT_FOUND => return Ok(Removed::Gone),
                // Changed, or taken by a request of ours whose answer was lost: the next look says which.
                Ok(status) => {
                    (format!("the server said {status}"), is_busy(status) || status == StatusCode::PRECONDITION_FAILED)
                }
                Err(error) => (error.to_string(), true),
            };
            if !again || Instant::now() + pause > end {
                return Err(ObjectsError::Unable(format!("{key} could not be taken out of the bucket: {said}")));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// `DELETE` of one key, with `If-Match` where there is a condition: object_store has no way to say that, and it would send a
    /// bulk request, which lakeFS answers with 200 also where a branch is locked.
    async fn delete(&self, path: &Path, condition: Option<&str>) -> Result<StatusCode, ObjectsError> {
        let failed = |error: &dyn std::fmt::Display| ObjectsError::Unable(format!("{path}: {error}"));
        let url = self.server.objects.signed_url(Method::DELETE, path, SIGNED_FOR).await?;
        let mut request = hyper::Request::delete(url.as_str());
        if let Some(etag) = condition {
            request = request.header(IF_MATCH, format!("\"{etag}\""));
        }
        let request = request.body(HttpRequestBody::empty()).map_err(|error| failed(&error))?;
        Ok(self.server.http.call(request).await.map_err(|error| failed(&error))?.status())
    }
}

/// Whether the same request may be answered otherwise a little later. lakeFS says 500 while others change the branch.
fn is_busy(status: StatusCode) -> bool {
    let now = [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    now || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}
