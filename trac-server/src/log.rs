//! The program's log, on standard error: with colors on a terminal, plain elsewhere, or as JSON lines.
//!
//! A line written while a request is answered ends with the request's ID, method and route. They are added
//! only when a line is written: a span would be formatted for every request, and few requests write a line.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;

use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::http::request_id::{self, Named};

/// Starts the log.
///
/// # Errors
/// If `filter` is not a filter such as `info` or `warn,trac_server=debug`.
pub fn start(filter: &str, is_json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log {filter:?}: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Otherwise a failed write (a closed pipe, a full disk) would be reported on standard error, which fails
    // too and panics.
    let log = log.log_internal_errors(false);
    if is_json {
        log.json().event_format(InRequest { line: Format::default().json(), end: json_end }).init();
        std::panic::set_hook(Box::new(log_panic));
    } else {
        let line = Format::default().with_ansi(io::stderr().is_terminal());
        log.event_format(InRequest { line, end: text_end }).init();
    }
    Ok(())
}

/// Logs a panic like any other error, so that each line is JSON.
fn log_panic(panicked: &PanicHookInfo<'_>) {
    let place = panicked.location().map(ToString::to_string).unwrap_or_default();
    let message = panicked.payload_as_str().unwrap_or_default();
    tracing::error!(place, said = message, "a thread panicked");
}

/// Formats a line, followed by the request in which it was written.
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
        // If spans are enabled, the span names the request.
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
    use std::sync::{Arc, Mutex};

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

    /// A writer whose content the test can read.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_json_even_of_a_panic() {
        let (written, named) =
            (Written::default(), Named { id: "req_1".to_owned(), method: "GET", route: "/s/{slug}".into() });
        let writer = written.clone();
        let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
        let log = log.event_format(InRequest { line: Format::default().json(), end: json_end }).finish();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        tracing::subscriber::with_default(log, || {
            tracing::warn!(said = "two\nlines }", "without a request\n");
            request_id::CURRENT.sync_scope(named, || {
                tracing::warn!(said = "two\nlines }", "within one\n ");
                let _ = std::panic::catch_unwind(|| panic!("on\n{}", "purpose"));
            });
        });
        std::panic::set_hook(before);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let logged: Vec<_> =
            lines.iter().map(|line| (&line["fields"]["said"], &line["request"]["id"])).collect();
        let (two, none) = (json!("two\nlines }"), Value::Null);
        let (one, panic) = (json!("req_1"), json!("on\npurpose"));
        assert_eq!(logged, [(&two, &none), (&two, &one), (&panic, &one)]);
    }
}
