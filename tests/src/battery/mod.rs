//! The battery: a server under mixed load is ended by `kill -9`, started again and compared, round after
//! round, on one data folder.
//!
//! Nothing that was acknowledged with 2xx may be missing; nothing may be stored twice. Then everything is
//! sent again, as Stripe and careful callers would, and the ledger must contain exactly the entries of one
//! delivery of each.

mod crowd;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::merchant::Merchant;
use crate::server::Server;
use crowd::{Crowd, Sent};

const SALE_MINOR: i64 = 10_000;
const SALE_EARNS_MINOR: i64 = 2_000;
const LEAD_EARNS_MINOR: i64 = 150;

/// The result of all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Survived {
    /// The number of kills.
    pub rounds: u64,
    /// Clicks, events and leads that were acknowledged with 2xx.
    pub acknowledged: usize,
    /// Clicks, events and leads that were sent and not acknowledged.
    pub unanswered: usize,
}

/// Everything sent so far, acknowledged or not.
#[derive(Debug, Default)]
struct Total {
    clicks_acknowledged: usize,
    clicks_attempted: usize,
    events: usize,
    leads: usize,
}

/// Kills a server `rounds` times; the seed determines when.
///
/// # Panics
/// If a record was lost or duplicated; the message names it.
pub async fn kill_and_compare(rounds: u64, seed: u64) -> Survived {
    let mut server = Server::start().await;
    let merchant = server.merchant("kill -9");
    let crowd = Crowd::set_up(&merchant).await;
    let mut chance = Chance::of(seed);
    let (mut total, mut survived) = (Total::default(), Survived::default());
    for round in 1..=rounds {
        let until = usize::try_from(chance.int(20..=400)).unwrap_or(20);
        let mut working = crowd.work(round);
        for count in 0..until {
            let acknowledged = working.acknowledged.recv().await;
            assert!(acknowledged.is_some(), "round {round}: only {count} acknowledged\n{}", server.log());
        }
        server.kill();
        let sent = working.end().await;
        server.restart().await;
        check_integrity(&server);
        survived.acknowledged += sent.acknowledged();
        survived.unanswered += sent.unanswered();
        assert!(sent.acknowledged() >= until, "round {round}");
        crowd.has_stored(round, &sent).await;
        crowd.send_again(round, &sent).await;
        total.add(&sent);
        total.compare(round, &merchant).await;
    }
    Survived { rounds, ..survived }
}

/// SQLite's integrity check of the file, while the server runs.
fn check_integrity(server: &Server) {
    let file = format!("{}/trac.db", server.data());
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
    let found = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(found.expect("an answer"), "ok");
}

impl Total {
    fn add(&mut self, sent: &Sent) {
        self.clicks_acknowledged += sent.clicks.len();
        self.clicks_attempted += sent.clicks_attempted;
        self.events += sent.events.len();
        self.leads += sent.leads.len();
    }

    async fn compare(&self, round: u64, merchant: &Merchant) {
        let count = async |path: &str| {
            let answer = merchant.get(&format!("{path}?limit=1")).await;
            usize::try_from(answer.number("/meta/total").expect("a total")).expect("a count")
        };
        assert_eq!(count("/events").await, self.events, "round {round}: events");
        assert_eq!(count("/leads").await, self.leads, "round {round}: leads");
        assert_eq!(count("/commissions").await, self.events + self.leads, "round {round}: commissions");
        // One click was made for the sales. A click that was not acknowledged may be stored: its response was
        // in flight.
        let clicks = count("/clicks").await - 1;
        let expected = self.clicks_acknowledged..=self.clicks_attempted;
        assert!(expected.contains(&clicks), "round {round}: {clicks} clicks, not {expected:?}");
        let balances = merchant.all("/balances").await;
        let owed = |balance: &Value| {
            let minor = |name: &str| balance.get(name).and_then(Value::as_i64).expect("an amount");
            minor("pending_minor") + minor("approved_minor")
        };
        let [events, leads] = [self.events, self.leads].map(|count| i64::try_from(count).expect("a count"));
        let earned = events * SALE_EARNS_MINOR + leads * LEAD_EARNS_MINOR;
        assert_eq!(balances.iter().map(owed).sum::<i64>(), earned, "round {round}: {balances:?}");
    }
}

/// A program that pays for sales and leads.
fn program() -> Value {
    json!({"name": "Partners", "commission": {"type": "percentage", "rate_bps": 2_000},
        "lead_amount_minor": LEAD_EARNS_MINOR, "lead_currency": "usd"})
}
