//! The base template: head, navigation and footer, which all pages extend.

use askama::Template;

use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// The values that the base template shows around a page.
///
/// URLs in pages are relative, so that the router can be mounted under any path: `up` is the relative path from
/// a page to the parent of `dashboard`, and every URL in a template begins with it.
#[derive(Debug)]
pub(super) struct Layout {
    /// The page's own part of the title; empty for the login page.
    pub(super) title: &'static str,
    pub(super) up: &'static str,
    /// The page in the navigation.
    pub(super) current: &'static str,
    /// `None` on the login page, which has no navigation.
    pub(super) visitor: Option<Visitor>,
}

/// The workspace and mode whose rows a page shows.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) workspace: String,
    pub(super) mode: &'static str,
}

/// A page in the navigation: its path from the parent of `dashboard`, and its name.
pub(super) struct Tab {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
}

/// The pages in the navigation, in its order.
pub(super) const TABS: [Tab; 2] =
    [Tab { path: "dashboard", name: "Flow" }, Tab { path: "dashboard/why", name: "Why?" }];

impl Layout {
    /// The layout of a page of this workspace; `path` is that of its [`Tab`].
    pub(super) fn of(rows: Rows<'_>, path: &'static str) -> Result<Self, StoreError> {
        let visitor = Visitor { workspace: workspace_name(rows)?, mode: rows.scope().mode_str() };
        let title = TABS.iter().find(|tab| tab.path == path).map_or("", |tab| tab.name);
        Ok(Self { title, up: up_from(path), current: path, visitor: Some(visitor) })
    }

    /// The layout of the login page.
    pub(super) const fn of_sign_in() -> Self {
        Self { title: "", up: "../", current: "", visitor: None }
    }
}

/// The relative path from a page to the parent of `dashboard`.
fn up_from(path: &str) -> &'static str {
    match path.matches('/').count() {
        0 => "",
        1 => "../",
        _ => "../../",
    }
}

fn workspace_name(rows: Rows<'_>) -> Result<String, StoreError> {
    let (sql, id) = ("SELECT name FROM workspace WHERE id = ?1", rows.scope().workspace_id());
    let found = rows.everywhere().one(sql, args![id], |row| row.get(0))?;
    found.ok_or_else(|| StoreError::internal("there is no such workspace"))
}

/// Renders a page.
pub(super) fn render(page: &impl Template) -> Result<String, StoreError> {
    page.render().map_err(|error| StoreError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_up_leads_to_the_parent_of_dashboard() {
        let check = |path, want| assert_eq!(up_from(path), want, "{path}");
        check("dashboard", "");
        check("dashboard/why", "../");
        check("dashboard/conversions/pay_1", "../../");
    }
}
