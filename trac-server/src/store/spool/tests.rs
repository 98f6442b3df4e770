use std::time::{Duration, Instant};
use std::{fs, thread};

use rusqlite::Connection;
use tempfile::TempDir;
use trac_core::click::ClickId;
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use super::scan::CHUNK_BYTES;
use super::*;
use crate::store::sqlite::Database;
use crate::store::{Everywhere, Store};

pub(in crate::store) fn scope() -> Scope {
    Scope::new("ws_1", Mode::Test)
}

pub(in crate::store) fn click(number: u64) -> NewClick {
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
    let count = |tx: Everywhere<'_>| {
        let sql = "SELECT count(*), coalesce(sum(is_unique), 0) FROM click";
        tx.one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
    };
    store.read(count).await.unwrap().unwrap()
}

/// How many clicks this transaction or snapshot finds.
fn count_of(tx: Everywhere<'_>) -> Result<i64, StoreError> {
    Ok(tx.one("SELECT count(*) FROM click", &[], |row| row.get(0))?.unwrap_or_default())
}

impl Store {
    /// Waits until the writer has brought in all clicks.
    pub(crate) async fn drained(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.spooled() > 0 || self.rejects_clicks() {
            assert!(Instant::now() < deadline, "{} clicks still wait", self.spooled());
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_wait_while_the_store_is_locked_and_are_brought_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let lock = Connection::open(folder.path().join("trac.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 0..100 {
        assert!(store.record_click(&scope(), click(number), None).await.unwrap());
    }
    store.record_click(&scope(), click(0), None).await.unwrap();
    assert_eq!((store.spooled(), clicks(&store).await), (101, (0, 0)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !store.rejects_clicks() {
        assert!(Instant::now() < deadline, "the database was never tried");
        tokio::task::yield_now().await;
    }
    lock.execute_batch("COMMIT").unwrap();
    store.drained().await;
    assert_eq!(clicks(&store).await, (100, 1), "one visitor, who came a hundred times");
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_that_an_ended_process_left_are_brought_in_before_other_writes() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    file.append(&mut (0..1_000).map(spooled).collect()).unwrap();
    drop(file);
    let left = fs::read(&path).unwrap();

    let store = serving(&folder);
    assert_eq!(store.write(crate::store::Priority::Webhook, count_of).await.unwrap(), 1_000);
    store.drained().await;
    store.close();
    drop(store);

    // As if killed between the commit and the emptying of the file: all its clicks are read again.
    let again = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("trac.db"), again.path().join("trac.db")).unwrap();
    fs::write(again.path().join(FILE_NAMES[0]), left).unwrap();
    let store = serving(&again);
    assert_eq!(store.write(crate::store::Priority::Webhook, count_of).await.unwrap(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_leaves_the_spool_alone_and_loses_no_click() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let other = serving(&folder);
    for number in 0..10 {
        assert!(other.record_click(&scope(), click(number), None).await.unwrap());
        assert_eq!(other.spooled(), 0);
        assert!(server.record_click(&scope(), click(10 + number), None).await.unwrap());
    }
    server.drained().await;
    assert_eq!(clicks(&other).await, (20, 1));
}

/// A condition with a fixed result.
struct Fixed(bool);

impl Condition for Fixed {
    fn holds(&self, _: Everywhere<'_>) -> Result<bool, StoreError> {
        Ok(self.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_is_recorded_only_if_its_condition_holds() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let without_spool = Store::open(folder.path()).unwrap();
    let (yes, no): (Arc<dyn Condition>, Arc<dyn Condition>) = (Arc::new(Fixed(true)), Arc::new(Fixed(false)));
    for (number, store) in [(10, &server), (20, &without_spool)] {
        let together: Vec<_> = (0..10)
            .map(|more| {
                let condition = if more % 2 == 0 { &yes } else { &no };
                let (store, condition) = (store.clone(), Some(Arc::clone(condition)));
                tokio::spawn(
                    async move { store.record_click(&scope(), click(number + more), condition).await },
                )
            })
            .collect();
        for (more, recorded) in together.into_iter().enumerate() {
            assert_eq!(recorded.await.unwrap().unwrap(), more % 2 == 0);
        }
    }
    server.drained().await;
    assert_eq!(clicks(&server).await.0, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_clicks_are_in_the_database_after_a_clean_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    for number in 0..20 {
        server.record_click(&scope(), click(number), None).await.unwrap();
    }
    server.close();
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await, (20, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_the_folder_of_an_ended_server_finds_its_clicks() {
    let count = |file: &Path| {
        let backup = Connection::open(file).unwrap();
        count_of(Everywhere::of(&backup)).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let left = |number: u64| {
        let mut segment = Segment::open(&folder.path().join(FILE_NAMES[usize::from(number > 1)])).unwrap();
        segment.append(&mut vec![spooled(number)]).unwrap();
        segment
    };
    drop((left(1), left(2)));
    crate::store::back_up(folder.path(), &folder.path().join("one"), |_| ()).unwrap();
    assert_eq!(count(&folder.path().join("one")), 2);
    // A running server brings in its own clicks.
    let running = left(3);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(clicks(&store).await.0, 2);
    drop((store, running));
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_does_not_migrate_the_store_of_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let connection = Connection::open(folder.path().join("trac.db")).unwrap();
    let version = |version: u32| connection.pragma_update(None, "user_version", version).unwrap();
    let newest: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    for older in 1..newest {
        version(older);
        let error = Store::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
    }
    version(newest);
    drop(Store::open(folder.path()).unwrap());
    assert!(server.record_click(&scope(), click(1), None).await.unwrap());
    server.close();
    assert!(!is_in_use(&folder.path().join("trac.db")));
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_are_brought_in_while_more_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let visitors: Vec<_> = (0..16_u64)
        .map(|visitor| {
            let server = server.clone();
            tokio::spawn(async move {
                for number in 0..1_000 {
                    let of_visitor = NewClick {
                        visitor: Some([u8::try_from(visitor).unwrap(); 16]),
                        ..click(1_000 * visitor + number)
                    };
                    assert!(server.record_click(&scope(), of_visitor, None).await.unwrap());
                }
            })
        })
        .collect();
    for visitor in visitors {
        visitor.await.unwrap();
    }
    assert_eq!(server.write(crate::store::Priority::Webhook, count_of).await.unwrap(), 16_000);
    assert_eq!((server.spooled(), clicks(&server).await), (0, (16_000, 16)));
}

#[test]
fn clicks_are_acknowledged_after_an_earlier_runtime_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let runtime = |threads: usize| match threads {
        0 => tokio::runtime::Builder::new_current_thread().build().unwrap(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().unwrap(),
    };
    for (round, threads) in (0..).zip([0, 2, 0, 1, 2]) {
        let round_trip = async {
            let together: Vec<_> = (0..100)
                .map(|number| {
                    let store = store.clone();
                    let click = click(100 * round + number);
                    tokio::spawn(async move { store.spool().store(&scope(), click, None).await })
                })
                .collect();
            for stored in together {
                assert!(stored.await.unwrap().unwrap(), "round {round}");
            }
        };
        // This runtime ends with the round; requests in later runtimes still receive their replies.
        runtime(threads).block_on(round_trip);
    }
    store.close();
    assert_eq!(runtime(1).block_on(clicks(&store)).0, 500);
}

/// Waits until the database has rejected clicks.
async fn refused(store: &Store) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !store.rejects_clicks() {
        assert!(Instant::now() < deadline, "the database was never tried");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_not_written_before_a_click_that_a_full_disk_rejects() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    // The database cannot grow. The pragma applies to the writer's own connection.
    let fill = |tx: Everywhere<'_>| tx.batch("PRAGMA max_page_count = 1");
    store.write(crate::store::Priority::Api, fill).await.unwrap();
    let long = NewClick { landing_url: Some("x".repeat(100_000).into()), ..click(1) };
    assert!(store.record_click(&scope(), long, None).await.unwrap());
    let paid = store.write(crate::store::Priority::Webhook, count_of).await;
    assert_eq!(paid.unwrap_err().kind(), StoreErrorKind::Unavailable);
    store.close();
    drop(store);
    assert_eq!(clicks(&serving(&folder)).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_wait_for_a_removed_database_which_is_retried_at_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let (there, aside) = (folder.path().join("trac.db"), folder.path().join("aside"));
    fs::rename(&there, &aside).unwrap();
    assert!(store.record_click(&scope(), click(1), None).await.unwrap());
    refused(&store).await;
    store.spool().waiting.fetch_add(RUSH, Ordering::SeqCst);
    assert_eq!(store.spool().due(), Some(DELAY), "rejected clicks are retried after the delay only");
    store.spool().waiting.fetch_sub(RUSH, Ordering::SeqCst);
    fs::rename(&aside, &there).unwrap();
    store.drained().await;
    assert_eq!(clicks(&store).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_the_database_rejects_delays_no_other_and_is_stored_aside() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let rows = async |sql: &'static str| {
        let run = move |tx: Everywhere<'_>| tx.batch(sql);
        store.write(crate::store::Priority::Api, run).await.unwrap();
    };
    rows("CREATE TRIGGER no BEFORE INSERT ON click_record WHEN new.referrer = 'no' BEGIN SELECT raise(ABORT, 'no'); END")
        .await;
    for number in 0..5 {
        let referrer = (number % 2 == 0).then(|| "no".to_owned());
        let recorded = store.record_click(&scope(), NewClick { referrer, ..click(number) }, None).await;
        assert!(recorded.unwrap());
        store.drained().await;
    }
    assert_eq!(clicks(&store).await, (2, 1));
    rows("DROP TRIGGER no").await;
    store.close();
    drop(store);
    // Once the database accepts them, they are brought in like those of the spool.
    fs::rename(folder.path().join("clicks.refused"), folder.path().join(FILE_NAMES[0])).unwrap();
    assert_eq!(clicks(&serving(&folder)).await, (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_an_ended_process_are_read_in_the_order_of_their_clicks() {
    let old = NewClick { visitor: None, ..click(1) };
    let new = NewClick {
        visitor: None,
        clicked_at: Timestamp::from_unix_secs(2),
        last_click: Some(old.id.clone()),
        ..click(2)
    };
    for names in [[FILE_NAMES[0], FILE_NAMES[1]], [FILE_NAMES[1], FILE_NAMES[0]]] {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        for (name, click) in names.into_iter().zip([&old, &new]) {
            let mut file = Segment::open(&folder.path().join(name)).unwrap();
            file.append(&mut vec![Spooled::new(&scope(), click.clone())]).unwrap();
        }
        assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await, (2, 1), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_rejects_clicks() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    assert!(store.record_click(&scope(), click(1), None).await.unwrap());
    store.close();
    assert!(store.record_click(&scope(), click(2), None).await.is_err());
    assert_eq!((store.spooled(), clicks(&store).await.0), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_a_command_has_locked_is_opened_once_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let of_command = Segment::open(&folder.path().join(FILE_NAMES[1])).unwrap();
    assert!(!store.use_spool());
    drop(of_command);
    // Two threads open it at once, as at the start of a server: neither mistakes the other for another process.
    let other = store.clone();
    let both = [thread::spawn(move || other.use_spool()), thread::spawn(move || store.use_spool())];
    assert!(both.into_iter().all(|one| one.join().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_unknown_json_is_stored_aside_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let unknown = |sequence| {
        let mut line = Vec::new();
        line::write_as_is(sequence, b"{\"click\":{\"by\":\"a newer program\"}}", &mut line).unwrap();
        line
    };
    let spool = [line_of(&spooled(1), 7), unknown(7), line_of(&spooled(2), 8), unknown(8)].concat();
    fs::write(folder.path().join(FILE_NAMES[1]), spool).unwrap();
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    let refused = fs::read(folder.path().join("clicks.refused")).unwrap();
    assert_eq!(
        refused,
        unknown(1).repeat(2),
        "of one sequence, so that they are all read as lines of one file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_disappear_from_the_file_do_not_wait_forever() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let mut connection = Connection::open(folder.path().join("trac.db")).unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    Segment::open(&path).unwrap().append(&mut (0..3).map(spooled).collect()).unwrap();
    let whole = fs::read(&path).unwrap();
    for (left, want) in [(whole.len(), 3), (whole.len() / 2, 1), (0, 0)] {
        fs::write(&path, &whole).unwrap();
        let mut segment = Segment::open(&path).unwrap();
        fs::write(&path, &whole[..left]).unwrap();
        let waiting = std::cell::Cell::new(segment.lines());
        let refused = Refused::in_folder(folder.path());
        let brought = |count| waiting.set(waiting.get() - count);
        bring_in(&mut segment, &mut Database::alone(&mut connection), &refused, BATCH, brought).unwrap();
        assert_eq!((waiting.get(), segment.lines()), (0, 0), "{left} bytes");
        let sql = "DELETE FROM click_record RETURNING 1";
        let found = connection.prepare(sql).unwrap().query_map([], |_| Ok(())).unwrap().count();
        assert_eq!(found, want, "{left} bytes");
    }
}

#[test]
fn a_torn_tail_is_not_damage_and_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let lines: Vec<_> = (0..3).map(spooled).collect();
    let mut file = Segment::open(&path).unwrap();
    file.reserve().unwrap();
    file.append(&mut lines.clone()).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), usize::try_from(segment::RESERVE_BYTES).unwrap());
    let (begin, one) = (begin(1).len(), line_of(&lines[0], 1).len());
    for end in
        [0, begin / 2, begin, begin + 1, begin + one - 1, begin + one, begin + 5 * one / 2, begin + 3 * one]
    {
        let want = end.saturating_sub(begin) / one;
        let cut = [&whole[..end], &vec![0; 4_096]].concat();
        fs::write(&path, cut).unwrap();
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((file.lines(), file.is_damaged()), (want, false), "{end} bytes");
        // A click that is appended now is found after the whole lines, whatever bytes are there.
        file.append(&mut vec![spooled(9)]).unwrap();
        drop(file);
        let mut file = Segment::open(&path).unwrap();
        let found = found(&mut file);
        assert_eq!(found.last(), Some(&spooled(9)), "{end} bytes");
        assert_eq!((found.len(), file.is_damaged()), (want + 1, false), "{end} bytes");
    }
}

#[test]
fn an_emptied_file_contains_none_of_its_clicks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    for _ in 0..3 {
        file.append(&mut (10..20).map(spooled).collect()).unwrap();
        assert_eq!(found(&mut file).len(), 10);
        take_all(&mut file);
        assert_eq!((file.lines(), file.waiting(BATCH).unwrap()), (0, None));
        drop(file);
        file = Segment::open(&path).unwrap();
        assert_eq!((file.lines(), file.is_used(), file.is_damaged()), (0, false, false));
        let shown = fs::read(&path).unwrap();
        assert!(shown[begin(1).len()..].iter().all(|byte| *byte == 0), "only zeros are left");
        // This line is as long as an old one.
        file.append(&mut vec![spooled(30)]).unwrap();
        drop(file);
        file = Segment::open(&path).unwrap();
        assert_eq!(found(&mut file), [spooled(30)]);
        take_all(&mut file);
    }
}

#[test]
fn a_partly_emptied_file_brings_no_click_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let old: Vec<u8> = (10..20).flat_map(|number| line_of(&spooled(number), 4)).collect();
    for zeros in [0, 1, 100, 1_000] {
        let wiped = [begin(5), vec![0; zeros]].concat();
        fs::write(&path, [wiped.as_slice(), &old[wiped.len()..]].concat()).unwrap();
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((file.lines(), file.is_damaged(), file.is_used()), (0, false, true), "{zeros} zeros");
        file.append(&mut vec![spooled(21)]).unwrap();
        drop(file);
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((found(&mut file), file.is_damaged()), (vec![spooled(21)], false), "{zeros} zeros");
        take_all(&mut file);
        let shown = fs::read(&path).unwrap();
        assert!(
            shown[begin(1).len()..].iter().all(|byte| *byte == 0),
            "{zeros} zeros: the rest is wiped too"
        );
    }
}

/// New lines, and after them the rest of old ones that are in the database.
fn in_front_of_old_lines(new: &[Vec<u8>], old_sequence: u64) -> Vec<u8> {
    let old: Vec<u8> = (10..20).flat_map(|number| line_of(&spooled(number), old_sequence)).collect();
    let new = new.concat();
    [new.as_slice(), &old[new.len()..]].concat()
}

#[test]
fn older_lines_after_newer_ones_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    // Without and with a line that marks an emptied file.
    for lines in [vec![line_of(&spooled(20), 5)], vec![begin(5), line_of(&spooled(20), 6)]] {
        fs::write(&path, in_front_of_old_lines(&lines, 4)).unwrap();
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((found(&mut file), file.is_damaged()), (vec![spooled(20)], false));
        file.append(&mut vec![spooled(21)]).unwrap();
        drop(file);
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((found(&mut file), file.is_damaged()), (vec![spooled(20), spooled(21)], false));
    }
}

#[test]
fn a_damaged_line_hides_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let lines: Vec<_> =
        [vec![begin(5)], (1..=3).map(|number| line_of(&spooled(number), 5 + number)).collect()].concat();
    let whole = in_front_of_old_lines(&lines, 4);
    let mut at = 0;
    for (number, line) in lines.iter().enumerate() {
        let places = [1, 8, 9, 10, 17, 30, 35, 36, line.len() / 2, line.len() - 1];
        let flips = places.map(|place| vec![(at + place, whole[at + place] ^ 1)]);
        // A line break in the middle, the whole line zeroed, and its end overwritten.
        let others = [
            vec![(at + line.len() / 2, b'\n')],
            (at..at + line.len()).map(|place| (place, 0)).collect(),
            (at + 20..at + line.len()).map(|place| (place, b'x')).collect(),
        ];
        for changes in flips.into_iter().chain(others) {
            let mut damaged = whole.clone();
            for (place, byte) in &changes {
                damaged[*place] = *byte;
            }
            fs::write(&path, &damaged).unwrap();
            let mut file = Segment::open(&path).unwrap();
            let want: Vec<_> = (1..=3)
                .zip(1_u64..)
                .filter(|(line, _)| *line != number)
                .map(|(_, click)| spooled(click))
                .collect();
            assert_eq!(found(&mut file), want, "line {number}: {changes:?}");
            // After the last line, a damaged line cannot be distinguished from one that was cut off.
            assert_eq!(file.is_damaged(), number != 3, "line {number}: {changes:?}");
            let mut aside = damaged[at..at + line.len()].to_vec();
            aside.retain(|byte| *byte != 0);
            if aside.first().is_some_and(|first| *first != b'\n') {
                aside.insert(0, b'\n');
            }
            let aside = if number == 3 { Vec::new() } else { aside };
            assert_eq!(file.damaged().unwrap(), aside, "line {number}: {changes:?}");
            file.append(&mut vec![spooled(21)]).unwrap();
            drop(file);
            let mut file = Segment::open(&path).unwrap();
            assert_eq!(found(&mut file), [want, vec![spooled(21)]].concat(), "line {number}: {changes:?}");
        }
        // If only the line break is damaged, all clicks are found.
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((found(&mut file).len(), file.is_damaged()), (3, false), "line {number}");
        at += line.len();
    }
}

#[test]
fn lines_of_a_failed_write_are_ignored_once_it_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    file.append(&mut vec![spooled(1)]).unwrap();
    let too_much = NewClick { referrer: Some("x".repeat(200_000)), ..click(2) };
    file.append(&mut vec![Spooled::new(&scope(), too_much); 400]).unwrap_err();
    file.append(&mut vec![spooled(3)]).unwrap();
    drop(file);
    // The sequence number of the failed write is not used again.
    let written = [begin(1), line_of(&spooled(1), 1), line_of(&spooled(3), 3)].concat();
    assert_eq!(fs::read(&path).unwrap(), written);
    let failed: Vec<_> = (11..14).map(|number| line_of(&spooled(number), 2)).collect();
    let longer = NewClick { referrer: Some("https://a.example/".into()), ..click(3) };
    for (over, want) in [
        // The failed write was not overwritten: reading its lines does no harm.
        (Vec::new(), (vec![spooled(1), spooled(11), spooled(12), spooled(13)], false)),
        // As long as its first line, so that the second one follows directly.
        (line_of(&spooled(3), 3), (vec![spooled(1), spooled(3)], false)),
        // Longer, so that the second is cut and the third follows.
        (
            line_of(&Spooled::new(&scope(), longer.clone()), 3),
            (vec![spooled(1), Spooled::new(&scope(), longer)], false),
        ),
    ] {
        let mut behind = failed.concat();
        behind.splice(..over.len(), over);
        let before = [begin(1), line_of(&spooled(1), 1)].concat();
        fs::write(&path, [before, behind].concat()).unwrap();
        let mut file = Segment::open(&path).unwrap();
        assert_eq!((found(&mut file), file.is_damaged()), want);
    }
}

#[test]
fn damage_across_chunks_hides_no_later_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    file.append(&mut (0..3_000).map(spooled).collect()).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    let (begin, one) = (begin(1).len(), line_of(&spooled(0), 1).len());
    assert!(whole.len() > 3 * CHUNK_BYTES);
    for (from, to) in [
        (CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        (CHUNK_BYTES, CHUNK_BYTES + 1),
        (CHUNK_BYTES - 2 * one, CHUNK_BYTES + 2 * one),
        (CHUNK_BYTES / 2, 2 * CHUNK_BYTES + CHUNK_BYTES / 2),
        (begin, 2 * CHUNK_BYTES),
        (0, CHUNK_BYTES),
    ] {
        for byte in [0, b'\n', b'0'] {
            let mut damaged = whole.clone();
            damaged[from..to].fill(byte);
            fs::write(&path, &damaged).unwrap();
            let mut file = Segment::open(&path).unwrap();
            let (first, last) = (from.saturating_sub(begin) / one, (to - begin).div_ceil(one));
            let lines = (0..3_000).zip(0_u64..).filter(|(line, _)| !(first..last).contains(line));
            let want: Vec<_> = lines.map(|(_, click)| spooled(click)).collect();
            assert_eq!(file.lines(), want.len(), "{from} to {to}: {byte}");
            assert!(file.is_damaged());
            let mut brought = Vec::new();
            while let Some(chunk) = file.waiting(BATCH).unwrap() {
                brought.extend(chunk.clicks.iter().cloned());
                let progress = chunk.progress();
                file.advance(progress);
            }
            assert!(brought == want, "{from} to {to}: {byte}");
            assert_eq!(file.lines(), 0, "{from} to {to}: {byte}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 100, failure_persistence: None, ..Default::default() })]
    #[test]
    fn random_damage_hides_no_undamaged_line(
        lengths in proptest::collection::vec(proptest::prop_oneof![9 => 0..300_usize, 1 => 0..200_000_usize], 1..40),
        damage in proptest::collection::vec((0..1_000_000_usize, 1..5_000_usize, proptest::prelude::any::<u8>()), 0..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAMES[0]);
        let clicks: Vec<_> = (0_u64..)
            .zip(&lengths)
            .map(|(number, length)| NewClick { referrer: Some("x".repeat(*length)), ..click(number) })
            .map(|click| Spooled::new(&scope(), click))
            .collect();
        let lines: Vec<_> = (1..).zip(&clicks).map(|(sequence, click)| line_of(click, sequence / 3)).collect();
        let whole = [begin(0), lines.concat()].concat();
        let mut damaged = whole.clone();
        for (at, length, byte) in damage {
            let at = at % whole.len();
            damaged[at..whole.len().min(at + length)].fill(byte);
        }
        fs::write(&path, &damaged).unwrap();
        let mut file = Segment::open(&path).unwrap();
        let mut brought = Vec::new();
        while let Some(chunk) = file.waiting(BATCH).unwrap() {
            brought.extend(chunk.clicks.iter().cloned());
            let progress = chunk.progress();
            file.advance(progress);
        }
        let (mut at, mut brought) = (begin(0).len(), brought.iter().peekable());
        for (click, line) in clicks.iter().zip(&lines) {
            let left = &damaged[at..at + line.len()];
            let is_there = brought.next_if_eq(&click).is_some();
            // A line whose line break alone is damaged is found after a whole one.
            let want = left == line || (is_there && left[1..] == line[1..]);
            assert_eq!(is_there, want, "{}", click.click.id.as_str());
            at += line.len();
        }
        assert_eq!(brought.next(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_lines_are_stored_aside_and_later_lines_are_brought_in() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let mut damaged = line_of(&spooled(2), 1);
    damaged[50] ^= 1;
    let spool = [begin(1), line_of(&spooled(1), 1), damaged.clone(), line_of(&spooled(3), 1)].concat();
    let path = folder.path().join(FILE_NAMES[0]);
    fs::write(&path, &spool).unwrap();
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    let refused = folder.path().join("clicks.refused");
    assert_eq!(fs::read(&refused).unwrap(), damaged);

    // A file without readable lines, as an earlier program wrote it.
    let other = b"\n0123456789abcdef 1 {\"click\":\"in another form\"}\n";
    fs::write(&path, [other.as_slice(), &[0; 4_096]].concat()).unwrap();
    drop(Store::open(folder.path()).unwrap());
    assert_eq!(fs::read(&refused).unwrap(), [damaged.as_slice(), other].concat());
    drop(Store::open(folder.path()).unwrap());
    assert_eq!(fs::read(&refused).unwrap(), [damaged.as_slice(), other].concat(), "it is stored once");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_lines_stored_aside_hide_no_later_line() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    // The disk returned old content: whole lines with smaller sequence numbers.
    let old = [begin(4), line_of(&spooled(2), 5), b"\nhalf a line".to_vec()].concat();
    let spool = [begin(7), line_of(&spooled(1), 7), old, line_of(&spooled(3), 8)].concat();
    let path = folder.path().join(FILE_NAMES[0]);
    fs::write(&path, &spool).unwrap();
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    let refused = Refused::in_folder(folder.path());
    refused.store(&[(&spooled(4), StoreError::internal("no"))]).unwrap();
    fs::rename(folder.path().join("clicks.refused"), &path).unwrap();
    assert_eq!(clicks(&serving(&folder)).await.0, 4);
    let again = fs::read(folder.path().join("clicks.refused")).unwrap();
    assert_eq!(again, b"\nhalf a line");
}

#[test]
fn a_file_without_a_whole_line_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let other = b"\nclicks in another form, which is not known here\n";
    fs::write(&path, [other.as_slice(), &[0; 4_096]].concat()).unwrap();
    let mut file = Segment::open(&path).unwrap();
    file.append(&mut vec![spooled(1)]).unwrap();
    drop(file);
    let mut file = Segment::open(&path).unwrap();
    assert_eq!((file.lines(), file.damaged().unwrap().as_slice()), (1, other.as_slice()));
    assert_eq!(found(&mut file), [spooled(1)]);
}

#[test]
fn a_file_grows_to_its_limit_and_shrinks_when_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    let long = NewClick { referrer: Some("x".repeat(8_000)), ..click(1) };
    let group = vec![Spooled::new(&scope(), long); 1_000];
    let appended = (0..100).take_while(|_| file.append(&mut group.clone()).is_ok()).count();
    assert!((7..9).contains(&appended), "{appended}");
    assert_eq!(file.lines(), appended * 1_000, "a failed append adds no lines");
    let mut left = group.clone();
    file.append(&mut left).unwrap_err();
    assert_eq!(left, group);
    take_all(&mut file);
    assert_eq!((file.lines(), fs::metadata(&path).unwrap().len()), (0, segment::KEEP_BYTES));
    file.append(&mut group.clone()).unwrap();
}

#[test]
fn clicks_beyond_the_memory_limit_are_read_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Segment::open(&folder.path().join(FILE_NAMES[0])).unwrap();
    for round in 0..2_u64 {
        for group in 0..20 {
            file.append(&mut (0..1_000).map(|number| spooled(1_000 * group + number)).collect()).unwrap();
        }
        let mut brought = Vec::new();
        while let Some(chunk) = file.waiting(BATCH).unwrap() {
            brought.extend(chunk.clicks.iter().cloned());
            let progress = chunk.progress();
            file.advance(progress);
        }
        file.empty().unwrap();
        assert!(brought == (0..20_000).map(spooled).collect::<Vec<_>>(), "round {round}");
        // The next few clicks are in memory again, and are returned in their order.
        file.append(&mut vec![spooled(1), spooled(2)]).unwrap();
        file.advance((1, scan::Scan::default()));
        assert_eq!(found(&mut file), [spooled(2)]);
        take_all(&mut file);
    }
}

fn line_of(spooled: &Spooled, sequence: u64) -> Vec<u8> {
    let mut line = Vec::new();
    spooled.write(sequence, &mut line).unwrap();
    line
}

/// The line that marks an emptied file.
fn begin(sequence: u64) -> Vec<u8> {
    let mut line = Vec::new();
    line::write_begin(sequence, &mut line).unwrap();
    line
}

/// The clicks to be brought in next.
fn found(file: &mut Segment) -> Vec<Spooled> {
    file.waiting(BATCH).unwrap().unwrap().clicks.into_owned()
}

fn take_all(file: &mut Segment) {
    while let Some(chunk) = file.waiting(BATCH).unwrap() {
        let progress = chunk.progress();
        file.advance(progress);
    }
    file.empty().unwrap();
}
