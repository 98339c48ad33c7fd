//! REST of the stand-in for lakeFS: repositories, branches and commits. Objects are in `objects.rs`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{Method, StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Commit, Lake, Named, Refused, blocks, commit, objects, refused};

/// `emm-tests:emm-tests-secret`.
const BASIC: &str = "Basic ZW1tLXRlc3RzOmVtbS10ZXN0cy1zZWNyZXQ=";
/// Entries of a page, and the most of them.
const PAGE: (usize, usize) = (100, 1000);

pub(super) type Answer = Result<Response, Refused>;
type Of = State<Arc<Lake>>;

pub(super) fn router(lake: Arc<Lake>) -> Router<Arc<Lake>> {
    let branch = "/repositories/{repository}/branches/{branch}";
    let reference = "/repositories/{repository}/refs/{reference}";
    Router::new()
        .route("/config", get(config))
        .route("/repositories", post(create_repository))
        .route("/repositories/{repository}", get(repository))
        .route("/repositories/{repository}/branches", get(branches).post(create_branch))
        .route(branch, get(get_branch))
        .route(&format!("{branch}/commits"), post(make_commit))
        .route("/repositories/{repository}/commits/{reference}", get(get_commit))
        .route(&format!("{reference}/commits"), get(log))
        .route(&format!("{branch}/objects"), post(objects::upload).delete(objects::delete))
        .route(&format!("{branch}/objects/delete"), post(objects::delete_many))
        .route(&format!("{reference}/objects"), get(objects::read))
        .route(&format!("{reference}/objects/stat"), get(objects::stat))
        .route(&format!("{reference}/objects/ls"), get(objects::list))
        .fallback(async || refused::<()>(404, "not found"))
        .layer(from_fn(known))
        .with_state(lake)
}

async fn known(request: Request, next: Next) -> Response {
    match request.headers().get(AUTHORIZATION).is_some_and(|it| it == BASIC) {
        true => next.run(request).await,
        false => Refused(StatusCode::UNAUTHORIZED, "error authenticating request".to_owned()).into_response(),
    }
}

async fn config() -> Json<Value> {
    Json(json!({ "version_config": { "version": "1.84.0" }, "storage_config": {
        "blockstore_type": "s3", "blockstore_namespace_example": "s3://example-bucket/",
        "blockstore_namespace_ValidityRegex": "^s3://", "pre_sign_support": false, "pre_sign_support_ui": false,
        "import_support": false, "import_validity_regex": "^s3://",
    } }))
}

#[derive(Deserialize)]
struct NewRepository {
    name: String,
    storage_namespace: String,
    default_branch: Option<String>,
}

async fn create_repository(State(lake): Of, Json(new): Json<NewRepository>) -> Answer {
    lake.create(&new.name, &new.storage_namespace, new.default_branch.as_deref().unwrap_or("main")).await?;
    Ok((StatusCode::CREATED, Json(shown(&lake, &new.name)?)).into_response())
}

async fn repository(State(lake): Of, Path(name): Path<String>) -> Answer {
    Ok(Json(shown(&lake, &name)?).into_response())
}

fn shown(lake: &Lake, name: &str) -> Result<Value, Refused> {
    lake.of(name, |it| {
        Ok(json!({ "id": name, "creation_date": it.created, "default_branch": it.default_branch,
            "storage_namespace": it.namespace, "storage_id": "" }))
    })
}

/// Which entries of a listing.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) prefix: String,
    #[serde(default)]
    after: String,
    amount: Option<i64>,
    #[serde(default)]
    pub(super) delimiter: String,
}

impl Page {
    /// One page of what is listed, in the order of names.
    pub(super) fn of(&self, listed: impl IntoIterator<Item = (String, Value)>) -> Response {
        let most = self.amount.map_or(PAGE.0, |amount| usize::try_from(amount).map_or(PAGE.1, |it| it.min(PAGE.1)));
        let after = |name: &str| self.after.is_empty() || name > self.after.as_str();
        let mut listed = listed.into_iter().filter(|(name, _)| name.starts_with(&self.prefix) && after(name));
        let (names, results): (Vec<String>, Vec<Value>) = listed.by_ref().take(most).unzip();
        let more = listed.next().is_some();
        let next = names.last().filter(|_| more).cloned().unwrap_or_default();
        let pagination =
            json!({ "has_more": more, "next_offset": next, "results": results.len(), "max_per_page": PAGE.1 });
        Json(json!({ "pagination": pagination, "results": results })).into_response()
    }
}

