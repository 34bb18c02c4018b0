//! Waiting for changes of typed state, what it is at first, and going on where it was replaced.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::time::{Duration, Instant};

use io_shared::{ErrorKind, Result, Shared};
use test_support::TestName;
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::timing::once_within;

/// Longer than anything here takes.
const HANG: Duration = Duration::from_secs(20);
/// A slice of a wait, and what a busy machine adds to it.
const SLICE: Duration = Duration::from_millis(400);
const SHORT: Duration = Duration::from_millis(150);

type State = Shared<[u64; 2]>;

fn open(name: &str) -> State {
    State::open(name).unwrap()
}

/// Whether a wait, or what it led to, ended at its timeout.
fn is_timeout<T: std::fmt::Debug>(waited: Result<T>) -> bool {
    matches!(waited.unwrap_err().kind(), ErrorKind::Timeout { .. })
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let [what, name] = arguments.as_slice() else { panic!("{arguments:?}") };
    let mut state = open(name);
    match what.as_str() {
        "read, then write" => {
            (0..1000).for_each(|_| drop(state.read().unwrap()));
            tell("read");
            hear();
            state.set(&[7, 7]).unwrap();
        }
        "count" => {
            for count in 1..=3000 {
                state.update(|pair| *pair = [count; 2]).unwrap();
                if count % 7 == 0 {
                    std::thread::sleep(Duration::from_micros(count % 500));
                }
            }
        }
        "write half" => {
            let mut guard = state.write().unwrap();
            guard[0] = 1;
            tell("half");
            hear();
            guard[1] = 1;
        }
        "wait" => {
            tell("waits");
            state.wait_changed(HANG).unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_write_of_another_process_ends_the_wait_and_reads_do_not() {
    let name = TestName::new("changes");
    let mut state = open(&name);
    let mut peer = Peer::start("peer", &["read, then write", &name]);
    peer.expect("read");
    assert!(!state.changed().unwrap());
    assert!(is_timeout(state.wait_changed(SHORT)));
    peer.tell("go on");
    state.wait_changed(HANG).unwrap();
    assert!(state.changed().unwrap(), "until it is read");
    state.wait_changed(Duration::ZERO).unwrap();
    assert_eq!(state.get().unwrap(), [7, 7]);
    assert!(!state.changed().unwrap());
    assert!(is_timeout(state.wait_changed(Duration::ZERO)));
    peer.end();
}

#[test]
fn a_handles_own_writes_are_no_changes_and_what_it_only_writes_over_is_one() {
    let name = TestName::new("own");
    let (mut here, mut there) = (open(&name), open(&name));
    here.set(&[1, 1]).unwrap();
    here.update(|pair| pair[0] = 2).unwrap();
    *here.write().unwrap() = [3, 3];
    assert!(!here.changed().unwrap());
    assert!(there.changed().unwrap(), "it has read nothing yet");
    let mut late = open(&name);
    assert!(late.changed().unwrap(), "nor has a new one");

    there.set(&[4, 4]).unwrap();
    assert!(here.changed().unwrap());
    here.set(&[5, 5]).unwrap();
    assert!(here.changed().unwrap(), "it never saw the other's write");
    assert_eq!(here.get().unwrap(), [5, 5]);
    assert!(!here.changed().unwrap());

    there.set(&[6, 6]).unwrap();
    here.update(|pair| pair[0] += 1).unwrap();
    assert!(!here.changed().unwrap(), "an update sees what was there");
    late.set(&[7, 7]).unwrap();
    assert!(late.changed().unwrap(), "a set sees nothing");
}

#[test]
fn a_try_in_vain_a_flush_and_an_opening_are_no_changes() {
    let path = test_support::TestFile::new("no-changes");
    let mut state = State::open_file(&*path).unwrap();
    let mut other = State::open_file(&*path).unwrap();
    let reading = state.read().unwrap();
    assert!(other.write_timeout(Duration::ZERO).is_err());
    drop(reading);
    other.flush().unwrap();
    drop(other);
    let other = State::open_file(&*path).unwrap();
    assert!(!state.changed().unwrap());
    assert!(is_timeout(state.wait_changed(SHORT)));
    drop(other);
}

#[test]
fn a_waiter_is_woken_and_does_not_only_look_now_and_then() {
    let name = TestName::new("woken");
    let (mut here, mut there) = (open(&name), open(&name));
    const ROUNDS: u64 = 50;
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                there.wait_changed(HANG).unwrap();
                there.update(|pair| pair[1] = pair[0]).unwrap();
            }
        });
        for round in 1..=ROUNDS {
            here.update(|pair| pair[0] = round).unwrap();
            here.wait_changed(HANG).unwrap();
            assert_eq!(here.get().unwrap(), [round; 2]);
        }
    });
    // By looks alone, one at each slice's end, this takes 100 ms for each of 100 waits.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn no_write_of_another_process_is_missed() {
    let name = TestName::new("counted");
    let mut state = open(&name);
    let peer = Peer::start("peer", &["count", &name]);
    let (mut last, mut waits) = (0, 0);
    while last < 3000 {
        state.wait_changed(HANG).unwrap();
        let [count, same] = state.get().unwrap();
        assert!(count > last && count == same, "{count}, {same} after {last}");
        (last, waits) = (count, waits + 1);
    }
    assert!(waits > 10, "{waits}");
    assert!(!state.changed().unwrap());
    peer.end();
}

