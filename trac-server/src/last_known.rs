//! What links said when the store was last read: for the moment when it cannot be, and to be compared with what it says in the
//! transaction that writes a click, which is cheaper than to read it before.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::store::{Scope, StoreError};

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

/// Links by the path that leads to them, in lower case: whoever types a link does not mind the case, and whoever plays with it
/// takes no more room. Clones share what is remembered.
#[derive(Clone, Default)]
pub(crate) struct LastKnown {
    links: Arc<RwLock<HashMap<String, Arc<KnownLink>>>>,
    compared: Arc<Mutex<Compared>>,
}

/// The links that were compared with the store in one transaction, and are as it says.
#[derive(Default)]
struct Compared {
    group: u64,
    links: Vec<Arc<KnownLink>>,
}

impl LastKnown {
    /// Remembers what the store said: a link, or that there is none.
    pub(crate) fn heard(&self, path: &str, link: Option<&Arc<KnownLink>>) {
        let path = path.to_ascii_lowercase();
        let known = self.link(&path);
        if known.as_ref() == link {
            return;
        }
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        match link {
            Some(link) if known.is_some() || links.len() < LINKS_MAX => {
                links.insert(path, Arc::clone(link));
            }
            Some(_) => {}
            None => {
                links.remove(&path);
            }
        }
    }

    /// The link as it was.
    pub(crate) fn link(&self, path: &str) -> Option<Arc<KnownLink>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner).get(&path.to_ascii_lowercase()).cloned()
    }

    /// Whether the store still says the same of a link that is remembered: asked once in each transaction, by its number.
    pub(crate) fn is_so_in(
        &self,
        group: u64,
        link: &Arc<KnownLink>,
        ask: impl FnOnce() -> Result<Option<KnownLink>, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if compared.group != group {
            compared.links.clear();
            compared.group = group;
        }
        // Each path has a link of its own here, so the same pointer was found by the same path.
        if compared.links.iter().any(|known| Arc::ptr_eq(known, link)) {
            return Ok(true);
        }
        let is_so = ask()?.is_some_and(|said| said == **link);
        if is_so {
            compared.links.push(Arc::clone(link));
        }
        Ok(is_so)
    }
}

impl fmt::Debug for LastKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("LastKnown").field("links", &links).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use trac_core::program::Mode;

    use super::*;

    fn a_link(id: &str) -> KnownLink {
        KnownLink {
            scope: Scope::new("ws_1", Mode::Live),
            id: id.to_owned(),
            program_id: "prog_1".to_owned(),
            partner_id: "part_1".to_owned(),
            destination: "https://shop.example/".to_owned(),
            is_archived: false,
        }
    }

    #[test]
    fn a_link_is_compared_once_in_each_transaction() {
        let link = |destination: &str| KnownLink { destination: destination.into(), ..a_link("link_1") };
        let (known, remembered) = (LastKnown::default(), Arc::new(link("https://a.example/")));
        let check = |group: u64, says: Option<KnownLink>, want: (bool, bool)| {
            let mut asked = false;
            let ask = || {
                asked = true;
                Ok(says)
            };
            let is_so = known.is_so_in(group, &remembered, ask).unwrap();
            assert_eq!((is_so, asked), want, "transaction {group}");
        };
        check(1, Some(link("https://a.example/")), (true, true));
        check(1, None, (true, false));
        check(2, Some(link("https://b.example/")), (false, true));
        check(2, Some(KnownLink { is_archived: true, ..link("https://a.example/") }), (false, true));
        check(2, None, (false, true));
        check(3, Some(link("https://a.example/")), (true, true));
    }

    #[test]
    fn a_link_is_remembered_once_whatever_the_case() {
        let link = |id: &str| Arc::new(a_link(id));
        let (known, ada) = (LastKnown::default(), link("link_1"));
        for path in ["ada", "ADA", "Ada"] {
            known.heard(path, Some(&ada));
            assert_eq!(known.link("aDa"), Some(Arc::clone(&ada)), "{path}");
        }
        assert_eq!(format!("{known:?}"), "LastKnown { links: 1, .. }");
        known.heard("ada", Some(&link("link_2")));
        assert_eq!(known.link("Ada"), Some(link("link_2")));
        known.heard("ADA", None);
        assert_eq!(known.link("ada"), None);
    }
}
