//! Tables with their filters and pages.

use super::{Cell, Link};

/// The head of a column.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) label: &'static str,
    /// Whether its values are numbers, aligned to the right.
    pub(crate) is_sum: bool,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The ID of the element, so that a link can lead to the row.
    pub(crate) id: String,
    pub(crate) cells: Vec<Cell>,
}

/// What is shown in place of rows: a sentence, and the one next action.
#[derive(Clone, Debug)]
pub(crate) struct Empty {
    pub(crate) text: &'static str,
    pub(crate) next: Option<Link>,
}

/// A filter of a list.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// The value in force; empty if the list is not filtered by it.
    pub(crate) value: String,
    /// The values to choose from, each with its label; empty for a text.
    pub(crate) options: Vec<(String, String)>,
}

/// The filters of a list, which are in its URL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    pub(crate) choices: Vec<Choice>,
}

impl Filters {
    /// Whether a filter is in force.
    pub(crate) fn is_narrow(&self) -> bool {
        self.choices.iter().any(|choice| !choice.value.is_empty())
    }
}

/// The pages of a list. Each address is a query, beginning with `?`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pager {
    /// `1–50 of 1,204`.
    pub(crate) shown: String,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The ID of the section.
    pub(crate) id: &'static str,
    /// Empty if the table is the whole page.
    pub(crate) title: &'static str,
    pub(crate) heads: Vec<Head>,
    pub(crate) lines: Vec<Line>,
    pub(crate) empty: Empty,
    pub(crate) filters: Filters,
    pub(crate) pager: Pager,
    /// The address of the same rows as comma-separated values.
    pub(crate) csv: Option<String>,
    /// Whether only its filters are shown.
    pub(crate) is_bare: bool,
    /// A link to all rows, under a table that shows some.
    pub(crate) more: Option<Link>,
}

impl Table {
    /// A table of some rows, without filters and pages.
    pub(crate) fn of(
        id: &'static str,
        title: &'static str,
        heads: &[(&'static str, bool)],
        empty: &'static str,
    ) -> Self {
        Self {
            id,
            title,
            heads: heads.iter().map(|(label, is_sum)| Head { label, is_sum: *is_sum }).collect(),
            lines: Vec::new(),
            empty: Empty { text: empty, next: None },
            filters: Filters::default(),
            pager: Pager::default(),
            csv: None,
            is_bare: false,
            more: None,
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, id: &str, cells: Vec<Cell>) {
        self.lines.push(Line { id: id.to_owned(), cells });
    }

    /// The label of a column, for the screens on which each row is a card.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    pub(crate) fn label(&self, column: &usize) -> &'static str {
        self.heads.get(*column).map_or("", |head| head.label)
    }
}
