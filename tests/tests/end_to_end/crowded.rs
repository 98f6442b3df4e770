//! Callers who occupy shared resources: idle connections, bodies that never end.
#![cfg(target_os = "linux")] // Only Linux routes all of 127.0.0.0/8 to this machine.
#![expect(clippy::expect_used, reason = "a failed precondition of a test panics")]

use std::net::SocketAddr;

use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use trac_tests::{Endpoint, Server, Setup, envelope, now, say, session};

/// A connection to the server from one of this machine's addresses; `None` if this process may open no more
/// files.
async fn connect(server: &Server, from: &str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(SocketAddr::new(from.parse().expect("an address"), 0)).expect("a free port");
    let to = server.origin().trim_start_matches("http://").parse().expect("an address");
    Some(socket.connect(to).await.expect("the server listens"))
}

/// A visitor is redirected with a click, and a sale is processed.
async fn visitors_and_webhooks_are_served(url: &str, endpoint: &Endpoint, name: &str) {
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    let answer = client.get(url).header("user-agent", "a browser").send().await.expect("an answer");
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (_, click) = location.split_once("trac_click_id=").expect("a click");
    let event =
        envelope(&format!("evt_{name}"), "checkout.session.completed", now(), &session(name, 10_000, click));
    assert_eq!(endpoint.deliver(&event).await.text("/outcome"), "processed");
}

#[tokio::test]
async fn under_many_idle_connections_visitors_are_served() {
    // The usual soft limit; the server raises it to the hard limit.
    let server = Server::start_as(Setup { limits: vec!["-Sn 1024"], ..Setup::default() }).await;
    let merchant = server.merchant("idle");
    let endpoint = merchant.endpoint().await;
    let url = merchant.terms(2_000, "idle", "https://shop.example/").await.url;
    // More connections from one address than it may have, and as many as allowed from three others.
    let mut idle = Vec::new();
    for number in 0..1_125 {
        let from =
            if number < 600 { "127.0.0.2" } else { ["127.0.0.3", "127.0.0.4", "127.0.0.5"][number % 3] };
        let Some(stream) = connect(&server, from).await else {
            return say("skipped: this process may open too few files");
        };
        idle.push(stream);
    }
    visitors_and_webhooks_are_served(&url, &endpoint, "idle").await;
    // The first address has reached its limit.
    let mut one_more = connect(&server, "127.0.0.2").await.expect("a socket");
    assert_eq!(one_more.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    assert!(server.log().contains("an address holds too many connections"), "{}", server.log());
    drop(idle);
}

#[tokio::test]
async fn two_hundred_bodies_that_never_end_exhaust_neither_memory_nor_webhooks() {
    let mut server = Server::start_as(Setup { limits: vec!["-v 800000"], ..Setup::default() }).await;
    let merchant = server.merchant("bodies");
    let endpoint = merchant.endpoint().await;
    let url = merchant.terms(2_000, "bodies", "https://shop.example/").await.url;
    let (_, path) = endpoint.url.trim_start_matches("http://").split_once('/').expect("an address");
    let length = 2 << 20;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: trac\r\nstripe-signature: t={},v1={}\r\ncontent-length: {length}\r\n\r\n",
        now(),
        "0".repeat(64)
    );
    let body = vec![b' '; length - 1];
    let mut open = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(&server, "127.0.0.2").await.expect("a socket");
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        // The server closes a connection whose body it refuses, maybe while the body is sent.
        let _ = stream.write_all(&body).await;
        open.push(stream);
    }
    assert!(server.process().is_some(), "the server lives: {}", server.log());
    visitors_and_webhooks_are_served(&url, &endpoint, "bodies").await;
    let process = server.process().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peaks: Vec<_> =
        status.lines().filter(|line| line.starts_with("VmPeak") || line.starts_with("VmHWM")).collect();
    let answered = open.iter().filter(|stream| stream.try_read(&mut [0; 16]).is_ok()).count();
    say(&format!("{answered} of 200 bodies refused by now; {}", peaks.join(", ")));
    drop(open);
    visitors_and_webhooks_are_served(&url, &endpoint, "again").await;
    assert_eq!(server.stop(), Some(0), "it ends with exit code 0: {}", server.log());
}
