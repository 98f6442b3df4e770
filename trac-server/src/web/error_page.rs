//! The page in place of an error that was returned as JSON.

use askama::Template;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, RETRY_AFTER};
use axum::response::{Html, IntoResponse as _, Response};

use super::{Language, Layout, page_path, render};
use crate::problem::ForPeople;

#[derive(Template)]
#[template(path = "web/error.html")]
struct ErrorPage<'a> {
    layout: Layout,
    message: &'a str,
}

/// A request of a browser for a page.
pub(super) struct Asked {
    path: String,
    language: Language,
}

impl Asked {
    /// The request, if the caller reads pages: a program that calls `/dashboard` gets JSON.
    pub(super) fn of(path: &str, headers: &HeaderMap) -> Option<Self> {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let asked = || Self { path: page_path(path).to_owned(), language: Language::of_headers(headers) };
        accept.contains("text/html").then(asked)
    }

    /// The response as a page, if it is an error in JSON.
    pub(super) fn page(self, response: Response) -> Response {
        let Some(ForPeople(message)) = response.extensions().get().cloned() else { return response };
        let layout = Layout::new("", &self.path, "", None).in_language(self.language);
        let Ok(html) = render(&ErrorPage { layout, message: &message }) else { return response };
        let mut page = (response.status(), Html(html)).into_response();
        if let Some(secs) = response.headers().get(RETRY_AFTER) {
            page.headers_mut().insert(RETRY_AFTER, secs.clone());
        }
        page
    }
}
