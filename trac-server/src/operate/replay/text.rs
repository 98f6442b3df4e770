//! Formats the changes of a replay as lines for a terminal.

use serde_json::Value;
use trac_core::money::Currency;

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The net amount of a commission before or after, with its currency; zero if there was none.
fn net(change: &Value, side: &str) -> String {
    let net = change.pointer(&format!("/{side}/net_minor")).and_then(Value::as_i64).unwrap_or_default();
    match Currency::parse(text(change, "/currency")) {
        Ok(currency) => currency.display(net),
        Err(_) => net.to_string(),
    }
}

/// One commission: its ID, its net amount before and after, and the reason.
fn line(change: &Value) -> String {
    let id = match text(change, "/commission_id") {
        "" => format!("a new commission of {}", text(change, "/payment_id")),
        id => id.to_owned(),
    };
    let (before, after) = (net(change, "before"), net(change, "after"));
    let due = (text(change, "/before/matures_at"), text(change, "/after/matures_at"));
    let due = match due {
        ("", _) | (_, "") => String::new(),
        (before, after) if before == after => String::new(),
        (before, after) => format!(", due {after} instead of {before}"),
    };
    let net = if before == after { after } else { format!("{before} → {after}") };
    format!(
        "  {} {} {id} ({}): {net}{due} ({})\n",
        text(change, "/workspace_id"),
        text(change, "/mode"),
        text(change, "/partner_id"),
        text(change, "/reason")
    )
}

/// Formats the result of [`replay_some`](super::replay_some) for people: a line for each commission that
/// changes, and for each one that would change if it had not been paid out.
#[must_use]
pub fn as_text(replayed: &Value) -> String {
    let is_dry = replayed.get("dry_run").is_some_and(|dry| dry == true);
    let by =
        if text(replayed, "/rules") == "now" { "today's rules" } else { "the rules of each payment's time" };
    let title = if is_dry { "Would change" } else { "Changed" };
    let (moved, frozen) = (list(replayed, "commissions"), list(replayed, "frozen"));
    let nothing = if moved.is_empty() { " nothing" } else { "" };
    let mut lines = format!("{title} by {by}:{nothing}\n");
    lines.extend(moved.iter().map(line));
    if !frozen.is_empty() {
        lines.push_str("Already paid out and therefore unchanged, though today's rules would change them:\n");
        lines.extend(frozen.iter().map(|one| {
            let (workspace, mode) = (text(one, "/workspace_id"), text(one, "/mode"));
            format!("  {workspace} {mode} {} of {}\n", text(one, "/commission_id"), text(one, "/payment_id"))
        }));
    }
    let unreadable = list(replayed, "unreadable");
    if !unreadable.is_empty() {
        lines.push_str("Not decided again, because their stored bodies are damaged:\n");
        lines.extend(unreadable.iter().map(|one| {
            let (workspace, mode) = (text(one, "/workspace_id"), text(one, "/mode"));
            format!("  {workspace} {mode} {}: {}\n", text(one, "/event_id"), text(one, "/message"))
        }));
    }
    let count = |name: &str| replayed.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (events, conversions) = (count("events"), count("conversions"));
    format!("{lines}Decided again: events {events}, leads and reported conversions {conversions}.\n")
}
