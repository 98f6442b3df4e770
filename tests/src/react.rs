//! React as one browser module, built from the `CommonJS` files of its npm packages.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The name under which the others require each file; dependencies first.
const FILES: [(&str, &str); 4] = [
    ("react", "react/cjs/react.production.js"),
    ("scheduler", "scheduler/cjs/scheduler.production.js"),
    ("react-dom", "react-dom/cjs/react-dom.production.js"),
    ("react-dom/client", "react-dom/cjs/react-dom-client.production.js"),
];

/// Where npm installs the packages of `trac-js/package-lock.json`.
#[must_use]
pub fn node_modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trac-js/node_modules")
}

/// The module; `None` if npm has not run.
pub(crate) fn module() -> Option<Vec<u8>> {
    let mut text = String::from("const modules = {};\nconst require = (name) => modules[name];\n");
    for (name, file) in FILES {
        let code = fs::read_to_string(node_modules().join(file)).ok()?;
        writeln!(
            text,
            "{{\nconst module = {{ exports: {{}} }};\n((exports) => {{\n{code}\n}})(module.exports);"
        )
        .ok()?;
        writeln!(text, "modules['{name}'] = module.exports;\n}}").ok()?;
    }
    text.push_str("export const { createElement, useSyncExternalStore } = modules['react'];\n");
    text.push_str("export const { createRoot } = modules['react-dom/client'];\n");
    Some(text.into_bytes())
}
