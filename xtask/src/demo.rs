//! `cargo xtask demo`: builds everything, then runs `trac demo` and the axum-shop example.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::{Outcome, script, setup};

/// Ports tried first, so that the addresses are usually the same.
const TRACKER_PORT: u16 = 8787;
const SHOP_PORT: u16 = 8788;
const STRIPE_PORT: u16 = 8789;
const AXUM_SHOP_PORT: u16 = 8790;

/// Ends the example when the demo ends.
struct ExampleShop(Child);

impl Drop for ExampleShop {
    fn drop(&mut self) {
        // It may have ended by the same Ctrl-C.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds the script, the server and the example shop, and runs them until Ctrl-C. The arguments after `demo`
/// are passed to `trac demo`.
pub(crate) fn run() -> Outcome {
    script::build()?;
    let root = setup::root()?;
    setup::run(setup::cargo().args(["build", "--bins"]).current_dir(&root))?;

    let [tracker, shop, stripe, axum_shop] = [
        free_port(TRACKER_PORT)?,
        free_port(SHOP_PORT)?,
        free_port(STRIPE_PORT)?,
        free_port(AXUM_SHOP_PORT)?,
    ];
    let example_shop = Command::new(setup::built("trac-axum-shop")?)
        .env("SHOP_LISTEN", format!("127.0.0.1:{axum_shop}"))
        .env("STRIPE_API_URL", format!("http://127.0.0.1:{stripe}"))
        .env("STRIPE_SECRET_KEY", "sk_test_kettleandleaf")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let _example_shop = ExampleShop(example_shop);
    let mut demo = Command::new(setup::built("trac")?);
    demo.arg("demo")
        .args(["--listen", &format!("127.0.0.1:{tracker}")])
        .args(["--shop", &format!("127.0.0.1:{shop}")])
        .args(["--stripe", &format!("127.0.0.1:{stripe}")])
        .args(["--second-shop", &format!("http://localhost:{axum_shop}")])
        .args(std::env::args().skip(2));
    setup::run(&mut demo)
}

/// The usual port, or a free one if it is taken.
fn free_port(usual: u16) -> Outcome<u16> {
    let listener =
        TcpListener::bind(("127.0.0.1", usual)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(listener.local_addr()?.port())
}
