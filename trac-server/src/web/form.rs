//! Forms, and the JSON that a submitted form becomes.
//!
//! A field has the name that the management API has for it, with a dot for a nested one: `commission.rate_bps`. So the
//! API's errors, which name fields, are shown beside the inputs that caused them, and no rule is written twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use trac_core::money::Currency;

/// A form that is posted to a page under `dashboard`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// The page it is posted to.
    pub(crate) action: String,
    pub(crate) fields: Vec<Field>,
    /// The label of its button.
    pub(crate) submit: &'static str,
    /// Whether the button is marked as dangerous.
    pub(crate) is_danger: bool,
    /// What follows from submitting it, one sentence each.
    pub(crate) consequences: Vec<String>,
    /// The page to go back to.
    pub(crate) cancel: Option<String>,
    /// What is wrong with the form as a whole.
    pub(crate) error: Option<String>,
    /// A second button.
    pub(crate) trial: Option<Trial>,
    /// What the second button showed: HTML of a template that escaped it.
    pub(crate) tried: String,
}

/// A second button of a form. It changes nothing, and shows what the values of the form would change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    /// Its name among the submitted values.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// The path of the API that is called with `POST` and the body of the form; `{id}` is the object's ID.
    pub(crate) call: &'static str,
}

/// A field of a form.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) input: Input,
    pub(crate) wire: Wire,
    pub(crate) value: String,
    pub(crate) hint: String,
    pub(crate) error: Option<String>,
    pub(crate) is_required: bool,
}

/// How a field is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Text,
    Email,
    /// A decimal number.
    Number,
    /// A secret that is pasted.
    Secret,
    /// Several lines.
    Area,
    /// A value and its label for each option.
    Select(Vec<(String, String)>),
    Check,
    Hidden,
    /// No input: the heading of the fields that follow.
    Heading,
}

/// The JSON that a field becomes. An empty field is left out, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Text,
    /// A text; `null` if it is empty.
    Nullable,
    Integer,
    /// Per cent as basis points: `12.5` is 1250.
    Percent,
    /// A decimal amount as minor units of the currency in the field of this name.
    Amount(&'static str),
    /// `true` if it is checked, else `false`.
    Flag,
    /// As [`Self::Flag`], if the field of this name has this value; else left out.
    FlagIf(&'static str, &'static str),
    /// A list with an item for each line that is not empty.
    Lines,
    /// A list as [`Self::Lines`]; left out if it is empty.
    LinesIfAny,
    /// A list as [`Self::Lines`]; `null` if it is empty.
    LinesOrNull,
    /// A number of months as `{"months": 12}`, or a word.
    Recurring,
    /// Not part of the body, but of the API's query.
    Query,
    /// Not sent to the API.
    Nowhere,
}

impl Field {
    /// A field for a line of text.
    pub(crate) fn text(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            label,
            input: Input::Text,
            wire: Wire::Text,
            value: String::new(),
            hint: String::new(),
            error: None,
            is_required: false,
        }
    }

    /// A hidden field with a value.
    pub(crate) fn hidden(name: &'static str, value: &str) -> Self {
        Self { input: Input::Hidden, value: value.to_owned(), ..Self::text(name, "") }
    }

    /// The heading of the fields that follow.
    pub(crate) fn heading(label: &'static str) -> Self {
        Self { input: Input::Heading, wire: Wire::Nowhere, ..Self::text("", label) }
    }

    /// A box to check.
    pub(crate) fn check(name: &'static str, label: &'static str, is_checked: bool) -> Self {
        let value = if is_checked { "true" } else { "" };
        Self { input: Input::Check, wire: Wire::Flag, value: value.to_owned(), ..Self::text(name, label) }
    }

    /// A choice of values, each with its label.
    pub(crate) fn select(name: &'static str, label: &'static str, options: &[(&str, &str)]) -> Self {
        let options = options.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned()));
        Self { input: Input::Select(options.collect()), ..Self::text(name, label) }
    }

    pub(crate) fn input(mut self, input: Input) -> Self {
        self.input = input;
        self
    }

    pub(crate) fn wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    pub(crate) fn hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.hint);
        self
    }

    pub(crate) fn value(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// The ID of the input, without the dots of its name.
    pub(crate) fn id(&self) -> String {
        format!("f-{}", self.name.replace('.', "-"))
    }

    /// Whether the box is checked.
    pub(crate) fn is_checked(&self) -> bool {
        self.value == "true"
    }
}

