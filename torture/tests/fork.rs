//! Fork, exec, threads and descriptors: claims belong to handles, and to nobody who inherits one.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use io_shared::mmap::LockError;
use io_shared::{Channel, ErrorKind, Message, Producer, RwSharedMmap, SharedMmap};
use io_shared_core::binding::{put_parts, read_ahead};
use io_shared_core::slot::{Consumer, sleep_any};
use io_shared_core::{Location, Name, Slot, Spec, Which, clock};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use torture::actor::Actor;
use torture::machine::{self, Footprint, set_patience};
use torture::parcel::{COPIED_WORDS, Packed, Parcel, Size};
use torture::region_file::RegionFile;

fn name(what: &str) -> String {
    set_patience();
    format!("/test-{what}-{}", std::process::id())
}

/// Runs `child` in a forked process, which exits with its result and runs no destructors.
fn in_child(child: impl FnOnce() -> bool) -> Pid {
    // SAFETY: the child runs `child` and _exit alone; the locks that it needs (malloc's, which
    // glibc keeps usable in a forked child, and none of the test harness's) are free.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            set_patience();
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(i32::from(!ok)) }
        }
    }
}

fn succeeded(child: Pid) -> bool {
    waitpid(child, None).unwrap() == WaitStatus::Exited(child, 0)
}

/// Too large to be carried beside `latest`: it is read where it lies.
type Large = [u64; 6];

/// Fault 58.
#[test]
fn an_inherited_handle_says_so_and_dropping_it_harms_nobody() {
    let name = name("inherited");
    let mut producer = Channel::<Large>::named(&name).holds(2).producer().unwrap();
    let mut consumer = io_shared::consumer::<Large>(&name).unwrap();
    producer.put(&[1; 6]).unwrap();
    let guard = consumer.get().unwrap().into_owned();
    producer.put(&[2; 6]).unwrap();
    assert_eq!(*consumer.get().unwrap(), [2; 6]); // and it keeps the entry
    let held = || RegionFile::read(&machine::path_of(&name)).unwrap().held;
    let before = held();
    assert!(before[0].iter().all(|entry| *entry != 0), "{before:?}");
    let mut inherited = Some((producer, consumer, guard));
    let child = in_child(|| {
        let (mut producer, mut consumer, guard) = inherited.take().unwrap();
        let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
        let said = producer.put(&[2; 6]).is_err_and(forked)
            && producer.loan().is_err()
            && producer.connected().is_err_and(forked)
            && consumer.try_get().is_err_and(forked)
            && consumer.latest().is_err_and(forked)
            && consumer.has_producer().is_err_and(forked);
        // Descriptors of the child's own may have the numbers of the closed claims by now.
        let own: Vec<_> = (0..8).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        drop((guard, producer, consumer));
        let untouched = own.iter().all(|file| file.metadata().is_ok());
        let taken = io_shared::producer::<Large>(&name)
            .is_err_and(|error| matches!(error.kind(), ErrorKind::RoleTaken { .. }));
        let other = format!("{name}-child");
        let own = io_shared::producer::<u64>(&other).and_then(|mut own| own.put(&1)).is_ok();
        Channel::remove(&other).unwrap();
        said && untouched && taken && own
    });
    assert!(succeeded(child));
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
    Channel::remove(&name).unwrap();
}

/// Fault 58, of what the handles above it ask before: a slot itself.
#[test]
fn an_inherited_slot_neither_reads_ahead_nor_sleeps() {
    let name = name("inherited-slot");
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
        sleep_any(&[consumer.as_sleeper()], None, until);
        !read && clock::now() < until
    });
    assert!(succeeded(child));
    assert!(read_ahead(&mut consumer, &mut copy.target()), "there was something to read");
    Channel::remove(&name).unwrap();
}

/// Fault 58, of a loan.
#[test]
fn nothing_is_copied_into_an_inherited_loan() {
    let name = name("inherited-loan");
    let mut producer = Channel::<[u8]>::named(&name).elements(1 << 20).producer().unwrap();
    let mut loan = producer.loan_len(1 << 20).unwrap();
    loan.fill(1);
    let mut inherited = Some(loan);
    let child = in_child(|| {
        let put = put_parts(inherited.take().unwrap(), &[&[2; 1 << 20]]);
        put.is_err_and(|error| *error.kind() == ErrorKind::ForkedHandle)
    });
    assert!(succeeded(child));
    let loan = inherited.unwrap();
    assert!(loan.iter().all(|&byte| byte == 1));
    loan.put().unwrap();
    Channel::remove(&name).unwrap();
}

