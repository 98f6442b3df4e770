//! `cargo xtask bench --browser`: the script's speed in a real browser.

use crate::{Outcome, script, setup};

pub(crate) fn run() -> Outcome {
    if !std::env::args().any(|argument| argument == "--browser") {
        return Err("say what to measure: --browser".into());
    }
    script::build()?;
    if !setup::browser() {
        return Err("there is no browser to measure in".into());
    }
    let example = ["run", "--quiet", "--package=trac-tests", "--example=script_speed"];
    setup::run(setup::cargo().current_dir(setup::root()?).args(example))
}
