//! An action: a form that calls the management API.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::Value;

use super::api::encoded;
use super::value::text;
use crate::access::role::{Right, right_of};
use crate::web::Form;

/// An action.
pub(super) struct Act {
    /// Its name in URLs.
    pub(super) name: &'static str,
    /// The label of the link that leads to it.
    pub(super) label: &'static str,
    /// The heading of its page.
    pub(super) title: &'static str,
    /// The tab that it belongs to.
    pub(super) tab: &'static str,
    pub(super) method: Method,
    /// The path of the call, with `{id}` for the object's ID.
    pub(super) call: &'static str,
    /// The path that the object is read from, with `{id}`; empty if the action needs none.
    pub(super) about: &'static str,
    /// The form, from the object.
    pub(super) form: fn(&About) -> Form,
    /// The page that shows the result.
    pub(super) then: Then,
    /// The message on that page.
    pub(super) done: &'static str,
}

/// Where a person is led after an action.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// To a page, with `{id}` for the ID in the response, else that of the object.
    Page(&'static str),
    /// To a page with a secret of the response, which is shown this once: the field, its title and a note.
    Secret(&'static str, &'static str, &'static str),
}

/// What a form is made from.
pub(super) struct About {
    /// The object; `null` for an action that creates one.
    pub(super) object: Value,
    /// The query of the page, with values to begin with.
    pub(super) query: BTreeMap<String, String>,
    /// Programs to choose from: ID and name.
    pub(super) programs: Vec<(String, String)>,
    /// The partner that `partner_id` in the query names: ID and name.
    pub(super) partner: Option<(String, String)>,
}

impl About {
    /// A field of the object as text.
    pub(super) fn text(&self, path: &str) -> &str {
        text(&self.object, path)
    }

    /// A value of the query.
    pub(super) fn given(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

impl Act {
    /// The right that a person needs for it.
    pub(super) fn right(&self) -> Right {
        right_of(&self.method, self.call, None)
    }

    /// The page of the action for an object.
    pub(super) fn to(&self, id: &str) -> String {
        if id.is_empty() {
            format!("do/{}", self.name)
        } else {
            format!("do/{}?id={}", self.name, encoded(id))
        }
    }
}
