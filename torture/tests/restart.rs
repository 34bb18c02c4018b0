//! Restarts after deaths: thousands of successors, PIDs that are reused, deaths that take long. The
//! numbers are those of docs/FAULTS.md.

#![allow(clippy::unwrap_used)]

mod child;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use child::{in_child, succeeds};
use io_shared::mmap::LockError;
use io_shared::{ErrorKind, Result, Shared};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use test_support::TestName;
use torture::machine;
use torture::region_file::RegionFile;

/// A value that may be half-written.
type State = Shared<[u64; 2]>;

/// Too large to be stored inline: it is held in place.
type Large = [u64; 6];

fn sleep_for_ever() {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Kills this process.
fn die() {
    let _ = raise(Signal::SIGKILL);
}

#[track_caller]
fn was_killed(child: Pid) {
    let status = waitpid(child, None).unwrap();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
}

/// Whether the lock was acquired with the news of its owner's death.
fn owner_died(state: &mut State) -> bool {
    matches!(state.write_timeout(Duration::from_secs(2)), Err(LockError::OwnerDied(_)))
}

// 13
#[test]
fn ten_thousand_producers_in_a_row_die_and_no_sequence_comes_twice() {
    let name = TestName::new("producers");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let mut last = 0;
    for round in 0..10_000 {
        was_killed(in_child(|| {
            let mut producer = io_shared::producer::<u64>(&name).unwrap();
            assert_eq!(producer.seq(), last);
            match round % 4 {
                0 => die(),
                1 => {
                    let mut loan = producer.loan().unwrap();
                    *loan = u64::MAX;
                    die();
                }
                _ => {
                    let sequence = producer.put(&(last + 1)).unwrap();
                    assert_eq!(sequence, last + 1);
                    die();
                }
            }
        }));
        if round % 4 < 2 {
            assert!(consumer.try_get().unwrap().is_none(), "round {round}");
        } else {
            last += 1;
            let value = consumer.get_timeout(Duration::from_secs(2)).unwrap();
            assert_eq!((*value, value.seq(), value.missed()), (last, last, 0), "round {round}");
        }
    }
    assert_eq!(last, 5000);
}

/// Runs `child` as the first process of its own PID namespace. Returns its parent, which ends as
/// the child does, and with which the child dies.
fn in_pid_namespace(child: impl FnOnce()) -> Pid {
    in_child(|| {
        own_pid_namespace().unwrap();
        let first = in_child(|| {
            set_pdeathsig(Signal::SIGKILL).unwrap();
            assert_eq!(std::process::id(), 1);
            child();
        });
        succeeds(first);
    })
}

/// Puts the calling process's children into their own PID namespace. Users other than root also
/// need their own user namespace for that.
fn own_pid_namespace() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWPID)
        .or_else(|_| unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID))
}

/// Whether the machine allows PID namespaces. Reports the test as not run if not.
fn has_pid_namespaces() -> bool {
    let child = in_child(|| own_pid_namespace().unwrap());
    let has = waitpid(child, None).unwrap() == WaitStatus::Exited(child, 0);
    if !has {
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: this machine does not let the test have a PID namespace"
        );
    }
    has
}

// 16
#[test]
fn a_process_with_the_same_pid_in_another_namespace_is_neither_oneself_nor_dead() {
    if !has_pid_namespaces() {
        return;
    }
    let (name, state) = (TestName::new("same-pid"), TestName::new("same-pid-state"));
    let (mut here, there) = UnixStream::pair().unwrap();
    let owner = in_pid_namespace(|| {
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        producer.put(&1).unwrap();
        let mut state = State::open(&*state).unwrap();
        let _guard = state.write().unwrap();
        (&there).write_all(b"w").unwrap();
        sleep_for_ever();
    });
    drop(there); // so that its end is noticed
    here.read_exact(&mut [0]).unwrap();
    succeeds(in_pid_namespace(|| {
        let taken = io_shared::producer::<u64>(&name).unwrap_err();
        let ErrorKind::RoleTaken { holder } = taken.kind() else { panic!("{taken}") };
        assert_eq!(holder.pid, Some(1));
        let mut state = State::open(&*state).unwrap();
        let timeout = Duration::from_millis(250);
        let error = state.write_timeout(timeout).unwrap_err().into_guard().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    }));
    kill(owner, Signal::SIGKILL).unwrap();
    was_killed(owner);
    assert_eq!(here.read(&mut [0]).unwrap(), 0, "the owner is gone");
    succeeds(in_pid_namespace(|| {
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        assert_eq!(producer.put(&2).unwrap(), 2);
        assert!(owner_died(&mut State::open(&*state).unwrap()));
    }));
}

