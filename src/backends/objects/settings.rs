//! Where a bucket is, and how long to wait for it.

use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// A bucket of S3, or of what speaks like it: for lakeFS the bucket is the repository, and the prefix begins with a branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with, without slashes at its ends; empty takes the whole bucket.
    pub prefix: String,
    /// Such as `https://s3.example.org`; empty means that of AWS for the region.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The id of the access key.
    pub key_id: Secret,
    /// The secret of the access key.
    pub secret: Secret,
    /// Whether the bucket is the first part of the path rather than of the host name.
    pub path_style: bool,
    /// How long one request may go without an answer, or an answer without its next bytes, in milliseconds.
    pub answer_ms_max: u64,
    /// How long a request is tried again while the server is busy or away, in milliseconds.
    pub patience_ms: u64,
}
