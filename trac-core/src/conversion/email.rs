//! Whether two e-mail addresses are the same mailbox.

use alloc::string::String;

/// The mailbox of an address: in lower case, and without the characters that its provider ignores. Domains of
/// one provider that share mailboxes count as the same domain.
///
/// Sources: <https://support.google.com/mail/answer/7436150>, <https://proton.me/support/addresses-and-aliases>.
pub(super) fn mailbox(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    let (ignored, domain): (&[char], _) = match domain {
        "gmail.com" | "googlemail.com" => (&['.'], "gmail.com"),
        "proton.me" | "protonmail.com" | "pm.me" => (&['.', '-', '_'], "proton.me"),
        _ => return Some(address),
    };
    let local = local.split('+').next().unwrap_or(local).replace(ignored, "");
    Some([local.as_str(), "@", domain].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_their_provider_does() {
        let is_same = |one, other| mailbox(one).is_some_and(|one| mailbox(other) == Some(one));
        let check = |one, other, want| assert_eq!(is_same(one, other), want, "{one} {other}");
        check("Ann@Example.com", " ann@example.com ", true);
        check("a.nn@example.com", "ann@example.com", false);
        check("a.n.n+shop@gmail.com", "Ann@googlemail.com", true);
        check("a_n.n-@pm.me", "ANN+x@protonmail.com", true);
        check("a_nn@gmail.com", "ann@gmail.com", false);
        check("ann@gmail.com", "ann@proton.me", false);
        check("ann@example.com", "bob@example.com", false);
        check("", "", false);
        check("no address", "no address", false);
    }
}
