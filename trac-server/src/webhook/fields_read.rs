//! Which fields of an event the decision about it depends on.
//!
//! A field is read if the event means something else without it, or with [another value](OTHER): the body is read again
//! with each part changed, and the results are compared. So the answer is never out of date, whatever the core reads.

use serde_json::Value;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, NoFacts};
use trac_core::webhook::signature::Verified;

/// The most parts that are left out one by one.
const PARTS_MAX: usize = 2_000;

/// A text that has a meaning where no text has none: a session without a `payment_status` counts as paid.
const OTHER: &str = "unpaid";

/// What an event says, apart from its object.
type Meaning = (Event, Result<Facts, NoFacts>);

/// The fields that were read, as paths with dots: `data.object.amount_total`.
pub(crate) fn fields_read(payload: &Value) -> Vec<String> {
    let Some(whole) = meaning(payload) else { return Vec::new() };
    let mut search = Search { payload: payload.clone(), whole, left: PARTS_MAX, found: Vec::new() };
    search.within(&mut Vec::new(), payload);
    search.found
}

/// What a body means; `None` if it is no event.
fn meaning(payload: &Value) -> Option<Meaning> {
    let body = payload.to_string();
    let event = Event::read(Verified::from_stored(body.as_bytes())).ok()?;
    let facts = Facts::read(&event, Timestamp::default());
    Some((event.without_object(), facts))
}

struct Search {
    payload: Value,
    whole: Meaning,
    left: usize,
    found: Vec<String>,
}

impl Search {
    /// Looks for fields that were read in the part at this path.
    fn within(&mut self, path: &mut Vec<String>, part: &Value) {
        let names: Vec<String> = match part {
            Value::Object(fields) => fields.keys().cloned().collect(),
            Value::Array(items) => (0..items.len()).map(|index| index.to_string()).collect(),
            _ => Vec::new(),
        };
        for name in names {
            let inner = match part {
                Value::Array(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
                part => part.get(&name),
            };
            let Some(inner) = inner else { continue };
            path.push(name);
            if self.is_read(path) {
                let before = self.found.len();
                self.within(path, inner);
                // A part that is read as a whole, such as an ID.
                if self.found.len() == before {
                    self.found.push(path.join("."));
                }
            }
            path.pop();
        }
    }

    /// Whether the event means something else without the part at this path, or with another text there.
    fn is_read(&mut self, path: &[String]) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let pointer = path
            .iter()
            .fold(String::new(), |pointer, name| pointer + "/" + &name.replace('~', "~0").replace('/', "~1"));
        let Some(place) = self.payload.pointer_mut(&pointer) else { return false };
        let taken = place.take();
        let other = taken.as_str().map(|_| Value::from(OTHER));
        let is_read = [Some(Value::Null), other].into_iter().flatten().any(|value| {
            self.put(&pointer, value);
            meaning(&self.payload).as_ref() != Some(&self.whole)
        });
        self.put(&pointer, taken);
        is_read
    }

    fn put(&mut self, pointer: &str, value: Value) {
        if let Some(place) = self.payload.pointer_mut(pointer) {
            *place = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_change_the_meaning_are_found_and_others_are_not() {
        let session = json!({
            "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_status": "paid", "amount_total": 10_000,
            "currency": "usd", "payment_intent": "pi_1", "created": 1_795_000_000,
            "metadata": { "tracClickId": "clk_7x9q2m4k8p3w5z6y1b2c3d4e5f", "color": "blue" },
            "success_url": "https://shop.example.com/", "locale": "de", "custom_text": { "submit": null },
        });
        let payload = json!({
            "id": "evt_1", "type": "checkout.session.completed", "created": 1_795_000_000, "livemode": false,
            "pending_webhooks": 1, "request": { "id": "req_1" }, "data": { "object": session },
        });
        let read = fields_read(&payload);
        let is_read = |path: &str| read.iter().any(|one| one == path);
        for path in [
            "id",
            "type",
            "livemode",
            "data.object.id",
            "data.object.amount_total",
            "data.object.currency",
            "data.object.payment_intent",
            "data.object.payment_status",
        ] {
            assert!(is_read(path), "{path} of {read:?}");
        }
        for path in [
            "pending_webhooks",
            "request",
            "request.id",
            "data.object.success_url",
            "data.object.locale",
            "data.object.metadata.color",
        ] {
            assert!(!is_read(path), "{path} of {read:?}");
        }
        assert!(fields_read(&json!({ "id": 7 })).is_empty());
        assert!(fields_read(&json!("text")).is_empty());
    }
}
