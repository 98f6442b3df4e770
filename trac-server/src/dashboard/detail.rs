//! Pages of single objects: their values, the rows that refer to them, and their actions.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::act::{Act, offered};
use super::api::{Failure, encoded};
use super::column::Column;
use super::desk::Desk;
use super::listing::{heads, lines, names_of};
use super::value::{at, list};
use crate::web::{Block, Empty, Filters, Link, Pager, Table};

/// A page of one object.
pub(super) struct Detail {
    /// The path under `dashboard`.
    pub(super) path: &'static str,
    /// The tab in the navigation.
    pub(super) tab: &'static str,
    /// The page that it belongs to: its title and path.
    pub(super) parent: (&'static str, &'static str),
    /// The path of the API, with `{id}`.
    pub(super) api: &'static str,
    pub(super) heading: fn(&Value) -> String,
    pub(super) facts: &'static [Column],
    pub(super) sections: &'static [Section],
    /// The actions for an object in its state.
    pub(super) acts: fn(&Value) -> Vec<&'static Act>,
    /// Other links beside the actions.
    pub(super) links: fn(&Value) -> Vec<Link>,
    /// What the page shows besides.
    pub(super) extra: Extra,
}

/// What a page of an object shows besides its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    Nothing,
    /// The story of the object, hop by hop.
    Story,
    /// The body of an event, and what a replay would change.
    Event,
    /// What a sale of the program earns.
    Terms,
    /// The state before and after a change.
    Change,
    /// The address of a link, with its QR code.
    Link,
}

/// Rows that refer to an object.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// The list of the API, with `{id}` for the object's ID.
    pub(super) api: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) empty: &'static str,
    /// The page with all these rows, with `{id}`; empty if there is none.
    pub(super) more: &'static str,
}

impl Detail {
    /// Serves the page.
    pub(super) async fn serve(&'static self, Path(id): Path<String>, desk: Desk) -> Response {
        match self.page(&desk, &id).await {
            Ok(page) => page,
            Err(failure) => desk.failed(&failure, self.tab),
        }
    }

    async fn page(&self, desk: &Desk, id: &str) -> Result<Response, Failure> {
        let object = desk.get(&self.api.replace("{id}", &encoded(id))).await?;
        // Some pages are found by Stripe's ID, too.
        let own_id = at(&object, "id").as_str().unwrap_or(id).to_owned();
        let names = names_of(desk, self.facts, std::slice::from_ref(&object)).await?;
        let mut page = desk.page_of(&(self.heading)(&object), self.tab);
        page.parent = Some(Link::new(self.parent.0, self.parent.1));
        page.actions = offered(desk, &(self.acts)(&object), &own_id);
        page.actions.extend((self.links)(&object));
        let facts = self.facts.iter().map(|column| (column.label, column.cell(&object, &names)));
        page.blocks.push(Block::Facts { title: "", facts: facts.collect() });
        page.blocks.extend(super::extra::blocks(desk, self.extra, &object).await?);
        for section in self.sections {
            page.blocks.push(Block::Table(section.table(desk, &own_id).await?));
        }
        Ok(page.respond(StatusCode::OK))
    }
}

impl Section {
    /// The newest rows.
    pub(super) async fn table(&self, desk: &Desk, id: &str) -> Result<Table, Failure> {
        let path = self.api.replace("{id}", &encoded(id));
        let join = if path.contains('?') { '&' } else { '?' };
        let listed = desk.get(&format!("{path}{join}limit=10")).await?;
        let rows = list(&listed, "data");
        let names = names_of(desk, self.columns, rows).await?;
        let has_more = at(&listed, "meta.has_more").as_bool().unwrap_or_default();
        let more = self.more.replace("{id}", &encoded(id));
        Ok(Table {
            id: self.id,
            title: self.title,
            heads: heads(self.columns),
            lines: lines(self.columns, rows, &names),
            empty: Empty { text: self.empty, next: None },
            filters: Filters::default(),
            pager: Pager::default(),
            csv: None,
            is_bare: false,
            more: (has_more && !more.is_empty()).then(|| Link::new("Show all", &more)),
        })
    }
}
