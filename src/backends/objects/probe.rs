//! What a bucket can do, tried out at start rather than discovered with the first document.

use futures_util::future::join_all;
use object_store::{Error, PutPayload, multipart::MultipartStore};

use super::{
    Bucket, ObjectsError,
    create::{Whose, new_mark},
};

/// Writers that race for one key: more of them make a start slow where the server lets them wait for each other.
pub const WRITERS: usize = 2;

/// How often a bucket is tried out where the server does not say what became of a request.
const TRIES_MAX: usize = 3;

impl Bucket {
    /// Writes small objects below `probe/`, and takes them away again.
    ///
    /// # Errors
    /// `Unable` with the reason when the server gives a taken key away, lets two writers win, forgets whose an object is or
    /// does not list what was written; what the server says.
    pub async fn probe(&self) -> Result<(), ObjectsError> {
        let mut tries = 1;
        loop {
            match self.probe_once().await {
                // An answer that was lost says nothing of what the bucket can do.
                Err(error @ (ObjectsError::Server(_) | ObjectsError::Unsure { .. })) if tries < TRIES_MAX => {
                    tracing::info!("{self} is tried out again: {error}");
                    tries += 1;
                }
                tried => return tried,
            }
        }
    }

    async fn probe_once(&self) -> Result<(), ObjectsError> {
        let folder = format!("probe/{}", new_mark());
        let tried = self.try_out(&folder).await;
        for name in ["twice", "race"] {
            // The store itself needs no right to delete.
            self.take_back(&format!("{folder}/{name}")).await;
        }
        tried
    }

    /// Begins an upload below the prefix and gives it up, which nobody sees: so that it is said at start that nothing can be
    /// written there.
    ///
    /// # Errors
    /// `Unable` when there is no such bucket or, of lakeFS, no such branch; what the server says.
    pub async fn reach(&self) -> Result<(), ObjectsError> {
        let path = self.key(&format!("probe/{}", new_mark()))?;
        let upload = match self.server.objects.create_multipart(&path).await {
            Ok(upload) => upload,
            Err(Error::NotFound { .. }) => return Err(self.absent()),
            Err(error) => return Err(error.into()),
        };
        if let Err(error) = self.server.objects.abort_multipart(&path, &upload).await {
            tracing::warn!("an upload without parts stays in {self}: {error}");
        }
        Ok(())
    }

    fn absent(&self) -> ObjectsError {
        ObjectsError::Unable(format!(
            "{self} is not there, or not for this access key; of lakeFS, the bucket is a repository and the prefix begins \
             with one of its branches, such as \"main/emm\""
        ))
    }

    async fn try_out(&self, folder: &str) -> Result<(), ObjectsError> {
        let unable =
            |what: &str| Err(ObjectsError::Unable(format!("{self} {what}: emm cannot keep anything safe there")));
        let (twice, mark) = (self.key(&format!("{folder}/twice"))?, new_mark());
        // The first answer says whether bucket, key and rights are right.
        match self.create_marked(&twice, PutPayload::from("first"), &mark).await {
            // Somebody else's, in a folder that only we know: whose it is shows below.
            Ok(_) => {}
            Err(ObjectsError::NotFound(_)) => return Err(self.absent()),
            Err(error) => return Err(error),
        }
        match self.put(&twice, PutPayload::from("second"), &new_mark()).await {
            Err(Error::AlreadyExists { .. }) => {}
            Ok(_) => return unable("gives a taken key away (it ignores If-None-Match)"),
            Err(error) => return Err(error.into()),
        }
        if !matches!(self.whose(&twice, &mark).await?, Whose::Ours(_)) {
            return unable("forgets the metadata of objects (x-amz-meta-)");
        }
        let race = self.key(&format!("{folder}/race"))?;
        let marks: Vec<String> = (0..WRITERS).map(|_| new_mark()).collect();
        let puts = marks.iter().map(|mark| self.put(&race, PutPayload::from(mark.clone()), mark));
        let winners = join_all(puts).await.into_iter().filter(Result::is_ok).count();
        if winners > 1 {
            return unable("lets two writers create one key (its If-None-Match is no put-if-absent)");
        }
        if !self.names(folder).await?.iter().any(|name| name == "twice") {
            return unable("does not list what was just written");
        }
        Ok(())
    }
}
