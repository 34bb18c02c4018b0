//! Waiting for many channels in hard cases: under load, without futex_waitv, over forks, with
//! producers that die. And what it costs while nothing comes. Each part runs in a separate process,
//! with its own usage and late finds.

#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "it has figures to show")]

mod child;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use child::refuse::{FUTEX_WAITV, refuse};
use child::{in_child, is_killed, succeeds};
use io_shared::{AnyConsumer, Channel, Consumer, ErrorKind, Producer, wait_any};
use io_shared_core::crash_point::{self, CrashPoint};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use test_support::TestName;
use test_support::timing::{best_of_three, once_within};

const LONG: Duration = Duration::from_secs(20);
const SLICE: Duration = Duration::from_millis(100);
/// What a loaded machine may add to what is promised.
const MARGIN: Duration = Duration::from_millis(100);

/// The names of one test's channels.
struct Channels(Vec<TestName>);

impl Channels {
    fn new(what: &str, count: usize) -> Self {
        Self((0..count).map(|_| TestName::new(what)).collect())
    }

    fn producers(&self) -> Vec<Producer<u64>> {
        self.0.iter().map(|name| io_shared::producer(name).unwrap()).collect()
    }

    fn consumers(&self) -> Vec<Consumer<u64>> {
        let open = |name: &TestName| Channel::named(&**name).reopen(false).consumer();
        self.0.iter().map(|name| open(name).unwrap()).collect()
    }
}

fn list(consumers: &[Consumer<u64>]) -> Vec<&dyn AnyConsumer> {
    consumers.iter().map(|consumer| consumer as &dyn AnyConsumer).collect()
}

/// How futex_waitv is refused, as by old kernels and by seccomp filters that do not know it.
/// `refused.rs` tries other answers.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    None,
    With(i32),
}

impl Refusal {
    const ALL: [Self; 3] = [Self::None, Self::With(libc::ENOSYS), Self::With(libc::EACCES)];

    /// Refuses the call in this thread and all later ones.
    fn install(self) {
        let Self::With(errno) = self else { return };
        refuse(&[FUTEX_WAITV], errno);
        // SAFETY: with no words and no addresses nothing is read.
        let refused = unsafe { libc::syscall(libc::SYS_futex_waitv, 0, 0, 0, 0, 0) };
        assert_eq!(
            (refused, std::io::Error::last_os_error().raw_os_error()),
            (-1, Some(errno)),
            "the filter holds"
        );
    }
}

/// Runs `test` in a process for each refusal.
fn however_refused(test: impl Fn(Refusal)) {
    for refusal in Refusal::ALL {
        succeeds(in_child(|| {
            refusal.install();
            test(refusal);
        }));
    }
}

// 66
#[test]
fn without_futex_waitv_the_results_are_the_same() {
    let channels = Channels::new("same", 300);
    however_refused(|_| {
        for count in [1, 2, 127, 128, 300] {
            let mut producers = channels.producers();
            let mut consumers = channels.consumers();
            let producers = &mut producers[..count];
            let consumers = &mut consumers[..count];
            once_within(3 * SLICE, || {
                let started = Instant::now();
                let error = wait_any(&list(consumers), Duration::from_millis(30)).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
                let took = started.elapsed();
                assert!(took >= Duration::from_millis(30), "{took:?}");
                took
            });
            for location in [0, count / 2, count - 1] {
                let ready = thread::scope(|scope| {
                    let putter = scope.spawn(|| {
                        thread::sleep(Duration::from_millis(5));
                        producers[location].put(&7).unwrap();
                    });
                    let ready = wait_any(&list(consumers), LONG).unwrap();
                    putter.join().unwrap();
                    ready
                });
                assert_eq!(ready.iter().collect::<Vec<_>>(), [location]);
                let value = consumers[location].try_get().unwrap().unwrap();
                assert_eq!(*value, 7);
            }
            Channel::remove(&channels.0[0]).unwrap();
            assert!(wait_any(&list(consumers), LONG).unwrap().contains(0));
            assert_eq!(*consumers[0].try_get().unwrap_err().kind(), ErrorKind::Replaced);
        }
    });
}

