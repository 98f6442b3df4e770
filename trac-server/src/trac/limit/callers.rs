//! A sliding limit of calls per address and minute, approximate: the count of the previous minute is weighted
//! by the part of it that falls within the last 60 s.
//!
//! Only public addresses have a limit of their own. A private one may be the address of a proxy that is not
//! configured, and so be shared by all callers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

const MINUTE_MILLIS: i64 = 60_000;
/// How many addresses are counted within two minutes, some 60 bytes each. Further addresses are not limited.
const ADDRESSES_MAX: usize = 200_000;
/// The limit that all non-public addresses share is this multiple of the limit of one public address, because
/// they may belong to many callers.
const SHARED_FACTOR: u32 = 10;

/// The calls of each address within this minute and the one before. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Callers {
    /// 0: no limit.
    most: u32,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Debug, Default)]
struct Calls {
    minute: i64,
    by_address: HashMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    minute: i64,
    calls: u32,
    before: u32,
}

impl Callers {
    /// Allows `most` calls a minute per address; 0 for any number.
    pub(crate) fn at_most(most: u32) -> Self {
        Self { most, calls: Arc::default() }
    }

    /// Counts a call of a public address, or refuses it: `Err` is how many seconds to wait. Other addresses
    /// are not limited.
    pub(crate) fn count(&self, address: Option<IpAddr>, now_millis: i64) -> Result<(), u32> {
        match address.filter(|_| self.most > 0).and_then(public) {
            Some(address) => self.count_one(address, self.most, now_millis),
            None => Ok(()),
        }
    }

    /// Like [`Callers::count`], but counts any address: all that are not public share one limit.
    pub(crate) fn count_any(&self, address: Option<IpAddr>, now_millis: i64) -> Result<(), u32> {
        let shared = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let all_others = (shared, self.most.saturating_mul(SHARED_FACTOR));
        let (address, most) = address.and_then(public).map_or(all_others, |address| (address, self.most));
        self.count_one(address, most, now_millis)
    }

    fn count_one(&self, address: IpAddr, most: u32, now_millis: i64) -> Result<(), u32> {
        let (minute, into) = (now_millis.div_euclid(MINUTE_MILLIS), now_millis.rem_euclid(MINUTE_MILLIS));
        let left_millis = MINUTE_MILLIS.saturating_sub(into);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.minute != minute {
            calls.minute = minute;
            let last = minute.saturating_sub(1);
            calls.by_address.retain(|_, count| (last..=minute).contains(&count.minute));
        }
        if calls.by_address.len() >= ADDRESSES_MAX && !calls.by_address.contains_key(&address) {
            return Ok(());
        }
        let count = calls.by_address.entry(address).or_insert(Count { minute, calls: 0, before: 0 });
        if count.minute != minute {
            *count = Count { minute, calls: 0, before: count.calls };
        }
        let before = i64::from(count.before).saturating_mul(left_millis).div_euclid(MINUTE_MILLIS);
        if before.saturating_add(count.calls.into()) >= i64::from(most) {
            return Err(u32::try_from(left_millis.saturating_add(999).div_euclid(1_000)).unwrap_or(60));
        }
        count.calls = count.calls.saturating_add(1);
        Ok(())
    }
}

/// The address if it is public; of an IPv6 address the /64 network, which belongs to one caller.
pub(crate) fn public(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            let own =
                v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || shared;
            (!own).then_some(IpAddr::V4(v4))
        }
        IpAddr::V6(v6) => {
            let own =
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local();
            let network = Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX));
            (!own).then_some(IpAddr::V6(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn an_address_may_make_a_limited_number_of_calls_a_minute() {
        let callers = Callers::at_most(100);
        for call in 0..100 {
            assert_eq!(callers.count(at("203.0.113.7"), call), Ok(()), "{call}");
        }
        assert_eq!(callers.count(at("203.0.113.7"), 1_000), Err(59));
        assert_eq!(callers.count(at("203.0.113.8"), 1_000), Ok(()), "another address has its own");
        assert_eq!(callers.count(at("203.0.113.7"), 60_000), Err(60), "the minute before still counts");
        // Half a minute later, half of the previous minute's calls count.
        for call in 0..50 {
            assert_eq!(callers.count(at("203.0.113.7"), 90_000), Ok(()), "{call}");
        }
        assert_eq!(callers.count(at("203.0.113.7"), 90_000), Err(30));
        assert_eq!(callers.count(at("203.0.113.7"), 240_000), Ok(()), "old calls are removed");
        assert_eq!(
            callers.count(at("203.0.113.7"), 0),
            Ok(()),
            "a clock that was set back refuses no caller"
        );
        assert_eq!(callers.calls.lock().unwrap().by_address.len(), 1);
    }

    #[test]
    fn only_public_addresses_are_limited() {
        let callers = Callers::at_most(1);
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
        ] {
            assert_eq!([(); 3].map(|()| callers.count(at(address), 0)), [Ok(()); 3], "{address}");
        }
        assert_eq!([(); 3].map(|()| callers.count(None, 0)), [Ok(()); 3]);
        assert_eq!(callers.count(at("2001:db8::1"), 0), Ok(()));
        assert_eq!(callers.count(at("2001:db8::ffff:0:0:2"), 0), Err(60), "the same network");
        assert_eq!(callers.count(at("2001:db8:0:1::1"), 0), Ok(()), "another");
        assert_eq!(callers.count(at("::ffff:203.0.113.7"), 0), Ok(()));
        assert_eq!(callers.count(at("203.0.113.7"), 0), Err(60), "the same address");
        let unlimited = Callers::at_most(0);
        assert_eq!([(); 3].map(|()| unlimited.count(at("203.0.113.7"), 0)), [Ok(()); 3]);
    }

    #[test]
    fn addresses_that_are_not_public_share_one_limit() {
        let callers = Callers::at_most(2);
        for call in 0..20 {
            let address = if call % 2 == 0 { at("127.0.0.1") } else { None };
            assert_eq!(callers.count_any(address, 0), Ok(()), "{call}");
        }
        assert_eq!(callers.count_any(at("10.0.0.1"), 0), Err(60));
        assert_eq!(callers.count_any(at("203.0.113.7"), 0), Ok(()));
    }

    #[test]
    fn the_number_of_counted_addresses_is_limited() {
        let callers = Callers::at_most(1);
        for number in 0..300_000_u32 {
            let address = IpAddr::V4((0x0800_0000 + number).into());
            assert_eq!(callers.count(Some(address), 0), Ok(()));
        }
        assert_eq!(callers.calls.lock().unwrap().by_address.len(), ADDRESSES_MAX);
        assert_eq!(callers.count(at("203.0.113.7"), 120_000), Ok(()));
        assert_eq!(callers.calls.lock().unwrap().by_address.len(), 1);
    }
}
