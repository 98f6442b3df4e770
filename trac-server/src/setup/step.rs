//! One step of the set-up, as the dashboard and the API show it.

use serde_json::{Value, json};
use trac_core::time::Timestamp;

/// What the store shows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The store has the evidence.
    Done,
    /// There is no evidence yet.
    Waiting,
    /// Something prevents it.
    Failed,
}

impl Status {
    /// The status in the API.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// One step of the set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) id: &'static str,
    pub(super) status: Status,
    /// What the store shows, in one or two sentences.
    pub(super) what: String,
    /// What to do next; `None` if there is nothing to do.
    pub(super) remedy: Option<String>,
    /// When it was done, or when it failed last.
    pub(super) at: Option<Timestamp>,
}

impl Step {
    pub(super) fn done(id: &'static str, at: Option<Timestamp>, what: impl Into<String>) -> Self {
        Self { id, status: Status::Done, what: what.into(), remedy: None, at }
    }

    pub(super) fn waiting(id: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, status: Status::Waiting, what: what.into(), remedy: Some(remedy.into()), at: None }
    }

    pub(super) fn failed(
        id: &'static str,
        at: Option<Timestamp>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { id, status: Status::Failed, what: what.into(), remedy: Some(remedy.into()), at }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status.as_str(),
            "what": self.what,
            "remedy": self.remedy,
            "at": self.at.map(Timestamp::to_rfc3339),
        })
    }
}

/// How long ago a time was, such as `3 seconds ago`.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    let secs = now.unix_secs().saturating_sub(then.unix_secs()).max(0);
    let (number, unit) = match secs {
        0..60 => (secs, "second"),
        60..3_600 => (secs.div_euclid(60), "minute"),
        3_600..86_400 => (secs.div_euclid(3_600), "hour"),
        _ => (secs.div_euclid(86_400), "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

/// A list as words: `a`, `a and b`, `a, b and c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        let check = |secs: i64, want: &str| {
            let (now, then) =
                (Timestamp::from_unix_secs(1_000_000), Timestamp::from_unix_secs(1_000_000 - secs));
            assert_eq!(ago(now, then), want);
        };
        check(-5, "0 seconds ago");
        check(1, "1 second ago");
        check(59, "59 seconds ago");
        check(60, "1 minute ago");
        check(7_199, "1 hour ago");
        check(86_400 * 3, "3 days ago");
    }

    #[test]
    fn a_list_ends_with_and() {
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }
}
