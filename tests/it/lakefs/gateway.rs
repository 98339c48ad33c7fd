//! The S3 gateway of the stand-in for lakeFS: what lakeFS refuses or says by itself; all else is SeaweedFS's to answer, which
//! also looks at the signature.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{
        HeaderMap, Method, StatusCode,
        header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
    routing::any,
};
use http_body_util::BodyExt;
use quick_xml::escape::unescape;

use super::{Lake, Refused};

/// What lakeFS has no such thing as.
const NOT_SUPPORTED: [&str; 5] = ["acl", "cors", "lifecycle", "policy", "tagging"];

type Of = State<Arc<Lake>>;
type Asked = Query<BTreeMap<String, String>>;

pub(super) fn router() -> Router<Arc<Lake>> {
    let unsupported = async || says(405, "ERRLakeFSNotSupported", "This operation is not supported in LakeFS");
    Router::new()
        .route("/{repository}", any(repository))
        .route("/{repository}/", any(repository))
        .route("/{repository}/{*key}", any(object))
        .fallback(unsupported)
}

fn says(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    xml(status, body)
}

fn xml(status: u16, body: String) -> Response {
    (StatusCode::from_u16(status).unwrap(), [(CONTENT_TYPE, "application/xml")], body).into_response()
}

/// What the gateway makes of a refusal.
fn of(Refused(status, message): Refused) -> Response {
    let code = match status.as_u16() {
        403 => "ErrWriteToProtectedBranch",
        404 => "NoSuchBucket",
        409 => "OperationAborted",
        _ => "InternalError",
    };
    says(status.as_u16(), code, &message)
}

/// What lakeFS says to the conditions of a write.
fn condition(asked: &HeaderMap) -> Option<Response> {
    let unknown = asked.contains_key(IF_MATCH) || asked.get(IF_NONE_MATCH).is_some_and(|it| it != "*");
    let message = "A header you provided implies functionality that is not implemented";
    unknown.then(|| says(501, "NotImplemented", message))
}

/// `/repository`: listings, and many deletions at once.
async fn repository(State(lake): Of, Path(name): Path<String>, Query(asked): Asked, request: Request) -> Response {
    let Ok(branches) = lake.of(&name, |it| Ok(it.branches.clone())) else {
        return says(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    if NOT_SUPPORTED.iter().any(|name| asked.contains_key(*name)) {
        return says(405, "ERRLakeFSNotSupported", "This operation is not supported in LakeFS");
    }
    match *request.method() {
        Method::GET if asked.contains_key("versioning") => {
            xml(200, "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>".to_owned())
        }
        Method::GET => {
            let prefix = asked.get("prefix").map(String::as_str).unwrap_or_default();
            match prefix.split_once('/') {
                None => listed(&name, branches.keys().filter(|branch| branch.starts_with(prefix))),
                Some((branch, _)) if branches.contains_key(branch) => lake.pass(request).await,
                // lakeFS says so of a branch that is not there.
                Some(_) => listed(&name, [].into_iter()),
            }
        }
        Method::HEAD => StatusCode::OK.into_response(),
        Method::PUT => says(409, "BucketAlreadyExists", "The requested bucket name is not available"),
        Method::POST if asked.contains_key("delete") => lake.delete_many(&name, request).await,
        _ => says(405, "ERRLakeFSNotSupported", "This operation is not supported in LakeFS"),
    }
}

fn listed<'a>(repository: &str, branches: impl Iterator<Item = &'a String>) -> Response {
    let prefixes: Vec<_> =
        branches.map(|branch| format!("<CommonPrefixes><Prefix>{branch}/</Prefix></CommonPrefixes>")).collect();
    xml(
        200,
        format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{repository}</Name>\
             <IsTruncated>false</IsTruncated><KeyCount>{}</KeyCount><MaxKeys>1000</MaxKeys>{}</ListBucketResult>",
            prefixes.len(),
            prefixes.concat()
        ),
    )
}