/// A call of the API: its query and its body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Submitted {
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Map<String, Value>,
}

impl Form {
    /// Takes the submitted values of its fields. A box that is not among them is not checked.
    pub(crate) fn fill(&mut self, submitted: &BTreeMap<String, String>) {
        for field in &mut self.fields {
            match submitted.get(field.name) {
                Some(value) => value.trim().clone_into(&mut field.value),
                None if field.input == Input::Check => field.value.clear(),
                None => {}
            }
        }
    }

    /// Begins with these values. Hidden fields keep theirs: a link may not change what the page says that it does.
    pub(crate) fn prefill(&mut self, given: &BTreeMap<String, String>) {
        for field in self.fields.iter_mut().filter(|field| field.input != Input::Hidden) {
            if let Some(value) = given.get(field.name) {
                value.trim().clone_into(&mut field.value);
            }
        }
    }

    /// The call of the API. Values that the API could not read, such as an amount of letters, are noted at their fields.
    ///
    /// # Errors
    /// `None` if a field has an error.
    pub(crate) fn submitted(&mut self) -> Option<Submitted> {
        let currencies: BTreeMap<&str, String> =
            self.fields.iter().map(|field| (field.name, field.value.clone())).collect();
        let (mut call, mut is_fine) = (Submitted::default(), true);
        for field in &mut self.fields {
            if field.wire == Wire::Query && !field.value.is_empty() {
                call.query.push((field.name, field.value.clone()));
            }
            match value_of(field, &currencies) {
                Ok(Some(value)) => put(&mut call.body, field.name, value),
                Ok(None) => {}
                Err(wrong) => {
                    field.error = Some(wrong.to_owned());
                    is_fine = false;
                }
            }
        }
        is_fine.then_some(call)
    }

    /// Shows an error of the API: at the fields that it names, the rest for the whole form.
    pub(crate) fn note(&mut self, message: &str, wrong: &Map<String, Value>) {
        let mut others = Vec::new();
        for (name, wrong) in wrong {
            let wrong = wrong.as_str().unwrap_or_default();
            let mut named = self.fields.iter_mut().filter(|field| field.input != Input::Hidden);
            // An error of a whole object is shown at its first field.
            let is_of = |field: &Field| {
                field.name == name
                    || field.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'))
            };
            match named.find(|field| is_of(field)) {
                Some(field) => field.error = Some(wrong.to_owned()),
                None => others.push(format!("{name}: {wrong}")),
            }
        }
        if wrong.is_empty() {
            self.error = Some(message.to_owned());
        } else if !others.is_empty() {
            self.error = Some(others.join("; "));
        }
    }
}

