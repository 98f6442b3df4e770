//! Where links led when the store was last readable: for the moment when it is not, and for nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// How many links are remembered. Beyond that, those that come later are not.
const LINKS_MAX: usize = 50_000;

/// Destinations by slug. Clones share what is remembered.
#[derive(Clone, Default)]
pub(crate) struct LastKnown(Arc<RwLock<HashMap<String, String>>>);

impl LastKnown {
    /// Remembers what the store said: a destination, or that there is no such link.
    pub(crate) fn heard(&self, slug: &str, destination: Option<&str>) {
        let known = self.destination(slug);
        if known.as_deref() == destination {
            return;
        }
        let mut links = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match destination {
            Some(destination) if known.is_some() || links.len() < LINKS_MAX => {
                links.insert(slug.to_owned(), destination.to_owned());
            }
            Some(_) => {}
            None => {
                links.remove(slug);
            }
        }
    }

    /// Where the link led.
    pub(crate) fn destination(&self, slug: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(slug).cloned()
    }
}

impl fmt::Debug for LastKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("LastKnown").field("links", &links).finish()
    }
}
