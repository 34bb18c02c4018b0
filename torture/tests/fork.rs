//! Fork, exec, threads and descriptors: claims belong to handles, and to nobody who inherits one.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

fn name(what: &str) -> String {
    format!("/test-{what}-{}", std::process::id())
}

/// Runs `child` in a forked process, which exits with its result and runs no destructors.
fn in_child(child: impl FnOnce() -> bool) -> Pid {
    // SAFETY: the child runs `child` and _exit alone; the locks that it needs (malloc's, which
    // glibc keeps usable in a forked child, and none of the test harness's) are free.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(i32::from(!ok)) }
        }
    }
}

fn succeeded(child: Pid) -> bool {
    waitpid(child, None).unwrap() == WaitStatus::Exited(child, 0)
}

#[test]
fn an_inherited_handle_says_so_and_dropping_it_harms_nobody() {
    let name = name("inherited");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let guard = consumer.get().unwrap().into_owned();
    let mut inherited = Some((producer, consumer, guard));
    let child = in_child(|| {
        let (mut producer, mut consumer, guard) = inherited.take().unwrap();
        let forked = |error: io_shared::Error| *error.kind() == ErrorKind::ForkedHandle;
        let said = producer.put(&2).is_err_and(forked)
            && producer.loan().is_err()
            && producer.consumers().is_err_and(forked)
            && consumer.try_get().is_err_and(forked)
            && consumer.latest().is_err_and(forked)
            && consumer.has_producer().is_err_and(forked);
        // Descriptors of the child's own may have the numbers of the closed claims by now.
        let own: Vec<_> = (0..8).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        drop((guard, producer, consumer));
        let untouched = own.iter().all(|file| file.metadata().is_ok());
        let taken = io_shared::producer::<u64>(&name)
            .is_err_and(|error| matches!(error.kind(), ErrorKind::RoleTaken { .. }));
        let other = format!("{name}-child");
        let own = io_shared::producer::<u64>(&other).and_then(|mut own| own.put(&1)).is_ok();
        Channel::remove(&other).unwrap();
        said && untouched && taken && own
    });
    assert!(succeeded(child));
    let (mut producer, mut consumer, guard) = inherited.unwrap();
    // The parent's hold is still a hold.
    for value in 2..100 {
        producer.put(&value).unwrap();
        assert_eq!(*guard, 1);
    }
    assert_eq!(*consumer.get().unwrap_err().kind(), ErrorKind::AlreadyHeld { holds: 1 });
    drop(guard);
    assert_eq!(*consumer.get().unwrap(), 99);
    Channel::remove(&name).unwrap();
}

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

#[test]
fn a_producer_whose_descriptors_were_closed_loses_its_role_and_its_successor_never_does() {
    let name = name("closed");
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let child = in_child(|| {
        let mut first = io_shared::producer::<u64>(&name).unwrap();
        first.put(&1).unwrap();
        // Everything but the socket, as a careless daemon does.
        let keep = std::os::fd::AsRawFd::as_raw_fd(&there);
        for descriptor in (3..256).filter(|descriptor| *descriptor != keep) {
            // SAFETY: the descriptors are closed for good; what they belonged to is what is tested.
            unsafe { libc::close(descriptor) };
        }
        there.write_all(&[1]).unwrap();
        there.read_exact(&mut [0]).unwrap(); // the successor has put
        let lost = *first.put(&3).unwrap_err().kind() == ErrorKind::RoleLost
            && *first.put(&4).unwrap_err().kind() == ErrorKind::RoleLost;
        std::mem::forget(first);
        lost
    });
    here.read_exact(&mut [0]).unwrap();
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

#[test]
fn a_program_executed_by_a_holder_holds_nothing() {
    let name = name("exec");
    let (mut here, there) = UnixStream::pair().unwrap();
    let child = in_child(|| {
        let _producer = io_shared::producer::<u64>(&name).unwrap();
        let mut there = there;
        there.write_all(&[1]).unwrap();
        there.read_exact(&mut [0]).unwrap();
        // What is executed says that it runs, on the one descriptor it inherits.
        let socket = nix::unistd::dup(&there).unwrap();
        let script =
            format!("echo x >&{0}; exec sleep 60", std::os::fd::AsRawFd::as_raw_fd(&socket));
        let arguments = ["sh", "-c", &script].map(|word| std::ffi::CString::new(word).unwrap());
        nix::unistd::execvp(&arguments[0], &arguments).is_ok()
    });
    here.read_exact(&mut [0]).unwrap();
    assert!(io_shared::producer::<u64>(&name).is_err());
    here.write_all(&[1]).unwrap();
    here.read_exact(&mut [0]).unwrap(); // from the shell: the exec is over
    let successor = io_shared::producer::<u64>(&name);
    kill(child, Signal::SIGKILL).unwrap();
    waitpid(child, None).unwrap();
    successor.unwrap();
    Channel::remove(&name).unwrap();
}

#[test]
fn a_consumer_that_writes_through_its_reference_dies_alone() {
    let name = name("writes");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let child = in_child(|| {
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        let guard = consumer.get().unwrap();
        // SAFETY: none: this is the accident that the read-only mapping is to stop.
        unsafe { (&raw const *guard).cast_mut().write_volatile(2) };
        true
    });
    assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Signaled(_, Signal::SIGSEGV, _)));
    producer.put(&3).unwrap();
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 3);
    Channel::remove(&name).unwrap();
}
