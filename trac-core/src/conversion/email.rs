//! When two e-mail addresses are the same person's.

use alloc::string::String;

/// The mailbox an address stands for: in lower case, and where the provider ignores dots and `+tags`, without them.
fn mailbox(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    if matches!(domain, "gmail.com" | "googlemail.com") {
        let local = local.split('+').next().unwrap_or(local).replace('.', "");
        return Some([local.as_str(), "@gmail.com"].concat());
    }
    Some(address)
}

/// Whether two addresses reach the same mailbox.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    mailbox(one).is_some_and(|one| mailbox(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_their_provider_does() {
        let check = |one, other, want| assert_eq!(is_same(one, other), want, "{one} {other}");
        check("Ann@Example.com", " ann@example.com ", true);
        check("a.nn@example.com", "ann@example.com", false);
        check("a.n.n+shop@gmail.com", "Ann@googlemail.com", true);
        check("ann@example.com", "bob@example.com", false);
        check("", "", false);
        check("no address", "no address", false);
    }
}
