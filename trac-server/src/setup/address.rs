//! The step `public_url`: whether Stripe and visitors can reach the server.

use std::net::IpAddr;

use axum::http::Uri;
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use super::step::Step;
use crate::trac::limit;

const ID: &str = "public_url";

/// Who can reach a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everyone, over https.
    Everyone,
    /// Everyone, over plain http: Stripe delivers no live events to it.
    Unencrypted,
    /// The machine itself.
    ThisMachine,
    /// A private network.
    PrivateNetwork,
}

/// The last labels of names that no public server answers to. Source: RFC 6761, RFC 6762, RFC 8375, and ICANN's
/// reservation of `internal`.
const PRIVATE_ENDS: [&str; 7] = ["local", "internal", "lan", "home.arpa", "test", "invalid", "intranet"];

/// Who can reach a URL, by its scheme and host alone.
pub(super) fn reach(url: &str) -> Reach {
    let uri = url.parse::<Uri>().unwrap_or_default();
    let host = uri.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let is_below = |end: &str| host == end || host.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        if address.is_loopback() || address.is_unspecified() {
            return Reach::ThisMachine;
        }
        if limit::public(address).is_none() {
            return Reach::PrivateNetwork;
        }
    } else if is_below("localhost") {
        return Reach::ThisMachine;
    } else if !host.contains('.') || PRIVATE_ENDS.iter().any(|end| is_below(end)) {
        return Reach::PrivateNetwork;
    }
    if uri.scheme_str() == Some("https") { Reach::Everyone } else { Reach::Unencrypted }
}

/// The step. `reached_at` is the time at which the first event or visitor arrived.
pub(super) fn step(url: &str, mode: Mode, reached_at: Option<Timestamp>) -> Step {
    let reach = reach(url);
    let problem = match reach {
        Reach::Everyone => None,
        Reach::Unencrypted => Some("is not encrypted (http), and Stripe sends live events to https only"),
        Reach::ThisMachine => Some("is an address of this machine, which Stripe and visitors cannot reach"),
        Reach::PrivateNetwork => Some("is in a private network, which Stripe and visitors cannot reach"),
    };
    let remedy = "Start the server with --public-url and an https address that the whole Internet can reach, such as \
                  https://track.example.com.";
    let for_tests = "To try it out here, let “stripe listen” pass Stripe's test events on, or use a tunnel. Before you go \
                     live, start the server with --public-url and an https address.";
    match (problem, mode, reached_at) {
        (None, _, Some(at)) => Step::done(ID, Some(at), format!("The server is reached at {url}.")),
        (None, _, None) => Step::waiting(
            ID,
            format!("The server's address is {url}. Neither Stripe nor a visitor has reached it yet."),
            "This turns to done with the first event or the first visitor. To try it now, open one of your links in a browser.",
        ),
        (Some(problem), Mode::Live, _) => Step::failed(ID, None, format!("{url} {problem}."), remedy),
        (Some(problem), Mode::Test, None) => Step::waiting(ID, format!("{url} {problem}."), for_tests),
        (Some(problem), Mode::Test, Some(at)) => {
            let what = format!("{url} works for tests. It {problem}: live mode needs another address.");
            Step { remedy: Some(for_tests.to_owned()), ..Step::done(ID, Some(at), what) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::step::Status;

    #[test]
    fn a_url_is_public_only_if_its_host_is() {
        let check = |url: &str, want: Reach| assert_eq!(reach(url), want, "{url}");
        check("https://track.example.com", Reach::Everyone);
        check("https://track.example.com.", Reach::Everyone);
        check("https://8.8.8.8:8443/trac", Reach::Everyone);
        check("https://[2606:4700::1111]", Reach::Everyone);
        check("https://localhost.example.com", Reach::Everyone);
        check("https://mylocal.example", Reach::Everyone);
        check("http://track.example.com", Reach::Unencrypted);
        check("http://localhost:8787", Reach::ThisMachine);
        check("https://shop.LOCALHOST", Reach::ThisMachine);
        check("http://127.0.0.1:8787", Reach::ThisMachine);
        check("http://0.0.0.0", Reach::ThisMachine);
        check("https://[::1]", Reach::ThisMachine);
        check("https://[::ffff:10.0.0.1]", Reach::PrivateNetwork);
        check("https://192.168.1.7", Reach::PrivateNetwork);
        check("https://100.64.0.1", Reach::PrivateNetwork);
        check("https://[fd00::1]", Reach::PrivateNetwork);
        check("https://tracker", Reach::PrivateNetwork);
        check("https://nas.local", Reach::PrivateNetwork);
        check("https://trac.corp.internal", Reach::PrivateNetwork);
        check("", Reach::PrivateNetwork);
    }

    #[test]
    fn an_unreachable_address_fails_in_live_mode_only() {
        let at = Timestamp::from_unix_secs(7);
        let check = |url: &str, mode, reached: Option<Timestamp>, want: Status, has_remedy: bool| {
            let step = step(url, mode, reached);
            assert_eq!((step.status, step.remedy.is_some()), (want, has_remedy), "{url}: {step:?}");
            assert!(step.what.contains(url), "{step:?}");
        };
        check("https://t.example.com", Mode::Live, None, Status::Waiting, true);
        check("https://t.example.com", Mode::Live, Some(at), Status::Done, false);
        check("http://t.example.com", Mode::Live, Some(at), Status::Failed, true);
        check("https://10.0.0.1", Mode::Live, Some(at), Status::Failed, true);
        check("http://127.0.0.1:8787", Mode::Live, None, Status::Failed, true);
        check("http://127.0.0.1:8787", Mode::Test, None, Status::Waiting, true);
        check("http://127.0.0.1:8787", Mode::Test, Some(at), Status::Done, true);
        check("http://t.example.com", Mode::Test, None, Status::Waiting, true);
    }
}
