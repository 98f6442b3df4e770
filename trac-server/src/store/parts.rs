//! The parts of the database, by which the space that it takes is reported.

/// The parts, each with its tables.
pub(super) const PARTS: [(&str, &[&str]); 8] = [
    (
        "clicks",
        &[
            "click_record",
            "click_day",
            "click_day_position",
            "click_span",
            "deleted_visit",
            "name",
            "scope",
            "visitor",
            "visit_not_counted",
        ],
    ),
    ("event_bodies", &["event_body"]),
    ("events", &["event", "event_count", "question"]),
    (
        "payments",
        &[
            "payment",
            "payment_count",
            "payment_object",
            "candidate",
            "holder",
            "report",
            "sale_change",
            "sale_day",
            "sale_span",
        ],
    ),
    ("customers", &["customer", "customer_count", "external_customer", "address", "lead", "lead_count"]),
    (
        "ledger",
        &[
            "commission",
            "commission_count",
            "commission_partner_count",
            "ledger_entry",
            "payout",
            "payout_entry",
            "balance",
        ],
    ),
    ("attributions", &["attribution", "attribution_count"]),
    ("activity", &["activity"]),
];

/// The part of all other tables.
const REST: &str = "other";

/// The part of a table.
pub(super) fn part_of(table: &str) -> &'static str {
    let part = PARTS.iter().find(|(_, tables)| tables.contains(&table));
    part.map_or(REST, |(part, _)| *part)
}
