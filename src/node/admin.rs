//! What orchestrators ask: `/livez`, `/readyz`, `/health`, `/metrics`. Without a token they say names and states alone.

use std::sync::Arc;

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::IntoResponse,
    routing::get,
};
use serde_json::{Map, Value, json};

use super::telemetry;
use crate::{
    life::{Condition, Health, Overall, Ready},
    rpc::http::Face,
};

/// The routes.
pub(super) fn routes(face: Arc<Face>, ready: Ready, health: Health) -> Router {
    let ready_again = ready.clone();
    let detailed =
        move |headers: &HeaderMap| face.tokens.accept(headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()));
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(move || async move { readiness(&ready) }))
        .route(
            "/health",
            get(move |headers: HeaderMap| async move { overall(&ready_again, &health, detailed(&headers)) }),
        )
        .route("/metrics", get(|| async { telemetry::render() }))
}

fn readiness(ready: &Ready) -> impl IntoResponse + use<> {
    let pending = ready.pending();
    let status = if pending.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": pending.is_empty(), "pending": pending })))
}

fn overall(ready: &Ready, health: &Health, detailed: bool) -> impl IntoResponse + use<> {
    let overall = health.overall();
    let status = if overall == Overall::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let checks: Map<String, Value> =
        health.conditions().into_iter().map(|(name, condition)| (name, check(condition, detailed))).collect();
    (status, Json(json!({ "status": overall, "checks": checks, "pending": ready.pending() })))
}

/// How one backend or role is. The text of a fault has paths in it, so only who has a token is told.
fn check(condition: Condition, detailed: bool) -> Value {
    let Condition { required, fault } = condition;
    let mut shown = json!({ "required": required, "ok": fault.is_none() });
    if let Some(fault) = fault.filter(|_| detailed) {
        shown["fault"] = fault.into();
    }
    shown
}
