//! One payment: all facts about the same money, and what is read from them.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::shared::Shares;
use crate::money::{Currency, share_half_up};
use crate::program::{Base, ProgramTerms};
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::webhook::facts::{Facts, is_invoice};
use crate::webhook::invoice::{Invoice, InvoiceAmounts, InvoiceLine};
use crate::webhook::join::Latest;
use crate::webhook::report::Report;
use crate::webhook::session::{Session, SessionAmounts};

/// The object from which the amount of a payment is read. Amount and currency come from the same object, the
/// best one known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money<'a> {
    /// A paid invoice.
    Invoice {
        /// Its amounts.
        amounts: &'a InvoiceAmounts,
        /// Its lines, if all are known.
        lines: Option<&'a [InvoiceLine]>,
        /// The amount paid outside Stripe: the larger of the invoice's own figure and the sum of its payment
        /// records.
        outside_minor: i64,
        /// The session of the same payment, if there is one.
        session: Option<&'a SessionAmounts>,
    },
    /// A paid session: one seen with a `payment_status` other than `unpaid`.
    Session(&'a SessionAmounts),
    /// `amount_received` of a PaymentIntent, or `amount_captured` of a charge.
    Bare {
        /// Minor units.
        amount_minor: i64,
        /// Its currency.
        currency: Currency,
        /// The session of the same payment, if there is one: unpaid, or with an amount that is split between
        /// invoices.
        session: Option<&'a SessionAmounts>,
    },
}

/// The Stripe IDs of a payment, one of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is named like the object whose ID it holds")]
pub struct StripeIds {
    pub checkout_session: Option<String>,
    pub payment_intent: Option<String>,
    pub charge: Option<String>,
    pub invoice: Option<String>,
    pub subscription: Option<String>,
    pub customer: Option<String>,
}

impl<'a> Money<'a> {
    /// The amount of a payment: the invoice's if known, else that of a paid session, else the amount a
    /// PaymentIntent received, else the amount a charge captured. If Stripe reported nothing, the amount
    /// that the merchant reported, or else the amount that was claimed.
    ///
    /// # Errors
    /// The reason why there is no amount yet.
    pub fn of(facts: &'a Facts) -> Result<Self, Reason> {
        Self::of_paid(facts, None)
    }

    /// As [`Money::of`]; `paid_click` is the click of a commission that was paid out.
    ///
    /// # Errors
    /// As [`Money::of`].
    pub fn of_paid(facts: &'a Facts, paid_click: Option<&str>) -> Result<Self, Reason> {
        let mut invoices = facts.invoices.iter();
        let known = invoices.find_map(|(id, invoice)| Some((id, invoice, invoice.amounts.as_ref()?)));
        let session = || {
            let mut sessions = facts.sessions.values().filter(|session| !session.is_mode("setup"));
            sessions.find_map(|session| session.amounts.as_ref()).map(|latest| &latest.value)
        };
        if let Some((id, invoice, Latest { value: amounts, .. })) = known {
            let (lines, outside_minor) = (invoice.every_line(), outside_minor(facts, id, amounts));
            return Ok(Self::Invoice { amounts, lines, outside_minor, session: session() });
        }
        let shares = Shares::of(facts);
        let paid = facts.sessions.iter().filter(|(_, session)| session.paid && !session.is_mode("setup"));
        for (id, session) in paid {
            if let Some(Latest { value, .. }) = &session.amounts {
                let own = shares.split(value.total_minor, id);
                if own == value.total_minor {
                    return Ok(Self::Session(value));
                }
                return Ok(Self::Bare { amount_minor: own, currency: value.currency, session: Some(value) });
            }
        }
        let bare = Self::bare(facts, &shares, session());
        bare.or_else(|| Self::reported(facts, paid_click)).ok_or_else(|| why_no_money(facts))
    }

