//! Installs the tools that the tasks need, if they are missing.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// The target the script is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The root of the repository.
pub(crate) fn root() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask is not in a workspace")?;
    Ok(root.to_owned())
}

/// Runs a program to its end, with its output shown.
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

/// Installs the standard library for WebAssembly with rustup, unless the toolchain has it.
pub(crate) fn wasm_target() -> Outcome {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

/// The folder `trac-js`, with the packages of its lock file installed.
pub(crate) fn npm_folder() -> Outcome<PathBuf> {
    let package = root()?.join("trac-js");
    let lock = std::fs::read(package.join("package-lock.json"))?;
    let installed = package.join("node_modules/.installed-lock.json");
    if std::fs::read(&installed).ok().as_ref() != Some(&lock) {
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&package))?;
        std::fs::write(&installed, lock)?;
    }
    Ok(package)
}

/// A tool of `trac-js/package.json`, at the version of its lock file.
pub(crate) fn npm_tool(name: &str) -> Outcome<PathBuf> {
    Ok(npm_folder()?.join("node_modules/.bin").join(name))
}

/// Whether Chromium and its driver are installed; installs them with apt if possible, otherwise prints what
/// to do.
#[expect(clippy::print_stderr, reason = "a task prints to its terminal")]
pub(crate) fn browser() -> bool {
    if program(&["chromedriver"]).is_some()
        && program(&["chromium", "chromium-browser", "google-chrome"]).is_some()
    {
        return true;
    }
    let installed = apt(&["chromium", "chromium-driver"]);
    if installed.is_err() {
        eprintln!("The browser tests are skipped. To run them, install Chromium and chromedriver.");
    }
    installed.is_ok()
}

/// Installs PostgreSQL with apt, unless there is one. It is only started by the tests themselves, in a folder of theirs.
#[expect(clippy::print_stderr, reason = "a task prints to its terminal")]
pub(crate) fn postgres() {
    let is_installed = program(&["initdb"]).is_some() || Path::new("/usr/lib/postgresql").is_dir();
    if !is_installed && apt(&["postgresql"]).is_err() {
        eprintln!("The tests on PostgreSQL are skipped. To run them, install PostgreSQL 15 or later.");
    }
}

/// Installs nginx and wrk, for the load tests, with apt if possible, otherwise prints what to do.
#[expect(clippy::print_stderr, reason = "a task prints to its terminal")]
pub(crate) fn web_tools() {
    let are_installed = program(&["nginx"]).is_some() && program(&["wrk"]).is_some();
    if !are_installed && apt(&["nginx-light", "wrk"]).is_err() {
        eprintln!("Redirects are not measured. To measure them, install nginx and wrk.");
    }
}

/// The version of schemathesis.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Installs schemathesis, which tests an API against its description, with pip into a folder of its own.
pub(crate) fn schemathesis() -> Outcome<PathBuf> {
    let folder = root()?.join("target/tools/schemathesis");
    let (python, program) = (folder.join("bin/python"), folder.join("bin/schemathesis"));
    if !program.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(python).args(["-m", "pip", "install", "--quiet", SCHEMATHESIS]))?;
    }
    Ok(program)
}

/// Installs Debian packages. Only root may; for other users apt fails at once.
fn apt(packages: &[&str]) -> Outcome {
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())
}

/// Installs Firefox with apt and its driver with cargo, if they are missing.
pub(crate) fn geckodriver() -> Outcome<PathBuf> {
    if program(&["firefox-esr", "firefox"]).is_none() {
        apt(&["firefox-esr"])?;
    }
    if let Some(driver) = program(&["geckodriver"]) {
        return Ok(driver);
    }
    let folder = root()?.join("target/tools/geckodriver");
    let driver = folder.join("bin/geckodriver");
    if !driver.is_file() {
        run(cargo().args(["install", "--quiet", "geckodriver", "--root"]).arg(&folder))?;
    }
    Ok(driver)
}

/// Installs the driver of `WebKitGTK`, with its small browser, with apt if it is missing.
pub(crate) fn webkit_driver() -> Outcome<PathBuf> {
    installed("WebKitWebDriver", "webkit2gtk-driver")
}

/// Installs Xvfb, a display server without a screen, with apt if it is missing.
pub(crate) fn display_server() -> Outcome<PathBuf> {
    installed("Xvfb", "xvfb")
}

fn installed(name: &str, package: &str) -> Outcome<PathBuf> {
    if program(&[name]).is_none() {
        apt(&[package])?;
    }
    program(&[name]).ok_or_else(|| format!("{name} is needed and not installed").into())
}

/// A program that cargo has built.
pub(crate) fn built(name: &str) -> Outcome<PathBuf> {
    program_of("debug", name)
}

/// Builds the release server, and returns its path.
pub(crate) fn released_server() -> Outcome<PathBuf> {
    run(cargo().args(["build", "--release", "-p", "trac-server"]).current_dir(root()?))?;
    program_of("release", "trac")
}

fn program_of(profile: &str, name: &str) -> Outcome<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root()?.join("target"), PathBuf::from);
    Ok(target.join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// The program with which cargo runs WebAssembly tests in a browser, at the version of the wasm-bindgen
/// library.
pub(crate) fn browser_test_runner() -> Outcome<PathBuf> {
    let version = locked_version("wasm-bindgen")?;
    let folder = root()?.join("target/tools").join(format!("wasm-bindgen-{version}"));
    let runner = folder.join("bin/wasm-bindgen-test-runner");
    if !runner.is_file() {
        let install = ["install", "--quiet", "wasm-bindgen-cli", "--version", &version, "--root"];
        run(cargo().args(install).arg(&folder))?;
    }
    Ok(runner)
}

/// A package's version in `Cargo.lock`.
fn locked_version(package: &str) -> Outcome<String> {
    let lock = std::fs::read_to_string(root()?.join("Cargo.lock"))?;
    let named = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split(&named).nth(1).and_then(|rest| rest.split('"').next());
    Ok(version.ok_or_else(|| format!("Cargo.lock has no {package}"))?.to_owned())
}

/// The first of these programs that is on the path.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}
