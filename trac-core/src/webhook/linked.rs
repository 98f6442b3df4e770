//! All IDs that events named in one field of an object.
//!
//! A later event may link an object to another ID. All IDs are stored, so that the order of arrival does not
//! matter.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::join::Join;

/// All IDs that events named in one field of an object; usually one.
///
/// # Wire form
/// `null`, a string, or an array of strings if there are several.
///
/// # Examples
/// ```
/// use trac_core::webhook::join::Join;
/// use trac_core::webhook::linked::Linked;
///
/// let mut linked = Linked::to("pi_1");
/// linked.join(Linked::to("pi_2"));
/// assert_eq!((linked.id(), linked.iter().count()), (Some("pi_2"), 2));
/// assert_eq!(serde_json::to_string(&Linked::to("pi_1"))?, r#""pi_1""#);
/// assert_eq!(serde_json::from_str::<Linked>(r#"["pi_1","pi_2"]"#)?, linked);
/// assert_eq!(serde_json::from_str::<Linked>("null")?, Linked::default());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<Wire>", into = "Option<Wire>")]
pub struct Linked(BTreeSet<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    One(String),
    Several(BTreeSet<String>),
}

impl Linked {
    /// A link to this ID.
    #[must_use]
    pub fn to(id: &str) -> Self {
        Self(BTreeSet::from([id.into()]))
    }

    /// A link to the ID that an event names, if it names one.
    pub(super) fn from_field(id: Option<&str>) -> Self {
        id.map(Self::to).unwrap_or_default()
    }

    /// The ID to show or to follow: the greatest.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// All IDs.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether this ID is one of them.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    /// Whether no event named an ID.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Join for Linked {
    fn join(&mut self, other: Self) {
        self.0.join(other.0);
    }
}

impl From<Option<Wire>> for Linked {
    fn from(wire: Option<Wire>) -> Self {
        match wire {
            None => Self::default(),
            Some(Wire::One(id)) => Self(BTreeSet::from([id])),
            Some(Wire::Several(ids)) => Self(ids),
        }
    }
}

impl From<Linked> for Option<Wire> {
    fn from(linked: Linked) -> Self {
        let mut ids = linked.0;
        if ids.len() > 1 { Some(Wire::Several(ids)) } else { ids.pop_first().map(Wire::One) }
    }
}
