//! What becomes of one place on the page that leads to Stripe.
//!
//! Each question is answered with one text: empty where the place has nothing to do with a checkout, `=` where it is
//! as it should be, `!` and a reason where something of the merchant's is respected, else the new value.

use trac_core::checkout::link::{Judged, is_on, judge};
use trac_core::checkout::reference::PARAMETER;
use trac_core::click::bytes::Sink as _;
use trac_core::click::query::add_to;

use crate::click;
use crate::memory::Tape;
use crate::request::Request;

/// Said of a place that is as it should be.
const SETTLED: &[u8] = b"=";

/// Said where the merchant's own reference stays.
const MERCHANT_REFERENCE: &[u8] = b"!merchant_reference";

/// A URL on its way: the `href` of a link, the `action` of a form that posts, the first argument of
/// `window.open`. The reference of a Buy Button, a Pricing Table or a hidden field is asked about on the URL that it will be
/// part of. JavaScript has taken out what a browser takes out of a URL before it looks.
#[inline(never)]
pub(crate) fn link(mut tape: Tape<'_>, request: Request<'_>) {
    let url = request.url();
    match judge(url, request.id(), request.model(), request.stripe_domains()) {
        Judged::Free(id) => add_to(&mut tape, url, PARAMETER.as_bytes(), id),
        Judged::MerchantReference => tape.put(MERCHANT_REFERENCE),
        Judged::AlreadyOurs | Judged::NoClick => tape.put(SETTLED),
        Judged::NotAPaymentLink => {
            if let Some(id) = request.id().filter(|_| is_on(url, request.outbound_domains())) {
                click::carry(tape, url, id, request);
            }
        }
    }
}
