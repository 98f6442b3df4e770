//! A short run of `kill -9` under load; `cargo xtask torture` is the long one.

use trac_tests::battery::kill_and_compare;
use trac_tests::say;

#[tokio::test]
async fn kill_9_under_mixed_load_loses_nothing_acknowledged_and_doubles_nothing() {
    let survived = kill_and_compare(5, 20_261_121).await;
    say(&format!("{survived:?}"));
}
