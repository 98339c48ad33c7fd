//! The toolbox over HTTP: `POST /{role}/{tool}`, with Host, Origin and token checked on every route.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout_at;

use super::{Code, Context, Error, Result, Toolbox, Tools, Trace, token::Tokens, toolbox::Entry, trace};

/// Milliseconds that the caller will still wait.
pub const DEADLINE_HEADER: &str = "x-emm-deadline-ms";
/// The identity that all calls of one outer request share.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The identity of the store that the caller belongs to: a node of another one must not answer it.
pub const STORE_HEADER: &str = "x-emm-store";

/// Set on the answer of a node that does not host its roles yet: nothing was done, and another replica may be asked.
pub const STARTING_HEADER: &str = "x-emm-starting";

/// The content type of requests and replies.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the routes need.
pub struct Face {
    /// The tools to answer with; until they are hosted, the node is starting.
    pub tools: Tools,
    /// Who may call them.
    pub tokens: Tokens,
    /// Host names in lower case, without port, that requests may carry beside any address; a rebinding attack carries
    /// another.
    pub hosts: BTreeSet<String>,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
}

/// The routes of the toolbox. `POST /{tool}` is an alias where the process hosts one service.
pub fn routes(face: Arc<Face>) -> Router {
    Router::new().route("/{role}/{tool}", post(by_role)).route("/{tool}", post(alone)).with_state(face)
}

/// Lays the Host and Origin check around every route of `router`.
pub fn guarded(router: Router, face: Arc<Face>) -> Router {
    router.layer(middleware::from_fn_with_state(face, guard))
}

async fn guard(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    match allowed(&face, request.uri().authority().map(Authority::as_str), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Host and Origin are held against one authority: that of the URI, else that of the Host header.
fn allowed(face: &Face, authority: Option<&str>, headers: &HeaderMap) -> Result<()> {
    let host = || headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = authority.or_else(host).unwrap_or_default().to_ascii_lowercase();
    let host = host_name(&authority);
    // Rebinding needs a name that its owner points here: an address is always the one that was reached.
    if host.parse::<IpAddr>().is_err() && !face.hosts.contains(host) {
        let message = format!("this node does not answer to the host {host:?}; add it to node.hosts if it should");
        return Err(Error::new(Code::Forbidden, message));
    }
    // A browser sends Origin with whatever it posts; only pages of this node itself may call it.
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|it| it.split_once("://"));
        origin.is_some_and(|(_, page)| page.eq_ignore_ascii_case(&authority))
    };
    match headers.get_all(header::ORIGIN).iter().find(|origin| !own(origin)) {
        Some(origin) => Err(Error::new(Code::Forbidden, format!("pages of {origin:?} may not call this node"))),
        None => Ok(()),
    }
}

/// `localhost:8080` and `[::1]:8080` without their port.
fn host_name(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

async fn by_role(
    State(face): State<Arc<Face>>,
    Path((role, tool)): Path<(String, String)>,
    request: Request,
) -> Response {
    answer(&face, |toolbox| toolbox.find(&role, &tool), &format!("{role}/{tool}"), request).await
}

async fn alone(State(face): State<Arc<Face>>, Path(tool): Path<String>, request: Request) -> Response {
    answer(&face, |toolbox| toolbox.find_alone(&tool), &tool, request).await
}

async fn answer(face: &Face, find: impl FnOnce(&Toolbox) -> Option<&Entry>, name: &str, request: Request) -> Response {
    if !face.tokens.accept(text(request.headers(), header::AUTHORIZATION.as_str())) {
        let message =
            "a token is needed: send 'Authorization: Bearer <token>' (the node keeps it in its home, file 'token')";
        return Error::new(Code::Unauthorized, message).into_response();
    }
    match face.tools.hosted() {
        Some(toolbox) => ask(face, toolbox, find, name, request).await.unwrap_or_else(Error::into_response),
        None => {
            let error = Error::unavailable("starting: /readyz says what is awaited");
            ([(STARTING_HEADER, "true")], error).into_response()
        }
    }
}

async fn ask(
    face: &Face,
    toolbox: &Toolbox,
    find: impl FnOnce(&Toolbox) -> Option<&Entry>,
    name: &str,
    request: Request,
) -> Result<Response> {
    let (head, body) = request.into_parts();
    let entry =
        find(toolbox).ok_or_else(|| Error::not_found(format!("no tool {name} here; 'emm roles' lists them")))?;
    same_store(face.tools.store(), text(&head.headers, STORE_HEADER))?;
    let context = context(&head.headers, entry.deadline);
    // The body counts against the deadline too: a caller that does not send it must not hold the call for ever.
    let body = timeout_at(context.deadline, read(body, face.body_bytes_max))
        .await
        .map_err(|_| Error::new(Code::Deadline, format!("{name}: the body did not arrive within the deadline")))??;
    let body = if body.is_empty() { b"{}".as_slice() } else { &body };
    let reply = context.scope((entry.json)(body)).await?;
    Ok(([(header::CONTENT_TYPE, JSON)], reply).into_response())
}

/// Nodes of two stores would each keep their own truth of one vault. A caller that belongs to none is a person or a script.
fn same_store(ours: Option<&str>, theirs: Option<&str>) -> Result<()> {
    match (ours, theirs) {
        // No conflict that would pass by itself: it is wrong until somebody sets it right.
        (Some(ours), Some(theirs)) if ours != theirs => Err(Error::invalid(format!(
            "this node belongs to the store {ours}, and the node that calls it to the store {theirs}: nodes that work together \
             share one store; compare paths.store and [store] of both, and that none of them is a folder of its own"
        ))),
        _ => Ok(()),
    }
}

/// The deadline, the identity and the trace that a request brings along, the deadline at most `limit` away.
fn context(headers: &HeaderMap, limit: Duration) -> Context {
    let asked = text(headers, DEADLINE_HEADER).and_then(|value| value.parse().ok()).map(Duration::from_millis);
    let mut context = Context::within(asked.map_or(limit, |asked| asked.min(limit)));
    let known = |id: &&str| id.len() <= 64 && id.bytes().all(|it| it.is_ascii_graphic());
    if let Some(id) = text(headers, REQUEST_ID_HEADER).filter(known) {
        context.request_id = Some(id.into());
    }
    // One that the standard does not allow is as good as none: the trace begins here.
    context.trace = text(headers, trace::HEADER).and_then(Trace::parse).map_or(context.trace, Trace::next_hop);
    context
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn read(body: Body, limit: usize) -> Result<Vec<u8>> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Error::new(Code::TooLarge, format!("the body is larger than node.body_bytes_max = {limit} bytes")))
        }
        Err(error) => Err(Error::invalid(format!("the body did not arrive whole: {error}"))),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}
