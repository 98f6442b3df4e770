//! A request to the merchant's server: the click that counts, and the cookie to set.

use alloc::string::String;

use super::{Attributes, keep, set};
use crate::click::{ClickId, dialect};
use crate::program::AttributionModel;

/// The click of a request whose URL contains one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The click that counts from now on.
    pub click: ClickId,
    /// The `Set-Cookie` value, if the cookie does not contain that click yet.
    pub cookie: Option<String>,
}

impl Arrival {
    /// Chooses between the click in the cookie and the one in the URL by [`keep`]. `None` if the URL contains
    /// no click: then nothing changes.
    ///
    /// # Examples
    /// ```
    /// use trac_core::click::ClickId;
    /// use trac_core::cookie::{Arrival, Attributes};
    /// use trac_core::program::AttributionModel::{FirstClick, LastClick};
    ///
    /// let attributes = Attributes { domain: None, days: 1, secure: true };
    /// let (old, new) = (ClickId::new(1, 1), ClickId::new(2, 2));
    /// let arrival = Arrival::of(Some(&old), Some(&new), LastClick, &attributes);
    /// assert_eq!(arrival.and_then(|arrival| arrival.cookie).map(|cookie| cookie.contains(new.as_str())), Some(true));
    /// let arrival = Arrival::of(Some(&old), Some(&new), FirstClick, &attributes);
    /// assert_eq!(arrival, Some(Arrival { click: old, cookie: None }));
    /// assert_eq!(Arrival::of(Some(&new), None, LastClick, &attributes), None);
    /// ```
    #[must_use]
    pub fn of(
        stored: Option<&ClickId>,
        arriving: Option<&ClickId>,
        model: AttributionModel,
        attributes: &Attributes<'_>,
    ) -> Option<Self> {
        let click = keep(stored, Some(arriving?), model)?.clone();
        let name = dialect::TRAC.cookies.first().filter(|_| stored != Some(&click));
        Some(Self { cookie: name.map(|name| set(name, &click, attributes)), click })
    }
}
