//! A large store, made by the same path as real traffic: visitors follow links, their clicks go through the
//! spool, Stripe's events arrive signed, leads and payouts are API calls. The clock of the server in this process
//! runs through the years meanwhile.
//!
//! The same seed gives the same visits, events and sums; only the IDs and click IDs that the server makes differ.

mod program;
mod traffic;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use trac_core::time::DAY_SECS;

use crate::chance::Chance;
use crate::house::{House, Keys};
use program::Program;
use traffic::{Call, Traffic};

/// How large the store becomes.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Visits of tracked links.
    pub clicks: u64,
    /// Stripe's events, and leads.
    pub events: u64,
    /// Partners, each with a link; every tenth has two.
    pub partners: u64,
    /// The days over which everything is spread, the last of them today.
    pub days: i64,
}

impl Size {
    /// Reads `CLICKS EVENTS [PARTNERS [DAYS]]`; by default a thousand partners over three years. `None` without clicks
    /// or events.
    #[must_use]
    pub fn read(arguments: &[String]) -> Option<Self> {
        let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
        let days = number(3).and_then(|days| i64::try_from(days).ok()).unwrap_or(3 * 365);
        Some(Self { clicks: number(0)?, events: number(1)?, partners: number(2).unwrap_or(1_000), days })
    }
}

/// The workspace of the store, in test mode.
#[derive(Clone, Debug)]
pub struct Grown {
    /// `sk_test_…`
    pub secret_key: String,
}

/// The most visits that are answered at the same time.
const TOGETHER: u64 = 512;
/// The days between two payouts of a partner.
const PAYOUT_DAYS: i64 = 90;
const WEBHOOK_SECRET: &str = "whsec_grown";

/// Fills a data folder, which must be empty, and reports each tenth of the way.
///
/// # Panics
/// If the server rejects a request.
pub async fn grow(folder: &Path, size: Size, seed: u64, report: impl Fn(&str)) -> Grown {
    let (mut chance, span) = (Chance::of(seed), size.days.max(1) * DAY_SECS);
    let begin = crate::stripe::now() - span;
    let house = Arc::new(House::at(folder, begin));
    let keys = Arc::new(house.merchant("grown").await);
    house.set_secrets(&keys, &keys.endpoint, &[WEBHOOK_SECRET.to_owned()]).await;
    let mut program = Program::create(&house, &keys, &mut chance, size.partners).await;
    let mut traffic = Traffic::new();
    let steps = size.clicks.div_ceil(TOGETHER).max(size.days.unsigned_abs()).max(1);
    let (mut tenth, mut next_payouts) = (0, begin + PAYOUT_DAYS * DAY_SECS);
    for step in 0..steps {
        let share = |whole: u64| whole * (step + 1) / steps - whole * step / steps;
        let now =
            begin + span * i64::try_from(step).expect("few steps") / i64::try_from(steps).expect("few steps");
        house.wait_until(now);
        let visits: Vec<_> = (0..share(size.clicks)).map(|_| program.visit(&mut chance)).collect();
        traffic.clicked(
            all(&house, visits, |house, visit| async move { house.follow(&visit.slug, visit.address).await })
                .await,
        );
        let calls: Vec<_> = (0..share(size.events)).map(|_| traffic.next(&mut chance, now)).collect();
        let keys = Arc::clone(&keys);
        all(&house, calls, move |house, call| deliver(house, Arc::clone(&keys), call)).await;
        if now >= next_payouts {
            program.pay_out(&house).await;
            next_payouts += PAYOUT_DAYS * DAY_SECS;
        }
        if (step + 1) * 10 / steps > tenth {
            tenth = (step + 1) * 10 / steps;
            report(&format!(
                "{tenth} tenths: {} clicks, {} events",
                size.clicks * tenth / 10,
                size.events * tenth / 10
            ));
        }
    }
    let mut house = Arc::into_inner(house).expect("no request is left");
    house.close();
    Grown { secret_key: keys.secret_key.clone() }
}

/// How many calls are in flight at a time.
const IN_FLIGHT: usize = 1_000;

/// Makes calls, many at a time, and returns their results in the order of the calls.
async fn all<T, R, F, Fut>(house: &Arc<House>, items: Vec<T>, call: F) -> Vec<R>
where
    F: Fn(Arc<House>, T) -> Fut,
    Fut: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    let (mut working, permits) = (JoinSet::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    for (at, item) in items.into_iter().enumerate() {
        let made = call(Arc::clone(house), item);
        let permits = Arc::clone(&permits);
        working.spawn(async move {
            let _permit = permits.acquire().await.expect("it is open");
            (at, made.await)
        });
    }
    let mut results = working.join_all().await;
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

async fn deliver(house: Arc<House>, keys: Arc<Keys>, call: Call) {
    match call {
        Call::Event(body) => {
            let secrets = [WEBHOOK_SECRET.to_owned()];
            let (status, answer) = house.deliver(&keys.endpoint, body, &secrets).await;
            let failed = answer.pointer("/outcome").is_none_or(|outcome| outcome == "failed");
            assert!(status == 200 && !failed, "{status} {answer}");
        }
        Call::Lead(body) => {
            let (status, answer) = house.track(&keys, "/lead", &body).await;
            assert!(status == 200 || status == 201, "{status} {answer}");
        }
    }
}
