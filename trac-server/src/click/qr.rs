//! `GET /api/v1/links/{id}/qr.svg`: the QR code of a tracked link.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use serde_json::Value;

use super::links::LINKS;
use crate::access::Merchant;
use crate::api::list::NARROW;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::trac::Trac;

pub(super) async fn draw(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let link = store.query(&of, NARROW, move |tx| LINKS.find(tx.within(&scope), &trac, &id)).await?;
    let url = link.get("url").and_then(Value::as_str).unwrap_or_default();
    let code = QrCode::new(url).map_err(|error| StoreError::internal(error.to_string()))?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(256, 256).build();
    let mut response = drawn.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    Ok(response)
}
