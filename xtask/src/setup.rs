//! What the tasks need on this machine, fetched where it is missing.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// The target the script is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The root of the repository.
pub(crate) fn root() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask lies in no workspace")?;
    Ok(root.to_owned())
}

/// Runs a program to its end, its output shown.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let program = command.get_program().display().to_string();
    let status = command.stdin(Stdio::null()).status().map_err(|error| cannot_start(&program, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{program} ended with {status}").into()) }
}

fn cannot_start(program: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is needed and not installed"),
        _ => format!("{program} cannot be started: {error}"),
    }
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")))
}

/// The standard library for WebAssembly, by rustup unless the toolchain has it already.
pub(crate) fn wasm_target() -> Outcome {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

/// A tool of `trac-js/package.json`, at the version its lock file names.
pub(crate) fn npm_tool(name: &str) -> Outcome<PathBuf> {
    let package = root()?.join("trac-js");
    let lock = std::fs::read(package.join("package-lock.json"))?;
    let installed = package.join("node_modules/.installed-lock.json");
    if std::fs::read(&installed).ok().as_ref() != Some(&lock) {
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&package))?;
        std::fs::write(&installed, lock)?;
    }
    Ok(package.join("node_modules/.bin").join(name))
}

/// Whether there is Chromium with its driver: installed by apt where that is possible; elsewhere says what to do.
#[expect(clippy::print_stderr, reason = "a task talks to whoever started it")]
pub(crate) fn browser() -> bool {
    let answers = |program: &str| {
        let asked =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    if ["chromedriver", "chromium"].into_iter().all(answers) {
        return true;
    }
    // Only root may install; for anybody else apt ends at once.
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let installed = apt(&["update", "-qq"]).and_then(|()| {
        apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium", "chromium-driver"])
    });
    if installed.is_err() {
        eprintln!("The browser tests are skipped. To run them, install Chromium and chromedriver.");
    }
    installed.is_ok()
}

/// A program that cargo has built.
pub(crate) fn program(name: &str) -> Outcome<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root()?.join("target"), PathBuf::from);
    Ok(target.join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}