// 16
#[test]
fn a_dead_owners_pid_in_use_again_keeps_nobody_from_what_it_had() {
    if !has_pid_namespaces() {
        return;
    }
    let (name, state) = (TestName::new("pid-reuse"), TestName::new("pid-reuse-state"));
    let take_and_die = || -> Result<()> {
        let mut producer = io_shared::producer::<Large>(&name)?;
        producer.put(&[1; 6])?;
        let mut consumer = io_shared::consumer::<Large>(&name)?;
        let _held = consumer.latest()?;
        assert_eq!(RegionFile::read(&machine::path_of(&name)).unwrap().holds(), 1);
        let mut state = State::open(&*state)?;
        let _guard = state.write().or_else(LockError::into_guard)?;
        die();
        Ok(())
    };
    let has_all = || {
        let mut producer = io_shared::producer::<Large>(&name).unwrap();
        let mut consumer = io_shared::consumer::<Large>(&name).unwrap();
        for value in 0..10 {
            producer.put(&[value; 6]).unwrap();
            assert_eq!(*consumer.get_timeout(Duration::from_secs(2)).unwrap(), [value; 6]);
        }
        assert!(owner_died(&mut State::open(&*state).unwrap()));
    };
    // The first process of a namespace may choose the PID of its next child.
    succeeds(in_pid_namespace(|| {
        let give_again = |pid: Pid| {
            std::fs::write("/proc/sys/kernel/ns_last_pid", (pid.as_raw() - 1).to_string()).unwrap();
        };
        let dead = in_child(|| take_and_die().unwrap());
        was_killed(dead);
        give_again(dead);
        let stranger = in_child(sleep_for_ever);
        assert_eq!(stranger, dead, "a stranger has its PID and lives");
        has_all();
        kill(stranger, Signal::SIGKILL).unwrap();
        was_killed(stranger);

        give_again(dead);
        let dead_too = in_child(|| take_and_die().unwrap());
        was_killed(dead_too);
        give_again(dead_too);
        let heir = in_child(has_all);
        assert_eq!(heir, dead_too, "its successor has its PID");
        succeeds(heir);
    }));
}

// 9
#[test]
fn what_a_process_had_that_dumps_core_is_had_when_it_is_gone_and_not_before() {
    let (name, state) = (TestName::new("core"), TestName::new("core-state"));
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("core-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let mut waiting = State::open(&*state).unwrap();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let victim = in_child(|| {
        const SIZE: usize = 256 << 20; // so that its death takes long
        std::env::set_current_dir(&directory).unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
        setrlimit(Resource::RLIMIT_CORE, hard.min(2 * SIZE as u64), hard).unwrap();
        let _producer = io_shared::producer::<u64>(&name).unwrap();
        let mut state = State::open(&*state).unwrap();
        let _guard = state.write().unwrap();
        let _big = std::hint::black_box(vec![1_u8; SIZE]);
        there.write_all(b"w").unwrap();
        std::process::abort();
    });
    drop(there);
    here.read_exact(&mut [0]).unwrap();
    let started = Instant::now();
    let is_gone = || {
        let memory = std::fs::read_to_string(format!("/proc/{victim}/statm")).unwrap();
        assert!(memory.starts_with("0 "), "it still has its memory: {memory}");
    };
    let (producer, guard) = std::thread::scope(|scope| {
        let locking = scope.spawn(|| {
            let guard = waiting.write_timeout(Duration::from_secs(30));
            is_gone();
            guard
        });
        let producer = loop {
            match io_shared::producer::<u64>(&name) {
                Ok(producer) => break producer,
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::RoleTaken { .. }), "{error}");
                    assert!(started.elapsed() < Duration::from_secs(30), "{error}");
                }
            }
        };
        is_gone();
        (producer, locking.join().unwrap())
    });
    println!("had after {:?}", started.elapsed());
    assert!(matches!(guard, Err(LockError::OwnerDied(_))), "{guard:?}");
    drop(producer);
    let status = waitpid(victim, None).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let WaitStatus::Signaled(_, Signal::SIGABRT, dumped) = status else { panic!("{status:?}") };
    if !dumped {
        let _ = writeln!(std::io::stderr(), "NOT RUN: this machine's limits allow no core dump");
    }
}
