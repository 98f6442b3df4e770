//! `/openapi.json`: the table of operations as `OpenAPI` 3.1.
//!
//! Source: <https://spec.openapis.org/oas/v3.1.1.html>.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde_json::{Map, Value, json};

use super::operations::{Caller, OPERATIONS, Operation, SCHEMAS};
use super::words;
use crate::access::role::{Right, right_of};
use crate::trac::Trac;

pub(super) async fn serve(State(trac): State<Trac>) -> Json<Value> {
    Json(document(&trac.public_url))
}

/// The whole description, for a server with this public URL.
pub(super) fn document(public_url: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_lowercase(), describe(operation));
        }
    }
    let mut schemas: Map<String, Value> =
        SCHEMAS.iter().map(|(name, fields)| ((*name).to_owned(), answer_of(name, fields))).collect();
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "trac",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Affiliate attribution for Stripe. Money is integer minor units next to a lower-case currency, \
                            times are RFC 3339 in UTC, lists are newest first.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": public_url }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "secretKey": { "type": "http", "scheme": "bearer", "description": "sk_test_… or sk_live_…; determines workspace and mode" },
                "publishableKey": { "type": "apiKey", "in": "header", "name": "x-publishable-key" },
                "workspaceId": { "type": "apiKey", "in": "header", "name": "x-workspace-id" },
                "stripeSignature": { "type": "apiKey", "in": "header", "name": "stripe-signature" },
            },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let summary = operation.summary;
    let mut described = json!({ "summary": summary, "operationId": operation_id(operation), "security": security(operation) });
    let parameters = parameters(operation);
    if let Some(described) = described.as_object_mut() {
        if !parameters.is_empty() {
            described.insert("parameters".to_owned(), parameters.into());
        }
        if let Some(body) = request_body(operation) {
            described.insert("requestBody".to_owned(), body);
        }
        described.insert("responses".to_owned(), Value::Object(answers(operation)));
    }
    described
}

fn request_body(operation: &Operation) -> Option<Value> {
    let (schema, is_required) = match (operation.body, operation.caller) {
        ("", Caller::Stripe) => (json!({ "type": "object" }), true),
        ("", _) => return None,
        _ => body_of(operation),
    };
    Some(json!({ "required": is_required, "content": json_of(&schema) }))
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let parameter = |place: &str, name: &str, schema: Value| json!({ "name": name, "in": place, "required": place == "path", "schema": schema });
    let string = || json!({ "type": "string" });
    let mut parameters: Vec<_> =
        names_in(operation.path).map(|name| parameter("path", name, string())).collect();
    if let Some(schema) = operation.answer.1.strip_suffix("[]") {
        for (name, schema) in [
            ("page", json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000_000, "default": 1 })),
            ("limit", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 })),
            ("starting_after", string()),
        ] {
            parameters.push(parameter("query", name, schema));
        }
        let filters = words::resource(schema).map(words::filters).unwrap_or_default();
        parameters.extend(filters.into_iter().map(|(name, schema)| parameter("query", name, schema)));
    }
    parameters
        .extend(words::query(operation).into_iter().map(|(name, schema)| parameter("query", name, schema)));
    match operation.caller {
        Caller::Merchant if operation.method == "POST" => {
            let key = json!({ "type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$" });
            parameters.push(parameter("header", "Idempotency-Key", key));
        }
        Caller::Tracker => {
            let mode = json!({ "type": "string", "enum": ["live", "test", ""], "description": "The mode for x-workspace-id; live if it is left out" });
            parameters.push(parameter("header", "x-trac-mode", mode));
        }
        _ => {}
    }
    parameters
}

