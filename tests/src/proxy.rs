//! A proxy between a server and its database, which can break connections.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A proxy on a port of its own. Its threads end with the process.
#[derive(Clone, Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether connections are refused.
    is_cut: AtomicBool,
    /// How many commits are still passed on without their answer.
    silent_commits: AtomicUsize,
    /// How long each packet waits, in microseconds.
    delay_micros: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Starts one in front of a port of this machine.
    #[must_use]
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let proxy = Self { port, state: Arc::default() };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                for one in [&client, &server] {
                    let _ = one.set_nodelay(true);
                }
                let (Ok(a), Ok(b)) = (client.try_clone(), server.try_clone()) else { continue };
                state
                    .open
                    .lock()
                    .expect("no thread panicked")
                    .extend([client.try_clone(), server.try_clone()].into_iter().flatten());
                let (up, down) = (Arc::clone(&state), Arc::clone(&state));
                let is_silent = Arc::new(AtomicBool::new(false));
                let silent = Arc::clone(&is_silent);
                thread::spawn(move || pass(client, server, &up, Some(&is_silent), None));
                thread::spawn(move || pass(b, a, &down, None, Some(&silent)));
            }
        });
        proxy
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and refuses new ones.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        for one in self.state.open.lock().expect("no thread panicked").drain(..) {
            let _ = one.shutdown(Shutdown::Both);
        }
    }

    /// Passes connections again.
    pub fn mend(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
    }

    /// The next commits reach the database, but their connections break before the answer.
    pub fn swallow_commits(&self, count: usize) {
        self.state.silent_commits.store(count, Ordering::SeqCst);
    }

    /// Delays each packet by this time.
    pub fn delay(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.state.delay_micros.store(micros, Ordering::SeqCst);
    }
}

/// Passes bytes on until either side closes. `mark` is set when a commit passed whose answer is to be lost; with
/// `silent` set, an answer ends the connection.
fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    state: &State,
    mark: Option<&AtomicBool>,
    silent: Option<&AtomicBool>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let part = bytes.get(..length).unwrap_or_default();
        if silent.is_some_and(|silent| silent.load(Ordering::SeqCst)) {
            break;
        }
        if let Some(mark) = mark
            && part.windows(7).any(|word| word == b"COMMIT\0")
        {
            let left = state
                .silent_commits
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            mark.store(left.is_ok(), Ordering::SeqCst);
        }
        let delay = state.delay_micros.load(Ordering::SeqCst);
        if delay > 0 {
            thread::sleep(Duration::from_micros(delay));
        }
        if to.write_all(part).is_err() {
            break;
        }
    }
    for one in [&from, &to] {
        let _ = one.shutdown(Shutdown::Both);
    }
}
