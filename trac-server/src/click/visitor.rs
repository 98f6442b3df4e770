//! Who came before, told without keeping who: a hash of address and browser under a salt that is thrown away daily.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

/// What a visitor shows of itself. Never kept.
#[derive(Clone)]
pub(super) struct Trail(Sha256);

impl Trail {
    /// `None` where the address is not known: a browser alone names nobody.
    pub(super) fn new(address: Option<IpAddr>, agent: Option<&str>) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update(address?.to_canonical().to_string());
        hash.update([0]);
        hash.update(agent.unwrap_or_default());
        Some(Self(hash))
    }

    /// The visitor's mark on a link or partner, the same all day and never again.
    pub(super) fn mark(mut self, subject: &str, salt: &str) -> Option<[u8; 16]> {
        self.0.update([0]);
        self.0.update(subject);
        self.0.update([0]);
        self.0.update(salt);
        let digest: [u8; 32] = self.0.finalize().into();
        digest.first_chunk().copied()
    }
}
