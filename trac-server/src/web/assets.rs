//! The dashboard's own style, script and icon.

use axum::Router;
use axum::http::header;
use axum::routing::get;

use crate::trac::Trac;

const STYLE: &str = include_str!("../../assets/dashboard.css");
const ICON: &str = include_str!("../../assets/icon.svg");
const SCRIPT: &str = include_str!("../../assets/dashboard.js");

pub(super) fn routes() -> Router<Trac> {
    let cached = (header::CACHE_CONTROL, "private, max-age=300");
    let style = ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), cached.clone()], STYLE);
    let script = ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), cached.clone()], SCRIPT);
    let icon = ([(header::CONTENT_TYPE, "image/svg+xml"), cached], ICON);
    Router::new()
        .route("/dashboard/style.css", get(async move || style))
        .route("/dashboard/script.js", get(async move || script))
        .route("/dashboard/icon.svg", get(async move || icon))
}
