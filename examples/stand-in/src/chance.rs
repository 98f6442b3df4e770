//! Identifiers in Stripe's form and the current time. Only this module gets random bytes or the time from the
//! system.

use std::time::{SystemTime, UNIX_EPOCH};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An identifier such as `pi_3Qx…`: the prefix and `length` random letters and digits.
pub(crate) fn stripe_id(prefix: &str, length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    // Without random bytes, the time still distinguishes two identifiers.
    if getrandom::fill(&mut bytes).is_err() {
        for (byte, digit) in bytes.iter_mut().zip(now().to_le_bytes()) {
            *byte = digit;
        }
    }
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
    prefix.chars().chain(letters.map(|letter| char::from(*letter))).collect()
}

/// The current time in Unix seconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
