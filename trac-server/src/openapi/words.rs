//! The values that fields, filters and parameters accept beyond their type: enums, ranges, patterns.
//!
//! Fields with the same name accept the same values everywhere, unless the operation is named here.

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::operations::Operation;
use crate::api::activity::ACTIVITY;
use crate::api::fields::AMOUNT_MAX;
use crate::api::list::{Resource, words_of};
use crate::click::{CLICKS, LINKS};
use crate::commission::{BALANCES, COMMISSIONS, ENTRIES, PAYOUTS};
use crate::conversion::{ATTRIBUTIONS, CONVERSIONS, CUSTOMERS, LEADS};
use crate::keys::KEYS;
use crate::mail::MAILS;
use crate::people::{INVITATIONS, PEOPLE};
use crate::program::{ENROLLMENTS, PARTNERS, PROGRAMS};
use crate::webhook::{ENDPOINTS, EVENTS};
use crate::workspace::refusals::REFUSALS;

/// The resource whose rows a schema describes.
pub(super) fn resource(schema: &str) -> Option<&'static Resource> {
    Some(match schema {
        "Program" => &PROGRAMS,
        "Partner" => &PARTNERS,
        "Enrollment" => &ENROLLMENTS,
        "Link" => &LINKS,
        "Click" => &CLICKS,
        "Conversion" => &CONVERSIONS,
        "Customer" => &CUSTOMERS,
        "Lead" => &LEADS,
        "Commission" => &COMMISSIONS,
        "Entry" => &ENTRIES,
        "Balance" => &BALANCES,
        "Payout" => &PAYOUTS,
        "Event" => &EVENTS,
        "Attribution" => &ATTRIBUTIONS,
        "Refusal" => &REFUSALS,
        "Activity" => &ACTIVITY,
        "WebhookEndpoint" => &ENDPOINTS,
        "ApiKey" => &KEYS,
        "Person" => &PEOPLE,
        "Invitation" => &INVITATIONS,
        "Mail" => &MAILS,
        _ => return None,
    })
}

/// The filters of a list, each with its schema.
pub(super) fn filters(resource: &Resource) -> Vec<(&'static str, Value)> {
    let schema = |name: &str| match words_of(resource.name, name) {
        Some(words) => json!({ "type": "string", "enum": words }),
        None if name == "currency" => json!({ "type": "string", "pattern": "^[A-Za-z]{3}$" }),
        None => json!({ "type": "string", "minLength": 1 }),
    };
    resource.filters.iter().map(|(name, _)| (*name, schema(name))).collect()
}

/// The query parameters of an operation that is not a list.
pub(super) fn query(operation: &Operation) -> Vec<(&'static str, Value)> {
    let date = || json!({ "type": "string", "format": "date" });
    let flag = || json!({ "type": "string", "enum": ["1", "true", "", "0", "false"] });
    match (operation.method, operation.path) {
        (_, "/api/v1/analytics") => vec![
            ("interval", json!({ "type": "string", "enum": ["7d", "30d", "90d"] })),
            ("start", date()),
            ("end", date()),
            ("program_id", json!({ "type": "string" })),
            ("partner_id", json!({ "type": "string" })),
        ],
        (_, "/api/v1/events/{id}/replay") => {
            vec![("dry_run", flag()), ("rules", json!({ "type": "string", "enum": ["then", "now"] }))]
        }
        ("DELETE", "/api/v1/links/{id}") => vec![("purge", flag())],
        _ => Vec::new(),
    }
}

/// A text of 1 to `most` characters.
fn text(most: usize) -> Value {
    json!({ "minLength": 1, "maxLength": most })
}

fn id() -> Value {
    text(64)
}

fn token() -> Value {
    json!({ "pattern": "^[A-Za-z0-9_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*$", "maxLength": 64 })
}

