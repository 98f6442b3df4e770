//! What was this invoice for?
//!
//! An event contains at most ten lines of an invoice. If a program covers only certain products, a payment
//! whose invoice has more lines waits (`products_unknown`): the missing lines are not guessed. The lines of a
//! paid invoice never change.
//!
//! # Wire form
//! `GET /v1/invoices/{id}/lines?limit=100`, then `&starting_after=` with the ID of the last line for as long
//! as `has_more` is true. Source: <https://docs.stripe.com/api/invoice-line-item/list>,
//! <https://docs.stripe.com/api/pagination>.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trac_core::program::Mode;
use trac_core::webhook::invoice::LINES_LISTED;

use super::account::Account;
use super::answer::{Answer, Fact, NOTHING_TRIES, Reply};
use super::stripe::{Page, Stripe, is_of_mode, is_plain};

/// The invoices of payments that wait for their lines, because no event contained all of them.
pub(super) const OPEN: &str = "SELECT p.unlisted_invoice AS stripe_id, e.endpoint_id, e.received_at AS since \
     FROM payment AS p JOIN event AS e ON e.workspace_id = p.workspace_id AND e.mode = p.mode AND e.subject_id = p.id \
     WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.unlisted_invoice IS NOT NULL";
/// The permission that the key needs.
const PERMISSION: &str = "Invoices: read";
/// The most lines that Stripe lists on one page, and the most pages that are requested: two thousand lines in
/// all.
const PAGE_LINES: usize = 100;
const PAGES_MAX: usize = 20;
/// The largest list that is stored, in bytes of Stripe's responses.
const LIST_BYTES_MAX: usize = 8 << 20;

/// Requests all lines of an invoice. If not all are received, none is stored.
pub(super) async fn ask(stripe: &Stripe, account: &Account, invoice: &str) -> Reply {
    let mut list = List::default();
    for _ in 0..PAGES_MAX {
        let path = format!("/v1/invoices/{invoice}/lines?limit={PAGE_LINES}{}", list.after);
        let page = stripe.list(account, PERMISSION, &path).await?;
        let has_more = page.has_more;
        if let Err(why) = list.add(page, account.scope.mode(), invoice) {
            return Ok(nothing(why, NOTHING_TRIES));
        }
        if list.bytes > LIST_BYTES_MAX {
            let why = format!(
                "The invoice's lines take more than {} MiB: they are not read.",
                LIST_BYTES_MAX >> 20
            );
            return Ok(nothing(&why, 1));
        }
        if !has_more {
            return Ok(list.into_answer(invoice));
        }
    }
    let most = PAGE_LINES.saturating_mul(PAGES_MAX);
    Ok(nothing(&format!("The invoice has more than {most} lines: they are not read."), 1))
}

fn nothing(why: &str, tries_max: i64) -> Answer {
    Answer::Nothing { name: "no_lines", why: why.to_owned(), tries_max }
}

/// The lines received so far.
#[derive(Default)]
struct List {
    lines: Vec<Value>,
    ids: BTreeSet<String>,
    /// The end of the next page's URL.
    after: String,
    bytes: usize,
}

impl List {
    /// Adds a page, if all its lines are of the requested invoice and new.
    fn add(&mut self, page: Page, mode: Mode, invoice: &str) -> Result<(), &'static str> {
        for line in &page.data {
            let id = line.get("id").and_then(Value::as_str).filter(|id| is_plain(id));
            let Some(id) = id else { return Err("Stripe listed a line without an ID.") };
            let of = line.get("invoice").and_then(Value::as_str);
            if of.is_some_and(|of| of != invoice) || !is_of_mode(line, mode) {
                return Err("Stripe listed a line of another invoice.");
            }
            if !self.ids.insert(id.to_owned()) {
                return Err("Stripe listed the same line twice.");
            }
            self.after = format!("&starting_after={id}");
        }
        if page.data.is_empty() && page.has_more {
            return Err("Stripe reports more lines, but lists none.");
        }
        self.bytes = self.bytes.saturating_add(page.bytes);
        self.lines.extend(page.data);
        if self.lines.is_empty() { Err("Stripe lists no lines of this invoice.") } else { Ok(()) }
    }

    /// All lines, as an invoice object without other fields.
    fn into_answer(self, invoice: &str) -> Answer {
        let summary = match self.lines.len() {
            1 => format!("listed the one line of the invoice {invoice}"),
            count => format!("listed all {count} lines of the invoice {invoice}"),
        };
        let lines = json!({ "object": "list", "data": self.lines, "has_more": false });
        let object = json!({ "id": invoice, "object": "invoice", "lines": lines });
        let fact = Fact { kind: LINES_LISTED, object, invoice: invoice.to_owned(), summary };
        Answer::Facts { name: "lines", facts: vec![fact] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_added_unless_a_line_is_foreign_repeated_or_without_an_id() {
        let check = |pages: &[(Value, bool)], want: Result<(usize, &str), &str>| {
            let mut list = List::default();
            let added = pages.iter().try_for_each(|(data, has_more)| {
                let data = data.as_array().unwrap().clone();
                list.add(Page { data, has_more: *has_more, bytes: 1 }, Mode::Test, "in_1")
            });
            let got = added.map(|()| (list.lines.len(), list.after.as_str()));
            assert_eq!(got, want, "{pages:?}");
        };
        let one = || json!([{ "id": "il_1", "invoice": "in_1", "livemode": false }]);
        check(&[(one(), false)], Ok((1, "&starting_after=il_1")));
        check(&[(one(), true), (json!([{ "id": "il_2" }]), false)], Ok((2, "&starting_after=il_2")));
        check(&[(one(), true), (json!([]), false)], Ok((1, "&starting_after=il_1")));
        check(&[(json!([]), false)], Err("Stripe lists no lines of this invoice."));
        let more = Err("Stripe reports more lines, but lists none.");
        check(&[(json!([]), true)], more);
        check(&[(one(), true), (json!([]), true)], more);
        check(&[(one(), true), (one(), true)], Err("Stripe listed the same line twice."));
        let foreign = Err("Stripe listed a line of another invoice.");
        check(&[(json!([{ "id": "il_1", "invoice": "in_2" }]), false)], foreign);
        check(&[(json!([{ "id": "il_1", "livemode": true }]), false)], foreign);
        for id in
            [json!(null), json!(7), json!(""), json!("il_1&expand[]=data"), json!("il_1/../.."), json!("é")]
        {
            check(&[(json!([{ "id": id }]), false)], Err("Stripe listed a line without an ID."));
        }
        check(&[(json!([7]), false)], Err("Stripe listed a line without an ID."));
    }
}
