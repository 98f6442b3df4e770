//! Creates and changes an object of the management API in one transaction; the response is the object as
//! lists show it.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use crate::api::list::Resource;
use crate::problem::Problem;
use crate::store::rows::Rows;
use crate::store::{Priority, Scope};
use crate::trac::Trac;

/// A resource in a scope, for one call that writes.
pub(crate) struct Frame {
    pub(crate) trac: Trac,
    pub(crate) scope: Scope,
    pub(crate) resource: &'static Resource,
}

impl Frame {
    /// Creates an object and responds with `201` and the object. `make` writes it and returns its ID.
    ///
    /// # Errors
    /// The errors of `make`, and the store's.
    pub(crate) async fn create<F>(self, make: F) -> Result<(StatusCode, Json<Value>), Problem>
    where
        F: FnOnce(Rows<'_>, &Trac) -> Result<String, Problem> + Send + 'static,
    {
        let Self { trac, scope, resource } = self;
        let store = trac.store.clone();
        let created = store.try_write_in(&scope, Priority::Api, move |rows| {
            let id = make(rows, &trac)?;
            resource.find(rows, &trac, &id)
        });
        created.await.map(|object| (StatusCode::CREATED, Json(object)))
    }

    /// Changes the object of this ID and responds with its new state.
    ///
    /// # Errors
    /// `404` if there is none, the errors of `change`, and the store's.
    pub(crate) async fn change<F>(self, id: String, change: F) -> Result<Json<Value>, Problem>
    where
        F: FnOnce(Rows<'_>, &Trac, &str) -> Result<(), Problem> + Send + 'static,
    {
        let Self { trac, scope, resource } = self;
        let store = trac.store.clone();
        let changed = store.try_write_in(&scope, Priority::Api, move |rows| {
            resource.find(rows, &trac, &id)?;
            change(rows, &trac, &id)?;
            resource.find(rows, &trac, &id)
        });
        changed.await.map(Json)
    }
}
