//! REST of the stand-in for lakeFS: objects.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED,
            RANGE,
        },
    },
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use object_store::{
    Attribute, AttributeValue, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, aws::AmazonS3, path,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Entries, Entry, Lake, Named, Refused, blocks, refused,
    rest::{Answer, Page},
};

type Of = State<Arc<Lake>>;
/// A repository, and a branch or another reference of it.
type At = Path<(String, String)>;

/// What the query of most requests has.
#[derive(Deserialize)]
pub(super) struct Which {
    path: String,
}

const META: &str = "x-lakefs-meta-";

fn key(branch: &str, path: &str) -> Result<path::Path, Refused> {
    path::Path::parse(format!("{branch}/{path}")).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))
}

fn of(error: Error) -> Refused {
    match error {
        Error::NotFound { .. } => Refused(StatusCode::NOT_FOUND, "path not found".to_owned()),
        Error::AlreadyExists { .. } => Refused(StatusCode::PRECONDITION_FAILED, "path already exists".to_owned()),
        error => Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// The key, the content's type and the metadata of an object that is what the reference says.
struct Found {
    key: path::Path,
    entry: Entry,
    attributes: Attributes,
}

impl Found {
    fn content_type(&self) -> String {
        self.attributes
            .get(&Attribute::ContentType)
            .map_or_else(|| "application/octet-stream".to_owned(), |it| it.as_ref().to_owned())
    }

    fn stats(&self, path: &str) -> Value {
        let named = |(name, value): (&Attribute, &AttributeValue)| match name {
            Attribute::Metadata(name) => Some((name.to_string(), value.as_ref().to_owned())),
            _ => None,
        };
        let metadata: BTreeMap<_, _> = self.attributes.iter().filter_map(named).collect();
        let mut stats = shown(path, &self.entry);
        stats["metadata"] = json!(metadata);
        stats["content_type"] = json!(self.content_type());
        stats
    }
}

fn shown(path: &str, entry: &Entry) -> Value {
    json!({ "path": path, "path_type": "object", "physical_address": format!("s3://blocks/{}", entry.etag),
        "checksum": entry.etag, "size_bytes": entry.size, "mtime": entry.changed })
}

async fn find(lake: &Lake, repository: &str, reference: &str, path: &str) -> Result<Found, Refused> {
    let (branch, wanted) = match lake.named(repository, reference)? {
        Named::Branch(branch) => (branch, None),
        Named::Commit(commit) => match commit.entries.get(path) {
            Some(entry) => (commit.branch.clone(), Some(entry.clone())),
            None => return refused(404, "path not found"),
        },
    };
    let key = key(&branch, path)?;
    let options = GetOptions { head: true, ..GetOptions::default() };
    let found = lake.store(repository).get_opts(&key, options).await.map_err(of);
    let found = found.map(|found| (Entry::of(&found.meta), found.attributes));
    match (found, wanted) {
        (Ok((entry, _)), Some(wanted)) if entry != wanted => refused(410, "No data"),
        (Err(Refused(StatusCode::NOT_FOUND, _)), Some(_)) => refused(410, "No data"),
        (found, _) => found.map(|(entry, attributes)| Found { key, entry, attributes }),
    }
}

pub(super) async fn stat(State(lake): Of, Path((name, reference)): At, Query(which): Query<Which>) -> Answer {
    let found = find(&lake, &name, &reference, &which.path).await?;
    Ok(Json(found.stats(&which.path)).into_response())
}

/// The content; of a HEAD, axum leaves the body out.
pub(super) async fn read(
    State(lake): Of,
    Path((name, reference)): At,
    Query(which): Query<Which>,
    asked: HeaderMap,
) -> Answer {
    let found = find(&lake, &name, &reference, &which.path).await?;
    let etag = format!("\"{}\"", found.entry.etag);
    if asked.get(IF_NONE_MATCH).is_some_and(|it| it == etag.as_str()) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let content = lake.store(&name).get(&found.key).await.map_err(of)?.bytes().await.map_err(of)?;
    let size = content.len();
    let mut answer = Response::builder().header(ETAG, etag).header(ACCEPT_RANGES, "bytes");
    let changed = Timestamp::from_second(found.entry.changed).unwrap();
    answer = answer.header(LAST_MODIFIED, changed.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    answer = answer.header(CONTENT_TYPE, found.content_type());
    let piece = match asked.get(RANGE).map(|range| within(range.to_str().unwrap(), size)) {
        None => content,
        Some(Some((first, last))) => {
            answer = answer.status(206).header(CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
            content.slice(first..=last)
        }
        Some(None) => {
            let head = [(CONTENT_RANGE, format!("bytes */{size}"))];
            let said = Refused(StatusCode::RANGE_NOT_SATISFIABLE, "Requested Range Not Satisfiable".to_owned());
            return Ok((head, said).into_response());
        }
    };
    Ok(answer.header(CONTENT_LENGTH, piece.len()).body(Body::from(piece)).unwrap())
}

/// The first and the last byte of `bytes=4-` or `bytes=4-7`; nothing where there is no such byte.
fn within(range: &str, size: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok().filter(|first| *first < size)?;
    Some((first, last.parse().unwrap_or(size).min(size - 1)))
}

pub(super) async fn list(State(lake): Of, Path((name, reference)): At, Query(page): Query<Page>) -> Answer {
    let entries: Entries = match lake.named(&name, &reference)? {
        Named::Branch(branch) => blocks::listed(&lake.store(&name), &branch).await,
        Named::Commit(commit) => commit.entries,
    };
    let mut listed = BTreeMap::new();
    for (path, entry) in &entries {
        let below = path.strip_prefix(&page.prefix).unwrap_or_default();
        match below.split_once(&page.delimiter) {
            Some((folder, _)) if !page.delimiter.is_empty() => {
                let common = format!("{}{folder}{}", page.prefix, page.delimiter);
                let shown = json!({ "path": common, "path_type": "common_prefix", "physical_address": "",
                    "checksum": "", "mtime": 0 });
                listed.insert(common, shown);
            }
            _ => drop(listed.insert(path.clone(), shown(path, entry))),
        }
    }
    Ok(page.of(listed))
}

pub(super) async fn upload(
    State(lake): Of,
    Path((name, branch)): At,
    Query(which): Query<Which>,
    asked: HeaderMap,
    body: Bytes,
) -> Answer {
    let mode = match (asked.get(IF_MATCH), asked.get(IF_NONE_MATCH)) {
        (None, None) => PutMode::Overwrite,
        (None, Some(star)) if star == "*" => PutMode::Create,
        _ => return refused(501, "functionality not implemented"),
    };
    lake.may(&Method::PUT, &name, &branch, &which.path)?;
    let said = asked.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("application/octet-stream");
    let (content_type, content) = match said.split_once("multipart/form-data; boundary=") {
        Some((_, boundary)) => part(&body, boundary)?,
        None => (said.to_owned(), body),
    };
    let mut attributes = Attributes::from_iter([(Attribute::ContentType, content_type)]);
    let given = |(header, value): (&HeaderName, &HeaderValue)| {
        let name = header.as_str().strip_prefix(META)?;
        Some((Attribute::Metadata(name.to_owned().into()), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    for (name, value) in asked.iter().filter_map(given) {
        attributes.insert(name, value.into());
    }
    let options = PutOptions { mode, attributes, ..PutOptions::default() };
    lake.store(&name).put_opts(&key(&branch, &which.path)?, PutPayload::from(content), options).await.map_err(of)?;
    let stats = find(&lake, &name, &branch, &which.path).await?.stats(&which.path);
    Ok((StatusCode::CREATED, Json(stats)).into_response())
}

/// The type and the bytes of the part `content` of a form.
fn part(form: &Bytes, boundary: &str) -> Result<(String, Bytes), Refused> {
    let find = |from: usize, what: &str| {
        let at = form.get(from..)?.windows(what.len()).position(|it| it == what.as_bytes())?;
        Some(from + at)
    };
    let found = || {
        let head = find(0, "name=\"content\"")?;
        let begin = find(head, "\r\n\r\n")? + 4;
        let end = find(begin, &format!("\r\n--{}", boundary.trim_matches('"')))?;
        let head = String::from_utf8_lossy(&form[head..begin]).to_lowercase();
        let kind = head.split_once("content-type: ").and_then(|(_, it)| it.lines().next());
        Some((kind.unwrap_or("application/octet-stream").to_owned(), form.slice(begin..end)))
    };
    found().ok_or_else(|| Refused(StatusCode::INTERNAL_SERVER_ERROR, "multipart upload missing key 'content'".into()))
}

pub(super) async fn delete(State(lake): Of, Path((name, branch)): At, Query(which): Query<Which>) -> Answer {
    remove(&lake, &name, &branch, &which.path).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn remove(lake: &Lake, repository: &str, branch: &str, path: &str) -> Result<(), Refused> {
    lake.may(&Method::DELETE, repository, branch, path)?;
    match lake.store(repository).delete(&key(branch, path)?).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(of(error)),
    }
}

#[derive(Deserialize)]
pub(super) struct Paths {
    paths: Vec<String>,
}

pub(super) async fn delete_many(State(lake): Of, Path((name, branch)): At, Json(these): Json<Paths>) -> Answer {
    let mut errors = Vec::new();
    for path in these.paths {
        if let Err(Refused(status, message)) = remove(&lake, &name, &branch, &path).await {
            errors.push(json!({ "path": path, "status_code": status.as_u16(), "message": message }));
        }
    }
    Ok(Json(json!({ "errors": errors })).into_response())
}

/// Copies what a commit has into another branch.
pub(super) async fn copy(store: &AmazonS3, from: &str, to: &str, path: &str, wanted: &Entry) -> Result<(), Refused> {
    let (from, to) = (key(from, path)?, key(to, path)?);
    let there = store.head(&from).await.map(|meta| Entry::of(&meta));
    if !there.is_ok_and(|entry| entry == *wanted) {
        return refused(410, "No data");
    }
    store.copy(&from, &to).await.map_err(of)
}