/// Fault 58, of locks.
#[test]
fn an_inherited_lock_says_so_and_dropping_its_guard_frees_and_mends_nothing() {
    let name = name("inherited-lock");
    let open = || RwSharedMmap::named(&name).size(8).ephemeral(true).open().unwrap();
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
        let said = idle.try_write().map(drop).is_err_and(|error| forked(error.into()))
            && idle.try_read().map(drop).is_err_and(|error| forked(error.into()));
        // Dropped: what goes with its last user is the parent's to remove.
        drop(std::mem::replace(idle, RwSharedMmap::anonymous().size(8).open().unwrap()));
        said && is_taken(&mut RwSharedMmap::named(&name).open().unwrap())
    });
    assert!(succeeded(child));
    let (guard, idle) = inherited.unwrap();
    assert!(is_taken(&mut other));
    drop(guard);
    let Err(LockError::OwnerDied(guard)) = other.write() else { panic!("nobody has mended it") };
    guard.mark_consistent();
    drop(guard);
    drop(idle.write().unwrap());
    drop((held, idle, other));
}

/// Fault 57.
#[test]
fn a_child_that_outlives_its_killed_parent_keeps_no_role() {
    let name = name("outlives");
    let (mut here, there) = UnixStream::pair().unwrap();
    let parent = in_child(|| {
        let _producer = io_shared::producer::<u64>(&name).unwrap();
        let mut there = there;
        let child = in_child(|| {
            loop {
                std::thread::sleep(Duration::from_secs(60));
            }
        });
        there.write_all(&child.as_raw().to_ne_bytes()).unwrap();
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    });
    let mut child = [0; 4];
    here.read_exact(&mut child).unwrap();
    let child = Pid::from_raw(i32::from_ne_bytes(child));
    assert!(io_shared::producer::<u64>(&name).is_err());
    kill(parent, Signal::SIGKILL).unwrap();
    waitpid(parent, None).unwrap();
    let started = Instant::now();
    let successor = io_shared::producer::<u64>(&name);
    kill(child, Signal::SIGKILL).unwrap();
    successor.unwrap();
    assert!(started.elapsed() < Duration::from_millis(100));
    Channel::remove(&name).unwrap();
}

/// A child that puts 1, closes its descriptors, says so, and puts 3 and 4 when it is told that it has
/// successors: it must lose its role.
fn producer_without_descriptors(name: &str) -> (UnixStream, Pid) {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let child = in_child(|| {
        let mut first = io_shared::producer::<u64>(name).unwrap();
        first.put(&1).unwrap();
        // Everything but the socket, as a careless daemon does.
        let keep = std::os::fd::AsRawFd::as_raw_fd(&there);
        for (first, last) in [(3, keep - 1), (keep + 1, -1)] {
            // SAFETY: the descriptors are closed for good; what they belonged to is what is tested.
            let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
            assert!(closed == 0 || first > last && last >= 0);
        }
        there.write_all(&[1]).unwrap();
        there.read_exact(&mut [0]).unwrap();
        let lost = *first.put(&3).unwrap_err().kind() == ErrorKind::RoleLost
            && *first.put(&4).unwrap_err().kind() == ErrorKind::RoleLost;
        std::mem::forget(first);
        lost
    });
    here.read_exact(&mut [0]).unwrap();
    (here, child)
}

/// Fault 61.
#[test]
fn a_producer_whose_descriptors_were_closed_loses_its_role_and_its_successor_never_does() {
    let name = name("closed");
    let (mut here, child) = producer_without_descriptors(&name);
    let mut second = io_shared::producer::<u64>(&name).unwrap();
    assert_eq!(second.put(&2).unwrap(), 2);
    here.write_all(&[1]).unwrap();
    for value in 3..1000 {
        assert_eq!(second.put(&value).unwrap(), value);
    }
    assert!(succeeded(child));
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 999);
    Channel::remove(&name).unwrap();
}

/// `latest`.
fn word(name: &str) -> u64 {
    RegionFile::read(&Path::new("/dev/shm").join(&name[1..])).unwrap().word
}

/// Fault 61: `latest` is what it was, since the epoch in it has come round.
#[test]
fn a_producer_is_told_of_as_many_successors_as_there_are_epochs() {
    let name = name("epochs");
    let (mut here, child) = producer_without_descriptors(&name);
    let before = word(&name);
    for _ in 0..16 {
        drop(io_shared::producer::<u64>(&name).unwrap());
    }
    assert_eq!(word(&name), before);
    here.write_all(&[1]).unwrap();
    assert!(succeeded(child));
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 1);
    Channel::remove(&name).unwrap();
}