/// The possible responses, by status.
fn answers(operation: &Operation) -> Map<String, Value> {
    let (status, answer) = operation.answer;
    let mut answers = Map::from_iter([(status.to_string(), response(operation, status, answer))]);
    if operation.path.starts_with("/api/track/") && operation.caller == Caller::Tracker {
        answers.insert("200".to_owned(), response(operation, 200, answer));
    }
    if media_type(operation.path) == SCRIPT {
        answers.insert("304".to_owned(), json!({ "description": "The caller's copy is the newest" }));
        answers.insert(
            "503".to_owned(),
            json!({ "description": "The server was built without the script",
            "content": { "text/plain": { "schema": { "type": "string" } } } }),
        );
    }
    for status in problems(operation) {
        let meaning = match (status, operation.caller) {
            (403, Caller::Merchant) if operation.path == "/api/v1/go-live" => LIVE,
            (403, Caller::Merchant) => ROLE,
            _ => meaning(status),
        };
        let error = json!({ "description": meaning, "content": json_of(&json!({ "$ref": "#/components/schemas/Error" })) });
        answers.entry(status.to_string()).or_insert(error);
    }
    answers
}

/// The error statuses of an operation.
fn problems(operation: &Operation) -> Vec<u16> {
    let has_body = !operation.body.is_empty();
    let names_objects = names_in(operation.path).next().is_some()
        || (operation.body.contains("_id") && operation.caller == Caller::Merchant);
    let mut statuses = vec![400, 405, 408, 503];
    match operation.caller {
        Caller::Merchant => statuses.extend([401, 422]),
        Caller::Tracker => statuses.extend([401, 403, 422, 429]),
        Caller::Page => statuses.extend([401, 403, 404, 422, 429]),
        Caller::Stripe => statuses.extend([401, 404, 413]),
        Caller::Anybody => {}
    }
    if has_body {
        statuses.push(413);
    }
    if names_objects
        || operation.path.starts_with("/api/v1/explain")
        || operation.path.starts_with("/s/")
        || operation.path == "/metrics"
    {
        statuses.push(404);
    }
    if operation.caller == Caller::Merchant && operation.method != "GET" {
        statuses.push(409);
    }
    if needs_a_right(operation) {
        statuses.push(403);
    }
    match operation.path {
        "/api/v1/setup/stripe" => statuses.push(502),
        // A key of test mode.
        "/api/v1/go-live" => statuses.push(403),
        "/v1/setup/script-check" => statuses.extend([404, 422, 429]),
        _ => {}
    }
    // The `partner_id` filter may name a partner of another workspace.
    if operation.path == "/api/v1/balances" {
        statuses.push(404);
    }
    statuses.push(500);
    statuses
}

/// The meaning of `403` for a person, who calls from the dashboard.
const ROLE: &str = "The role of the person does not allow this";
/// The meaning of `403` for calls that concern live mode, whatever the mode of the caller is.
const LIVE: &str = "The role of the person does not allow this, or the key is one of test mode";

/// Whether some role may not make this call.
fn needs_a_right(operation: &Operation) -> bool {
    let path = operation.path.trim_start_matches("/api/v1");
    let method = operation.method.parse::<Method>();
    operation.caller == Caller::Merchant
        && method.is_ok_and(|method| right_of(&method, path, None) != Right::Read)
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be read",
        401 => "The key is missing or gives no access, or the signature is wrong",
        403 => "The key is limited to pages of other origins",
        404 => "There is no such object in this workspace and mode",
        405 => "The route does not support this method",
        408 => "The request took too long",
        409 => "The object exists already, or its state does not allow this",
        413 => "The body is too large",
        422 => "A field or parameter is invalid; `fields` names it",
        429 => "Too many calls; call again after the seconds in Retry-After",
        502 => "Stripe cannot be reached",
        503 => "The server cannot do this now; try again",
        _ => "An error in the server",
    }
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

const SCRIPT: &str = "text/javascript";

/// The media type of responses that are not JSON.
fn media_type(path: &str) -> &'static str {
    match path {
        "/trac.js" | "/v1/trac.js" | "/v1/selgeo.js" | "/trac.compat.js" | "/v1/trac.compat.js"
        | "/trac-verify.js" | "/v1/trac-verify.js" => SCRIPT,
        "/api/v1/links/{id}/qr.svg" => "image/svg+xml",
        _ => "text/plain",
    }
}

