//! Buffers that consumers add when they join, in processes that have mapped the channel before.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use io_shared::{Channel, Error, ErrorKind};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use test_support::peer::{Peer, arguments};
use test_support::{TestName, eventually};

const SECONDS: Duration = Duration::from_secs(10);
const LARGE: usize = 4 << 20;

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["put without address space"] => put_without_address_space(),
        ["get without address space"] => get_without_address_space(),
        other => panic!("{other:?}"),
    }
}

/// Limits the address space of this process.
fn limit_address_space(to: Option<u64>) {
    let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
    let soft = to.unwrap_or(hard);
    setrlimit(Resource::RLIMIT_AS, soft, hard).unwrap();
}

/// How much this process has, in bytes.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

/// That at least `buffers` could not be mapped because of the limit.
fn is_no_memory(error: &Error, buffers: usize) -> bool {
    let text = error.to_string();
    matches!(error.kind(), ErrorKind::NoMemory { needed } if *needed >= (buffers * LARGE) as u64)
        && text.contains("ulimit -v")
        && text.ends_with("nothing is lost, and the next call tries again")
}

fn put_without_address_space() {
    let name = TestName::new("put-address-space");
    let channel = || Channel::<[u8]>::named(&*name);
    let mut producer = channel().capacity(LARGE).producer().unwrap();
    let mut first = channel().consumer().unwrap();
    let mut joined: Vec<_> = (0..3).map(|_| channel().consumer().unwrap()).collect();
    // Each keeps a value, so that the next ones need the buffers that were added.
    let mut kept = Vec::new();
    let mut values = 0;
    let mut message = vec![0; LARGE];
    limit_address_space(Some(address_space() + (1 << 20)));
    let refused = loop {
        values += 1;
        message.fill(values);
        if let Err(error) = producer.put(&message) {
            break error;
        }
        let consumer = &mut joined[kept.len()];
        kept.push(consumer.get_timeout(SECONDS).unwrap().into_owned());
    };
    assert!(is_no_memory(&refused, 3), "{refused}");
    let again = producer.loan_len(LARGE).unwrap_err();
    assert!(is_no_memory(&again, 3), "{again}");
    // What was there stays, for everybody.
    assert_eq!(first.latest().unwrap().unwrap()[LARGE - 1], values - 1);
    assert!(kept.iter().zip(1..).all(|(guard, value)| guard.iter().all(|byte| *byte == value)));
    // As soon as there is room, the next try works.
    limit_address_space(None);
    let seq = producer.put(&message).unwrap();
    let got = first.get_timeout(SECONDS).unwrap();
    assert!(got.seq() == seq && got.iter().all(|byte| *byte == values));
}

fn get_without_address_space() {
    let name = TestName::new("get-address-space");
    let channel = || Channel::<[u8]>::named(&*name);
    let mut producer = channel().capacity(LARGE).producer().unwrap();
    let mut first = channel().consumer().unwrap();
    let mut observer = channel().observer().unwrap();
    let mut joined: Vec<_> = (0..3).map(|_| channel().consumer().unwrap()).collect();
    let mut kept = Vec::new();
    let mut message = vec![0; LARGE];
    for (value, consumer) in (1..).zip(&mut joined) {
        message.fill(value);
        producer.put(&message).unwrap();
        kept.push(consumer.get_timeout(SECONDS).unwrap().into_owned());
    }
    message.fill(4);
    let last = producer.put(&message).unwrap();
    drop(message);
    limit_address_space(Some(address_space() + (1 << 20)));
    for error in [
        first.try_get().map(drop).unwrap_err(),
        first.get_timeout(SECONDS).map(drop).unwrap_err(),
        first.latest().map(drop).unwrap_err(),
        observer.copy().map(drop).unwrap_err(),
    ] {
        assert!(is_no_memory(&error, 3), "{error}");
    }
    limit_address_space(None);
    let got = first.try_get().unwrap().unwrap(); // it still counts as unseen
    assert!(got.seq() == last && got.iter().all(|byte| *byte == 4));
    assert_eq!(observer.copy().unwrap().unwrap().seq(), last);
}

#[test]
fn without_address_space_a_put_fails_and_the_next_one_works_when_there_is_room() {
    let started = Instant::now();
    Peer::start("peer", &["put without address space"]).end();
    assert!(started.elapsed() < SECONDS);
}

