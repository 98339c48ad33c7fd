//! A stand-in for lakeFS, of which no server can be had for tests: its S3 gateway and the part of its REST that shows what lies
//! in a branch, both in front of a real SeaweedFS. Written after the source of lakeFS 1.84; its own client is the judge.
//!
//! A repository is a bucket of the same name, a branch the first part of a key. A commit is what was listed when it was made: what
//! was changed since then is gone from it (410). Without: tags, merges, signed uploads, and that lakeFS cuts the number of
//! parts off an ETag.

mod blocks;
mod gateway;
mod objects;
mod rest;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use emm::backends::objects::Settings;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use object_store::aws::AmazonS3;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::s3_server::{S3Server, flags, settings};

/// The repository that is there from the beginning, with a branch `main`.
pub(crate) const REPOSITORY: &str = "lake";
pub(crate) const LOCKED: &str = "branch is currently locked, try again later";

/// Why a write is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 500, and 200 with an error for each key where many are deleted in one request.
    Locked,
    /// 409.
    Conflict,
}

/// What meets the next writes.
struct Fault {
    trouble: Trouble,
    /// Those of which method and key have this part: `PUT main/a` or `DELETE main/a`.
    part: &'static str,
    left: usize,
}

pub(crate) struct LakeFs {
    pub(crate) port: u16,
    lake: Arc<Lake>,
    serve: JoinHandle<()>,
}

struct Lake {
    blocks: blocks::Blocks,
    passing: Client<HttpConnector, Body>,
    repositories: Mutex<BTreeMap<String, Repository>>,
    fault: Mutex<Option<Fault>>,
    /// Whether `DELETE` knows `If-Match` well enough to refuse it; else it deletes, whatever the condition.
    refuses_conditional_delete: bool,
}

#[derive(Default)]
struct Repository {
    namespace: String,
    default_branch: String,
    created: u64,
    /// With the commit at their head.
    branches: BTreeMap<String, String>,
    protected: BTreeSet<String>,
    commits: BTreeMap<String, Commit>,
}

#[derive(Clone)]
struct Commit {
    id: String,
    parents: Vec<String>,
    message: String,
    metadata: Value,
    created: u64,
    /// Where its objects lay when it was made.
    branch: String,
    entries: Entries,
}

/// What is known of each path.
type Entries = BTreeMap<String, Entry>;

#[derive(Debug, Clone)]
struct Entry {
    etag: String,
    size: u64,
    changed: i64,
}

/// A copy in another branch is the same, whenever it was made.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.etag, self.size) == (&other.etag, other.size)
    }
}

/// What a reference names.
enum Named {
    Branch(String),
    Commit(Commit),
}

/// What REST says instead of an answer.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "message": self.1 }))).into_response()
    }
}

