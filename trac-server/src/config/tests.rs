use super::command::workspace_name;
use super::*;

#[test]
fn a_cookie_domain_is_one_that_a_cookie_can_be_set_for() {
    let check = |text: &str, want: bool| assert_eq!(cookie_domain(text).is_ok(), want, "{text:?}");
    check("example.com", true);
    check("shop.example.co.uk", true);
    check("localhost", false);
    check("127.0.0.1", false);
    check("", false);
    check("a b; HttpOnly", false);
    check("https://example.com", false);
}

#[test]
fn a_workspace_name_is_visible_and_has_no_control_characters() {
    let check = |text: &str, want: Option<&str>| {
        assert_eq!(workspace_name(text).ok().as_deref(), want, "{text:?}");
    };
    check(" My shop ", Some("My shop"));
    check("Bücher & <Kaffee>", Some("Bücher & <Kaffee>"));
    check("", None);
    check("  ", None);
    check("a\u{1b}[31m", None);
    check("a\nb", None);
    check(&"x".repeat(201), None);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trac.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\npublic_url = \"https://t.example.com/\"\n").unwrap();
    let options =
        Options { config: Some(file), listen: Some("127.0.0.1:2".parse().unwrap()), ..Options::default() };
    let config = options.settle().unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.public_url.as_deref(), Some("https://t.example.com"));
    assert_eq!(config.data, PathBuf::from("trac-data"));
}

#[test]
fn the_stripe_api_url_is_https_or_on_this_machine() {
    let check = |text: &str, want: Option<&str>| {
        assert_eq!(stripe_api_url(text).ok().as_deref(), want, "{text}");
    };
    check("https://api.stripe.com/", Some("https://api.stripe.com"));
    check("http://127.0.0.1:8789", Some("http://127.0.0.1:8789"));
    check("http://localhost:1/stripe/", Some("http://localhost:1/stripe"));
    check("http://[::1]:1", Some("http://[::1]:1"));
    check("http://api.stripe.com", None);
    check("http://127.0.0.1.evil.example", None);
    check("http://127.0.0.1@evil.example", None);
    check("https://api.stripe.com?key=1", None);
    check("ftp://127.0.0.1", None);
    check("api.stripe.com", None);
    check("", None);
}

#[test]
fn lists_are_read_from_the_file_as_one_or_many() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trac.toml");
    let settle = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Options { config: Some(file.clone()), ..Options::default() }.settle()
    };
    let config = settle(
        "cookie_domain = \"shop.example\"\ntracking_domain = [\"Go.tea.example\", \"a.example:8443\"]\n\
         trusted_proxy = [\"10.0.0.0/8\"]",
    );
    let config = config.unwrap();
    assert_eq!(config.cookie_domain, ["shop.example"]);
    assert_eq!(config.tracking_domain, ["go.tea.example", "a.example:8443"]);
    assert_eq!(config.trusted_proxy, ["10.0.0.0/8".parse().unwrap()]);
    for wrong in [
        "tracking_domain = \"https://go.example\"",
        "tracking_domain = [\"go.example/x\"]",
        "tracking_domain = \"\"",
        "tracking_domain = \"a@go.example\"",
        "trusted_proxy = \"10.0.0.0/99\"",
        "cookie_domain = [\"localhost\"]",
    ] {
        assert!(settle(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_invalid_option_is_reported_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trac.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"").unwrap();
    let options = Options { config: Some(file), ..Options::default() };
    let error = options.settle().unwrap_err().to_string();
    assert!(error.contains("trac.toml") && error.contains("lisen"), "{error}");
    assert_eq!(error.lines().count(), 1);
    for url in ["ftp://x", "t.example.com", "http://user@x", "https://x/?a=b", ""] {
        let options = Options { public_url: Some(url.to_owned()), ..Options::default() };
        assert!(options.settle().is_err(), "{url}");
    }
}
