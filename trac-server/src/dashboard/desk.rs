//! A request for a page: the person, the API, and the query.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::act::Act;
use super::acts;
use super::api::{Api, Failure, Pending};
use crate::access::Merchant;
use crate::access::role::Right;
use crate::people::{Session, visitor_of};
use crate::problem::Problem;
use crate::trac::Trac;
use crate::web::{
    Block, Field, Language, Layout, Link, Notice, Page, Payload, Tone, Visitor, Wire, page_path,
};

/// What every page needs.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) trac: Trac,
    pub(super) api: Api,
    pub(super) caller: Merchant,
    visitor: Visitor,
    language: Language,
    /// The path after `/dashboard`, as in `/partners/part_1`.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
}

impl FromRequestParts<Trac> for Desk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Response> {
        let session = Session::from_request_parts(parts, trac).await?;
        let api = Extension::<Api>::from_request_parts(parts, trac).await;
        let Extension(api) = api.map_err(axum::response::IntoResponse::into_response)?;
        let path = page_path(parts.uri.path()).to_owned();
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|Query(pairs)| pairs);
        let query = query.unwrap_or_default().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let of = session.clone();
        let visitor = trac.store.read(move |tx| visitor_of(tx, &of)).await;
        let visitor = visitor.map_err(|error| Problem::from(error).into_response())?;
        let (caller, language) = (session.caller(), session.language);
        Ok(Self { trac: trac.clone(), api, caller, visitor, language, path, query })
    }
}

impl Desk {
    /// Reads from the API.
    ///
    /// # Errors
    /// The API's.
    pub(super) fn get<'a>(&'a self, path: &str) -> Pending<'a> {
        self.api.get(&self.caller, path)
    }

    /// Whether the person may do what needs this right.
    pub(super) const fn may(&self, right: Right) -> bool {
        self.caller.role.may(right)
    }

    /// Links to these actions for an object, without those that the person may not do.
    pub(super) fn offered(&self, acts: &[&'static Act], id: &str) -> Vec<Link> {
        let may = |act: &&&'static Act| self.may(act.right());
        let link = |(index, act): (usize, &&'static Act)| {
            let to = act.to(id);
            if index == 0 { Link::main(act.label, &to) } else { Link::new(act.label, &to) }
        };
        acts.iter().filter(may).enumerate().map(link).collect()
    }

    /// These links without those to actions that the person may not do.
    pub(super) fn permitted(&self, links: Vec<Link>) -> Vec<Link> {
        let act = |link: &Link| acts::find(link.to.strip_prefix("do/")?.split('?').next()?);
        let may = |link: &Link| act(link).is_none_or(|act| self.may(act.right()));
        links.into_iter().filter(may).collect()
    }

    /// A page of this request. `current` is its tab in the navigation.
    pub(super) fn page(&self, heading: &str, current: &'static str) -> Page {
        self.page_of(self.say(heading), current)
    }

    /// A page whose heading is the name of an object, which has no translation.
    pub(super) fn page_of(&self, heading: &str, current: &'static str) -> Page {
        let mut page = Page::new(self.layout(heading, current), heading);
        if let Some(act) = self.query.get("done").and_then(|name| acts::find(name)) {
            page.blocks.push(notice(Tone::Good, act.done));
        }
        page
    }

    /// The layout of a page of this request, or of a part of one.
    pub(super) fn layout(&self, title: &str, current: &'static str) -> Layout {
        Layout::new(title, &self.path, current, Some(self.visitor.clone())).in_language(self.language)
    }

    /// A hidden field with the mode, which [`must_be_of_mode`](Self::must_be_of_mode) compares.
    pub(super) fn mode_field(&self) -> Field {
        Field::hidden("mode", self.caller.scope.mode_str()).wire(Wire::Nowhere)
    }

    /// Refuses a form of the other mode: the mode may have been switched in another tab.
    ///
    /// # Errors
    /// `409 OTHER_MODE`.
    pub(super) fn must_be_of_mode(&self, given: &BTreeMap<String, String>) -> Result<(), Failure> {
        let mode = self.caller.scope.mode_str();
        if given.get("mode").is_some_and(|of_form| of_form == mode) {
            return Ok(());
        }
        let message = format!(
            "The dashboard was switched to {mode} mode after this form was opened. Nothing was changed. Open the form \
             again."
        );
        Err(Failure::new(StatusCode::CONFLICT, "OTHER_MODE", &message))
    }

    /// The line for the merchant's pages.
    pub(super) fn script_line(&self) -> Block {
        let url = self.trac.public_url.trim_end_matches('/');
        Block::Payload(Payload {
            title: "The script for your pages",
            note: "Paste this line into the head of every page of your shop.",
            lines: vec![(format!("<script src=\"{url}/trac.js\" defer></script>"), false)],
        })
    }

    /// The response for an error of the API.
    pub(super) fn failed(&self, failure: &Failure, current: &'static str) -> Response {
        let heading = match failure.code.as_str() {
            "NOT_FOUND" => "Not found",
            "FORBIDDEN" => "Not allowed",
            _ => "Something went wrong",
        };
        let mut page = self.page(heading, current);
        page.blocks.push(notice(Tone::Bad, &failure.message));
        page.blocks.push(Block::Actions(vec![Link::new("Back to the overview", "")]));
        page.respond(failure.status)
    }

    /// The text in the language of the page.
    pub(super) fn say<'a>(&self, english: &'a str) -> &'a str {
        self.language.say(english)
    }
}

/// A message.
pub(super) fn notice(tone: Tone, text: &str) -> Block {
    Block::Notice(Notice { tone, text: text.to_owned(), links: Vec::new() })
}
