//! One hop of a story.

use serde_json::{Value, json};
use trac_core::conversion::remedy::remedy;
use trac_core::reason::Reason;

/// The status of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The hop is there.
    Ok,
    /// The hop is not there.
    Missing,
    /// The hop is there, and the story ends with it.
    Refused,
    /// The hop is not there yet; it may follow without any change by the merchant.
    Waiting,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
        }
    }
}

/// One hop of a story, and what to change if it is missing.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    name: &'static str,
    status: Status,
    what: String,
    reason: Option<&'static str>,
    remedy: Option<String>,
    details: Value,
}

impl Hop {
    /// A hop that is there.
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, what: what.into(), reason: None, remedy: None, details: Value::Null }
    }

    /// A hop that breaks for a [`Reason`], with the reason's own texts.
    pub(super) fn broken(name: &'static str, status: Status, reason: Reason) -> Self {
        Self::cause(name, status, reason.as_str(), reason.meaning(), remedy(reason).unwrap_or_default())
    }

    /// A hop that breaks for a cause with its own code and texts.
    pub(super) fn cause(
        name: &'static str,
        status: Status,
        code: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into()).filter(|remedy| !remedy.is_empty());
        Self { name, status, what: what.into(), reason: Some(code), remedy, details: Value::Null }
    }

    /// Replaces the text.
    pub(super) fn with_message(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// Appends to the text.
    pub(super) fn with_sentence(mut self, what: &str) -> Self {
        self.what = format!("{} {what}", self.what);
        self
    }

    /// Replaces the remedy.
    pub(super) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Appends a possible cause and its remedy.
    pub(super) fn with_possible_cause(mut self, what: &str, remedy: &str) -> Self {
        self.what = format!("{} Possible cause: {what}", self.what);
        self.remedy = Some(match self.remedy {
            Some(own) => format!("{own} If that was the cause: {remedy}"),
            None => remedy.to_owned(),
        });
        self
    }

    /// Removes the remedy, which the previous hop already has.
    pub(super) fn without_remedy(mut self) -> Self {
        self.remedy = None;
        self
    }

    /// Sets the reason of a hop that is not an error.
    pub(super) const fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason.as_str());
        self
    }

    /// Sets the details, for programs.
    pub(super) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// Name, text, reason and remedy, for the summary of a story that breaks at this hop.
    pub(super) fn summary(&self) -> (&'static str, &str, Option<&'static str>, Option<&str>) {
        (self.name, &self.what, self.reason, self.remedy.as_deref())
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "hop": self.name,
            "status": self.status.as_str(),
            "what": self.what,
            "reason": self.reason,
            "remedy": self.remedy,
            "details": self.details,
        })
    }
}
