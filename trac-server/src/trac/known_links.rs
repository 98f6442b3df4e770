//! What links said when the store was last read: for the moment when it cannot be, and to be compared with what it says when a
//! click is kept, which is cheaper than to read it before.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Scope;

/// How many links are remembered. Beyond that, those that come later are not.
pub(crate) const LINKS_MAX: usize = 50_000;

/// What a public address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkName {
    Slug(String),
    /// A partner's newest link in a program.
    Code {
        program: String,
        code: String,
    },
    /// What it names in test mode, whatever it names in live mode.
    Test(Box<Self>),
}

impl LinkName {
    /// The path behind `/s/`; of test mode, the whole path.
    pub(crate) fn path(&self) -> Cow<'_, str> {
        match self {
            Self::Slug(slug) => slug.into(),
            Self::Code { program, code } => format!("{program}/{code}").into(),
            Self::Test(name) => format!("/t/{}", name.path()).into(),
        }
    }
}

/// All that a redirect needs of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownLink {
    /// By which it was found.
    pub(crate) name: LinkName,
    pub(crate) scope: Scope,
    pub(crate) id: Arc<str>,
    pub(crate) program_id: Arc<str>,
    pub(crate) partner_id: Arc<str>,
    pub(crate) destination: Arc<str>,
    /// Whether its visitors are still counted.
    pub(crate) is_archived: bool,
}

/// Links by the path that leads to them, in lower case: whoever types a link does not mind the case, and whoever plays with it
/// takes no more room. Clones share what is remembered.
#[derive(Clone, Default)]
pub(crate) struct LastKnown {
    links: Arc<RwLock<HashMap<String, Arc<KnownLink>>>>,
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
        let is_lower = !path.bytes().any(|byte| byte.is_ascii_uppercase());
        let path = if is_lower { Cow::Borrowed(path) } else { Cow::Owned(path.to_ascii_lowercase()) };
        self.links.read().unwrap_or_else(PoisonError::into_inner).get(&*path).cloned()
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
