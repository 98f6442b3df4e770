//! The npm package `trac-js` on a server, where it does nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use trac_tests::{node_modules, say};

/// The built package.
fn package() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/npm").canonicalize().ok();
    if package.is_none() {
        say("skipped: no dist/npm; `cargo xtask build-script` makes it");
    }
    package
}

/// The output of a Node module; `None` if there is no Node.
fn printed(folder: &Path, code: &str) -> Option<String> {
    let node = Command::new("node").current_dir(folder).args(["--input-type=module", "-e", code]).output();
    let Ok(node) = node else {
        say("skipped: no Node");
        return None;
    };
    let stderr = String::from_utf8_lossy(&node.stderr).into_owned();
    assert!(node.status.success(), "{stderr}");
    Some(String::from_utf8_lossy(&node.stdout).trim().to_owned())
}

#[test]
fn the_package_can_be_imported_on_a_server() {
    let Some(package) = package() else { return };
    let code = "const before = Object.getOwnPropertyNames(globalThis).length;
        const trac = await import('./index.js');
        trac.init({ key: 'pk' });
        trac.ready(() => console.log('called'));
        trac.consent(true);
        trac.refresh();
        trac.clear();
        console.log(trac.getClickId(), trac.link('a'), trac.debug(),
            await trac.trackLead({}).catch((error) => error.message),
            Object.getOwnPropertyNames(globalThis).length - before);";
    let Some(output) = printed(&package, code) else { return };
    assert_eq!(output, "null a null trac: call init() first 0");
}

#[test]
fn on_a_server_the_react_hook_returns_null() {
    let Some(package) = package() else { return };
    if !node_modules().join("react").is_dir() {
        say("skipped: no React; `cargo xtask build-script` installs it");
        return;
    }
    // Installed next to each other, as in an application.
    let application = tempfile::tempdir().expect("a temporary folder");
    let modules = application.path().join("node_modules");
    std::fs::create_dir_all(modules.join("trac-js")).expect("a folder");
    for file in ["index.js", "react.js", "package.json"] {
        std::fs::copy(package.join(file), modules.join("trac-js").join(file)).expect("a built file");
    }
    for name in ["react", "react-dom", "scheduler"] {
        let from = node_modules().join(name).canonicalize().expect("an installed package");
        std::os::unix::fs::symlink(from, modules.join(name)).expect("a link");
    }
    let code = "import { createElement } from 'react';
        import { renderToString } from 'react-dom/server';
        import { useClickId } from 'trac-js/react';
        console.log(renderToString(createElement(() => String(useClickId()))));";
    let Some(output) = printed(application.path(), code) else { return };
    assert_eq!(output, "null");
}
