//! Forks: an inherited handle refuses, and a child opens handles of its own.

#![allow(clippy::unwrap_used)]

mod child;

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use child::{in_child, succeeds};
use io_shared::mmap::LockError;
use io_shared::{Channel, ErrorKind, Message, Producer, RwSharedMmap, SharedMmap};
use io_shared_core::binding::{put_parts, read_ahead};
use io_shared_core::slot::{Consumer, sleep_any};
use io_shared_core::{Location, Name, Slot, Spec, Which, clock};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use test_support::TestName;
use torture::actor::Actor;
use torture::machine::Footprint;
use torture::parcel::{COPIED_WORDS, Packed, Parcel, Size};
use torture::region_file::RegionFile;

/// Too large to be stored inline: it is read in place.
type Large = [u64; 6];

/// Fault 58.
#[test]
fn an_inherited_handle_says_so_and_dropping_it_harms_nobody() {
    let name = TestName::new("inherited");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    let mut consumer = Channel::<Large>::named(&*name).holds(2).consumer().unwrap();
    producer.put(&[1; 6]).unwrap();
    let guard = consumer.get().unwrap().into_owned();
    producer.put(&[2; 6]).unwrap();
    assert_eq!(*consumer.get().unwrap(), [2; 6]); // it keeps the entry
    let held = || RegionFile::read(&name.path()).unwrap().held;
    let before = held();
    assert!(before[0][..2].iter().all(|entry| *entry != 0), "{before:?}");
    let mut inherited = Some((producer, consumer, guard));
    let child = in_child(|| {
        let (mut producer, mut consumer, guard) = inherited.take().unwrap();
        let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
        assert!(producer.put(&[2; 6]).is_err_and(forked));
        assert!(producer.loan().is_err());
        assert!(producer.connected().is_err_and(forked));
        assert!(consumer.try_get().is_err_and(forked));
        assert!(consumer.latest().is_err_and(forked));
        assert!(consumer.has_producer().is_err_and(forked));
        // By now, the child's own descriptors may have the numbers of the closed claims.
        let own: Vec<_> = (0..8).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        drop((guard, producer, consumer));
        assert!(own.iter().all(|file| file.metadata().is_ok()));
        let taken = io_shared::producer::<Large>(&name).unwrap_err();
        assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
        let other = TestName::new("inherited-child");
        io_shared::producer::<u64>(&other).unwrap().put(&1).unwrap();
    });
    succeeds(child);
    assert_eq!(held(), before, "nor is an entry given back that only a consumer keeps");
    let (mut producer, mut consumer, guard) = inherited.unwrap();
    // The parent's hold is still a hold.
    for value in 3..100 {
        producer.put(&[value; 6]).unwrap();
        assert_eq!(*guard, [1; 6]);
    }
    let second = consumer.get().unwrap().into_owned();
    producer.put(&[99; 6]).unwrap();
    assert_eq!(*consumer.get().unwrap_err().kind(), ErrorKind::AlreadyHeld { holds: 2 });
    drop((guard, second));
    assert_eq!(*consumer.get().unwrap(), [99; 6]);
}

/// Fault 58, for a slot itself: the handles above it ask earlier.
#[test]
fn an_inherited_slot_neither_reads_ahead_nor_sleeps() {
    let name = TestName::new("inherited-slot");
    let mut producer = Actor::start(env!("CARGO_BIN_EXE_torture"), &name, 1, Size::Large).unwrap();
    assert_eq!(producer.ask("produce"), "ok 0");
    let location = Location::from(Name::new(&name).unwrap());
    let spec = Spec { schema: Some(Parcel::schema()), ..Spec::default() };
    let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
    let has_value = |consumer: &mut Slot<Consumer>| {
        let nothing = |_: &mut _, nothing: io_shared::Result<()>| nothing.map(|()| false);
        consumer.acquire::<Parcel>(Which::Unseen, nothing).unwrap().is_some()
    };
    for value in 1..=3 {
        assert_eq!(producer.ask("put-copy"), value.to_string());
        assert!(has_value(&mut consumer));
        assert!(!has_value(&mut consumer)); // and it expects the next
    }
    assert_eq!(producer.ask("die PutFilling 3"), "ok");
    assert_eq!(producer.ask("put-copy"), "died");
    let mut copy = Packed::empty(COPIED_WORDS);
    let child = in_child(|| {
        let until = clock::now() + 500_000_000;
        let read = read_ahead(&mut consumer, &mut copy.target());
        consumer.sleep(until);
        sleep_any(&[consumer.as_sleeper()], &[], None, until);
        assert!(!read && clock::now() < until);
    });
    succeeds(child);
    assert!(read_ahead(&mut consumer, &mut copy.target()), "there was something to read");
}

/// Fault 58, for a loan.
#[test]
fn nothing_is_copied_into_an_inherited_loan() {
    let name = TestName::new("inherited-loan");
    let mut producer = Channel::<[u8]>::named(&*name).elements(1 << 20).producer().unwrap();
    let mut loan = producer.loan_len(1 << 20).unwrap();
    loan.fill(1);
    let mut inherited = Some(loan);
    let child = in_child(|| {
        let put = put_parts(inherited.take().unwrap(), &[&[2; 1 << 20]]);
        assert_eq!(*put.unwrap_err().kind(), ErrorKind::ForkedHandle);
    });
    succeeds(child);
    let loan = inherited.unwrap();
    assert!(loan.iter().all(|&byte| byte == 1));
    loan.put().unwrap();
}

