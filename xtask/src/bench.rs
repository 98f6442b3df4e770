//! `cargo xtask bench`: what an event costs, beside what it cannot cost less than. With `--core`: without the server. With
//! `--http`: how much the released server answers on one processor. With `--neighbours`: how long the webhooks of one workspace
//! take while another one asks for everything. With `--browser`: how long a page waits for its links.
//! Each table is of one run, in Markdown, for the documents.

use serde_json::Value;

use crate::{Outcome, script, setup};

/// Runs the benchmarks and says how the core stands to the HMAC and the JSON parser of the same run.
#[expect(clippy::print_stdout, reason = "a task talks to whoever started it")]
pub(crate) fn run() -> Outcome {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if asked("--browser") {
        return browser();
    }
    if asked("--http") {
        return http();
    }
    if asked("--neighbours") {
        return neighbours();
    }
    measure("trac-core", "webhook")?;
    println!("{}", session_table()?);
    if asked("--core") {
        return Ok(());
    }
    measure("trac-server", "webhooks")?;
    for folder in
        ["on_disk", "in_memory", "customer_of_10", "customer_of_100", "customer_of_1000", "customer_of_10000"]
    {
        let Ok(nanos) = median_nanos(&format!("webhooks/{folder}")) else { continue };
        println!("webhooks, {folder}: {} a second", 1_000_000_000_u64.checked_div(nanos).unwrap_or_default());
    }
    Ok(())
}

fn measure(package: &str, bench: &str) -> Outcome {
    let bench = ["bench", "-p", package, "--bench", bench];
    setup::run(setup::cargo().args(bench).current_dir(setup::root()?))
}

/// What is measured of one session, from what cannot be saved to the whole.
const SESSION: [(&str, &str); 6] = [
    ("hmac", "HMAC-SHA256 alone"),
    ("serde_json_value", "`serde_json::Value` alone"),
    ("verify", "verify"),
    ("verify_parse", "verify, parse"),
    ("verify_parse_facts", "verify, parse, facts"),
    ("verify_parse_facts_settle", "verify, parse, facts, settle"),
];

/// What one session costs, step by step, as a ratio to the HMAC and to the JSON parser of the same run.
fn session_table() -> Outcome<String> {
    let fastest = |bench: &str| fastest_nanos(&format!("session/{bench}"));
    let (hmac, json) = (fastest("hmac")?, fastest("serde_json_value")?);
    let mut lines = vec![
        "| one session of 2.4 kB | µs | ÷ HMAC | ÷ JSON | ÷ both |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (bench, step) in SESSION {
        let nanos = fastest(bench)?;
        let ratios = [hmac, json, hmac.saturating_add(json)].map(|floor| in_tenths(nanos, floor));
        lines.push(format!("| {step} | {} | {} |", in_tenths(nanos, 1_000), ratios.join(" | ")));
    }
    Ok(lines.join("\n"))
}

fn browser() -> Outcome {
    script::build()?;
    if !setup::browser() {
        return Err("there is no browser to measure in".into());
    }
    let example = ["run", "--quiet", "--package=trac-tests", "--example=script_speed"];
    setup::run(setup::cargo().current_dir(setup::root()?).args(example))
}

/// The released server on one processor, the load on another.
fn http() -> Outcome {
    setup::web_tools();
    let server = setup::released_server()?;
    let load = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "load", "--"];
    let seconds = std::env::args().skip(2).filter(|argument| argument != "--http");
    setup::run(setup::cargo().args(load).args(seconds).env("TRAC_BIN", server).current_dir(setup::root()?))
}

/// Two workspaces on the released server: one asks for everything at once, the other's webhooks must not notice.
fn neighbours() -> Outcome {
    let server = setup::released_server()?;
    let load = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "neighbours", "--"];
    let numbers = std::env::args().skip(2).filter(|argument| argument != "--neighbours");
    setup::run(setup::cargo().args(load).args(numbers).env("TRAC_BIN", server).current_dir(setup::root()?))
}

/// One over the other, with one decimal.
fn in_tenths(one: u64, other: u64) -> String {
    let tenths = one.saturating_mul(10).saturating_add(other / 2).checked_div(other).unwrap_or_default();
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The fastest of the samples that criterion took last. On a machine that does other things beside, all others measure those.
fn fastest_nanos(name: &str) -> Outcome<u64> {
    let file = setup::root()?.join("target/criterion").join(name).join("new/sample.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let samples: Value = serde_json::from_str(&text)?;
    let of = |field: &str| samples.get(field).and_then(Value::as_array).into_iter().flatten();
    let whole = |number: &Value| -> Option<u64> { format!("{:.0}", number.as_f64()?).parse().ok() };
    let each = of("times").zip(of("iters")).filter_map(|(time, runs)| whole(time)?.checked_div(whole(runs)?));
    each.min().ok_or_else(|| format!("{} holds no sample", file.display()).into())
}

/// What criterion measured last.
fn median_nanos(name: &str) -> Outcome<u64> {
    let file = setup::root()?.join("target/criterion").join(name).join("new/estimates.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let estimates: Value = serde_json::from_str(&text)?;
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
    let median = median.ok_or_else(|| format!("{} says no median", file.display()))?;
    Ok(format!("{median:.0}").parse()?)
}
