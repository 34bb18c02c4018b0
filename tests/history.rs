//! The values before the newest, for those that look less often than values come.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]
#![allow(clippy::print_stdout, reason = "the long run tells what it has missed")]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use io_shared::{Channel, Copied, ErrorKind, Message, Observer, Producer, Result};
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::timing::once_within;
use test_support::{PATIENCE, TestFile, TestName, eventually};

const SECONDS: Duration = Duration::from_secs(10);

/// The offsets of the number that a channel's regions share, of the number of buffers and of the
/// word of the history.
const LINE: u64 = 24;
const POOL: u64 = 0x200;
const HISTORY: u64 = 0x210;

fn word(path: &Path, at: u64) -> u64 {
    let mut bytes = [0; 8];
    std::fs::File::open(path).unwrap().read_exact_at(&mut bytes, at).unwrap();
    u64::from_le_bytes(bytes)
}

/// How many values before the newest the channel keeps.
fn kept(path: &Path) -> u64 {
    word(path, HISTORY) & 0xff
}

fn numbers<T: Message + ?Sized>(copies: impl Iterator<Item = Result<Copied<T>>>) -> Vec<u64> {
    copies.map(|copy| copy.unwrap().seq()).collect()
}

/// Puts a value of this many elements.
fn put_large(producer: &mut Producer<[u64]>, elements: usize) -> u64 {
    producer.loan_len(elements).unwrap().put().unwrap()
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["record", name] => {
            let _recorder = Channel::<[u64]>::named(*name).history(14).observer().unwrap();
            tell("asks");
            hear();
        }
        other => panic!("no such role: {other:?}"),
    }
}

#[test]
fn the_values_before_the_newest_are_there_oldest_first() {
    for elements in [1, 8, 40_000] {
        let name = TestName::new("history");
        let mut put = Channel::<[u64]>::named(&*name).elements(elements).producer().unwrap();
        let mut look = Channel::<[u64]>::named(&*name).history(14).observer().unwrap();
        let mut get = Channel::<[u64]>::named(&*name).holds(2).consumer().unwrap();
        let mut held = Vec::new();
        for seq in 1..=60_u64 {
            let mut loan = put.loan_len(elements).unwrap();
            loan.fill(seq);
            loan.tag(1000 + seq);
            assert_eq!(loan.put().unwrap(), seq);
            if seq % 7 == 0 {
                held.drain(..held.len().saturating_sub(1));
                held.push(get.get().unwrap().into_owned());
            }
            let expected: Vec<u64> = (seq.saturating_sub(14).max(1)..=seq).collect();
            let found = numbers(look.since(0));
            assert!(found.ends_with(&expected), "{found:?} of {elements}");
        }
        for copy in look.since(50) {
            let copy = copy.unwrap();
            assert!(copy.iter().all(|word| *word == copy.seq()), "{} is torn", copy.seq());
            assert_eq!((copy.missed(), copy.tag()), (0, 1000 + copy.seq()));
            assert!(copy.age().is_some());
        }
        let oldest = look.since(2).next().unwrap().unwrap();
        assert_eq!(oldest.missed(), oldest.seq() - 3, "what does not lie whole any more");
        assert!(look.since(60).next().is_none());
        assert_eq!(numbers(get.since(58)), [59, 60]);
        assert_eq!(get.last_seen(), 56, "copies do not count as seen");
        let held: Vec<u64> = held.iter().map(|guard| guard[0]).collect();
        assert_eq!(held, [49, 56], "what is held stays");
        assert_eq!(look.tagged(1050).unwrap().unwrap().seq(), 50);
        assert_eq!(get.tagged(1050).unwrap().unwrap().seq(), 50);
        assert!(look.tagged(1002).unwrap().is_none());
        assert!(look.since(61).count() >= 15, "a number of a channel that this one has replaced");
    }
}

#[test]
fn without_a_history_large_values_take_turns_in_two_buffers() {
    let name = TestName::new("history-none");
    let mut put = Channel::<[u64]>::named(&*name).elements(40_000).producer().unwrap();
    let mut look = Channel::<[u64]>::named(&*name).observer().unwrap();
    for _ in 0..20 {
        put_large(&mut put, 40_000);
    }
    assert_eq!(numbers(look.since(0)), [19, 20]);
    assert_eq!((kept(&name.path()), word(&name.path(), POOL)), (0, 3));
}

