//! `/metrics`: counters for Prometheus, from the start of the server.
//!
//! # Wire form
//! The text exposition format 0.0.4. Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;

/// The upper bounds of the histogram of request times, in microseconds, and the same in seconds as written
/// out.
const BUCKETS: [(u128, &str); 8] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (50_000, "0.05"),
    (250_000, "0.25"),
    (1_000_000, "1"),
];

/// The counters. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(Arc<Mutex<Figures>>);

#[derive(Debug, Default)]
struct Figures {
    routes: BTreeMap<String, Route>,
    /// By outcome and reason.
    events: BTreeMap<(&'static str, &'static str), u64>,
    clicks_unrecorded: u64,
    links_unread: u64,
    /// By Stripe's response.
    questions: BTreeMap<&'static str, u64>,
    /// Visits that were redirected and not recorded as clicks, by reason.
    visits_not_counted: BTreeMap<&'static str, u64>,
    /// The bytes that each part of the database takes.
    space: BTreeMap<&'static str, u64>,
    /// Sign-ins to the dashboard, by result.
    sign_ins: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Route {
    /// By method and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    times: Times,
}

#[derive(Debug, Default)]
struct Times {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    micros: u128,
}

impl Metrics {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a delivery by outcome and reason.
    pub(crate) fn event(&self, outcome: &'static str, reason: &'static str) {
        add_one(self.figures().events.entry((outcome, reason)).or_default());
    }

    /// Counts a visit that was redirected and not recorded as a click.
    pub(crate) fn visit_not_counted(&self, why: &'static str) {
        add_one(self.figures().visits_not_counted.entry(why).or_default());
    }

