//! `cargo xtask bench`: the cost of an event, compared with the two steps that no server can avoid: the HMAC
//! and the JSON parser.
//!
//! With `--core`: without the server. With `--http`: the throughput of the release server on one processor.
//! With `--neighbours`: the latency of one workspace's webhooks while another workspace sends requests of all
//! kinds. With `--reads`: every list, report and page on a large store, compared with a small one. With
//! `--browser`: how long a page waits for its links.
//! Each table is from a single run, in Markdown, for the documents.

use serde_json::Value;

use crate::{Outcome, script, setup};

/// Runs the benchmarks and prints the core's cost relative to the HMAC and the JSON parser of the same run.
#[expect(clippy::print_stdout, reason = "a task prints to its terminal")]
pub(crate) fn run() -> Outcome {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--browser") {
        return browser();
    }
    if has("--http") {
        return http();
    }
    if has("--neighbours") {
        return neighbours();
    }
    if has("--reads") {
        return reads();
    }
    measure("trac-core", "webhook")?;
    println!("{}", session_table()?);
    if has("--core") {
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

/// The benchmarks of one session, from the lower bounds to all steps.
const SESSION: [(&str, &str); 6] = [
    ("hmac", "HMAC-SHA256 alone"),
    ("serde_json_value", "`serde_json::Value` alone"),
    ("verify", "verify"),
    ("verify_parse", "verify, parse"),
    ("verify_parse_facts", "verify, parse, facts"),
    ("verify_parse_facts_settle", "verify, parse, facts, settle"),
];

/// The cost of one session, step by step, as a ratio to the HMAC and to the JSON parser of the same run.
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
        return Err("there is no browser to measure with".into());
    }
    let example = ["run", "--quiet", "--package=trac-tests", "--example=script_speed"];
    setup::run(setup::cargo().current_dir(setup::root()?).args(example))
}

/// The release server on one processor, the load on another.
fn http() -> Outcome {
    setup::web_tools();
    let server = setup::released_server()?;
    let load = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "load"];
    let seconds = std::env::args().skip(2).filter(|argument| argument != "--http");
    setup::run(setup::cargo().args(load).args(seconds).env("TRAC_BIN", server).current_dir(setup::root()?))
}

/// Two workspaces on the release server: one sends requests of all kinds at once, and the other's webhooks
/// must not slow down.
fn neighbours() -> Outcome {
    let server = setup::released_server()?;
    let load = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "neighbours"];
    let numbers = std::env::args().skip(2).filter(|argument| argument != "--neighbours");
    setup::run(setup::cargo().args(load).args(numbers).env("TRAC_BIN", server).current_dir(setup::root()?))
}

/// The size of the store that `--reads` measures: clicks and events.
const READ_SIZE: [&str; 2] = ["2000000", "300000"];

/// Every read of the release server. `CLICKS EVENTS` are numbers of their own; the store is kept in
/// `target/grown` for the next time.
fn reads() -> Outcome {
    let server = setup::released_server()?;
    let given: Vec<_> = std::env::args().skip(2).filter(|argument| argument != "--reads").collect();
    let size = if given.is_empty() { READ_SIZE.map(str::to_owned).to_vec() } else { given };
    let folder = setup::root()?.join("target/grown").join(size.join("-"));
    let reads = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "reads"];
    setup::run(
        setup::cargo().args(reads).arg(folder).args(size).env("TRAC_BIN", server).current_dir(setup::root()?),
    )
}

/// Fills a data folder.
pub(crate) fn grow() -> Outcome {
    let grow = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "grow"];
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    setup::run(setup::cargo().args(grow).args(arguments).current_dir(setup::root()?))
}

/// The ratio of two numbers, with one decimal.
fn in_tenths(one: u64, other: u64) -> String {
    let tenths = one.saturating_mul(10).saturating_add(other / 2).checked_div(other).unwrap_or_default();
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The fastest of criterion's last samples. On a busy machine, the slower samples include time taken
/// by other processes.
fn fastest_nanos(name: &str) -> Outcome<u64> {
    let file = setup::root()?.join("target/criterion").join(name).join("new/sample.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let samples: Value = serde_json::from_str(&text)?;
    let numbers = |field: &str| samples.get(field).and_then(Value::as_array).into_iter().flatten();
    let rounded = |number: &Value| -> Option<u64> { format!("{:.0}", number.as_f64()?).parse().ok() };
    let durations = numbers("times")
        .zip(numbers("iters"))
        .filter_map(|(time, runs)| rounded(time)?.checked_div(rounded(runs)?));
    durations.min().ok_or_else(|| format!("{} contains no sample", file.display()).into())
}

/// The median of criterion's last run.
fn median_nanos(name: &str) -> Outcome<u64> {
    let file = setup::root()?.join("target/criterion").join(name).join("new/estimates.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let estimates: Value = serde_json::from_str(&text)?;
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
    let median = median.ok_or_else(|| format!("{} contains no median", file.display()))?;
    Ok(format!("{median:.0}").parse()?)
}
