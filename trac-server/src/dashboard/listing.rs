//! Pages that list rows of the API, with filters in the URL, pages, and the same rows as CSV.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::act::Act;
use super::api::{Failure, query_of};
use super::choices::{partner_id, programs};
use super::column::Column;
use super::desk::{Desk, notice};
use super::rows::{Section, heads, lines, names_of};
use super::value::{at, list, number, text};
use crate::api::csv;
use crate::api::list::words_of;
use crate::web::{Block, Choice, Code, Empty, Filters, Link, Pager, Table, Tone};

/// A page with a list.
pub(super) struct ListPage {
    /// The path under `dashboard`, and the tab.
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    /// The list of the API, as in `/commissions`.
    pub(super) api: &'static str,
    /// Filters that always apply.
    pub(super) always: &'static [(&'static str, &'static str)],
    pub(super) columns: &'static [Column],
    pub(super) filters: &'static [Filter],
    /// What is shown while there are no rows, and the next action: its label and page.
    pub(super) empty: (&'static str, Option<(&'static str, &'static str)>),
    /// Other rows that are shown above the list.
    pub(super) above: &'static [Section],
    /// The actions that are offered above the list.
    pub(super) acts: &'static [&'static Act],
}

/// A filter that a page offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) of: Of,
}

/// The values of a filter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// Any text.
    Text,
    /// The words that the API accepts; the name of the resource in its errors.
    Words(&'static str),
    /// A partner, by name, e-mail address, code or ID.
    Partner,
    /// One of the programs.
    Program,
}

/// A filter.
pub(super) const fn filter(name: &'static str, label: &'static str, of: Of) -> Filter {
    Filter { name, label, of }
}

/// The rows of a page of a list.
pub(super) const LIMIT: &str = "50";
/// The most rows of a file of comma-separated values.
const FILE_MAX: usize = 10_000;

impl ListPage {
    /// Serves the page, or with `?format=csv` the file.
    pub(super) async fn serve(&'static self, desk: Desk) -> Response {
        let filters = match self.values(&desk).await {
            Ok(filters) => filters,
            Err(failure) => return desk.failed(&failure, self.path),
        };
        if desk.query.get("format").is_some_and(|format| format == "csv") {
            return self
                .file(&desk, &filters)
                .await
                .unwrap_or_else(|failure| desk.failed(&failure, self.path));
        }
        let mut page = desk.page(self.title, self.path);
        self.intro.clone_into(&mut page.intro);
        page.actions = desk.offered(self.acts, "");
        for section in self.above {
            match section.table(&desk, "").await {
                Ok(table) => page.blocks.push(Block::Table(table)),
                Err(failure) => return desk.failed(&failure, self.path),
            }
        }
        let (status, listed) = match self.rows(&desk, &filters).await {
            Ok(listed) => (StatusCode::OK, listed),
            Err(failure) if failure.status == StatusCode::UNPROCESSABLE_ENTITY => {
                let wrong: Vec<_> = failure
                    .fields
                    .iter()
                    .map(|(name, wrong)| format!("{name} {}", wrong.as_str().unwrap_or_default()))
                    .collect();
                page.blocks.push(notice(Tone::Bad, &format!("{} {}", failure.message, wrong.join("; "))));
                (failure.status, Value::Null)
            }
            Err(failure) => return desk.failed(&failure, self.path),
        };
        match self.table(&desk, &listed, &filters).await {
            Ok(table) => {
                page.blocks.push(Block::Table(table));
                page.respond(status)
            }
            Err(failure) => desk.failed(&failure, self.path),
        }
    }

