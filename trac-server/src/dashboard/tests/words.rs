//! The words of the pages in German. A text without a translation would be shown in English.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::super::act::{About, Then};
use super::super::acts::ACTS;
use super::super::column::Column;
use super::super::details::DETAILS;
use super::super::listing::Of;
use super::super::lists::LISTS;
use super::super::rows::Section;
use crate::access::role::Role;
use crate::api::list::words_of;
use crate::web::{Field, Form, GROUPS, Input, Language};

/// The words that are the same in German.
const SAME: [&str; 11] =
    ["Code", "Details", "ID", "Lead", "Leads", "Link", "Links", "Name", "Partner", "Status", "Version"];
/// The names that no language translates.
const NAMES: [&str; 1] = ["Webhooks"];

/// Lists the texts without a translation.
fn check<'a>(of: &str, texts: impl IntoIterator<Item = &'a str>) {
    let texts: BTreeSet<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    assert!(!texts.is_empty(), "{of}: no text");
    let is_missing = |text: &&&str| {
        !SAME.contains(*text) && !NAMES.contains(*text) && Language::German.say(text) == **text
    };
    let missing: Vec<_> = texts.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{of}: no line in assets/words/de.txt for {missing:#?}");
}

fn labels(columns: &'static [Column]) -> Vec<&'static str> {
    columns.iter().map(|column| column.label).collect()
}

fn of_sections(sections: &'static [Section]) -> Vec<&'static str> {
    let own = sections.iter().flat_map(|section| [section.title, section.empty]);
    own.chain(sections.iter().flat_map(|section| labels(section.columns))).collect()
}

#[test]
fn the_navigation_is_translated() {
    let tabs = GROUPS.iter().flat_map(|group| group.tabs).map(|tab| tab.name);
    check("navigation", GROUPS.iter().map(|group| group.name).chain(tabs));
}

#[test]
fn every_list_is_translated() {
    for page in LISTS {
        let (empty, next) = page.empty;
        let mut texts = vec![page.title, page.intro, empty];
        texts.extend(next.map(|(label, _)| label));
        texts.extend(labels(page.columns));
        texts.extend(page.filters.iter().map(|filter| filter.label));
        texts.extend(of_sections(page.above));
        for filter in page.filters {
            // Reasons have a test of their own; causes are chosen by their codes.
            if let (Of::Words(resource), false) = (filter.of, matches!(filter.name, "reason" | "cause")) {
                texts.extend(words_of(resource, filter.name).unwrap_or_default());
            }
        }
        check(page.path, texts);
    }
}

#[test]
fn every_page_of_an_object_is_translated() {
    for detail in DETAILS {
        let mut texts = vec![detail.parent.0];
        texts.extend(labels(detail.facts));
        texts.extend(of_sections(detail.sections));
        check(detail.path, texts);
    }
}

#[test]
fn every_action_is_translated() {
    for act in ACTS {
        let mut texts = vec![act.label, act.title, act.done];
        if let Then::Secret(_, title, note) = act.then {
            texts.extend([title, note]);
        }
        check(act.name, texts);
    }
}

/// The form of an action for an object, of which nothing but these values is known.
fn form(form: fn(&About) -> Form, object: Value) -> Form {
    form(&About { object, query: BTreeMap::new(), programs: Vec::new(), partner: None })
}

fn options(field: &Field) -> &[(String, String)] {
    match &field.input {
        Input::Select(options) => options,
        _ => &[],
    }
}

#[test]
fn every_form_is_translated() {
    for act in ACTS {
        let empty = form(act.form, Value::Null);
        let values = json!({ "name": "x", "hint": "x", "status": "x", "url": "x", "last_used_at": "x", "kind": "publishable" });
        let filled = form(act.form, values);
        // A sentence that names the object is not looked up.
        let fixed = filled.consequences.iter().filter(|line| empty.consequences.contains(*line));
        let mut texts: Vec<&str> = fixed.map(String::as_str).collect();
        texts.push(filled.submit);
        texts.extend(filled.trial.map(|trial| trial.label));
        for field in filled.fields.iter().filter(|field| field.input != Input::Hidden) {
            texts.extend([field.label, field.hint.as_str()]);
            // A number of months is written into its label.
            let options = options(field).iter().filter(|(value, _)| value.parse::<u8>().is_err());
            texts.extend(options.map(|(_, label)| label.as_str()));
        }
        check(act.name, texts);
    }
}

#[test]
fn reasons_and_roles_are_translated() {
    check("reasons", Reason::ALL.iter().map(|reason| reason.meaning()));
    check("roles", Role::ALL.iter().flat_map(|role| [role.as_str(), role.meaning()]));
}

#[test]
fn a_word_that_is_the_same_in_german_has_no_line() {
    for word in SAME.iter().chain(&NAMES) {
        assert_eq!(Language::German.say(word), *word);
    }
}