/// How often this thread has slept.
fn sleeps() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).unwrap().voluntary_context_switches()
}

// 66
#[test]
fn without_futex_waitv_an_interrupt_ends_a_wait_within_a_slice_and_a_value_at_once() {
    let channels = Channels::new("interrupts", 2);
    however_refused(|refusal| {
        let mut producers = channels.producers();
        let mut consumers = channels.consumers();
        let stop = consumers[0].interrupter();
        let interrupted = |consumers: &mut [Consumer<u64>], any: bool| {
            let (error, took) = thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let error = match any {
                        true => wait_any(&list(consumers), LONG).unwrap_err(),
                        false => consumers[0].get_timeout(LONG).map(drop).unwrap_err(),
                    };
                    (error, Instant::now())
                });
                thread::sleep(Duration::from_millis(7)); // mostly it sleeps by then
                let started = Instant::now();
                stop.interrupt();
                let (error, ended) = waiter.join().unwrap();
                (error, ended - started)
            });
            assert_eq!(*error.kind(), ErrorKind::Interrupted, "{refusal:?}: {error}");
            took
        };
        once_within(SLICE + MARGIN, || interrupted(&mut consumers, false));
        once_within(SLICE + MARGIN, || interrupted(&mut consumers, true));
        let mut ages: Vec<Duration> = (0..21)
            .map(|value| {
                thread::scope(|scope| {
                    scope.spawn(|| {
                        thread::sleep(Duration::from_millis(7));
                        producers[0].put(&value).unwrap();
                    });
                    consumers[0].get_timeout(LONG).unwrap().age().unwrap()
                })
            })
            .collect();
        ages.sort_unstable();
        println!("{refusal:?}: woken after {:?}, at most {:?}", ages[10], ages[20]);
        assert!(ages[10] < Duration::from_millis(20), "{refusal:?}: {ages:?}");
        // It sleeps on, rather than look every millisecond.
        let before = sleeps();
        assert!(consumers[0].get_timeout(Duration::from_millis(500)).is_err());
        let slept = sleeps() - before;
        assert!(slept < 50, "{refusal:?}: slept {slept} times in 500 ms");
    });
}

/// The last value of a channel under load.
const LAST: u64 = u64::MAX;

/// Some threads put to all channels at random, `puts` times together, and `wait` gets until it has
/// seen the last value of each. No value may be found only because a slice has ended; but a machine
/// that stands still for as long makes it look so, which three times in turn it does not.
fn load(channels: &Channels, puts: u64, mut wait: impl FnMut(Vec<Consumer<u64>>)) {
    best_of_three(|| match late_finds_under_load(channels, puts, &mut wait) {
        0 => Ok(()),
        late => Err(format!("{late} values found only as a slice ended")),
    });
}

fn late_finds_under_load(
    channels: &Channels,
    puts: u64,
    wait: impl FnOnce(Vec<Consumer<u64>>),
) -> u64 {
    let before = crash_point::late_finds();
    let consumers = channels.consumers();
    let mut producers = channels.producers();
    let threads = 3;
    let share = producers.len().div_ceil(threads);
    thread::scope(|scope| {
        for (seed, producers) in producers.chunks_mut(share).enumerate() {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed as u64);
                for put in 0..puts / threads as u64 {
                    producers[random.usize(..producers.len())].put(&put).unwrap();
                    // From puts without a pause to pauses in which everybody sleeps.
                    match random.u32(..4) {
                        0 => {}
                        1 => (0..random.u32(..2000)).for_each(|_| std::hint::spin_loop()),
                        _ => thread::sleep(Duration::from_micros(random.u64(..400))),
                    }
                }
                producers.iter_mut().for_each(|producer| drop(producer.put(&LAST)));
            });
        }
        wait(consumers);
    });
    crash_point::late_finds() - before
}

