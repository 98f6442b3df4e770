//! `POST /api/v1/setup/stripe`: makes the destination at Stripe, with a restricted key that the merchant pastes.
//!
//! ```text
//! restricted key ─▶ destinations of our URL ─▶ none, or no secret here ─▶ a new one, its secret stored
//!                                          └▶ one, and its secret here ─▶ missing event types added
//! ```
//!
//! A signing secret cannot be read again. So if Stripe has a destination of our URL and its secret is not here, or its
//! deliveries are refused, a new one is made and its secret stored; then the old one is disabled, not deleted. Nothing but
//! this server receives what is sent to that URL, so nobody loses events. A second call finds the first one's destination
//! and makes none. Two calls at the same time exclude each other by a lease.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::program::Mode;

use super::address::{Reach, reach};
use super::arrivals::Arrivals;
use super::destination::{Account, Destination, Made, PERMISSION};
use super::steps_json;
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{Fields, Wrong};
use crate::ask::stripe::{Failure, Stripe};
use crate::id::random_hex;
use crate::problem::Problem;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError, lease};
use crate::trac::Trac;
use crate::webhook::stripe_key::{self, StripeKey};
use crate::webhook::{ENDPOINTS, add_secret, create_row};

/// The field with the key.
const FIELD: &str = "restricted_key";
/// How long a call excludes others, if the server stops before it ends.
const LEASE_SECS: i64 = 120;

/// `POST /api/v1/setup/stripe`.
pub(super) async fn connect(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let mode = caller.scope.mode();
    let key = fields.need(FIELD, |value| restricted_key(value, mode));
    fields.finish()?;
    let Some(key) = key else { return Err(Problem::internal()) };
    if mode == Mode::Live && reach(&trac.public_url) != Reach::Everyone {
        let message = format!(
            "Stripe cannot send live events to {}. Start the server with --public-url and an https address that the whole \
             Internet can reach.",
            trac.public_url
        );
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "PUBLIC_URL_UNREACHABLE", message));
    }
    // A task of its own: what was begun at Stripe is completed even if the caller leaves.
    let connecting = tokio::spawn(Connecting { trac, caller, key }.alone());
    connecting.await.unwrap_or_else(|error| Err(StoreError::internal(error.to_string()).into())).map(Json)
}

/// Reads a restricted key of this mode.
fn restricted_key(value: &Value, mode: Mode) -> Result<StripeKey, Wrong> {
    let text = value.as_str().unwrap_or_default().trim();
    let prefix = format!("rk_{}_", mode.as_str());
    let needs = format!("with the permissions {PERMISSION} and Invoices: read");
    StripeKey::parse(text, mode).map_err(|_| {
        if text.starts_with("sk_") {
            format!(
                "is a secret key, which can move money. trac needs less: in Stripe, make a restricted key ({prefix}…) {needs}"
            )
        } else if text.starts_with("rk_") && !text.starts_with(&prefix) {
            format!("is a key of the other mode. This is {} mode: it needs a key {prefix}…", mode.as_str())
        } else if text.starts_with("rk_") {
            format!("is not a complete key. Copy all of it, from {prefix} to the end")
        } else {
            format!("must be a restricted key of Stripe ({prefix}…) {needs}")
        }
    })
}

/// What this server knows of its endpoint.
struct Own {
    id: String,
    url: String,
    /// Whether its secret is set and no delivery was refused since.
    is_trusted: bool,
}

/// What was done at Stripe.
struct Done {
    destination: String,
    events: Vec<String>,
    is_new: bool,
    disabled: Vec<String>,
}

struct Connecting {
    trac: Trac,
    caller: Merchant,
    key: StripeKey,
}

impl Connecting {
    /// Connects unless another call does.
    async fn alone(self) -> Result<Value, Problem> {
        let (name, holder) = (self.lease(), random_hex::<8>());
        let now = self.trac.clock.now();
        let (taken, of) = (name.clone(), holder.clone());
        let lease = self
            .trac
            .store
            .write(Priority::Api, move |tx| lease::take(tx, &taken, &of, now, now.plus_secs(LEASE_SECS)));
        if !lease.await? {
            let message = "Another call is connecting Stripe at this moment. Wait a minute, and look at the set-up again.";
            return Err(Problem::conflict("SETUP_UNDER_WAY", message));
        }
        let store = self.trac.store.clone();
        let connected = self.connect().await;
        store.write(Priority::Api, move |tx| lease::end(tx, &name, &holder)).await?;
        connected
    }

    fn lease(&self) -> String {
        format!("setup/{}/{}", self.caller.scope.workspace_id(), self.caller.scope.mode_str())
    }

    async fn connect(self) -> Result<Value, Problem> {
        let stripe = Stripe::at(&self.trac.stripe_api_url);
        let account = Account { stripe: &stripe, key: &self.key };
        account.may_read_invoices().await.map_err(refused)?;
        let own = self.own().await?;
        let (found, is_newer) = account.of_url(&own.url).await.map_err(refused)?;
        let done = match found.first() {
            Some(first) if own.is_trusted => {
                let kept = found.iter().find(|one| one.is_enabled()).unwrap_or(first);
                let events = account.complete(kept).await.map_err(refused)?;
                Done { destination: kept.id.clone(), events, is_new: false, disabled: Vec::new() }
            }
            _ => self.replace(&account, &own, &found, is_newer).await?,
        };
        self.store(own.id, done).await
    }

