use std::fs;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trac_core::click::ClickId;
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use super::*;
use crate::store::Store;

fn scope() -> Scope {
    Scope::new("ws_1", Mode::Test)
}

fn click(number: u64) -> NewClick {
    NewClick {
        id: ClickId::new(1, number),
        program_id: "prog_1".into(),
        partner_id: "part_1".into(),
        link_id: Some("link_1".into()),
        clicked_at: Timestamp::from_unix_secs(1),
        is_unique: None,
        visitor: Some([7; 16]),
        last_click: None,
        referrer: None,
        landing_url: None,
    }
}

fn spooled(number: u64) -> Spooled {
    Spooled::new(&scope(), click(number))
}

fn serving(folder: &TempDir) -> Store {
    let store = Store::open(folder.path()).unwrap();
    store.use_spool();
    store
}

/// The clicks in the database: how many, and how many of them are a visitor's first.
async fn clicks(store: &Store) -> (i64, i64) {
    let count = |connection: &Connection| {
        let sql = "SELECT count(*), coalesce(sum(is_unique), 0) FROM click";
        Ok(connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    store.read(count).await.unwrap()
}

/// Waits until the writer has brought everything in.
async fn drained(store: &Store) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.spooled() > 0 || store.takes_no_clicks() {
        assert!(Instant::now() < deadline, "{} still wait", store.spooled());
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_wait_while_the_store_is_locked_and_are_brought_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let lock = Connection::open(folder.path().join("trac.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 0..100 {
        store.spool(&scope(), click(number)).await.unwrap();
    }
    store.spool(&scope(), click(0)).await.unwrap();
    assert!(store.takes_no_clicks());
    assert_eq!((store.spooled(), clicks(&store).await), (101, (0, 0)));
    lock.execute_batch("COMMIT").unwrap();
    drained(&store).await;
    assert_eq!(clicks(&store).await, (100, 1), "one visitor, who came a hundred times");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_process_left_behind_is_there_before_anything_else_is_written() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let path = folder.path().join(FILE_NAME);
    let mut file = SpoolFile::open(&path).unwrap();
    file.append(&(0..1_000).map(spooled).collect::<Vec<_>>()).unwrap();
    drop(file);
    let left = fs::read(&path).unwrap();

    let count = |tx: &rusqlite::Transaction<'_>| {
        Ok(tx.query_row("SELECT count(*) FROM click", [], |row| row.get::<_, i64>(0))?)
    };
    let store = serving(&folder);
    assert_eq!(store.write(crate::store::Priority::Webhook, count).await.unwrap(), 1_000);
    drained(&store).await;
    store.close();
    drop(store);

    // Killed between the commit and the emptying of the file: it is all read again.
    let again = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("trac.db"), again.path().join("trac.db")).unwrap();
    fs::write(again.path().join(FILE_NAME), left).unwrap();
    let store = serving(&again);
    assert_eq!(store.write(crate::store::Priority::Webhook, count).await.unwrap(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_beside_the_server_leaves_the_spool_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let other = serving(&folder);
    assert_eq!(other.spool(&scope(), click(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(!other.takes_no_clicks(), "there is nothing but its store");
    server.spool(&scope(), click(2)).await.unwrap();
    drained(&server).await;
    assert_eq!(clicks(&other).await.0, 1);
}

#[test]
fn a_file_ends_where_the_first_broken_line_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let lines: Vec<_> = (0..3).map(spooled).collect();
    let mut file = SpoolFile::open(&path).unwrap();
    file.take_room().unwrap();
    file.append(&lines).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), usize::try_from(file::ROOM_BYTES).unwrap());
    let one = lines[0].write(1).unwrap().len();
    for end in [0, 1, one - 1, one, one + 1, 2 * one + one / 2, 3 * one, 3 * one + 1] {
        let want = end / one;
        let cut = [&whole[..end], &vec![0; 4_096]].concat();
        fs::write(&path, cut).unwrap();
        let mut file = SpoolFile::open(&path).unwrap();
        assert_eq!(file.lines(), want.min(3), "{end} bytes");
        // What is appended now is found behind the whole lines, whatever lies there.
        file.append(&[spooled(9)]).unwrap();
        drop(file);
        let mut file = SpoolFile::open(&path).unwrap();
        let (found, _) = file.waiting().unwrap().unwrap();
        assert_eq!(found.last(), Some(&spooled(9)), "{end} bytes");
        assert_eq!(found.len(), want.min(3) + 1, "{end} bytes");
    }
}

#[test]
fn an_emptied_file_shows_nothing_of_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let mut file = SpoolFile::open(&path).unwrap();
    for _ in 0..3 {
        file.append(&(10..20).map(spooled).collect::<Vec<_>>()).unwrap();
        let (lines, end) = file.waiting().unwrap().unwrap();
        file.drained(lines.len(), end).unwrap();
        assert_eq!((file.lines(), file.waiting().unwrap()), (0, None));
        drop(file);
        file = SpoolFile::open(&path).unwrap();
        assert_eq!(file.lines(), 0);
        assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0), "nothing is left to be read");
        // As long as one of the old lines.
        file.append(&[spooled(30)]).unwrap();
        drop(file);
        file = SpoolFile::open(&path).unwrap();
        assert_eq!(file.waiting().unwrap().unwrap().0, [spooled(30)]);
        let (lines, end) = file.waiting().unwrap().unwrap();
        file.drained(lines.len(), end).unwrap();
    }
}

#[test]
fn lines_of_another_generation_are_not_read_behind_newer_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let old: Vec<u8> = (10..13).flat_map(|number| spooled(number).write(4).unwrap()).collect();
    let new = spooled(20).write(5).unwrap();
    fs::write(&path, [new.as_slice(), &old[new.len()..]].concat()).unwrap();
    let mut file = SpoolFile::open(&path).unwrap();
    assert_eq!(file.waiting().unwrap().unwrap().0, [spooled(20)]);
    file.append(&[spooled(21)]).unwrap();
    drop(file);
    let mut file = SpoolFile::open(&path).unwrap();
    assert_eq!(file.waiting().unwrap().unwrap().0, [spooled(20), spooled(21)]);
}

#[test]
fn a_file_grows_to_its_limit_and_shrinks_when_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let mut file = SpoolFile::open(&path).unwrap();
    let long = NewClick { referrer: Some("x".repeat(8_000)), ..click(1) };
    let group = vec![Spooled::new(&scope(), long); 1_000];
    let taken = (0..100).take_while(|_| file.append(&group).is_ok()).count();
    assert!((7..9).contains(&taken), "{taken}");
    assert_eq!(file.lines(), taken * 1_000, "what did not fit counts for nothing");
    while let Some((lines, end)) = file.waiting().unwrap() {
        file.drained(lines.len(), end).unwrap();
    }
    assert_eq!((file.lines(), fs::metadata(&path).unwrap().len()), (0, file::ROOM_BYTES));
    file.append(&group).unwrap();
}
