//! Accepts a delivery only if Stripe signed it with one of the endpoint's secrets, at most [`TOLERANCE_SECS`]
//! ago.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use trac_core::program::Mode;
use trac_core::reason::Reason;
use trac_core::webhook::event::Event;
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, VerifyError, check_header, is_secret};
use trac_sdk::body::{self, Unread};

use super::delivery::Delivery;
use super::log::Rejected;
use super::{log, secrets};
use crate::access::record_refusal_in_only_workspace;
use crate::problem::Problem;
use crate::store::body::StoredBody;
use crate::store::rows::{Row, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, Vault, mode_of};
use crate::trac::Trac;
use crate::trac::refusal::Cause;

/// The address Stripe posts to.
pub(crate) const ROUTE: &str = "/api/webhooks/{endpoint_id}";

/// An endpoint and the secrets its deliveries may be signed with.
#[derive(Clone, Debug)]
struct Endpoint {
    id: String,
    scope: Scope,
    stripe_account: Option<String>,
    secrets: Vec<String>,
}

/// Finds the endpoint, checks the form and time of the signature, reads the body, verifies the signature over
/// it and reads the event's envelope, in this order. The body is not read if the signature's header is
/// already invalid.
///
/// # Errors
/// `404` unknown endpoint, `401` wrong signature or time, `413` body too large, `400` a verified body that is
/// not an event. `401` and `400` are logged, without the body.
pub(crate) async fn accept(
    trac: &Trac,
    endpoint_id: String,
    headers: &HeaderMap,
    body: Body,
) -> Result<Delivery, Problem> {
    let vault = trac.store.vault();
    let endpoints = trac.store.look_up(move |tx| endpoints(tx, &vault, &endpoint_id)).await?;
    let Some(first) = endpoints.first().cloned() else {
        record_refusal_in_only_workspace(trac, ROUTE, Cause::EndpointUnknown, &[Mode::Test, Mode::Live])
            .await?;
        let message =
            "There is no such webhook endpoint. If there is more than one workspace, use /api/webhooks/we_….";
        return Err(Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", message));
    };
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut checked = check_header(signature, trac.clock.now(), TOLERANCE_SECS);
    if checked.is_ok() && !endpoints.iter().flat_map(|one| &one.secrets).any(|secret| is_secret(secret)) {
        checked = Err(VerifyError::NoSecret);
    }
    if let Err(error) = checked {
        return Err(refuse(trac, first, error).await);
    }
    let body = body::read(body).await.map_err(|unread| match unread {
        Unread::TooLarge => Problem::too_large(body::LIMIT_BYTES),
        Unread::Incomplete => Problem::malformed("The body ended too soon."),
    })?;
    let now = trac.clock.now();
    let read = |endpoint: &Endpoint| {
        let secrets = endpoint.secrets.iter().map(String::as_str);
        let verified = Unverified::new(signature, &body).verify(secrets, now, TOLERANCE_SECS)?;
        Ok(Event::read(verified))
    };
    let mut found = endpoints.into_iter().map(|endpoint| (read(&endpoint), endpoint));
    let tried: Result<_, VerifyError> = match found.next() {
        Some((Ok(event), endpoint)) => Ok((event, endpoint)),
        Some((Err(error), _)) => {
            found.find_map(|(event, endpoint)| event.ok().map(|event| (event, endpoint))).ok_or(error)
        }
        None => Err(VerifyError::NoSecret),
    };
    let (event, endpoint) = match tried {
        Ok((Ok(event), endpoint)) => (event, endpoint),
        Ok((Err(error), endpoint)) => {
            log_rejected(trac, endpoint, Reason::Unreadable, error.to_string()).await;
            return Err(Problem::new(StatusCode::BAD_REQUEST, "UNREADABLE", error.to_string()));
        }
        Err(error) => return Err(refuse(trac, first, error).await),
    };
    let Endpoint { id: endpoint_id, scope, stripe_account, .. } = endpoint;
    Ok(Delivery { scope, endpoint_id, stripe_account, event, body: StoredBody::of(&body) })
}

/// Logs a delivery whose signature is wrong, and returns the response to it.
async fn refuse(trac: &Trac, endpoint: Endpoint, error: VerifyError) -> Problem {
    log_rejected(trac, endpoint, error.reason(), error.to_string()).await;
    let code = match error {
        VerifyError::TimestampOutsideTolerance => "TIMESTAMP_OUTSIDE_TOLERANCE",
        _ => "SIGNATURE_INVALID",
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, error.to_string())
}

/// Logs a rejected delivery, at the 1st, 2nd, 4th, 8th … of its endpoint and message within an hour, because
/// anyone can send them. If logging fails, the response stays the same: a retry of the delivery would be
/// rejected too.
async fn log_rejected(trac: &Trac, endpoint: Endpoint, reason: Reason, message: String) {
    let (ids, now) = (trac.ids.clone(), trac.clock.now());
    let Some(deliveries) = trac.rejected.count((endpoint.id.clone(), message.clone()), now) else { return };
    tracing::warn!(endpoint = %endpoint.id, reason = %reason, cause = message, deliveries, "a webhook delivery was rejected");
    let logged = trac.store.write_in(&endpoint.scope, Priority::Click, move |rows| {
        let rejected = Rejected { endpoint_id: &endpoint.id, reason, message: &message, deliveries };
        log::reject(rows, &ids, now, &rejected)
    });
    if let Err(error) = logged.await {
        tracing::error!(%error, "a rejected delivery could not be logged");
    }
}

/// The endpoint with this ID. The ID `stripe` finds all endpoints of the only workspace, and none if there
/// are several workspaces.
fn endpoints(tx: Everywhere<'_>, vault: &Vault, id: &str) -> Result<Vec<Endpoint>, StoreError> {
    let read = |row: &Row<'_>| {
        let (workspace_id, mode): (String, String) = (row.get(1)?, row.get(2)?);
        let secrets: String = row.get(4)?;
        Ok((row.get(0)?, Scope::new(&workspace_id, mode_of(&mode)), row.get(3)?, secrets))
    };
    let columns = "SELECT id, workspace_id, mode, stripe_account, secrets FROM webhook_endpoint";
    let found = if id == "stripe" {
        let only = format!("{columns} WHERE (SELECT count(*) FROM workspace) = 1 ORDER BY id");
        tx.all(&only, &[], read)?
    } else {
        tx.all(&format!("{columns} WHERE id = ?1"), args![id], read)?
    };
    let endpoint = |(id, scope, stripe_account, secrets): (String, Scope, Option<String>, String)| {
        let secrets = secrets::open(vault, &scope, &id, &secrets)?;
        Ok(Endpoint { id, scope, stripe_account, secrets })
    };
    found.into_iter().map(endpoint).collect()
}