#[test]
fn within_200_ms_after_whoever_asked_was_killed_puts_are_as_they_were() {
    once_within(Duration::from_millis(200), after_whoever_asked_was_killed_puts_are_as_they_were);
}

/// Returns how long nothing was noticed of the kill.
fn after_whoever_asked_was_killed_puts_are_as_they_were() -> Duration {
    let name = TestName::new("history-killed");
    let mut put = Channel::<[u64]>::named(&*name).elements(40_000).producer().unwrap();
    let mut look = Channel::<[u64]>::named(&*name).observer().unwrap();
    let mut recorder = Peer::start("peer", &["record", &name]);
    recorder.expect("asks");
    let until = Instant::now() + Duration::from_millis(400);
    while Instant::now() < until {
        put_large(&mut put, 40_000);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(kept(&name.path()), 14, "while it lives");
    assert!(numbers(look.since(0)).len() >= 15);
    recorder.kill();
    let died = Instant::now();
    while kept(&name.path()) != 0 {
        put_large(&mut put, 40_000);
        std::thread::sleep(Duration::from_millis(1));
        assert!(died.elapsed() < PATIENCE, "it is still kept");
    }
    let took = died.elapsed();
    // From now on two buffers take turns: the others keep what they have.
    put_large(&mut put, 40_000);
    let before = numbers(look.since(0));
    for _ in 0..20 {
        put_large(&mut put, 40_000);
    }
    let after = numbers(look.since(0));
    let same = before.iter().filter(|seq| after.contains(seq)).count();
    assert!(same + 2 >= before.len(), "{before:?} and {after:?}");
    assert_eq!(word(&name.path(), POOL), 3 + 14, "the buffers stay");
    let _two = [(); 2].map(|()| Channel::<[u64]>::named(&*name).holds(7).consumer().unwrap());
    assert_eq!(word(&name.path(), POOL), 3 + 14, "and are there for consumers");
    took
}

#[test]
fn each_side_may_ask_and_the_longest_history_counts_until_all_are_gone() {
    let name = TestName::new("history-sides");
    let channel = || Channel::<u64>::named(&*name);
    let mut put = channel().history(2).producer().unwrap();
    assert_eq!((kept(&name.path()), word(&name.path(), POOL)), (2, 5));
    let get = channel().history(5).consumer().unwrap();
    assert_eq!((kept(&name.path()), word(&name.path(), POOL)), (5, 8));
    let look = channel().history(3).observer().unwrap();
    assert_eq!((kept(&name.path()), word(&name.path(), POOL)), (5, 8));
    let joined = channel().holds(8).consumer().unwrap();
    assert_eq!(word(&name.path(), POOL), 2 + 1 + 8 + 5);
    drop((get, look, joined));
    std::thread::sleep(Duration::from_millis(100));
    put.put(&1).unwrap();
    assert_eq!(kept(&name.path()), 5, "the producer itself asks");
    drop(put);
    let mut put = channel().producer().unwrap();
    eventually("nobody asks", || put.put(&1).is_ok() && kept(&name.path()) == 0);
}

#[test]
fn a_history_that_is_too_long_or_finds_no_room_is_an_error_of_whoever_asks() {
    let name = TestName::new("history-long");
    let channel = || Channel::<u64>::named(&*name);
    let mut put = channel().producer().unwrap();
    let _get = channel().holds(4).consumer().unwrap();
    let error = channel().history(250).observer().unwrap_err();
    let expected = matches!(error.kind(), ErrorKind::BadOption { option: "history", .. });
    assert!(expected && error.to_string().contains("at most 249"), "{error}");
    assert_eq!(kept(&name.path()), 0);
    channel().history(249).observer().unwrap();
    put.put(&1).unwrap();
    let error = Channel::<u64>::named(&*name).history(usize::MAX).observer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadOption { .. }), "{error}");
}

#[test]
fn a_channel_without_a_name_has_a_history_too() {
    let mut put = Channel::<u64>::anonymous().history(3).producer().unwrap();
    let descriptor = || put.as_fd().unwrap().try_clone_to_owned().unwrap();
    let mut look = Channel::<u64>::from_fd(descriptor()).history(6).observer().unwrap();
    let mut get = Channel::<u64>::from_fd(descriptor()).consumer().unwrap();
    for value in 1..=20 {
        put.put(&value).unwrap();
    }
    assert!(numbers(look.since(0)).ends_with(&(14..=20).collect::<Vec<_>>()));
    assert_eq!(*get.since(15).next().unwrap().unwrap(), 16);
}