#[test]
fn a_writer_killed_in_the_middle_ends_the_wait_and_the_next_read_says_so() {
    once_within(SLICE, a_writer_killed_in_the_middle_ends_the_wait);
}

/// Returns how long after the kill the wait ended.
fn a_writer_killed_in_the_middle_ends_the_wait() -> Duration {
    let name = TestName::new("killed");
    let mut state = open(&name);
    let mut peer = Peer::start("peer", &["write half", &name]);
    peer.expect("half");
    assert!(!state.changed().unwrap(), "it may well finish");
    let waiting = std::thread::spawn(move || {
        state.wait_changed(HANG).unwrap();
        (Instant::now(), state)
    });
    peer.kill();
    let killed = Instant::now();
    let (told, mut state) = waiting.join().unwrap();
    assert_eq!(*state.get().unwrap_err().kind(), ErrorKind::OwnerDied);
    assert!(!state.changed().unwrap(), "it was told");
    let mut other = open(&name);
    other.set(&[2, 2]).unwrap();
    state.wait_changed(HANG).unwrap();
    assert_eq!(state.get().unwrap(), [2, 2]);
    told.saturating_duration_since(killed)
}

#[test]
fn a_killed_waiter_keeps_nobody_waiting() {
    let name = TestName::new("waiter");
    let (mut here, mut there) = (open(&name), open(&name));
    let mut peer = Peer::start("peer", &["wait", &name]);
    peer.expect("waits");
    std::thread::sleep(Duration::from_millis(50)); // it sleeps by now, most likely
    peer.kill();
    for round in 0..3 {
        there.update(|pair| pair[0] += 1).unwrap();
        here.wait_changed(HANG).unwrap();
        assert_eq!(here.get().unwrap(), [round + 1, 0]);
    }
}

#[test]
fn an_initial_value_is_there_for_all_and_only_where_the_state_is_created() {
    let name = TestName::new("initial");
    let opening = |value| State::named(&*name).initial(&[value; 2]).open();
    let (mut first, mut second) = (opening(3).unwrap(), opening(4).unwrap());
    assert_eq!((first.created(), second.created()), (true, false));
    assert!(!first.changed().unwrap(), "it is the creator's own");
    second.wait_changed(HANG).unwrap();
    assert_eq!((first.get().unwrap(), second.get().unwrap()), ([3; 2], [3; 2]));
    assert!(!open(&name).created());

    let path = test_support::TestFile::new("initial");
    let opening = |value| State::file(&*path).initial(&[value; 2]).open();
    assert!(opening(5).unwrap().created());
    let mut state = opening(6).unwrap();
    assert_eq!((state.created(), state.get().unwrap()), (false, [5; 2]));
    let mut anonymous = State::anonymous().initial(&[8, 9]).open().unwrap();
    assert_eq!((anonymous.created(), anonymous.get().unwrap()), (true, [8, 9]));
}

#[test]
fn of_many_that_open_at_once_one_creates_and_nobody_sees_a_state_without_its_value() {
    for round in 0..20 {
        let name = TestName::new(&format!("race-{round}"));
        let found: Vec<_> = std::thread::scope(|scope| {
            let openings: Vec<_> = (1..=6)
                .map(|value| {
                    let opening = State::named(&*name).initial(&[value; 2]);
                    scope.spawn(move || {
                        let mut state = opening.open().unwrap();
                        (state.created().then_some([value; 2]), state.get().unwrap())
                    })
                })
                .collect();
            openings.into_iter().map(|opening| opening.join().unwrap()).collect()
        });
        let created: Vec<_> = found.iter().filter_map(|(created, _)| *created).collect();
        assert_eq!(created.len(), 1, "{found:?}");
        assert!(found.iter().all(|(_, value)| *value == created[0]), "{found:?}");
    }
}

