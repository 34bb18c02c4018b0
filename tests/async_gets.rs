//! Gets that are awaited, under tokio and under an executor that knows nothing of tokio.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use io_shared::{AsyncConsumer, Channel, ErrorKind, Message, Producer};
use test_support::timing::once_within;
use test_support::{TestName, eventually};

const LONG: Duration = Duration::from_secs(60);
/// Less than a slice. At the end of a slice, a value is found without any wake-up.
const SOON: Duration = Duration::from_millis(80);

fn channel(what: &str) -> (TestName, Producer<u64>, AsyncConsumer<u64>) {
    let name = TestName::new(what);
    let producer = io_shared::producer(&name).unwrap();
    let consumer = io_shared::consumer(&name).unwrap().into_async();
    (name, producer, consumer)
}

/// A consumer that is told when its channel is removed or replaced.
fn faithful<T: Message>(name: &TestName) -> AsyncConsumer<T> {
    Channel::<T>::named(&**name).reopen(false).consumer().unwrap().into_async()
}

/// Puts `value` from another thread, once a sleeper's bit says that somebody waits.
fn put_when_awaited(
    name: &TestName,
    mut producer: Producer<u64>,
    value: u64,
) -> thread::JoinHandle<Producer<u64>> {
    let path = name.path();
    thread::spawn(move || {
        eventually("somebody waits", || is_awaited(&path));
        producer.put(&value).unwrap();
        producer
    })
}

/// Whether a channel's first consumer is marked as asleep.
fn is_awaited(path: &std::path::Path) -> bool {
    std::fs::read(path).unwrap()[0x108] != 0
}

#[test]
fn an_awaited_get_is_told_of_a_deleted_name() {
    let (name, _producer, _) = channel("deleted");
    let mut consumer = faithful::<u64>(&name);
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || tell.send(pollster::block_on(consumer.get()).map(drop)));
    eventually("it waits", || is_awaited(&name.path()));
    std::fs::remove_file(name.path()).unwrap();
    let error = told.recv_timeout(LONG).expect("it is told").unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Replaced);
}

#[test]
fn a_get_is_awaited_under_any_executor() {
    let (name, producer, mut consumer) = channel("bare");
    let producer = put_when_awaited(&name, producer, 7);
    let value = pollster::block_on(consumer.get()).unwrap();
    assert_eq!((*value, value.seq(), value.missed()), (7, 1, 0));
    drop(value);
    let mut producer = producer.join().unwrap();
    producer.put(&8).unwrap();
    assert_eq!(*pollster::block_on(consumer.get()).unwrap(), 8); // it was put before
    eventually("nobody waits any more", || !is_awaited(&name.path()));
}

