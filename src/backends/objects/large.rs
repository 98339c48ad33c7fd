//! Put-if-absent of files of any size: in one request, or in parts that become one object where nothing is.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use blake3::Hash;
use http_body_util::BodyExt;
use object_store::{
    Attribute, Attributes, PutMultipartOptions, PutPayload,
    client::{HttpRequestBody, HttpService},
    multipart::{MultipartStore, PartId},
    path::Path,
    signer::{SignedUrlOptions, Signer},
};
use quick_xml::escape::escape;
use tokio::time::Instant;

use super::{
    Bucket, ObjectsError,
    create::{MARK, PAUSES, Whose, new_mark},
    remove::SIGNED_FOR,
};

/// Bytes of a file that goes in one request, and of a part of a larger one.
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// Parts that a server takes.
const PARTS_MAX: u64 = 10_000;

impl Bucket {
    /// Creates an object with the content of a file of any size, read from its beginning, and gives its ETag; nothing if
    /// another one is there.
    ///
    /// # Errors
    /// `Changed` when the content is not the expected one; else as [`Bucket::create`].
    pub async fn create_from(
        &self,
        key: &str,
        file: &Arc<File>,
        expected: Hash,
    ) -> Result<Option<String>, ObjectsError> {
        let failed = |source| ObjectsError::File { key: key.to_owned(), source };
        let size = file.metadata().map_err(failed)?.len();
        let path = self.key(key)?;
        if size <= PART_BYTES {
            let bytes = part(file, 0, size).map_err(failed)?;
            if blake3::hash(&bytes) != expected {
                return Err(ObjectsError::Changed(key.to_owned()));
            }
            return self.create_marked(&path, bytes.into(), &new_mark()).await;
        }
        let mark = new_mark();
        let attributes = Attributes::from_iter([(Attribute::Metadata(MARK.into()), mark.clone())]);
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let upload = self.server.objects.create_multipart_opts(&path, options).await?;
        let created = async {
            let parts = self.parts(&path, &upload, file, size, expected).await?;
            self.complete(&path, &upload, &parts, &mark).await
        };
        let created = created.await;
        if !matches!(created, Ok(Some(_))) {
            // Parts that nobody completes cost their owner room; the error at hand says more than a second one would.
            let _ = self.server.objects.abort_multipart(&path, &upload).await;
        }
        created
    }

    async fn parts(
        &self,
        path: &Path,
        upload: &str,
        file: &Arc<File>,
        size: u64,
        expected: Hash,
    ) -> Result<Vec<PartId>, ObjectsError> {
        let failed = |source| ObjectsError::File { key: path.to_string(), source };
        let part_bytes = PART_BYTES.max(size.div_ceil(PARTS_MAX));
        let (mut hasher, mut parts, mut at) = (blake3::Hasher::new(), Vec::new(), 0);
        while at < size {
            let bytes = part(file, at, part_bytes.min(size - at)).map_err(failed)?;
            hasher.update(&bytes);
            at += bytes.len() as u64;
            parts.push(
                self.server.objects.put_part(path, &upload.to_owned(), parts.len(), PutPayload::from(bytes)).await?,
            );
        }
        match hasher.finalize() == expected {
            true => Ok(parts),
            false => Err(ObjectsError::Changed(path.to_string())),
        }
    }

    /// Makes one object of its parts, if nothing is there. Whatever the server says, the mark of what is there then decides.
    async fn complete(
        &self,
        path: &Path,
        upload: &str,
        parts: &[PartId],
        mark: &str,
    ) -> Result<Option<String>, ObjectsError> {
        let (end, mut pause) = (Instant::now() + self.server.patience, PAUSES.0);
        let mut body = String::from("<CompleteMultipartUpload>");
        for (number, part) in parts.iter().enumerate() {
            let etag = escape(&part.content_id);
            body += &format!("<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag></Part>", number + 1);
        }
        body += "</CompleteMultipartUpload>";
        loop {
            let said = self.ask_to_complete(path, upload, body.clone()).await;
            match self.whose(path, mark).await {
                Ok(Whose::Ours(etag)) => return Ok(Some(etag)),
                Ok(Whose::Another) => return Ok(None),
                Ok(Whose::Nobodys) | Err(_) if Instant::now() + pause <= end => {}
                Ok(Whose::Nobodys) => return Err(ObjectsError::Unable(format!("{path} was not completed: {said}"))),
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// `CompleteMultipartUpload` with `If-None-Match: *`, which object_store has no way to say; gives what was answered.
    async fn ask_to_complete(&self, path: &Path, upload: &str, body: String) -> String {
        let ask = async {
            let options = SignedUrlOptions::default().with_query([("uploadId", upload)]);
            let url = self.server.objects.signed_url_opts(hyper::Method::POST, path, SIGNED_FOR, &options).await;
            let request = hyper::Request::post(url.map_err(|error| error.to_string())?.as_str())
                .header(hyper::header::IF_NONE_MATCH, "*")
                .body(HttpRequestBody::from(body))
                .map_err(|error| error.to_string())?;
            let answer = self.server.http.call(request).await.map_err(|error| error.to_string())?;
            let (status, body) = (answer.status(), answer.into_body().collect().await);
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
        };
        ask.await.unwrap_or_else(|error: String| error)
    }
}

fn part(file: &File, at: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(bytes).map_err(std::io::Error::other)?];
    file.read_exact_at(&mut buffer, at)?;
    Ok(buffer)
}
