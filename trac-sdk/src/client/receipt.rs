//! [`Receipt`] and [`Reported`]: the result of a report.

use serde_json::Value;

/// What the server recorded, and whether a partner is credited.
///
/// # Wire form
/// The fields of the same names in the response of `POST /api/track/lead` and `POST /api/v1/conversions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The ID of the lead or conversion.
    pub id: String,
    /// Whether it is credited to a click.
    pub attributed: bool,
    /// The stable code for why it earns a commission or does not, such as `ok`.
    pub reason: String,
    /// The click it is credited to.
    pub click_id: Option<String>,
    /// The commission it earned.
    pub commission_id: Option<String>,
}

impl Receipt {
    pub(super) fn read(body: &Value) -> Option<Self> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        Some(Self {
            id: text("id")?,
            attributed: body.get("attributed")?.as_bool()?,
            reason: text("reason").unwrap_or_default(),
            click_id: text("click_id"),
            commission_id: text("commission_id"),
        })
    }
}

/// The effect of a report of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The transaction was new and is recorded (`201`).
    New(Receipt),
    /// The transaction was reported before; this report added an amount, a click or a customer that it lacked (`200`).
    Completed(Receipt),
    /// The transaction was reported before, as the conversion of this ID. This report changed nothing (`409`).
    Duplicate(String),
}
