//! One scenario of `../shared/scenarios.json`: a program, a sequence of Stripe events, and the resulting
//! ledger.

use serde_json::{Map, Value};

use crate::server::Server;
use crate::stage::{Stage, number};

/// The order and number of deliveries of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As written.
    Given,
    /// Last event first.
    Reversed,
    /// Each event twice.
    Doubled,
    /// Shuffled with this seed.
    Shuffled(u64),
}

/// A scenario as in the file.
#[derive(Clone, Debug)]
pub struct Scenario(Value);

impl Scenario {
    /// Parses the file's text.
    #[must_use]
    pub fn read_all(text: &str) -> Vec<Self> {
        let all: Vec<Value> = serde_json::from_str(text).expect("scenarios.json is a list");
        all.into_iter().map(Self).collect()
    }

    /// Such as `A01`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.get("id").and_then(Value::as_str).expect("a scenario has an id")
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &str {
        self.0.get("title").and_then(Value::as_str).unwrap_or_default()
    }

    /// Runs it in a workspace of its own.
    ///
    /// # Errors
    /// The difference from the expected ledger.
    pub async fn run(&self, server: &Server, order: Order) -> Result<(), String> {
        let merchant = server.merchant(&format!("{} {order:?}", self.id()));
        let stage = Stage::set_up(merchant, self.config()).await;
        let events = self.0.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut posts: Vec<_> = events.into_iter().enumerate().collect();
        match order {
            Order::Given => {}
            Order::Reversed => posts.reverse(),
            Order::Doubled => posts = posts.into_iter().flat_map(|post| [post.clone(), post]).collect(),
            Order::Shuffled(seed) => shuffle(&mut posts, seed),
        }
        for (step, (index, event)) in posts.iter().enumerate() {
            stage.post(&format!("evt_{}_{index}", self.id()), event).await?;
            if step == 0 && stage.is_paid_out() {
                stage.pay_out().await;
            }
        }
        self.compare(&stage, order).await
    }

    fn config(&self) -> Map<String, Value> {
        self.0.get("config").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    async fn compare(&self, stage: &Stage, order: Order) -> Result<(), String> {
        let merchant = stage.merchant();
        let want = self.0.get("expected_net").and_then(Value::as_i64).unwrap_or_default();
        let commissions = merchant.all("/commissions").await;
        let net = merchant.net_minor().await;
        let story = || commissions.iter().map(Value::to_string).collect::<Vec<_>>().join("\n      ");
        if net != want {
            return Err(format!("net {net}, wanted {want}\n      {}", story()));
        }
        for (partner, name) in stage.partners().iter().zip(["1", "2"]) {
            let Some(wanted) = self.0.pointer("/expected_partner_net").map(|nets| number(nets, name)) else {
                continue;
            };
            let own = commissions.iter().filter(|row| row.get("partner_id").is_some_and(|id| id == partner));
            let net: i64 = own.map(|row| number(row, "net_minor")).sum();
            if net != wanted {
                return Err(format!("partner {name}: net {net}, wanted {wanted}\n      {}", story()));
            }
        }
        let earned: Vec<_> = commissions.iter().filter(|row| number(row, "amount_minor") != 0).collect();
        let expected: Vec<_> = self
            .0
            .get("expected_ledger")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|line| line.get("kind").is_some_and(|kind| kind == "commission"))
            .collect();
        if order == Order::Given && earned.len() != expected.len() {
            return Err(format!(
                "{} commissions, wanted {}\n      {}",
                earned.len(),
                expected.len(),
                story()
            ));
        }
        if let Some(row) =
            earned.iter().find(|row| !expected.iter().any(|line| line.get("currency") == row.get("currency")))
        {
            return Err(format!("a currency without a payment: {row}"));
        }
        Ok(())
    }
}

/// Fisher-Yates with a small generator (`SplitMix64`), so that the seed determines the order.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let range = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        items.swap(last, usize::try_from(mixed % range).unwrap_or_default());
    }
}
