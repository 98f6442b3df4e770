use std::time::{Duration, Instant};
use std::{fs, thread};

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

/// How many clicks whoever writes or reads here finds.
fn count_of(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM click", [], |row| row.get(0))?)
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
        assert!(store.keep_click(&scope(), click(number), None).await.unwrap());
    }
    store.keep_click(&scope(), click(0), None).await.unwrap();
    assert_eq!((store.spooled(), clicks(&store).await), (101, (0, 0)));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !store.takes_no_clicks() {
        assert!(Instant::now() < deadline, "the store was never asked");
        tokio::task::yield_now().await;
    }
    lock.execute_batch("COMMIT").unwrap();
    drained(&store).await;
    assert_eq!(clicks(&store).await, (100, 1), "one visitor, who came a hundred times");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_process_left_behind_is_there_before_anything_else_is_written() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    file.append((0..1_000).map(spooled).collect()).unwrap();
    drop(file);
    let left = fs::read(&path).unwrap();

    let store = serving(&folder);
    assert_eq!(store.write(crate::store::Priority::Webhook, |tx| count_of(tx)).await.unwrap(), 1_000);
    drained(&store).await;
    store.close();
    drop(store);

    // Killed between the commit and the emptying of the file: it is all read again.
    let again = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("trac.db"), again.path().join("trac.db")).unwrap();
    fs::write(again.path().join(FILE_NAMES[0]), left).unwrap();
    let store = serving(&again);
    assert_eq!(store.write(crate::store::Priority::Webhook, |tx| count_of(tx)).await.unwrap(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_beside_the_server_leaves_the_spool_alone_and_loses_no_click() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let other = serving(&folder);
    for number in 0..10 {
        assert!(other.keep_click(&scope(), click(number), None).await.unwrap());
        assert_eq!(other.spooled(), 0);
        assert!(server.keep_click(&scope(), click(10 + number), None).await.unwrap());
    }
    drained(&server).await;
    assert_eq!(clicks(&other).await, (20, 1));
}

/// A condition that says so.
struct Says(bool);

impl Condition for Says {
    fn holds(&self, _: &Connection) -> Result<bool, StoreError> {
        Ok(self.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_is_kept_if_its_condition_holds() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    let without_spool = Store::open(folder.path()).unwrap();
    let (yes, no): (Arc<dyn Condition>, Arc<dyn Condition>) = (Arc::new(Says(true)), Arc::new(Says(false)));
    for (number, store) in [(10, &server), (20, &without_spool)] {
        let together: Vec<_> = (0..10)
            .map(|more| {
                let condition = if more % 2 == 0 { &yes } else { &no };
                let (store, condition) = (store.clone(), Some(Arc::clone(condition)));
                tokio::spawn(async move { store.keep_click(&scope(), click(number + more), condition).await })
            })
            .collect();
        for (more, kept) in together.into_iter().enumerate() {
            assert_eq!(kept.await.unwrap().unwrap(), more % 2 == 0);
        }
    }
    drained(&server).await;
    assert_eq!(clicks(&server).await.0, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_is_in_the_store_when_the_process_has_ended_well() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(&folder);
    for number in 0..20 {
        server.keep_click(&scope(), click(number), None).await.unwrap();
    }
    server.close();
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await, (20, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_the_folder_of_an_ended_server_finds_its_clicks() {
    let count = |file: &Path| {
        let backup = Connection::open(file).unwrap();
        count_of(&backup).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let left = |number: u64| {
        let mut segment = Segment::open(&folder.path().join(FILE_NAMES[usize::from(number > 1)])).unwrap();
        segment.append(vec![spooled(number)]).unwrap();
        segment
    };
    drop((left(1), left(2)));
    crate::store::back_up(folder.path(), &folder.path().join("one")).unwrap();
    assert_eq!(count(&folder.path().join("one")), 2);
    // A running server brings in its own.
    let running = left(3);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(clicks(&store).await.0, 2);
    drop((store, running));
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_is_brought_in_while_more_come() {
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
                    assert!(server.keep_click(&scope(), of_visitor, None).await.unwrap());
                }
            })
        })
        .collect();
    for visitor in visitors {
        visitor.await.unwrap();
    }
    assert_eq!(server.write(crate::store::Priority::Webhook, |tx| count_of(tx)).await.unwrap(), 16_000);
    assert_eq!((server.spooled(), clicks(&server).await), (0, (16_000, 16)));
}

/// Waits until the store has been asked and took nothing.
async fn refused(store: &Store) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !store.takes_no_clicks() {
        assert!(Instant::now() < deadline, "the store was never asked");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_not_written_before_the_click_that_a_full_disk_keeps_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    // No room for more than there is; the statement is of the writer's own connection.
    let fill = |tx: &rusqlite::Transaction<'_>| Ok(tx.execute_batch("PRAGMA max_page_count = 1")?);
    store.write(crate::store::Priority::Api, fill).await.unwrap();
    let long = NewClick { landing_url: Some("x".repeat(100_000).into()), ..click(1) };
    assert!(store.keep_click(&scope(), long, None).await.unwrap());
    let paid = store.write(crate::store::Priority::Webhook, |tx| count_of(tx)).await;
    assert_eq!(paid.unwrap_err().kind(), StoreErrorKind::Unavailable);
    store.close();
    drop(store);
    assert_eq!(clicks(&serving(&folder)).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_no_longer_there_takes_no_clicks_and_is_asked_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let (there, aside) = (folder.path().join("trac.db"), folder.path().join("aside"));
    fs::rename(&there, &aside).unwrap();
    assert!(store.keep_click(&scope(), click(1), None).await.unwrap());
    refused(&store).await;
    store.0.spool.waiting.fetch_add(RUSH, Ordering::SeqCst);
    assert_eq!(store.0.spool.due(), Some(WHILE), "a rush that is not taken is none");
    store.0.spool.waiting.fetch_sub(RUSH, Ordering::SeqCst);
    fs::rename(&aside, &there).unwrap();
    drained(&store).await;
    assert_eq!(clicks(&store).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_the_store_refuses_holds_no_other_up_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    let rows = async |sql: &'static str| {
        let run = move |tx: &rusqlite::Transaction<'_>| Ok(tx.execute_batch(sql)?);
        store.write(crate::store::Priority::Api, run).await.unwrap();
    };
    rows("CREATE TRIGGER no BEFORE INSERT ON click WHEN new.referrer = 'no' BEGIN SELECT raise(ABORT, 'no'); END")
        .await;
    for number in 0..5 {
        let referrer = (number % 2 == 0).then(|| "no".to_owned());
        let kept = store.keep_click(&scope(), NewClick { referrer, ..click(number) }, None).await;
        assert!(kept.unwrap());
        drained(&store).await;
    }
    assert_eq!(clicks(&store).await, (2, 1));
    rows("DROP TRIGGER no").await;
    store.close();
    drop(store);
    // Once it takes them, they come in as those of the spool do.
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
            file.append(vec![Spooled::new(&scope(), click.clone())]).unwrap();
        }
        assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await, (2, 1), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_closed_takes_no_click_that_it_would_not_bring_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = serving(&folder);
    assert!(store.keep_click(&scope(), click(1), None).await.unwrap());
    store.close();
    assert!(store.keep_click(&scope(), click(2), None).await.is_err());
    assert_eq!((store.spooled(), clicks(&store).await.0), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_a_command_has_for_a_moment_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let of_command = Segment::open(&folder.path().join(FILE_NAMES[1])).unwrap();
    assert!(!store.use_spool());
    drop(of_command);
    // By two at once, as at the start of a server: neither takes the other for a stranger.
    let other = store.clone();
    let both = [thread::spawn(move || other.use_spool()), thread::spawn(move || store.use_spool())];
    assert!(both.into_iter().all(|one| one.join().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_says_nothing_to_this_program_is_kept_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let strange = line::of(b" 1 {\"click\":{\"by\":\"a newer program\"}}");
    let spool = [line_of(&spooled(1), 1), strange.clone(), line_of(&spooled(2), 1), strange.clone()].concat();
    fs::write(folder.path().join(FILE_NAMES[1]), spool).unwrap();
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    assert_eq!(clicks(&Store::open(folder.path()).unwrap()).await.0, 2);
    assert_eq!(fs::read(folder.path().join("clicks.refused")).unwrap(), strange.repeat(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_gone_wait_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let mut connection = Connection::open(folder.path().join("trac.db")).unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    Segment::open(&path).unwrap().append((0..3).map(spooled).collect()).unwrap();
    let whole = fs::read(&path).unwrap();
    for (left, taken_in) in [(whole.len(), 3), (whole.len() / 2, 1), (0, 0)] {
        fs::write(&path, &whole).unwrap();
        let mut segment = Segment::open(&path).unwrap();
        fs::write(&path, &whole[..left]).unwrap();
        let waiting = std::cell::Cell::new(segment.lines());
        let refused = Refused::beside(&folder.path().join("trac.db"));
        bring_in(&mut segment, &mut connection, &refused, MANY, |count| waiting.set(waiting.get() - count))
            .unwrap();
        assert_eq!((waiting.get(), segment.lines()), (0, 0), "{left} bytes");
        let sql = "DELETE FROM click RETURNING 1";
        let found = connection.prepare(sql).unwrap().query_map([], |_| Ok(())).unwrap().count();
        assert_eq!(found, taken_in, "{left} bytes");
    }
}

#[test]
fn a_file_ends_where_the_first_broken_line_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let lines: Vec<_> = (0..3).map(spooled).collect();
    let mut file = Segment::open(&path).unwrap();
    file.take_room().unwrap();
    file.append(lines.clone()).unwrap();
    drop(file);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), usize::try_from(segment::ROOM_BYTES).unwrap());
    let one = line_of(&lines[0], 1).len();
    for end in [0, 1, one - 1, one, one + 1, 2 * one + one / 2, 3 * one, 3 * one + 1] {
        let want = end / one;
        let cut = [&whole[..end], &vec![0; 4_096]].concat();
        fs::write(&path, cut).unwrap();
        let mut file = Segment::open(&path).unwrap();
        assert_eq!(file.lines(), want.min(3), "{end} bytes");
        // What is appended now is found behind the whole lines, whatever lies there.
        file.append(vec![spooled(9)]).unwrap();
        drop(file);
        let mut file = Segment::open(&path).unwrap();
        let found = found(&mut file);
        assert_eq!(found.last(), Some(&spooled(9)), "{end} bytes");
        assert_eq!(found.len(), want.min(3) + 1, "{end} bytes");
    }
}

#[test]
fn an_emptied_file_shows_nothing_of_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    for _ in 0..3 {
        file.append((10..20).map(spooled).collect()).unwrap();
        assert_eq!(found(&mut file).len(), 10);
        take_all(&mut file);
        assert_eq!((file.lines(), file.waiting(MANY).unwrap()), (0, None));
        drop(file);
        file = Segment::open(&path).unwrap();
        assert_eq!(file.lines(), 0);
        assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0), "nothing is left to be read");
        // As long as one of the old lines.
        file.append(vec![spooled(30)]).unwrap();
        drop(file);
        file = Segment::open(&path).unwrap();
        assert_eq!(found(&mut file), [spooled(30)]);
        take_all(&mut file);
    }
}

#[test]
fn lines_of_another_generation_are_not_read_behind_newer_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let old: Vec<u8> = (10..13).flat_map(|number| line_of(&spooled(number), 4)).collect();
    let new = line_of(&spooled(20), 5);
    fs::write(&path, [new.as_slice(), &old[new.len()..]].concat()).unwrap();
    let mut file = Segment::open(&path).unwrap();
    assert_eq!(found(&mut file), [spooled(20)]);
    file.append(vec![spooled(21)]).unwrap();
    drop(file);
    let mut file = Segment::open(&path).unwrap();
    assert_eq!(found(&mut file), [spooled(20), spooled(21)]);
}

#[test]
fn a_file_grows_to_its_limit_and_shrinks_when_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAMES[0]);
    let mut file = Segment::open(&path).unwrap();
    let long = NewClick { referrer: Some("x".repeat(8_000)), ..click(1) };
    let group = vec![Spooled::new(&scope(), long); 1_000];
    let taken = (0..100).take_while(|_| file.append(group.clone()).is_ok()).count();
    assert!((7..9).contains(&taken), "{taken}");
    assert_eq!(file.lines(), taken * 1_000, "what did not fit counts for nothing");
    let (_, handed_back) = file.append(group.clone()).unwrap_err();
    assert_eq!(handed_back, group);
    take_all(&mut file);
    assert_eq!((file.lines(), fs::metadata(&path).unwrap().len()), (0, segment::KEEP_BYTES));
    file.append(group).unwrap();
}

