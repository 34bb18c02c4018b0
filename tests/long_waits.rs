//! Waits of over a second say once what they wait for: which name, and whether it has a producer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, Once};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use io_shared::{Channel, ErrorKind, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap, wait_any};
use test_support::{TestName, eventually};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const LONG: Duration = Duration::from_millis(1400);
/// A get checks its wait every 100 ms. This wait ends before it is reported.
const SHORT: Duration = Duration::from_millis(900);

/// The warnings in this process: each event's fields, as text.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0 += &format!("{field}={value:?}; ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        TOLD.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
}

/// The warnings about `name`.
fn told_of(name: &str) -> Vec<String> {
    TOLD.lock().unwrap().iter().filter(|told| told.contains(name)).cloned().collect()
}

/// Asserts that there was one warning, with all of these words.
#[track_caller]
fn assert_told(name: &str, words: &[&str]) {
    let told = told_of(name);
    assert!(told.len() == 1, "once of {name}: {told:#?}");
    for word in words {
        assert!(told[0].contains(word), "{word:?} in {}", told[0]);
    }
}

#[test]
fn a_get_says_that_there_is_no_producer_and_one_that_there_is() {
    listen();
    let (alone, served) = (TestName::new("alone"), TestName::new("served"));
    let _producer = io_shared::producer::<u64>(&served).unwrap();
    thread::scope(|scope| {
        for name in [&alone, &served] {
            scope.spawn(move || {
                let mut consumer = io_shared::consumer::<u64>(name).unwrap();
                assert!(consumer.get_timeout(LONG).is_err());
            });
        }
    });
    assert_told(&alone, &["producer=false", "it has no producer", "a second"]);
    assert_told(&served, &["producer=true", "its producer is running"]);
}

#[test]
fn short_waits_and_waits_in_a_row_say_nothing() {
    listen();
    let name = TestName::new("short");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    assert!(consumer.get_timeout(SHORT).is_err());
    assert!(wait_any(&[&consumer], SHORT).is_err());
    producer.put(&1).unwrap();
    assert!(producer.wait_taken(SHORT).is_err());
    assert_eq!(*consumer.get().unwrap(), 1);
    assert!(consumer.get_timeout(SHORT).is_err());
    assert_eq!(told_of(&name), [""; 0]);
}

#[test]
fn each_long_wait_says_so_and_not_the_first_alone() {
    listen();
    let name = TestName::new("each");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    for _ in 0..2 {
        assert!(consumer.get_timeout(LONG).is_err());
    }
    assert_eq!(told_of(&name).len(), 2);
}

#[test]
fn an_opening_that_waits_for_the_other_side_names_what_is_missing() {
    listen();
    let [consumed, observed, produced, mapped, shared] =
        ["consumed", "observed", "produced", "mapped", "shared"].map(TestName::new);
    fn channel(name: &TestName) -> Channel<[u8]> {
        Channel::named(&**name).open_timeout(LONG)
    }
    fn is_missing(error: io_shared::Error) {
        assert_eq!(*error.kind(), ErrorKind::NotFound);
    }
    thread::scope(|scope| {
        scope.spawn(|| is_missing(channel(&consumed).consumer().unwrap_err()));
        scope.spawn(|| is_missing(channel(&observed).observer().unwrap_err()));
        scope.spawn(|| is_missing(channel(&produced).producer().unwrap_err()));
        scope.spawn(|| {
            let mapped = UnsafeSharedMmap::named(&*mapped).open_timeout(LONG);
            is_missing(mapped.open().unwrap_err());
        });
        scope.spawn(|| {
            let shared = RwSharedMmap::named(&*shared).open_timeout(LONG);
            is_missing(shared.open().unwrap_err());
        });
    });
    for name in [&consumed, &observed, &produced, &mapped, &shared] {
        assert_told(name, &["producer=false", "not there", "is the name right?"]);
    }
}

#[test]
fn a_consumer_that_waits_for_another_shape_says_so() {
    listen();
    let name = TestName::new("shape");
    drop(io_shared::producer::<u32>(&name).unwrap());
    let error = Channel::<u64>::named(&*name).open_timeout(LONG).consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }));
    let differs = "the message: channel has <u4, this program <u8";
    assert_told(&name, &["producer=false", "another shape", differs, "`open_timeout` bounds"]);
    assert_eq!(told_of(&name)[0].matches(differs).count(), 1, "{:?}", told_of(&name));
}

#[test]
fn a_wait_for_a_channel_to_be_made_again_says_so() {
    listen();
    let name = TestName::new("again");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    Channel::remove(&name).unwrap();
    assert!(consumer.get_timeout(LONG).is_err());
    assert_told(&name, &["producer=false", "was removed"]);
}

