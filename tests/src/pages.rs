//! Serves pages and the built script on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io, thread};

use crate::material::skipped;
use crate::react;

/// How a page loads the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As on merchants' pages.
    Plain,
    /// `trac.compat.js` instead of `trac.js`.
    Compat,
    /// As on merchants' pages, with a policy that blocks WebAssembly.
    Strict,
    /// With a policy of nonces and `strict-dynamic`, for the pages that have the nonce.
    Nonce,
    /// The same, and with Trusted Types that allow the script's policy.
    Trusted,
    /// With Trusted Types that allow no policy, and WebAssembly allowed.
    TrustedWasm,
}

impl Way {
    /// The ways for every page.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Compat, Self::Strict];

    const fn policy(self) -> &'static str {
        match self {
            Self::Plain | Self::Compat => "",
            // The pages contain inline scripts.
            Self::Strict => "content-security-policy: script-src 'self' 'unsafe-inline'\r\n",
            Self::Nonce => {
                "content-security-policy: script-src 'nonce-bm9uY2U' 'strict-dynamic'; base-uri 'none'\r\n"
            }
            Self::Trusted => {
                "content-security-policy: script-src 'nonce-bm9uY2U' 'strict-dynamic'; base-uri 'none'; \
                 require-trusted-types-for 'script'; trusted-types trac\r\n"
            }
            Self::TrustedWasm => {
                "content-security-policy: script-src 'nonce-bm9uY2U' 'strict-dynamic' 'wasm-unsafe-eval'; \
                 base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
            }
        }
    }
}

/// The files of one folder, `/trac.js`, `/trac.compat.js`, and the npm package: its module as `/npm.js`, its
/// hook as `/hook.js`, and React as `/react.js`.
#[derive(Debug)]
pub struct Pages {
    port: u16,
}

struct Site {
    folder: PathBuf,
    script: Vec<u8>,
    compat: Vec<u8>,
    module: Vec<u8>,
    /// What every page begins with, such as the script's tag.
    head: &'static str,
    way: Way,
}

impl Pages {
    /// Serves a folder. Returns `None`, and prints why, if the script has not been built.
    #[must_use]
    pub fn serve(folder: &Path, head: &'static str, way: Way) -> Option<Self> {
        let read = |name: &str| fs::read(dist().join(name));
        let (Ok(script), Ok(compat), Ok(module)) =
            (read("trac.js"), read("trac.compat.js"), read("npm/index.js"))
        else {
            skipped("no dist/trac.js; `cargo xtask build-script` makes it");
            return None;
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has a port").port();
        let site = Arc::new(Site {
            folder: folder.to_owned(),
            script: if way == Way::Compat { compat.clone() } else { script },
            compat,
            module,
            head,
            way,
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = Arc::clone(&site);
                // A browser that closes the connection early is not a failure.
                thread::spawn(move || drop(site.answer(&stream)));
            }
        });
        Some(Self { port })
    }

    /// The URL of a page on a host name that resolves to this machine.
    #[must_use]
    pub fn address(&self, host: &str, page: &str) -> String {
        format!("http://{host}:{}/{page}", self.port)
    }
}

/// The folder of the built script.
fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist")
}

impl Site {
    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let path = request.split([' ', '?']).nth(1).unwrap_or_default().trim_start_matches('/');
        let (status, body) = match self.file(path) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", Vec::new()),
        };
        let kind = if path.rsplit('.').next() == Some("js") { "text/javascript" } else { "text/html" };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n{}\r\n",
            self.way.policy()
        )?;
        stream.write_all(&body)
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        match path {
            "trac.js" => return Some(self.script.clone()),
            "npm.js" => return Some(self.module.clone()),
            "trac.compat.js" => return Some(self.compat.clone()),
            "hook.js" => return fs::read(dist().join("npm/react.js")).ok(),
            "react.js" => return react::module(),
            _ => {}
        }
        let plain = !path.is_empty()
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let file = fs::read(self.folder.join(path)).ok().filter(|_| plain)?;
        let head = if path.rsplit('.').next() == Some("html") { self.head } else { "" };
        Some([head.as_bytes(), &file].concat())
    }
}
