//! The blocks that pages are made of.

use super::{Cell, Chart, Form, Table};

/// A part of a page.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// A paragraph, under a title if there is one.
    Text {
        title: &'static str,
        text: String,
    },
    /// Names and values.
    Facts {
        title: &'static str,
        facts: Vec<(&'static str, Cell)>,
    },
    /// Links to the actions of a page.
    Actions(Vec<Link>),
    Table(Table),
    Notice(Notice),
    /// Large figures side by side.
    Figures {
        title: &'static str,
        figures: Vec<Figure>,
    },
    Chart(Chart),
    Steps(Vec<Step>),
    Form(Form),
    Payload(Payload),
    Secret(Secret),
    /// A link to another site.
    Away {
        text: &'static str,
        url: String,
    },
    /// HTML of a template that escaped it.
    Html(String),
}

/// The colour of a notice or badge. The words say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Calm,
    Good,
    Wait,
    Bad,
    Paid,
}

impl Tone {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Bad => "bad",
            Self::Paid => "paid",
        }
    }

    /// The tone of a status or outcome.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "approved" | "processed" | "active" | "done" | "true" | "credited" => Self::Good,
            "pending" | "deferred" | "held" | "waiting" | "expiring" | "draft" | "paused" => Self::Wait,
            "reversed" | "rejected" | "failed" | "banned" | "suspended" | "revoked" | "expired" => Self::Bad,
            "paid" | "sent" => Self::Paid,
            _ => Self::Calm,
        }
    }
}

/// A link to a page under `dashboard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) text: String,
    pub(crate) to: String,
    /// Whether it is the main action of its place.
    pub(crate) is_main: bool,
}

impl Link {
    pub(crate) fn new(text: &str, to: &str) -> Self {
        Self { text: text.to_owned(), to: to.to_owned(), is_main: false }
    }

    pub(crate) fn main(text: &str, to: &str) -> Self {
        Self { is_main: true, ..Self::new(text, to) }
    }
}

/// A message that stands out.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    pub(crate) links: Vec<Link>,
}

/// A large figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    /// What it is compared with, as in `+12 % against the 30 days before`.
    pub(crate) note: String,
    pub(crate) tone: Tone,
    /// The rows behind it: a page under `dashboard`.
    pub(crate) to: Option<String>,
}

/// A step of a list that ticks itself.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// `done`, `waiting` or `failed`.
    pub(crate) status: &'static str,
    pub(crate) text: String,
    pub(crate) remedy: Option<String>,
    pub(crate) at: Option<super::Moment>,
    pub(crate) links: Vec<Link>,
    pub(crate) form: Option<Form>,
}

/// A JSON document, line by line.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) title: &'static str,
    pub(crate) note: &'static str,
    /// Each line, and whether it is marked.
    pub(crate) lines: Vec<(String, bool)>,
}

/// A secret that is shown this once.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) note: &'static str,
}