fn response(operation: &Operation, status: u16, answer: &str) -> Value {
    let description = match (status, operation.caller) {
        (201, _) => "Created",
        (302, _) => "Redirect to the destination",
        (200, Caller::Tracker) => "Reported before",
        _ => "Success",
    };
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let schema = match answer {
        "" if status == 302 => {
            let location = json!({ "Location": { "required": true, "schema": { "type": "string" } } });
            return json!({ "description": description, "headers": location });
        }
        "" => {
            let content = json!({ media_type(operation.path): { "schema": { "type": "string" } } });
            return json!({ "description": description, "content": content });
        }
        "any" => json!({ "type": "object" }),
        _ => match answer.strip_suffix("[]") {
            None => reference(answer),
            Some(name) => list(&reference(name)),
        },
    };
    json!({ "description": description, "content": json_of(&schema) })
}

fn list(row: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data", "meta"],
        "properties": {
            "data": { "type": "array", "items": row },
            "meta": {
                "type": "object",
                "required": ["limit", "has_more"],
                "properties": {
                    "total": { "type": "integer" },
                    "page": { "type": "integer" },
                    "limit": { "type": "integer" },
                    "has_more": { "type": "boolean" },
                },
            },
        },
    })
}

/// Parses the table's notation: each field's name, whether a body must have it, and its type.
fn fields(notation: &str) -> impl Iterator<Item = (&str, bool, &str)> {
    notation.split(';').filter_map(|field| {
        let (name, kind) = field.trim().split_once(':')?;
        let bare_name = name.trim_end_matches('*');
        Some((bare_name, bare_name != name, kind.trim()))
    })
}

/// The schema of a response, in which all fields are required.
fn answer_of(schema: &str, notation: &str) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, _, kind) in fields(notation) {
        required.push(name);
        let mut described = schema_of(kind);
        add_constraints(&mut described, words::of_answer(schema, name));
        if kind.ends_with('?') {
            described = or_null(described, false);
        }
        properties.insert(name.to_owned(), described);
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The schema of a body, and whether a body is required. `null` in a field counts as absent.
fn body_of(operation: &Operation) -> (Value, bool) {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, is_required, kind) in fields(operation.body) {
        let mut described = schema_of(kind);
        add_constraints(&mut described, words::of_body(operation, name));
        if is_required {
            required.push(name);
        } else {
            let bare = kind.trim_end_matches('?');
            described = or_null(described, bare == "any");
        }
        properties.insert(name.to_owned(), described);
    }
    let is_required = !required.is_empty() || words::between_fields(operation) != json!({});
    let mut body = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        add_constraints(&mut body, json!({ "required": required }));
    }
    add_constraints(&mut body, words::between_fields(operation));
    (body, is_required)
}

/// The schema, with `null` allowed too.
fn or_null(mut schema: Value, accepts_any: bool) -> Value {
    if accepts_any {
        return schema;
    }
    if let Some(object) = schema.as_object_mut() {
        if let Some(alternatives) = object.remove("oneOf") {
            return json!({ "anyOf": [{ "oneOf": alternatives }, { "type": "null" }] });
        }
        if let Some(words) = object.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
        match object.get_mut("type") {
            Some(Value::Array(types)) if types.iter().all(|kind| kind != "null") => types.push("null".into()),
            Some(kind @ Value::String(_)) => *kind = json!([kind, "null"]),
            _ => {}
        }
    }
    schema
}

/// Adds constraints to a schema, or replaces its type with alternatives.
fn add_constraints(schema: &mut Value, more: Value) {
    let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) else { return };
    if more.contains_key("oneOf") && !schema.contains_key("properties") {
        schema.remove("type");
    }
    schema.extend(more);
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
    if nullable { or_null(schema, false) } else { schema }
}

/// The schema of every error.
fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": { "type": "string", "description": "In upper case; stable" },
                "message": { "type": "string", "description": "For people" },
                "request_id": { "type": ["string", "null"] },
                "fields": { "type": "object", "additionalProperties": { "type": "string" } },
                "conversion_id": { "type": "string", "description": "The conversion that exists, with CONVERSION_DUPLICATE" },
            },
        } },
    })
}