fn value_of(field: &Field, values: &BTreeMap<&str, String>) -> Result<Option<Value>, &'static str> {
    let text = field.value.as_str();
    let means_something = matches!(
        field.wire,
        Wire::Nullable | Wire::Flag | Wire::FlagIf(..) | Wire::Lines | Wire::LinesOrNull
    );
    if text.is_empty() && !means_something {
        return Ok(None);
    }
    Ok(Some(match field.wire {
        Wire::Nullable | Wire::LinesOrNull if text.is_empty() => Value::Null,
        Wire::Text | Wire::Nullable => text.into(),
        Wire::Integer => text.parse::<i64>().map_err(|_| "must be a whole number")?.into(),
        Wire::Percent => decimal(text, 2).ok_or("must be a percentage such as 20 or 12.5")?.into(),
        Wire::Amount(currency) => {
            let code = values.get(currency).map_or("", String::as_str);
            let currency = Currency::parse(code).map_err(|_| "needs a currency such as usd")?;
            decimal(text, currency.exponent()).ok_or("must be an amount such as 12.50")?.into()
        }
        Wire::FlagIf(name, wanted) if values.get(name).is_none_or(|value| value != wanted) => {
            return Ok(None);
        }
        Wire::Flag | Wire::FlagIf(..) => field.is_checked().into(),
        Wire::Lines | Wire::LinesIfAny | Wire::LinesOrNull => {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
        }
        Wire::Recurring => match text.parse::<i64>() {
            Ok(months) => serde_json::json!({ "months": months }),
            Err(_) => text.into(),
        },
        Wire::Query | Wire::Nowhere => return Ok(None),
    }))
}

/// Puts a value at its place: a dot in the name leads into an object.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((outer, inner)) = name.split_once('.') else {
        object.insert(name.to_owned(), value);
        return;
    };
    let entry = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
    if let Some(object) = entry.as_object_mut() {
        put(object, inner, value);
    }
}

/// A decimal number, in units of its last digit: `12.5` with two digits is 1250.
///
/// The decimal mark is a point, or a comma with one or two digits after it. Commas may also separate thousands, if there is
/// a point: `1,234.56`. `1,234` could be either, and is refused.
pub(crate) fn decimal(text: &str, digits: usize) -> Option<i64> {
    let text: String = text.chars().filter(|char| !matches!(char, ' ' | '\u{a0}' | '\u{202f}')).collect();
    let (sign, text) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (-1_i64, rest),
        None => (1, text.as_str()),
    };
    let (whole, part) = match (text.split_once('.'), text.split_once(',')) {
        (Some((whole, part)), None) => (whole.to_owned(), part),
        (Some((whole, part)), Some(_)) => (without_thousands(whole)?, part),
        (None, Some((whole, part))) if (1..=2).contains(&part.len()) => (whole.to_owned(), part),
        (None, Some(_)) => return None,
        (None, None) => (text.to_owned(), ""),
    };
    if whole.is_empty() && part.is_empty() || part.len() > digits {
        return None;
    }
    let all: String = format!("{whole}{part:0<digits$}");
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    all.parse::<i64>().ok()?.checked_mul(sign)
}

/// The digits of a whole number whose thousands are separated by commas.
fn without_thousands(text: &str) -> Option<String> {
    let mut groups = text.split(',');
    let first = groups.next().filter(|group| (1..=3).contains(&group.len()))?;
    groups.try_fold(first.to_owned(), |all, group| (group.len() == 3).then(|| all + group))
}