/// Puts for long enough that the producer looks whether anybody asks for a history.
fn put_for_300_ms(producer: &mut Producer<[u64]>, elements: usize) {
    for _ in 0..60 {
        put_large(producer, elements);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_producer_asks_for_is_kept_after_its_channel_has_grown() {
    let name = TestName::new("history-own-growth");
    let channel = Channel::<[u64]>::named(&*name).growing(true).elements(2).history(3);
    let mut put = channel.clone().producer().unwrap();
    let mut look = Channel::<[u64]>::named(&*name).observer().unwrap();
    for elements in [2, 10, 100] {
        put_for_300_ms(&mut put, elements);
        assert_eq!((kept(&name.path()), word(&name.path(), POOL)), (3, 6), "{elements}");
        let last = look.copy().unwrap().unwrap().seq();
        assert!(numbers(look.since(0)).ends_with(&(last - 3..=last).collect::<Vec<_>>()));
    }
    drop(put);
    let mut put = Channel::<[u64]>::named(&*name).growing(true).elements(2).producer().unwrap();
    put_for_300_ms(&mut put, 2);
    assert_eq!(kept(&name.path()), 0, "a producer that does not ask");
}

#[test]
fn what_others_ask_for_is_kept_after_a_growth_until_they_are_gone() {
    let name = TestName::new("history-others-growth");
    let channel = Channel::<[u64]>::named(&*name).elements(2);
    let mut put = channel.clone().growing(true).producer().unwrap();
    let mut look = channel.clone().history(4).observer().unwrap();
    for elements in [2, 10, 100] {
        put_large(&mut put, elements);
    }
    // One that joins takes what a history was given that nobody asks for any more.
    let _get = Channel::<[u64]>::named(&*name).consumer().unwrap();
    assert_eq!(kept(&name.path()), 4, "one that has not followed yet");
    put_for_300_ms(&mut put, 100);
    assert_eq!(kept(&name.path()), 4, "one that has not followed yet");
    assert_eq!(numbers(look.since(59)), [60, 61, 62, 63]);
    put_for_300_ms(&mut put, 100);
    assert_eq!(kept(&name.path()), 4, "one that has followed");
    put_large(&mut put, 1000);
    drop(look);
    put_for_300_ms(&mut put, 1000);
    assert_eq!(kept(&name.path()), 0, "nobody asks");
}

#[test]
fn what_one_asks_for_that_has_not_followed_is_kept_when_others_sweep_what_is_old() {
    let name = TestName::new("history-swept");
    let channel = Channel::<[u64]>::named(&*name).elements(2);
    let mut put = channel.clone().growing(true).producer().unwrap();
    let mut look = channel.clone().history(4).observer().unwrap();
    put_large(&mut put, 10);
    // Hidden names of other tests come and go.
    let line = |path: &Path| {
        let mut bytes = [0; 8];
        let file = std::fs::File::open(path).ok()?;
        file.read_exact_at(&mut bytes, LINE).ok().map(|()| bytes)
    };
    let is_left = |path: &PathBuf| *path != name.path() && line(path) == line(&name.path());
    let directory = std::fs::read_dir(name.path().parent().unwrap()).unwrap();
    let left: Vec<_> = directory.map(|entry| entry.unwrap().path()).filter(is_left).collect();
    let [left] = &*left else { panic!("{left:?}") };
    let old = std::time::SystemTime::now() - Duration::from_secs(60);
    std::fs::File::options().write(true).open(left).unwrap().set_modified(old).unwrap();
    put_large(&mut put, 100); // a growth sweeps
    drop(put);
    let mut put = channel.growing(true).producer().unwrap();
    put_for_300_ms(&mut put, 100);
    assert_eq!(kept(&name.path()), 4, "one that has not followed yet");
    let last = put.seq();
    assert!(numbers(look.since(0)).ends_with(&(last - 4..=last).collect::<Vec<_>>()));
}

#[test]
fn a_value_with_a_tag_is_the_newest_an_older_one_or_one_that_comes() {
    let name = TestName::new("history-tagged");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    let mut get = Channel::<u64>::named(&*name).history(4).consumer().unwrap();
    for tag in 40..=45 {
        put.put_tagged(&tag, tag).unwrap();
    }
    for tag in 41..=45 {
        assert_eq!(*get.tagged_timeout(tag, Duration::ZERO).unwrap(), tag);
    }
    let error = get.tagged_timeout(7, Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("the tag 7"), "{error}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| get.tagged_timeout(50, SECONDS).map(|copy| copy.seq()));
        for tag in 46..=52 {
            std::thread::sleep(Duration::from_millis(5));
            put.put_tagged(&tag, tag).unwrap();
        }
        assert_eq!(waiting.join().unwrap().unwrap(), 11);
    });
    put.put_tagged(&1, 9).unwrap();
    put.put_tagged(&2, 9).unwrap();
    assert_eq!(*get.tagged(9).unwrap().unwrap(), 2, "the newest of several");
}

#[test]
fn at_full_speed_without_a_history_there_is_always_a_newest_value() {
    let name = TestName::new("history-full-speed");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    let mut look = Channel::<u64>::named(&*name).observer().unwrap();
    put.put_tagged(&1, 7).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                put.put_tagged(&1, 7).unwrap();
            }
        });
        let _ends = Ends(&over);
        let (mut last, end) = (1, Instant::now() + Duration::from_millis(500));
        while Instant::now() < end {
            let oldest = look.since(last - 1).next().expect("a newest value").unwrap().seq();
            assert!(oldest >= last, "{oldest} after {last}");
            last = look.tagged(7).unwrap().expect("a value with this tag").seq().max(oldest);
        }
        assert!(last > 1000, "{last} puts");
    });
}

