//! Databases of PostgreSQL for tests: with `TRAC_TEST_POSTGRES`, the URL of a server without a database name, the
//! stores of tests are databases of that server.

use std::path::Path;
use std::sync::OnceLock;

use postgres::{Client, NoTls};

use crate::store::{Opening, Store};

/// The variable with the URL of the server: `postgres://postgres@127.0.0.1:5432`.
const SERVER: &str = "TRAC_TEST_POSTGRES";

/// The server, if tests use one.
pub(crate) fn server() -> Option<String> {
    std::env::var(SERVER).ok().map(|url| url.trim_end_matches('/').to_owned())
}

/// Bytes in SQL, from hex digits.
pub(crate) fn bytes(hex: &str) -> String {
    if server().is_some() { format!("decode('{hex}', 'hex')") } else { format!("x'{hex}'") }
}

/// The statements after which no event can be recorded because the disk is full, and after which it has space again.
pub(crate) fn full_disk() -> [&'static str; 2] {
    if server().is_some() {
        let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full' \
                    USING ERRCODE = '53100'; END $$; \
                    CREATE TRIGGER full_disk BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION full_disk()";
        [full, "DROP TRIGGER full_disk ON event"]
    } else {
        ["PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"]
    }
}

/// The file in a data folder that names its database.
const NAME: &str = "database";

/// The store of a folder: its database, which is made if it has none; without a server, the file in the folder.
pub(crate) fn open_store(folder: &Path) -> Store {
    let Some(server) = server() else { return Store::open(folder).unwrap() };
    let name = std::fs::read_to_string(folder.join(NAME)).unwrap_or_else(|_| {
        let name = new(&server);
        std::fs::write(folder.join(NAME), &name).unwrap();
        name
    });
    open(&format!("{server}/{name}"), folder)
}

/// The store in a database. A folder holds the spool.
pub(crate) fn open(url: &str, folder: &Path) -> Store {
    Store::open_postgres(url, folder, &"5a".repeat(32), Opening::New).unwrap()
}

/// Makes a database and returns its name.
pub(crate) fn new(server: &str) -> String {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let name = format!("trac_template_{:x}", crate::id::random_bits());
        run(server, &format!("CREATE DATABASE {name}")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        drop(open(&format!("{server}/{name}"), folder.path()));
        // Rows that tests write have 0 and 1 for no and yes, as in a file.
        let casts = "UPDATE pg_cast SET castcontext = 'a' WHERE castsource = CAST('int4' AS regtype) \
                     AND casttarget = CAST('bool' AS regtype)";
        run_in(server, &name, casts).unwrap();
        name
    });
    let name = format!("trac_test_{:x}", crate::id::random_bits());
    let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
    // A copy fails while the connection that made the template is not closed yet.
    while let Err(error) = run(server, &copy) {
        assert!(error.contains("being accessed"), "{error}");
    }
    name
}

/// Makes an empty database and returns its name.
pub(crate) fn empty(server: &str) -> String {
    let name = format!("trac_test_{:x}", crate::id::random_bits());
    run(server, &format!("CREATE DATABASE {name}")).unwrap();
    name
}

/// Runs a statement on the server. The driver blocks, which a thread of a runtime must not.
pub(crate) fn run(server: &str, sql: &str) -> Result<(), String> {
    run_in(server, "postgres", sql)
}

fn run_in(server: &str, database: &str, sql: &str) -> Result<(), String> {
    let (url, sql) = (format!("{server}/{database}"), sql.to_owned());
    let ran = std::thread::spawn(move || {
        let mut client = Client::connect(&url, NoTls).unwrap();
        client.batch_execute(&sql).map_err(|error| format!("{:?}", error.as_db_error()))
    });
    ran.join().unwrap()
}
