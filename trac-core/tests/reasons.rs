//! `docs/reasons.md` contains the texts of the code.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use trac_core::conversion::remedy::remedy;
use trac_core::reason::Reason;

#[test]
fn the_document_lists_every_reason_with_its_meaning_and_remedy() {
    let rows = Reason::ALL.iter().map(|reason| {
        let advice = remedy(*reason).unwrap_or("–");
        format!("| `{reason}` | {} | {advice} |", reason.meaning())
    });
    let wanted: Vec<String> = rows.collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reasons.md");
    let Ok(text) = std::fs::read_to_string(file) else {
        return println!("skipped: no docs next to this crate");
    };
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(found, wanted, "docs/reasons.md should contain:\n{}", wanted.join("\n"));
}