#[test]
fn more_clicks_than_are_kept_in_mind_are_read_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Segment::open(&folder.path().join(FILE_NAMES[0])).unwrap();
    for round in 0..2_u64 {
        for group in 0..20 {
            file.append((0..1_000).map(|number| spooled(1_000 * group + number)).collect()).unwrap();
        }
        let mut brought = Vec::new();
        while let Some(chunk) = file.waiting(MANY).unwrap() {
            brought.extend(chunk.clicks.iter().cloned());
            let taken = chunk.taken();
            file.took(taken);
        }
        file.empty().unwrap();
        assert!(brought == (0..20_000).map(spooled).collect::<Vec<_>>(), "round {round}");
        // Those few that come next are kept in mind again, and taken in their order.
        file.append(vec![spooled(1), spooled(2)]).unwrap();
        file.took((1, 0));
        assert_eq!(found(&mut file), [spooled(2)]);
        take_all(&mut file);
    }
}

fn line_of(spooled: &Spooled, generation: u64) -> Vec<u8> {
    let mut line = Vec::new();
    spooled.write(generation, &mut line).unwrap();
    line
}

/// The lines that are to be brought in next.
fn found(file: &mut Segment) -> Vec<Spooled> {
    file.waiting(MANY).unwrap().unwrap().clicks.into_owned()
}

fn take_all(file: &mut Segment) {
    while let Some(chunk) = file.waiting(MANY).unwrap() {
        let taken = chunk.taken();
        file.took(taken);
    }
    file.empty().unwrap();
}
