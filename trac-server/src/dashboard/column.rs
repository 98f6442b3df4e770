//! The columns of lists: which field of the API's rows a column shows, and how.

use serde_json::Value;

use super::api::encoded;
use super::names::{Names, subject};
use super::value::{at, id, list, money, reason, text, time};
use crate::web::Cell;

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) label: &'static str,
    pub(super) show: Show,
}

/// What a column shows. Fields are named as in the API, with dots for nested ones.
#[derive(Clone, Copy, Debug)]
pub(super) enum Show {
    /// A text.
    Text(&'static str),
    /// A word of the product.
    Word(&'static str),
    /// A text that leads to the row's own page, under this path.
    Own(&'static str, &'static str),
    /// An ID.
    Id(&'static str),
    /// An ID that leads to a page, under this path.
    To(&'static str, &'static str),
    /// An ID of any kind, which leads to the page of its object, else to its story.
    Subject(&'static str),
    /// The name of the partner, program or link with this ID, which leads to its page.
    Name(&'static str),
    /// An amount: minor units, and the field with the currency.
    Money(&'static str, &'static str),
    Time(&'static str),
    Status(&'static str),
    Reason(&'static str),
    Number(&'static str),
    /// `yes` or `no`.
    Flag(&'static str),
    /// The items of a list.
    List(&'static str),
    /// Another form of the row.
    Other(fn(&Value) -> Cell),
}

/// A column.
pub(super) const fn column(label: &'static str, show: Show) -> Column {
    Column { label, show }
}

impl Column {
    /// Whether its values are numbers.
    pub(super) const fn is_sum(&self) -> bool {
        matches!(self.show, Show::Money(..) | Show::Number(_))
    }

    /// The field with an ID whose name is shown.
    pub(super) const fn named(&self) -> Option<&'static str> {
        match self.show {
            Show::Name(field) => Some(field),
            _ => None,
        }
    }

    /// The fields of the API that it reads.
    #[cfg(test)]
    pub(super) fn fields(&self) -> Vec<&'static str> {
        match self.show {
            Show::Own(_, field) => vec!["id", field],
            Show::To(_, field)
            | Show::Text(field)
            | Show::Word(field)
            | Show::Id(field)
            | Show::Subject(field)
            | Show::Name(field)
            | Show::Time(field)
            | Show::Status(field)
            | Show::Reason(field)
            | Show::Number(field)
            | Show::Flag(field)
            | Show::List(field) => vec![field],
            Show::Money(minor, currency) => vec![minor, currency],
            Show::Other(_) => Vec::new(),
        }
    }

    /// The value of a row.
    pub(super) fn cell(&self, row: &Value, names: &Names) -> Cell {
        match self.show {
            Show::Text(field) => Cell::text(text(row, field)),
            Show::Word(field) => Cell::word(text(row, field)),
            Show::Own(path, field) => {
                let (own, shown) = (text(row, "id"), text(row, field));
                let shown = if shown.is_empty() { own } else { shown };
                Cell::link(shown, &format!("{path}/{}", encoded(own)))
            }
            Show::Id(field) => id(row, field),
            Show::To(path, field) => match text(row, field) {
                "" => Cell::Nothing,
                id => Cell::link(id, &format!("{path}/{}", encoded(id))),
            },
            Show::Subject(field) => subject(text(row, field)),
            Show::Name(field) => names.cell(text(row, field)),
            Show::Money(minor, currency) => money(row, minor, currency),
            Show::Time(field) => time(row, field),
            Show::Status(field) => match text(row, field) {
                "" => Cell::Nothing,
                word => Cell::status(word),
            },
            Show::Reason(field) => reason(row, field),
            Show::Number(field) => at(row, field).as_i64().map_or(Cell::Nothing, Cell::Number),
            Show::Flag(field) => match at(row, field).as_bool() {
                Some(true) => Cell::word("yes"),
                Some(false) => Cell::word("no"),
                None => Cell::Nothing,
            },
            Show::List(field) => {
                let items: Vec<_> = list(row, field).iter().filter_map(Value::as_str).collect();
                Cell::text(&items.join(", "))
            }
            Show::Other(cell) => cell(row),
        }
    }
}
