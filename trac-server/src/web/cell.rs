//! The values of tables and lists of facts.

use askama::Template;

use super::{Amount, Code, Layout, Moment, Tone};

/// One value of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// No value: a dash.
    Nothing,
    Text(String),
    /// A word of the product, in the language of the page.
    Word(String),
    /// A number, aligned to the right.
    Number(i64),
    /// An ID or other technical text.
    Id(String),
    Amount(Amount),
    Time(Moment),
    /// A reason: its sentence, and its code.
    Reason(Code),
    /// A word with a colour.
    Badge {
        word: String,
        tone: Tone,
    },
    /// A link to a page under `dashboard`.
    Link {
        text: String,
        to: String,
    },
    /// A link to another site or file, shown as its address.
    Address(String),
    /// Several values, one after the other.
    Several(Vec<Self>),
}

impl Cell {
    /// A text; nothing if it is empty.
    pub(crate) fn text(text: &str) -> Self {
        if text.is_empty() { Self::Nothing } else { Self::Text(text.to_owned()) }
    }

    /// A word of the product; nothing if it is empty.
    pub(crate) fn word(word: &str) -> Self {
        if word.is_empty() { Self::Nothing } else { Self::Word(word.to_owned()) }
    }

    /// A link to a page under `dashboard`.
    pub(crate) fn link(text: &str, to: &str) -> Self {
        Self::Link { text: text.to_owned(), to: to.to_owned() }
    }

    /// A status with the colour of its meaning.
    pub(crate) fn status(word: &str) -> Self {
        Self::Badge { word: word.to_owned(), tone: Tone::of(word) }
    }

    /// Whether the value is aligned to the right.
    pub(crate) fn is_sum(&self) -> bool {
        match self {
            Self::Number(_) | Self::Amount(_) => true,
            Self::Several(cells) => !cells.is_empty() && cells.iter().all(Self::is_sum),
            _ => false,
        }
    }

    /// Whether a text is a long ID, of which a table shows the end.
    fn is_long_id(text: &str) -> bool {
        text.len() > 24 && text.contains('_') && !text.contains(char::is_whitespace)
    }

    /// The value as plain text, for a file of comma-separated values.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text)
            | Self::Word(text)
            | Self::Id(text)
            | Self::Address(text)
            | Self::Badge { word: text, .. }
            | Self::Link { text, .. } => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Amount(amount) => amount.to_string(),
            Self::Time(moment) => moment.machine(),
            Self::Reason(code) => code.0.clone(),
            Self::Several(cells) => {
                let cells: Vec<_> = cells.iter().map(Self::plain).collect();
                cells.join("; ")
            }
        }
    }
}

/// The HTML of a value.
#[derive(Template)]
#[template(path = "web/cell.html")]
pub(crate) struct CellHtml<'a> {
    cell: &'a Cell,
    layout: &'a Layout,
}

impl Cell {
    /// The HTML of the value; its template escapes it.
    pub(crate) const fn html<'a>(&'a self, layout: &'a Layout) -> CellHtml<'a> {
        CellHtml { cell: self, layout }
    }
}
