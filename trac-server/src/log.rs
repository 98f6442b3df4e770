//! The log of the program: to standard error, readable on a terminal, plain elsewhere, or as JSON lines.
//!
//! What is said while a request is answered ends with the request: its ID, method and route. That is put there when something is
//! said, which is seldom; a span around each request would cost as much as the rest of a tracked link's answer.

use std::fmt;
use std::io::{self, IsTerminal as _};

use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::request_id::{self, Named};

/// Starts the log.
///
/// # Errors
/// If `filter` is none: `info`, or `warn,trac_server=debug`, for example.
pub fn start(filter: &str, is_json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log {filter:?}: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if is_json {
        log.json().event_format(InRequest { line: Format::default().json(), end: json_end }).init();
    } else {
        let line = Format::default().with_ansi(io::stderr().is_terminal());
        log.event_format(InRequest { line, end: text_end }).init();
    }
    Ok(())
}

/// A line, and the request in which it was said.
struct InRequest<F> {
    line: F,
    end: fn(&str, &Named) -> String,
}

impl<S, N, F> FormatEvent<S, N> for InRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        // Where spans are wanted, theirs names the request.
        match request_id::current().filter(|_| context.lookup_current().is_none()) {
            Some(request) => writeln!(writer, "{}", (self.end)(line, &request)),
            None => writeln!(writer, "{line}"),
        }
    }
}

fn text_end(line: &str, Named { id, method, route }: &Named) -> String {
    format!("{line} request={id} method={method} route={route}")
}

fn json_end(line: &str, Named { id, method, route }: &Named) -> String {
    let line = line.strip_suffix('}').unwrap_or(line);
    format!("{line},\"request\":{}}}", json!({ "id": id, "method": method, "route": route }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_ends_with_the_request() {
        let named = Named { id: "req_1".to_owned(), method: "GET", route: "/s/{slug}".into() };
        let text = text_end("now WARN it is full clicks=3", &named);
        assert_eq!(text, "now WARN it is full clicks=3 request=req_1 method=GET route=/s/{slug}");
        let json: Value =
            serde_json::from_str(&json_end(r#"{"level":"WARN","fields":{"clicks":3}}"#, &named)).unwrap();
        let request = json!({ "id": "req_1", "method": "GET", "route": "/s/{slug}" });
        assert_eq!(json, json!({ "level": "WARN", "fields": { "clicks": 3 }, "request": request }));
    }
}