#[test]
fn the_only_consumer_goes_on_where_it_stopped_although_there_are_buffers_of_a_history() {
    let name = TestName::new("history-resumes");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    let mut get = Channel::<u64>::named(&*name).consumer().unwrap();
    let look = Channel::<u64>::named(&*name).history(9).observer().unwrap();
    put.put(&1).unwrap();
    drop(get.get().unwrap());
    drop(get);
    let mut get = Channel::<u64>::named(&*name).consumer().unwrap();
    assert!(get.try_get().unwrap().is_none(), "it has seen that value");
    drop((get, look));
    std::thread::sleep(Duration::from_millis(100));
    put.put(&2).unwrap();
    let mut get = Channel::<u64>::named(&*name).consumer().unwrap();
    assert_eq!(get.get().unwrap().missed(), 0);
    drop(get);
    let mut get = Channel::<u64>::named(&*name).consumer().unwrap();
    assert!(get.try_get().unwrap().is_none(), "it has seen that value");
}

#[test]
fn a_file_keeps_values_before_the_newest_for_as_long_as_somebody_asks() {
    let file = TestFile::new("history-file");
    let mut put = Channel::<u64>::file(&*file).producer().unwrap();
    let mut look = Channel::<u64>::file(&*file).history(4).observer().unwrap();
    for value in 1..=9 {
        put.put(&value).unwrap();
    }
    assert!(numbers(look.since(0)).ends_with(&[5, 6, 7, 8, 9]));
    drop(put);
    let mut put = Channel::<u64>::file(&*file).producer().unwrap();
    put.put(&10).unwrap();
    assert!(numbers(look.since(0)).ends_with(&[6, 7, 8, 9, 10]), "over a restart");
}

#[test]
fn garbage_in_the_word_stops_nobody_and_is_gone_at_the_next_look() {
    let name = TestName::new("history-garbage");
    let mut put = Channel::<[u64]>::named(&*name).elements(40_000).producer().unwrap();
    let mut look = Channel::<[u64]>::named(&*name).observer().unwrap();
    let mut get = Channel::<[u64]>::named(&*name).consumer().unwrap();
    let file = OpenOptions::new().write(true).open(name.path()).unwrap();
    for garbage in [u64::MAX, 0xff, 0xff00, 1 << 63, 0x1234_5678_9abc_def0] {
        file.write_all_at(&garbage.to_le_bytes(), HISTORY).unwrap();
        for _ in 0..5 {
            let seq = put_large(&mut put, 40_000);
            assert_eq!(get.get().unwrap().seq(), seq);
            assert_eq!(numbers(look.since(seq - 1)), [seq]);
        }
        drop(Channel::<[u64]>::named(&*name).holds(2).consumer().unwrap());
        std::thread::sleep(Duration::from_millis(100));
        put_large(&mut put, 40_000);
        assert_eq!(kept(&name.path()), 0, "{garbage:#x}");
        drop(get.get().unwrap());
    }
}

