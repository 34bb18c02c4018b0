//! Only a handle holds a role: no child, executed program or thread does.

#![allow(clippy::unwrap_used)]

mod child;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use child::{in_child, succeeds};
use io_shared::{Channel, ErrorKind};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use test_support::TestName;
use test_support::timing::once_within;
use torture::actor::Actor;
use torture::parcel::{COPIED_WORDS, Parcel, Size};
use torture::region_file::RegionFile;

/// Too large to be stored inline: it is read in place.
type Large = [u64; 6];

/// Fault 57.
#[test]
fn a_child_that_outlives_its_killed_parent_keeps_no_role() {
    once_within(Duration::from_millis(100), a_child_outlives_its_killed_parent);
}

/// Returns how long it took to open a successor.
fn a_child_outlives_its_killed_parent() -> Duration {
    let name = TestName::new("outlives");
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
    let took = started.elapsed();
    kill(child, Signal::SIGKILL).unwrap();
    successor.unwrap();
    took
}

/// Starts a child that puts 1, closes its descriptors and says so. When it is told that it has
/// successors it puts 3 and 4, and must be told that it lost its role.
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
        for value in [3, 4] {
            assert_eq!(*first.put(&value).unwrap_err().kind(), ErrorKind::RoleLost);
        }
        std::mem::forget(first);
    });
    here.read_exact(&mut [0]).unwrap();
    (here, child)
}

/// Fault 61.
#[test]
fn a_producer_whose_descriptors_were_closed_loses_its_role_and_its_successor_never_does() {
    let name = TestName::new("closed");
    let (mut here, child) = producer_without_descriptors(&name);
    let mut second = io_shared::producer::<u64>(&name).unwrap();
    assert_eq!(second.put(&2).unwrap(), 2);
    here.write_all(&[1]).unwrap();
    for value in 3..1000 {
        assert_eq!(second.put(&value).unwrap(), value);
    }
    succeeds(child);
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 999);
}

/// The word `latest`.
fn word(name: &TestName) -> u64 {
    RegionFile::read(&name.path()).unwrap().word
}

/// Fault 61, when the epoch in `latest` has come round to the same value.
#[test]
fn a_producer_is_told_of_as_many_successors_as_there_are_epochs() {
    let name = TestName::new("epochs");
    let (mut here, child) = producer_without_descriptors(&name);
    let before = word(&name);
    for _ in 0..16 {
        drop(io_shared::producer::<u64>(&name).unwrap());
    }
    assert_eq!(word(&name), before);
    here.write_all(&[1]).unwrap();
    succeeds(child);
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 1);
}

/// Fault 60.
#[test]
fn a_handle_outlives_the_thread_that_opened_it() {
    let name = TestName::new("thread");
    let mut producer = std::thread::scope(|scope| {
        scope.spawn(|| io_shared::producer::<u64>(&name).unwrap()).join().unwrap()
    });
    producer.put(&1).unwrap();
    assert!(io_shared::producer::<u64>(&name).is_err());
}

/// Fault 59.
#[test]
fn a_program_executed_by_a_holder_holds_nothing() {
    let name = TestName::new("exec");
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let holder = || {
        let _producer = io_shared::producer::<u64>(&name).unwrap();
        there.write_all(&[1]).unwrap();
        there.read_exact(&mut [0]).unwrap();
        // The shell says that it runs.
        nix::unistd::dup2_stdout(&there).unwrap();
        let arguments = [c"sh", c"-c", c"echo x; exec sleep 60"];
        nix::unistd::execvp(arguments[0], &arguments).unwrap();
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
}

/// Fault 59, with an exec by a thread that is not the first.
#[test]
fn a_program_executed_by_a_thread_of_a_holder_holds_nothing() {
    let name = TestName::new("exec-thread");
    let mut holder = Actor::start(env!("CARGO_BIN_EXE_torture"), &name, 1, Size::Large).unwrap();
    assert_eq!(holder.ask("produce"), "ok 0");
    let channel = || Channel::<Parcel>::named(&*name).elements(COPIED_WORDS);
    assert!(channel().producer().is_err());
    assert_eq!(holder.ask("execute"), "ok"); // what was executed says so
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", holder.pid())).unwrap();
    assert!(!maps.contains("/dev/shm/"), "{maps}");
    channel().producer().unwrap();
}

/// Fault 55.
#[test]
fn a_consumer_that_writes_through_its_reference_dies_alone() {
    let name = TestName::new("writes");
    let mut producer = io_shared::producer::<Large>(&name).unwrap();
    producer.put(&[1; 6]).unwrap();
    let child = in_child(|| {
        let mut consumer = io_shared::consumer::<Large>(&name).unwrap();
        let guard = consumer.get().unwrap();
        // SAFETY: none: this is the accident that the read-only mapping is to stop.
        unsafe { (&raw const *guard).cast_mut().write_volatile([2; 6]) };
    });
    assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Signaled(_, Signal::SIGSEGV, _)));
    producer.put(&[3; 6]).unwrap();
    assert_eq!(*io_shared::consumer::<Large>(&name).unwrap().get().unwrap(), [3; 6]);
}