#[tokio::test]
async fn tasks_of_one_thread_wait_together() {
    hand_to_and_fro().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_many_threads_wait_together() {
    hand_to_and_fro().await;
}

/// Two tasks hand each other a count.
async fn hand_to_and_fro() {
    let (there, mut pings, mut pinged) = channel("ping");
    let (_back, mut pongs, mut ponged) = channel("pong");
    let echo = tokio::spawn(async move {
        loop {
            let value = *pinged.get().await.unwrap();
            pongs.put(&value).unwrap();
            if value == 500 {
                return;
            }
        }
    });
    for value in 1..=500 {
        pings.put(&value).unwrap();
        let pong = tokio::time::timeout(LONG, ponged.get()).await.expect("no wake-up is lost");
        assert_eq!(*pong.unwrap(), value);
    }
    echo.await.unwrap();
    drop(there);
}

#[tokio::test]
async fn a_get_that_is_cancelled_takes_nothing_and_leaves_nothing() {
    let (name, mut producer, mut consumer) = channel("cancelled");
    for value in 1..=50 {
        let timed_out = tokio::time::timeout(Duration::from_millis(2), consumer.get()).await;
        assert!(timed_out.is_err());
        tokio::select! {
            biased;
            _ = consumer.get() => panic!("nothing was put"),
            () = tokio::task::yield_now() => {}
        }
        producer.put(&value).unwrap();
        // Polled once, after the value was put, and dropped without another poll.
        drop(consumer.get());
        let got = consumer.get().await.unwrap();
        assert_eq!((*got, got.missed()), (value, 0));
    }
    drop(consumer.get());
    eventually("nobody waits any more", || !is_awaited(&name.path()));
    drop(consumer);
    // Its slot is free at once as well: there is only one.
    let _next = io_shared::consumer::<u64>(&name).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_channels_are_waited_for_at_once() {
    let (names, producers): (Vec<_>, Vec<_>) = (0..200)
        .map(|i| {
            let (name, producer, consumer) = channel(&format!("crowd-{i}"));
            (name, (producer, consumer))
        })
        .unzip();
    let mut tasks = Vec::new();
    let mut putters = Vec::new();
    for (mut producer, mut consumer) in producers {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        tasks.push(tokio::spawn(async move {
            for value in 1..=5u64 {
                let got = consumer.get().await.unwrap();
                assert_eq!((*got, got.missed()), (value, 0));
                tell.send(value).unwrap();
            }
        }));
        putters.push(tokio::spawn(async move {
            for value in 1..=5u64 {
                producer.put(&value).unwrap();
                assert_eq!(told.recv().await, Some(value));
            }
        }));
    }
    let all = async {
        for task in tasks.into_iter().chain(putters) {
            task.await.unwrap();
        }
    };
    tokio::time::timeout(LONG, all).await.expect("no wake-up is lost");
    drop(names);
}

/// A waker that counts.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn the_waker_of_the_last_poll_is_woken_and_once_for_one_value() {
    let (_name, mut producer, mut consumer) = channel("wakers");
    let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let mut get = pin!(consumer.get());
    for woken in [&first, &first, &last] {
        let waker = Waker::from(Arc::clone(woken));
        assert!(get.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    producer.put(&1).unwrap();
    eventually("the last is woken", || last.0.load(SeqCst) == 1);
    producer.put(&2).unwrap();
    thread::sleep(Duration::from_millis(150));
    assert_eq!((first.0.load(SeqCst), last.0.load(SeqCst)), (0, 1));
    let Poll::Ready(value) = get.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it was woken for a value");
    };
    assert_eq!(*value.unwrap(), 2);
}

#[test]
fn a_waker_that_panics_ends_nobody_elses_wait() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a test's panic"));
        }
    }
    let (_a, mut producer, mut consumer) = channel("panics");
    let (b, other_producer, mut other) = channel("goes-on");
    let mut get = pin!(consumer.get());
    let waker = Waker::from(Arc::new(Panics));
    assert!(get.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    producer.put(&1).unwrap();
    let other_producer = put_when_awaited(&b, other_producer, 2);
    assert_eq!(*pollster::block_on(other.get()).unwrap(), 2);
    other_producer.join().unwrap();
}

#[test]
fn of_a_channel_that_another_has_taken_the_name_of_an_awaited_get_gives_nothing() {
    check(|value| value);
    check(|value| [value; 100]);
    fn check<T: Message + PartialEq + std::fmt::Debug>(value: impl Fn(u64) -> T) {
        let (name, other) = (TestName::new("left-behind"), TestName::new("successor"));
        let mut old = io_shared::producer(&name).unwrap();
        let mut consumer = io_shared::consumer::<T>(&name).unwrap().into_async();
        let mut faithful = faithful::<T>(&name);
        old.put(&value(1)).unwrap();
        io_shared::producer(&other).unwrap().put(&value(2)).unwrap();
        std::fs::rename(other.path(), name.path()).unwrap();
        // Longer than a consumer goes without checking where its name leads.
        thread::sleep(Duration::from_millis(120));
        assert_eq!(*pollster::block_on(consumer.get()).unwrap(), value(2));
        let told = pollster::block_on(faithful.get()).unwrap_err();
        assert_eq!(*told.kind(), ErrorKind::Replaced);
    }
}

