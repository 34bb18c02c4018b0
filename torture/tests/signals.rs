//! Interruptions: signals at a high rate, wake-ups by strangers, the death of a process with many
//! threads. Faults 56, 62 and 63.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod child;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use child::{in_child, succeeds, used};
use io_shared::{AnyConsumer, Channel, ErrorKind, Interrupter, SharedMmap, wait_any};
use memmap2::MmapOptions;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use test_support::timing::{best_of_three, in_time};
use test_support::{TestName, eventually};

// 56. On some kernels a signal does not end fallocate; there this shows little.
#[test]
fn signals_at_any_rate_do_not_keep_a_channel_from_being_created() {
    extern "C" fn ignore(_: libc::c_int) {}
    let name = TestName::new("signals");
    let (mut here, there) = UnixStream::pair().unwrap();
    let creator = in_child(|| {
        let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        (&there).write_all(&[1]).unwrap();
        Channel::<[u8]>::named(&*name).capacity("100M").producer().unwrap();
    });
    drop(there); // so that its end is noticed
    here.read_exact(&mut [0]).unwrap();
    let started = std::time::Instant::now();
    let ended = loop {
        match waitpid(creator, Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::StillAlive => kill(creator, Signal::SIGUSR1).unwrap(),
            ended => break ended,
        }
        if started.elapsed() > Duration::from_secs(20) {
            kill(creator, Signal::SIGKILL).unwrap();
        }
        std::thread::sleep(Duration::from_micros(300));
    };
    assert_eq!(ended, WaitStatus::Exited(creator, 0), "after {:?}", started.elapsed());
}

static SIGNALS: AtomicU64 = AtomicU64::new(0);

