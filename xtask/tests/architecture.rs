//! The invariants of ARCHITECTURE.md that the compiler does not check.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file below a folder, except in the folders of build tools.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if !path.is_dir() {
            found.push(path);
        } else if !path.ends_with("target") && !path.ends_with("node_modules") {
            found.extend(files(&path));
        }
    }
    found
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(folder).into_iter().filter(is_rust).collect()
}

/// The modules that a file declares, in its order.
fn modules(text: &str) -> Vec<String> {
    let declared = text.lines().filter_map(|line| {
        let line = line.trim().strip_suffix(';')?;
        let named = ["pub mod ", "pub(crate) mod ", "pub(super) mod ", "mod "];
        named.iter().find_map(|start| line.strip_prefix(start)).map(ToOwned::to_owned)
    });
    declared.collect()
}

/// The module path of a file from the root of its crate: `store/rows.rs` is `store, rows`.
fn module_of(file: &Path, src: &Path) -> Vec<String> {
    let inside = file.strip_prefix(src).unwrap().with_extension("");
    let mut path: Vec<String> =
        inside.components().map(|part| part.as_os_str().to_str().unwrap().to_owned()).collect();
    path.pop_if(|last| last == "mod" || last == "lib");
    path
}

/// The code of a file without comments and without the tests, which are last and may use any module.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
}

