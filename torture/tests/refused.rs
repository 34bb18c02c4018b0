//! Waits where the system refuses the call that they use: seccomp filters, limits on threads. No
//! wait spins, fails or panics because of it, and values still arrive. Each part runs in a forked
//! process with its own filter and usage. The producers are in another process.

#![allow(clippy::unwrap_used)]

mod child;

use std::io::{PipeWriter, Read, Write};
use std::time::{Duration, Instant};

use child::refuse::{Call, FUTEX_WAIT, FUTEX_WAITV, NANOSLEEP, POLL, THREADS, refuse};
use child::{in_child, succeeds, used};
use io_shared::{AnyConsumer, Channel, Consumer, ErrorKind, SharedMmap, wait_any};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use test_support::claims::claim_in;
use test_support::timing::{best_of_three, once_within};
use test_support::{TestFile, TestName};

const LONG: Duration = Duration::from_secs(20);
/// Less than a slice, after which any wait checks by itself.
const SOON: Duration = Duration::from_millis(60);
/// A process that puts begins after some of these.
const DELAY: Duration = Duration::from_millis(100);
/// The length of each wait without a value.
const IN_VAIN: Duration = Duration::from_millis(400);

/// What a filter may return that the call itself never does; 0: success.
const ANSWERS: [i32; 12] = [
    libc::ENOSYS,
    libc::EPERM,
    libc::EACCES,
    libc::EINVAL,
    libc::ENOTSUP,
    libc::ENOMEM,
    libc::EFAULT,
    libc::EBADF,
    libc::EINTR,
    libc::EAGAIN,
    libc::ETIMEDOUT,
    0,
];

fn names(what: &str, count: usize) -> Vec<TestName> {
    (0..count).map(|i| TestName::new(&format!("{what}-{i}"))).collect()
}

fn consumers(names: &[TestName]) -> Vec<Consumer<u64>> {
    names.iter().map(|name| io_shared::consumer(name).unwrap()).collect()
}

fn list(consumers: &[Consumer<u64>]) -> Vec<&dyn AnyConsumer> {
    consumers.iter().map(|consumer| consumer as &dyn AnyConsumer).collect()
}

/// A process that puts to all of these every 150 ms, from when it is told to until it is killed.
struct Putter(Pid, PipeWriter);

impl Putter {
    fn start(names: &[TestName]) -> Self {
        let (told, tells) = std::io::pipe().unwrap();
        let mut tells = Some(tells);
        let child = in_child(|| {
            drop(tells.take()); // so that the end of its starter is noticed
            let open = |name: &TestName| io_shared::producer::<u64>(name).unwrap();
            let mut producers: Vec<_> = names.iter().map(open).collect();
            let mut delay = [0];
            if (&told).read_exact(&mut delay).is_err() {
                return;
            }
            std::thread::sleep(DELAY * delay[0].into());
            loop {
                for producer in &mut producers {
                    producer.put(&1).unwrap();
                }
                std::thread::sleep(Duration::from_millis(150));
            }
        });
        Self(child, tells.unwrap())
    }

    /// Tells it to begin after this many times [`DELAY`]. No filter refuses this.
    fn begin_after(&self, delays: u8) {
        (&self.1).write_all(&[delays]).unwrap();
    }
}

impl Drop for Putter {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}

/// Checks that a wait without a value ends in time, and sleeps meanwhile, at the best of three.
#[track_caller]
fn sleeps(what: &str, mut wait: impl FnMut() -> ErrorKind) {
    best_of_three(|| sleeps_once(what, &mut wait));
}

fn sleeps_once(what: &str, wait: impl FnOnce() -> ErrorKind) -> Result<(), String> {
    let (before, started) = (used(), Instant::now());
    let ended = wait();
    let (took, after) = (started.elapsed(), used());
    let (busy, slept) = (after.0 - before.0, after.1 - before.1);
    assert!(matches!(ended, ErrorKind::Timeout { .. } | ErrorKind::NotFound), "{what}: {ended:?}");
    assert!(took >= IN_VAIN, "{what}: {took:?}");
    // A spinning wait would use all the time that others leave, and never sleep.
    let costs = format!("{what}: slept {slept} times, busy for {busy:?} of {took:?}");
    if took < 2 * IN_VAIN && slept >= 3 && busy < took / 4 { Ok(()) } else { Err(costs) }
}

