//! A request from JavaScript: its fields, then the URL that it is about.

use trac_core::click::bytes::{Decoded, Pieces, pieces};
use trac_core::click::dialect::AMBIGUOUS_PARAMETER;
use trac_core::program::AttributionModel;

/// Ends each field of a request. No HTML attribute and no cookie can contain this byte.
const MARK: u8 = 0;

/// The fields of a request, in the order in which `ask` in `js/ask.js` writes them.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Field {
    /// The click that this page has in memory, in case storage is blocked.
    Id,
    /// The URL parameter that is written.
    Parameter,
    /// `data-stripe-domains`: Payment Link domains of the merchant's own, comma-separated.
    StripeDomains,
    /// `data-outbound-domains`: other sites of the merchant's, comma-separated.
    OutboundDomains,
    /// `data-attribution-model`.
    Model,
    /// `document.cookie`, followed in the same format, under the empty name, by the values from storage and memory.
    Stored,
    /// The URL that the request is about: the rest of the bytes.
    Url,
}

/// The merchant's settings and the state of the page. Fields are read when needed, because no request needs all
/// of them.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a>(pub(crate) &'a [u8]);

impl<'a> Request<'a> {
    /// The pieces from a field on.
    #[inline(never)]
    #[expect(clippy::as_conversions, reason = "the only way to read the number of a variant")]
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

    /// Whether other systems use the URL parameter that is written, too.
    pub(crate) fn is_ambiguous(self) -> bool {
        self.parameter() == AMBIGUOUS_PARAMETER
    }

    pub(crate) fn stripe_domains(self) -> &'a [u8] {
        self.field(Field::StripeDomains)
    }

    pub(crate) fn outbound_domains(self) -> &'a [u8] {
        self.field(Field::OutboundDomains)
    }

    /// The attribution model. Only `first-click` begins with `f`.
    #[inline(never)]
    pub(crate) fn model(self) -> AttributionModel {
        if let [b'f', ..] = self.field(Field::Model) {
            AttributionModel::FirstClick
        } else {
            AttributionModel::LastClick
        }
    }

    pub(crate) fn stored(self) -> &'a [u8] {
        self.field(Field::Stored)
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
        assert_eq!((request.stored(), request.url()), (&b"a=b;=c"[..], &b"a\0b"[..]));
        let empty = Request(b"");
        assert!(empty.id().is_none() && empty.url().is_empty() && !empty.is_ambiguous());
        assert_eq!(empty.model(), AttributionModel::LastClick);
    }
}
