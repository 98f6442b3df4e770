//! The response of explain as types. The JSON is that of `GET /api/v1/explain/{id}`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use trac_core::time::Timestamp;

use crate::web::{Amount, Code, Moment};

/// A response of explain.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// The kind of ID that was looked up.
    pub(super) kind: String,
    pub(super) summary: String,
    first_missing_hop: Option<String>,
    pub(super) remedy: Option<String>,
    pub(super) stories: Vec<Story>,
}

/// The hops of one payment, or of a click or event that led to no payment.
#[derive(Debug, Deserialize)]
pub(super) struct Story {
    pub(super) payment_id: Option<String>,
    pub(super) hops: Vec<Hop>,
}

/// One hop.
#[derive(Debug, Deserialize)]
pub(super) struct Hop {
    #[serde(rename = "hop")]
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) what: String,
    reason: Option<String>,
    pub(super) remedy: Option<String>,
    details: Details,
}

/// Whether a hop was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    Missing,
    Refused,
    Waiting,
}

/// The details of a hop that pages show.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Details {
    /// The commissions of a payment.
    Commissions(Vec<Earned>),
    /// The possible causes of a missing hop, the likeliest first.
    Causes {
        causes: Vec<Cause>,
    },
    Other(IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct Earned {
    entries: Vec<Entry>,
}

/// A possible cause of a missing hop.
#[derive(Debug, Deserialize)]
pub(super) struct Cause {
    pub(super) what: String,
    pub(super) remedy: String,
}

/// An entry of the ledger.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(deserialize_with = "moment")]
    pub(super) at: Moment,
    pub(super) kind: String,
    amount_minor: i64,
    currency: String,
    reason: String,
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
    let text = String::deserialize(deserializer)?;
    let moment = Timestamp::parse_rfc3339(&text).map(Moment);
    moment.ok_or_else(|| serde::de::Error::custom("a time is not RFC 3339"))
}

impl Answer {
    /// A response without stories.
    pub(super) const fn of_nothing(summary: String, remedy: String) -> Self {
        Self {
            kind: String::new(),
            summary,
            first_missing_hop: None,
            remedy: Some(remedy),
            stories: Vec::new(),
        }
    }

    /// Whether no hop is missing.
    pub(super) const fn is_whole(&self) -> bool {
        self.first_missing_hop.is_none() && !self.stories.is_empty()
    }
}

impl Hop {
    /// The reason code of a hop that is not `ok`.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref().filter(|_| self.status != Status::Ok)
    }

    /// The entries of the ledger.
    pub(super) fn entries(&self) -> Vec<&Entry> {
        match &self.details {
            Details::Commissions(commissions) => {
                commissions.iter().flat_map(|commission| &commission.entries).collect()
            }
            Details::Causes { .. } | Details::Other(_) => Vec::new(),
        }
    }

    /// The other possible causes; the likeliest one is in `what` and `remedy`.
    pub(super) fn other_causes(&self) -> &[Cause] {
        match &self.details {
            Details::Causes { causes } => causes.get(1..).unwrap_or_default(),
            Details::Commissions(_) | Details::Other(_) => &[],
        }
    }
}

impl Status {
    /// The name in style sheets.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
        }
    }

    /// The word for screen readers.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "yes",
            Self::Missing => "missing",
            Self::Refused => "stopped",
            Self::Waiting => "waiting",
        }
    }
}

impl Entry {
    pub(super) fn amount(&self) -> Amount {
        Amount::new(self.amount_minor, &self.currency)
    }

    pub(super) fn code(&self) -> Code {
        Code(self.reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_response_is_read_with_the_details_that_pages_show() {
        let hop = |details| json!({ "hop": "event", "status": "missing", "what": "W.", "reason": "no_click", "remedy": null, "details": details });
        let entry = json!({ "at": "2026-11-21T08:00:00Z", "kind": "earn", "amount_minor": 5, "currency": "usd", "reason": "ok" });
        let causes = json!({ "causes": [{ "what": "A", "remedy": "a", "reason": "x" }, { "what": "B", "remedy": "b", "reason": "y" }] });
        let hops = [
            hop(json!([{ "entries": [entry] }])),
            hop(causes),
            hop(json!([{ "id": "evl_1" }])),
            hop(json!(null)),
        ];
        let answer = json!({ "kind": "click", "summary": "S.", "first_missing_hop": "event", "remedy": "R.", "found": true,
            "stories": [{ "payment_id": null, "hops": hops }] });
        let answer = Answer::deserialize(&answer).unwrap();
        assert!(!answer.is_whole());
        let hops = &answer.stories[0].hops;
        let entries: Vec<_> = hops.iter().map(|hop| hop.entries().len()).collect();
        assert_eq!(entries, [1, 0, 0, 0]);
        assert_eq!(hops[0].entries()[0].amount().signed(), "+0.05 USD");
        let others: Vec<_> = hops.iter().flat_map(Hop::other_causes).map(|cause| &*cause.what).collect();
        assert_eq!(others, ["B"]);
        assert_eq!(hops[0].reason(), Some("no_click"));
    }
}