    /// The amount of a PaymentIntent or charge alone.
    fn bare(facts: &Facts, shares: &Shares<'_>, session: Option<&'a SessionAmounts>) -> Option<Self> {
        let received = facts.payment_intents.iter().filter_map(|(id, intent)| {
            let (amount, currency) = intent.received.as_ref()?.value;
            (amount > 0).then_some((id, amount, currency))
        });
        let captured = facts.charges.iter().filter_map(|(id, charge)| {
            let captured = &charge.captured.as_ref()?.value;
            Some((id, captured.captured_minor, captured.currency))
        });
        let (id, amount, currency) = received.chain(captured).next()?;
        Some(Self::Bare { amount_minor: shares.split(amount, id), currency, session })
    }

    /// The reported amount, if Stripe reported nothing.
    fn reported(facts: &Facts, paid_click: Option<&str>) -> Option<Self> {
        let amount = reported_amount(facts, paid_click).filter(|_| !facts.is_reported_by_stripe());
        amount.map(|(amount_minor, currency)| Self::Bare { amount_minor, currency, session: None })
    }

    /// The currency of the payment.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        match self {
            Self::Invoice { amounts, .. } => amounts.currency,
            Self::Session(amounts) => amounts.currency,
            Self::Bare { currency, .. } => *currency,
        }
    }

    /// The amount that the customer paid, with tax and shipping, in minor units.
    #[must_use]
    pub fn gross_minor(&self) -> i64 {
        match self {
            Self::Invoice { amounts, .. } => amounts.whole_minor(),
            Self::Session(amounts) => amounts.total_minor,
            Self::Bare { amount_minor, .. } => *amount_minor,
        }
    }

    /// The part of it that was paid outside Stripe.
    #[must_use]
    pub const fn outside_minor(&self) -> i64 {
        match self {
            Self::Invoice { outside_minor, .. } => *outside_minor,
            Self::Session(_) | Self::Bare { .. } => 0,
        }
    }

    /// Whether it is a change of plan within a period.
    #[must_use]
    pub const fn is_proration(&self) -> bool {
        matches!(self, Self::Invoice { amounts: InvoiceAmounts { proration: true, .. }, .. })
    }

    /// The base of a commission, in minor units; may be zero or negative. `payment_link` is the Payment Link
    /// of the purchase: if the program covers that link, it covers the whole purchase.
    ///
    /// # Errors
    /// * [`Reason::PaidOutOfBand`] if all of it was paid outside Stripe and the program does not count
    ///   such money,
    /// * [`Reason::ProductNotCovered`] and [`Reason::ProductsUnknown`] if it covers certain products only.
    pub fn base_minor(&self, terms: &ProgramTerms, payment_link: Option<&str>) -> Result<i64, Reason> {
        let base = match self {
            Self::Invoice { amounts, outside_minor, session, .. } => {
                invoice_base(amounts, *outside_minor, *session, terms)?
            }
            Self::Session(amounts) => {
                let [tax, shipping] = deductions(terms, [amounts.tax_minor, amounts.shipping_minor]);
                amounts.total_minor.saturating_sub(tax).saturating_sub(shipping)
            }
            Self::Bare { amount_minor, session, .. } => {
                let [tax, shipping] = deductions(terms, of_session(*session, *amount_minor));
                amount_minor.saturating_sub(tax).saturating_sub(shipping)
            }
        };
        let is_payment_link = |product: &String| product.starts_with("plink_");
        let is_bought = |product: &String| Some(product.as_str()) == payment_link;
        if terms.products.is_empty() || terms.products.iter().any(is_bought) {
            return Ok(base);
        }
        match self {
            Self::Invoice { lines: Some(lines), .. } => covered(base, lines, &terms.products),
            // Where only Payment Links are covered, lines cannot add coverage. A bare charge may still get a
            // session with its link.
            Self::Invoice { .. } | Self::Session(_) if terms.products.iter().all(is_payment_link) => {
                Err(Reason::ProductNotCovered)
            }
            _ => Err(Reason::ProductsUnknown),
        }
    }
}

