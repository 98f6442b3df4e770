//! One scenario of `../shared/scenarios.json`: a program, a sequence of Stripe events, and the ledger they must
//! leave.

use serde_json::{Map, Value, json};

use crate::merchant::Merchant;
use crate::server::Server;
use crate::stripe::{Endpoint, now};

const DAY_SECS: i64 = 86_400;
/// Far enough back that every offset of the scenarios still lies in the past.
const BASE_AGE_SECS: i64 = 90 * DAY_SECS;

/// In which order, and how often, the events are posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As written.
    Given,
    /// The last first.
    Reversed,
    /// Each one twice.
    Doubled,
    /// Shuffled by this seed.
    Shuffled(u64),
}

/// A scenario as read from the file.
#[derive(Clone, Debug)]
pub struct Scenario(Value);

impl Scenario {
    /// Reads the file's text.
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

    /// What it shows.
    #[must_use]
    pub fn title(&self) -> &str {
        self.0.get("title").and_then(Value::as_str).unwrap_or_default()
    }

    /// Runs it in a workspace of its own.
    ///
    /// # Errors
    /// What differed from what the scenario binds, in words.
    pub async fn run(&self, server: &Server, order: Order) -> Result<(), String> {
        let merchant = server.merchant(&format!("{} {order:?}", self.id())).await;
        let endpoint = merchant.endpoint().await;
        let base = now() - BASE_AGE_SECS;
        let mut stage =
            Stage { merchant, endpoint, base, config: self.config(), clicks: [const { String::new() }; 2] };
        stage.set_up().await;
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
            if step == 0 && stage.text("commission_state") == Some("paid") {
                stage.pay_out().await;
            }
        }
        self.compare(&stage.merchant, order).await
    }

    fn config(&self) -> Map<String, Value> {
        self.0.get("config").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    async fn compare(&self, merchant: &Merchant, order: Order) -> Result<(), String> {
        let want = self.0.get("expected_net").and_then(Value::as_i64).unwrap_or_default();
        let commissions = merchant.all("/commissions").await;
        let net = merchant.net_minor().await;
        let story = || commissions.iter().map(|row| format!("\n      {row}")).collect::<String>();
        if net != want {
            return Err(format!("net {net}, wanted {want}{}", story()));
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
            return Err(format!("{} commissions, wanted {}{}", earned.len(), expected.len(), story()));
        }
        if let Some(row) =
            earned.iter().find(|row| !expected.iter().any(|line| line.get("currency") == row.get("currency")))
        {
            return Err(format!("a currency nobody paid in: {row}"));
        }
        Ok(())
    }
}

/// The workspace a scenario plays in.
struct Stage {
    merchant: Merchant,
    endpoint: Endpoint,
    base: i64,
    config: Map<String, Value>,
    clicks: [String; 2],
}