#[test]
fn whatever_a_filter_answers_to_futex_waitv_a_wait_for_many_sleeps_and_values_come() {
    for errno in ANSWERS {
        let names = names("waitv", 3);
        succeeds(in_child(|| {
            let mut consumers = consumers(&names);
            let putter = Putter::start(&names);
            refuse(&[FUTEX_WAITV], errno);
            sleeps(&format!("errno {errno}"), || {
                wait_any(&list(&consumers), IN_VAIN).unwrap_err().kind().clone()
            });
            putter.begin_after(1);
            once_within(SOON, || {
                let ready = wait_any(&list(&consumers), LONG).unwrap();
                let ages = ready
                    .iter()
                    .map(|location| consumers[location].try_get().unwrap().unwrap().age().unwrap());
                ages.max().unwrap()
            });
            drop(putter);
        }));
    }
}

#[test]
fn where_no_thread_or_eventfd_can_be_had_a_descriptor_for_event_loops_is_refused() {
    let name = TestName::new("ready-fd");
    let eventfd = [Call(libc::SYS_eventfd2, None)];
    for (calls, errno) in [(&THREADS[..], libc::EAGAIN), (&eventfd[..], libc::EMFILE)] {
        succeeds(in_child(|| {
            let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
            refuse(calls, errno);
            let error = consumer.ready_fd().unwrap_err();
            match error.kind() {
                ErrorKind::Unsupported { what } => assert!(what.contains("thread"), "{error}"),
                ErrorKind::System { call: "eventfd", .. } => assert_eq!(errno, libc::EMFILE),
                _ => panic!("{error}"),
            }
            assert!(consumer.try_get().unwrap().is_none(), "it works without");
        }));
    }
}

#[test]
fn where_no_word_can_be_slept_for_every_wait_naps() {
    for errno in ANSWERS {
        let names = names("futex", 3);
        let (lock, missing) = (TestName::new("futex-lock"), TestName::new("futex-missing"));
        succeeds(in_child(|| {
            let mut consumers = consumers(&names);
            let mut locks = [0, 1].map(|_| SharedMmap::named(&*lock).size(8).open().unwrap());
            let [owner, contender] = &mut locks;
            let putter = Putter::start(&names);
            refuse(&[FUTEX_WAIT, FUTEX_WAITV], errno);
            sleeps(&format!("get, errno {errno}"), || {
                consumers[0].get_timeout(IN_VAIN).unwrap_err().kind().clone()
            });
            putter.begin_after(1);
            once_within(SOON, || consumers[0].get_timeout(LONG).unwrap().age().unwrap());
            drop(putter);
            for consumer in &mut consumers {
                let _ = consumer.try_get().unwrap();
            }
            sleeps(&format!("wait_any, errno {errno}"), || {
                wait_any(&list(&consumers), IN_VAIN).unwrap_err().kind().clone()
            });
            let guard = owner.lock().unwrap();
            sleeps(&format!("lock, errno {errno}"), || {
                let error: io_shared::Error = contender.lock_timeout(IN_VAIN).unwrap_err().into();
                error.kind().clone()
            });
            drop(guard);
            sleeps(&format!("open, errno {errno}"), || {
                let waiting = Channel::<[u8]>::named(&*missing).open_timeout(IN_VAIN);
                waiting.consumer().unwrap_err().kind().clone()
            });
        }));
    }
}

/// After a reboot, one process judges a file's value first, and the others wait for it.
#[test]
fn where_sleeping_is_refused_whoever_judges_a_file_is_waited_for() {
    const BOOT: u64 = 0x188;
    let path = TestFile::new("sleepless-file");
    Channel::<u64>::file(&*path).producer().unwrap().put(&1).unwrap();
    let file = std::fs::File::options().write(true).open(&*path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 16], BOOT).unwrap();
    let _producers = claim_in(&path, 1, 1);
    succeeds(in_child(|| {
        refuse(&NANOSLEEP, libc::EPERM);
        drop(Channel::<u64>::file(&*path).consumer().unwrap());
    }));
}