/// Fault 58, for locks.
#[test]
fn an_inherited_lock_says_so_and_dropping_its_guard_frees_and_mends_nothing() {
    let name = TestName::new("inherited-lock");
    let open = || RwSharedMmap::named(&*name).size(8).ephemeral(true).open().unwrap();
    let is_taken = |lock: &mut RwSharedMmap| {
        let tried = lock.try_write().map(drop).map_err(io_shared::Error::from);
        tried.is_err_and(|error| *error.kind() == ErrorKind::WouldBlock)
    };
    let (mut held, mut idle, mut other) = (open(), open(), open());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = other.write().unwrap();
        panic!("in the middle of a write");
    }));
    assert!(panicked.is_err());
    let Err(LockError::OwnerDied(guard)) = held.write() else { panic!("it is dirty") };
    let mut inherited = Some((guard, &mut idle));
    let child = in_child(|| {
        let (guard, idle) = inherited.take().unwrap();
        guard.mark_consistent();
        drop(guard);
        let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
        assert!(idle.try_write().map(drop).is_err_and(|error| forked(error.into())));
        assert!(idle.try_read().map(drop).is_err_and(|error| forked(error.into())));
        // Drop it: an ephemeral region is the parent's to remove.
        drop(std::mem::replace(idle, RwSharedMmap::anonymous().size(8).open().unwrap()));
        assert!(is_taken(&mut RwSharedMmap::named(&*name).open().unwrap()));
    });
    succeeds(child);
    let (guard, idle) = inherited.unwrap();
    assert!(is_taken(&mut other));
    drop(guard);
    let Err(LockError::OwnerDied(guard)) = other.write() else { panic!("nobody has mended it") };
    guard.mark_consistent();
    drop(guard);
    drop(idle.write().unwrap());
    drop((held, idle, other));
}

/// The consumer that a child is.
fn viewer(name: &str) -> io_shared::Result<io_shared::Consumer<u64>> {
    Channel::named(name).consumer_name("viewer").consumer()
}

