//! What can be read of JSON that as a whole is more than a reader can hold.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The fields of the one object that the others hang on.
const WAY: [&str; 2] = ["data", "object"];

/// The fields of a JSON object, each where it can be held: nested deeper than 128 levels, out of the range of numbers, or
/// with half a surrogate pair, it is left out. Of `data` and the object in it, what can be held is kept.
///
/// `None` where it is no UTF-8 JSON object.
pub(super) fn object(json: &[u8]) -> Option<Map<String, Value>> {
    fields(core::str::from_utf8(json).ok()?, &WAY)
}

fn fields(json: &str, way: &[&str]) -> Option<Map<String, Value>> {
    // Raw values are looked over, not held: that takes no stack, however deep they are.
    let raw: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let held = raw.into_iter().filter_map(|(name, value)| {
        let whole = serde_json::from_str(value.get()).ok();
        let part = || {
            let (_, rest) = way.split_first().filter(|(next, _)| **next == name)?;
            fields(value.get(), rest).map(Value::Object)
        };
        let held = whole.or_else(part)?;
        Some((name, held))
    });
    Some(held.collect())
}
