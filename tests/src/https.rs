//! Files over https on loopback, with a self-signed certificate.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::material::skipped;
use crate::server::free_port;

/// Serves the files in its working directory, where its certificate is too.
const SERVER: &str = "const { readFileSync: read } = require('fs');
require('https').createServer({ key: read('key.pem'), cert: read('cert.pem') }, (request, answer) => {
  const name = request.url.split('?')[0].slice(1);
  const type = name.endsWith('.js') ? 'text/javascript' : 'text/html';
  try {
    const body = read(name);
    answer.writeHead(200, { 'content-type': type }).end(body);
  } catch {
    answer.writeHead(404).end();
  }
}).listen(Number(process.argv[1]), '127.0.0.1');";

/// A folder on https; its server ends on drop.
#[derive(Debug)]
pub struct HttpsFolder {
    port: u16,
    server: Child,
    _folder: TempDir,
}

impl HttpsFolder {
    /// Serves these files and `trac.js`. Returns `None`, and prints why, if there is no script, no openssl or
    /// no Node.
    #[must_use]
    pub fn serve(files: &[(&str, &str)]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/trac.js");
        if std::fs::copy(built, folder.path().join("trac.js")).is_err() {
            skipped("no dist/trac.js; `cargo xtask build-script` makes it");
            return None;
        }
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let port = free_port();
        let Ok(server) = certify(folder.path()).and_then(|()| start(folder.path(), port)) else {
            skipped("https needs openssl and Node");
            return None;
        };
        let site = Self { port, server, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(15);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(site)
    }

    /// The address of a file.
    #[must_use]
    pub fn address(&self, file: &str) -> String {
        format!("https://localhost:{}/{file}", self.port)
    }
}

impl Drop for HttpsFolder {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn certify(folder: &Path) -> io::Result<()> {
    let arguments = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost";
    let made = Command::new("openssl").current_dir(folder).args(arguments.split_whitespace()).output()?;
    if made.status.success() { Ok(()) } else { Err(io::Error::other("openssl did not create a certificate")) }
}

fn start(folder: &Path, port: u16) -> io::Result<Child> {
    let port = port.to_string();
    Command::new("node").current_dir(folder).args(["-e", SERVER, &port]).stdin(Stdio::null()).spawn()
}
