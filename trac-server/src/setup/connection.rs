//! The steps `endpoint`, `signing_secret` and `first_event`: whether Stripe's events arrive.

use trac_core::reason::Reason;
use trac_core::time::Timestamp;

use super::arrivals::{Arrivals, Rejected};
use super::step::{Step, ago};
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;
use crate::trac::refusal::Cause;
use crate::webhook::accept::ROUTE;

/// How long ago a call of an unknown address may be to be mentioned.
const RECENT_SECS: i64 = 86_400;

/// An endpoint, as the steps see it.
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) has_secret: bool,
    pub(super) created_at: Timestamp,
    /// The event types that trac selected at Stripe.
    pub(super) selected: Option<Vec<String>>,
    /// When trac selected them, and stored the secret.
    pub(super) set_up_at: Option<Timestamp>,
}

impl Endpoint {
    /// The endpoints of a mode, the oldest first.
    pub(super) fn all(rows: Rows<'_>) -> Result<Vec<Self>, StoreError> {
        let sql = "SELECT id, secrets, created_at, stripe_events, stripe_set_up_at FROM webhook_endpoint \
                   WHERE workspace_id = ?1 AND mode = ?2 ORDER BY id LIMIT 100";
        let read = rows.all(sql, &[], |row| {
            let events: Option<String> = row.get(3)?;
            Ok((row.get(0)?, row.get::<String>(1)?, row.get(2)?, events, row.get::<Option<Timestamp>>(4)?))
        })?;
        let endpoint = |(id, secrets, created_at, events, set_up_at): (_, String, _, Option<String>, _)| {
            let selected = events.map(|events| serde_json::from_str(&events)).transpose()?;
            Ok(Self { id, has_secret: secrets.contains('"'), created_at, selected, set_up_at })
        };
        read.into_iter().map(endpoint).collect()
    }
}

/// The rejected deliveries of the endpoint whose last delivery was rejected most recently.
pub(super) fn rejected(
    rows: Rows<'_>,
    endpoints: &[Endpoint],
    arrivals: &Arrivals,
    now: Timestamp,
) -> Result<Option<Rejected>, StoreError> {
    let mut last: Option<Rejected> = None;
    for endpoint in endpoints {
        let Some(found) = arrivals.rejected(rows, &endpoint.id, endpoint.set_up_at, now)? else { continue };
        if last.as_ref().is_none_or(|last| last.at < found.at) {
            last = Some(found);
        }
    }
    Ok(last)
}

/// The step `endpoint`.
pub(super) fn endpoint(trac: &Trac, endpoints: &[Endpoint]) -> Step {
    const ID: &str = "endpoint";
    match endpoints.first() {
        Some(first) => Step::done(
            ID,
            Some(first.created_at),
            format!("Stripe's events are received at {}/api/webhooks/{}.", trac.public_url, first.id),
        ),
        None => Step::waiting(
            ID,
            "There is no address yet to which Stripe can send its events.",
            "Paste a restricted key of Stripe here, and everything is set up for you.",
        ),
    }
}

/// The step `signing_secret`.
pub(super) fn signing_secret(endpoints: &[Endpoint], rejected: Option<&Rejected>, now: Timestamp) -> Step {
    const ID: &str = "signing_secret";
    let has_secret = endpoints.iter().any(|endpoint| endpoint.has_secret);
    let paste = "Paste a restricted key of Stripe here, or copy the signing secret (whsec_…) of the destination in Stripe.";
    match (rejected, has_secret) {
        (Some(found), true) => Step::failed(
            ID,
            Some(found.at),
            format!("{}.", refused(found, now)),
            match found.reason {
                Reason::TimestampOutsideTolerance => {
                    "Set the clock of the server: it differs from the time by more than five minutes."
                }
                _ => {
                    "The secret here is not that of the destination in Stripe. Copy it again (whsec_…), or paste a restricted key \
                     and a new one is made."
                }
            },
        ),
        (Some(found), false) => Step::failed(
            ID,
            Some(found.at),
            format!("Stripe sends events, but no signing secret is set here: {}.", refused(found, now)),
            paste,
        ),
        (None, true) => {
            Step::done(ID, None, "A signing secret is set: only Stripe's own events are accepted.")
        }
        (None, false) => Step::waiting(ID, "No signing secret is set, so no event would be accepted.", paste),
    }
}

/// The rejected deliveries, such as `3 deliveries were refused, the last 2 minutes ago (signature_invalid)`.
fn refused(found: &Rejected, now: Timestamp) -> String {
    let (ago, reason) = (ago(now, found.at), found.reason.as_str());
    match found.deliveries {
        1 => format!("1 delivery was refused {ago} ({reason})"),
        count => format!("at least {count} deliveries were refused, the last {ago} ({reason})"),
    }
}

/// The step `first_event`. `first_at` is the time of the first event.
pub(super) fn first_event(
    rows: Rows<'_>,
    arrivals: &Arrivals,
    rejected: Option<&Rejected>,
    first_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Step, StoreError> {
    const ID: &str = "first_event";
    if let Some(at) = first_at {
        return Ok(Step::done(ID, Some(at), "Stripe's events arrive here and are authentic."));
    }
    if let Some((reason, at)) = arrivals.misdirected(rows)? {
        let (mode, other) = (rows.scope().mode_str(), rows.scope().other_mode());
        let other = other.mode_str();
        let (what, remedy) = match reason {
            Reason::ModeMismatch => (
                format!("Events of {other} mode arrived at the address of {mode} mode."),
                format!("In Stripe, switch to {mode} mode and add the destination there."),
            ),
            Reason::AccountMismatch => (
                "Events of another Stripe account arrived.".to_owned(),
                "Add the destination in the account that sells, or set that account at the endpoint here."
                    .to_owned(),
            ),
            _ => (
                "Stripe sends thin events, which do not contain the payment.".to_owned(),
                "In Stripe, make another destination, with the payload style “Snapshot”.".to_owned(),
            ),
        };
        return Ok(Step::failed(ID, Some(at), what, remedy));
    }
    let remedy =
        "Make a payment in Stripe's test mode, or press “Send test event” at the destination in Stripe.";
    if let Some(found) = rejected {
        let what = format!(
            "Waiting for the first event. Last refused delivery: {}, {}.",
            found.reason.as_str(),
            ago(now, found.at)
        );
        return Ok(Step::waiting(ID, what, "See the step above: the signing secret must be that of Stripe."));
    }
    if let Some(at) = unknown_address(rows, now)? {
        let what = format!(
            "Waiting for the first event. A delivery went to an address that does not exist here, {}.",
            ago(now, at)
        );
        return Ok(Step::waiting(
            ID,
            what,
            "In Stripe, set the destination's URL to exactly the address shown above.",
        ));
    }
    Ok(Step::waiting(ID, "Waiting for the first event of Stripe.", remedy))
}

/// The time at which an address that is not an endpoint was called last.
fn unknown_address(rows: Rows<'_>, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT max(last_at) FROM refusal WHERE workspace_id = ?1 AND mode = ?2 AND route = ?3 AND cause = ?4 \
               AND hour >= ?5";
    let hour = now.plus_secs(-RECENT_SECS).unix_secs().div_euclid(3_600);
    let found = rows.one(sql, args![ROUTE, Cause::EndpointUnknown.as_str(), hour], |row| {
        row.get::<Option<Timestamp>>(0)
    })?;
    Ok(found.flatten())
}
