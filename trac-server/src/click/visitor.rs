//! Recognizes a returning visitor without storing an identity: by a hash of IP address and `User-Agent`, with
//! a salt that is deleted every day.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

/// The hash of a visitor's IP address and `User-Agent`, without the salt. It is never stored.
#[derive(Clone)]
pub(super) struct VisitorHash(Sha256);

impl VisitorHash {
    /// `None` if the address is not known: a `User-Agent` alone does not identify a visitor.
    pub(super) fn new(address: Option<IpAddr>, agent: Option<&str>) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update(address?.to_canonical().to_string());
        hash.update([0]);
        hash.update(agent.unwrap_or_default());
        Some(Self(hash))
    }

    /// The visitor's hash for one link or partner: the same all day, and different every day.
    pub(super) fn mark(mut self, subject: &str, salt: &str) -> Option<[u8; 16]> {
        self.0.update([0]);
        self.0.update(subject);
        self.0.update([0]);
        self.0.update(salt);
        let digest: [u8; 32] = self.0.finalize().into();
        digest.first_chunk().copied()
    }
}
