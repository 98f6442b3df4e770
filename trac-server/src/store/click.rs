//! A click as it is recorded, whatever its origin: a tracked link, the script, a click added by hand, or the
//! spool.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trac_core::click::ClickId;
use trac_core::time::Timestamp;

use super::StoreError;
use super::rows::Everywhere;

/// A click to be written. The values that all clicks on a link have in common are shared (`Arc`).
///
/// It is also the JSON of the spool: a new field must be optional, since older lines lack it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewClick {
    pub(crate) id: ClickId,
    pub(crate) program_id: Arc<str>,
    pub(crate) partner_id: Arc<str>,
    pub(crate) link_id: Option<Arc<str>>,
    pub(crate) clicked_at: Timestamp,
    /// Whether it is the visitor's first; `None` if that is found out when the click is written. `Some(false)`
    /// is not a visit: the click represents a promotion code, or a partner to whom a customer was assigned.
    pub(crate) is_unique: Option<bool>,
    /// The visitor's mark for the day and this link.
    pub(crate) visitor: Option<[u8; 16]>,
    /// The click whose ID the visitor already carried.
    pub(crate) last_click: Option<ClickId>,
    pub(crate) referrer: Option<String>,
    pub(crate) landing_url: Option<Arc<str>>,
}

/// The condition for recording a click: that its link is unchanged since the visitor was redirected.
pub(crate) trait Condition: Send + Sync {
    /// Checks the condition against the database.
    ///
    /// # Errors
    /// The store's.
    fn holds(&self, tx: Everywhere<'_>) -> Result<bool, StoreError>;
}

impl NewClick {
    /// The ID of the link that was followed, or of the partner if there is no link. Part of the mark by which a
    /// repeated visit is recognized.
    pub(crate) fn subject(&self) -> &str {
        self.link_id.as_ref().unwrap_or(&self.partner_id)
    }

    /// Whether it is a visit, first or repeated.
    pub(super) fn is_visit(&self) -> bool {
        self.is_unique != Some(false)
    }
}