/// Sends this process SIGALRM 1,000 times a second, which ends system calls.
fn start_alarms() {
    extern "C" fn count(_: libc::c_int) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }
    let action = SigAction::new(SigHandler::Handler(count), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler adds to an atomic word.
    unsafe { sigaction(Signal::SIGALRM, &action) }.unwrap();
    let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the timer is read, and nothing is written back.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

/// Checks a wait of `length` that nothing ends early: it ends in time, sleeps between wake-ups, and
/// wakes no more often than it is woken, at the best of three.
fn waits_exactly(length: Duration, what: &str, mut wait: impl FnMut() -> ErrorKind) {
    best_of_three(|| waits_once(length, what, &mut wait));
}

fn waits_once(
    length: Duration,
    what: &str,
    wait: impl FnOnce() -> ErrorKind,
) -> Result<(), String> {
    let (signals, before, started) = (SIGNALS.load(Ordering::Relaxed), used(), Instant::now());
    let ended = wait();
    let (took, after) = (started.elapsed(), used());
    let signals = SIGNALS.load(Ordering::Relaxed) - signals;
    let (busy, sleeps) = (after.0 - before.0, after.1 - before.1);
    let costs = format!("{what}: {took:?}, {signals} signals, {busy:?} busy, {sleeps} sleeps");
    println!("{costs}");
    assert!(matches!(ended, ErrorKind::Timeout { .. } | ErrorKind::NotFound), "{ended:?}, {costs}");
    assert!(took >= length, "{costs}");
    // It wakes for a signal or for its own checks. Except for the first few, these are at least a
    // millisecond apart.
    assert!(sleeps.cast_unsigned() <= signals + took.as_millis() as u64 + 50, "{costs}");
    let is_in_time = took < length + Duration::from_millis(100);
    if is_in_time && signals > 50 && busy < took / 4 { Ok(()) } else { Err(costs) }
}

/// Fault 56.
#[test]
fn a_thousand_signals_a_second_end_no_wait_early_nor_make_it_spin() {
    let (name, lock) = (TestName::new("alarms"), TestName::new("alarms-lock"));
    let missing = TestName::new("alarms-missing");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut owner = SharedMmap::named(&*lock).size(8).open().unwrap();
    let guard = owner.lock().unwrap();
    let (mut here, there) = UnixStream::pair().unwrap();
    let waiter = in_child(|| {
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        let mut contender = SharedMmap::named(&*lock).open().unwrap();
        start_alarms();
        let length = Duration::from_millis(350);
        waits_exactly(length, "get_timeout", || {
            consumer.get_timeout(length).unwrap_err().kind().clone()
        });
        waits_exactly(length, "lock_timeout", || {
            let error: io_shared::Error = contender.lock_timeout(length).unwrap_err().into();
            error.kind().clone()
        });
        waits_exactly(length, "open_timeout", || {
            let waiting = Channel::<[u8]>::named(&*missing).open_timeout(length);
            waiting.consumer().unwrap_err().kind().clone()
        });
        // It gets a value that comes meanwhile.
        (&there).write_all(&[1]).unwrap();
        assert_eq!(*consumer.get().unwrap(), 5);
        // Signals do not shorten a producer's wait for its consumers either.
        let mut producer = Channel::<u64>::anonymous().producer().unwrap();
        let idle = producer.as_fd().unwrap().try_clone_to_owned().unwrap();
        let _idle = Channel::<u64>::from_fd(idle).consumer().unwrap();
        producer.put(&1).unwrap();
        waits_exactly(length, "wait_taken", || {
            producer.wait_taken(length).unwrap_err().kind().clone()
        });
    });
    drop(there); // so that its end is noticed
    if here.read_exact(&mut [0]).is_ok() {
        std::thread::sleep(Duration::from_millis(50));
        producer.put(&5).unwrap();
    }
    succeeds(waiter);
    drop(guard);
}

/// Fault 63.
#[test]
fn a_stranger_that_keeps_waking_a_consumer_delivers_nothing_and_costs_a_look_each() {
    let name = TestName::new("stranger");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.put(&4).unwrap();
    let (mut here, there) = UnixStream::pair().unwrap();
    let stop = AtomicBool::new(false);
    let woken = AtomicU64::new(0);
    let file = std::fs::File::options().read(true).write(true).open(name.path()).unwrap();
    let map = MmapOptions::new().len(4096).map_raw(&file).unwrap();
    let word = map.as_mut_ptr().wrapping_add(0x80).expose_provenance();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: the kernel takes the address for a key, and writes nothing.
                let woke = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, 1) };
                woken.fetch_add(woke.cast_unsigned(), Ordering::Relaxed);
            }
        });
        let sleeper = in_child(|| {
            let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
            assert_eq!(*consumer.get().unwrap(), 4); // and no value after that
            let length = Duration::from_millis(500);
            best_of_three(|| {
                let (before, started) = (used(), Instant::now());
                let error = consumer.get_timeout(length).unwrap_err();
                let (took, after) = (started.elapsed(), used());
                assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
                assert!(took >= length, "{took:?}");
                let (busy, sleeps) = (after.0 - before.0, after.1 - before.1);
                println!("woken {sleeps} times in {took:?}: {busy:?} busy");
                // After a wake-up it checks and sleeps again, and does not spin each time.
                let each = busy / u32::try_from(sleeps.max(1)).unwrap();
                let is_cheap = sleeps > 100 && each < Duration::from_micros(100);
                let said = format!("{each:?} for each of {sleeps} wake-ups");
                in_time(took, length + Duration::from_millis(100))?;
                if is_cheap { Ok(()) } else { Err(said) }
            });
            (&there).write_all(&[1]).unwrap();
            let value = consumer.get().unwrap();
            assert_eq!((*value, value.seq(), value.missed()), (5, 2, 0));
        });
        drop(there); // so that nobody waits for it if it fails
        let slept = here.read_exact(&mut [0]);
        std::thread::sleep(Duration::from_millis(20));
        producer.put(&5).unwrap();
        let ended = waitpid(sleeper, None).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(ended, WaitStatus::Exited(sleeper, 0));
        slept.unwrap();
    });
    assert!(woken.load(Ordering::Relaxed) > 100, "the stranger woke it");
}

