//! `schema CASES`: checks a running server against its `/openapi.json` with schemathesis, whose path is in
//! `TRAC_SCHEMATHESIS`: this many cases for each operation, with all its checks. Differences are printed, and
//! the exit code is 1.

use std::process::{Command, ExitCode};

use reqwest::Method;
use serde_json::json;
use trac_tests::{Server, Setup, envelope, session};

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let (cases, program) = (arguments.first(), std::env::var_os("TRAC_SCHEMATHESIS"));
    let (Some(cases), Some(program)) = (cases, program) else {
        eprintln!("TRAC_SCHEMATHESIS=… schema CASES");
        return ExitCode::from(2);
    };
    let server = Server::start_as(Setup::default()).await;
    let merchant = server.merchant("described");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "ada", "https://shop.example/").await;
    let clicked = json!({ "link_id": terms.link, "click_id": "clk_1795248000_0000000000000001" });
    merchant.ask(Method::POST, "/clicks", Some(clicked)).await;
    let paid = session("1", 10_000, "clk_1795248000_0000000000000001");
    endpoint.deliver(&envelope("evt_1", "checkout.session.completed", 1_795_248_060, &paid)).await;
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis.toml");
    let status = Command::new(program)
        .args(["--config-file", settings, "run", &format!("{}/openapi.json", server.origin())])
        .args(["--max-examples", cases])
        .env("TRAC_SECRET_KEY", merchant.secret_key())
        .env("TRAC_PUBLISHABLE_KEY", merchant.publishable_key())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("schemathesis does not start: {error}");
            ExitCode::FAILURE
        }
    }
}
