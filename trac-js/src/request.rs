//! A request of JavaScript's: the fields that stand before the URL it is about.

use trac_core::click::bytes::{Decoded, Pieces, pieces};
use trac_core::click::dialect::AMBIGUOUS_PARAMETER;
use trac_core::program::AttributionModel;

/// Ends each field of a request. No attribute of HTML and no cookie can hold it.
const MARK: u8 = 0;

/// The fields of a request, as `ask` in `js/ask.js` has them.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Field {
    /// The click of this page; it outlives storage that refuses to keep it.
    Id,
    /// The URL parameter that is written.
    Parameter,
    /// `data-stripe-domains`: Payment Link domains of the merchant's own, comma-separated.
    StripeDomains,
    /// `data-outbound-domains`: other sites of the merchant's, comma-separated.
    OutboundDomains,
    /// `data-attribution-model`.
    Model,
    /// `document.cookie`; then in its form, under the empty name, what storage and memory hold.
    Kept,
    /// The URL that the request is about: all that is left.
    Url,
}

/// What the merchant set, and where the page stands: read where it is needed, since no request needs it all.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a>(pub(crate) &'a [u8]);

impl<'a> Request<'a> {
    /// A field and what comes after it.
    #[inline(never)]
    #[expect(clippy::as_conversions, reason = "the number of a variant is read in no other way")]
    fn from(self, field: Field) -> Pieces<'a> {
        let mut fields = pieces(self.0, MARK);
        for _ in 0..field as usize {
            fields.next();
        }
        fields
    }

    #[inline(never)]
    fn field(self, field: Field) -> &'a [u8] {
        self.from(field).next().unwrap_or_default()
    }

    pub(crate) fn url(self) -> &'a [u8] {
        self.from(Field::Url).rest()
    }

    pub(crate) fn id(self) -> Option<Decoded<'a>> {
        Some(Decoded(self.field(Field::Id))).filter(|id| !id.0.is_empty())
    }

    pub(crate) fn parameter(self) -> &'a [u8] {
        self.field(Field::Parameter)
    }

    /// Whether the URL parameter that is written may be somebody else's.
    pub(crate) fn is_ambiguous(self) -> bool {
        self.parameter() == AMBIGUOUS_PARAMETER
    }

    pub(crate) fn stripe_domains(self) -> &'a [u8] {
        self.field(Field::StripeDomains)
    }

    pub(crate) fn outbound_domains(self) -> &'a [u8] {
        self.field(Field::OutboundDomains)
    }

    /// `first-click` alone has the letter.
    #[inline(never)]
    pub(crate) fn model(self) -> AttributionModel {
        if let [b'f', ..] = self.field(Field::Model) {
            AttributionModel::FirstClick
        } else {
            AttributionModel::LastClick
        }
    }

    pub(crate) fn kept(self) -> &'a [u8] {
        self.field(Field::Kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_in_the_order_it_is_written() {
        let fields = ["clk_1", "click_id", "pay.a", "other.a", "first-click", "a=b;=c"];
        let text = [fields.join("\0").as_str(), "a\0b"].join("\0");
        let request = Request(text.as_bytes());
        assert!(request.id().is_some_and(|id| id.0 == b"clk_1"));
        assert_eq!((request.parameter(), request.is_ambiguous()), (&b"click_id"[..], true));
        assert_eq!((request.stripe_domains(), request.outbound_domains()), (&b"pay.a"[..], &b"other.a"[..]));
        assert_eq!(request.model(), AttributionModel::FirstClick);
        assert_eq!((request.kept(), request.url()), (&b"a=b;=c"[..], &b"a\0b"[..]));
        let bare = Request(b"");
        assert!(bare.id().is_none() && bare.url().is_empty() && !bare.is_ambiguous());
        assert_eq!(bare.model(), AttributionModel::LastClick);
    }
}
