//! Claims and forks at the wrong moment, and the holders that a refusal names.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use child::{in_child, succeeds};
use io_shared::{Channel, ErrorKind};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use test_support::claims::descriptors_of;
use test_support::{TestName, eventually};

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
                // They outlive the rounds in which they were forked.
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
                // A child that has not run since its fork releases the claim when it runs. Pause,
                // so that no child is buried before it is clear whether that is the reason.
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

/// Another library locks this over each fork, so that its data is consistent in the child.
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
fn an_opener_with_a_lock_that_a_fork_waits_for_does_not_wait_for_that_fork() {
    let (name, lock) = (TestName::new("fork-waits"), TestName::new("fork-waits-lock"));
    // In a separate process, so that no other test gets its handlers.
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
            // The child was forked after that and keeps none of it.
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

/// A fork that runs no handlers: glibc's, if it has one, or the kernel's.
#[derive(Debug, Clone, Copy)]
enum Handlerless {
    GlibcFork,
    RawClone,
}

impl Handlerless {
    /// As [`in_child`], with this fork.
    fn in_child(self, child: impl FnOnce()) -> Option<Pid> {
        let forked = match self {
            Self::GlibcFork => {
                // SAFETY: the name ends in a NUL.
                let fork = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_Fork".as_ptr()) };
                if fork.is_null() {
                    child::not_run("this libc has no _Fork");
                    return None;
                }
                // SAFETY: POSIX's `pid_t _Fork(void)`.
                let fork: extern "C" fn() -> libc::pid_t = unsafe { std::mem::transmute(fork) };
                fork()
            }
            Self::RawClone => {
                // SAFETY: without a stack of its own, and sharing nothing, the child is a fork's.
                let forked = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
                forked as libc::pid_t
            }
        };
        if forked == 0 {
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(i32::from(ran.is_err())) }
        }
        assert!(forked > 0);
        Some(Pid::from_raw(forked))
    }
}

/// Too large to be stored inline: it is read in place.
type Large = [u64; 6];

#[track_caller]
fn is_forked<T>(result: io_shared::Result<T>) {
    assert_eq!(*result.err().expect("it is the parent's").kind(), ErrorKind::ForkedHandle);
}

#[test]
fn a_child_forked_without_handlers_is_told_of_whatever_it_inherited() {
    for how in [Handlerless::GlibcFork, Handlerless::RawClone] {
        // Forked from a process with one thread, because no handler frees malloc's locks in such a
        // child.
        succeeds(in_child(|| tells_of_whatever_is_inherited(how)));
    }
}

fn tells_of_whatever_is_inherited(how: Handlerless) {
    let [name, own, lock] = ["bare", "bare-own", "bare-lock"].map(TestName::new);
    let channel = || Channel::<Large>::named(&*name).consumers(3);
    let mut producer = channel().producer().unwrap();
    producer.put(&[1; 6]).unwrap();
    let mut consumer = channel().consumer().unwrap();
    let mut awaiting = channel().consumer().unwrap().into_async();
    let guard = channel().consumer().unwrap().get().unwrap().into_owned();
    let mut observer = channel().observer().unwrap();
    let open_lock = || io_shared::RwSharedMmap::named(&*lock).size(8).open().unwrap();
    let (mut idle, mut locked) = (open_lock(), open_lock());
    let mut held = Some((guard, locked.write().unwrap()));
    let mut loan = Some(producer.loan().unwrap());
    if let Some(child) = how.in_child(|| is_forked(loan.take().unwrap().put())) {
        succeeds(child);
    }
    let Some(child) = how.in_child(|| {
        nix::unistd::alarm::set(5); // instead of a hang
        is_forked(producer.put(&[2; 6]));
        is_forked(producer.loan());
        is_forked(producer.connected());
        is_forked(consumer.try_get());
        is_forked(consumer.get());
        is_forked(consumer.get().and_then(|value| value.to_copy()));
        is_forked(consumer.latest());
        is_forked(consumer.has_producer());
        is_forked(io_shared::wait_any(&[&consumer], Duration::from_secs(1)));
        is_forked(observer.copy());
        is_forked(idle.try_write().map(drop).map_err(io_shared::Error::from));
        is_forked(idle.try_read().map(drop).map_err(io_shared::Error::from));
        is_forked(pollster::block_on(awaiting.get()));
        // Drops release, unlock and close nothing that belongs to the parent.
        drop(held.take());
        assert!(matches!(channel().producer().unwrap_err().kind(), ErrorKind::RoleTaken { .. }));
        let mut shared = open_lock();
        let busy = shared.try_write().map(drop).map_err(io_shared::Error::from);
        assert_eq!(*busy.unwrap_err().kind(), ErrorKind::WouldBlock);
        // The child's own handles work.
        let mut producer = io_shared::producer::<Large>(&own).unwrap();
        let mut consumer = io_shared::consumer::<Large>(&own).unwrap();
        producer.put(&[3; 6]).unwrap();
        assert_eq!(*consumer.get().unwrap(), [3; 6]);
        // They do not work in its own child either, which the handler tells.
        succeeds(in_child(|| is_forked(producer.put(&[4; 6]))));
        succeeds(how.in_child(|| is_forked(producer.put(&[4; 6]))).unwrap());
        producer.put(&[5; 6]).unwrap();
    }) else {
        return;
    };
    succeeds(child);
    let (guard, written) = held.take().unwrap();
    for value in 2..100 {
        producer.put(&[value; 6]).unwrap();
        assert_eq!(*guard, [1; 6]);
    }
    assert_eq!(*consumer.get().unwrap(), [99; 6]);
    assert_eq!(*pollster::block_on(awaiting.get()).unwrap(), [99; 6]);
    drop(written);
    drop(idle.write().unwrap());
}

/// What [RATIONALE.md](../../docs/RATIONALE.md) says of such a child.
#[test]
fn a_child_forked_without_handlers_keeps_its_killed_parents_roles_while_it_lives() {
    let name = TestName::new("bare-keeps");
    let (mut here, mut there) = std::io::pipe().unwrap();
    let parent = in_child(|| {
        let _producer = io_shared::producer::<u64>(&name).unwrap();
        let sleep = || std::thread::sleep(Duration::from_secs(60));
        let child = Handlerless::RawClone.in_child(sleep).unwrap();
        there.write_all(&child.as_raw().to_ne_bytes()).unwrap();
        sleep();
    });
    let mut child = [0; 4];
    here.read_exact(&mut child).unwrap();
    bury(parent);
    assert!(io_shared::producer::<u64>(&name).is_err());
    kill(Pid::from_raw(i32::from_ne_bytes(child)), Signal::SIGKILL).unwrap();
    eventually("the role is free", || io_shared::producer::<u64>(&name).is_ok());
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
fn an_opener_that_is_refused_the_role_is_told_of_its_owner_and_not_of_a_dead_predecessor() {
    let name = TestName::new("owner");
    let mut predecessor = None;
    let dead = in_child(|| {
        predecessor = Some(io_shared::producer::<u64>(&name).unwrap());
    });
    succeeds(dead);
    let owner = in_child(|| {
        // It lingers for minutes at the first crash point after the claim.
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
            // It was faster, and releases the role.
            Ok(_) => None,
        };
        holder.is_some()
    });
    bury(owner);
    assert_eq!(holder, Some(owner.as_raw() as u32));
}