impl Stage {
    fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }

    /// The program as `config` changes it, two partners, one click each.
    async fn set_up(&mut self) {
        let program = self.merchant.make("/programs", self.program()).await;
        let age = self.config.get("click_age_days").and_then(Value::as_i64);
        let clicked_at = self.base - age.map_or(3_600, |days| days * DAY_SECS);
        for (index, click) in self.clicks.iter_mut().enumerate() {
            let email = self.config.get("partner_email").and_then(Value::as_str).filter(|_| index == 0);
            let email = email.map_or_else(|| format!("partner{index}@example.net"), str::to_owned);
            let partner = json!({"name": format!("Partner {}", index + 1), "email": email});
            let partner = self.merchant.make("/partners", partner).await;
            let status = self.config.get("partner_status").and_then(Value::as_str).unwrap_or("approved");
            let enrollment = json!({"program_id": program, "partner_id": partner, "status": status});
            self.merchant.make("/enrollments", enrollment).await;
            let wanted =
                json!({"program_id": program, "partner_id": partner, "clicked_at": rfc3339(clicked_at)});
            *click = self.merchant.make("/clicks", wanted).await;
        }
    }

    fn program(&self) -> Value {
        let get = |key: &str| self.config.get(key).cloned();
        let commission = match get("fixed_amount") {
            Some(amount) => json!({"type": "fixed", "amount_minor": amount,
                "currency": get("fixed_currency").unwrap_or_else(|| json!("usd")),
                "cap_at_sale": get("cap_at_sale").unwrap_or_else(|| json!(false))}),
            None => json!({"type": "percentage", "rate_bps": get("rate_bps").unwrap_or_else(|| json!(2000))}),
        };
        let recurring = match self.text("recurring") {
            None => json!("lifetime"),
            Some("first_only") => json!("first_payment"),
            Some(text) => match text.strip_prefix("months:").and_then(|months| months.parse::<u32>().ok()) {
                Some(months) => json!({ "months": months }),
                None => json!(text),
            },
        };
        let hold = if self.text("commission_state") == Some("paid") {
            json!({"lead": 0, "sale": 0, "recurring": 0})
        } else {
            json!({"lead": 3, "sale": 30, "recurring": 30})
        };
        json!({
            "name": "Scenario",
            "status": get("program_status").unwrap_or_else(|| json!("active")),
            "commission": commission,
            "recurring": recurring,
            "attribution_window_days": 30,
            "hold_days": hold,
            "base": "net",
            "products": get("products").unwrap_or_else(|| json!([])),
            "cancel_policy": get("cancel_policy").unwrap_or_else(|| json!("keep")),
            "attribute_by_customer": get("attribute_by_customer").unwrap_or_else(|| json!(false)),
            "count_out_of_band": get("count_out_of_band").unwrap_or_else(|| json!(true)),
            "block_self_referral": get("block_self_referral").unwrap_or_else(|| json!(false)),
        })
    }

    /// One payout for each partner and currency that has something to pay.
    async fn pay_out(&self) {
        for row in self.merchant.all("/commissions").await {
            let wanted = json!({"partner_id": row.get("partner_id"), "currency": row.get("currency")});
            self.merchant.ask(reqwest::Method::POST, "/payouts", Some(wanted)).await;
        }
    }

    /// Posts one event as often as it says and compares the statuses.
    async fn post(&self, own_id: &str, event: &Value) -> Result<(), String> {
        let body = self.body(own_id, event);
        let times = number(event, "deliveries").max(1);
        let concurrent = number(event, "concurrent");
        let want = number(event, "http");
        let mut answers = Vec::new();
        if concurrent > 1 {
            let mut posts = tokio::task::JoinSet::new();
            for _ in 0..concurrent {
                let (endpoint, body, signature) =
                    (self.endpoint.clone(), body.clone(), self.sign(event, &body));
                posts.spawn(async move { endpoint.post(body, &signature).await });
            }
            answers.extend(posts.join_all().await);
        } else {
            for _ in 0..times {
                answers.push(self.endpoint.post(body.clone(), &self.sign(event, &body)).await);
            }
        }
        for answer in answers {
            let answer = answer.ok_or("the connection broke")?;
            if want != 0 && i64::from(answer.status) != want {
                let kind = event.get("type").unwrap_or(&Value::Null);
                return Err(format!("{kind}: HTTP {}, wanted {want}: {}", answer.status, answer.body));
            }
        }
        Ok(())
    }

    /// The envelope, with the clicks' IDs and the times filled in.
    fn body(&self, own_id: &str, event: &Value) -> Vec<u8> {
        let text = match event.get("raw") {
            Some(Value::String(raw)) => raw.clone(),
            Some(raw) => raw.to_string(),
            None => self.envelope(own_id, event).to_string(),
        };
        let [first, second] = &self.clicks;
        text.replace("$CLICK_1", first).replace("$CLICK_2", second).into_bytes()
    }

    fn envelope(&self, own_id: &str, event: &Value) -> Value {
        let created = self.base + number(event, "created_offset_s");
        let mut object = event.get("object").cloned().unwrap_or_default();
        if let Some(fields) = object.as_object_mut() {
            fields.entry("created").or_insert_with(|| json!(created));
            for key in ["ended_at", "canceled_at"] {
                if let Some(offset) = fields.get(key).and_then(Value::as_i64) {
                    fields.insert(key.to_owned(), json!(self.base + offset));
                }
            }
        }
        let mut data = json!({ "object": object });
        if let (Some(previous), Some(data)) = (event.get("previous_attributes"), data.as_object_mut()) {
            data.insert("previous_attributes".to_owned(), previous.clone());
        }
        let mut envelope = json!({
            "id": event.get("event_id").cloned().unwrap_or_else(|| json!(own_id)),
            "object": "event",
            "api_version": event.get("api_version"),
            "created": created,
            "data": data,
            "livemode": event.get("livemode").cloned().unwrap_or_else(|| json!(false)),
            "type": event.get("type"),
        });
        if let (Some(account), Some(fields)) = (event.get("account"), envelope.as_object_mut()) {
            fields.insert("account".to_owned(), account.clone());
        }
        envelope
    }

    fn sign(&self, event: &Value, body: &[u8]) -> String {
        let secret = &self.endpoint.secret;
        match event.get("signature").and_then(Value::as_str) {
            Some("wrong_secret") => trac_stand_in::sign("whsec_of_somebody_else", now(), body),
            Some("v1_old,v1_new") => {
                let ours = trac_stand_in::sign(secret, now(), body);
                let ours = ours.split_once(",v1=").map(|(_, digits)| digits.to_owned()).unwrap_or_default();
                format!("{},v1={ours}", trac_stand_in::sign("whsec_rolled_away", now(), body))
            }
            Some(text) => {
                let age = text.strip_prefix("age=").and_then(|age| age.parse::<i64>().ok());
                let age = age.unwrap_or_else(|| panic!("unknown signature {text}"));
                trac_stand_in::sign(secret, now() - age, body)
            }
            None => trac_stand_in::sign(secret, now(), body),
        }
    }
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}

fn rfc3339(unix_secs: i64) -> String {
    trac_core::time::Timestamp::from_unix_secs(unix_secs).to_rfc3339()
}

/// Fisher-Yates by a small generator (SplitMix64), so that a seed says everything.
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
