//! A server of PostgreSQL of the tests' own, in a temporary folder. One that runs already is never used.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::material::say;
use crate::server::free_port;

/// The variable with the URL of a server for tests, without a database name.
pub const SERVER: &str = "TRAC_TEST_POSTGRES";
/// The master key of all servers in tests that share a database.
pub const MASTER_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
/// Debian's folder of the programs, below which there is one for each version.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// The user that Debian's package creates: the programs refuse to run as root.
const USER: &str = "postgres";

/// A running server, ended when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    is_root: bool,
}

impl Postgres {
    /// Starts a server; `None`, with a line that says so, if it is not installed. `is_durable` makes commits wait for
    /// the disk, as they do by default.
    #[must_use]
    pub fn start(is_durable: bool) -> Option<Self> {
        let Some(programs) = programs() else {
            say("skipped: no PostgreSQL. To run these tests, install it: apt-get install postgresql");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is opened");
        let server = Self { programs, folder, port: free_port(), is_root };
        let data = server.data();
        if is_root {
            fs::create_dir(&data).expect("a folder for the data");
            run(Command::new("chown").arg(USER).arg(&data).arg(server.folder.path()));
        }
        run(server
            .program("initdb")
            .args(["--locale=C", "--encoding=UTF8", "--auth=trust", "--username=postgres"])
            .arg("-D")
            .arg(&data));
        let durable = if is_durable { "on" } else { "off" };
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 300\n\
             shared_buffers = 256MB\nfsync = {durable}\nsynchronous_commit = {durable}\nfull_page_writes = {durable}\n\
             deadlock_timeout = 100ms\n",
            server.port,
            server.folder.path().display()
        );
        fs::write(data.join("postgresql.auto.conf"), settings).expect("the settings are written");
        server.control(&["start"]);
        Some(server)
    }

    /// Its URL without a database name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, without finishing anything, and starts it again, as after a power failure.
    pub fn restart_immediately(&self) {
        self.control(&["restart", "-m", "immediate"]);
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if self.is_root {
            let mut as_user = Command::new("runuser");
            as_user.args(["-u", USER, "--"]).arg(program);
            as_user
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }

    fn control(&self, arguments: &[&str]) {
        let log = self.data().join("log");
        run(self
            .program("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .args(["-w", "-s", "-l"])
            .arg(log)
            .args(arguments));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self
            .program("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .args(["-s", "-m", "immediate", "stop"])
            .status();
    }
}

/// The user of the servers in tests, without special rights.
const TRAC: &str = "trac";

/// Makes a database on a server, and returns its URL for a user without special rights.
#[must_use]
pub fn new_database(server: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("trac_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
    let all = format!("{server}/postgres");
    // Another test may make the user at the same time.
    let user = format!(
        "DO $$ BEGIN CREATE USER {TRAC}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    );
    run_sql(&all, &user);
    run_sql(&all, &format!("CREATE DATABASE {name}"));
    run_sql(&format!("{server}/{name}"), &format!("GRANT ALL ON SCHEMA public TO {TRAC}"));
    format!("{}/{name}", server.replace("//postgres@", &format!("//{TRAC}@")))
}

/// Runs statements in a database, as its superuser.
pub fn run_sql(database: &str, sql: &str) {
    let url = database.replace(&format!("//{TRAC}@"), "//postgres@");
    let sql = sql.to_owned();
    let ran = std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("PostgreSQL answers");
        client.batch_execute(&sql).expect("the statements run");
    });
    ran.join().expect("the statements run");
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The folder with the newest `initdb`.
fn programs() -> Option<PathBuf> {
    let of_debian =
        fs::read_dir(PROGRAMS).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let in_path = std::env::var_os("PATH");
    let in_path = in_path.iter().flat_map(std::env::split_paths);
    let has = |folder: &Path| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file();
    of_debian.chain(in_path).filter(|folder| has(folder)).max()
}
