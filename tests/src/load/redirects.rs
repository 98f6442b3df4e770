//! Redirects, requested by wrk; and nginx with an empty redirect for comparison.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::machine::Used;
use super::{CONNECTIONS, Measured, SERVER_PROCESSOR};
use crate::server::free_port;

/// An nginx with one worker; ended on drop.
pub(super) struct Nginx {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it on a free port.
    pub(super) fn start() -> Result<Self, String> {
        let needed = "nginx and wrk are needed; on Debian: apt install nginx-light wrk";
        for program in ["nginx", "wrk"] {
            let known = Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
            known.map_err(|_| needed)?;
        }
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        let file = folder.path().join("nginx.conf");
        let own = folder.path().display();
        let configuration = format!(
            "daemon off; worker_processes 1; pid {own}/pid; error_log {own}/errors; events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000000;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ return 302 https://shop.example/; }} }} }}\n"
        );
        fs::write(&file, configuration).expect("a file");
        let child = Command::new("taskset")
            .args(["--cpu-list", &SERVER_PROCESSOR.to_string(), "nginx", "-e"])
            .arg(folder.path().join("errors"))
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|_| needed)?;
        let nginx = Self { child, port, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err("nginx does not start".to_owned());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    pub(super) fn measure(&self, seconds: u64) -> Measured {
        measure(&format!("http://127.0.0.1:{}/", self.port), self.child.id(), seconds)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM ends its worker too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Requests a URL with wrk, as often as the server responds.
pub(super) fn measure(url: &str, process: u32, seconds: u64) -> Measured {
    let before = Used::by(process);
    let begun = Instant::now();
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string(), "--latency"])
        .args(["--duration", &format!("{seconds}s"), url])
        .output()
        .expect("wrk runs");
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let used = Used::by(process).since(before);
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.contains("Non-2xx"), "{url} gets other responses than 2xx and 3xx: {output}");
    let number_before = |label: &str| {
        output.lines().find_map(|line| line.trim().split_once(label)?.0.parse().ok()).unwrap_or_default()
    };
    let p99 = output.lines().find_map(|line| line.trim().strip_prefix("99%"));
    let p99_micros = p99.and_then(|text| in_micros(text.trim())).unwrap_or_default();
    Measured { answers: number_before(" requests in "), micros, p99_micros, used }
}

/// Reads `3.96ms`.
fn in_micros(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let decimals = match unit {
        "us" => 0,
        "ms" => 3,
        "s" => 6,
        _ => return None,
    };
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction: String = fraction.chars().chain("000000".chars()).take(decimals).collect();
    format!("{integer}{fraction}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::in_micros;

    #[test]
    fn latencies_of_wrk_are_parsed() {
        let check = |text: &str, want: Option<u64>| assert_eq!(in_micros(text), want, "{text}");
        check("365.00us", Some(365));
        check("3.96ms", Some(3_960));
        check("1.02s", Some(1_020_000));
        check("17ms", Some(17_000));
        check("17", None);
    }
}