#[test]
fn no_wake_up_is_lost_under_load() {
    for count in [2, 20, 300] {
        let channels = Channels::new("load", count);
        however_refused(|refusal| {
            let started = Instant::now();
            let mut gets = 0;
            load(&channels, 9_000, |mut consumers| {
                let mut left = count;
                while left > 0 {
                    let ready = wait_any(&list(&consumers), LONG).unwrap();
                    for location in &ready {
                        gets += 1;
                        let value = *consumers[location].try_get().unwrap().unwrap();
                        left -= usize::from(value == LAST);
                    }
                }
            });
            println!("{count} channels, {refusal:?}: {gets} gets in {:.1?}", started.elapsed());
        });
    }
}

#[test]
fn no_wake_up_is_lost_by_the_waiting_threads() {
    for count in [1, 20, 200] {
        let channels = Channels::new("tasks", count);
        however_refused(|_| {
            load(&channels, 3_000, |consumers| {
                thread::scope(|scope| {
                    // One thread for each is the simplest executor.
                    for consumer in consumers {
                        let mut consumer = consumer.into_async();
                        scope.spawn(
                            move || {
                                while *pollster::block_on(consumer.get()).unwrap() != LAST {}
                            },
                        );
                    }
                });
            });
        });
    }
}

/// The processor time of this process, and how often it went to sleep.
fn usage() -> Usage {
    getrusage(UsageWho::RUSAGE_SELF).unwrap()
}

/// Checks the share of a core that `wait` takes, and its wake-ups per second, at the best of three:
/// the cores that other programs have used are cold, and cost it more.
fn costs_at_most(share: f64, wakes: f64, what: &str, mut wait: impl FnMut(Duration)) {
    best_of_three(|| match cost(what, &mut wait) {
        (had, woke) if had < share && woke <= wakes => Ok(()),
        costs => Err(format!("{costs:?}")),
    });
}

/// What `wait` costs in a second: the share of a core, and wake-ups.
fn cost(what: &str, wait: impl FnOnce(Duration)) -> (f64, f64) {
    let before = usage();
    let time = Duration::from_secs(2);
    wait(time);
    let after = usage();
    let micros = |usage: &Usage| {
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
    };
    let share = (micros(&after) - micros(&before)) as f64 / time.as_micros() as f64;
    let wakes = after.voluntary_context_switches() - before.voluntary_context_switches();
    let wakes = wakes as f64 / time.as_secs_f64();
    println!("{what}: {:.3} % of a core, {wakes} wake-ups a second", share * 100.0);
    (share, wakes)
}

fn wait_in_vain(consumers: &[Consumer<u64>], time: Duration) {
    assert!(wait_any(&list(consumers), time).is_err());
}

#[test]
fn waiting_while_nothing_comes_costs_next_to_nothing() {
    for count in [1, 3, 127] {
        let channels = Channels::new("idle", count);
        succeeds(in_child(|| {
            let consumers = channels.consumers();
            let what = format!("one thread waiting for {count}");
            // For 127 channels there are 127 names to check in each slice. A wait that also checks
            // in between costs 2 % and more.
            let share = if count <= 3 { 0.005 } else { 0.02 };
            costs_at_most(share, 20.0, &what, |time| wait_in_vain(&consumers, time));
        }));
    }
    let channels = Channels::new("idle-task", 3);
    succeeds(in_child(|| {
        let mut consumers: Vec<_> =
            channels.consumers().into_iter().map(Consumer::into_async).collect();
        costs_at_most(0.005, 20.0, "a waiting thread with 3 gets", |time| {
            let mut gets: Vec<_> = consumers.iter_mut().map(|c| Box::pin(c.get())).collect();
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            for get in &mut gets {
                assert!(get.as_mut().poll(&mut context).is_pending());
            }
            thread::sleep(time);
        });
        // With nothing to wait for it sleeps for ever; the rest is this thread's own sleep.
        thread::sleep(Duration::from_millis(20));
        costs_at_most(1.0, 2.0, "a waiting thread with none", thread::sleep);
    }));
    // The cost of the fallback is printed and bounded.
    succeeds(in_child(|| {
        Refusal::With(libc::ENOSYS).install();
        let consumers = channels.consumers();
        let what = "without futex_waitv, for 3";
        costs_at_most(0.1, f64::MAX, what, |time| wait_in_vain(&consumers, time));
    }));
}