async fn branches(State(lake): Of, Path(name): Path<String>, Query(page): Query<Page>) -> Answer {
    let branches = lake.of(&name, |it| Ok(it.branches.clone()))?;
    let reference = |(id, head): (String, String)| (id.clone(), json!({ "id": id, "commit_id": head }));
    Ok(page.of(branches.into_iter().map(reference)))
}

async fn get_branch(State(lake): Of, Path((name, branch)): Path<(String, String)>) -> Answer {
    lake.of(&name, |it| match it.branches.get(&branch) {
        Some(head) => Ok(Json(json!({ "id": branch, "commit_id": head })).into_response()),
        None => refused(404, format!("branch '{branch}' not found")),
    })
}

#[derive(Deserialize)]
struct NewBranch {
    name: String,
    source: String,
}

async fn create_branch(State(lake): Of, Path(name): Path<String>, Json(new): Json<NewBranch>) -> Answer {
    if new.name.is_empty() || new.name.contains('/') {
        return refused(400, "branch id: validation error");
    }
    let from = head(&lake, &name, &new.source)?;
    lake.of(&name, |it| match it.branches.contains_key(&new.name) {
        true => refused(409, "branch already exists: not unique"),
        false => Ok(()),
    })?;
    for (path, entry) in &from.entries {
        objects::copy(&lake.store(&name), &from.branch, &new.name, path, entry).await?;
    }
    lake.of(&name, |it| Ok(it.branches.insert(new.name.clone(), from.id.clone())))?;
    Ok((StatusCode::CREATED, from.id).into_response())
}

/// The commit that a reference stands for: that at the head of a branch.
fn head(lake: &Lake, repository: &str, reference: &str) -> Result<Commit, Refused> {
    match lake.named(repository, reference)? {
        Named::Commit(commit) => Ok(commit),
        Named::Branch(branch) => lake.of(repository, |it| Ok(it.commits[&it.branches[&branch]].clone())),
    }
}

#[derive(Deserialize)]
struct NewCommit {
    message: String,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    allow_empty: bool,
}

async fn make_commit(
    State(lake): Of,
    Path((name, branch)): Path<(String, String)>,
    Json(new): Json<NewCommit>,
) -> Answer {
    lake.may(&Method::POST, &name, &branch, "")?;
    let (last, entries) = (head(&lake, &name, &branch)?, blocks::listed(&lake.store(&name), &branch).await);
    if entries == last.entries && !new.allow_empty {
        return refused(400, "commit: no changes");
    }
    let metadata = if new.metadata.is_null() { json!({}) } else { new.metadata };
    let made = commit(vec![last.id], &new.message, metadata, &branch, entries);
    let answer = (StatusCode::CREATED, Json(told(&made))).into_response();
    lake.of(&name, |it| {
        it.branches.insert(branch, made.id.clone());
        it.commits.insert(made.id.clone(), made);
        Ok(answer)
    })
}

async fn get_commit(State(lake): Of, Path((name, reference)): Path<(String, String)>) -> Answer {
    Ok(Json(told(&head(&lake, &name, &reference)?)).into_response())
}

/// The commits from a reference back to the first, newest first: one page has them all.
async fn log(State(lake): Of, Path((name, reference)): Path<(String, String)>) -> Answer {
    let mut commits = vec![head(&lake, &name, &reference)?];
    while let Some(parent) = commits.last().and_then(|it| it.parents.first()).cloned() {
        commits.push(lake.of(&name, |it| Ok(it.commits[&parent].clone()))?);
    }
    let pagination = json!({ "has_more": false, "next_offset": "", "results": commits.len(), "max_per_page": PAGE.1 });
    let results: Vec<_> = commits.iter().map(told).collect();
    Ok(Json(json!({ "pagination": pagination, "results": results })).into_response())
}

fn told(commit: &Commit) -> Value {
    json!({ "id": commit.id, "parents": commit.parents, "committer": "emm-tests", "message": commit.message,
        "creation_date": commit.created, "meta_range_id": commit.id, "metadata": commit.metadata })
}