/// Fault 60.
#[test]
fn a_handle_outlives_the_thread_that_opened_it() {
    let name = name("thread");
    let opening = name.clone();
    let mut producer =
        std::thread::spawn(move || io_shared::producer::<u64>(&opening).unwrap()).join().unwrap();
    producer.put(&1).unwrap();
    assert!(io_shared::producer::<u64>(&name).is_err());
    Channel::remove(&name).unwrap();
}

/// Fault 59.
#[test]
fn a_program_executed_by_a_holder_holds_nothing() {
    let name = name("exec");
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let holder = || {
        let _producer = io_shared::producer::<u64>(&name).unwrap();
        there.write_all(&[1]).unwrap();
        there.read_exact(&mut [0]).unwrap();
        // What is executed says that it runs, on the one descriptor it inherits.
        let socket = nix::unistd::dup(&there).unwrap();
        let script =
            format!("echo x >&{0}; exec sleep 60", std::os::fd::AsRawFd::as_raw_fd(&socket));
        let arguments = ["sh", "-c", &script].map(|word| std::ffi::CString::new(word).unwrap());
        nix::unistd::execvp(&arguments[0], &arguments).is_ok()
    };
    let child = in_child(holder);
    drop(there); // so that its end is noticed
    let has_it = || {
        let maps = std::fs::read_to_string(format!("/proc/{child}/maps")).unwrap();
        maps.contains("/dev/shm/")
    };
    here.read_exact(&mut [0]).unwrap();
    assert!(has_it() && io_shared::producer::<u64>(&name).is_err());
    here.write_all(&[1]).unwrap();
    here.read_exact(&mut [0]).unwrap(); // from the shell: the exec is over
    assert!(!has_it());
    let successor = io_shared::producer::<u64>(&name);
    kill(child, Signal::SIGKILL).unwrap();
    waitpid(child, None).unwrap();
    successor.unwrap();
    Channel::remove(&name).unwrap();
}

/// Fault 59, by a thread that is not the first.
#[test]
fn a_program_executed_by_a_thread_of_a_holder_holds_nothing() {
    let name = name("exec-thread");
    let mut holder = Actor::start(env!("CARGO_BIN_EXE_torture"), &name, 1, Size::Large).unwrap();
    assert_eq!(holder.ask("produce"), "ok 0");
    let channel = || Channel::<Parcel>::named(&name).elements(COPIED_WORDS);
    assert!(channel().producer().is_err());
    assert_eq!(holder.ask("execute"), "ok"); // what was executed says so
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", holder.pid())).unwrap();
    assert!(!maps.contains("/dev/shm/"), "{maps}");
    channel().producer().unwrap();
    Channel::remove(&name).unwrap();
}

/// Fault 55.
#[test]
fn a_consumer_that_writes_through_its_reference_dies_alone() {
    let name = name("writes");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    producer.put(&[1; 6]).unwrap();
    let child = in_child(|| {
        let mut consumer = io_shared::consumer::<Large>(&name).unwrap();
        let guard = consumer.get().unwrap();
        // SAFETY: none: this is the accident that the read-only mapping is to stop.
        unsafe { (&raw const *guard).cast_mut().write_volatile([2; 6]) };
        true
    });
    assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Signaled(_, Signal::SIGSEGV, _)));
    producer.put(&[3; 6]).unwrap();
    assert_eq!(*io_shared::consumer::<Large>(&name).unwrap().get().unwrap(), [3; 6]);
    Channel::remove(&name).unwrap();
}

