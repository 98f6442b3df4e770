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
mod diagnosis;
mod reference;
mod told;
mod verdict;
mod setup;
mod story;
mod text;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::Connection;
use serde_json::Value;
use trac_core::time::Timestamp;

use crate::access::Merchant;
use crate::problem::Problem;
use crate::store::{Scope, StoreError, mode_of};
use crate::trac::Trac;

pub use text::as_text;

/// How a story that takes too long is narrowed.
pub(crate) const NARROW: &str =
    "Ask by the ID of one object, a payment's or a click's, instead of a customer's or an address.";

/// `GET /api/v1/explain/{id}`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/explain/{id}", get(explain))
}

async fn explain(
    State(trac): State<Trac>,
    Merchant(scope): Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let now = trac.clock.now();
    let of = scope.clone();
    let told = trac.store.query(&of, NARROW, move |connection| tell(connection, &scope, now, &id)).await?;
    told.map(Json).ok_or_else(|| Problem::not_found("click, customer, transaction, link or other object"))
}

/// Tells the story of an ID in every workspace and mode that knows it; of none if none does.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub async fn explain_everywhere(trac: &Trac, id: &str) -> Result<Vec<Value>, StoreError> {
    let (now, id) = (trac.clock.now(), id.to_owned());
    let told = trac.store.read(move |connection| {
        let mut statement = connection.prepare("SELECT id FROM workspace ORDER BY id")?;
        let workspaces = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut stories = Vec::new();
        for workspace in workspaces.collect::<Result<Vec<_>, _>>()? {
            for mode in ["live", "test"] {
                let scope = Scope::new(&workspace, mode_of(mode));
                stories.extend(tell(connection, &scope, now, &id)?);
            }
        }
        let (found, other): (Vec<_>, Vec<_>) = stories.into_iter().partition(|story| story["found"] == true);
        Ok(if found.is_empty() { other } else { found })
    });
    told.await
}

/// The story of an ID; `None` for an ID of ours that is not known here.
pub(crate) fn tell(
    connection: &Connection,
    scope: &Scope,
    now: Timestamp,
    id: &str,
) -> Result<Option<Value>, StoreError> {
    let subject = subject::find(connection, scope, id)?;
    if subject.is_unknown_here() {
        return Ok(None);
    }
    story::of(&evidence::Archive { connection, scope, now }, &subject).map(Some)
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
