//! Creates and changes an object of the management API in one transaction, with the record of the change; the
//! response is the object as lists show it.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::list::Resource;
use crate::problem::Problem;
use crate::store::Priority;
use crate::store::rows::Rows;
use crate::trac::Trac;

/// Fields that are added to the state of an object after a change, in the record of the change.
pub(crate) type Noted = Map<String, Value>;

/// A resource in a caller's scope, for one call that writes.
pub(crate) struct Frame {
    pub(crate) trac: Trac,
    pub(crate) caller: Merchant,
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
        let Self { trac, caller, resource } = self;
        let store = trac.store.clone();
        let scope = caller.scope.clone();
        let created = store.try_write_in(&scope, Priority::Api, move |rows| {
            let id = make(rows, &trac)?;
            let object = resource.find(rows, &trac, &id)?;
            let kind = resource.name;
            let change = Change { kind, id: &id, verb: "created", before: None, after: Some(&object) };
            caller.record(rows, &trac, &change)?;
            Ok::<_, Problem>(object)
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
        self.change_as("changed", id, change).await
    }

    /// Like [`Self::change`], recorded under another verb.
    ///
    /// # Errors
    /// `404` if there is none, the errors of `change`, and the store's.
    pub(crate) async fn change_as<F>(
        self,
        verb: &'static str,
        id: String,
        change: F,
    ) -> Result<Json<Value>, Problem>
    where
        F: FnOnce(Rows<'_>, &Trac, &str) -> Result<(), Problem> + Send + 'static,
    {
        self.change_noting(verb, id, |rows, trac, id| change(rows, trac, id).map(|()| Noted::default())).await
    }

    /// Like [`Self::change_as`], where the object does not show all of the change: the record of it has what `change`
    /// returns, too.
    ///
    /// # Errors
    /// `404` if there is none, the errors of `change`, and the store's.
    pub(crate) async fn change_noting<F>(
        self,
        verb: &'static str,
        id: String,
        change: F,
    ) -> Result<Json<Value>, Problem>
    where
        F: FnOnce(Rows<'_>, &Trac, &str) -> Result<Noted, Problem> + Send + 'static,
    {
        let Self { trac, caller, resource } = self;
        let store = trac.store.clone();
        let scope = caller.scope.clone();
        let changed = store.try_write_in(&scope, Priority::Api, move |rows| {
            let before = resource.find(rows, &trac, &id)?;
            let noted = change(rows, &trac, &id)?;
            let shown = resource.find(rows, &trac, &id)?;
            let mut after = shown.clone();
            if let Some(after) = after.as_object_mut() {
                after.extend(noted);
            }
            let kind = resource.name;
            let change = Change { kind, id: &id, verb, before: Some(&before), after: Some(&after) };
            caller.record(rows, &trac, &change)?;
            Ok::<_, Problem>(shown)
        });
        changed.await.map(Json)
    }
}
