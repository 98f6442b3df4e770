//! Files that pages show: the QR codes of links.

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::api::encoded;
use super::desk::Desk;
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/links/{id}/qr.svg", get(qr_code))
}

async fn qr_code(Path(id): Path<String>, desk: Desk) -> Response {
    match desk.api.file(&desk.caller, &format!("/links/{}/qr.svg", encoded(&id))).await {
        Ok(svg) => ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response(),
        Err(failure) => desk.failed(&failure, "links"),
    }
}
