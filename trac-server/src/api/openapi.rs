//! `/openapi.json`: the table of operations as `OpenAPI` 3.1.
//!
//! Source: <https://spec.openapis.org/oas/v3.1.1.html>.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::table::{Caller, OPERATIONS, Operation, SCHEMAS};
use crate::trac::Trac;

pub(super) async fn serve(State(trac): State<Trac>) -> Json<Value> {
    Json(document(&trac.public_url))
}

/// The whole description, for a server that is reached under this address.
pub(super) fn document(public_url: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_lowercase(), describe(operation));
        }
    }
    let mut schemas: Map<String, Value> =
        SCHEMAS.iter().map(|(name, fields)| ((*name).to_owned(), object(fields, true))).collect();
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "trac",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Affiliate attribution for Stripe. Money is integer minor units beside a lower-case currency, \
                            times are RFC 3339 in UTC, lists are newest first.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": public_url }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "secretKey": { "type": "http", "scheme": "bearer", "description": "sk_test_… or sk_live_…: it decides the mode" },
                "publishableKey": { "type": "apiKey", "in": "header", "name": "x-publishable-key" },
                "workspaceId": { "type": "apiKey", "in": "header", "name": "x-workspace-id" },
                "stripeSignature": { "type": "apiKey", "in": "header", "name": "stripe-signature" },
            },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let Operation { summary, body, answer: (status, answer), .. } = operation;
    let mut described = json!({ "summary": summary, "operationId": operation_id(operation), "security": security(operation) });
    let mut answers = json!({ status.to_string(): response(*status, answer) });
    let is_list = answer.ends_with("[]");
    let mut parameters: Vec<Value> = names_in(operation.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if is_list {
        for (name, schema) in [
            ("page", json!({ "type": "integer", "minimum": 1, "default": 1 })),
            ("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 })),
            ("starting_after", json!({ "type": "string" })),
        ] {
            parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
        }
    }
    if operation.method == "POST" && operation.caller == Caller::Merchant {
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "schema": { "type": "string" } }));
    }
    if let (Some(answers), false) = (answers.as_object_mut(), operation.caller == Caller::Anybody) {
        let error = json!({ "description": "An error", "content": json_of(&json!({ "$ref": "#/components/schemas/Error" })) });
        answers.insert("default".to_owned(), error);
    }
    if let Some(described) = described.as_object_mut() {
        if !parameters.is_empty() {
            described.insert("parameters".to_owned(), parameters.into());
        }
        if !body.is_empty() {
            let content = json_of(&object(body, false));
            described.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
        }
        described.insert("responses".to_owned(), answers);
    }
    described
}

/// `get_programs_id`, for example.
fn operation_id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/api/v1").replace(['{', '}'], "");
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(operation.method.to_lowercase(), |id, word| format!("{id}_{word}"))
}

fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.split('}').next())
}

fn security(operation: &Operation) -> Value {
    match operation.caller {
        Caller::Merchant => json!([{ "secretKey": [] }]),
        Caller::Tracker => json!([{ "publishableKey": [] }, { "workspaceId": [] }, { "secretKey": [] }]),
        Caller::Page => json!([{ "publishableKey": [] }]),
        Caller::Stripe => json!([{ "stripeSignature": [] }]),
        Caller::Anybody => json!([]),
    }
}

fn json_of(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn response(status: u16, answer: &str) -> Value {
    let description = match status {
        201 => "Made",
        302 => "On to the destination",
        _ => "As asked",
    };
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let schema = match answer {
        "" => return json!({ "description": description }),
        "any" => json!({}),
        _ => match answer.strip_suffix("[]") {
            None => reference(answer),
            Some(name) => json!({
                "type": "object",
                "required": ["data", "meta"],
                "properties": {
                    "data": { "type": "array", "items": reference(name) },
                    "meta": {
                        "type": "object",
                        "required": ["total", "page", "limit", "has_more"],
                        "properties": {
                            "total": { "type": ["integer", "null"] },
                            "page": { "type": ["integer", "null"] },
                            "limit": { "type": "integer" },
                            "has_more": { "type": "boolean" },
                        },
                    },
                },
            }),
        },
    };
    json!({ "description": description, "content": json_of(&schema) })
}

/// An object of the fields in the table's notation. An answer has all of its fields.
fn object(fields: &str, is_answer: bool) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields.split(';') {
        let Some((name, kind)) = field.trim().split_once(':') else { continue };
        let named = name.trim_end_matches('*');
        if is_answer || named != name {
            required.push(Value::from(named));
        }
        properties.insert(named.to_owned(), schema_of(kind.trim()));
    }
    let mut object = json!({ "type": "object", "properties": properties });
    if let Some(object) = object.as_object_mut() {
        if !required.is_empty() {
            object.insert("required".to_owned(), required.into());
        }
        if !is_answer {
            object.insert("additionalProperties".to_owned(), false.into());
        }
    }
    object
}

fn schema_of(kind: &str) -> Value {
    let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let (kind, is_list) = kind.strip_suffix("[]").map_or((kind, false), |kind| (kind, true));
    let name = match kind {
        "time" | "currency" => "string",
        "any" => return json!({}),
        other => other,
    };
    let mut schema = match kind {
        "time" => json!({ "type": name, "format": "date-time" }),
        "currency" => json!({ "type": name, "pattern": "^[A-Za-z]{3}$" }),
        _ => json!({ "type": name }),
    };
    if is_list {
        schema = json!({ "type": "array", "items": schema });
    }
    if let (true, Some(object)) = (nullable, schema.as_object_mut()) {
        let own = object.get("type").cloned().unwrap_or_default();
        object.insert("type".to_owned(), json!([own, "null"]));
    }
    schema
}

/// What every error looks like.
fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": { "type": "string", "description": "In capitals; stable" },
                "message": { "type": "string", "description": "For people" },
                "request_id": { "type": ["string", "null"] },
                "fields": { "type": "object", "additionalProperties": { "type": "string" } },
                "conversion_id": { "type": "string", "description": "With CONVERSION_DUPLICATE" },
            },
        } },
    })
}
