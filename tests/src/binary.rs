//! The `trac` binary: built once by cargo, run as merchants run it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The result of a finished run of the binary.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `trac` with these arguments until it ends.
#[must_use]
pub fn trac(arguments: &[&str]) -> Finished {
    trac_with(&[], arguments)
}

/// Runs `trac` with these environment variables and arguments until it ends.
#[must_use]
pub fn trac_with(variables: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let output = command().envs(variables.iter().copied()).args(arguments).output().expect("the binary runs");
    finished(&output)
}

/// Runs `trac` with these arguments and a closed standard output, as in `trac … | head`.
#[must_use]
pub fn trac_unread(arguments: &[&str]) -> Finished {
    let mut command = command();
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    drop(child.stdout.take());
    finished(&child.wait_with_output().expect("the binary ends"))
}

fn finished(output: &Output) -> Finished {
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The binary as a command, without the environment variables that would configure it.
pub(crate) fn command() -> Command {
    plain(&program())
}

/// The binary as a command that runs on one processor only.
pub(crate) fn command_on(processor: usize) -> Command {
    let mut command = plain(Path::new("taskset"));
    command.args(["--cpu-list", &processor.to_string()]).arg(program());
    command
}

/// The binary as a command within limits of the shell's `ulimit`, such as `-v 800000`.
pub(crate) fn command_within(limits: &[&str]) -> Command {
    let mut command = plain(Path::new("sh"));
    let limits: Vec<_> = limits.iter().map(|limit| format!("ulimit {limit} && ")).collect();
    command.arg("-c").arg(format!("{}exec \"$0\" \"$@\"", limits.concat())).arg(program());
    command
}

fn program() -> PathBuf {
    env::var_os("TRAC_BIN").map_or_else(|| built("trac"), PathBuf::from)
}

/// An example of `examples/` as a command.
pub(crate) fn example(name: &str) -> Command {
    plain(&built(name))
}

fn plain(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("TRAC_") {
            command.env_remove(name);
        }
    }
    // On a machine that others use too, a process may stand still for longer than a visitor waits.
    command.env("TRAC_VISITOR_WAIT_MS", "10000").stdin(Stdio::null());
    command
}

/// A program in `target/debug`, which cargo brings up to date. A bare `cargo build` chooses the same packages
/// as a bare `cargo test`, so nothing is compiled twice.
fn built(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace");
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--bins"])
            .current_dir(root)
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        target.join("debug")
    });
    folder.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}