#[test]
fn the_last_value_of_a_channel_that_is_gone_is_awaited_once_and_then_a_new_channel() {
    let (name, mut old, mut consumer) = channel("gone");
    let mut faithful = faithful::<u64>(&name);
    old.put(&1).unwrap();
    std::fs::remove_file(name.path()).unwrap();
    thread::sleep(Duration::from_millis(120)); // as above
    assert_eq!(*pollster::block_on(consumer.get()).unwrap(), 1);
    assert_eq!(*pollster::block_on(faithful.get()).unwrap(), 1);
    let told = pollster::block_on(faithful.get()).unwrap_err();
    assert_eq!(*told.kind(), ErrorKind::Replaced);
    assert!(pollster::block_on(within_soon(consumer.get())).is_none());
    io_shared::producer::<u64>(&name).unwrap().put(&2).unwrap();
    assert_eq!(*pollster::block_on(consumer.get()).unwrap(), 2);
}

#[test]
fn a_removed_channel_ends_the_get_unless_it_goes_on_in_a_new_one() {
    let (name, producer, _) = channel("removed");
    let mut consumer = faithful::<u64>(&name);
    let remover = thread::spawn({
        let (name, path) = (name.to_string(), name.path());
        move || {
            eventually("somebody waits", || is_awaited(&path));
            Channel::remove(&name).unwrap();
        }
    });
    let error = pollster::block_on(consumer.get()).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Replaced);
    remover.join().unwrap();
    drop((producer, consumer));

    let first = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap().into_async();
    let putter = thread::spawn({
        let (name, path) = (name.to_string(), name.path());
        move || {
            eventually("somebody waits", || is_awaited(&path));
            Channel::remove(&name).unwrap();
            drop(first);
            thread::sleep(Duration::from_millis(250)); // some slices without any channel
            let mut second = io_shared::producer::<u64>(&name).unwrap();
            second.put(&9).unwrap();
            second
        }
    });
    assert_eq!(*pollster::block_on(consumer.get()).unwrap(), 9);
    putter.join().unwrap();
}

#[test]
fn a_second_get_while_a_guard_lives_says_so() {
    let name = TestName::new("held");
    // Too large to be stored inline: inline values hold nothing.
    let mut producer = io_shared::producer::<[u64; 6]>(&name).unwrap();
    let mut consumer = io_shared::consumer::<[u64; 6]>(&name).unwrap().into_async();
    producer.put(&[1; 6]).unwrap();
    let held = pollster::block_on(consumer.get()).unwrap();
    producer.put(&[2; 6]).unwrap();
    let error = pollster::block_on(consumer.get()).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::AlreadyHeld { holds: 1 });
    drop(held);
    assert_eq!(*pollster::block_on(consumer.get()).unwrap(), [2; 6]);
}

#[test]
fn a_killed_producer_is_followed_by_its_successor() {
    let name = TestName::new("killed");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap().into_async();
    for round in 0..5u64 {
        let mut peer = test_support::peer::Peer::start("puts_and_waits", &[&name]);
        peer.expect("put");
        let got = pollster::block_on(consumer.get()).unwrap();
        assert_eq!((got.seq(), got.missed()), (round + 1, 0));
        drop(got);
        let started = Instant::now();
        let killer = thread::spawn({
            let path = name.path();
            move || {
                eventually("somebody waits", || is_awaited(&path));
                peer.kill();
            }
        });
        let got = pollster::block_on(within_soon(consumer.get()));
        assert!(got.is_none(), "nothing was put");
        killer.join().unwrap();
        assert!(started.elapsed() < LONG);
    }
}

