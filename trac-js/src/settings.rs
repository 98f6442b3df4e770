//! What stands before every request: the attributes of the script tag, and the page as it is now.

use trac_core::click::bytes::{Decoded, pieces};
use trac_core::click::dialect::{self, Dialect};
use trac_core::program::AttributionModel;

/// Browsers keep no cookie longer.
const LONGEST_DAYS: u32 = 400;

const DEFAULT_DAYS: u32 = 90;

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
    /// `data-cookie-days`, of cookie and stored ID.
    Days,
    /// `data-cookie-domain`: empty to find the registrable domain by trying.
    CookieDomain,
    /// The host name of the page.
    Host,
    /// The scheme of the page, with its colon.
    Scheme,
    /// Seconds since 1970.
    Now,
    /// The reference found on the page, where the request is about one.
    Found,
}

const FIELDS: usize = 12;

/// The names that a dialect writes; where it has none of a kind, trac's.
pub(crate) struct Names {
    pub(crate) parameter: &'static str,
    pub(crate) cookie: &'static str,
    pub(crate) storage: &'static str,
    pub(crate) js_global: &'static str,
    pub(crate) is_ambiguous: bool,
}

impl Names {
    const fn of(dialect: &Dialect) -> Self {
        Self {
            parameter: first(dialect.url_parameters, "trac_click_id"),
            cookie: first(dialect.cookies, "trac_click_id"),
            storage: first(dialect.storage_keys, "trac_click_id"),
            js_global: match dialect.js_global {
                Some(name) => name,
                None => "trac",
            },
            is_ambiguous: dialect.is_ambiguous,
        }
    }
}

const fn first(names: &[&'static str], or: &'static str) -> &'static str {
    match names {
        [first, ..] => first,
        [] => or,
    }
}

static TRAC: Names = Names::of(&dialect::TRAC);
static SELGEO: Names = Names::of(&dialect::SELGEO);
static ATTRO: Names = Names::of(&dialect::ATTRO);

/// What the merchant set, and where the page stands.
pub(crate) struct Request<'a> {
    fields: [&'a [u8]; FIELDS],
    /// The URL that the request is about: all that is left.
    pub(crate) url: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Self {
        let mut pieces = pieces(text, MARK);
        let mut fields = [&[][..]; FIELDS];
        for field in &mut fields {
            *field = pieces.next().unwrap_or_default();
        }
        Self { fields, url: pieces.rest() }
    }

    #[expect(clippy::as_conversions, reason = "the number of a variant is read in no other way")]
    fn field(&self, field: Field) -> &'a [u8] {
        self.fields.get(field as usize).copied().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> Option<Decoded<'a>> {
        Some(Decoded(self.field(Field::Id))).filter(|id| !id.0.is_empty())
    }

    pub(crate) fn stripe_domains(&self) -> &'a [u8] {
        self.field(Field::StripeDomains)
    }

    pub(crate) fn outbound_domains(&self) -> &'a [u8] {
        self.field(Field::OutboundDomains)
    }

    #[inline(never)]
    pub(crate) fn model(&self) -> AttributionModel {
        if self.field(Field::Model) == b"first-click" {
            AttributionModel::FirstClick
        } else {
            AttributionModel::LastClick
        }
    }

    #[inline(never)]
    pub(crate) fn names(&self) -> &'static Names {
        match self.field(Field::Dialect) {
            b"selgeo" => &SELGEO,
            b"attro" => &ATTRO,
            _ => &TRAC,
        }
    }

    /// Whether the click may be stored: at once, or with `data-consent` when the visitor has said so.
    pub(crate) fn may_store(&self) -> bool {
        self.field(Field::Consent) != b"required"
    }

    #[inline(never)]
    pub(crate) fn days(&self) -> u32 {
        days(self.field(Field::Days))
    }

    pub(crate) fn cookie_domain(&self) -> &'a [u8] {
        self.field(Field::CookieDomain)
    }

    /// The host, unless it is an IPv4 address.
    pub(crate) fn host(&self) -> &'a [u8] {
        let host = self.field(Field::Host);
        if matches!(host, [.., b'0'..=b'9']) { b"" } else { host }
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.field(Field::Scheme) == b"https:"
    }

    pub(crate) fn now(&self) -> u32 {
        number(self.field(Field::Now)).unwrap_or(0)
    }

    pub(crate) fn found(&self) -> Decoded<'a> {
        Decoded(self.field(Field::Found))
    }
}

/// A number of days that browsers grant; any other text is as good as none.
fn days(text: &[u8]) -> u32 {
    number(text).filter(|days| (1..=LONGEST_DAYS).contains(days)).unwrap_or(DEFAULT_DAYS)
}

/// Reads a decimal number; the parser of `core` would come with signs, radixes and reasons.
#[inline(never)]
pub(crate) fn number(text: &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    (!text.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_no_browser_grants_are_left_out() {
        for (text, want) in
            [("1", 1), ("90", 90), ("400", 400), ("401", 90), ("0", 90), ("", 90), ("9 days", 90)]
        {
            assert_eq!(days(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn only_decimals_are_numbers() {
        for (text, want) in [("0", 0), ("0000000007", 7), ("4294967295", u32::MAX)] {
            assert_eq!(number(text.as_bytes()), Some(want));
        }
        for wrong in ["", "-1", "+1", " 1", "1.5", "0x1", "4294967296", "٣"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_is_read_in_the_order_it_is_written() {
        let text = [
            "clk_1",
            "pay.a",
            "other.a",
            "first-click",
            "attro",
            "required",
            "007",
            ".a",
            "www.a",
            "https:",
            "1764000000",
            "user_17",
            "a\0b",
        ]
        .join("\0");
        let request = Request::read(text.as_bytes());
        assert!(request.id().is_some_and(|id| id.0 == b"clk_1"));
        assert_eq!((request.stripe_domains(), request.outbound_domains()), (&b"pay.a"[..], &b"other.a"[..]));
        assert_eq!(request.model(), AttributionModel::FirstClick);
        assert_eq!(request.names().cookie, "rd_click_id");
        assert_eq!((request.may_store(), request.days(), request.is_secure()), (false, 7, true));
        assert_eq!((request.cookie_domain(), request.host()), (&b".a"[..], &b"www.a"[..]));
        assert_eq!(
            (request.now(), request.found().0, request.url),
            (1_764_000_000, &b"user_17"[..], &b"a\0b"[..])
        );
        let bare = Request::read(b"");
        assert!(bare.id().is_none() && bare.may_store() && bare.days() == 90);
        assert_eq!((bare.names().cookie, bare.names().storage), ("trac_click_id", "trac_click_id"));
    }
}