/// The rank of a report. The reports of a payment's smallest rank set its time; [`reported_amount`] chooses
/// its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A report by the merchant.
    Merchant,
    /// A claim that the merchant approved.
    Approved,
    /// A claim that names a click.
    Claimed,
    /// A claim that names no click. For time and amount, claims that name one go before it.
    Clickless,
}

impl Rank {
    /// `None` for a claim that was rejected.
    fn of(report: &Report) -> Option<Self> {
        match (report.by_merchant, &report.verdict) {
            (true, _) => Some(Self::Merchant),
            (false, Some(verdict)) => verdict.value.then_some(Self::Approved),
            (false, None) if report.click.is_some() => Some(Self::Claimed),
            (false, None) => Some(Self::Clickless),
        }
    }
}

/// The reports that set the time of a payment: those of the smallest [`Rank`].
fn reports(facts: &Facts) -> impl Iterator<Item = &Report> {
    let best = facts.reports.values().filter_map(Rank::of).min();
    facts.reports.values().filter(move |report| best.is_some() && Rank::of(report) == best)
}

/// The reported amount: that of the merchant's report, or else that of an approved claim. Claims that are not
/// approved count where the payment has neither a merchant's report nor an approved claim. A commission that
/// was paid out for a claim keeps the amount of that claim, whatever the merchant decides about claims later,
/// and even if the merchant's own report names another click or comes after a rejection.
fn reported_amount(facts: &Facts, paid_click: Option<&str>) -> Option<(i64, Currency)> {
    let amount = |wanted: Rank| {
        let mut of_rank = facts.reports.values().filter(|report| Rank::of(report) == Some(wanted));
        of_rank.find_map(|report| report.amount.as_ref())
    };
    let names_paid = |report: &&Report| paid_click.is_some() && report.click.as_deref() == paid_click;
    let paid_claims = || facts.reports.values().filter(names_paid).filter(|report| !report.by_merchant);
    let of_paid = || paid_claims().find_map(|report| report.amount.as_ref());
    let names_other = |report: &Report| {
        report.by_merchant && report.click.is_some() && report.click.as_deref() != paid_click
    };
    let is_kept = paid_claims().next().is_some()
        && (paid_claims().all(Report::is_rejected) || facts.reports.values().any(names_other));
    let kept = if is_kept { of_paid() } else { None };
    let trusted = kept.or_else(|| amount(Rank::Merchant)).or_else(of_paid).or_else(|| amount(Rank::Approved));
    let is_trusted = facts.reports.values().any(Report::is_trusted);
    let found = trusted.or_else(|| {
        let claimed = || amount(Rank::Claimed).or_else(|| amount(Rank::Clickless));
        if is_trusted { None } else { claimed() }
    });
    found.map(|latest| latest.value)
}

/// Whether the payment is known only from claims of pages that the merchant has not approved.
#[must_use]
pub fn is_only_claimed(facts: &Facts) -> bool {
    !facts.reports.is_empty()
        && !facts.is_reported_by_stripe()
        && !facts.reports.values().any(Report::is_trusted)
}

fn why_no_money(facts: &Facts) -> Reason {
    if is_only_claimed(facts) && facts.reports.values().all(Report::is_rejected) {
        return Reason::RejectedByMerchant;
    }
    if is_only_claimed(facts) {
        return Reason::ClientReported;
    }
    if !facts.reports.is_empty() && !facts.is_reported_by_stripe() {
        return Reason::ZeroAmount;
    }
    let mut sessions = facts.sessions.values();
    if let Some(session) = sessions.next() {
        return if session.is_mode("setup") {
            Reason::SetupMode
        } else if session.failed {
            Reason::PaymentFailed
        } else {
            Reason::UnpaidSession
        };
    }
    if !facts.charges.is_empty() {
        Reason::Uncaptured
    } else if facts.payment_intents.is_empty() {
        Reason::PaymentUnknown
    } else {
        Reason::AmountUnknown
    }
}

