//! `trac-stand-in LISTEN [WEBHOOK_URL WEBHOOK_SECRET]`: the simulator of Stripe alone, on loopback.

use std::env;
use std::error::Error;
use std::io::Write;

use tokio::net::TcpListener;
use trac_stand_in::{Catalogue, Config, StandIn, Webhook};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:12111".to_owned());
    let webhook = match (arguments.next(), arguments.next()) {
        (Some(url), Some(secret)) => Some(Webhook { url, secret }),
        (None, None) => None,
        _ => return Err("usage: trac-stand-in LISTEN [WEBHOOK_URL WEBHOOK_SECRET]".into()),
    };
    let listener = TcpListener::bind(&listen).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    writeln!(std::io::stdout(), "simulator of Stripe: {origin}/dashboard")?;
    let config = Config { origin, after_payment: None, catalogue: Catalogue::tea_shop(), webhook };
    StandIn::new(config).serve(listener).await?;
    Ok(())
}