#[test]
fn without_address_space_a_get_fails_and_the_next_one_gets_that_value_when_there_is_room() {
    let started = Instant::now();
    Peer::start("peer", &["get without address space"]).end();
    assert!(started.elapsed() < SECONDS);
}

/// Bytes of a channel's mappings in this process, and how many of them are in the page table.
fn mapped(name: &TestName) -> (u64, u64) {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let inode = std::fs::metadata(name.path()).unwrap().ino().to_string();
    let (mut is_it, mut sums) = (false, (0, 0));
    let number = |words: &str| words.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
    for line in maps.lines() {
        match line.split_once(':') {
            Some(("Size", size)) if is_it => sums.0 += number(size),
            Some(("Rss", rss)) if is_it => sums.1 += number(rss),
            Some((first, _)) if !first.contains('-') => {}
            // Its addresses, access, offset, device and inode: whoever created it knew no name.
            _ => is_it = line.split_whitespace().nth(4) == Some(&inode),
        }
    }
    sums
}

#[test]
fn with_prefault_added_buffers_are_mapped_and_there_though_nothing_has_used_them() {
    type Message = [u64; 1 << 17];
    let name = TestName::new("prefault");
    let channel = || Channel::<Message>::named(&*name).prefault(true);
    let mut producer = channel().producer().unwrap();
    let before = mapped(&name);
    assert!(before.0 > 3 << 20 && before.0 == before.1, "{before:?}");
    let mut joined: Vec<_> = (0..3).map(|_| Channel::<Message>::named(&*name)).collect();
    let joined: Vec<_> = joined.drain(..).map(|channel| channel.consumer().unwrap()).collect();
    drop(joined);
    // The pool has two buffers more, of which nothing has heard yet.
    let size = || std::fs::metadata(name.path()).unwrap().len();
    assert!(size() >= before.0 + (2 << 20));
    assert_eq!(mapped(&name), before);
    let message = Box::new([7; 1 << 17]);
    eventually("the producer looks, and all of it is there", || {
        producer.put(&*message).unwrap();
        let (mapped, present) = mapped(&name);
        mapped >= size() && present == mapped
    });
    drop(producer);

    let mut consumer = channel().consumer().unwrap();
    let before = mapped(&name);
    assert_eq!(before.0, before.1);
    drop(Channel::<Message>::named(&*name).holds(8).consumer().unwrap());
    eventually("the consumer looks", || {
        assert!(consumer.try_get().is_ok());
        mapped(&name).0 > before.0
    });
    let after = mapped(&name);
    assert!(after.0 >= before.0 + (4 << 20), "{after:?} after {before:?}");
    assert_eq!(after.0, after.1, "all of it is there");
}

#[test]
fn added_buffers_of_small_values_lie_in_pages_that_are_mapped_already() {
    let name = TestName::new("small");
    let channel = || Channel::<[u8]>::named(&*name).elements(64);
    let mut producer = channel().producer().unwrap();
    let mut first = channel().consumer().unwrap();
    let inode = std::fs::metadata(name.path()).unwrap().ino().to_string();
    let mappings = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().filter(|line| line.split_whitespace().nth(4) == Some(&inode)).count()
    };
    let mut keeper = channel().holds(8).consumer().unwrap();
    let before = mappings();
    let mut kept = Vec::new();
    for value in 1..=8 {
        producer.put(&[value; 64]).unwrap();
        kept.push(keeper.try_get().unwrap().unwrap().into_owned());
        assert_eq!(*first.try_get().unwrap().unwrap(), [value; 64]);
    }
    assert!(kept.iter().zip(1..).all(|(guard, value)| **guard == [value; 64]));
    assert_eq!(mappings(), before);
    // And what follows them lies in pages of its own.
    let mut more: Vec<_> = (0..7).map(|_| channel().holds(8).consumer().unwrap()).collect();
    for (value, keeper) in (9..=64).zip((0..7).flat_map(|i| [i; 8])) {
        producer.put(&[value; 64]).unwrap();
        kept.push(more[keeper].try_get().unwrap().unwrap().into_owned());
        assert_eq!(*first.try_get().unwrap().unwrap(), [value; 64]);
    }
    assert!(kept.iter().zip(1..).all(|(guard, value)| **guard == [value; 64]));
    assert!(mappings() > before);
}