/// The part of an invoice that was paid outside Stripe. The event about a payment record may arrive after the
/// invoice's.
fn outside_minor(facts: &Facts, invoice: &str, amounts: &InvoiceAmounts) -> i64 {
    let whole = amounts.whole_minor();
    if amounts.out_of_band {
        return whole;
    }
    let payments = facts.invoice_payments.values();
    let records = payments.filter(|payment| payment.is_outside && payment.invoice.contains(invoice));
    let recorded = records.filter_map(|payment| payment.paid_minor.as_ref()).map(|latest| latest.value);
    recorded.fold(0, i64::saturating_add).max(amounts.off_stripe_minor).clamp(0, whole.max(0))
}

fn invoice_base(
    amounts: &InvoiceAmounts,
    outside_minor: i64,
    session: Option<&SessionAmounts>,
    terms: &ProgramTerms,
) -> Result<i64, Reason> {
    let mut paid = amounts.whole_minor();
    if !terms.count_out_of_band {
        paid = paid.saturating_sub(outside_minor);
        if paid <= 0 && (amounts.out_of_band || outside_minor > 0) {
            return Err(Reason::PaidOutOfBand);
        }
    }
    let share = |part: i64| share_half_up(part, paid, amounts.total_minor);
    let [own_tax, own_shipping] = [share(amounts.tax_minor), share(amounts.shipping_minor)];
    let [session_tax, session_shipping] = of_session(session, paid);
    let or = |own: i64, of_session: i64| if own == 0 { of_session } else { own };
    let parts = [or(own_tax, session_tax), or(own_shipping, session_shipping)];
    let [tax, shipping] = deductions(terms, parts);
    Ok(paid.saturating_sub(tax).saturating_sub(shipping))
}

/// Tax and shipping of a session, in proportion to what was paid.
fn of_session(session: Option<&SessionAmounts>, paid_minor: i64) -> [i64; 2] {
    session.map_or([0, 0], |session| {
        let share = |part: i64| share_half_up(part, paid_minor, session.total_minor);
        [share(session.tax_minor), share(session.shipping_minor)]
    })
}

/// The tax and shipping that these terms do not count.
fn deductions(terms: &ProgramTerms, [tax, shipping]: [i64; 2]) -> [i64; 2] {
    let is_net = terms.base == Base::Net;
    [if is_net { tax } else { 0 }, if terms.include_shipping { 0 } else { shipping }]
}

/// The part of a base that belongs to covered lines; if other lines are credits, at most the base.
fn covered(base: i64, lines: &[InvoiceLine], products: &[String]) -> Result<i64, Reason> {
    let is_covered = |line: &&InvoiceLine| {
        let ids = [line.product.as_ref(), line.price.as_ref()];
        ids.into_iter().flatten().any(|id| products.contains(id))
    };
    let sum = |lines: &mut dyn Iterator<Item = &InvoiceLine>| {
        lines.fold(0_i64, |sum, line| sum.saturating_add(line.net_minor))
    };
    if !lines.iter().any(|line| is_covered(&line)) {
        return Err(Reason::ProductNotCovered);
    }
    let whole = sum(&mut lines.iter());
    Ok(share_half_up(sum(&mut lines.iter().filter(is_covered)), base, whole).min(base.max(0)))
}

/// When the payment happened: `created` of the invoice, else of the session, PaymentIntent or charge, else
/// the time of the report. A lead happened when it was first reported, an adjustment when it was made.
#[must_use]
pub fn time(facts: &Facts) -> Option<Timestamp> {
    let first = |times: &mut dyn Iterator<Item = Option<Timestamp>>| times.flatten().min();
    first(&mut facts.invoices.values().map(|invoice| invoice.created))
        .or_else(|| first(&mut facts.sessions.values().map(|session| session.created)))
        .or_else(|| first(&mut facts.payment_intents.values().map(|intent| intent.created)))
        .or_else(|| first(&mut facts.charges.values().map(|charge| charge.created)))
        .or_else(|| first(&mut reports(facts).map(|report| report.at)))
        .or_else(|| first(&mut facts.reports.values().map(|report| report.at)))
        .or_else(|| first(&mut facts.leads.values().map(|lead| lead.at)))
        .or_else(|| first(&mut facts.adjustments.values().map(|adjustment| adjustment.at)))
}

