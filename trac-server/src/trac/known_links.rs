//! The last known state of each link: used when the store cannot be read, and compared with the store when a
//! click is written, which is cheaper than a read before each redirect.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Scope;

/// How many links are remembered at most. Further ones are not.
pub(crate) const LINKS_MAX: usize = 50_000;

/// The name of a link in a public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkName {
    Slug(String),
    /// A partner's newest link in a program.
    Code {
        program: String,
        code: String,
    },
    /// The same name in test mode; live mode may use it for another link.
    Test(Box<Self>),
}

impl LinkName {
    /// The path after `/s/`; in test mode, the whole path.
    pub(crate) fn path(&self) -> Cow<'_, str> {
        match self {
            Self::Slug(slug) => slug.into(),
            Self::Code { program, code } => format!("{program}/{code}").into(),
            Self::Test(name) => format!("/t/{}", name.path()).into(),
        }
    }
}

/// The fields of a link that a redirect needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownLink {
    /// The name that the visitor used.
    pub(crate) name: LinkName,
    pub(crate) scope: Scope,
    pub(crate) id: Arc<str>,
    pub(crate) program_id: Arc<str>,
    pub(crate) partner_id: Arc<str>,
    pub(crate) destination: Arc<str>,
    /// Whether visits are no longer recorded.
    pub(crate) is_archived: bool,
}

/// Links by their path in lower case: paths match in any case, and spellings of one link occupy one entry.
/// Clones share the links.
#[derive(Clone, Default)]
pub(crate) struct KnownLinks {
    links: Arc<RwLock<HashMap<String, Arc<KnownLink>>>>,
}

impl KnownLinks {
    /// Remembers what the store returned: a link, or that there is none.
    pub(crate) fn remember(&self, path: &str, link: Option<&Arc<KnownLink>>) {
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

    /// The link as last known.
    pub(crate) fn link(&self, path: &str) -> Option<Arc<KnownLink>> {
        let is_lower = !path.bytes().any(|byte| byte.is_ascii_uppercase());
        let path = if is_lower { Cow::Borrowed(path) } else { Cow::Owned(path.to_ascii_lowercase()) };
        self.links.read().unwrap_or_else(PoisonError::into_inner).get(&*path).cloned()
    }
}

impl fmt::Debug for KnownLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("KnownLinks").field("links", &links).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use trac_core::program::Mode;

    use super::*;

    #[test]
    fn a_link_is_remembered_once_whatever_the_case() {
        let link = |id: &str| {
            Arc::new(KnownLink {
                name: LinkName::Slug("ada".to_owned()),
                scope: Scope::new("ws_1", Mode::Live),
                id: id.into(),
                program_id: "prog_1".into(),
                partner_id: "part_1".into(),
                destination: "https://shop.example/".into(),
                is_archived: false,
            })
        };
        let (known, ada) = (KnownLinks::default(), link("link_1"));
        for path in ["ada", "ADA", "Ada"] {
            known.remember(path, Some(&ada));
            assert_eq!(known.link("aDa"), Some(Arc::clone(&ada)), "{path}");
        }
        assert_eq!(format!("{known:?}"), "KnownLinks { links: 1, .. }");
        known.remember("ada", Some(&link("link_2")));
        assert_eq!(known.link("Ada"), Some(link("link_2")));
        known.remember("ADA", None);
        assert_eq!(known.link("ada"), None);
    }
}
