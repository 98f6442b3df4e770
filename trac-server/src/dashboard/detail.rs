//! Pages of single objects: their values, the rows that refer to them, and their actions.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::act::Act;
use super::api::{Failure, encoded};
use super::column::Column;
use super::desk::Desk;
use super::extra::{self, Extra};
use super::rows::{Section, names_of};
use super::value::at;
use crate::web::{Block, Link};

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
        page.actions = desk.offered(&(self.acts)(&object), &own_id);
        page.actions.extend(desk.permitted((self.links)(&object)));
        let facts = self.facts.iter().map(|column| (column.label, column.cell(&object, &names)));
        page.blocks.push(Block::Facts { title: "", facts: facts.collect() });
        page.blocks.extend(extra::blocks(desk, self.extra, &object).await?);
        for section in self.sections {
            page.blocks.push(Block::Table(section.table(desk, &own_id).await?));
        }
        Ok(page.respond(StatusCode::OK))
    }
}
