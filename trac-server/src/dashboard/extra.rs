//! What pages of single objects show besides their values.

use askama::Template;
use axum::http::Method;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::api::{Call, Failure, encoded};
use super::desk::Desk;
use super::story::Answer;
use super::terms;
use super::value::{at, list, money, text};
use crate::access::role::Right;
use crate::web::{Block, Layout, Payload, Table, render};
use crate::webhook::fields_read;

/// What a page of an object shows besides its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    Nothing,
    /// The story of the object, hop by hop.
    Story,
    /// The body of an event, and what a replay would change.
    Event,
    /// What a sale of the program earns.
    Terms,
    /// The state before and after a change.
    Change,
    /// The address of a link, with its QR code.
    Link,
    /// The text of a mail.
    Letter,
}

/// The blocks of an object.
pub(super) async fn blocks(desk: &Desk, extra: Extra, object: &Value) -> Result<Vec<Block>, Failure> {
    Ok(match extra {
        Extra::Nothing => Vec::new(),
        Extra::Story => vec![Block::Html(story(desk, text(object, "id")).await?)],
        Extra::Event => event(desk, object).await?,
        Extra::Terms => vec![Block::Text { title: "What a sale earns", text: terms::sentence(object) }],
        Extra::Change => [("Before", "before"), ("After", "after")]
            .into_iter()
            .filter(|(_, field)| !at(object, field).is_null())
            .map(|(title, field)| {
                Block::Payload(Payload { title, note: "", lines: document(at(object, field), &[]) })
            })
            .collect(),
        Extra::Letter => {
            let lines = text(object, "text").lines().map(|line| (line.to_owned(), false)).collect();
            let note = "The part of a link that opens the door is not stored.";
            vec![Block::Payload(Payload { title: "Text", note, lines })]
        }
        Extra::Link => {
            vec![Block::Html(render(&QrCode { id: text(object, "id") }).map_err(Failure::of_store)?)]
        }
    })
}

/// The QR code of a link.
#[derive(Template)]
#[template(path = "dashboard/qr.html")]
struct QrCode<'a> {
    id: &'a str,
}

/// A story, hop by hop.
#[derive(Template)]
#[template(path = "dashboard/story.html")]
pub(super) struct StoryPart<'a> {
    pub(super) layout: &'a Layout,
    pub(super) id: &'a str,
    pub(super) answer: &'a Answer,
}

/// The story of an ID, as HTML.
pub(super) async fn story(desk: &Desk, id: &str) -> Result<String, Failure> {
    let call = Call {
        method: Method::POST,
        path: "/explain".to_owned(),
        body: Some(json!({ "query": id })),
        once: None,
    };
    let answer = desk.api.call(&desk.caller, call).await?;
    let answer = Answer::deserialize(&answer).map_err(|error| Failure::of_store(error.into()))?;
    let layout = desk.layout("", "");
    let part = StoryPart { layout: &layout, id, answer: &answer };
    render(&part).map_err(Failure::of_store)
}

/// The body of an event, and what a replay would change.
async fn event(desk: &Desk, event: &Value) -> Result<Vec<Block>, Failure> {
    let mut blocks = Vec::new();
    let payload = at(event, "payload");
    if payload.is_null() {
        let why = text(event, "payload_error");
        let why = if why.is_empty() { "Its body is not stored." } else { why };
        blocks.push(Block::Text { title: "Payload", text: why.to_owned() });
        return Ok(blocks);
    }
    if desk.may(Right::Rehearse) {
        blocks.push(rehearsal(desk, text(event, "id")).await?);
    }
    let read = fields_read(payload);
    let read: Vec<_> = read.iter().map(String::as_str).collect();
    let note = "The marked fields are those that the decision depends on.";
    blocks.push(Block::Payload(Payload { title: "Payload", note, lines: document(payload, &read) }));
    Ok(blocks)
}

/// What would change if the event were decided again.
async fn rehearsal(desk: &Desk, id: &str) -> Result<Block, Failure> {
    let call = Call {
        method: Method::POST,
        path: format!("/events/{}/replay?rules=then&dry_run=1", encoded(id)),
        body: None,
        once: None,
    };
    let replayed = match desk.api.call(&desk.caller, call).await {
        Ok(replayed) => replayed,
        Err(failure) if failure.status.is_client_error() => {
            return Ok(Block::Text { title: "What a replay would change", text: failure.message });
        }
        Err(failure) => return Err(failure),
    };
    let heads = [("Commission", false), ("Before", true), ("After", true)];
    let mut table =
        Table::of("replay", "What a replay would change", &heads, "Nothing: the same decision follows.");
    for change in list(&replayed, "changes") {
        let commission = super::names::subject(text(change, "commission_id"));
        table.push(
            "",
            vec![
                commission,
                money(change, "before.net_minor", "currency"),
                money(change, "after.net_minor", "currency"),
            ],
        );
    }
    Ok(Block::Table(table))
}

/// The lines of a JSON document. A line is marked if its field is among `marked`, which are paths with dots.
pub(super) fn document(value: &Value, marked: &[&str]) -> Vec<(String, bool)> {
    let mut document = Document { lines: Vec::new(), marked };
    document.write(value, "", ("", ""), 0);
    document.lines
}

struct Document<'a> {
    lines: Vec<(String, bool)>,
    marked: &'a [&'a str],
}

impl Document<'_> {
    /// Writes a value between a label and an end.
    fn write(&mut self, value: &Value, path: &str, (label, end): (&str, &str), depth: usize) {
        let indent = "  ".repeat(depth);
        let is_marked = self.marked.contains(&path);
        let (open, close, parts): (_, _, Vec<(String, String, &Value)>) = match value {
            Value::Object(fields) if !fields.is_empty() => {
                let parts = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), format!("{}: ", Value::from(name.as_str())), value));
                ('{', '}', parts.collect())
            }
            Value::Array(items) if !items.is_empty() => {
                let parts = items.iter().enumerate();
                ('[', ']', parts.map(|(index, value)| (index.to_string(), String::new(), value)).collect())
            }
            leaf => {
                self.lines.push((format!("{indent}{label}{leaf}{end}"), is_marked));
                return;
            }
        };
        self.lines.push((format!("{indent}{label}{open}"), is_marked));
        let last = parts.len().saturating_sub(1);
        for (index, (name, label, value)) in parts.into_iter().enumerate() {
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            let end = if index == last { "" } else { "," };
            self.write(value, &path, (&label, end), depth.saturating_add(1));
        }
        self.lines.push((format!("{indent}{close}{end}"), is_marked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_a_line_for_each_value_and_marks_fields_by_their_path() {
        let value = json!({"a": {"b": [1, {"c": "<x>"}], "d": {}}, "e": null});
        let lines = document(&value, &["a.b.1.c", "e"]);
        let text: Vec<_> = lines.iter().map(|(line, _)| line.as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&text.join("\n")).unwrap(), value);
        let marked: Vec<_> =
            lines.iter().filter(|(_, is_marked)| *is_marked).map(|(line, _)| line.trim()).collect();
        assert_eq!(marked, ["\"c\": \"<x>\"", "\"e\": null"]);
    }
}
