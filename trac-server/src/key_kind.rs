//! The two kinds of API keys.

use serde::Deserialize;
use serde_json::Value;

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// `pk_…`: public, for pages; accepted by the tracking calls.
    Publishable,
    /// `sk_…`: for servers; accepted by the management API.
    Secret,
}

impl KeyKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::Secret => "secret",
        }
    }

    /// The kind of a key, from its row in the API.
    pub(crate) fn of(key: &Value) -> Self {
        if key.get("kind").is_some_and(|kind| kind == "secret") { Self::Secret } else { Self::Publishable }
    }

    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Publishable => "pk",
            Self::Secret => "sk",
        }
    }
}
