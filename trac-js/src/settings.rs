//! What stands before every request: the attributes of the script tag, and the page as it is now.

use trac_core::click::bytes::{Decoded, Pieces, pieces};
use trac_core::click::dialect::AMBIGUOUS_PARAMETER;
use trac_core::program::AttributionModel;

/// Ends each field of a request. No attribute of HTML can hold it.
const MARK: u8 = 0;

/// The fields of a request, as `head` in `js/page.js` has them.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Field {
    /// The click of this page; it outlives storage that refuses to keep it.
    Id,
    /// `data-stripe-domains`: Payment Link domains of the merchant's own, comma-separated.
    StripeDomains,
    /// `data-outbound-domains`: other sites of the merchant's, comma-separated.
    OutboundDomains,
    /// `data-attribution-model`.
    Model,
    /// `data-dialect`: which names are written.
    Dialect,
    /// `data-consent`.
    Consent,
    /// `data-cookie-days` in seconds: how long cookie and stored ID live.
    MaxAge,
    /// Now, in seconds since 1970.
    Now,
    /// Until when what is stored now is good, in the same.
    Until,
    /// `data-cookie-domain`: empty to find the registrable domain by trying.
    CookieDomain,
    /// The host name of the page.
    Host,
    /// Empty where the page did not come over https.
    Secure,
    /// The URL that the request is about: all that is left.
    Url,
}

// What each dialect writes, in the order trac, selgeo, attro; where it has no name of a kind, trac's. As text they take
// fewer bytes than the tables they are copied from.

/// The URL parameter.
pub(crate) const PARAMETERS: &[u8] = b"trac_click_id,click_id,rd_click_id";

/// The cookie.
pub(crate) const COOKIES: &[u8] = b"trac_click_id,trac_click_id,rd_click_id";

/// The key of web storage.
pub(crate) const STORAGE_KEYS: &[u8] = b"trac_click_id,__selgeo_cid,trac_click_id";

/// The name of the script's object on `window`.
pub(crate) const GLOBALS: &[u8] = b"trac,__selgeo,trac";

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

    pub(crate) fn stripe_domains(self) -> &'a [u8] {
        self.field(Field::StripeDomains)
    }

    pub(crate) fn outbound_domains(self) -> &'a [u8] {
        self.field(Field::OutboundDomains)
    }

    #[inline(never)]
    pub(crate) fn model(self) -> AttributionModel {
        if self.field(Field::Model) == b"first-click" {
            AttributionModel::FirstClick
        } else {
            AttributionModel::LastClick
        }
    }

    /// The name that is written, from one of the lists above. The first letter tells the dialects apart.
    #[inline(never)]
    pub(crate) fn name(self, list: &'static [u8]) -> &'static [u8] {
        let mut names = pieces(list, b',');
        match self.field(Field::Dialect) {
            [b's', ..] => names.next(),
            [b'a', ..] => names.nth(1),
            _ => None,
        };
        names.next().unwrap_or_default()
    }

    /// Whether the URL parameter that is written may be somebody else's.
    pub(crate) fn is_ambiguous(self) -> bool {
        self.name(PARAMETERS) == AMBIGUOUS_PARAMETER
    }

    /// Whether the click may be stored: at once, or with `data-consent` when the visitor has said so.
    pub(crate) fn may_store(self) -> bool {
        self.field(Field::Consent) != b"required"
    }

    pub(crate) fn max_age(self) -> &'a [u8] {
        self.field(Field::MaxAge)
    }

    pub(crate) fn until(self) -> &'a [u8] {
        self.field(Field::Until)
    }

    /// Whether a time lies before now; none does not.
    pub(crate) fn is_past(self, time: &[u8]) -> bool {
        let now = self.field(Field::Now);
        // Decimals of one length compare as text does.
        !time.is_empty() && (time.len() < now.len() || (time.len() == now.len() && time < now))
    }

    pub(crate) fn cookie_domain(self) -> &'a [u8] {
        self.field(Field::CookieDomain)
    }

    pub(crate) fn host(self) -> &'a [u8] {
        self.field(Field::Host)
    }

    pub(crate) fn is_secure(self) -> bool {
        !self.field(Field::Secure).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use trac_core::click::dialect;

    use super::*;

    #[test]
    fn the_names_written_are_the_dialects_own() {
        for dialect in &dialect::ALL {
            let text = ["", "", "", "", dialect.name].join("\0");
            let request = Request(text.as_bytes());
            let check = |list, own: Option<&&str>, or: &str| {
                let name = str::from_utf8(request.name(list)).unwrap();
                assert_eq!(name, own.copied().unwrap_or(or), "{}", dialect.name);
            };
            check(PARAMETERS, dialect.url_parameters.first(), "");
            check(COOKIES, dialect.cookies.first(), "trac_click_id");
            check(STORAGE_KEYS, dialect.storage_keys.first(), "trac_click_id");
            check(GLOBALS, dialect.js_global.as_ref(), "trac");
            assert_eq!(request.is_ambiguous(), dialect.is_ambiguous);
        }
    }

    #[test]
    fn a_request_is_read_in_the_order_it_is_written() {
        let fields = [
            "clk_1",
            "pay.a",
            "other.a",
            "first-click",
            "attro",
            "required",
            "60",
            "999",
            "1059",
            ".a",
            "www.a",
            ":",
        ];
        let text = [fields.join("\0").as_str(), "a\0b"].join("\0");
        let request = Request(text.as_bytes());
        assert!(request.id().is_some_and(|id| id.0 == b"clk_1"));
        assert_eq!((request.stripe_domains(), request.outbound_domains()), (&b"pay.a"[..], &b"other.a"[..]));
        assert_eq!(request.model(), AttributionModel::FirstClick);
        assert_eq!(request.name(COOKIES), b"rd_click_id");
        assert_eq!((request.may_store(), request.is_secure()), (false, true));
        assert_eq!((request.max_age(), request.until()), (&b"60"[..], &b"1059"[..]));
        assert_eq!(
            (request.cookie_domain(), request.host(), request.url()),
            (&b".a"[..], &b"www.a"[..], &b"a\0b"[..])
        );
        let bare = Request(b"");
        assert!(bare.id().is_none() && bare.may_store() && !bare.is_secure());
        assert_eq!(bare.name(COOKIES), b"trac_click_id");
    }

    #[test]
    fn a_time_is_past_when_it_lies_before_now() {
        let text = ["", "", "", "", "", "", "", "1764000000"].join("\0");
        for (time, want) in
            [("1763999999", true), ("1000", true), ("1764000000", false), ("1764000001", false), ("", false)]
        {
            assert_eq!(Request(text.as_bytes()).is_past(time.as_bytes()), want, "{time}");
        }
    }
}