#[test]
fn a_wait_for_a_role_says_who_has_it() {
    listen();
    let name = TestName::new("role");
    let channel = || Channel::<u64>::named(&*name);
    let _producer = channel().producer().unwrap();
    let _viewer = channel().consumer_name("viewer").consumer().unwrap();
    let _others: Vec<_> = (0..63).map(|_| channel().consumer().unwrap()).collect();
    assert!(channel().wait_for_role(SHORT).producer().is_err());
    assert!(told_of(&name).is_empty());
    let pid = format!("held by this process, {}", std::process::id());
    assert!(channel().wait_for_role(LONG).producer().is_err());
    assert_told(&name, &["the producer's role", "(`wait_for_role` bounds this wait)", &pid]);
    TOLD.lock().unwrap().retain(|told| !told.contains(&*name));
    assert!(channel().wait_for_role(LONG).consumer_name("viewer").consumer().is_err());
    assert_told(&name, &["the slot of its name", "slot 0 (viewer)"]);
    TOLD.lock().unwrap().retain(|told| !told.contains(&*name));
    assert!(channel().wait_for_role(LONG).consumer().is_err());
    assert_told(&name, &["a free slot", "64 consumers"]);
}

#[test]
fn a_wait_for_many_names_the_first_few_and_counts_the_producers() {
    listen();
    let names: Vec<_> = (0..5).map(|i| TestName::new(&format!("many-{i}"))).collect();
    let _producer = io_shared::producer::<u64>(&names[4]).unwrap();
    let consumers: Vec<_> =
        names.iter().map(|name| io_shared::consumer::<u64>(name).unwrap()).collect();
    let list: Vec<_> = consumers.iter().map(|one| one as &dyn io_shared::AnyConsumer).collect();
    assert!(wait_any(&list, LONG).is_err());
    assert_told(&names[0], &["producers=1", "channels=5", "and 2 more"]);
}

#[test]
fn an_awaited_get_says_so_though_nobody_polls_it() {
    listen();
    let name = TestName::new("awaited");
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap().into_async();
    let mut get = pin!(consumer.get());
    let mut context = Context::from_waker(Waker::noop());
    assert!(get.as_mut().poll(&mut context).is_pending());
    eventually("it is told of", || !told_of(&name).is_empty());
    assert!(get.as_mut().poll(&mut context).is_pending());
    thread::sleep(Duration::from_millis(250)); // two more slices
    assert_told(&name, &["producer=false", "it has no producer"]);
}

#[test]
fn wait_taken_names_the_consumers_that_have_not_had_it() {
    listen();
    let name = TestName::new("taken");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let _log = Channel::<u64>::named(&*name).consumer_name("log").consumer().unwrap();
    producer.put(&1).unwrap();
    assert!(producer.wait_taken(LONG).is_err());
    assert_told(&name, &["value 1", "log"]);
}

#[test]
fn a_wait_for_a_lock_names_who_has_it() {
    listen();
    let [alone, written, read] = ["lock-alone", "lock-written", "lock-read"].map(TestName::new);
    let mut owner = SharedMmap::named(&*alone).size(8).open().unwrap();
    let mut contender = SharedMmap::named(&*alone).open().unwrap();
    let [mut writer, mut waiting_reader] =
        [0, 1].map(|_| RwSharedMmap::named(&*written).size(8).open().unwrap());
    let [mut reader, mut waiting_writer] =
        [0, 1].map(|_| RwSharedMmap::named(&*read).size(8).open().unwrap());
    let (_owned, _written, _read) =
        (owner.lock().unwrap(), writer.write().unwrap(), reader.read().unwrap());
    let me = format!("this process, {}", std::process::id());
    thread::scope(|scope| {
        scope.spawn(|| assert!(contender.lock_timeout(LONG).is_err()));
        scope.spawn(|| assert!(waiting_reader.read_timeout(LONG).is_err()));
        scope.spawn(|| assert!(waiting_writer.write_timeout(LONG).is_err()));
    });
    for name in [&alone, &written, &read] {
        assert_told(name, &["the lock of", &me]);
    }
}

#[test]
fn a_wait_for_a_change_says_that_there_are_others_or_that_there_are_none() {
    listen();
    let [alone, together] = ["change-alone", "change-together"].map(TestName::new);
    let mut one = Shared::<u64>::open(&*alone).unwrap();
    let [mut here, _there] = [0, 1].map(|_| Shared::<u64>::open(&*together).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| assert!(one.wait_changed(LONG).is_err()));
        scope.spawn(|| assert!(here.wait_changed(LONG).is_err()));
    });
    assert_told(&alone, &["a write", "other handles: 0"]);
    assert_told(&together, &["a write", "other handles: 1"]);
}

#[test]
fn a_lock_that_comes_after_its_wait_was_told_of_is_had() {
    listen();
    let name = TestName::new("lock-late");
    let mut owner = SharedMmap::named(&*name).size(8).open().unwrap();
    let mut contender = SharedMmap::named(&*name).open().unwrap();
    let guard = owner.lock().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| drop(contender.lock().unwrap()));
        eventually("it is told of", || !told_of(&name).is_empty());
        drop(guard);
        waits.join().unwrap();
    });
    assert_eq!(told_of(&name).len(), 1);
}
