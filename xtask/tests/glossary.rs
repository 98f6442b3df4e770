//! The glossary names every public type of the code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The public types that the files below a folder define.
fn types(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            types(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                let kinds = ["pub struct ", "pub enum ", "pub trait "];
                let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else { continue };
                let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                found.extend(rest.get(..end).map(ToOwned::to_owned));
            }
        }
    }
}

#[test]
fn every_public_type_is_in_the_glossary_and_no_other() {
    let mut found = BTreeSet::new();
    for package in ["trac-core", "trac-sdk", "trac-server"] {
        types(&root().join(package).join("src"), &mut found);
    }
    assert!(found.len() > 100, "the types were not read");
    let glossary = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let (_, table) = glossary.split_once("## Types").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let named: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    let missing: Vec<_> = found.difference(&named).collect();
    let gone: Vec<_> = named.difference(&found).collect();
    assert!(missing.is_empty() && gone.is_empty(), "missing: {missing:?}; no longer there: {gone:?}");
}
