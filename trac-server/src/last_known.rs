//! What links said when the store was last readable: for the moment when it is not, and for nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Scope;

/// How many links are remembered. Beyond that, those that come later are not.
pub(crate) const LINKS_MAX: usize = 50_000;

/// All that a redirect needs of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownLink {
    pub(crate) scope: Scope,
    pub(crate) id: String,
    pub(crate) program_id: String,
    pub(crate) partner_id: String,
    pub(crate) destination: String,
    /// Whether its visitors are still counted.
    pub(crate) is_archived: bool,
}

/// Links by the path that leads to them. Clones share what is remembered.
#[derive(Clone, Default)]
pub(crate) struct LastKnown(Arc<RwLock<HashMap<String, Arc<KnownLink>>>>);

impl LastKnown {
    /// Remembers what the store said: a link, or that there is none.
    pub(crate) fn heard(&self, path: &str, link: Option<&Arc<KnownLink>>) {
        let known = self.link(path);
        if known.as_ref() == link {
            return;
        }
        let mut links = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match link {
            Some(link) if known.is_some() || links.len() < LINKS_MAX => {
                links.insert(path.to_owned(), Arc::clone(link));
            }
            Some(_) => {}
            None => {
                links.remove(path);
            }
        }
    }

    /// The link as it was.
    pub(crate) fn link(&self, path: &str) -> Option<Arc<KnownLink>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}

impl fmt::Debug for LastKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("LastKnown").field("links", &links).finish()
    }
}
