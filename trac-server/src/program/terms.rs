//! Reads the terms of a program or an enrollment from a body.
//!
//! Only the fields in the body are changed; new terms begin as the defaults.

use serde_json::Value;
use trac_core::program::{CommissionRule, EnrollmentTerms, HoldDays, ProgramTerms, Recurring};

use crate::api::fields::{AMOUNT_MAX, Fields, Wrong, currency, flag, integer, one_of, text};

/// The longest window or hold: ten years.
const DAYS_MAX: i64 = 3_650;
const PRODUCTS_MAX: usize = 1_000;
const EVENTS_MAX: usize = 100;
/// The most characters of the note about an enrollment.
const NOTE_MAX: usize = 500;

/// Changes a program's terms by the fields of a body.
pub(super) fn change_program(fields: &mut Fields, terms: &mut ProgramTerms) {
    set(&mut terms.status, fields.take("status", one_of("draft, active, paused, archived")));
    set(&mut terms.attribution_window_days, fields.take("attribution_window_days", integer(0..=DAYS_MAX)));
    set(&mut terms.attribution_model, fields.take("attribution_model", one_of("last_click, first_click")));
    set(&mut terms.commission, fields.take_object("commission", commission));
    set(&mut terms.recurring, fields.take("recurring", recurring));
    set(&mut terms.lead_amount_minor, fields.take("lead_amount_minor", integer(0..=AMOUNT_MAX)));
    set(&mut terms.lead_currency, fields.take_nullable("lead_currency", currency));
    set(&mut terms.lead_events, fields.take("lead_events", event_names));
    set(&mut terms.client_lead_days, fields.take("client_lead_days", integer(0..=DAYS_MAX)));
    let hold_days = terms.hold_days;
    set(&mut terms.hold_days, fields.take_object("hold_days", |inner| Some(hold(inner, hold_days))));
    set(&mut terms.base, fields.take("base", one_of("net, gross")));
    set(&mut terms.include_shipping, fields.take("include_shipping", flag));
    set(&mut terms.count_out_of_band, fields.take("count_out_of_band", flag));
    set(&mut terms.products, fields.take("products", products));
    set(&mut terms.cancel_policy, fields.take("cancel_policy", one_of("void_unused, void_pending, keep")));
    set(&mut terms.attribute_by_customer, fields.take("attribute_by_customer", flag));
    set(&mut terms.block_self_referral, fields.take("block_self_referral", flag));
    if terms.lead_amount_minor > 0 && terms.lead_currency.is_none() {
        fields.note("lead_currency", "is required if lead_amount_minor is not 0");
    }
}

/// Changes an enrollment's terms by the fields of a body.
pub(super) fn change_enrollment(fields: &mut Fields, terms: &mut EnrollmentTerms) {
    let statuses = "pending, approved, rejected, suspended, banned";
    let before = terms.status;
    set(&mut terms.status, fields.take("status", one_of(statuses)));
    match fields.take_nullable("note", text(1..=NOTE_MAX)) {
        Some(note) => terms.note = note,
        // A note is about the status that it was written for.
        None if terms.status != before => terms.note = None,
        None => {}
    }
    if fields.is_null("commission") {
        terms.commission = None;
    }
    set(&mut terms.commission, fields.take_object("commission", commission).map(Some));
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// `{"type":"percentage","rate_bps"}` or `{"type":"fixed","amount_minor","currency","cap_at_sale"}`.
fn commission(fields: &mut Fields) -> Option<CommissionRule> {
    let kind = fields.need("type", |value| match value.as_str() {
        Some(kind @ ("percentage" | "fixed")) => Ok(kind.to_owned()),
        _ => Err("must be one of percentage, fixed".to_owned()),
    })?;
    if kind == "percentage" {
        let rate_bps = fields.need("rate_bps", integer(0..=10_000))?;
        return Some(CommissionRule::Percentage { rate_bps });
    }
    let amount_minor = fields.need("amount_minor", integer(0..=AMOUNT_MAX));
    let currency = fields.need("currency", currency);
    let cap_at_sale = fields.take("cap_at_sale", flag).unwrap_or(true);
    Some(CommissionRule::Fixed { amount_minor: amount_minor?, currency: currency?, cap_at_sale })
}

/// Changes those of the three numbers that the body contains.
fn hold(fields: &mut Fields, mut days: HoldDays) -> HoldDays {
    set(&mut days.lead, fields.take("lead", integer(0..=DAYS_MAX)));
    set(&mut days.sale, fields.take("sale", integer(0..=DAYS_MAX)));
    set(&mut days.recurring, fields.take("recurring", integer(0..=DAYS_MAX)));
    days
}

fn recurring(value: &Value) -> Result<Recurring, Wrong> {
    let read = serde_json::from_value(value.clone()).ok();
    let sane = |recurring: &Recurring| !matches!(recurring, Recurring::Months(0 | 1_201..));
    let wrong = || r#"must be "first_payment", "lifetime" or {"months":N} with N from 1 to 1200"#.to_owned();
    read.filter(sane).ok_or_else(wrong)
}

fn event_names(value: &Value) -> Result<Vec<String>, Wrong> {
    let wrong = || format!("must be a list of at most {EVENTS_MAX} event names of 1 to 100 characters");
    let list = value.as_array().filter(|list| list.len() <= EVENTS_MAX).ok_or_else(wrong)?;
    list.iter().map(|name| text(1..=100)(name).map_err(|_| wrong())).collect()
}

fn products(value: &Value) -> Result<Vec<String>, Wrong> {
    let wrong =
        || format!("must be a list of at most {PRODUCTS_MAX} IDs that begin with prod_, price_ or plink_");
    let sane = |id: &&str| {
        let named = ["prod_", "price_", "plink_"].iter().any(|prefix| id.starts_with(prefix));
        named
            && id.len() <= 255
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    let list = value.as_array().filter(|list| list.len() <= PRODUCTS_MAX).ok_or_else(wrong)?;
    let ids = list.iter().map(|id| id.as_str().filter(sane).map(ToOwned::to_owned));
    ids.collect::<Option<Vec<_>>>().ok_or_else(wrong)
}
