//! One hop of a story.

use serde_json::{Value, json};
use trac_core::conversion::remedy::remedy;
use trac_core::reason::Reason;

/// Whether a hop is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It is.
    Ok,
    /// It is not.
    Missing,
    /// It is, and the story ends there.
    Refused,
    /// It is not yet, and settles by itself.
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

/// One hop of a story: what is known of it, and what to change where it breaks.
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
    /// One that is there.
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, what: what.into(), reason: None, remedy: None, details: Value::Null }
    }

    /// One that breaks for a reason of ours, in the reason's own words.
    pub(super) fn broken(name: &'static str, status: Status, reason: Reason) -> Self {
        Self::cause(name, status, reason.as_str(), reason.meaning(), remedy(reason).unwrap_or_default())
    }

    /// One that breaks for a cause that has a code and words of its own.
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

    /// The same in other words.
    pub(super) fn saying(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// The same with more words.
    pub(super) fn adding(mut self, what: &str) -> Self {
        self.what = format!("{} {what}", self.what);
        self
    }

    /// The same with another remedy.
    pub(super) fn mended_by(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same, with what may have led to it.
    pub(super) fn perhaps_for(mut self, what: &str, remedy: &str) -> Self {
        self.what = format!("{} Perhaps for this: {what}", self.what);
        self.remedy = Some(match self.remedy {
            Some(own) => format!("{own} If it was that: {remedy}"),
            None => remedy.to_owned(),
        });
        self
    }

    /// The same, where the remedy is told at the hop before.
    pub(super) fn without_remedy(mut self) -> Self {
        self.remedy = None;
        self
    }

    /// The same with a reason that is no mistake.
    pub(super) const fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason.as_str());
        self
    }

    /// The same with what a program may want to read.
    pub(super) fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// Name, words, reason and remedy, as the summary of the story they break.
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