#[test]
fn where_sleeping_is_refused_nothing_panics_or_returns_early() {
    let (name, missing) = (TestName::new("sleepless"), TestName::new("sleepless-missing"));
    let calls: &[&[Call]] = &[&NANOSLEEP, &[NANOSLEEP, POLL].concat()];
    for (calls, errno) in calls.iter().flat_map(|calls| [(calls, libc::EPERM), (calls, 0)]) {
        succeeds(in_child(|| {
            let mut producer = io_shared::producer::<u64>(&name).unwrap();
            let viewer = || Channel::<u64>::named(&*name).consumer_name("viewer").consumer();
            let _consumer = viewer().unwrap();
            refuse(calls, errno);
            let started = Instant::now();
            let waiting = Channel::<[u8]>::named(&*missing).open_timeout(IN_VAIN);
            assert_eq!(*waiting.consumer().unwrap_err().kind(), ErrorKind::NotFound);
            producer.put(&1).unwrap();
            let untaken = producer.wait_taken(IN_VAIN).unwrap_err();
            assert!(matches!(untaken.kind(), ErrorKind::Timeout { .. }));
            assert!(started.elapsed() >= 2 * IN_VAIN);
            let taken = viewer().unwrap_err();
            let is_told = matches!(taken.kind(), ErrorKind::RoleTaken { .. });
            assert!(is_told, "it tries again for a while");
        }));
    }
}

#[test]
fn without_threads_a_wait_for_more_than_one_thread_sleeps_for_looks_at_the_rest() {
    for errno in [libc::EAGAIN, libc::EPERM, libc::ENOMEM] {
        let names = names("crowd", 200);
        succeeds(in_child(|| {
            let mut consumers = consumers(&names);
            let putter = Putter::start(&names[150..151]);
            let other = Putter::start(&names[3..4]);
            refuse(&THREADS, errno); // this refuses forks as well
            sleeps("200 consumers", || {
                wait_any(&list(&consumers), IN_VAIN).unwrap_err().kind().clone()
            });
            putter.begin_after(1);
            once_within(SOON, || {
                let ready = wait_any(&list(&consumers), LONG).unwrap();
                assert_eq!(ready.iter().collect::<Vec<_>>(), [150]);
                consumers[150].try_get().unwrap().unwrap().age().unwrap()
            });
            drop(putter);
            let _ = consumers[150].try_get().unwrap();
            other.begin_after(1);
            let ready = wait_any(&list(&consumers), LONG).unwrap();
            assert_eq!(ready.iter().collect::<Vec<_>>(), [3], "one of those that it sleeps for");
            drop(other);
        }));
    }
}

#[test]
fn without_threads_awaited_gets_look_for_themselves() {
    let names = names("awaited", 1);
    succeeds(in_child(|| {
        let mut consumer = consumers(&names).remove(0).into_async();
        let putter = Putter::start(&names);
        refuse(&THREADS, libc::EAGAIN);
        let (before, started) = (used(), Instant::now());
        putter.begin_after(6);
        drop(pollster::block_on(consumer.get()).unwrap());
        let (took, busy) = (started.elapsed(), used().0 - before.0);
        assert!(took > IN_VAIN && busy < took / 4, "busy for {busy:?} of {took:?}");
        once_within(SOON, || pollster::block_on(consumer.get()).unwrap().age().unwrap());
        drop(putter);
    }));
}

#[test]
fn the_only_waiting_thread_takes_more_than_it_sleeps_for_where_no_other_can_be_started() {
    let names = names("overfull", 200);
    succeeds(in_child(|| {
        let mut consumers: Vec<_> =
            consumers(&names).into_iter().map(Consumer::into_async).collect();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut gets: Vec<_> = consumers.iter_mut().map(|c| Box::pin(c.get())).collect();
        let mut last = gets.split_off(1);
        assert!(gets[0].as_mut().poll(&mut context).is_pending());
        let putter = Putter::start(&names);
        refuse(&THREADS, libc::EAGAIN);
        for get in &mut last {
            assert!(get.as_mut().poll(&mut context).is_pending());
        }
        let (before, started) = (used(), Instant::now());
        putter.begin_after(6);
        for get in gets.into_iter().chain(last) {
            let value = pollster::block_on(get).unwrap();
            assert!(value.age().unwrap() < LONG);
        }
        let (took, busy) = (started.elapsed(), used().0 - before.0);
        assert!(
            took > IN_VAIN / 2 && took < LONG && busy < took / 2,
            "busy for {busy:?} of {took:?}"
        );
        drop(putter);
    }));
}
