//! `POST /v1/clicks`: the script found a partner's code in the page's URL and requests a click.

use std::sync::Arc;

use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::click::ClickId;

use super::record::{Deadlines, Written, record};
use super::visitor::VisitorHash;
use crate::access::{Key, refuse_if_over_limit, route, within_address_limit, within_limit};
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

/// The name under which these calls are counted against limits.
const KIND: &str = "click";

/// The field names of a partner's code.
const CODE_NAMES: [&str; 3] = ["ref", "via", "code"];

/// How much of a URL is stored. A longer one is cut rather than rejected, so that the click is not lost.
const URL_MAX: usize = 2_048;

/// The body that the script sends.
struct ClickRequest {
    code: String,
    program_id: Option<String>,
    url: Option<String>,
    referrer: Option<String>,
}

impl ClickRequest {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let codes = CODE_NAMES.map(|name| fields.take(name, token));
        let is_noted = CODE_NAMES.iter().any(|name| fields.is_wrong(name));
        let code = codes.into_iter().flatten().next();
        if code.is_none() && !is_noted {
            fields.note("ref", "is required, or via, or code");
        }
        let wanted = Self {
            code: code.unwrap_or_default(),
            program_id: fields.take("program", text(1..=64)),
            url: fields.take("url", clipped(URL_MAX)),
            referrer: fields.take("referrer", clipped(URL_MAX)),
        };
        fields.finish()?;
        Ok(wanted)
    }
}

/// The publishable key of the `x-publishable-key` header. Without it the key is read from the body; if the
/// body has none either, [`Key::publishable`] rejects the call and records the refusal.
fn header_key(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("x-publishable-key").and_then(|value| value.to_str().ok()).map(str::trim);
    header.filter(|key| !key.is_empty()).map(ToOwned::to_owned)
}

async fn track(State(trac): State<Trac>, request: Request) -> Result<(StatusCode, Json<Value>), Problem> {
    let (parts, body) = request.into_parts();
    let address = trac.proxies.caller(&parts);
    within_address_limit(&trac, address)?;
    let (headers, route) = (parts.headers.clone(), route(&parts.extensions).to_owned());
    // A key in a header is checked before the body is read.
    let known = match header_key(&headers) {
        Some(key) => Some(Key::publishable(&trac, &route, key, &headers).await?),
        None => None,
    };
    let mut fields = Fields::from_request(Request::from_parts(parts, body), &()).await?;
    // Started after the body is received: with a slow body the deadline would pass, a stored click would be
    // answered with `503`, and the caller would retry.
    let deadlines = Deadlines::start(&trac);
    let in_body = fields.take("key", text(1..=100));
    let Key { scope, .. } = match known {
        Some(known) => known,
        None => Key::publishable(&trac, &route, in_body.unwrap_or_default(), &headers).await?,
    };
    refuse_if_over_limit(&trac, &scope, &route, KIND).await?;
    let wanted = ClickRequest::read(fields)?;
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let visitor = VisitorHash::new(address, agent);
    let unknown = format!(
        "No link has the slug {0}, and no approved partner of an active program has the code {0}.",
        wanted.code
    );
    let (code, program_id, of) = (wanted.code, wanted.program_id, scope.clone());
    let found = trac.store.read(move |tx| Source::find(tx.within(&of), &code, program_id.as_deref()));
    let Some(source) = found.await? else {
        trac.record_refusal(&scope, &route, Cause::CodeUnknown, &unknown).await;
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
        referrer: wanted.referrer,
        landing_url: wanted.url.map(Into::into),
    };
    // `201` means that the click is on disk, like an ID in a redirect.
    let Written::Yes(id) = record(&trac, &scope, click, visitor, None, deadlines).await else {
        return Err(StoreError::new(StoreErrorKind::Busy, "the click could not be written").into());
    };
    Ok((StatusCode::CREATED, Json(json!({ "click_id": id }))))
}

/// The link, program and partner of the click.
#[expect(clippy::struct_field_names, reason = "all three are IDs")]
struct Source {
    link_id: Option<Arc<str>>,
    program_id: Arc<str>,
    partner_id: Arc<str>,
}

/// First, the link with this slug, in any case, as when a link is followed. Archived links count no clicks
/// here either.
const BY_SLUG: &str = "SELECT id, program_id, partner_id FROM link \
    WHERE workspace_id = ?1 AND mode = ?2 AND lower(slug) = lower(?3) AND deleted_at IS NULL AND archived_at IS NULL AND purged_at IS NULL \
    AND (CAST(?4 AS TEXT) IS NULL OR program_id = ?4) ORDER BY slug = ?3 DESC, id DESC LIMIT 1";

/// Then, the partner with this code, also in any case, by the newest approved enrollment in an active program.
const BY_CODE: &str = "SELECT NULL, e.program_id, e.partner_id FROM partner AS p \
    JOIN enrollment AS e ON e.workspace_id = p.workspace_id AND e.mode = p.mode AND e.partner_id = p.id \
    WHERE p.workspace_id = ?1 AND p.mode = ?2 AND lower(p.code) = lower(?3) AND (CAST(?4 AS TEXT) IS NULL OR e.program_id = ?4) \
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
