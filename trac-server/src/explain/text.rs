//! Formats a story as lines for a terminal.

use serde_json::Value;
use trac_core::money::Currency;

/// An entry's amount with its sign.
fn amount(entry: &Value) -> String {
    let minor = entry["amount_minor"].as_i64().unwrap_or_default();
    match Currency::parse(entry["currency"].as_str().unwrap_or_default()) {
        Ok(currency) if minor > 0 => format!("+{}", currency.display(minor)),
        Ok(currency) => currency.display(minor),
        Err(_) => format!("{minor:+}"),
    }
}

/// The possible causes of a missing hop, the likeliest first.
fn causes(hop: &Value) -> impl Iterator<Item = &Value> {
    hop.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten()
}

/// Formats a story for people.
#[must_use]
pub fn as_text(story: &Value) -> String {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!(
        "{} ({}, {} mode of {})",
        text(story, "id"),
        text(story, "kind"),
        text(story, "mode"),
        text(story, "workspace_id")
    )];
    for part in story["stories"].as_array().into_iter().flatten() {
        if let Some(payment_id) = part["payment_id"].as_str() {
            lines.push(format!("\n  payment {payment_id}"));
        }
        for hop in part["hops"].as_array().into_iter().flatten() {
            let mark = if hop["status"] == "ok" { "✓" } else { "✗" };
            let reason = hop["reason"].as_str().filter(|_| mark == "✗");
            let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            lines.push(format!("  {mark} {:<10} {}{reason}", text(hop, "hop"), text(hop, "what")));
            if let Some(remedy) = hop["remedy"].as_str() {
                lines.push(format!("    {:<10} → {remedy}", ""));
            }
            for other in causes(hop).skip(1) {
                lines.push(format!("    {:<10} Or: {}", "", text(other, "what")));
                lines.push(format!("    {:<10} → {}", "", text(other, "remedy")));
            }
            let entries = hop["details"].as_array().into_iter().flatten().filter(|_| hop["hop"] == "entries");
            for entry in entries.flat_map(|commission| commission["entries"].as_array().into_iter().flatten())
            {
                let (at, kind, reason) = (text(entry, "at"), text(entry, "kind"), text(entry, "reason"));
                lines.push(format!("    {:<10} {at}  {} {kind} ({reason})", "", amount(entry)));
            }
        }
    }
    lines.push(String::new());
    lines.push(text(story, "summary"));
    lines.join("\n")
}
