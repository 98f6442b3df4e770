//! First or last touch: which of two clicks is stored.

use crate::click::bytes::Decoded;
use crate::click::{ClickId, Form, form};
use crate::program::AttributionModel;

/// Chooses which of the stored ID and the one that arrives in a URL is stored.
///
/// Under [`AttributionModel::FirstClick`] the stored one stays. Under [`AttributionModel::LastClick`] the
/// arriving one replaces it, unless it is foreign and the stored one is [native](ClickId::is_native): anyone
/// can put an ID into a link, so a foreign ID never replaces a native one.
///
/// # Examples
/// ```
/// use trac_core::click::ClickId;
/// use trac_core::cookie;
/// use trac_core::program::AttributionModel::{FirstClick, LastClick};
///
/// let (old, new, foreign) = (ClickId::new(1, 1), ClickId::new(2, 2), ClickId::parse("foreign")?);
/// assert_eq!(cookie::keep(Some(&old), Some(&new), LastClick), Some(&new));
/// assert_eq!(cookie::keep(Some(&old), Some(&new), FirstClick), Some(&old));
/// assert_eq!(cookie::keep(Some(&old), Some(&foreign), LastClick), Some(&old));
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
#[must_use]
pub fn keep<'a>(
    stored: Option<&'a ClickId>,
    arriving: Option<&'a ClickId>,
    model: AttributionModel,
) -> Option<&'a ClickId> {
    match (stored, arriving) {
        (Some(stored), Some(arriving)) => {
            let by = |id: &'a ClickId| Decoded(id.as_str().as_bytes());
            Some(if displaces(by(arriving), by(stored), model) { arriving } else { stored })
        }
        (stored, arriving) => stored.or(arriving),
    }
}

/// Whether an arriving ID replaces a stored one; see [`keep`].
#[must_use]
pub fn displaces(arriving: Decoded<'_>, stored: Decoded<'_>, model: AttributionModel) -> bool {
    model == AttributionModel::LastClick && (form(arriving) == Form::Native || form(stored) != Form::Native)
}