    /// The values of the filters as the API takes them: a partner's name becomes the partner's ID.
    async fn values(&self, desk: &Desk) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut values = Vec::new();
        for filter in self.filters {
            let Some(given) = desk.query.get(filter.name) else { continue };
            let value = match filter.of {
                Of::Partner => partner_id(desk, given.trim()).await?,
                _ => given.trim().to_owned(),
            };
            values.push((filter.name, value));
        }
        Ok(values)
    }

    /// Reads the rows of the page.
    async fn rows(&self, desk: &Desk, filters: &[(&'static str, String)]) -> Result<Value, Failure> {
        let position =
            ["page", "starting_after"].map(|name| desk.query.get(name).map(|value| (name, value.as_str())));
        let pairs = filters.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs = pairs.chain(self.always.iter().copied()).chain(position.into_iter().flatten());
        desk.get(&format!("{}{}", self.api, query_of(pairs.chain([("limit", LIMIT)])))).await
    }

    /// The table of these rows.
    async fn table(
        &self,
        desk: &Desk,
        listed: &Value,
        filters: &[(&'static str, String)],
    ) -> Result<Table, Failure> {
        let rows = list(listed, "data");
        let names = names_of(desk, self.columns, rows).await?;
        let mut choices = Vec::new();
        for filter in self.filters {
            let value = desk.query.get(filter.name).cloned().unwrap_or_default();
            let options = filter.options(desk).await?;
            choices.push(Choice { name: filter.name, label: filter.label, value, options });
        }
        let (empty, next) = self.empty;
        let csv = filters.iter().map(|(name, value)| (*name, value.as_str())).chain([("format", "csv")]);
        Ok(Table {
            id: self.path,
            title: "",
            heads: heads(self.columns),
            lines: lines(self.columns, rows, &names),
            empty: Empty { text: empty, next: next.map(|(text, to)| Link::new(text, to)) },
            filters: Filters { choices },
            pager: pager(desk, listed),
            csv: (!rows.is_empty()).then(|| query_of(csv)),
            is_bare: false,
            more: None,
        })
    }

    /// The filtered rows as comma-separated values.
    async fn file(&self, desk: &Desk, filters: &[(&'static str, String)]) -> Result<Response, Failure> {
        let mut file = self
            .columns
            .iter()
            .map(|column| csv::cell(&desk.say(column.label).into()))
            .collect::<Vec<_>>()
            .join(",");
        let (mut after, mut written) = (None::<String>, 0_usize);
        loop {
            let pairs = filters.iter().map(|(name, value)| (*name, value.as_str()));
            let pairs = pairs.chain(self.always.iter().copied()).chain([("limit", "100")]);
            let pairs = pairs.chain(after.as_deref().map(|after| ("starting_after", after)));
            let listed = desk.get(&format!("{}{}", self.api, query_of(pairs))).await?;
            let rows = list(&listed, "data");
            let names = names_of(desk, self.columns, rows).await?;
            for row in rows {
                let cells =
                    self.columns.iter().map(|column| csv::cell(&column.cell(row, &names).plain().into()));
                file.push_str("\r\n");
                file.push_str(&cells.collect::<Vec<_>>().join(","));
            }
            written = written.saturating_add(rows.len());
            after = rows.last().map(|row| text(row, "id").to_owned());
            let has_more = at(&listed, "meta.has_more").as_bool().unwrap_or_default();
            if !has_more || after.is_none() || written >= FILE_MAX {
                break;
            }
        }
        file.push_str("\r\n");
        let name = format!("attachment; filename=\"trac-{}.csv\"", self.path);
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ];
        Ok((headers, file).into_response())
    }
}

impl Filter {
    /// The values to choose from, each with its label; none for a text.
    async fn options(&self, desk: &Desk) -> Result<Vec<(String, String)>, Failure> {
        Ok(match self.of {
            Of::Text | Of::Partner => Vec::new(),
            Of::Words(resource) => {
                let words = words_of(resource, self.name).unwrap_or_default();
                let label = |word: &str| Code(word.to_owned()).words().to_owned();
                words.into_iter().map(|word| (word.to_owned(), label(word))).collect()
            }
            Of::Program => programs(desk).await?,
        })
    }
}

/// The pages before and after this one.
fn pager(desk: &Desk, listed: &Value) -> Pager {
    let shown = i64::try_from(list(listed, "data").len()).unwrap_or_default();
    if shown == 0 {
        return Pager::default();
    }
    let has_more = at(listed, "meta.has_more").as_bool().unwrap_or_default();
    let place = |name: &str, value: &str| {
        let others = desk
            .query
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "page" | "starting_after" | "done"));
        query_of(others.map(|(name, value)| (name.as_str(), value.as_str())).chain([(name, value)]))
    };
    let (page, limit) = (number(listed, "meta.page"), number(listed, "meta.limit"));
    let of_page = |page: i64| place("page", &page.to_string());
    match at(listed, "meta.total").as_i64() {
        Some(total) if page > 0 => {
            let first = page.saturating_sub(1).saturating_mul(limit).saturating_add(1);
            let last = first.saturating_add(shown).saturating_sub(1);
            Pager {
                shown: format!("{first}–{last} {} {total}", desk.say("of")),
                newer: (page > 1).then(|| of_page(page.saturating_sub(1))),
                older: has_more.then(|| of_page(page.saturating_add(1))),
            }
        }
        _ => {
            let last = list(listed, "data").last().map(|row| text(row, "id").to_owned()).unwrap_or_default();
            Pager {
                shown: String::new(),
                newer: desk.query.contains_key("starting_after").then(|| "?".to_owned()),
                older: has_more.then(|| place("starting_after", &last)),
            }
        }
    }
}
