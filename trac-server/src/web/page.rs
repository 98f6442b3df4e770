//! A page made of blocks.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

use super::{Block, Input, Layout, Link, Tone, render};
use crate::problem::Problem;

/// A page: its frame, its heading and its blocks.
#[derive(Clone, Debug, Template)]
#[template(path = "web/page.html")]
pub(crate) struct Page {
    pub(crate) layout: Layout,
    /// The page that this one is a part of.
    pub(crate) parent: Option<Link>,
    pub(crate) heading: String,
    /// One sentence below the heading.
    pub(crate) intro: String,
    /// The actions beside the heading.
    pub(crate) actions: Vec<Link>,
    pub(crate) blocks: Vec<Block>,
    /// Whether a part of the page refreshes itself.
    pub(crate) refreshes: bool,
}

impl Page {
    /// A page with a heading, and nothing else yet.
    pub(crate) fn new(layout: Layout, heading: &str) -> Self {
        Self {
            layout,
            parent: None,
            heading: heading.to_owned(),
            intro: String::new(),
            actions: Vec::new(),
            blocks: Vec::new(),
            refreshes: false,
        }
    }

    /// The response with this page.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        match render(self) {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => Problem::from(error).into_response(),
        }
    }
}