#[test]
fn handles_of_a_removed_state_go_on_in_one_that_the_first_of_them_creates() {
    let name = TestName::new("removed");
    let opening = || State::named(&*name).initial(&[1, 1]).open().unwrap();
    let (mut here, mut there) = (opening(), opening());
    here.set(&[2, 2]).unwrap();
    assert_eq!(there.get().unwrap(), [2, 2]);
    State::remove(&*name).unwrap();
    there.update(|pair| pair[1] += 1).unwrap();
    assert!(there.created());
    here.wait_changed(HANG).unwrap();
    assert_eq!((here.created(), here.get().unwrap()), (false, [1, 2]));
    here.set(&[3, 3]).unwrap();
    assert_eq!(there.get().unwrap(), [3, 3]);
}

#[test]
fn a_waiter_whose_state_was_removed_creates_none_and_follows_the_next() {
    let name = TestName::new("followed");
    let mut state = open(&name);
    State::remove(&*name).unwrap();
    assert!(!state.changed().unwrap());
    let error = state.wait_changed(SHORT).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("removed"), "{error}");
    assert!(!std::path::Path::new(&format!("/dev/shm{}", &*name)).exists());
    let waiting = std::thread::spawn(move || {
        state.wait_changed(HANG).unwrap();
        state.get().unwrap()
    });
    let mut next = State::named(&*name).initial(&[8, 8]).open().unwrap();
    assert_eq!(waiting.join().unwrap(), [8, 8]);
    assert!(!next.changed().unwrap());
}

#[test]
fn a_waiter_asleep_notices_that_its_state_is_replaced() {
    once_within(SLICE, || {
        let name = TestName::new("replaced");
        let mut state = open(&name);
        let waiting = std::thread::spawn(move || {
            state.wait_changed(HANG).unwrap();
            state.get().unwrap()
        });
        std::thread::sleep(Duration::from_millis(30)); // it sleeps by now, most likely
        State::remove(&*name).unwrap();
        open(&name).set(&[9, 9]).unwrap();
        let replaced = Instant::now();
        assert_eq!(waiting.join().unwrap(), [9, 9]);
        replaced.elapsed()
    });
}

#[test]
fn a_state_of_another_type_is_no_successor_until_it_is_replaced_in_turn() {
    let name = TestName::new("types");
    let mut state = open(&name);
    State::remove(&*name).unwrap();
    let other = Shared::<[f32; 3]>::open(&*name).unwrap();
    for _ in 0..2 {
        assert!(matches!(state.get().unwrap_err().kind(), ErrorKind::Mismatch { .. }));
        let waited = state.wait_changed(HANG).unwrap_err();
        assert!(matches!(waited.kind(), ErrorKind::Mismatch { .. }), "{waited}");
    }
    drop(other);
    Shared::<[f32; 3]>::remove(&*name).unwrap();
    assert_eq!(state.get().unwrap(), [0, 0]);
}

#[test]
fn a_lock_with_a_timeout_keeps_to_it_where_the_state_is_replaced_meanwhile() {
    // Not anew from the replacement, which would be after 1.4 s.
    once_within(Duration::from_millis(1350), a_lock_times_out_where_the_state_is_replaced);
}

/// Returns how long the lock was waited for.
fn a_lock_times_out_where_the_state_is_replaced() -> Duration {
    let (name, other_name) = (TestName::new("timeout"), TestName::new("timeout-next"));
    let (mut state, mut holder, mut next) = (open(&name), open(&name), open(&other_name));
    let (guard, next_guard) = (holder.write().unwrap(), next.write().unwrap());
    let waiting = std::thread::spawn(move || {
        let started = Instant::now();
        let in_time = state.write_timeout(Duration::from_secs(1)).map(drop).is_ok();
        (started.elapsed(), in_time, state.created())
    });
    std::thread::sleep(Duration::from_millis(400));
    // One whose lock is taken, in one step.
    let [from, to] = [&other_name, &name].map(|name| format!("/dev/shm{}", &**name));
    std::fs::rename(from, to).unwrap();
    let (waited, in_time, created) = waiting.join().unwrap();
    assert_eq!((in_time, created), (false, false), "it waits for the new one's lock");
    drop((guard, next_guard));
    waited
}