    /// Records the bytes that each part of the database takes.
    pub(crate) fn space(&self, parts: &[(&'static str, u64)]) {
        self.figures().space = parts.iter().copied().collect();
    }

    /// Counts a sign-in to the dashboard by result. Returns the new count.
    pub(crate) fn sign_in(&self, result: &'static str) -> u64 {
        let mut figures = self.figures();
        let count = figures.sign_ins.entry(result).or_default();
        add_one(count);
        *count
    }

    /// Counts a visitor who was redirected although the click could not be written.
    /// Returns the new count.
    pub(crate) fn click_unrecorded(&self) -> u64 {
        let mut figures = self.figures();
        add_one(&mut figures.clicks_unrecorded);
        figures.clicks_unrecorded
    }

    /// Counts a visitor who was redirected to the last known destination because the link could not be read.
    /// Returns the new count.
    pub(crate) fn link_unread(&self) -> u64 {
        let mut figures = self.figures();
        add_one(&mut figures.links_unread);
        figures.links_unread
    }

    /// Counts a request to Stripe's API by its result.
    pub(crate) fn question(&self, answer: &'static str) {
        add_one(self.figures().questions.entry(answer).or_default());
    }

    /// Counts a request by route, never by path: callers can invent any number of paths.
    pub(crate) fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let mut figures = self.figures();
        match figures.routes.get_mut(route) {
            Some(known) => known.count(method, status, took),
            None => figures.routes.entry(route.to_owned()).or_default().count(method, status, took),
        }
    }

    /// All metrics as text. `waiting` is the number of jobs of each kind that the store has yet to write,
    /// `spooled` the number of clicks in the spool.
    pub(crate) fn text(&self, waiting: [(&str, usize); 3], spooled: usize) -> String {
        let figures = self.figures();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: String| {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        };
        let build = format!("trac_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
        family("trac_build_info", "gauge", "The running version.", build);
        let requests =
            figures.routes.iter().fold(String::new(), |text, (name, route)| text + &route.lines(name));
        family("trac_http_requests_total", "counter", "Requests answered.", requests);
        let times =
            figures.routes.iter().fold(String::new(), |text, (name, route)| text + &route.times.lines(name));
        family("trac_http_request_seconds", "histogram", "Time until the response began.", times);
        let events = figures.events.iter().fold(String::new(), |text, ((outcome, reason), count)| {
            format!("{text}trac_events_total{{outcome=\"{outcome}\",reason=\"{reason}\"}} {count}\n")
        });
        family("trac_events_total", "counter", "Authentic deliveries of Stripe's events.", events);
        let unrecorded = format!("trac_clicks_unrecorded_total {}\n", figures.clicks_unrecorded);
        family(
            "trac_clicks_unrecorded_total",
            "counter",
            "Visitors redirected without a click on disk.",
            unrecorded,
        );
        let unread = format!("trac_links_unread_total {}\n", figures.links_unread);
        let help = "Visitors redirected to the last known destination because the link could not be read.";
        family("trac_links_unread_total", "counter", help, unread);
        let questions = figures.questions.iter().fold(String::new(), |text, (answer, count)| {
            format!("{text}trac_stripe_questions_total{{answer=\"{answer}\"}} {count}\n")
        });
        family("trac_stripe_questions_total", "counter", "Requests to Stripe's API.", questions);
        let spooled = format!("trac_spool_waiting {spooled}\n");
        family("trac_spool_waiting", "gauge", "Clicks on disk that are not in the store yet.", spooled);
        let skipped = figures.visits_not_counted.iter().fold(String::new(), |text, (why, count)| {
            format!("{text}trac_visits_not_counted_total{{why=\"{why}\"}} {count}\n")
        });
        family(
            "trac_visits_not_counted_total",
            "counter",
            "Visits redirected and not recorded as clicks.",
            skipped,
        );
        let sign_ins = figures.sign_ins.iter().fold(String::new(), |text, (result, count)| {
            format!("{text}trac_sign_ins_total{{result=\"{result}\"}} {count}\n")
        });
        family("trac_sign_ins_total", "counter", "Attempted sign-ins to the dashboard.", sign_ins);
        let space = figures.space.iter().fold(String::new(), |text, (part, bytes)| {
            format!("{text}trac_store_bytes{{part=\"{part}\"}} {bytes}\n")
        });
        family(
            "trac_store_bytes",
            "gauge",
            "The space that each part of the database takes, measured daily.",
            space,
        );
        let waiting = waiting.iter().fold(String::new(), |text, (kind, count)| {
            format!("{text}trac_store_waiting{{kind=\"{kind}\"}} {count}\n")
        });
        family("trac_store_waiting", "gauge", "Jobs that the store has yet to write.", waiting);
        text
    }
}

impl Route {
    fn count(&mut self, method: &'static str, status: u16, took: Duration) {
        add_one(self.requests.entry((method, status)).or_default());
        self.times.count(took.as_micros());
    }

    fn lines(&self, route: &str) -> String {
        self.requests.iter().fold(String::new(), |text, ((method, status), count)| {
            format!("{text}trac_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}\n")
        })
    }
}

impl Times {
    fn count(&mut self, micros: u128) {
        for (bucket, (bound, _)) in self.buckets.iter_mut().zip(BUCKETS) {
            if micros <= bound {
                add_one(bucket);
            }
        }
        add_one(&mut self.count);
        self.micros = self.micros.saturating_add(micros);
    }

    fn lines(&self, route: &str) -> String {
        let name = "trac_http_request_seconds";
        let mut text = String::new();
        for (count, (_, bound)) in self.buckets.iter().zip(BUCKETS) {
            let _ = writeln!(text, "{name}_bucket{{route=\"{route}\",le=\"{bound}\"}} {count}");
        }
        let (secs, micros) = (self.micros.div_euclid(1_000_000), self.micros.rem_euclid(1_000_000));
        let _ = writeln!(text, "{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {}", self.count);
        let _ = writeln!(text, "{name}_sum{{route=\"{route}\"}} {secs}.{micros:06}");
        let _ = writeln!(text, "{name}_count{{route=\"{route}\"}} {}", self.count);
        text
    }
}

fn add_one(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// The method as a label; `other` for one that no route has.
pub(crate) fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_falls_into_every_bucket_it_fits() {
        let metrics = Metrics::default();
        metrics.request("GET", "/s/{slug}", 302, Duration::from_millis(2));
        metrics.request("GET", "/s/{slug}", 302, Duration::from_secs(3));
        let text = metrics.text([("webhook", 0), ("api", 0), ("click", 7)], 5);
        for line in [
            "trac_http_requests_total{method=\"GET\",route=\"/s/{slug}\",status=\"302\"} 2",
            "trac_http_request_seconds_bucket{route=\"/s/{slug}\",le=\"0.001\"} 0",
            "trac_http_request_seconds_bucket{route=\"/s/{slug}\",le=\"0.0025\"} 1",
            "trac_http_request_seconds_bucket{route=\"/s/{slug}\",le=\"+Inf\"} 2",
            "trac_http_request_seconds_sum{route=\"/s/{slug}\"} 3.002000",
            "trac_store_waiting{kind=\"click\"} 7",
            "trac_spool_waiting 5",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
    }
}