fn refused<T>(status: u16, message: impl ToString) -> Result<T, Refused> {
    Err(Refused(StatusCode::from_u16(status).unwrap(), message.to_string()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl LakeFs {
    pub(crate) async fn start() -> LakeFs {
        LakeFs::with(false).await
    }

    /// As `start`, but 501 also to a `DELETE` with `If-Match`.
    pub(crate) async fn refusing_conditional_delete() -> LakeFs {
        LakeFs::with(true).await
    }

    async fn with(refuses_conditional_delete: bool) -> LakeFs {
        let to = S3Server::seaweedfs().port;
        let lake = Arc::new(Lake {
            blocks: blocks::Blocks::of(to),
            passing: Client::builder(TokioExecutor::new()).build_http(),
            repositories: Mutex::default(),
            fault: Mutex::default(),
            refuses_conditional_delete,
        });
        lake.create(REPOSITORY, "s3://lake", "main").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().nest("/api/v1", rest::router(lake.clone())).merge(gateway::router());
        let router = router.layer(DefaultBodyLimit::disable()).with_state(lake.clone());
        let serve = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        LakeFs { port, lake, serve }
    }

    /// `[store]` of a configuration with this prefix.
    pub(crate) fn flags(&self, prefix: &str) -> Value {
        let mut flags = flags(self.port, prefix);
        flags["s3"]["bucket"] = json!(REPOSITORY);
        flags
    }

    /// As the defaults, but for this server and with this prefix.
    pub(crate) fn settings(&self, prefix: &str) -> Settings {
        let mut settings = settings(self.port, prefix);
        settings.bucket = REPOSITORY.to_owned();
        settings
    }

    /// The next so many writes fail, of those of which method and key, such as `PUT main/a`, have this part.
    pub(crate) fn fail(&self, trouble: Trouble, left: usize, part: &'static str) {
        *self.lake.fault.lock() = Some(Fault { trouble, part, left });
    }

    /// How many of them are still to come.
    pub(crate) fn still_to_fail(&self) -> usize {
        self.lake.fault.lock().as_ref().map_or(0, |fault| fault.left)
    }

    /// Nobody writes to this branch any more.
    pub(crate) fn protect(&self, branch: &str) {
        let mut repositories = self.lake.repositories.lock();
        repositories.get_mut(REPOSITORY).unwrap().protected.insert(branch.to_owned());
    }
}

impl Drop for LakeFs {
    fn drop(&mut self) {
        self.serve.abort();
    }
}

impl Lake {
    fn store(&self, repository: &str) -> AmazonS3 {
        self.blocks.open(repository)
    }

    /// What a write meets, which counts it.
    fn trouble(&self, write: &str) -> Option<Trouble> {
        let mut fault = self.fault.lock();
        let fault = fault.as_mut().filter(|fault| fault.left > 0 && write.contains(fault.part))?;
        fault.left -= 1;
        Some(fault.trouble)
    }

    async fn create(&self, name: &str, namespace: &str, branch: &str) -> Result<(), Refused> {
        if self.repositories.lock().contains_key(name) {
            return refused(409, "error creating repository: not unique");
        }
        // As lakeFS, it tries whether it can write; and SeaweedFS makes the bucket.
        self.blocks.try_out(name).await;
        let first = commit(vec![], "Repository created", json!({}), branch, Entries::new());
        let repository = Repository {
            namespace: namespace.to_owned(),
            default_branch: branch.to_owned(),
            created: now(),
            branches: [(branch.to_owned(), first.id.clone())].into(),
            protected: BTreeSet::new(),
            commits: [(first.id.clone(), first)].into(),
        };
        self.repositories.lock().insert(name.to_owned(), repository);
        Ok(())
    }

    /// Looks at a repository, or changes it.
    fn of<T>(&self, repository: &str, look: impl FnOnce(&mut Repository) -> Result<T, Refused>) -> Result<T, Refused> {
        match self.repositories.lock().get_mut(repository) {
            Some(found) => look(found),
            None => refused(404, "repository not found"),
        }
    }

    fn named(&self, repository: &str, reference: &str) -> Result<Named, Refused> {
        self.of(repository, |it| match (it.branches.get(reference), it.commits.get(reference)) {
            (Some(_), _) => Ok(Named::Branch(reference.to_owned())),
            (_, Some(commit)) => Ok(Named::Commit(commit.clone())),
            _ => refused(404, format!("reference '{reference}' not found")),
        })
    }

    /// Whether this may be done to a path of a branch now.
    fn may(&self, method: &Method, repository: &str, branch: &str, path: &str) -> Result<(), Refused> {
        self.of(repository, |it| match it.branches.contains_key(branch) {
            false => refused(404, format!("branch '{branch}' not found")),
            true if it.protected.contains(branch) => refused(403, "cannot write to protected branch"),
            true => Ok(()),
        })?;
        match self.trouble(&format!("{method} {branch}/{path}")) {
            Some(Trouble::Locked) => refused(500, LOCKED),
            Some(Trouble::Conflict) => refused(409, "conflict found"),
            None => Ok(()),
        }
    }
}

fn commit(parents: Vec<String>, message: &str, metadata: Value, branch: &str, entries: Entries) -> Commit {
    let created = now();
    let id = blake3::hash(format!("{parents:?} {message} {metadata} {created} {entries:?}").as_bytes());
    let (message, branch) = (message.to_owned(), branch.to_owned());
    Commit { id: id.to_hex().to_string(), parents, message, metadata, created, branch, entries }
}