/// The paths that begin with `start::` in the code, each as its segments after `start`; `a::{b, c::d}` is two
/// paths.
fn paths_after<'a>(code: &'a str, start: &str) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if !before.is_alphanumeric() && before != '_' && before != ':' {
            read_path(&code[at + start.len()..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one path, or a group of them, and returns the rest of the code.
fn read_path<'a>(code: &'a str, before: &mut Vec<&'a str>, found: &mut Vec<Vec<&'a str>>) -> &'a str {
    let code = code.trim_start();
    if let Some(mut rest) = code.strip_prefix('{') {
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = read_path(rest, before, found).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    let (name, rest) = code.split_at(end);
    before.push(name);
    let rest = if let Some(inner) = rest.strip_prefix("::") {
        read_path(inner, before, found)
    } else {
        found.push(before.clone());
        // Without a segment there is no progress, so stop.
        if end == 0 {
            ""
        } else {
            rest.split_once(" as ")
                .filter(|(gap, _)| gap.is_empty())
                .map_or(rest, |(_, name)| name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
        }
    };
    before.pop();
    rest
}

/// The modules that a file uses, as paths from the root of its crate.
fn used_by(module: &[String], code: &str) -> Vec<Vec<String>> {
    let owned = |path: Vec<&str>| path.into_iter().map(ToOwned::to_owned).collect::<Vec<String>>();
    let mut used: Vec<Vec<String>> = paths_after(code, "crate::").into_iter().map(owned).collect();
    for path in paths_after(code, "super::") {
        let ups = 1 + path.iter().take_while(|part| **part == "super").count();
        let Some(level) = module.len().checked_sub(ups) else { continue };
        let rest = path.into_iter().skip_while(|part| *part == "super");
        used.push(module[..level].iter().cloned().chain(rest.map(ToOwned::to_owned)).collect());
    }
    used
}

/// The module lists of a crate: for each folder, its modules in the order in which its `mod.rs` or the
/// crate's `lib.rs` declares them.
fn module_lists(src: &Path) -> Vec<(Vec<String>, Vec<String>)> {
    let lists = sources(src)
        .into_iter()
        .map(|file| (module_of(&file, src), modules(&fs::read_to_string(file).unwrap())));
    lists.filter(|(_, list)| list.len() > 1).collect()
}

#[test]
fn a_module_never_uses_one_that_is_listed_after_it() {
    let mut wrong = Vec::new();
    for package in ["trac-core", "trac-sdk", "trac-server", "trac-js"] {
        let src = root().join(package).join("src");
        let lists = module_lists(&src);
        assert!(!lists.is_empty(), "the module lists of {package} were not read");
        for file in sources(&src) {
            let module = module_of(&file, &src);
            if module.iter().any(|part| part == "tests" || part == "testing" || part == "main") {
                continue;
            }
            let code = code_of(&fs::read_to_string(&file).unwrap());
            for used in used_by(&module, &code) {
                for (folder, list) in &lists {
                    let within = |path: &[String]| {
                        path.strip_prefix(folder.as_slice()).and_then(|rest| rest.first().cloned())
                    };
                    let place = |name: Option<String>| {
                        name.and_then(|name| list.iter().position(|listed| *listed == name))
                    };
                    if let (Some(own), Some(other)) = (place(within(&module)), place(within(&used)))
                        && other > own
                    {
                        wrong.push(format!("{package}: {} uses {}", module.join("::"), used.join("::")));
                    }
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "a module may use only modules that are listed before it:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn paths_are_read_from_code() {
    let code = "use crate::a::{b, c::{D, e as f}, g}; super::super::h::i(super::j); my_crate::k";
    let crates = [vec!["a", "b"], vec!["a", "c", "D"], vec!["a", "c", "e"], vec!["a", "g"]];
    assert_eq!(paths_after(code, "crate::"), crates);
    let used = used_by(&["x".to_owned(), "y".to_owned(), "z".to_owned()], code);
    let named: Vec<_> = used.iter().map(|path| path.join("::")).collect();
    assert_eq!(named, ["a::b", "a::c::D", "a::c::e", "a::g", "x::h::i", "x::y::j"]);
}

/// Names with `{…}`, `…` or `*` are not checked, because they name several files.
#[test]
fn every_file_that_the_architecture_page_names_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let folders = ["docs", "tests", "examples", "xtask", "trac-core", "trac-js", "trac-sdk", "trac-server"];
    let files: Vec<_> = folders.iter().flat_map(|folder| files(&root().join(folder))).collect();
    let is_file = |name: &&str| {
        let is_one = !name.contains(|c: char| c.is_whitespace() || "{…*:".contains(c));
        let extension = Path::new(name).extension().and_then(OsStr::to_str);
        is_one
            && match extension {
                Some("rs") => true,
                Some("js" | "sql" | "md" | "html") => name.contains('/'),
                _ => false,
            }
    };
    let names: Vec<_> = page.split('`').skip(1).step_by(2).filter(is_file).collect();
    assert!(names.len() > 50, "the names were not read: {names:?}");
    let is_missing = |name: &&str| !files.iter().any(|file| file.ends_with(name));
    let missing: Vec<_> = names.into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names files that do not exist: {missing:?}");
}

/// Files directly in trac-server/src belong in a folder, and features are gated in few places.
#[test]
fn the_server_has_few_top_level_files_and_few_feature_gates() {
    let src = root().join("trac-server/src");
    let files = fs::read_dir(&src).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert!(files <= 10, "{files} files directly in trac-server/src");
    let gates = sources(&src)
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap().matches("cfg(feature").count());
    assert!(gates.sum::<usize>() <= 12, "cfg(feature in trac-server/src");
}

#[test]
fn the_core_is_no_std_and_has_no_dependency_for_input_or_output() {
    let src = root().join("trac-core/src");
    assert!(fs::read_to_string(src.join("lib.rs")).unwrap().contains("#![no_std]"));
    let manifest = fs::read_to_string(root().join("trac-core/Cargo.toml")).unwrap();
    let own = manifest.split("[dev-dependencies]").next().unwrap();
    for dependency in ["getrandom", "rand", "tokio", "reqwest", "web-sys", "js-sys", "wasm-bindgen"] {
        assert!(!own.lines().any(|line| line.starts_with(dependency)), "trac-core depends on {dependency}");
    }
}

#[test]
fn the_scripts_rust_calls_no_browser_api() {
    for file in sources(&root().join("trac-js/src")) {
        let text = fs::read_to_string(&file).unwrap();
        for name in ["web_sys", "js_sys", "gloo_storage", "extern \"C\""] {
            assert!(!text.contains(name), "{} names {name}: only js/ calls browser APIs", file.display());
        }
    }
}

#[test]
fn the_imports_of_the_scripts_modules_form_no_cycle() {
    let files = fs::read_dir(root().join("trac-js/js")).unwrap().map(|entry| entry.unwrap().path());
    let mut left: BTreeMap<String, Vec<String>> = files
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let imported = text.split("'./").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned());
            (file.file_name().unwrap().to_str().unwrap().to_owned(), imported.collect())
        })
        .collect();
    assert!(left.values().flatten().count() > 50, "the imports were not read");
    // A module whose imports are all removed is not in a cycle, and is removed too.
    while let Some(free) =
        left.iter().find(|(_, imported)| imported.iter().all(|name| !left.contains_key(name)))
    {
        let free = free.0.clone();
        left.remove(&free);
    }
    assert!(left.is_empty(), "in a cycle, or importing one: {:?}", left.keys());
}

#[test]
fn only_the_store_names_the_database_driver() {
    let src = root().join("trac-server/src");
    let outside = sources(&src).into_iter().filter(|file| !file.starts_with(src.join("store")));
    let outside: Vec<_> = outside.collect();
    assert!(outside.len() > 100, "the sources were not read");
    for file in outside {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("rusqlite"), "{} names the driver: see store/rows.rs", file.display());
    }
}

/// The folder of each engine names its driver, and nothing else does.
#[test]
fn only_the_folder_of_an_engine_names_its_driver() {
    let store = root().join("trac-server/src/store");
    let mut read = 0;
    // `postgres::…` is also the folder of the engine.
    let of_postgres = ["postgres::Client", "postgres::Error", "postgres::types", "tokio_postgres"];
    for (engine, drivers) in [("sqlite", &["rusqlite"][..]), ("postgres", &of_postgres[..])] {
        for file in sources(&store).into_iter().filter(|file| !file.starts_with(store.join(engine))) {
            if !file.ends_with("tests.rs") {
                read += 1;
                let code = code_of(&fs::read_to_string(&file).unwrap());
                let named = drivers.iter().find(|driver| code.contains(**driver));
                assert_eq!(named, None, "{} names the driver: see store/rows.rs", file.display());
            }
        }
    }
    assert!(read > 40, "the sources were not read");
}

#[test]
fn the_keys_of_every_table_begin_with_workspace_and_mode() {
    let steps = fs::read_dir(root().join("trac-server/src/store/sqlite/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let steps = steps.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    let schema: String = steps.map(|step| fs::read_to_string(step).unwrap()).collect();
    // The key of `visitor` is a hash that depends on both; a click is found by its ID first. `name` has the IDs of
    // all workspaces, which are unique; `scope` has a number for each workspace and mode. `sale_change` is empty
    // between two jobs.
    let exempt = [
        "setting",
        "workspace",
        "api_key",
        "dashboard_token",
        "dashboard_token_of_people",
        "webhook_endpoint",
        "visitor",
        "name",
        "click_day_position",
        "sale_change",
        "lease",
        "person",
        "recovery_code",
        "member",
        "invitation",
        "sign_in_failure",
        "known_address",
    ];
    let id_first = ["click", "click_record"];
    let tables: Vec<_> = schema.split("CREATE TABLE ").skip(1).collect();
    assert!(tables.len() > 25, "the schema was not read");
    for table in tables {
        let name = table.split_whitespace().next().unwrap();
        let body = table.split("\n) ").next().unwrap();
        let keys = body
            .lines()
            .filter(|line| line.trim().starts_with("PRIMARY KEY (") || line.trim().starts_with("UNIQUE ("));
        let mut keys = keys.peekable();
        assert!(exempt.contains(&name) || keys.peek().is_some(), "{name} has no key");
        for key in keys {
            let begins = ["(workspace_id, mode, ", "(workspace_id, mode)", "(scope, "];
            let begins_with_scope = begins.iter().any(|begin| key.contains(begin));
            let is_whole = key.contains("(id, workspace_id, mode)") || key.contains("(id, scope)");
            let is_whole = is_whole && id_first.contains(&name);
            assert!(exempt.contains(&name) || begins_with_scope || is_whole, "{name}: {}", key.trim());
        }
    }
}

/// SQL that SQLite accepts and PostgreSQL does not.
const SQLITE_ONLY: [&str; 14] = [
    "CROSS JOIN",
    "->>",
    "json_each",
    "json_extract",
    "json_group",
    "COLLATE NOCASE",
    "INSERT OR ",
    "UPDATE OR ",
    " GLOB ",
    "INDEXED BY",
    "instr(",
    "pragma_",
    "group_concat",
    "rowid",
];

#[test]
fn sql_outside_the_store_is_portable() {
    let src = root().join("trac-server/src");
    let mut found = Vec::new();
    for file in sources(&src).into_iter().filter(|file| !file.starts_with(src.join("store"))) {
        if module_of(&file, &src).iter().any(|part| part == "tests") {
            continue;
        }
        let code = code_of(&fs::read_to_string(&file).unwrap());
        let named = SQLITE_ONLY.iter().filter(|word| code.contains(**word));
        found.extend(named.map(|word| format!("{}: {word}", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