/// What a child does by itself, of whatever start: has no role of its parent's, gets what is put,
/// and lives on until it is killed.
fn lives_in_the_channel(name: &str, mut socket: &UnixStream) -> bool {
    let taken = io_shared::producer::<u64>(name)
        .is_err_and(|error| matches!(error.kind(), ErrorKind::RoleTaken { .. }));
    let mut consumer = io_shared::consumer::<u64>(name).unwrap();
    socket.write_all(&[u8::from(taken)]).unwrap();
    let value = consumer.get_timeout(Duration::from_secs(2)).map(|value| *value);
    socket.write_all(&[u8::from(value.is_ok_and(|value| value == 7))]).unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Puts for that child, kills it, and finds its slot free and the own handle untouched.
fn outlives(child: Pid, name: &str, producer: &mut Producer<u64>, mut socket: &UnixStream) {
    let mut said = [0];
    socket.read_exact(&mut said).unwrap();
    assert_eq!(said, [1], "the role is the parent's");
    producer.put(&7).unwrap();
    socket.read_exact(&mut said).unwrap();
    assert_eq!(said, [1], "the child had the value");
    assert!(io_shared::consumer::<u64>(name).is_err(), "the child has the only slot");
    kill(child, Signal::SIGKILL).unwrap();
    let started = Instant::now();
    while io_shared::consumer::<u64>(name).is_err() {
        assert!(started.elapsed() < Duration::from_secs(2), "the dead child still has its slot");
    }
    producer.put(&8).unwrap();
}

/// Fault 58, as Python's multiprocessing starts processes by `fork`.
#[test]
fn a_forked_child_opens_its_own_handle_beside_the_inherited_one() {
    let name = name("style-fork");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let child = in_child(|| {
        let forked = producer.put(&1).is_err_and(|error| *error.kind() == ErrorKind::ForkedHandle);
        forked && lives_in_the_channel(&name, &there)
    });
    drop(there); // so that its end is noticed
    outlives(child, &name, &mut producer, &here);
    waitpid(child, None).unwrap();
    Channel::remove(&name).unwrap();
}

/// Fault 58, as by `forkserver`: a server forks children that open by themselves. It has no handle,
/// or one of its own that they inherit.
#[test]
fn children_of_a_fork_server_open_their_own_handles() {
    for server_has_a_handle in [false, true] {
        let (name, own) = (name("style-server"), name("style-server-own"));
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let (socket, childs) = UnixStream::pair().unwrap();
        let server = in_child(|| {
            let mut handle = server_has_a_handle.then(|| io_shared::producer::<u64>(&own).unwrap());
            there.read_exact(&mut [0]).unwrap();
            let child = in_child(|| {
                let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
                handle.as_mut().is_none_or(|handle| handle.put(&1).is_err_and(forked))
                    && lives_in_the_channel(&name, &childs)
            });
            there.write_all(&child.as_raw().to_ne_bytes()).unwrap();
            waitpid(child, None).unwrap();
            handle.as_mut().is_none_or(|handle| handle.put(&1).is_ok())
        });
        drop((there, childs)); // so that their end is noticed
        // Opened after the server was forked, which so has nothing of it.
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        here.write_all(&[1]).unwrap();
        let mut child = [0; 4];
        here.read_exact(&mut child).unwrap();
        outlives(Pid::from_raw(i32::from_ne_bytes(child)), &name, &mut producer, &socket);
        assert!(succeeded(server));
        Channel::remove(&name).unwrap();
        let _ = Channel::remove(&own);
    }
}

/// Fault 58, as by `spawn`: fork and exec.
#[test]
fn a_spawned_program_inherits_nothing_and_opens_its_own_handle() {
    let name = name("style-spawn");
    let open = || Channel::<Parcel>::named(&name).elements(COPIED_WORDS);
    let mut producer = open().producer().unwrap();
    let mut consumer = open().consumer().unwrap();
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
    assert!(child.ask("consume").starts_with("NoSlot"));
    assert_eq!(put(1), 1);
    assert_eq!(consumer.get().unwrap().seq(), 1);
    drop(consumer);
    assert_eq!(child.ask("consume"), "ok");
    assert_eq!(put(2), 2);
    assert_eq!(child.ask("get"), "2 0");
    child.kill();
    assert_eq!(put(3), 3);
    assert_eq!(open().consumer().unwrap().get().unwrap().seq(), 3);
    Channel::remove(&name).unwrap();
}

/// Fault 58: a fork copies whatever the other threads are in the midst of.
#[test]
fn a_child_forked_while_other_threads_open_and_lock_opens_and_locks_itself() {
    let (name, lock) = (name("style-busy"), name("style-busy-lock"));
    let stop = AtomicBool::new(false);
    drop(SharedMmap::named(&lock).size(8).open().unwrap());
    let open_lock = || SharedMmap::named(&lock).open().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut shared = open_lock();
            while !stop.load(Ordering::Relaxed) {
                drop(shared.lock().unwrap());
            }
        });
        let own = format!("{name}-thread");
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
                let own = format!("{name}-{number}");
                let mut producer = io_shared::producer::<u64>(&own).unwrap();
                let mut consumer = io_shared::consumer::<u64>(&own).unwrap();
                producer.put(&number).unwrap();
                let got = *consumer.get_timeout(Duration::from_secs(2)).unwrap() == number;
                Channel::remove(&own).unwrap();
                let locked = open_lock().lock_timeout(Duration::from_secs(2)).is_ok();
                got && locked
            });
            waitpid(child, None).unwrap()
        });
        let ended: Vec<_> = children.collect();
        stop.store(true, Ordering::Relaxed);
        let failed = |status: &&WaitStatus| !matches!(status, WaitStatus::Exited(_, 0));
        assert_eq!(ended.iter().find(failed), None);
    });
    SharedMmap::remove(&lock).unwrap();
}
