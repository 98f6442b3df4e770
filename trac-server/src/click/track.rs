//! `POST /v1/clicks`: the script found a partner's code in the URL and asks for a click.

use std::sync::Arc;

use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::click::ClickId;

use super::record::{Patience, Written, record};
use super::visitor::Trail;
use crate::access::{Key, has_room, route, within_callers_limit, within_limit};
use crate::api::fields::{Fields, clipped, text, token};
use crate::id::random_bits;
use crate::problem::Problem;
use crate::store::click::NewClick;
use crate::store::rows::{Rows, args};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;
use crate::trac::refusal::Cause;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/v1/clicks", post(track)).route("/api/track/click", post(track))
}

/// What these calls are counted as.
const KIND: &str = "click";

/// The names a partner's code comes under.
const CODE_NAMES: [&str; 3] = ["ref", "via", "code"];

/// How much of an address is kept. A longer one is cut: the click matters more.
const URL_MAX: usize = 2_048;

/// What the script asks.
struct Asked {
    code: String,
    program_id: Option<String>,
    url: Option<String>,
    referrer: Option<String>,
}

impl Asked {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let codes = CODE_NAMES.map(|name| fields.take(name, token));
        let named = CODE_NAMES.iter().any(|name| fields.is_wrong(name));
        let code = codes.into_iter().flatten().next();
        if code.is_none() && !named {
            fields.note("ref", "is required, or via, or code");
        }
        let asked = Self {
            code: code.unwrap_or_default(),
            program_id: fields.take("program", text(1..=64)),
            url: fields.take("url", clipped(URL_MAX)),
            referrer: fields.take("referrer", clipped(URL_MAX)),
        };
        fields.finish()?;
        Ok(asked)
    }
}

/// The publishable key in a header; without one it stands in the body. Without any, the door says so, and notes it.
fn header_key(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("x-publishable-key").and_then(|value| value.to_str().ok()).map(str::trim);
    header.filter(|key| !key.is_empty()).map(ToOwned::to_owned)
}

async fn track(State(trac): State<Trac>, request: Request) -> Result<(StatusCode, Json<Value>), Problem> {
    let (parts, body) = request.into_parts();
    let address = trac.proxies.caller(&parts);
    within_callers_limit(&trac, address)?;
    let (headers, route) = (parts.headers.clone(), route(&parts.extensions).to_owned());
    // A key in a header is checked before the body is read.
    let known = match header_key(&headers) {
        Some(key) => Some(Key::publishable(&trac, &route, key, &headers).await?),
        None => None,
    };
    let mut fields = Fields::from_request(Request::from_parts(parts, body), &()).await?;
    // How long the body was on its way is the caller's own time: a click that was kept would be answered 503 and asked for again.
    let patience = Patience::begin(&trac);
    let in_body = fields.take("key", text(1..=100));
    let Key { scope, .. } = match known {
        Some(known) => known,
        None => Key::publishable(&trac, &route, in_body.unwrap_or_default(), &headers).await?,
    };
    has_room(&trac, &scope, &route, KIND).await?;
    let asked = Asked::read(fields)?;
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let trail = Trail::new(address, agent);
    let unknown = format!("No link and no approved partner of an active program goes by {}.", asked.code);
    let (code, program_id, of) = (asked.code, asked.program_id, scope.clone());
    let found = trac.store.read(move |tx| Source::find(tx.within(&of), &code, program_id.as_deref()));
    let Some(source) = found.await? else {
        trac.refused(&scope, &route, Cause::CodeUnknown, &unknown).await;
        return Err(Problem::not_found("link or partner's code"));
    };
    within_limit(&trac, &scope, &route, KIND).await?;
    let now = trac.clock.now();
    let click = NewClick {
        id: ClickId::new(now.unix_secs(), random_bits()),
        program_id: source.program_id,
        partner_id: source.partner_id,
        link_id: source.link_id,
        clicked_at: now,
        is_unique: None,
        visitor: None,
        last_click: None,
        referrer: asked.referrer,
        landing_url: asked.url.map(Into::into),
    };
    // A 201 says that the click is on disk, as the ID in a redirect does.
    let Written::Yes(id) = record(&trac, &scope, click, trail, None, patience).await else {
        return Err(StoreError::new(StoreErrorKind::Busy, "the click could not be written").into());
    };
    Ok((StatusCode::CREATED, Json(json!({ "click_id": id }))))
}

/// Whose click it is.
#[expect(clippy::struct_field_names, reason = "they are IDs, all three")]
struct Source {
    link_id: Option<Arc<str>>,
    program_id: Arc<str>,
    partner_id: Arc<str>,
}

/// A link's slug comes first, in any case, as where the link is followed. An archived link counts nobody here either.
const BY_SLUG: &str = "SELECT id, program_id, partner_id FROM link \
    WHERE workspace_id = ?1 AND mode = ?2 AND lower(slug) = lower(?3) AND deleted_at IS NULL AND archived_at IS NULL AND purged_at IS NULL \
    AND (?4 IS NULL OR program_id = ?4) ORDER BY slug = ?3 DESC, id DESC LIMIT 1";

/// Then a partner's code, in any case too, with the newest approved enrollment in an active program.
const BY_CODE: &str = "SELECT NULL, e.program_id, e.partner_id FROM partner AS p \
    JOIN enrollment AS e ON e.workspace_id = p.workspace_id AND e.mode = p.mode AND e.partner_id = p.id \
    WHERE p.workspace_id = ?1 AND p.mode = ?2 AND lower(p.code) = lower(?3) AND (?4 IS NULL OR e.program_id = ?4) \
    AND (SELECT v.status FROM enrollment_version AS v WHERE v.workspace_id = e.workspace_id \
         AND v.mode = e.mode AND v.enrollment_id = e.id ORDER BY v.number DESC LIMIT 1) = 'approved' \
    AND (SELECT v.status FROM program_version AS v WHERE v.workspace_id = e.workspace_id \
         AND v.mode = e.mode AND v.program_id = e.program_id ORDER BY v.number DESC LIMIT 1) = 'active' \
    ORDER BY p.code = ?3 DESC, e.id DESC LIMIT 1";

impl Source {
    fn find(rows: Rows<'_>, code: &str, program_id: Option<&str>) -> Result<Option<Self>, StoreError> {
        for sql in [BY_SLUG, BY_CODE] {
            let found = rows.one(sql, args![code, program_id], |row| {
                Ok(Self {
                    link_id: row.get::<Option<String>>(0)?.map(Into::into),
                    program_id: row.get::<String>(1)?.into(),
                    partner_id: row.get::<String>(2)?.into(),
                })
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
