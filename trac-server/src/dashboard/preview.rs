//! What a program's payments of the last 90 days would have earned under the terms in a form.

use std::collections::BTreeSet;

use askama::Template;
use serde_json::Value;

use super::api::{Failure, encoded};
use super::desk::Desk;
use super::names::Names;
use super::terms;
use super::value::{at, list, money, number, reason, text, time};
use crate::web::{Cell, Layout, Table, render};

/// The comparison, above the form's button.
#[derive(Template)]
#[template(path = "dashboard/preview.html")]
struct Preview<'a> {
    layout: &'a Layout,
    /// What a sale would earn.
    sentence: String,
    /// How many payments would earn more, less, nothing or the same.
    counts: Vec<(&'static str, i64)>,
    /// Whether there are more payments than were compared.
    is_limited: bool,
    tables: Vec<Table>,
}

/// The API's answer as HTML.
///
/// # Errors
/// The store's.
pub(super) async fn shown(desk: &Desk, answer: &Value) -> Result<String, Failure> {
    let layout = desk.layout("", "");
    let largest = list(answer, "largest");
    let partners: BTreeSet<_> = largest.iter().map(|row| text(row, "partner_id").to_owned()).collect();
    let names = Names::of(&desk.trac, &desk.caller.scope, partners).await.map_err(Failure::of_store)?;
    let mut tables = vec![sums(answer)];
    if !largest.is_empty() {
        tables.push(differences(largest, &names));
    }
    let mut counts = vec![
        ("Payments of the last 90 days", number(answer, "payments")),
        ("would earn more", number(answer, "more")),
        ("would earn less", number(answer, "less")),
        ("would earn nothing", number(answer, "nothing")),
        ("would earn the same", number(answer, "same")),
    ];
    let other = number(answer, "other_currency");
    if other > 0 {
        counts.push(("would earn in another currency", other));
    }
    let part = Preview {
        layout: &layout,
        sentence: terms::sentence(at(answer, "program")),
        counts,
        is_limited: at(answer, "is_limited") == true,
        tables,
    };
    render(&part).map_err(Failure::of_store)
}

/// The commission of each currency.
fn sums(answer: &Value) -> Table {
    let heads =
        [("Currency", false), ("Commission booked", true), ("Under these terms", true), ("Difference", true)];
    let mut table =
        Table::of("preview-sums", "", &heads, "No payment of this time earned anything, and none would.");
    for row in list(answer, "currencies") {
        let amount = |name: &str| money(row, name, "currency");
        table.push(
            "",
            vec![
                Cell::Text(text(row, "currency").to_uppercase()),
                amount("booked_minor"),
                amount("preview_minor"),
                amount("difference_minor"),
            ],
        );
    }
    table
}

/// The payments with the largest differences.
fn differences(largest: &[Value], names: &Names) -> Table {
    let heads = [
        ("Sale", false),
        ("Partner", false),
        ("Commission booked", true),
        ("Under these terms", true),
        ("Difference", true),
        ("Reason", false),
    ];
    let mut table = Table::of("preview-largest", "The largest differences", &heads, "");
    for row in largest {
        let amount = |name: &str| money(row, name, "currency");
        let id = text(row, "conversion_id");
        let sale = match time(row, "happened_at") {
            Cell::Time(moment) => Cell::link(&moment.to_string(), &format!("conversions/{}", encoded(id))),
            _ => Cell::link(id, &format!("conversions/{}", encoded(id))),
        };
        table.push(
            "",
            vec![
                sale,
                names.cell(text(row, "partner_id")),
                amount("booked_minor"),
                amount("preview_minor"),
                amount("difference_minor"),
                reason(row, "reason"),
            ],
        );
    }
    table
}
