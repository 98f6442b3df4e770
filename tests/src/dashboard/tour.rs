//! Every page of the dashboard, found as a person finds them: by the links on the pages.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use crate::browser::Browser;

/// Pages that no link leads to: those of visitors, and errors.
const BESIDES: [&str; 9] = [
    "/login",
    "/join",
    "/enter",
    "/welcome",
    "/why?id=paula",
    "/why?id=nobody",
    "/partners/part_none",
    "/no/such/page",
    "/commissions?status=reversed&currency=xxx",
];

/// The links of a page that lead to other pages, without files and without the places in this page.
const LINKS: &str = "[...new Set([...document.querySelectorAll('a[href]')].filter((link) => !link.download \
    && link.target !== '_blank' && link.href.startsWith(`${location.origin}/dashboard`)) \
    .map((link) => link.href.split('#')[0]))]";

/// A walk through all pages, of which it opens one of each kind.
#[derive(Debug)]
pub struct Tour {
    open: VecDeque<String>,
    seen: BTreeSet<String>,
    begin: usize,
}

/// A page of the walk.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Its address.
    pub url: String,
    /// Its kind: the path, with `{id}` for an ID.
    pub kind: String,
}

impl Tour {
    /// A walk through the pages of a server that begins at the overview.
    #[must_use]
    pub fn of(origin: &str) -> Self {
        let overview = format!("{origin}/dashboard");
        let begin = overview.len();
        let besides = BESIDES.map(|path| format!("{overview}{path}"));
        let open = [overview].into_iter().chain(besides).collect();
        Self { open, seen: BTreeSet::new(), begin }
    }

    /// Adds a page.
    pub fn add(&mut self, url: &str) {
        self.open.push_back(url.to_owned());
    }

    /// The next page whose kind was not opened yet.
    pub fn next_stop(&mut self) -> Option<Stop> {
        loop {
            let url = self.open.pop_front()?;
            let kind = kind(url.get(self.begin..).unwrap_or_default());
            if self.seen.insert(kind.clone()) {
                return Some(Stop { url, kind });
            }
        }
    }

    /// Adds the pages that the page in front leads to.
    pub async fn look_around(&mut self, browser: &Browser) {
        let links = browser.js(LINKS).await;
        links.as_array().into_iter().flatten().filter_map(Value::as_str).for_each(|url| self.add(url));
    }

    /// The kinds of all pages that were opened.
    #[must_use]
    pub const fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }
}

/// The kind of a page: a list is one page, whatever it is filtered by, and its further pages are another; every object
/// has the page of its kind.
fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_id = |part: &str| part.chars().any(|char| char.is_ascii_digit() || char == '%');
    let parts = path.split('/').map(|part| if is_id(part) { "{id}" } else { part });
    let kind = parts.collect::<Vec<_>>().join("/");
    match path {
        "/why" | "/join" if is_id(query) => format!("{kind}?{{id}}"),
        "/why" | "/join" if !query.is_empty() => format!("{kind}?{query}"),
        _ if query.contains("xxx") => format!("{kind}?none"),
        _ if query.contains("page=") => format!("{kind}?page"),
        _ => kind,
    }
}
