//! New IDs and keys. All random values come from this module.
//!
//! # Wire form
//! A prefix for the kind of object, then a version 7 UUID as 32 lower-case hex digits, so that IDs sort by creation
//! time. Source: [RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#section-5.7).

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use trac_core::program::Mode;
use uuid::{ContextV7, Uuid};

use crate::clock::Clock;

/// The kind of object that an ID names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Workspace,
    Endpoint,
    Program,
    Partner,
    Enrollment,
    Link,
    Payment,
    Lead,
    Report,
    Adjustment,
    Key,
    Commission,
    Entry,
    Payout,
    Event,
    Attribution,
    Refusal,
    Request,
    Person,
    Invitation,
    Session,
    Activity,
    Mail,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Workspace => "ws",
            Self::Endpoint => "we",
            Self::Program => "prog",
            Self::Partner => "part",
            Self::Enrollment => "enr",
            Self::Link => "link",
            Self::Payment => "pay",
            Self::Lead => "lead",
            Self::Report => "rep",
            Self::Adjustment => "adj",
            Self::Key => "key",
            Self::Commission => "com",
            Self::Entry => "ent",
            Self::Payout => "po",
            Self::Event => "evl",
            Self::Attribution => "att",
            Self::Refusal => "ref",
            Self::Request => "req",
            Self::Person => "per",
            Self::Invitation => "inv",
            Self::Session => "ses",
            Self::Activity => "act",
            Self::Mail => "mail",
        }
    }
}

/// Makes IDs from a clock. Clones share the counter that orders the IDs of one millisecond.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    clock: Clock,
    context: Arc<Mutex<ContextV7>>,
}

impl Ids {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, context: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// A new ID.
    pub(crate) fn make(&self, kind: Kind) -> String {
        let millis = u64::try_from(self.clock.unix_millis()).unwrap_or_default();
        let nanos = u32::try_from(millis.checked_rem(1_000).unwrap_or_default()).unwrap_or_default();
        let secs = millis.checked_div(1_000).unwrap_or_default();
        let time = uuid::Timestamp::from_unix(&*self.context, secs, nanos.saturating_mul(1_000_000));
        format!("{}_{}", kind.prefix(), Uuid::new_v7(time).simple())
    }
}

/// A new API key, for example `sk_test_` and 160 random bits as hex.
pub(crate) fn new_key(kind_prefix: &str, mode: Mode) -> String {
    format!("{kind_prefix}_{}_{}", mode.as_str(), random_hex::<20>())
}

/// `2 × N` random hex digits.
pub(crate) fn random_hex<const N: usize>() -> String {
    hex(&random_bytes::<N>())
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `N` random letters and digits that a person can read out: without `0 o 1 l i`, and without vowels, so that
/// they spell no words.
pub(crate) fn random_word<const N: usize>() -> String {
    const LETTERS: &[u8; 32] = b"bcdfghjkmnpqrstvwxyz23456789bcdf";
    random_bytes::<N>()
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte & 31)).copied())
        .map(char::from)
        .collect()
}

/// How many 64-bit values are read from the system at once, which takes about as long as reading one.
const BITS_AT_ONCE: usize = 32;

thread_local! {
    static BITS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// 64 random bits, for a click ID. No value is returned twice.
pub(crate) fn random_bits() -> u64 {
    BITS.with_borrow_mut(|bits| {
        if bits.is_empty() {
            let fresh = random_bytes::<{ BITS_AT_ONCE * 8 }>();
            bits.extend(fresh.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk)));
        }
        bits.pop().unwrap_or_else(|| u64::from_le_bytes(random_bytes()))
    })
}

/// Random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without random bytes from the system, keys would be guessable")]
    getrandom::fill(&mut bytes).expect("the operating system returns random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use trac_core::time::Timestamp;

    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made_within_a_millisecond_too() {
        let clock = Clock::settable(Timestamp::from_unix_secs(1_700_000_000));
        let ids = Ids::new(clock.clone());
        let mut made: Vec<_> = (0..100).map(|_| ids.make(Kind::Entry)).collect();
        clock.advance(1);
        made.push(ids.make(Kind::Entry));
        assert!(made.is_sorted());
        made.dedup();
        assert_eq!(made.len(), 101);
    }

    #[test]
    fn an_id_begins_with_the_prefix_of_its_kind() {
        let ids = Ids::new(Clock::system());
        let check = |kind: Kind, want: &str| {
            let id = ids.make(kind);
            let (prefix, hex) = id.split_once('_').unwrap();
            assert_eq!((prefix, hex.len()), (want, 32));
            assert!(hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        };
        check(Kind::Workspace, "ws");
        check(Kind::Endpoint, "we");
        check(Kind::Program, "prog");
        check(Kind::Commission, "com");
        check(Kind::Event, "evl");
        check(Kind::Attribution, "att");
    }

    #[test]
    fn no_random_bits_are_returned_twice() {
        let mut values: Vec<_> = (0..10 * BITS_AT_ONCE).map(|_| random_bits()).collect();
        values.extend(std::thread::spawn(|| vec![random_bits(); 1]).join().unwrap());
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 10 * BITS_AT_ONCE + 1);
    }

    #[test]
    fn a_key_begins_with_its_kind_and_mode() {
        assert!(new_key("sk", Mode::Test).starts_with("sk_test_"));
        assert_eq!(new_key("pk", Mode::Live).len(), "pk_live_".len() + 40);
        assert_ne!(new_key("sk", Mode::Test), new_key("sk", Mode::Test));
    }
}