// 1, 3
#[test]
fn a_value_whose_producer_died_before_it_woke_anybody_is_found_within_a_slice() {
    let channels = Channels::new("dies", 3);
    let _living =
        [&channels.0[0], &channels.0[2]].map(|name| io_shared::producer::<u64>(name).unwrap());
    let mut consumers = channels.consumers();
    // Returns how old the value was that `wait` has got, of a producer that dies.
    let dies_in_a_wait = |wait: &mut dyn FnMut() -> Duration| {
        let victim = in_child(|| {
            let mut producer = io_shared::producer::<u64>(&channels.0[1]).unwrap();
            crash_point::kill_self_at(CrashPoint::PutPublished, 0);
            thread::sleep(Duration::from_millis(30));
            let _ = producer.put(&7);
        });
        let age = wait();
        is_killed(victim);
        age
    };
    let mut wait = || {
        let ready = wait_any(&list(&consumers), LONG).unwrap();
        assert_eq!(ready.iter().collect::<Vec<_>>(), [1]);
        consumers[1].try_get().unwrap().unwrap().age().unwrap()
    };
    once_within(SLICE + MARGIN, || dies_in_a_wait(&mut wait));
    let mut tasks: Vec<_> = consumers.into_iter().map(Consumer::into_async).collect();
    let mut wait = || pollster::block_on(tasks[1].get()).unwrap().age().unwrap();
    once_within(SLICE + MARGIN, || dies_in_a_wait(&mut wait));
}

// 58
#[test]
fn a_forked_child_waits_by_threads_of_its_own() {
    let channels = Channels::new("fork", 150);
    let own = Channels::new("fork-own", 150);
    let _producers = channels.producers();
    let mut consumers = channels.consumers();
    let mut last = consumers.pop().unwrap().into_async();
    let forks_over = AtomicU64::new(0);
    // While the parent forks, its waiting threads work, and start and stop waiting.
    thread::scope(|scope| {
        let (consumers, forks_over) = (&consumers, &forks_over);
        scope.spawn(move || {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            while forks_over.load(Relaxed) == 0 {
                let mut get = Box::pin(last.get());
                assert!(get.as_mut().poll(&mut context).is_pending());
            }
        });
        scope.spawn(move || {
            while forks_over.load(Relaxed) == 0 {
                wait_in_vain(consumers, Duration::from_millis(3));
            }
        });
        for _ in 0..20 {
            succeeds(in_child(|| {
                let forked = wait_any(&list(consumers), LONG).unwrap_err();
                assert_eq!(*forked.kind(), ErrorKind::ForkedHandle);
                let mut producers = own.producers();
                let mut consumers = own.consumers();
                wait_in_vain(&consumers, Duration::from_millis(10));
                let mut last = consumers.pop().unwrap().into_async();
                thread::scope(|scope| {
                    scope.spawn(|| {
                        thread::sleep(Duration::from_millis(5));
                        producers[149].put(&7).unwrap();
                    });
                    assert_eq!(*pollster::block_on(last.get()).unwrap(), 7);
                });
            }));
        }
        forks_over.store(1, Relaxed);
    });
}

#[test]
fn a_get_awaited_over_a_fork_says_so_and_dropping_it_harms_nobody() {
    let channels = Channels::new("over", 1);
    let mut producer = io_shared::producer::<u64>(&channels.0[0]).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&channels.0[0]).unwrap().into_async();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut get = Some(Box::pin(consumer.get()));
    assert!(get.as_mut().unwrap().as_mut().poll(&mut context).is_pending());
    succeeds(in_child(|| {
        let mut get = get.take().unwrap();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(Err(error)) = get.as_mut().poll(&mut context) else {
            panic!("an inherited handle");
        };
        assert_eq!(*error.kind(), ErrorKind::ForkedHandle);
        drop(get);
    }));
    producer.put(&7).unwrap();
    assert_eq!(*pollster::block_on(get.unwrap()).unwrap(), 7);
}
