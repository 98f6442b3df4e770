use std::sync::mpsc;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;
use trac_core::program::Mode;

use super::rows::args;
use super::*;

fn open() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn insert(tx: Everywhere<'_>, id: &str) -> Result<(), StoreError> {
    tx.write("INSERT INTO workspace (id, name, created_at) VALUES (?1, ?1, 0)", args![id])?;
    Ok(())
}

fn names(tx: Everywhere<'_>) -> Result<Vec<String>, StoreError> {
    tx.all("SELECT id FROM workspace ORDER BY id", &[], |row| row.get(0))
}

#[tokio::test]
async fn acknowledged_writes_survive_a_reopen() {
    let (folder, store) = open();
    store.write(Priority::Api, |tx| insert(tx, "a")).await.unwrap();
    store.close();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.read(names).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_failing_job_is_rolled_back_alone() {
    let (_folder, store) = open();
    let good = store.write(Priority::Api, |tx| insert(tx, "a"));
    let twice = store.write(Priority::Api, |tx| {
        insert(tx, "b")?;
        insert(tx, "b")
    });
    let panics = store.write(Priority::Api, |tx| -> Result<(), StoreError> {
        insert(tx, "c")?;
        panic!("on purpose")
    });
    let last = store.write(Priority::Api, |tx| insert(tx, "d"));
    good.await.unwrap();
    assert_eq!(twice.await.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(panics.await.unwrap_err().kind(), StoreErrorKind::Internal);
    last.await.unwrap();
    assert_eq!(store.read(names).await.unwrap(), ["a", "d"]);
}

#[tokio::test]
async fn a_reader_that_panics_gives_its_connection_back() {
    let (_folder, store) = open();
    for _ in 0..sqlite::READERS * 2 {
        let read = store.read(|_| -> Result<(), StoreError> { panic!("on purpose") }).await;
        assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Internal);
    }
    assert!(store.read(names).await.unwrap().is_empty());
}

#[tokio::test]
async fn webhooks_are_written_before_clicks_and_a_full_queue_rejects_jobs() {
    let (_folder, store) = open();
    let (release, gate) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel::<()>();
    let blocker = store.write(Priority::Api, move |_| {
        entered.send(()).unwrap();
        gate.recv().unwrap();
        Ok(())
    });
    inside.recv().unwrap();
    let (order, seen) = mpsc::channel();
    let mut named = Vec::new();
    let jobs = [(Priority::Click, "click"), (Priority::Api, "api"), (Priority::Webhook, "webhook")];
    for (priority, name) in jobs {
        let order = order.clone();
        named.push(store.write(priority, move |_| {
            order.send(name).unwrap();
            Ok(())
        }));
    }
    let more: Vec<_> = (0..5_000).map(|_| store.write(Priority::Click, |_| Ok(()))).collect();
    release.send(()).unwrap();
    blocker.await.unwrap();
    for job in named {
        job.await.unwrap();
    }
    let mut refused = 0;
    for job in more {
        refused += usize::from(job.await.is_err_and(|error| error.kind() == StoreErrorKind::Busy));
    }
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["webhook", "api", "click"]);
    assert_eq!(refused, 5_000 + 1 - 4_096);
}

#[tokio::test]
async fn writes_of_another_process_are_visible_at_once() {
    let (folder, store) = open();
    let other = Store::open(folder.path()).unwrap();
    for round in 0..20 {
        other.write(Priority::Api, move |tx| insert(tx, &format!("other{round:02}"))).await.unwrap();
        store.write(Priority::Api, move |tx| insert(tx, &format!("self{round:02}"))).await.unwrap();
        assert_eq!(store.read(names).await.unwrap().len(), (round + 1) * 2);
    }
}

#[tokio::test]
async fn a_closed_store_finishes_accepted_jobs_and_rejects_new_ones() {
    let (folder, store) = open();
    let jobs: Vec<_> = (0..1_000)
        .map(|number| store.write(Priority::Click, move |tx| insert(tx, &format!("{number:04}"))))
        .collect();
    store.close();
    for job in jobs {
        job.await.unwrap();
    }
    let late = store.write(Priority::Webhook, |tx| insert(tx, "late")).await;
    assert_eq!(late.unwrap_err().kind(), StoreErrorKind::Busy);
    assert_eq!(Store::open(folder.path()).unwrap().read(names).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, store) = open();
    assert!(store.read(|connection| insert(connection, "a")).await.is_err());
    assert!(store.read(names).await.unwrap().is_empty());
}

#[test]
fn the_error_for_a_file_that_is_not_a_trac_database_names_it() {
    let check = |spoil: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        spoil(&folder.path().join("trac.db"));
        let error = Store::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("trac.db"), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    };
    check(&|file| std::fs::write(file, "not a database, but long enough to look at").unwrap());
    check(&|file| Connection::open(file).unwrap().execute_batch("CREATE TABLE other (a)").unwrap());
    check(&|file| {
        drop(Store::open(file.parent().unwrap()).unwrap());
        Connection::open(file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    });
}