/// What a child does, however it was started: it finds its parent's role taken, gets what is put,
/// and lives on until it is killed.
fn lives_in_the_channel(name: &str, mut socket: &UnixStream) {
    let taken = io_shared::producer::<u64>(name)
        .is_err_and(|error| matches!(error.kind(), ErrorKind::RoleTaken { .. }));
    let mut consumer = viewer(name).unwrap();
    socket.write_all(&[u8::from(taken)]).unwrap();
    let value = consumer.get_timeout(Duration::from_secs(2)).map(|value| *value);
    socket.write_all(&[u8::from(value.is_ok_and(|value| value == 7))]).unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Puts for that child, kills it, and checks that its slot is free and `producer` still works.
fn outlives(child: Pid, name: &str, producer: &mut Producer<u64>, mut socket: &UnixStream) {
    let mut said = [0];
    socket.read_exact(&mut said).unwrap();
    assert_eq!(said, [1], "the role is the parent's");
    producer.put(&7).unwrap();
    socket.read_exact(&mut said).unwrap();
    assert_eq!(said, [1], "the child got the value");
    assert!(viewer(name).is_err(), "the child has that name");
    kill(child, Signal::SIGKILL).unwrap();
    let started = Instant::now();
    while viewer(name).is_err() {
        assert!(started.elapsed() < Duration::from_secs(2), "the dead child still has its slot");
    }
    producer.put(&8).unwrap();
}

/// Fault 58, with `fork`, as Python's multiprocessing starts processes.
#[test]
fn a_forked_child_opens_its_own_handle_next_to_the_inherited_one() {
    let name = TestName::new("style-fork");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let child = in_child(|| {
        assert_eq!(*producer.put(&1).unwrap_err().kind(), ErrorKind::ForkedHandle);
        lives_in_the_channel(&name, &there);
    });
    drop(there); // so that its end is noticed
    outlives(child, &name, &mut producer, &here);
    waitpid(child, None).unwrap();
}

/// Fault 58, with `forkserver`: a server forks children that open handles themselves. The server
/// has no handle, or one of its own that they inherit.
#[test]
fn children_of_a_fork_server_open_their_own_handles() {
    for server_has_a_handle in [false, true] {
        let (name, own) = (TestName::new("style-server"), TestName::new("style-server-own"));
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let (socket, childs) = UnixStream::pair().unwrap();
        let server = in_child(|| {
            let mut handle = server_has_a_handle.then(|| io_shared::producer::<u64>(&own).unwrap());
            there.read_exact(&mut [0]).unwrap();
            let child = in_child(|| {
                let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
                assert!(handle.as_mut().is_none_or(|handle| handle.put(&1).is_err_and(forked)));
                lives_in_the_channel(&name, &childs);
            });
            there.write_all(&child.as_raw().to_ne_bytes()).unwrap();
            waitpid(child, None).unwrap();
            assert!(handle.as_mut().is_none_or(|handle| handle.put(&1).is_ok()));
        });
        drop((there, childs)); // so that their end is noticed
        // Opened after the fork, so that the server inherits nothing of it.
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        here.write_all(&[1]).unwrap();
        let mut child = [0; 4];
        here.read_exact(&mut child).unwrap();
        outlives(Pid::from_raw(i32::from_ne_bytes(child)), &name, &mut producer, &socket);
        succeeds(server);
    }
}

/// Fault 58, with `spawn`: fork and exec.
#[test]
fn a_spawned_program_inherits_nothing_and_opens_its_own_handle() {
    let name = TestName::new("style-spawn");
    let open = || Channel::<Parcel>::named(&*name).elements(COPIED_WORDS);
    let mut producer = open().producer().unwrap();
    let mut consumer = open().consumer_name("viewer").consumer().unwrap();
    let mut put = |seq| {
        let mut loan = producer.loan_len(5).unwrap();
        Parcel::fill(&mut loan, seq, seq * 77, || ());
        loan.put().unwrap()
    };
    let mut child = Actor::start(env!("CARGO_BIN_EXE_torture"), &name, 1, Size::Large).unwrap();
    assert_eq!(child.ask("reread"), "0"); // it runs
    assert_eq!(Footprint::of(child.pid()).unwrap().maps, 0);
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", child.pid())).unwrap().flatten();
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    assert!(links.into_iter().all(|link| !link.starts_with("/dev/shm")));
    assert!(child.ask("produce").starts_with("RoleTaken"));
    assert!(child.ask("consume viewer").starts_with("RoleTaken"));
    assert_eq!(put(1), 1);
    assert_eq!(consumer.get().unwrap().seq(), 1);
    drop(consumer);
    assert_eq!(child.ask("consume viewer"), "ok");
    assert_eq!(put(2), 2);
    assert_eq!(child.ask("get"), "2 0");
    child.kill();
    assert_eq!(put(3), 3);
    assert_eq!(open().consumer().unwrap().get().unwrap().seq(), 3);
}

/// Fault 58: a fork copies whatever the other threads are doing.
#[test]
fn a_child_forked_while_other_threads_open_and_lock_opens_and_locks_itself() {
    let (name, lock) = (TestName::new("style-busy"), TestName::new("style-busy-lock"));
    let stop = AtomicBool::new(false);
    drop(SharedMmap::named(&*lock).size(8).open().unwrap());
    let open_lock = || SharedMmap::named(&*lock).open().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut shared = open_lock();
            while !stop.load(Ordering::Relaxed) {
                drop(shared.lock().unwrap());
            }
        });
        let own = format!("{}-thread", &*name);
        scope.spawn({
            let stop = &stop;
            move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(io_shared::producer::<u64>(&own).unwrap());
                    Channel::remove(&own).unwrap();
                }
            }
        });
        let children = (0..60).map(|number| {
            let child = in_child(|| {
                nix::unistd::alarm::set(5); // instead of a hang
                let own = TestName::new("style-busy-child");
                let mut producer = io_shared::producer::<u64>(&own).unwrap();
                let mut consumer = io_shared::consumer::<u64>(&own).unwrap();
                producer.put(&number).unwrap();
                let got = *consumer.get_timeout(Duration::from_secs(2)).unwrap();
                assert_eq!(got, number);
                assert!(open_lock().lock_timeout(Duration::from_secs(2)).is_ok());
            });
            waitpid(child, None).unwrap()
        });
        let ended: Vec<_> = children.collect();
        stop.store(true, Ordering::Relaxed);
        let failed = |status: &&WaitStatus| !matches!(status, WaitStatus::Exited(_, 0));
        assert_eq!(ended.iter().find(failed), None);
    });
}

/// Fault 58.
#[test]
fn a_child_does_not_clear_its_parents_descriptor_for_event_loops() {
    let name = TestName::new("ready-fd");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    let mut consumer = io_shared::consumer::<Large>(&name).unwrap();
    let fd = consumer.ready_fd().unwrap().try_clone_to_owned().unwrap();
    let is_readable = || {
        let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::from(2000_u16)).unwrap() == 1
    };
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let mut inherited = Some(&mut consumer);
    let child = in_child(|| {
        there.read_exact(&mut [0]).unwrap();
        let consumer = inherited.take().unwrap();
        let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
        assert!(consumer.try_get().is_err_and(forked));
        assert!(consumer.get().is_err_and(forked));
        assert!(consumer.ready_fd().is_err_and(forked));
        // SAFETY: the child alone drops its copy, and ends by _exit.
        drop(unsafe { std::ptr::read(consumer) });
    });
    producer.put(&[7; 6]).unwrap();
    assert!(is_readable());
    here.write_all(&[1]).unwrap();
    succeeds(child);
    assert!(is_readable(), "the child has not cleared it");
    assert_eq!(*consumer.try_get().unwrap().unwrap(), [7; 6]);
    producer.put(&[8; 6]).unwrap();
    assert!(is_readable(), "the thread still waits");
}
