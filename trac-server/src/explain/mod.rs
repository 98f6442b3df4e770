//! Explain: the answer to "a sale went through, the partner swears they referred it, and nothing shows".
//!
//! Any ID or e-mail address is followed hop by hop, and the first missing hop is named with what to change:
//!
//! ```text
//! link ─▶ click ─▶ reference ─▶ event ─▶ payment ─▶ decision ─▶ entries
//! ```

mod hop;
mod subject;
mod evidence;
mod asked;
mod diagnosis;
mod unbound;
mod reference;
mod event;
mod verdict;
mod setup;
mod story;
mod text;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use crate::access::Merchant;
use crate::api::fields::{Fields, text};
use crate::problem::Problem;
use crate::store::rows::Rows;
use crate::store::{Scope, StoreError};
use crate::trac::Trac;

pub use text::as_text;

/// The advice in the error for a story that takes too long.
pub(crate) const NARROW: &str = "Ask about one object by its ID, such as a payment or a click, instead of a customer or an e-mail address.";

/// The advice for an unknown ID: other IDs to try.
pub const OTHER_IDS: &str = "Try another ID: the Checkout Session (cs_…), the invoice (in_…), the buyer's e-mail address or the \
     partner's code.";

/// `GET /api/v1/explain/{id}`, and `POST /api/v1/explain` with `{"query"}`: an e-mail
/// address must not be in a URL, because URLs are logged.
pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/explain/{id}", get(explain)).route("/explain", post(explain_query))
}

async fn explain(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    answer(&trac, scope, id).await
}

async fn explain_query(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let query = fields.need("query", text(1..=QUERY_MAX));
    fields.finish()?;
    answer(&trac, scope, query.unwrap_or_default()).await
}

/// The longest ID or e-mail address that is accepted.
const QUERY_MAX: usize = 500;

async fn answer(trac: &Trac, scope: Scope, id: String) -> Result<Json<Value>, Problem> {
    let now = trac.clock.now();
    let queried = scope.clone();
    let story = trac.store.query(&queried, NARROW, move |tx| {
        if let Some(story) = story_of(tx.within(&scope), now, &id)? {
            return Ok(story);
        }
        let (what, other) = ("click, customer, transaction, link or other object", scope.other_mode());
        let is_known_there = subject::find(tx.within(&other), &id)?.is_found();
        if is_known_there {
            return Err(Problem::of_mode(what, other.mode()));
        }
        let message = format!("There is no such {what} here. {OTHER_IDS}");
        Err(Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", message))
    });
    story.await.map(Json)
}

/// Returns the story of an ID for every workspace and mode that knows it. The IDs of Checkout Sessions contain
/// their mode, so they are looked up only in that mode.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub async fn explain_everywhere(trac: &Trac, id: &str) -> Result<Vec<Value>, StoreError> {
    let (now, id) = (trac.clock.now(), id.to_owned());
    let stories = trac.store.read(move |tx| {
        let workspaces = tx.all("SELECT id FROM workspace ORDER BY id", &[], |row| row.get::<String>(0))?;
        let mut stories = Vec::new();
        for workspace in workspaces {
            for mode in modes_of(&id) {
                let scope = Scope::new(&workspace, *mode);
                stories.extend(story_of(tx.within(&scope), now, &id)?);
            }
        }
        let (found, other): (Vec<_>, Vec<_>) = stories.into_iter().partition(|story| story["found"] == true);
        Ok(if found.is_empty() { other } else { found })
    });
    stories.await
}

/// The modes in which this ID can exist.
fn modes_of(id: &str) -> &'static [Mode] {
    match id.get(..8) {
        Some("cs_test_") => &[Mode::Test],
        Some("cs_live_") => &[Mode::Live],
        _ => &[Mode::Live, Mode::Test],
    }
}

/// The story of an ID; `None` for an unknown ID that does not have a form of Stripe's.
pub(crate) fn story_of(rows: Rows<'_>, now: Timestamp, id: &str) -> Result<Option<Value>, StoreError> {
    let subject = subject::find(rows, id)?;
    if subject.is_unknown_here() {
        return Ok(None);
    }
    story::of(&evidence::Archive { rows, now }, &subject).map(Some)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "rehearsal/tests.rs"]
mod rehearsal;
#[cfg(test)]
#[path = "reasons/tests.rs"]
mod reasons;
#[cfg(test)]
#[path = "causes/tests.rs"]
mod causes;