/// When the money was paid: `status_transitions.paid_at` of the invoice, else `created` of the captured
/// charge, else when the session was completed, else [`time`]. A renewal is charged about an hour after its
/// invoice was created, and a session can be paid days after it was opened.
#[must_use]
pub fn paid_at(facts: &Facts) -> Option<Timestamp> {
    let first = |times: &mut dyn Iterator<Item = Option<Timestamp>>| times.flatten().min();
    let captured = facts.charges.values().filter(|charge| charge.captured.is_some());
    first(&mut facts.invoices.values().map(|invoice| invoice.paid_at))
        .or_else(|| first(&mut captured.map(|charge| charge.created)))
        .or_else(|| first(&mut facts.sessions.values().map(|session| session.paid_at)))
        .or_else(|| time(facts))
}

/// The end of the service that the invoice pays for: the latest end of its lines' periods. `None` for
/// payments without an invoice, and if no line has a period.
#[must_use]
pub fn service_period_end(facts: &Facts) -> Option<Timestamp> {
    facts.invoices.values().filter_map(|invoice| invoice.period_end).max()
}

/// The Stripe ID of the object that sets the payment's time; the smallest, if there are several. It orders
/// payments of the same second. Our own IDs must not, because they follow the order of arrival. For a report
/// it is the transaction ID, for a lead or an adjustment our ID.
#[must_use]
pub fn named_by(facts: &Facts) -> Option<&str> {
    let first = facts.invoices.keys().next().or_else(|| facts.sessions.keys().next());
    let first = first.or_else(|| facts.payment_intents.keys().next()).or_else(|| facts.charges.keys().next());
    let first = first.or_else(|| facts.reports.values().map(|report| &report.transaction).min());
    first.or_else(|| facts.leads.keys().chain(facts.adjustments.keys()).next()).map(String::as_str)
}

/// The payment's subscription, `sub_…`.
#[must_use]
pub fn subscription(facts: &Facts) -> Option<&str> {
    let of_invoice = facts.invoices.values().find_map(|invoice| invoice.subscription.as_deref());
    of_invoice.or_else(|| facts.sessions.values().find_map(|session| session.subscription.as_deref()))
}

/// The payment's customer, `cus_…`.
#[must_use]
pub fn customer(facts: &Facts) -> Option<&str> {
    facts
        .invoices
        .values()
        .find_map(|invoice| invoice.customer.as_deref())
        .or_else(|| facts.sessions.values().find_map(|session| session.customer.as_deref()))
        .or_else(|| facts.payment_intents.values().find_map(|intent| intent.customer.as_deref()))
        .or_else(|| facts.charges.values().find_map(|charge| charge.customer.as_deref()))
}

/// The payment's Payment Link, `plink_…`.
#[must_use]
pub fn payment_link(facts: &Facts) -> Option<&str> {
    facts.sessions.values().find_map(|session| session.payment_link.as_deref())
}

/// Whether the payment has a session or an invoice, not only a PaymentIntent or charge.
#[must_use]
pub fn is_checkout(facts: &Facts) -> bool {
    !facts.sessions.is_empty() || !facts.invoices.is_empty()
}

/// The buyer's e-mail addresses, as written. Addresses that only a page reported are left out: they are not
/// evidence of a self-referral.
#[must_use]
pub fn emails(facts: &Facts) -> BTreeSet<&str> {
    let mut emails = vouched_emails(facts);
    if !facts.is_reported_by_stripe() {
        let leads = facts.leads.values().filter(|lead| lead.vouched);
        emails.extend(leads.flat_map(|lead| &lead.emails).map(String::as_str));
    }
    emails
}

