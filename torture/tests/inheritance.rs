//! Claims and forks at the wrong moment, and whom a refusal names.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;
#[path = "../../tests/common/mod.rs"]
mod common;

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use child::{in_child, succeeds};
use common::{TestName, eventually};
use io_shared::{Channel, ErrorKind};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// The descriptors of a channel that this process has.
fn descriptors_of(name: &TestName) -> Vec<i32> {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    descriptors
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == name.path()))
        .map(|entry| entry.file_name().to_string_lossy().parse().unwrap())
        .collect()
}

#[test]
fn a_child_forked_while_a_handle_is_opened_keeps_no_claim_of_it() {
    let (stop, pause) = (AtomicBool::new(false), AtomicBool::new(false));
    let null = std::fs::File::open("/dev/null").unwrap();
    let (mut rounds, mut kept) = (0, Vec::new());
    let forks = std::thread::scope(|scope| {
        let forker = scope.spawn(|| {
            let (mut children, mut forks) = (std::collections::VecDeque::<Pid>::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                if pause.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                    continue;
                }
                children.push_back(in_child(|| std::thread::sleep(Duration::from_secs(60))));
                forks += 1;
                // They live on while the rounds that they were forked in are over.
                if children.len() > 100 {
                    bury(children.pop_front().unwrap());
                }
            }
            children.into_iter().for_each(bury);
            forks
        });
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline {
            rounds += 1;
            let name = TestName::new("fork");
            drop(io_shared::producer::<u64>(&name).unwrap());
            let producer = io_shared::producer::<u64>(&name).unwrap();
            // As the kernel does when this process is killed.
            for descriptor in descriptors_of(&name) {
                // SAFETY: the descriptor stays open, and is the producer's alone, which makes no
                // other use of it than to lose its role.
                unsafe { libc::dup2(null.as_raw_fd(), descriptor) };
            }
            if io_shared::producer::<u64>(&name).is_err() {
                // A child that has not run since its fork gives it back when it does; the others
                // must not be buried before it is seen which of the two this is.
                pause.store(true, Ordering::Relaxed);
                let patience = Instant::now() + Duration::from_secs(1);
                kept.extend(
                    std::iter::repeat_with(|| io_shared::producer::<u64>(&name).err())
                        .find(|error| error.is_none() || Instant::now() > patience)
                        .flatten(),
                );
                pause.store(false, Ordering::Relaxed);
            }
            drop(producer);
        }
        stop.store(true, Ordering::Relaxed);
        forker.join().unwrap()
    });
    assert!(kept.is_empty(), "{} of {rounds} openings, {forks} forks: {:?}", kept.len(), kept[0]);
    assert!(rounds > 10 && forks > 10, "{rounds} openings, {forks} forks");
}

/// What another library locks over each fork, so that a child finds what it guards whole.
static LOCKED_OVER_FORKS: AtomicBool = AtomicBool::new(false);
static FORK_WAITS: AtomicBool = AtomicBool::new(false);

extern "C" fn lock_before_fork() {
    FORK_WAITS.store(true, Ordering::SeqCst);
    while LOCKED_OVER_FORKS.swap(true, Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

extern "C" fn unlock_after_fork() {
    LOCKED_OVER_FORKS.store(false, Ordering::SeqCst);
}

#[test]
fn who_opens_under_a_lock_that_a_fork_waits_for_does_not_wait_for_that_fork() {
    let (name, lock) = (TestName::new("fork-waits"), TestName::new("fork-waits-lock"));
    // In a process of its own, whose handlers are nobody else's.
    succeeds(in_child(|| {
        nix::unistd::alarm::set(5); // instead of a hang
        let unlock = Some(unlock_after_fork as unsafe extern "C" fn());
        // SAFETY: the handlers use atomics alone, and stay as long as this program.
        let registered = unsafe { libc::pthread_atfork(Some(lock_before_fork), unlock, unlock) };
        assert_eq!(registered, 0);
        let producer = io_shared::producer::<u64>(&name).unwrap();
        LOCKED_OVER_FORKS.store(true, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let forker = scope.spawn(|| in_child(|| std::thread::sleep(Duration::from_secs(60))));
            while !FORK_WAITS.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let consumer = io_shared::consumer::<u64>(&name).unwrap();
            drop(Channel::<u64>::named(&*name).observer().unwrap());
            drop(io_shared::SharedMmap::named(&*lock).size(8).open().unwrap());
            unlock_after_fork();
            let child = forker.join().unwrap();
            // The child was forked after that, and keeps none of it.
            drop((producer, consumer));
            drop(io_shared::producer::<u64>(&name).unwrap());
            drop(io_shared::consumer::<u64>(&name).unwrap());
            bury(child);
        });
    }));
}

fn bury(child: Pid) {
    kill(child, Signal::SIGKILL).unwrap();
    waitpid(child, None).unwrap();
}

#[test]
fn an_inherited_observer_says_so() {
    let name = TestName::new("observer");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&1).unwrap();
    let mut observer = Channel::<u64>::named(&*name).observer().unwrap();
    succeeds(in_child(|| {
        assert_eq!(*observer.copy().unwrap_err().kind(), ErrorKind::ForkedHandle);
        let mut own = Channel::<u64>::named(&*name).observer().unwrap();
        assert_eq!(*own.copy().unwrap().unwrap(), 1);
    }));
    assert_eq!(*observer.copy().unwrap().unwrap(), 1);
}

#[test]
fn who_is_refused_the_role_is_told_of_its_owner_and_not_of_a_dead_predecessor() {
    let name = TestName::new("owner");
    let mut predecessor = None;
    let dead = in_child(|| {
        predecessor = Some(io_shared::producer::<u64>(&name).unwrap());
    });
    succeeds(dead);
    let owner = in_child(|| {
        // It lingers at the first crash point after the claim, for minutes.
        static WORD: AtomicU32 = AtomicU32::new(0);
        io_shared_core::crash_point::record(&WORD, u32::MAX);
        drop(io_shared::producer::<u64>(&name));
    });
    let mut holder = None;
    eventually("the owner has the role", || {
        holder = match io_shared::producer::<u64>(&name) {
            Err(error) => match error.kind() {
                ErrorKind::RoleTaken { holder } => holder.pid,
                other => panic!("{other:?}"),
            },
            // It was faster, and gives the role back.
            Ok(_) => None,
        };
        holder.is_some()
    });
    bury(owner);
    assert_eq!(holder, Some(owner.as_raw() as u32));
}
