//! Handles of a lock die at exactly one crash point, each in turn, and the others must go on. The
//! numbers are those of FAULTS.md.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use io_shared::mmap::LockError;
use io_shared::{ErrorKind, Result, Shared};
use io_shared_core::crash_point::CrashPoint::{self, *};
use io_shared_core::crash_point::kill_self_at;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use test_support::TestName;

/// A slice, plus what a loaded machine adds to it.
const BOUND: Duration = Duration::from_millis(300);
/// Longer than anything here takes.
const HANG: Duration = Duration::from_secs(2);

/// A crash point of channels, which nothing here reaches.
const ELSEWHERE: CrashPoint = ProducerClaimed;

type State = Shared<[u64; 2]>;

fn open(name: &TestName) -> Result<State> {
    State::open(&**name)
}

/// Runs `child` in a forked process, which is to die at `point`.
fn start(point: CrashPoint, child: impl FnOnce() -> Result<()>) -> Pid {
    // SAFETY: the child runs `child` and _exit alone; the locks that it needs (malloc's, which
    // glibc keeps usable in a forked child, and none of the test harness's) are free.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            test_support::set_patience();
            kill_self_at(point, 0);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(i32::from(!matches!(done, Ok(Ok(()))))) }
        }
    }
}

#[track_caller]
fn died(child: Pid) {
    let status = waitpid(child, None).unwrap();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
}

/// Runs a child that dies at `point` in `act`, with a handle that was open before.
#[track_caller]
fn dies(name: &TestName, point: CrashPoint, act: fn(&mut State) -> Result<()>) {
    died(start(point, || act(&mut open(name)?)));
}

fn write(state: &mut State) -> Result<()> {
    let mut guard = match state.write() {
        Err(LockError::OwnerDied(guard)) => guard,
        other => other.or_else(LockError::into_guard)?,
    };
    guard[0] += 1;
    guard[1] += 1;
    Ok(())
}

fn read(state: &mut State) -> Result<()> {
    state.read().map(drop).or_else(|error| error.into_guard().map(drop))
}

/// Whether the next handle that locks is told of a death. It must get the lock in time.
#[track_caller]
fn is_dirty(state: &mut State) -> bool {
    let started = Instant::now();
    let dirty = match state.write_timeout(HANG) {
        Ok(_) => false,
        Err(LockError::OwnerDied(_)) => true,
        Err(LockError::Failed(error)) => panic!("{error}"),
    };
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    dirty
}

#[test]
fn a_handle_dead_while_it_opens_leaves_its_slot_to_the_next() {
    for point in [LockerClaimed, LockerCleared] {
        let name = TestName::new("lock");
        let mut state = open(&name).unwrap();
        dies(&name, point, |_| Ok(()));
        assert!(!is_dirty(&mut state), "{point:?}");
        // All slots except this handle's own are free.
        let all: Vec<_> = (0..63).map(|_| open(&name).unwrap()).collect();
        assert!(matches!(open(&name).unwrap_err().kind(), ErrorKind::NoSlot { .. }));
        drop(all);
        // The same when the slot was a dead writer's before.
        dies(&name, WriterAlone, write);
        dies(&name, point, |_| Ok(()));
        assert!(is_dirty(&mut state), "{point:?}");
    }
}

// 6
#[test]
fn a_writer_dead_at_any_point_is_told_of_if_it_may_have_written() {
    for (point, dirty) in [(WriterOwns, true), (WriterAlone, true), (WriterLeft, false)] {
        let name = TestName::new("lock");
        let mut state = open(&name).unwrap();
        dies(&name, point, write);
        assert_eq!(is_dirty(&mut state), dirty, "{point:?}");
        assert_eq!(is_dirty(&mut state), dirty, "{point:?}: it stays");
        dies(&name, WriterAlone, write); // a second death
        assert!(is_dirty(&mut state));
        match state.write() {
            Err(LockError::OwnerDied(guard)) => guard.mark_consistent(),
            other => panic!("{other:?}"),
        }
        assert!(!is_dirty(&mut state));
    }
}

#[test]
fn a_writer_dead_while_it_waits_for_readers_has_written_nothing() {
    let name = TestName::new("lock");
    let (mut reading, mut other) = (open(&name).unwrap(), open(&name).unwrap());
    let guard = reading.read().unwrap();
    dies(&name, WriterAwaits, write);
    drop(guard);
    assert!(!is_dirty(&mut other));
    reading.get().unwrap();
}