    /// Makes a destination, stores its secret, and then disables those whose secrets are not known.
    async fn replace(
        &self,
        account: &Account<'_>,
        own: &Own,
        old: &[Destination],
        is_newer: bool,
    ) -> Result<Done, Problem> {
        let Made { destination, secret } = account.make(&own.url, is_newer).await.map_err(refused)?;
        let (trac, id, caller) = (self.trac.clone(), own.id.clone(), self.caller.clone());
        let made_id = destination.id.clone();
        let stored = self.trac.store.try_write_in(&self.caller.scope, Priority::Api, move |rows| {
            let before = ENDPOINTS.find(rows, &trac, &id)?;
            add_secret(rows, &trac, &id, secret)?;
            let mut after = ENDPOINTS.find(rows, &trac, &id)?;
            if let Some(after) = after.as_object_mut() {
                after.insert("signing_secrets".to_owned(), "one added".into());
                after.insert("stripe_destination".to_owned(), made_id.into());
            }
            let kind = ENDPOINTS.name;
            let change =
                Change { kind, id: &id, verb: "secret_added", before: Some(&before), after: Some(&after) };
            caller.record(rows, &trac, &change)?;
            Ok::<_, Problem>(())
        });
        stored.await?;
        let mut disabled = Vec::new();
        for one in old.iter().filter(|one| one.is_enabled()) {
            match account.disable(one).await {
                Ok(()) => disabled.push(one.id.clone()),
                Err(failure) => {
                    tracing::warn!(?failure, id = one.id, "an old destination at Stripe stays enabled");
                }
            }
        }
        if let Err(failure) = account.ping(&destination).await {
            tracing::info!(?failure, "Stripe sends no test event to the new destination");
        }
        Ok(Done { destination: destination.id, events: destination.events, is_new: true, disabled })
    }

    /// The endpoint of this mode for the account's own events; one is made if there is none.
    async fn own(&self) -> Result<Own, Problem> {
        let (trac, caller) = (self.trac.clone(), self.caller.clone());
        let own = self.trac.store.try_write_in(&self.caller.scope, Priority::Api, move |rows| {
            let sql = "SELECT id, secrets <> '[]', stripe_set_up_at FROM webhook_endpoint WHERE workspace_id = ?1 AND mode = ?2 \
                       AND stripe_account IS NULL \
                       ORDER BY CASE WHEN stripe_destination IS NULL THEN 1 ELSE 0 END, \
                       CASE WHEN secrets = '[]' THEN 1 ELSE 0 END, id LIMIT 1";
            let found = rows.one(sql, &[], |row| Ok((row.get::<String>(0)?, row.get::<bool>(1)?, row.get(2)?)))?;
            let (id, has_secret, set_up_at) = match found {
                Some(found) => found,
                None => (made_here(rows, &trac, &caller)?, false, None),
            };
            let is_refused = Arrivals::read(rows)?.rejected(rows, &id, set_up_at, trac.clock.now())?.is_some();
            let url = format!("{}/api/webhooks/{id}", trac.public_url);
            Ok::<_, Problem>(Own { id, url, is_trusted: has_secret && !is_refused })
        });
        own.await
    }

    /// Stores the key and what was done, and returns the endpoint with all steps.
    async fn store(self, id: String, done: Done) -> Result<Value, Problem> {
        let Self { trac, caller, key } = self;
        let (store, scope) = (trac.store.clone(), caller.scope.clone());
        let stored = store.try_write_in(&scope, Priority::Api, move |rows| {
            let before = ENDPOINTS.find(rows, &trac, &id)?;
            stripe_key::set(rows, &trac.store.vault(), &id, Some(&key))?;
            rows.write(
                "UPDATE webhook_endpoint SET stripe_destination = ?4, stripe_events = ?5, stripe_set_up_at = ?6 \
                 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
                args![id, done.destination, serde_json::to_string(&done.events)?, trac.clock.now()],
            )?;
            let endpoint = ENDPOINTS.find(rows, &trac, &id)?;
            let kind = ENDPOINTS.name;
            let change =
                Change { kind, id: &id, verb: "connected", before: Some(&before), after: Some(&endpoint) };
            caller.record(rows, &trac, &change)?;
            Ok::<_, Problem>(json!({
                "endpoint": endpoint,
                "stripe_destination": done.destination,
                "created": done.is_new,
                "disabled": done.disabled,
                "events": done.events,
                "steps": steps_json(rows, &trac)?,
            }))
        });
        stored.await
    }
}

/// Makes the endpoint of a mode that has none.
fn made_here(rows: Rows<'_>, trac: &Trac, caller: &Merchant) -> Result<String, Problem> {
    let id = create_row(rows, trac, None, &[])?;
    let after = ENDPOINTS.find(rows, trac, &id)?;
    let change = Change { kind: ENDPOINTS.name, id: &id, verb: "created", before: None, after: Some(&after) };
    caller.record(rows, trac, &change)?;
    Ok(id)
}

/// The response to a failure at Stripe.
fn refused(failure: Failure) -> Problem {
    match failure {
        Failure::Refused(why) => Problem::field(FIELD, &format!("does not work. {why}")),
        Failure::Unknown(why) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "STRIPE_REFUSED", why),
        Failure::Later { why, .. } => {
            let message = format!("{why} Try again in a moment.");
            Problem::new(StatusCode::BAD_GATEWAY, "STRIPE_UNREACHABLE", message)
        }
    }
}
