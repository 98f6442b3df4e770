//! The invariants of ARCHITECTURE.md that a compiler does not keep.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules of a crate in the order of its `lib.rs`.
fn modules(lib: &str) -> Vec<&str> {
    let declared = lib.lines().filter_map(|line| {
        let line = line.trim().strip_suffix(';')?;
        line.strip_prefix("pub mod ")
            .or_else(|| line.strip_prefix("pub(crate) mod "))
            .or_else(|| line.strip_prefix("mod "))
    });
    declared.collect()
}

/// Which module of the crate a file belongs to.
fn module_of(file: &Path, src: &Path) -> String {
    let inside = file.strip_prefix(src).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn a_stage_never_uses_a_later_stage() {
    for package in ["trac-core", "trac-server"] {
        let src = root().join(package).join("src");
        let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
        let order = modules(&lib);
        assert!(order.len() > 6, "the module list of {package} was not read: {order:?}");
        for file in sources(&src) {
            if file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            let module = module_of(&file, &src);
            let Some(own) = order.iter().position(|name| *name == module) else { continue };
            let text = fs::read_to_string(&file).unwrap();
            // Tests stand last in a file and may use the whole.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            for (number, line) in code.enumerate() {
                for later in &order[own + 1..] {
                    let named = [format!("crate::{later}::"), format!("crate::{later};")];
                    let grouped = line.split_once("crate::{").is_some_and(|(_, group)| {
                        group.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *later)
                    });
                    assert!(
                        !grouped && !named.iter().any(|name| line.contains(name.as_str())),
                        "{}: code line {}: {module} uses {later}, a later stage",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

#[test]
fn the_core_has_no_std_and_no_way_out() {
    let src = root().join("trac-core/src");
    assert!(fs::read_to_string(src.join("lib.rs")).unwrap().contains("#![no_std]"));
    let manifest = fs::read_to_string(root().join("trac-core/Cargo.toml")).unwrap();
    let own = manifest.split("[dev-dependencies]").next().unwrap();
    for way_out in ["getrandom", "rand", "tokio", "reqwest", "web-sys", "js-sys", "wasm-bindgen"] {
        assert!(!own.lines().any(|line| line.starts_with(way_out)), "trac-core depends on {way_out}");
    }
}

#[test]
fn the_script_asks_nothing_of_the_browser() {
    for file in sources(&root().join("trac-js/src")) {
        let text = fs::read_to_string(&file).unwrap();
        for name in ["web_sys", "js_sys", "gloo_storage", "extern \"C\""] {
            assert!(!text.contains(name), "{} names {name}: js/ has the hands", file.display());
        }
    }
}

#[test]
fn the_database_driver_is_known_to_the_store_alone() {
    let src = root().join("trac-server/src");
    let outside = sources(&src).into_iter().filter(|file| !file.starts_with(src.join("store")));
    let outside: Vec<_> = outside.collect();
    assert!(outside.len() > 100, "the sources were not read");
    for file in outside {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("rusqlite"), "{} names the driver: see store/rows.rs", file.display());
    }
}

#[test]
fn every_table_is_led_by_workspace_and_mode() {
    let steps =
        fs::read_dir(root().join("trac-server/src/store")).unwrap().map(|entry| entry.unwrap().path());
    let steps = steps.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    let schema: String = steps.map(|step| fs::read_to_string(step).unwrap()).collect();
    // A visitor's mark holds both; a click is found by its ID first.
    let free = ["setting", "workspace", "api_key", "dashboard_token", "webhook_endpoint", "visitor"];
    let id_first = ["click"];
    let tables: Vec<_> = schema.split("CREATE TABLE ").skip(1).collect();
    assert!(tables.len() > 25, "the schema was not read");
    for table in tables {
        let name = table.split_whitespace().next().unwrap();
        let body = table.split("\n) ").next().unwrap();
        let keys = body
            .lines()
            .filter(|line| line.trim().starts_with("PRIMARY KEY (") || line.trim().starts_with("UNIQUE ("));
        let mut keys = keys.peekable();
        assert!(free.contains(&name) || keys.peek().is_some(), "{name} has no key");
        for key in keys {
            let is_led = key.contains("(workspace_id, mode, ");
            let is_whole = key.contains("(id, workspace_id, mode)") && id_first.contains(&name);
            assert!(free.contains(&name) || is_led || is_whole, "{name}: {}", key.trim());
        }
    }
}