/// `/repository/branch/path`.
async fn object(
    State(lake): Of,
    Path((name, key)): Path<(String, String)>,
    Query(asked): Asked,
    request: Request,
) -> Response {
    let (branch, path) = key.split_once('/').unwrap_or((&key, ""));
    let there = lake.of(&name, |it| Ok(it.branches.contains_key(branch)));
    let Ok(there) = there else { return says(404, "NoSuchBucket", "The specified bucket does not exist") };
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    if asked.contains_key("acl") || (!reads && asked.contains_key("tagging")) {
        return says(405, "ERRLakeFSNotSupported", "This operation is not supported in LakeFS");
    }
    // What is uploaded in parts shows in the branch when they are made one object.
    let part = asked.contains_key("partNumber") || asked.contains_key("uploads");
    match *request.method() {
        Method::GET | Method::HEAD if !there => says(404, "NoSuchKey", "The specified key does not exist."),
        // lakeFS deletes nothing there, and says that it is done.
        Method::DELETE if !there => StatusCode::NO_CONTENT.into_response(),
        _ if !there => says(404, "NoSuchBucket", "The specified bucket does not exist"),
        Method::PUT | Method::POST if !part => match condition(request.headers()) {
            Some(refused) => refused,
            None => lake.write(&name, branch, path, request).await,
        },
        Method::DELETE if !asked.contains_key("uploadId") => {
            let refused = condition(request.headers()).filter(|_| lake.refuses_conditional_delete);
            match refused {
                Some(refused) => refused,
                None => lake.write(&name, branch, path, unconditional(request)).await,
            }
        }
        _ => lake.pass(request).await,
    }
}

/// lakeFS does not look at the conditions of a `DELETE`.
fn unconditional(mut request: Request) -> Request {
    request.headers_mut().remove(IF_MATCH);
    request
}

impl Lake {
    async fn write(&self, repository: &str, branch: &str, path: &str, request: Request) -> Response {
        // CompleteMultipartUpload is how a large object is put.
        let method = if request.method() == Method::DELETE { Method::DELETE } else { Method::PUT };
        match self.may(&method, repository, branch, path) {
            Ok(()) => self.pass(request).await,
            Err(refused) => of(refused),
        }
    }

    /// 200, whatever became of the keys; all of them have one branch here, and so one fate.
    async fn delete_many(&self, repository: &str, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        let keys: Vec<&str> = text.split("<Key>").skip(1).filter_map(|it| Some(it.split_once("</Key>")?.0)).collect();
        let first = unescape(keys.first().unwrap()).unwrap();
        let (branch, path) = first.split_once('/').unwrap_or((&first, ""));
        let (code, message) = match self.may(&Method::DELETE, repository, branch, path) {
            // Nothing is there to be deleted.
            Ok(()) | Err(Refused(StatusCode::NOT_FOUND, _)) => {
                return self.pass(Request::from_parts(head, Body::from(body))).await;
            }
            Err(Refused(StatusCode::FORBIDDEN, message)) => ("ErrWriteToProtectedBranch", message),
            Err(Refused(_, message)) => ("ErrDeletingKey", message),
        };
        let error = |key: &&str| {
            format!(
                "<Error><Code>{code}</Code><Key>{key}</Key><Message>error deleting object: {message}</Message></Error>"
            )
        };
        let errors: String = keys.iter().map(error).collect();
        let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
        xml(200, format!("<DeleteResult xmlns=\"{namespace}\">{errors}</DeleteResult>"))
    }

    /// Lets the server behind answer. The host stays the one that was signed.
    async fn pass(&self, mut request: Request) -> Response {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://127.0.0.1:{}{path}", self.blocks.port).parse().unwrap();
        match self.passing.request(request).await {
            Ok(answer) => answer.map(Body::new),
            Err(error) => says(502, "BadGateway", &error.to_string()),
        }
    }
}
