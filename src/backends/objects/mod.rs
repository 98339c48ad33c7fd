//! A bucket of S3 or of what speaks like it, used by put-if-absent, get and list, all that AWS, SeaweedFS and lakeFS share;
//! and, where it holds files that come and go (a vault, an inbox), by taking away what is still as it was seen.

mod create;
mod files;
mod http;
mod large;
mod probe;
mod remove;
mod settings;
mod tree;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use object_store::{
    BackoffConfig, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
    path::Path,
};

pub use files::{Level, Object};
use http::Http;
pub use probe::WRITERS;
pub use remove::{Removal, Removed};
pub use settings::Settings;
pub use tree::{Branch, Node};

/// Bytes that a key may have on S3.
const KEY_BYTES_MAX: usize = 1024;

/// Why a bucket did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The settings name no bucket that could be asked.
    #[error("the bucket cannot be used: {0}")]
    Settings(String),
    /// A key is none.
    #[error("{key:?} cannot be a key: {reason}")]
    Key {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// There is no such object.
    #[error("{0} is not in the bucket")]
    NotFound(String),
    /// What was to be written is not what it had been.
    #[error("{0} changed while it was copied into the bucket")]
    Changed(String),
    /// A file of this machine could not be read or written on the way to or from the bucket.
    #[error("{key}: {source}")]
    File {
        /// The key.
        key: String,
        /// Why.
        source: std::io::Error,
    },
    /// Whether it was written is not known: it counts as not written, and whoever tries again finds out.
    #[error("{key}: no sure answer from the bucket in {patience_ms} ms: {source}")]
    Unsure {
        /// The key.
        key: String,
        /// For how long it was tried.
        patience_ms: u64,
        /// What was said last.
        source: Box<object_store::Error>,
    },
    /// The server cannot do what is needed.
    #[error("{0}")]
    Unable(String),
    /// The server refused or failed.
    #[error("{0}")]
    Server(Box<object_store::Error>),
}

impl From<object_store::Error> for ObjectsError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::NotFound(path),
            error => Self::Server(Box::new(error)),
        }
    }
}

/// A bucket, below its prefix; cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    server: Arc<Server>,
    prefix: String,
    removal: Removal,
}

/// What is shared by all prefixes of a bucket.
struct Server {
    objects: AmazonS3,
    http: Http,
    name: String,
    patience: Duration,
}

impl Bucket {
    /// The bucket of these settings. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When they name none.
    pub fn new(settings: &Settings) -> Result<Bucket, ObjectsError> {
        let wrong = |reason: String| ObjectsError::Settings(reason);
        if settings.bucket.is_empty() {
            return Err(wrong("its name is missing (bucket)".to_owned()));
        }
        if settings.key_id.is_empty() || settings.secret.is_empty() {
            return Err(wrong(format!("the access key of {} is missing (key_id, secret)", settings.bucket)));
        }
        let prefix = settings.prefix.trim_matches('/').to_owned();
        Path::parse(&prefix).map_err(|error| wrong(format!("prefix: {error}")))?;
        let (answer_max, patience) =
            (Duration::from_millis(settings.answer_ms_max), Duration::from_millis(settings.patience_ms));
        let http = Http::new(!settings.endpoint.starts_with("http://"), answer_max)
            .map_err(|error| wrong(format!("TLS: {error}; install the package ca-certificates")))?;
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
            max_retries: 6,
            retry_timeout: patience,
        };
        let mut builder = AmazonS3Builder::new()
            .with_http_connector(http.clone())
            .with_retry(retry)
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(settings.key_id.text())
            .with_secret_access_key(settings.secret.text())
            .with_virtual_hosted_style_request(!settings.path_style)
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        if !settings.endpoint.is_empty() {
            let plain = settings.endpoint.starts_with("http://");
            builder = builder.with_endpoint(&settings.endpoint).with_allow_http(plain);
        }
        let objects = builder.build().map_err(|error| wrong(error.to_string()))?;
        let server = Arc::new(Server { objects, http, name: settings.bucket.clone(), patience });
        Ok(Bucket { server, prefix, removal: Removal::Looked })
    }

    /// What lies below a folder of it, as a bucket of its own.
    #[must_use]
    pub fn below(&self, folder: &str) -> Bucket {
        let prefix = if self.prefix.is_empty() { folder.to_owned() } else { format!("{}/{folder}", self.prefix) };
        Bucket { prefix, ..self.clone() }
    }

    /// The content of an object.
    ///
    /// # Errors
    /// `NotFound`; what the server says.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, ObjectsError> {
        let object = self.server.objects.get(&self.key(key)?).await?;
        Ok(object.bytes().await?.to_vec())
    }

    /// The keys below a folder, sorted, without the folder.
    ///
    /// # Errors
    /// What the server says.
    pub async fn names(&self, folder: &str) -> Result<Vec<String>, ObjectsError> {
        let prefix = self.key(folder)?;
        let objects: Vec<_> = self.server.objects.list(Some(&prefix)).try_collect().await?;
        let below = |object: &ObjectMeta| {
            let parts = object.location.prefix_match(&prefix)?;
            Some(parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
        };
        let mut names: Vec<String> = objects.iter().filter_map(below).collect();
        names.sort();
        Ok(names)
    }

    fn key(&self, key: &str) -> Result<Path, ObjectsError> {
        let whole = if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        let wrong = |reason: String| ObjectsError::Key { key: key.to_owned(), reason };
        if whole.len() > KEY_BYTES_MAX {
            return Err(wrong(format!("it has more than the {KEY_BYTES_MAX} bytes that a key may have")));
        }
        Path::parse(&whole).map_err(|error| wrong(error.to_string()))
    }
}

impl Bucket {
    /// As people write it: `s3://bucket/prefix`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.server.name, self.prefix)
    }
}

/// The same keys of the same bucket.
impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        (&self.server.name, &self.prefix) == (&other.server.name, &other.prefix)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} (prefix {:?})", self.server.name, self.prefix)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