// 8
#[test]
fn a_reader_dead_at_any_point_keeps_no_writer_out() {
    for point in [ReaderRaised, ReaderReads, ReaderLeft] {
        let name = TestName::new("lock");
        let mut state = open(&name).unwrap();
        dies(&name, point, read);
        assert!(!is_dirty(&mut state), "{point:?}");
        state.get().unwrap();
    }
}

#[test]
fn a_waiter_dead_before_its_sleep_changes_nothing() {
    for act in [write, read] {
        let name = TestName::new("lock");
        let mut state = open(&name).unwrap();
        let guard = state.write().unwrap();
        dies(&name, LockWaiting, act);
        drop(guard);
        assert!(!is_dirty(&mut state));
        state.get().unwrap();
    }
}

// 7
#[test]
fn a_burier_dead_at_any_point_leaves_the_burial_to_the_next() {
    for point in [OwnerBuryWon, OwnerDirty, OwnerReplaced] {
        for act in [write, read] {
            let name = TestName::new("lock");
            let mut state = open(&name).unwrap();
            let mut other = open(&name).unwrap();
            let (burier, go) = waiting_burier(&name, point, act);
            go();
            died(burier);
            assert!(is_dirty(&mut state), "{point:?}");
            assert!(is_dirty(&mut other), "{point:?}");
        }
    }
}

/// A process that waits for a writer's lock, and dies at `point` after that writer has died.
fn waiting_burier(
    name: &TestName,
    point: CrashPoint,
    act: fn(&mut State) -> Result<()>,
) -> (Pid, impl FnOnce()) {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    // A writer that dies on demand.
    let writer = {
        let mut there = there.try_clone().unwrap();
        start(ELSEWHERE, || {
            let mut state = open(name)?;
            let guard = state.write().or_else(LockError::into_guard);
            there.write_all(b"w").unwrap();
            std::thread::sleep(Duration::from_secs(60));
            drop(guard);
            Ok(())
        })
    };
    here.read_exact(&mut [0]).unwrap();
    let burier = start(point, || {
        let mut state = open(name)?;
        there.write_all(b"b").unwrap();
        act(&mut state)
    });
    here.read_exact(&mut [0]).unwrap();
    (burier, move || {
        nix::sys::signal::kill(writer, Signal::SIGKILL).unwrap();
        waitpid(writer, None).unwrap();
    })
}

// 7
#[test]
fn of_waiters_that_race_to_bury_one_dies_and_the_others_get_the_lock_one_at_a_time() {
    for round in 0..20 {
        for point in [OwnerBuryWon, OwnerDirty, OwnerReplaced] {
            let name = TestName::new("lock");
            let mut others: Vec<_> = (0..3).map(|_| open(&name).unwrap()).collect();
            let (burier, go) = waiting_burier(&name, point, write);
            let inside = AtomicBool::new(false);
            let told: usize = std::thread::scope(|scope| {
                let waiting: Vec<_> = others
                    .iter_mut()
                    .map(|state| {
                        scope.spawn(|| match state.write_timeout(HANG) {
                            Err(LockError::OwnerDied(mut guard)) => {
                                assert!(!inside.swap(true, Ordering::Relaxed), "two at a time");
                                assert_eq!(guard[0], guard[1]);
                                guard[0] += 1;
                                // Long enough to notice another process that is let in.
                                std::thread::sleep(Duration::from_millis(2));
                                guard[1] += 1;
                                inside.store(false, Ordering::Relaxed);
                                1
                            }
                            other => panic!("{other:?}"),
                        })
                    })
                    .collect();
                go();
                waiting.into_iter().map(|waiter| waiter.join().unwrap()).sum()
            });
            assert_eq!(told, 3, "{point:?}, round {round}");
            // It dies if it buried the dead writer, and succeeds if another was faster.
            let wrote = match waitpid(burier, None).unwrap() {
                WaitStatus::Signaled(_, Signal::SIGKILL, _) => 3,
                WaitStatus::Exited(_, 0) => 4,
                other => panic!("{other:?}"),
            };
            let guard = match others[0].write_timeout(HANG) {
                Err(LockError::OwnerDied(guard)) => guard,
                other => panic!("{other:?}"),
            };
            assert_eq!(*guard, [wrote; 2], "{point:?}, round {round}: nobody's write is lost");
            drop(guard);
            // The burier keeps no slot but its own.
            let rest: Result<Vec<_>> = (others.len()..64).map(|_| open(&name)).collect();
            assert!(rest.is_ok(), "{point:?}, round {round}: {rest:?}");
        }
    }
}

