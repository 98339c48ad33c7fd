//! What orchestrators ask: `/livez`, `/readyz`, `/health`, `/metrics`. No token: they say nothing of documents.

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
use serde_json::json;

use super::telemetry;
use crate::life::{Health, Overall, Ready};

/// The routes.
pub(super) fn routes(ready: Ready, health: Health) -> Router {
    let ready_again = ready.clone();
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(move || async move { readiness(&ready) }))
        .route("/health", get(move || async move { overall(&ready_again, &health) }))
        .route("/metrics", get(|| async { telemetry::render() }))
}

fn readiness(ready: &Ready) -> impl IntoResponse + use<> {
    let pending = ready.pending();
    let status = if pending.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": pending.is_empty(), "pending": pending })))
}

fn overall(ready: &Ready, health: &Health) -> impl IntoResponse + use<> {
    let overall = health.overall();
    let status = if overall == Overall::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(json!({ "status": overall, "checks": health.conditions(), "pending": ready.pending() })))
}
