//! Decides how to change one URL or reference on the page that leads to Stripe.
//!
//! The response to each request is one text: empty if the URL is not part of a checkout, `=` if nothing is to
//! be changed, `!` and a reason if the merchant's own value stays, otherwise the new value.

use trac_core::checkout::link::{Judged, is_on, judge};
use trac_core::checkout::reference::PARAMETER;
use trac_core::click::bytes::Sink as _;
use trac_core::click::query::add_to;

use crate::click;
use crate::memory::Tape;
use crate::request::Request;

/// The response if nothing is to be changed.
const SETTLED: &[u8] = b"=";

/// The response if the merchant's own reference stays.
const MERCHANT_REFERENCE: &[u8] = b"!merchant_reference";

/// Decides about a URL: the `href` of a link, the `action` of a form that posts, or the first argument of
/// `window.open`. For the reference of a Buy Button, a Pricing Table or a hidden field, the request contains
/// the URL that the reference becomes part of. JavaScript has already removed the characters that a browser
/// removes before it parses a URL.
#[inline(never)]
pub(crate) fn link(mut tape: Tape<'_>, request: Request<'_>) {
    let url = request.url();
    match judge(url, request.id(), request.model(), request.stripe_domains()) {
        Judged::Free(id) => add_to(&mut tape, url, PARAMETER.as_bytes(), id),
        Judged::MerchantReference => tape.put(MERCHANT_REFERENCE),
        Judged::AlreadyOurs | Judged::NoClick => tape.put(SETTLED),
        Judged::NotAPaymentLink => {
            if let Some(id) = request.id().filter(|_| is_on(url, request.outbound_domains())) {
                click::add_click(tape, url, id, request);
            }
        }
    }
}
