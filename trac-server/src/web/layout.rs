//! The frame around every page: its head, the header with search, mode and account, and the navigation.

use askama::Template;

use super::Language;
use crate::store::StoreError;

/// The content of the base template.
///
/// `up` is the relative path from a page to the parent of `dashboard`, and every URL in a template begins with it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The page's own part of the title; empty for the login page.
    pub(crate) title: String,
    pub(crate) up: &'static str,
    /// The page in the navigation.
    pub(crate) current: &'static str,
    pub(crate) language: Language,
    /// `None` on pages outside of a session, which have no navigation.
    pub(crate) visitor: Option<Visitor>,
}

/// The person or key of a session, and the workspace and mode whose rows a page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    pub(crate) workspace: String,
    pub(crate) mode: &'static str,
    /// The person's name; `None` for a session without a person.
    pub(crate) person: Option<String>,
    pub(crate) role: &'static str,
    /// The other workspaces of the person: ID and name.
    pub(crate) others: Vec<(String, String)>,
    /// Whether the workspace has no person yet, so that this visitor should create the first account.
    pub(crate) is_first: bool,
    /// Whether the visitor may switch to the other mode.
    pub(crate) may_switch: bool,
}

/// A page in the navigation: its path under `dashboard`, and its name.
pub(crate) struct Tab {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
}

const fn tab(path: &'static str, name: &'static str) -> Tab {
    Tab { path, name }
}

/// A group of pages in the navigation.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) tabs: &'static [Tab],
}

/// The pages in the navigation, in its order.
pub(crate) const GROUPS: [Group; 5] = [
    Group { name: "", tabs: &[tab("", "Overview"), tab("setup", "Set-up"), tab("why", "Why?")] },
    Group {
        name: "Money",
        tabs: &[
            tab("commissions", "Commissions"),
            tab("payouts", "Payouts"),
            tab("conversions", "Sales and leads"),
            tab("customers", "Customers"),
        ],
    },
    Group {
        name: "Program",
        tabs: &[
            tab("partners", "Partners"),
            tab("applications", "Applications"),
            tab("programs", "Programs"),
            tab("links", "Links"),
            tab("analytics", "Analytics"),
        ],
    },
    Group {
        name: "Technical",
        tabs: &[
            tab("webhooks", "Webhooks"),
            tab("refusals", "Refused calls"),
            tab("attributions", "Decisions"),
            tab("keys", "API keys"),
        ],
    },
    Group {
        name: "Workspace",
        tabs: &[
            tab("people", "People"),
            tab("activity", "Activity"),
            tab("mails", "Mails"),
            tab("settings", "Settings"),
            tab("data", "Data"),
        ],
    },
];

/// The part of a URL's path after `dashboard`, as in `/partners/part_1`; empty for the overview. The router may be mounted
/// under another path.
pub(crate) fn page_path(path: &str) -> &str {
    path.split_once("/dashboard").map_or("", |(_, rest)| rest)
}

impl Layout {
    /// The layout of a page whose path begins after `dashboard`, as in `/partners/part_1`.
    pub(crate) fn new(title: &str, path: &str, current: &'static str, visitor: Option<Visitor>) -> Self {
        Self { title: title.to_owned(), up: up_from(path), current, language: Language::default(), visitor }
    }

    /// The same in another language.
    pub(crate) fn in_language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// The text in the language of the page.
    pub(crate) fn say<'a>(&self, english: &'a str) -> &'a str {
        self.language.say(english)
    }
}

/// The relative path from a page to the parent of `dashboard`. `path` begins after `dashboard`.
fn up_from(path: &str) -> &'static str {
    match path.matches('/').count() {
        0 => "",
        1 => "../",
        2 => "../../",
        _ => "../../../",
    }
}

/// Renders a template.
pub(crate) fn render(page: &impl Template) -> Result<String, StoreError> {
    page.render().map_err(|error| StoreError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_up_leads_to_the_parent_of_dashboard() {
        let check = |path, want| assert_eq!(up_from(path), want, "{path}");
        check("", "");
        check("/why", "../");
        check("/conversions/pay_1", "../../");
    }
}