/// The addresses of [`emails`] that Stripe or a merchant's report names. Leads and claims are left out: with
/// the publishable key, which is public, anyone could add a partner's address to that partner's customers, so
/// that their payments count as self-referrals.
#[must_use]
pub fn vouched_emails(facts: &Facts) -> BTreeSet<&str> {
    let sessions = facts.sessions.values().flat_map(|session: &Session| &session.emails);
    let invoices = facts.invoices.values().flat_map(|invoice: &Invoice| &invoice.emails);
    let intents = facts.payment_intents.values().flat_map(|intent| &intent.emails);
    let charges = facts.charges.values().flat_map(|charge| &charge.emails);
    let of_merchant = facts.reports.values().filter(|report| report.by_merchant);
    let reports = of_merchant.flat_map(|report| &report.emails);
    sessions.chain(invoices).chain(intents).chain(charges).chain(reports).map(String::as_str).collect()
}

/// Every e-mail address in the facts, whoever reported it: to find the payment by, not evidence of anything.
#[must_use]
pub fn every_email(facts: &Facts) -> BTreeSet<&str> {
    let leads = facts.leads.values().flat_map(|lead| &lead.emails);
    let reports = facts.reports.values().flat_map(|report| &report.emails);
    let mut emails = vouched_emails(facts);
    emails.extend(leads.chain(reports).map(String::as_str));
    emails
}

/// The merchant's own IDs of the customer (`tracCustomerExternalId`) that these facts name: in metadata, in
/// leads, and in the merchant's own reports. Claims of pages are left out, even approved ones.
#[must_use]
pub fn external_customers(facts: &Facts) -> BTreeSet<&str> {
    let sessions = facts.sessions.values().map(|session| &session.references);
    let invoices =
        facts.invoices.values().flat_map(|invoice| [&invoice.references, &invoice.subscription_references]);
    let intents = facts.payment_intents.values().map(|intent| &intent.references);
    let charges = facts.charges.values().map(|charge| &charge.references);
    let of_payments = sessions.chain(invoices).chain(intents).chain(charges).flatten();
    let of_payments = of_payments.map(|latest| &latest.value);
    let subscriptions = facts.subscriptions.values().map(|subscription| &subscription.references);
    let customers = facts.customers.values().map(|customer| &customer.references);
    let of_holders = subscriptions.chain(customers).flat_map(|dated| dated.iter().map(|(_, value)| value));
    let named = of_payments.chain(of_holders).filter_map(|references| references.customer.as_deref());
    let reported = facts.reports.values().filter(|report| report.by_merchant);
    let reported = reported.filter_map(|report| report.customer.as_deref());
    named.chain(facts.leads.values().map(|lead| lead.customer.as_str())).chain(reported).collect()
}

/// The Stripe IDs of the payment.
#[must_use]
pub fn stripe_ids(facts: &Facts) -> StripeIds {
    let ids = facts.payment_ids();
    let named = |prefix: &str| ids.iter().find(|id| id.starts_with(prefix)).map(|id| String::from(*id));
    let first = |known: Option<&String>, prefix: &str| known.cloned().or_else(|| named(prefix));
    StripeIds {
        checkout_session: first(facts.sessions.keys().next(), "cs_"),
        payment_intent: first(facts.payment_intents.keys().next(), "pi_"),
        charge: first(facts.charges.keys().next(), "ch_").or_else(|| named("py_")),
        invoice: first(facts.invoices.keys().next(), "in_"),
        subscription: subscription(facts).map(Into::into),
        customer: customer(facts).map(Into::into),
    }
}

/// The ID of the payment's invoice, if not all of its lines are known: an event carries at most ten.
#[must_use]
pub fn unlisted_invoice(facts: &Facts) -> Option<&str> {
    let (id, invoice) = facts.invoices.iter().next().filter(|(id, _)| is_invoice(id))?;
    let has_lines =
        |amounts: &Latest<InvoiceAmounts>| invoice.lines.is_some() || amounts.value.lines.is_some();
    invoice.amounts.as_ref().is_some_and(|amounts| !has_lines(amounts)).then_some(id)
}