/// Fault 62.
#[test]
fn nothing_is_written_by_the_threads_of_a_killed_producer_once_its_role_is_had() {
    const LENGTH: usize = 1 << 20;
    let name = TestName::new("threads");
    let open = || Channel::<[u8]>::named(&*name).capacity(LENGTH as u64);
    let mut written = 0;
    for round in 0..20u64 {
        let (mut here, there) = UnixStream::pair().unwrap();
        let victim = in_child(|| {
            let mut producer = open().producer().unwrap();
            let mut loan = producer.loan_len(LENGTH).unwrap();
            (&there).write_all(&[1]).unwrap();
            std::thread::scope(|scope| {
                for part in loan.chunks_mut(LENGTH / 4) {
                    scope.spawn(|| {
                        let mut value = 0u8;
                        loop {
                            value = value.wrapping_add(1);
                            part.fill(std::hint::black_box(value));
                        }
                    });
                }
            });
        });
        drop(there);
        here.read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(5 + round % 7));
        kill(victim, Signal::SIGKILL).unwrap();
        // Not after its end, but as soon as the role is free.
        let deadline = Instant::now() + Duration::from_secs(2);
        let successor = loop {
            match open().producer() {
                Ok(successor) => break successor,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        let first = std::fs::read(name.path()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let second = std::fs::read(name.path()).unwrap();
        assert!(first == second, "round {round}: written to after the take-over");
        written += usize::from(first.iter().filter(|byte| **byte != 0).count() > LENGTH / 2);
        drop(successor);
        waitpid(victim, None).unwrap();
    }
    assert!(written > 10, "the threads were writing in {written} of 20 rounds");
}

/// As C and Python wait, whose signal handlers run once the wait has returned.
#[test]
fn one_signal_ends_one_wait_for_many_consumers_and_no_later_wait_of_any() {
    extern "C" fn ignore(_: libc::c_int) {}
    let names = [(); 3].map(|()| TestName::new("one-signal"));
    let (mut here, there) = UnixStream::pair().unwrap();
    let waiter = in_child(|| {
        let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        let mut consumers =
            [0, 1, 2].map(|place: usize| io_shared::consumer::<u64>(&names[place]).unwrap());
        // Not of the first: its waits end by no signal.
        consumers[1..].iter().for_each(io_shared::binding::end_waits_at_signals);
        let list = [0, 1, 2].map(|place: usize| &consumers[place] as &dyn AnyConsumer);
        (&there).write_all(&[1]).unwrap();
        let error = wait_any(&list, Duration::from_secs(5)).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Interrupted);
        for consumer in &mut consumers {
            let error = consumer.get_timeout(Duration::from_millis(1)).map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
        }
    });
    drop(there); // so that its end is noticed
    here.read_exact(&mut [0]).unwrap();
    eventually("it sleeps", || std::fs::read(names[2].path()).unwrap()[0x108] != 0);
    std::thread::sleep(Duration::from_millis(20)); // in the kernel
    kill(waiter, Signal::SIGUSR1).unwrap();
    succeeds(waiter);
}

static HANDLED: AtomicBool = AtomicBool::new(false);
static HANDLERS: OnceLock<Interrupter> = OnceLock::new();

/// Ctrl-C sends SIGINT to the process, and the kernel chooses the thread.
#[test]
fn a_handler_that_sets_a_flag_and_interrupts_ends_a_blocked_get_within_10_ms() {
    extern "C" fn interrupt(_: libc::c_int) {
        HANDLED.store(true, Ordering::SeqCst);
        if let Some(stop) = HANDLERS.get() {
            stop.interrupt();
        }
    }
    let name = TestName::new("handler");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    HANDLERS.set(consumer.interrupter()).unwrap();
    // Handlers with SA_RESTART are the hard case: the kernel goes on with the sleep.
    let action =
        SigAction::new(SigHandler::Handler(interrupt), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler stores a flag and interrupts.
    unsafe { sigaction(Signal::SIGINT, &action) }.unwrap();
    let is_awaited = || std::fs::read(name.path()).unwrap()[0x108] != 0;
    let mut ends: Vec<Duration> = (0..21)
        .map(|_| {
            HANDLED.store(false, Ordering::SeqCst);
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let error = consumer.get().map(drop).unwrap_err();
                    assert_eq!(*error.kind(), ErrorKind::Interrupted);
                    assert!(HANDLED.load(Ordering::SeqCst), "the handler has run");
                    Instant::now()
                });
                eventually("it sleeps", is_awaited);
                let sent = Instant::now();
                kill(Pid::this(), Signal::SIGINT).unwrap();
                waiter.join().unwrap() - sent
            })
        })
        .collect();
    ends.sort_unstable();
    println!("ended after {:?}, at most {:?}", ends[10], ends[20]);
    assert!(ends[10] < Duration::from_millis(10), "{ends:?}");
}
