//! Which values the filters of lists accept. A value that no row can have is an error, not an empty list.

use trac_core::money::Currency;
use trac_core::reason::Reason;
use trac_core::webhook::report::transaction_id;

use crate::problem::Problem;
use crate::trac::refusal::Cause;

/// The value that a filter compares with, as it is stored.
///
/// # Errors
/// `422` that names the filter and the values it accepts.
pub(super) fn value(resource: &str, name: &str, given: &str) -> Result<String, Problem> {
    if name == "currency" {
        let code = Currency::parse(given)
            .map_err(|_| Problem::field(name, "must be a currency code, such as usd"))?;
        return Ok(code.as_str().to_owned());
    }
    // E-mail filters compare with values in lower case: those of people in that of Unicode, others in that of ASCII.
    if name == "email" {
        let is_of_people = matches!(resource, "person" | "invitation");
        return Ok(if is_of_people { given.to_lowercase() } else { given.to_ascii_lowercase() });
    }
    if (resource, name) == ("conversion", "external_transaction_id") {
        return Ok(transaction_id(given));
    }
    match words_of(resource, name) {
        Some(words) if !words.contains(&given) => {
            Err(Problem::field(name, &format!("must be one of {}", words.join(", "))))
        }
        _ => Ok(given.to_owned()),
    }
}

/// The values that a filter accepts; `None` for any.
pub(crate) fn words_of(resource: &str, name: &str) -> Option<Vec<&'static str>> {
    let words: &[&str] = match (resource, name) {
        (_, "reason") => return Some(Reason::ALL.iter().map(|reason| reason.as_str()).collect()),
        ("refusal", "cause") => {
            return Some(Cause::ALL.iter().map(|cause| cause.as_str()).collect());
        }
        ("event", "outcome") => {
            &["processed", "skipped", "deferred", "duplicate", "ignored", "rejected", "failed"]
        }
        ("program", "status") => &["draft", "active", "paused", "archived"],
        ("enrollment", "status") => &["pending", "approved", "rejected", "suspended", "banned"],
        ("lead", "status") => &["approved", "rejected"],
        ("commission", "status") => &["pending", "approved", "paid", "reversed", "held"],
        ("conversion", "source") => &["lead", "sale", "recurring"],
        ("commission", "source") => &["lead", "sale", "recurring", "manual"],
        ("entry", "kind") => &["earn", "reverse", "restore", "adjust"],
        ("API key", "kind") => &["publishable", "secret"],
        ("mail", "kind") => &["sign_in_link", "invitation"],
        ("mail", "status") => &["queued", "sent", "logged", "failed", "canceled"],
        ("conversion", "attributed") | (_, "archived" | "deferred" | "unique") => &["true", "false"],
        _ => return None,
    };
    Some(words.to_vec())
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use trac_core::commission::answer::Outcome;
    use trac_core::commission::balance::Status;
    use trac_core::commission::claim::Source;
    use trac_core::commission::entry::Kind;
    use trac_core::program::{EnrollmentStatus, ProgramStatus};

    use super::*;

    #[test]
    fn the_accepted_values_are_those_that_are_stored() {
        fn check<T: DeserializeOwned>(resource: &str, name: &str) {
            for word in words_of(resource, name).unwrap() {
                assert!(serde_json::from_value::<T>(Value::from(word)).is_ok(), "{resource} {name} {word}");
            }
        }
        check::<Outcome>("event", "outcome");
        check::<Reason>("event", "reason");
        check::<ProgramStatus>("program", "status");
        check::<EnrollmentStatus>("enrollment", "status");
        check::<Status>("commission", "status");
        check::<Source>("conversion", "source");
        check::<Source>("commission", "source");
        check::<Kind>("entry", "kind");
    }

    #[test]
    fn a_value_is_normalized_or_refused() {
        let check = |resource, name, given, want: Option<&str>| {
            assert_eq!(value(resource, name, given).ok().as_deref(), want, "{resource} {name} {given}");
        };
        check("event", "outcome", "deferred", Some("deferred"));
        check("event", "outcome", "waiting", None);
        check("event", "type", "anything.else", Some("anything.else"));
        check("commission", "currency", "USD", Some("usd"));
        check("commission", "currency", "dollars", None);
        check("click", "unique", "yes", None);
        check("conversion", "attributed", "true", Some("true"));
        check("conversion", "attributed", "1", None);
        check("lead", "status", "rejected", Some("rejected"));
        check("lead", "status", "held", None);
        check("partner", "email", "Ada@Example.com", Some("ada@example.com"));
    }
}