/// A dropped task and its consumer give up the slot at once, so that the next opening succeeds.
#[test]
fn a_get_dropped_with_its_consumer_has_given_the_claim_up() {
    let (name, producer, consumer) = channel("dropped");
    drop(consumer);
    for round in 0..2000 {
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap().into_async();
        let mut get = Box::pin(consumer.get());
        assert!(get.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        if round % 2 == 0 {
            // Wait until the thread sleeps for it; otherwise it is often gone before that.
            eventually("somebody waits", || is_awaited(&name.path()));
        }
        drop(get);
        drop(consumer);
        assert_eq!(producer.connected().unwrap(), [], "round {round}");
    }
}

#[test]
fn a_waker_that_takes_long_keeps_nobody_elses_claim() {
    struct Blocks(mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>);
    impl Wake for Blocks {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
            let _ = self.1.lock().unwrap().recv_timeout(LONG);
        }
    }
    // The first waker blocks the thread until both others have a value. The second then blocks it
    // until the third was dropped.
    let channels = ["first", "second", "third"].map(channel);
    let [(_a, mut first, mut one), (_b, mut second, mut two), (_c, mut third, mut three)] =
        channels;
    let (woken, wakes) = mpsc::channel();
    let blocks = || {
        let (go_on, told) = mpsc::channel();
        (go_on, Waker::from(Arc::new(Blocks(woken.clone(), Mutex::new(told)))))
    };
    let [(go_on_1, waker_1), (go_on_2, waker_2)] = [blocks(), blocks()];
    let mut get_1 = Box::pin(one.get());
    let mut get_2 = Box::pin(two.get());
    let mut get_3 = Box::pin(three.get());
    assert!(get_1.as_mut().poll(&mut Context::from_waker(&waker_1)).is_pending());
    assert!(get_2.as_mut().poll(&mut Context::from_waker(&waker_2)).is_pending());
    assert!(get_3.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    first.put(&1).unwrap();
    wakes.recv_timeout(LONG).unwrap();
    second.put(&2).unwrap();
    third.put(&3).unwrap();
    go_on_1.send(()).unwrap();
    wakes.recv_timeout(LONG).unwrap();
    drop(get_3);
    drop(three);
    assert_eq!(third.connected().unwrap(), []);
    go_on_2.send(()).unwrap();
}

/// With `rm`, which sets no flag and wakes nobody.
#[test]
fn an_awaiting_get_is_told_of_a_name_that_was_deleted() {
    for (reopens, most) in [(false, 300), (true, 500)] {
        once_within(Duration::from_millis(most), || awaiting_get_is_told(reopens));
    }
}

/// Returns how long it took.
fn awaiting_get_is_told(reopens: bool) -> Duration {
    let name = TestName::new("deleted");
    let _old = io_shared::producer::<u64>(&name).unwrap();
    let consumer = Channel::<u64>::named(&*name).reopen(reopens).consumer().unwrap();
    let mut consumer = consumer.into_async();
    let deleter = thread::spawn({
        let path = name.path();
        move || {
            eventually("somebody waits", || is_awaited(&path));
            std::fs::remove_file(&path).unwrap();
            Instant::now()
        }
    });
    if reopens {
        let putter = thread::spawn({
            let name = name.to_string();
            move || {
                deleter.join().unwrap();
                let mut new = io_shared::producer::<u64>(&name).unwrap();
                new.put(&9).unwrap();
                (new, Instant::now())
            }
        });
        assert_eq!(*pollster::block_on(consumer.get()).unwrap(), 9);
        let (_new, put) = putter.join().unwrap();
        put.elapsed()
    } else {
        let error = pollster::block_on(consumer.get()).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Replaced);
        deleter.join().unwrap().elapsed()
    }
}

/// Returns `None` if it is still pending after [`SOON`].
async fn within_soon<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let ends = Instant::now() + SOON;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if Instant::now() >= ends => Poll::Ready(None),
        Poll::Pending => {
            let waker = context.waker().clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(10));
                waker.wake();
            });
            Poll::Pending
        }
    })
    .await
}

#[test]
fn puts_and_waits() {
    let Some(arguments) = test_support::peer::arguments() else { return };
    let mut producer = io_shared::producer::<u64>(&arguments[0]).unwrap();
    producer.put(&1).unwrap();
    test_support::peer::tell("put");
    test_support::peer::hear();
}
