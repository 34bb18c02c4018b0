//! Locks between processes that are killed, stopped, or late.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::{Read, Seek, Write};
use std::time::{Duration, Instant};

use io_shared::mmap::{Bytes, BytesMut, LockError};
use io_shared::{Error, ErrorKind, RwSharedMmap, Shared, SharedMmap};
use nix::sys::signal::Signal;
use test_support::locks::{died, failed};
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::{TestName, eventually};

/// How long a waiter may take to notice a death: a slice, plus what a loaded machine adds.
const BOUND: Duration = Duration::from_secs(1);

fn word_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Raises both counters of the region by one, in two steps.
fn raise(bytes: &mut [u8]) {
    for at in [0, 2048] {
        let next = word_at(bytes, at) + 1;
        bytes[at..at + 8].copy_from_slice(&next.to_le_bytes());
        std::hint::spin_loop();
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    word_at(bytes, 0) == word_at(bytes, 2048)
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let [what, name] = arguments.as_slice() else { panic!("{arguments:?}") };
    match what.as_str() {
        "count" => {
            let mut shared = SharedMmap::named(name).open().unwrap();
            tell("ready");
            hear();
            for _ in 0..2000 {
                let mut guard = shared.lock().unwrap();
                assert!(is_whole(guard.as_bytes()));
                raise(guard.as_bytes_mut());
            }
        }
        "count under rw" => {
            let mut shared = RwSharedMmap::named(name).open().unwrap();
            tell("ready");
            hear();
            for i in 0..4000 {
                if i % 4 == 0 {
                    raise(shared.write().unwrap().as_bytes_mut());
                } else {
                    assert!(is_whole(shared.read().unwrap().as_bytes()));
                }
            }
        }
        "write half" => {
            let mut shared = SharedMmap::named(name).open().unwrap();
            let mut guard = shared.lock().or_else(LockError::into_guard).unwrap();
            guard.rewind().unwrap();
            guard.write_all(b"half").unwrap();
            tell("wrote");
            hear();
        }
        "hold" => {
            let mut shared = SharedMmap::named(name).open().unwrap();
            let guard = shared.lock().unwrap();
            tell("holds");
            hear();
            drop(guard);
            tell("left");
            hear();
        }
        "read" => {
            let mut shared = RwSharedMmap::named(name).open().unwrap();
            let guard = shared.read().unwrap();
            tell("reads");
            hear();
            drop(guard);
            tell("left");
            hear();
        }
        "write" => {
            let mut shared = RwSharedMmap::named(name).open().unwrap();
            tell("ready");
            let guard = shared.write().unwrap();
            tell("writes");
            hear();
            drop(guard);
            tell("left");
            hear();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn no_two_processes_are_in_a_lock_at_once() {
    let name = TestName::new("exclusion");
    let mut shared = SharedMmap::named(&*name).size("4K").open().unwrap();
    let mut peers: Vec<_> = (0..4).map(|_| Peer::start("peer", &["count", &name])).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    peers.iter_mut().for_each(|peer| peer.tell("go"));
    for peer in peers {
        peer.end();
    }
    let guard = shared.lock().unwrap();
    assert_eq!((word_at(guard.as_bytes(), 0), word_at(guard.as_bytes(), 2048)), (8000, 8000));
}

#[test]
fn no_reader_sees_half_a_write() {
    let name = TestName::new("rw-exclusion");
    let mut shared = RwSharedMmap::named(&*name).size("4K").open().unwrap();
    let mut peers: Vec<_> =
        (0..4).map(|_| Peer::start("peer", &["count under rw", &name])).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    peers.iter_mut().for_each(|peer| peer.tell("go"));
    for peer in peers {
        peer.end();
    }
    let guard = shared.read().unwrap();
    assert_eq!((word_at(guard.as_bytes(), 0), word_at(guard.as_bytes(), 2048)), (4000, 4000));
}

#[test]
fn readers_read_together_and_a_writer_alone() {
    let name = TestName::new("together");
    let mut a = RwSharedMmap::named(&*name).size("4K").open().unwrap();
    let mut b = RwSharedMmap::named(&*name).open().unwrap();
    let mut peer = Peer::start("peer", &["read", &name]);
    peer.expect("reads");
    let (first, second) = (a.try_read().unwrap(), b.try_read().unwrap());
    assert_eq!(first.as_bytes(), second.as_bytes());
    drop(second);
    assert_eq!(failed(b.try_write()), ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(failed(b.try_write()), ErrorKind::WouldBlock); // the peer still reads
    peer.tell("leave");
    peer.expect("left");
    let alone = b.try_write().unwrap();
    assert_eq!(failed(a.try_read()), ErrorKind::WouldBlock);
    assert_eq!(failed(a.try_write()), ErrorKind::WouldBlock);
    drop(alone);
    drop(a.try_read().unwrap());
}

#[test]
fn a_waiting_writer_bars_new_readers_and_so_is_not_starved() {
    let name = TestName::new("starved");
    let mut first = RwSharedMmap::named(&*name).size("4K").open().unwrap();
    let mut late = RwSharedMmap::named(&*name).open().unwrap();
    let reading = first.read().unwrap();
    let mut writer = Peer::start("peer", &["write", &name]);
    writer.expect("ready");
    eventually("new readers are barred", || late.try_read().is_err());
    assert!(matches!(
        failed(late.read_timeout(Duration::from_millis(5))),
        ErrorKind::Timeout { .. }
    ));
    drop(reading);
    writer.expect("writes");
    assert_eq!(failed(first.try_read()), ErrorKind::WouldBlock);
    writer.tell("leave");
    drop(late.read().unwrap());
    writer.expect("left");
}

#[test]
fn a_writer_in_a_low_slot_waits_for_a_reader_in_a_higher_one() {
    let name = TestName::new("slots");
    let open = || RwSharedMmap::named(&*name).size(8).open().unwrap();
    let (first, mut reader) = (open(), open());
    let guard = reader.read().unwrap();
    drop(first);
    let mut writer = open(); // in the first one's slot
    assert_eq!(failed(writer.try_write()), ErrorKind::WouldBlock);
    drop(guard);
    assert!(writer.try_write().is_ok());
}

#[test]
fn a_stream_of_readers_lets_a_writer_in() {
    let name = TestName::new("stream");
    let mut shared = RwSharedMmap::named(&*name).size("4K").open().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut reader = RwSharedMmap::named(&*name).open().unwrap();
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _guard = reader.read().unwrap();
                    std::thread::yield_now();
                }
            });
        }
        for _ in 0..20 {
            let written = shared.write_timeout(Duration::from_secs(2)).map(drop);
            if written.is_err() {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            written.unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_lock_that_is_taken_is_refused_at_once_or_when_the_time_is_up() {
    let name = TestName::new("refused");
    let mut a = SharedMmap::named(&*name).size(8).open().unwrap();
    let mut b = SharedMmap::named(&*name).open().unwrap();
    let guard = a.lock().unwrap();
    assert_eq!(failed(b.try_lock()), ErrorKind::WouldBlock);
    let started = Instant::now();
    let timeout = Duration::from_millis(150);
    let error = b.lock_timeout(timeout).unwrap_err().into_guard().unwrap_err();
    assert!((timeout..timeout + BOUND).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(
        error.to_string(),
        format!("{}: timed out after 150 ms waiting for the lock", &*name)
    );
    assert!(matches!(failed(b.lock_timeout(Duration::ZERO)), ErrorKind::Timeout { .. }));
    drop(guard);
    drop(b.lock_timeout(Duration::MAX).unwrap());
    drop(b.lock_timeout(Duration::ZERO).unwrap());
    drop(b.try_lock().unwrap());
}

#[test]
fn a_writer_killed_in_the_middle_is_told_of_until_somebody_says_that_all_is_well() {
    let name = TestName::new("owner-died");
    let mut shared = SharedMmap::named(&*name).size(16).open().unwrap();
    shared.lock().unwrap().write_all(b"whole value").unwrap();
    let mut first = Peer::start("peer", &["write half", &name]);
    first.expect("wrote");
    assert_eq!(failed(shared.try_lock()), ErrorKind::WouldBlock);
    first.kill();
    // A try checks whether the owner lives, and returns what a dead one left.
    assert_eq!(&died(shared.try_lock()).as_bytes()[..11], b"halfe value");
    // A second crash changes nothing about that, although the second owner knew of the first.
    let mut second = Peer::start("peer", &["write half", &name]);
    second.expect("wrote");
    second.kill();
    drop(died(shared.lock()));
    let mut other = SharedMmap::named(&*name).open().unwrap();
    drop(died(other.lock_timeout(BOUND)));
    let error = Error::from(other.lock().unwrap_err());
    assert_eq!(*error.kind(), ErrorKind::OwnerDied);
    let mut guard = died(shared.lock());
    guard.as_bytes_mut()[..4].copy_from_slice(b"whol");
    guard.mark_consistent();
    drop(guard);
    assert_eq!(&other.lock().unwrap().as_bytes()[..11], b"whole value");
    drop(shared.lock().unwrap());
}

#[test]
fn whoever_waits_for_a_killed_owner_gets_its_lock_in_time() {
    let name = TestName::new("in-time");
    let mut shared = SharedMmap::named(&*name).size(16).open().unwrap();
    let mut owner = Peer::start("peer", &["hold", &name]);
    owner.expect("holds");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            drop(died(shared.lock()));
            Instant::now()
        });
        assert!(!waiting.is_finished());
        owner.kill();
        let killed = Instant::now();
        let entered = waiting.join().unwrap();
        assert!(entered.saturating_duration_since(killed) < BOUND);
    });
}

#[test]
fn a_killed_reader_does_not_keep_a_writer_out() {
    let name = TestName::new("dead-reader");
    let mut shared = RwSharedMmap::named(&*name).size("4K").open().unwrap();
    let mut reader = Peer::start("peer", &["read", &name]);
    reader.expect("reads");
    assert_eq!(failed(shared.try_write()), ErrorKind::WouldBlock);
    let mut writer = Peer::start("peer", &["write", &name]);
    writer.expect("ready");
    eventually("the writer waits", || shared.try_read().is_err());
    reader.kill();
    let killed = Instant::now();
    writer.expect("writes");
    assert!(killed.elapsed() < BOUND, "{:?}", killed.elapsed());
    writer.tell("leave");
    writer.expect("left");
    // A reader leaves nothing half-written.
    drop(shared.write().unwrap());
}

#[test]
fn a_writer_killed_while_it_waits_for_readers_leaves_them_and_the_content_alone() {
    let name = TestName::new("dead-writer");
    let mut shared = RwSharedMmap::named(&*name).size("4K").open().unwrap();
    let mut other = RwSharedMmap::named(&*name).open().unwrap();
    let reading = shared.read().unwrap();
    let mut writer = Peer::start("peer", &["write", &name]);
    writer.expect("ready");
    eventually("the writer waits", || other.try_read().is_err());
    // The writer bars new readers first, and then notes in the lock word that it waits.
    let waits = || std::fs::read(name.path()).unwrap()[0x84] == 1;
    eventually("the writer says that it waits", waits);
    writer.kill();
    let killed = Instant::now();
    drop(other.read().unwrap()); // not OwnerDied, because it wrote nothing
    assert!(killed.elapsed() < BOUND);
    drop(reading);
    drop(shared.write().unwrap());
}

#[test]
fn nobody_robs_a_holder_that_is_stopped() {
    let name = TestName::new("stopped");
    let mut shared = SharedMmap::named(&*name).size(16).open().unwrap();
    let mut holder = Peer::start("peer", &["hold", &name]);
    holder.expect("holds");
    holder.stop();
    let timeout = Duration::from_millis(500);
    assert_eq!(
        failed(shared.lock_timeout(timeout)),
        ErrorKind::Timeout { after: timeout, waiting_for: "the lock".into() }
    );
    assert_eq!(failed(shared.try_lock()), ErrorKind::WouldBlock);
    holder.signal(Signal::SIGCONT);
    holder.tell("leave");
    drop(shared.lock().unwrap());
    holder.expect("left");
    holder.tell("end");
    holder.end();
}

#[test]
fn the_next_owner_of_a_dead_writers_slot_buries_it_and_is_not_robbed_itself() {
    let name = TestName::new("slot");
    let mut waiting = SharedMmap::named(&*name).size(16).handles(2).open().unwrap();
    let mut owner = Peer::start("peer", &["hold", &name]);
    owner.expect("holds");
    let error = SharedMmap::named(&*name).open().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSlot { holders } if holders.len() == 2), "{error}");
    assert!(error.to_string().contains(".handles(3)"), "{error}");
    owner.kill();
    // The only free slot is the one that the lock word names.
    let mut next = SharedMmap::named(&*name).open().unwrap();
    let mut guard = died(next.lock());
    guard.write_all(b"next").unwrap();
    // The handle that waited all the while neither gets the lock nor buries its living owner.
    assert_eq!(failed(waiting.try_lock()), ErrorKind::WouldBlock);
    assert!(matches!(
        failed(waiting.lock_timeout(Duration::from_millis(250))),
        ErrorKind::Timeout { .. }
    ));
    guard.mark_consistent();
    drop(guard);
    let mut text = [0; 4];
    waiting.lock().unwrap().read_exact(&mut text).unwrap();
    assert_eq!(&text, b"next");
}

#[test]
fn many_owners_die_and_nobody_waits_for_ever() {
    let name = TestName::new("many");
    let mut shared = Shared::<[u64; 2]>::open(&*name).unwrap();
    for round in 0..200 {
        let mut dying = Shared::<[u64; 2]>::open(&*name).unwrap();
        std::mem::forget(dying.write().unwrap());
        drop(dying);
        let mut guard = died(shared.write_timeout(BOUND));
        *guard = [round, round];
        guard.mark_consistent();
    }
    assert_eq!(shared.get().unwrap(), [199, 199]);
}

#[test]
fn whoever_waits_for_a_lock_that_is_removed_finds_out() {
    let name = TestName::new("removed");
    let mut a = SharedMmap::named(&*name).size(16).open().unwrap();
    let mut b = SharedMmap::named(&*name).open().unwrap();
    let guard = a.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| failed(b.lock()));
        let waits = || std::fs::read(name.path()).unwrap()[0x83] & 0x80 != 0;
        eventually("the lock word says that somebody waits", waits);
        SharedMmap::remove(&*name).unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Replaced);
    });
    drop(guard);
    assert_eq!(failed(a.lock()), ErrorKind::Replaced);
}
