//! A click as it is kept, however it came: by a tracked link, by the script, by hand, or out of the spool.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trac_core::click::ClickId;
use trac_core::time::Timestamp;

use super::StoreError;
use super::rows::Everywhere;

/// A click to be written. What all clicks on a link say is shared by them.
///
/// It is the JSON of the spool as well: a field that is added must be one that older lines may lack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewClick {
    pub(crate) id: ClickId,
    pub(crate) program_id: Arc<str>,
    pub(crate) partner_id: Arc<str>,
    pub(crate) link_id: Option<Arc<str>>,
    pub(crate) clicked_at: Timestamp,
    /// Whether it is the visitor's first; `None` asks the store when it is written. `Some(false)` is no visit: it stands for a promo code.
    pub(crate) is_unique: Option<bool>,
    /// The visitor's mark of the day on this link.
    pub(crate) visitor: Option<[u8; 16]>,
    /// The click that the visitor carried already.
    pub(crate) last_click: Option<ClickId>,
    pub(crate) referrer: Option<String>,
    pub(crate) landing_url: Option<Arc<str>>,
}

/// What must be so for a click to be kept: that its link is what the visitor was led by.
pub(crate) trait Condition: Send + Sync {
    /// Asks the store.
    ///
    /// # Errors
    /// The store's.
    fn holds(&self, tx: Everywhere<'_>) -> Result<bool, StoreError>;
}

impl NewClick {
    /// What was followed, by which a visitor is told from one who comes again: the link, or the partner.
    pub(crate) fn subject(&self) -> &str {
        self.link_id.as_ref().unwrap_or(&self.partner_id)
    }

    /// Whether somebody came, who may have come before.
    pub(super) fn is_visit(&self) -> bool {
        self.is_unique != Some(false)
    }
}