#[tokio::test]
async fn a_long_log_is_emptied_once_the_running_queries_have_ended() {
    let (folder, store) = open();
    store.write(Priority::Api, |tx| insert(tx, "a")).await.unwrap();
    let scope = Scope::new("ws_1", Mode::Live);
    let query = |ended: mpsc::Receiver<()>| {
        let (reads, begun) = oneshot::channel();
        let (store, scope) = (store.clone(), scope.clone());
        let running = tokio::spawn(async move {
            let reading = store.query(&scope, "", move |tx| {
                let names = names(tx)?;
                let _ = reads.send(());
                let _ = ended.recv();
                Ok::<_, StoreError>(names.len())
            });
            reading.await
        });
        (running, begun)
    };
    let (end, ended) = mpsc::channel();
    let (first, begun) = query(ended);
    begun.await.unwrap();
    let shortening = tokio::spawn({
        let store = store.clone();
        async move { store.machine().unwrap().shorten_log_from(1).await }
    });
    tokio::task::yield_now().await;
    // It is emptied between these two queries, although the second one was requested before the first had ended.
    let (second, begun) = query(mpsc::channel().1);
    tokio::task::yield_now().await;
    assert!(!shortening.is_finished());
    drop(end);
    begun.await.unwrap();
    shortening.await.unwrap().unwrap();
    assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 1));
    let log = folder.path().join("trac.db-wal");
    assert_eq!(std::fs::metadata(log).unwrap().len(), 0);
}

#[test]
fn a_store_of_an_older_version_is_not_converted_to_be_examined() {
    let (folder, store) = open();
    store.close();
    drop(store);
    let file = folder.path().join(sqlite::file::FILE_NAME);
    let version = || -> i64 {
        let connection = Connection::open(&file).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    let newest = version();
    Connection::open(&file).unwrap().pragma_update(None, "user_version", newest - 1).unwrap();
    let error = Store::open_unchanged(folder.path(), None).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("make a backup, then start trac serve"), "{error}");
    assert_eq!(version(), newest - 1);
    Connection::open(&file).unwrap().pragma_update(None, "user_version", newest).unwrap();
    Store::open_unchanged(folder.path(), None).unwrap();
}

#[test]
fn the_error_for_a_folder_that_cannot_be_created_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("data")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, store) = open();
    store.write(Priority::Api, |tx| insert(tx, "a")).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

#[tokio::test]
async fn look_ups_by_id_use_an_index() {
    let (_folder, store) = open();
    let check = async |table: &'static str, column: &'static str, want: &'static str| {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE workspace_id = ?1 AND mode = ?2 AND {column} = ?3"
        );
        let plan =
            store.read(move |tx| tx.one(&sql, args!["ws", "test", "id"], |row| row.get::<String>("detail")));
        let plan = plan.await.unwrap().unwrap();
        assert!(plan.contains(want) && plan.contains(&format!("{column}=?")), "{table}.{column}: {plan}");
    };
    check("payment", "id", "sqlite_autoindex_payment_1").await;
    check("payment", "subscription_id", "payment_subscription").await;
    check("payment", "customer_id", "payment_customer").await;
    check("payment_object", "stripe_id", "PRIMARY KEY").await;
    check("payment_object", "payment_id", "payment_object_payment").await;
    check("commission", "payment_id", "commission_payment").await;
    check("commission", "partner_id", "commission_partner").await;
    check("ledger_entry", "commission_id", "ledger_entry_commission").await;
    check("payout_entry", "commission_id", "payout_entry_commission").await;
    check("payout_entry", "payout_id", "payout_entry_payout").await;
    check("event", "stripe_event_id", "event_stripe_id").await;
    check("event", "subject_id", "event_subject").await;
    check("event", "object_id", "event_object").await;
    check("attribution", "payment_id", "attribution_payment").await;
    check("external_customer", "named_by", "external_customer_named_by").await;
    check("attribution", "event_id", "attribution_event").await;
}

#[tokio::test]
async fn the_ledger_is_only_appended() {
    let (_folder, store) = open();
    let entry =
        "INSERT INTO ledger_entry VALUES ('ws', 'test', 'ent', 'com', 'earn', 5, 'usd', 'ok', NULL, NULL, 0)";
    store.write(Priority::Api, move |tx| tx.write(entry, &[])).await.unwrap();
    for change in ["UPDATE ledger_entry SET amount_minor = 6", "DELETE FROM ledger_entry"] {
        let error = store.write(Priority::Api, move |tx| tx.write(change, &[])).await.unwrap_err();
        assert!(error.to_string().contains("only appended"), "{error}");
    }
}

#[tokio::test]
async fn sqlite_is_new_enough_to_be_free_of_the_log_race() {
    let (_folder, store) = open();
    let version: String =
        store.read(|tx| tx.one("SELECT sqlite_version()", &[], |row| row.get(0))).await.unwrap().unwrap();
    let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(numbers >= vec![3, 51, 3], "{version}");
}