/// Ends the puts also when a check fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Puts at 1 kHz until `over`; returns how many.
fn put_at_1_khz(mut put: Producer<[u64]>, elements: usize, over: &AtomicBool) -> u64 {
    let start = Instant::now();
    let mut seq = 0;
    while !over.load(Ordering::Relaxed) {
        seq += 1;
        let mut loan = put.loan_len(elements).unwrap();
        loan.fill(seq);
        loan.put().unwrap();
        let due = start + Duration::from_millis(seq);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    seq
}

/// What an observer that looks every 2 ms has of a producer of 1 kHz.
#[derive(Debug)]
struct Recorded {
    /// How many values were put.
    put: u64,
    /// How many of them it has, each whole.
    had: u64,
    /// How many it was told that it has missed.
    missed: u64,
}

/// Looks every 2 ms, for `time`. Returns the number of the last value, too.
fn record(look: &mut Observer<[u64]>, over: &AtomicBool, time: Duration) -> (u64, u64, u64) {
    let (mut last, mut had, mut missed) = (0, 0, 0);
    let _ends = Ends(over);
    let end = Instant::now() + time;
    let mut is_last = false;
    loop {
        for copy in look.since(last) {
            let copy = match copy {
                Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => break,
                copy => copy.unwrap(),
            };
            // By memcmp, so that an unoptimised test keeps up.
            let is_whole = copy[0] == copy.seq() && copy[1..] == copy[..copy.len() - 1];
            assert!(is_whole, "value {} is torn", copy.seq());
            assert_eq!(copy.seq(), last + copy.missed() + 1);
            (last, had, missed) = (copy.seq(), had + 1, missed + copy.missed());
            if !is_last && Instant::now() > end {
                break; // one that is slower than the producer always finds another value
            }
        }
        if is_last {
            return (last, had, missed);
        }
        std::thread::sleep(Duration::from_millis(2));
        if Instant::now() > end {
            over.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50)); // the last put is over
            is_last = true;
        }
    }
}

/// Records values of this many bytes for `time`.
fn record_at_1_khz(bytes: usize, time: Duration) -> Recorded {
    let (name, elements) = (TestName::new("history-1-khz"), bytes / 8);
    let put = Channel::<[u64]>::named(&*name).elements(elements).producer().unwrap();
    let mut look = Channel::<[u64]>::named(&*name).history(14).observer().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let putting = scope.spawn(|| put_at_1_khz(put, elements, &over));
        let (last, had, missed) = record(&mut look, &over, time);
        let put = putting.join().unwrap();
        assert_eq!(last, put, "the last value is there");
        println!("{bytes} bytes: {missed} missed of {put}");
        Recorded { put, had, missed }
    })
}

#[test]
fn an_observer_that_looks_every_2_ms_has_each_value_of_1_khz_or_counts_it_as_missed() {
    for bytes in [64, 1 << 20] {
        let Recorded { put, had, missed } = record_at_1_khz(bytes, Duration::from_secs(2));
        assert_eq!(missed, put - had, "what was put less what it has, of {bytes} bytes");
        assert!(put > 100 && had > 0, "{had} of {put} values of {bytes} bytes");
    }
}

/// `cargo test --release --test history -- --ignored --nocapture`, on a machine that does nothing
/// else.
#[test]
#[ignore = "takes six minutes, and needs a quiet machine"]
fn in_the_best_of_three_minutes_nothing_is_missed() {
    for bytes in [64, 1 << 20] {
        let minutes = [(); 3].map(|()| record_at_1_khz(bytes, Duration::from_secs(60)));
        for Recorded { put, had, missed } in &minutes {
            assert_eq!(*missed, put - had, "what was put less what it has, of {bytes} bytes");
        }
        let is_complete = |minute: &Recorded| minute.had == minute.put;
        assert!(minutes.iter().any(is_complete), "{bytes} bytes: {minutes:?}");
    }
}