/// Waits for a write by another handle. It must come in time.
#[track_caller]
fn sees_a_change(state: &mut State) {
    let started = Instant::now();
    state.wait_changed(HANG).unwrap();
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn who_waits_for_a_change_sees_the_write_of_a_writer_dead_at_any_point_or_its_death() {
    for point in [WriterOwns, WriterAlone, WriteCounted, WriterLeft] {
        let name = TestName::new("lock");
        let mut others: Vec<_> = (0..3).map(|_| open(&name).unwrap()).collect();
        let mut victim = open(&name).unwrap();
        assert!(!victim.changed().unwrap());
        std::thread::scope(|scope| {
            let waiting: Vec<_> = others
                .iter_mut()
                .map(|state| {
                    scope.spawn(move || {
                        state.wait_changed(HANG).unwrap();
                        (Instant::now(), state.get().map_err(|error| error.kind().clone()))
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(20)); // most of them sleep by now
            dies(&name, point, write);
            let dead = Instant::now();
            for waiter in waiting {
                let (told, found) = waiter.join().unwrap();
                assert!(told.saturating_duration_since(dead) < BOUND, "{point:?}");
                let expected = match point {
                    WriterLeft => Ok([1, 1]),
                    _ => Err(ErrorKind::OwnerDied),
                };
                assert_eq!(found, expected, "{point:?}");
            }
        });
        assert!(victim.changed().unwrap(), "{point:?}: also to one that only looks");
    }
}

#[test]
fn one_that_dies_as_it_waits_for_a_change_costs_the_next_write_a_wake_and_no_other() {
    let name = TestName::new("lock");
    let (mut state, mut other) = (open(&name).unwrap(), open(&name).unwrap());
    dies(&name, ChangeWatched, |state| state.wait_changed(HANG));
    let word = || {
        let file = std::fs::File::open(format!("/dev/shm{}", &*name)).unwrap();
        let mut word = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut word, 0x80).unwrap();
        u64::from_le_bytes(word)
    };
    assert_eq!(word(), 1 << 33, "somebody may sleep");
    write(&mut state).unwrap();
    assert_eq!(word(), 0, "nobody is woken again");
    sees_a_change(&mut other);
    assert_eq!(other.get().unwrap(), [1, 1]);
}

#[test]
fn a_death_is_seen_though_the_one_that_waits_for_a_change_dies_as_it_buries() {
    for point in [OwnerBuryWon, OwnerDirty, OwnerReplaced] {
        let name = TestName::new("lock");
        let mut state = open(&name).unwrap();
        let (burier, go) = waiting_burier(&name, point, |state| state.wait_changed(HANG));
        go();
        died(burier);
        sees_a_change(&mut state);
        assert!(is_dirty(&mut state), "{point:?}");
    }
}

// 8
#[test]
fn a_writer_dead_while_it_buries_a_reader_leaves_the_others_going_and_nothing_dirty() {
    let name = TestName::new("lock");
    let mut state = open(&name).unwrap();
    let mut keeps_the_first_slot = open(&name).unwrap();
    // A handle opened later would take the dead reader's slot and thereby bury it.
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let burier = start(ReaderBuryWon, || {
        let mut state = open(&name)?;
        there.write_all(b"o").unwrap();
        there.read_exact(&mut [0]).unwrap();
        write(&mut state)
    });
    here.read_exact(&mut [0]).unwrap();
    dies(&name, ReaderReads, read);
    here.write_all(b"g").unwrap();
    died(burier);
    state.get().unwrap();
    assert!(!is_dirty(&mut keeps_the_first_slot));
    assert!(!is_dirty(&mut state));
}

// 9
#[test]
fn the_lock_of_a_big_process_killed_in_a_write_is_had_when_that_is_gone_and_not_before() {
    println!("had {:?} after the kill, asleep", had_when_the_owner_is_gone(BOUND + HANG));
    println!("had {:?} after the kill, looking", had_when_the_owner_is_gone(Duration::ZERO));
}

/// How long after the kill a handle gets the lock that tries again after each `wait`.
#[track_caller]
fn had_when_the_owner_is_gone(wait: Duration) -> Duration {
    let name = TestName::new("lock");
    let mut state = open(&name).unwrap();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let victim = start(ELSEWHERE, || {
        let mut state = open(&name)?;
        let big = std::hint::black_box(vec![1_u8; 1 << 30]); // so that its death takes long
        let mut guard = state.write().or_else(LockError::into_guard)?;
        let [first, second] = &mut *guard;
        std::thread::scope(|scope| {
            scope.spawn(|| count(first));
            there.write_all(b"w").unwrap();
            count(second)
        });
        drop(big);
        Ok(())
    });
    here.read_exact(&mut [0]).unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(BOUND); // the other waits by now
        nix::sys::signal::kill(victim, Signal::SIGKILL).unwrap();
        Instant::now()
    });
    let deadline = Instant::now() + BOUND + HANG;
    let got = loop {
        let guard = match state.write_timeout(wait) {
            Err(LockError::OwnerDied(guard)) => guard,
            Err(LockError::Failed(error)) if Instant::now() < deadline => {
                assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
                continue;
            }
            other => panic!("{other:?}"),
        };
        let got = Instant::now();
        let memory = std::fs::read_to_string(format!("/proc/{victim}/statm")).unwrap();
        assert!(memory.starts_with("0 "), "it still has its memory: {memory}");
        let left = *std::hint::black_box(&*guard);
        assert!(left.iter().all(|&count| count > 0), "{left:?}");
        std::thread::sleep(BOUND);
        assert_eq!(*std::hint::black_box(&*guard), left, "it still writes");
        break got;
    };
    let took = got.saturating_duration_since(killer.join().unwrap());
    assert!(took < HANG, "{took:?}");
    died(victim);
    took
}

fn count(in_memory: &mut u64) {
    loop {
        *in_memory += 1;
        std::hint::black_box(&mut *in_memory);
    }
}

// 10
#[test]
fn nobody_robs_a_holder_that_is_stopped_for_ten_seconds() {
    const STOPPED: Duration = Duration::from_secs(10);
    let name = TestName::new("lock");
    let mut states = [open(&name).unwrap(), open(&name).unwrap()];
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let holder = start(ELSEWHERE, || {
        let mut state = open(&name)?;
        let mut guard = state.write().or_else(LockError::into_guard)?;
        guard[0] = 1;
        there.write_all(b"w").unwrap();
        there.read_exact(&mut [0]).unwrap();
        guard[1] = 1;
        Ok(())
    });
    here.read_exact(&mut [0]).unwrap();
    nix::sys::signal::kill(holder, Signal::SIGSTOP).unwrap();
    let status = waitpid(holder, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert!(matches!(status, WaitStatus::Stopped(_, Signal::SIGSTOP)), "{status:?}");
    let stopped = Instant::now();
    let [state, other] = &mut states;
    std::thread::scope(|scope| {
        scope.spawn(|| times_out(STOPPED, || other.write_timeout(STOPPED).map(drop)));
        let (mut now, step) = (Duration::ZERO, Duration::from_millis(500));
        while now < STOPPED {
            times_out(step, || state.write_timeout(step).map(drop));
            times_out(step, || state.read_timeout(step).map(drop));
            now = stopped.elapsed();
        }
    });
    nix::sys::signal::kill(holder, Signal::SIGCONT).unwrap();
    here.write_all(b"g").unwrap();
    assert_eq!(*state.write_timeout(HANG).unwrap(), [1, 1]);
    let status = waitpid(holder, None).unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[track_caller]
fn times_out<G>(after: Duration, lock: impl FnOnce() -> std::result::Result<(), LockError<G>>) {
    let started = Instant::now();
    let Err(LockError::Failed(error)) = lock() else { panic!("robbed") };
    assert!(matches!(error.kind(), ErrorKind::Timeout { after: said, .. } if *said == after));
    let took = started.elapsed();
    assert!(took >= after && took < after + HANG, "{took:?}");
}
