//! The workspace of a scenario: set up from its `config`, receives its `events`.

use serde_json::{Map, Value, json};
use trac_core::time::Timestamp;

use crate::merchant::Merchant;
use crate::stripe::{Endpoint, now};

const DAY_SECS: i64 = 86_400;
/// Long enough ago that every offset of the scenarios is in the past.
const BASE_AGE_SECS: i64 = 90 * DAY_SECS;

/// Smaller numbers are offsets from the base time, larger ones are timestamps.
const OFFSETS_END: i64 = 1_000_000_000;

/// One program, two partners with a click each, an endpoint.
pub(crate) struct Stage {
    merchant: Merchant,
    endpoint: Endpoint,
    base: i64,
    config: Map<String, Value>,
    clicks: [String; 2],
    partners: [String; 2],
}

impl Stage {
    /// Creates the program with the changes of `config`, two partners, and one click each.
    pub(crate) async fn set_up(merchant: Merchant, config: Map<String, Value>) -> Self {
        let endpoint = merchant.endpoint().await;
        let empty = [const { String::new() }; 2];
        let base = now() - BASE_AGE_SECS;
        let mut stage = Self { merchant, endpoint, base, config, clicks: empty.clone(), partners: empty };
        let program = stage.merchant.make("/programs", stage.program()).await;
        let age = stage.config.get("click_age_days").and_then(Value::as_i64);
        let age = age.map_or(3_600, |days| days * DAY_SECS);
        for index in 0..stage.clicks.len() {
            let own_age = stage.config.get("click_ages_s").and_then(|ages| ages.get(index)?.as_i64());
            let clicked_at = stage.base - own_age.unwrap_or(age);
            let email = stage.text("partner_email").filter(|_| index == 0).map(str::to_owned);
            let email = email.unwrap_or_else(|| format!("partner{index}@example.net"));
            let partner = json!({"name": format!("Partner {}", index + 1), "email": email});
            let partner = stage.merchant.make("/partners", partner).await;
            let status = stage.or("partner_status", "approved");
            let enrollment = json!({"program_id": program, "partner_id": partner, "status": status});
            stage.merchant.make("/enrollments", enrollment).await;
            let wanted = json!({"program_id": program, "partner_id": partner,
                "clicked_at": rfc3339(clicked_at)});
            let click = stage.merchant.make("/clicks", wanted).await;
            for (places, id) in [(&mut stage.clicks, click), (&mut stage.partners, partner)] {
                if let Some(place) = places.get_mut(index) {
                    *place = id;
                }
            }
        }
        stage
    }

    /// trac's IDs of the two partners.
    pub(crate) const fn partners(&self) -> &[String; 2] {
        &self.partners
    }

    pub(crate) fn merchant(&self) -> &Merchant {
        &self.merchant
    }

    /// Whether commissions are paid out after the first event.
    pub(crate) fn is_paid_out(&self) -> bool {
        self.text("commission_state") == Some("paid")
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }

    fn or(&self, key: &str, default: impl Into<Value>) -> Value {
        self.config.get(key).cloned().unwrap_or_else(|| default.into())
    }

    fn program(&self) -> Value {
        let commission = match self.config.get("fixed_amount") {
            Some(amount) => json!({"type": "fixed", "amount_minor": amount,
                "currency": self.or("fixed_currency", "usd"),
                "cap_at_sale": self.or("cap_at_sale", false)}),
            None => json!({"type": "percentage", "rate_bps": self.or("rate_bps", 2000)}),
        };
        let recurring = match self.text("recurring") {
            None => json!("lifetime"),
            Some("first_only") => json!("first_payment"),
            Some(text) => match text.strip_prefix("months:").and_then(|months| months.parse::<u32>().ok()) {
                Some(months) => json!({ "months": months }),
                None => json!(text),
            },
        };
        let hold = if self.is_paid_out() {
            json!({"lead": 0, "sale": 0, "recurring": 0})
        } else {
            json!({"lead": 3, "sale": 30, "recurring": 30})
        };
        let mut program = json!({
            "name": "Scenario",
            "status": self.or("program_status", "active"),
            "commission": commission,
            "recurring": recurring,
            "attribution_window_days": 30,
            "hold_days": hold,
            "base": "net",
            "products": self.or("products", Vec::<Value>::new()),
            "cancel_policy": self.or("cancel_policy", "keep"),
            "attribute_by_customer": self.or("attribute_by_customer", false),
            "count_out_of_band": self.or("count_out_of_band", true),
            "block_self_referral": self.or("block_self_referral", false),
        });
        let other = self.config.get("program").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(fields) = program.as_object_mut() {
            fields.extend(other);
        }
        program
    }

    /// One payout for each partner and currency that has something to pay.
    pub(crate) async fn pay_out(&self) {
        for row in self.merchant.all("/commissions").await {
            let wanted = json!({"partner_id": row.get("partner_id"), "currency": row.get("currency")});
            self.merchant.ask(reqwest::Method::POST, "/payouts", Some(wanted)).await;
        }
    }

    /// Posts one event as often as its `deliveries` and compares the statuses.
    pub(crate) async fn post(&self, own_id: &str, event: &Value) -> Result<(), String> {
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

    /// The event, with the clicks' IDs and the times filled in.
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
            self.date(fields, &["created", "ended_at", "canceled_at"]);
            fields.entry("created").or_insert_with(|| json!(created));
            if let Some(transitions) = fields.get_mut("status_transitions").and_then(Value::as_object_mut) {
                self.date(transitions, &["paid_at", "finalized_at"]);
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
            "livemode": event.get("livemode").cloned().unwrap_or(Value::Bool(false)),
            "type": event.get("type"),
        });
        if let (Some(account), Some(fields)) = (event.get("account"), envelope.as_object_mut()) {
            fields.insert("account".to_owned(), account.clone());
        }
        envelope
    }

    /// Replaces offsets from the base time by timestamps.
    fn date(&self, fields: &mut Map<String, Value>, keys: &[&str]) {
        for key in keys {
            if let Some(offset) = fields.get(*key).and_then(Value::as_i64).filter(|secs| *secs < OFFSETS_END)
            {
                fields.insert((*key).to_owned(), json!(self.base + offset));
            }
        }
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

pub(crate) fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}

fn rfc3339(unix_secs: i64) -> String {
    Timestamp::from_unix_secs(unix_secs).to_rfc3339()
}
