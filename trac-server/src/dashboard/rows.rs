//! Rows of the API as the lines of a table.

use std::collections::BTreeSet;

use serde_json::Value;

use super::api::{Failure, encoded};
use super::column::Column;
use super::desk::Desk;
use super::names::Names;
use super::value::{at, list, text};
use crate::web::{Empty, Filters, Head, Line, Link, Pager, Table};

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

/// The names that these columns show.
pub(super) async fn names_of(desk: &Desk, columns: &[Column], rows: &[Value]) -> Result<Names, Failure> {
    let fields: Vec<_> = columns.iter().filter_map(Column::named).collect();
    let ids: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| fields.iter().map(|field| text(row, field).to_owned()))
        .filter(|id| !id.is_empty())
        .collect();
    Names::of(&desk.trac, &desk.caller.scope, ids).await.map_err(Failure::of_store)
}

/// The heads of these columns.
pub(super) fn heads(columns: &[Column]) -> Vec<Head> {
    columns.iter().map(|column| Head { label: column.label, is_sum: column.is_sum() }).collect()
}

/// The rows of a table.
pub(super) fn lines(columns: &[Column], rows: &[Value], names: &Names) -> Vec<Line> {
    let line = |row| Line {
        id: text(row, "id").to_owned(),
        cells: columns.iter().map(|column| column.cell(row, names)).collect(),
    };
    rows.iter().map(line).collect()
}