/// A number of units of its last digit, as a decimal: 1250 with two digits is `12.5`, without zeros at the end if
/// `is_short`.
pub(crate) fn as_decimal(units: i64, digits: usize, is_short: bool) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", units.unsigned_abs(), width = digits.saturating_add(1));
    let (whole, part) = all.split_at(all.len().saturating_sub(digits));
    let part = if is_short { part.trim_end_matches('0') } else { part };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_are_read_and_written_exactly() {
        let check = |text: &str, digits, want: Option<i64>| {
            assert_eq!(decimal(text, digits), want, "{text} {digits}");
        };
        check("12.5", 2, Some(1_250));
        check("12", 2, Some(1_200));
        check("-0.05", 2, Some(-5));
        check(".5", 2, Some(50));
        check("1,234.56", 2, Some(123_456));
        check("1 234", 0, Some(1_234));
        check("12,5", 2, Some(1_250));
        check("25,00", 2, Some(2_500));
        check("1,234,567.8", 2, Some(123_456_780));
        check("1,234", 2, None);
        check("1,23.4", 2, None);
        check("1,2,3", 2, None);
        check("12.5,0", 2, None);
        check("٣,٣", 2, None);
        check("12.345", 3, Some(12_345));
        check("12.345", 2, None);
        check("1.0", 0, None);
        check("", 2, None);
        check(".", 2, None);
        check("--1", 2, None);
        check("1e3", 2, None);
        check("٣", 2, None);
        check("99999999999999999999", 2, None);
        let check = |units, digits, want: (&str, &str)| {
            assert_eq!(
                (as_decimal(units, digits, true).as_str(), as_decimal(units, digits, false).as_str()),
                want
            );
        };
        check(1_250, 2, ("12.5", "12.50"));
        check(-5, 2, ("-0.05", "-0.05"));
        check(1_200, 2, ("12", "12.00"));
        check(7, 0, ("7", "7"));
        check(0, 2, ("0", "0.00"));
        check(i64::MIN, 2, ("-92233720368547758.08", "-92233720368547758.08"));
    }

    fn form() -> Form {
        let fields = vec![
            Field::text("name", "Name").required(),
            Field::text("email", "E-mail").wire(Wire::Nullable),
            Field::select(
                "commission.type",
                "Commission",
                &[("percentage", "Per cent"), ("fixed", "Amount")],
            ),
            Field::text("commission.rate_bps", "Rate").wire(Wire::Percent),
            Field::text("commission.amount_minor", "Amount").wire(Wire::Amount("commission.currency")),
            Field::text("commission.currency", "Currency"),
            Field::check("anyway", "Anyway", true),
            Field::text("products", "Products").input(Input::Area).wire(Wire::Lines),
            Field::text("purge", "Purge").wire(Wire::Query),
        ];
        Form { fields, ..Form::default() }
    }

    #[test]
    fn a_form_becomes_the_body_of_the_api() {
        let mut filled = form();
        let values = [
            ("name", " Ada "),
            ("commission.type", "fixed"),
            ("commission.amount_minor", "500"),
            ("commission.currency", "jpy"),
            ("products", "prod_1\r\n\n prod_2 "),
            ("purge", "1"),
            ("unknown", "x"),
        ];
        filled.fill(&values.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let call = filled.submitted().unwrap();
        let want = json!({
            "name": "Ada", "email": null, "anyway": false, "products": ["prod_1", "prod_2"],
            "commission": {"type": "fixed", "amount_minor": 500, "currency": "jpy"},
        });
        assert_eq!(Value::Object(call.body), want);
        assert_eq!(call.query, [("purge", "1".to_owned())]);
    }

    #[test]
    fn what_cannot_be_read_is_noted_at_its_field() {
        let mut filled = form();
        let values = [
            ("commission.rate_bps", "a lot"),
            ("commission.amount_minor", "1.234"),
            ("commission.currency", "usd"),
        ];
        filled.fill(&values.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(filled.submitted().is_none());
        let wrong: Vec<_> =
            filled.fields.iter().filter(|field| field.error.is_some()).map(|field| field.name).collect();
        assert_eq!(wrong, ["commission.rate_bps", "commission.amount_minor"]);
    }

    #[test]
    fn errors_of_the_api_are_shown_at_the_fields_that_they_name() {
        let mut form = form();
        let wrong =
            json!({"email": "must be an address", "commission": "is required", "odd": "is not a field"});
        form.note("These fields are invalid.", wrong.as_object().unwrap());
        let at = |name: &str| form.fields.iter().find(|field| field.name == name).unwrap().error.clone();
        assert_eq!(at("email").as_deref(), Some("must be an address"));
        assert_eq!(at("commission.type").as_deref(), Some("is required"));
        assert_eq!(form.error.as_deref(), Some("odd: is not a field"));
        form.note("Another partner has this code.", &Map::new());
        assert_eq!(form.error.as_deref(), Some("Another partner has this code."));
    }
}