fn range(least: i64, most: i64) -> Value {
    json!({ "minimum": least, "maximum": most })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

const ROLES: &[&str] = &["owner", "manager", "finance", "support", "viewer"];
const PROGRAM_STATUS: &[&str] = &["draft", "active", "paused", "archived"];
const ENROLLMENT_STATUS: &[&str] = &["pending", "approved", "rejected", "suspended", "banned"];
const MODELS: &[&str] = &["last_click", "first_click"];
const BASES: &[&str] = &["net", "gross"];
const CANCEL_POLICIES: &[&str] = &["void_unused", "void_pending", "keep"];
const DAYS_MAX: i64 = 3_650;

/// The constraints of a body field, added to its type.
pub(super) fn of_body(operation: &Operation, name: &str) -> Value {
    let of = operation.path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
    match (of, name) {
        ("programs", "status") => one_of(PROGRAM_STATUS),
        ("enrollments", "status") => one_of(ENROLLMENT_STATUS),
        ("conversions" | "leads", "status") => one_of(&["approved", "rejected"]),
        ("commissions", "status") => one_of(&["held", "approved", "rejected", "restored"]),
        ("adjustments", "amount_minor") => range(-AMOUNT_MAX, AMOUNT_MAX),
        ("api-keys", "kind") => one_of(&["publishable", "secret"]),
        ("people" | "invitations", "role") => one_of(ROLES),
        (_, "name") => text(if of == "api-keys" { 100 } else { 200 }),
        (_, "attribution_model") => one_of(MODELS),
        (_, "base") => one_of(BASES),
        (_, "cancel_policy") => one_of(CANCEL_POLICIES),
        (_, "attribution_window_days" | "client_lead_days") => range(0, DAYS_MAX),
        (_, "lead_amount_minor" | "amount_cents" | "amount" | "refunded_cents") => range(0, AMOUNT_MAX),
        ("programs", "days") => range(1, 365),
        (_, "overlap_hours") => range(0, 720),
        (_, "commission") => commission(),
        (_, "recurring") => recurring(),
        (_, "hold_days") => hold_days(),
        (_, "products") => {
            let id = json!({ "type": "string", "pattern": "^(prod_|price_|plink_)[A-Za-z0-9_-]*$", "maxLength": 255 });
            json!({ "items": id, "maxItems": 1_000 })
        }
        (_, "promotion_codes") => {
            json!({ "items": { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$" }, "maxItems": 1_000 })
        }
        (_, "signing_secrets") => {
            json!({ "items": { "type": "string", "pattern": "^[!-~]{1,255}$" }, "maxItems": 16 })
        }
        (_, "allowed_origins") => {
            json!({ "items": { "type": "string", "format": "uri" }, "minItems": 1, "maxItems": 100 })
        }
        (_, "email" | "customer_email") if of != "conversions" => {
            json!({ "format": "email", "maxLength": 254 })
        }
        (_, "slug" | "code" | "ref" | "via") => token(),
        (_, "program_id" | "partner_id" | "link_id" | "program") => id(),
        (_, "destination") | ("setup", "page") => json!({ "format": "uri", "maxLength": 2_048 }),
        (_, "stripe_account") => json!({ "pattern": "^acct_[A-Za-z0-9_]{1,250}$" }),
        (_, "stripe_api_key" | "restricted_key") => {
            json!({ "pattern": "^rk_(test|live)_[A-Za-z0-9_]{16,240}$" })
        }
        (_, "token") if operation.path == "/v1/setup/script-check" => json!({ "pattern": "^[0-9a-f]{32}$" }),
        (_, "event_type" | "eventName" | "promo_code" | "key") => text(100),
        (_, "payment") => text(255),
        ("enrollments", "note") | ("commissions" | "adjustments", "reason") | (_, "query") => text(500),
        (_, "customer_email") => text(254),
        (_, "customerEmail") => json!({ "maxLength": 254 }),
        (_, "customerName") => json!({ "maxLength": 255 }),
        (
            _,
            "external_transaction_id"
            | "externalTransactionId"
            | "customer_external_id"
            | "customerExternalId",
        ) => {
            json!({ "type": ["string", "integer"], "minLength": 1, "maxLength": 255 })
        }
        ("api", "mode") => one_of(&["deferred", "async", "wait"]),
        _ => json!({}),
    }
}

fn commission() -> Value {
    json!({ "oneOf": [
        { "type": "object", "additionalProperties": false, "required": ["type", "rate_bps"], "properties": {
            "type": { "const": "percentage" },
            "rate_bps": { "type": "integer", "minimum": 0, "maximum": 10_000 },
        } },
        { "type": "object", "additionalProperties": false, "required": ["type", "amount_minor", "currency"], "properties": {
            "type": { "const": "fixed" },
            "amount_minor": { "type": "integer", "minimum": 0, "maximum": AMOUNT_MAX },
            "currency": { "type": "string", "pattern": "^[A-Za-z]{3}$" },
            "cap_at_sale": { "type": ["boolean", "null"] },
        } },
    ] })
}

fn recurring() -> Value {
    json!({ "anyOf": [
        { "type": "string", "enum": ["first_payment", "lifetime"] },
        { "type": "object", "additionalProperties": false, "required": ["months"], "properties": {
            "months": { "type": "integer", "minimum": 1, "maximum": 1_200 },
        } },
        { "type": "null" },
    ] })
}

fn hold_days() -> Value {
    let days = json!({ "type": ["integer", "null"], "minimum": 0, "maximum": DAYS_MAX });
    json!({ "additionalProperties": false, "properties": { "lead": days, "sale": days, "recurring": days } })
}

/// The constraints between the fields of a body.
pub(super) fn between_fields(operation: &Operation) -> Value {
    match (operation.method, operation.path) {
        ("POST", "/api/v1/clicks") => json!({ "oneOf": [
            { "required": ["link_id"], "properties": { "link_id": { "type": "string" },
                "program_id": { "type": "null" }, "partner_id": { "type": "null" } } },
            { "required": ["program_id", "partner_id"], "properties": { "link_id": { "type": "null" },
                "program_id": { "type": "string" }, "partner_id": { "type": "string" } } },
        ] }),
        ("POST", "/v1/clicks" | "/api/track/click") => {
            let named = ["ref", "via", "code"]
                .map(|name| json!({ "required": [name], "properties": { name: { "type": "string" } } }));
            json!({ "anyOf": named })
        }
        ("POST", "/api/v1/conversions") => needs("amount_cents", "currency"),
        ("PATCH", "/api/v1/commissions/{id}") => {
            let restores = json!({ "required": ["restore"], "properties": { "restore": { "const": true } } });
            let explained = json!({ "required": ["status", "reason"] });
            let status = json!({ "required": ["status"], "properties": { "status": { "enum": ["approved", "restored"] } } });
            json!({ "anyOf": [restores, explained, status] })
        }
        ("POST", "/api/v1/programs") => json!({ "if": { "required": ["lead_amount_minor"],
            "properties": { "lead_amount_minor": { "type": "integer", "exclusiveMinimum": 0 } } },
            "then": { "required": ["lead_currency"], "properties": { "lead_currency": { "type": "string" } } } }),
        _ => json!({}),
    }
}

/// Who changed something.
fn actor() -> Value {
    let kinds = json!({ "type": "string", "enum": ["person", "key", "system", "partner"] });
    json!({ "required": ["kind", "id", "name"],
        "properties": { "kind": kinds, "id": { "type": "string" }, "name": { "type": "string" } } })
}

/// What was changed.
fn object() -> Value {
    json!({ "required": ["kind", "id"],
        "properties": { "kind": { "type": "string" }, "id": { "type": "string" } } })
}

fn needs(name: &str, other: &str) -> Value {
    json!({ "if": { "required": [name], "properties": { name: { "type": "integer" } } },
        "then": { "required": [other], "properties": { other: { "type": "string" } } } })
}

/// The constraints of a response field, added to its type.
pub(super) fn of_answer(schema: &str, name: &str) -> Value {
    let named = resource(schema).map_or("", |resource| resource.name);
    match (schema, name) {
        ("Received", "outcome") => words_of("event", "outcome").map_or(json!({}), |words| one_of(&words)),
        ("Program" | "ProgramVersion", "attribution_model") => one_of(MODELS),
        ("Program", "base") => one_of(BASES),
        ("Program", "cancel_policy") => one_of(CANCEL_POLICIES),
        ("Program", "recurring") => recurring(),
        ("Activity", "actor") => actor(),
        ("Activity", "object") => object(),
        ("ApiKey" | "NewApiKey", "status") => one_of(&["active", "expiring", "expired", "revoked"]),
        ("NewApiKey", "kind") => one_of(&["publishable", "secret"]),
        ("Person" | "Invitation" | "NewInvitation", "role") => one_of(ROLES),
        ("Invitation" | "NewInvitation", "status") => one_of(&["pending", "accepted", "revoked", "expired"]),
        (_, "reason") => one_of(&Reason::ALL.iter().map(|reason| reason.as_str()).collect::<Vec<_>>()),
        (_, "status" | "source" | "outcome" | "kind" | "cause") => {
            words_of(named, name).map_or(json!({}), |words| one_of(&words))
        }
        _ => json!({}),
    }
}
