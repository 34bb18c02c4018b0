//! Producers that give their channel a larger capacity, and die on the way, find no room, or may
//! not: others find the old channel or the larger one, whole.

#![allow(clippy::unwrap_used)]

mod child;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, chown};
use std::path::Path;
use std::time::{Duration, SystemTime};

use child::{NOBODY, become_user, in_child, is_killed, is_root, may_mount, mount_shm, succeeds};
use io_shared::{Channel, Consumer, ErrorKind, Observer, Producer};
use io_shared_core::crash_point::{CrashPoint, kill_self_at};
use nix::sys::signal::{Signal, kill};
use test_support::{TestName, eventually};
use torture::machine;

const SECONDS: Duration = Duration::from_secs(10);
const SMALL: usize = 16;
const LARGE: usize = 100;

fn channel(name: &str) -> Channel<[u64]> {
    Channel::<[u64]>::named(name).elements(SMALL).growing(true).reopen(true)
}

/// Gets a value, which must be whole. Returns its number, its length, and how many were missed.
fn get(consumer: &mut Consumer<[u64]>) -> (u64, usize, u64) {
    let value = consumer.get_timeout(SECONDS).unwrap();
    assert!(value.iter().all(|word| *word == value.seq()), "value {} is torn", value.seq());
    (value.seq(), value.len(), value.missed())
}

/// The number that all regions of a channel share, as the file at `path` says.
fn line(path: &Path) -> Option<[u8; 8]> {
    let mut line = [0; 8];
    File::open(path).and_then(|file| file.read_exact_at(&mut line, 24)).ok()?;
    Some(line)
}

/// The hidden files of larger regions of this channel.
fn hidden(name: &str) -> Vec<String> {
    let own = line(&machine::path_of(name)).unwrap();
    let mut hidden = machine::objects(".io-shared.");
    hidden.retain(|hidden| line(&machine::path_of(hidden)) == Some(own));
    hidden
}

// 102
#[test]
fn a_producer_dead_at_any_point_of_a_growth_leaves_the_old_channel_or_the_larger_one_whole() {
    use CrashPoint::*;
    let creates = [RegionSized, RegionWritten, RegionClaimed];
    let before_rename = [ExchangeLinked, ExchangeLocked, ExchangeHandedOver];
    let points: Vec<_> = creates.iter().chain(CrashPoint::EXCHANGES).copied().collect();
    for point in points {
        let name = TestName::new("growth-dies");
        let mut consumer = channel(&name).consumer().unwrap();
        let mut observer: Observer<[u64]> = channel(&name).observer().unwrap();
        let sleeper = in_child(|| {
            let mut consumer = channel(&name).consumer_name("sleeper").consumer().unwrap();
            assert_eq!(get(&mut consumer), (1, SMALL, 0));
            assert_eq!(get(&mut consumer), (2, LARGE, 0));
        });
        let victim = in_child(|| {
            let mut producer = channel(&name).producer().unwrap();
            producer.put(&[1; SMALL]).unwrap();
            producer.wait_taken(Duration::from_millis(100)).unwrap_err(); // the parent's
            kill_self_at(point, 0);
            producer.put(&[2; LARGE]).unwrap();
        });
        is_killed(victim);
        let is_larger = matches!(point, ExchangeRenamed | ExchangeRetired);
        let added = hidden(&name);
        assert_eq!(added.len(), usize::from(before_rename.contains(&point)), "{point:?}");

        assert_eq!(get(&mut consumer), (1, SMALL, 0), "{point:?}");
        assert!(consumer.try_get().unwrap().is_none(), "{point:?}: once");
        assert_eq!(observer.copy().unwrap().unwrap().seq(), 1, "{point:?}");
        let mut successor = channel(&name).producer().unwrap();
        assert_eq!(successor.seq(), 1, "{point:?}");
        assert_eq!(successor.capacity(), if is_larger { 1024 } else { 128 }, "{point:?}");
        assert_eq!(hidden(&name), [""; 0], "{point:?}: the next producer sweeps at once");
        assert_eq!(successor.put(&[2; LARGE]).unwrap(), 2, "{point:?}");
        assert_eq!(get(&mut consumer), (2, LARGE, 0), "{point:?}");
        succeeds(sleeper);
        assert_eq!(observer.copy().unwrap().unwrap().len(), LARGE, "{point:?}");
        successor.put(&[3; 10 * LARGE]).unwrap();
        assert_eq!(get(&mut consumer), (3, 10 * LARGE, 0), "{point:?}");
        assert_eq!(hidden(&name), [""; 0], "{point:?}");
    }
}

// 102
#[test]
fn producers_killed_at_any_instant_while_they_grow_lose_no_value_and_tear_none() {
    let mut random = fastrand::Rng::new();
    for _ in 0..60 {
        let name = TestName::new("growth-killed");
        let mut consumer = channel(&name).consumer().unwrap();
        let (mut last, mut restarts) = (0, 0);
        while restarts < 10 {
            let producer = in_child(|| {
                let mut producer = channel(&name).producer().unwrap();
                // A value of each length up to the next power of two, and over it.
                let mut words = producer.capacity() as usize / 8;
                loop {
                    words = if words > 1 << 14 { 1 } else { words + words / 3 + 1 };
                    let sequence = producer.seq() + 1;
                    producer.put(&vec![sequence; words]).unwrap();
                }
            });
            let struck = SystemTime::now() + Duration::from_micros(random.u64(0..4000));
            while SystemTime::now() < struck {
                if let Some(value) = consumer.try_get().unwrap() {
                    assert!(value.iter().all(|word| *word == value.seq()), "a torn value");
                    assert!(value.seq() > last, "{} after {last}", value.seq());
                    assert_eq!(value.missed(), value.seq() - last - 1);
                    last = value.seq();
                }
            }
            kill(producer, Signal::SIGKILL).unwrap();
            is_killed(producer);
            restarts += 1;
        }
        let mut producer = channel(&name).producer().unwrap();
        assert!(producer.seq() >= last);
        let next = producer.put(&vec![producer.seq() + 1; 1 << 15]).unwrap();
        loop {
            let (sequence, length, _) = get(&mut consumer);
            if sequence == next {
                assert_eq!(length, 1 << 15);
                break;
            }
        }
    }
}

// 103
#[test]
fn where_there_is_no_room_for_both_a_put_fails_and_the_channel_goes_on() {
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=1m");
        let name = "/grows-in-vain";
        let mut producer = channel(name).producer().unwrap();
        let mut consumer = channel(name).consumer().unwrap();
        let free = || nix::sys::statvfs::statvfs("/dev/shm").unwrap().blocks_free();
        let words = |kibibytes: usize| vec![1; kibibytes * 128];
        producer.put(&words(64)).unwrap();
        drop(consumer.get_timeout(SECONDS).unwrap());
        let forget = |producer: &mut Producer<[u64]>| {
            std::thread::sleep(Duration::from_millis(100));
            producer.put(&words(1)).unwrap();
        };
        forget(&mut producer); // of the first region
        let left = free();
        for _ in 0..3 {
            let error = producer.put(&words(257)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
            let error = producer.loan_len(1 << 20).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
            assert_eq!(free(), left, "what was reserved is given back");
            let sequence = producer.put(&words(64)).unwrap();
            assert_eq!(consumer.get_timeout(SECONDS).unwrap().seq(), sequence);
        }
        assert_eq!(hidden(name), [""; 0]);
        // The old memory is freed once the last consumer has followed.
        let mut filler = File::create("/dev/shm/filler").unwrap();
        let both = 4 * (64 + 128) * 1024 + 64 * 1024;
        while free() * 4096 + 4 * 64 * 1024 > both {
            filler.write_all(&[1; 4096]).unwrap();
        }
        producer.put(&words(65)).unwrap();
        let during = free();
        drop(consumer.get_timeout(SECONDS).unwrap());
        forget(&mut producer);
        assert!(free() * 4096 >= during * 4096 + 3 * 64 * 1024, "{during} {}", free());
    }));
}

// 106
#[test]
fn whatever_was_written_over_a_channel_its_growth_is_an_error_or_a_channel() {
    let mut random = fastrand::Rng::with_seed(99);
    let (mut grown, mut refused) = (0, 0);
    for _ in 0..400 {
        let name = TestName::new("growth-damaged");
        let mut producer = channel(&name).producer().unwrap();
        let mut consumer = channel(&name).consumer().unwrap();
        producer.put(&[1; SMALL]).unwrap();
        drop(consumer.get_timeout(SECONDS).unwrap());
        let file = File::options().write(true).open(name.path()).unwrap();
        for _ in 0..random.usize(1..9) {
            // From `latest` on to the end of the first buffers' headers.
            let parts = [0x80..0x400, 0x2380..0x2400, 0x3000..0x3200];
            let part = random.usize(0..parts.len());
            let at = random.u64(parts[part].clone());
            file.write_all_at(&[random.u8(..)], at).unwrap();
        }
        match producer.put(&[2; LARGE]) {
            Ok(_) => grown += 1,
            Err(_) => refused += 1,
        }
        // Whatever it says, it says so in time.
        let _ = consumer.get_timeout(Duration::from_millis(1)).map(|value| value.len());
        let _ = channel(&name).observer().and_then(|mut observer| observer.copy());
    }
    assert!(grown > 0 && refused > 0, "{grown} {refused}");
    // A length that its producer did not write.
    let name = TestName::new("growth-length");
    let mut producer = channel(&name).producer().unwrap();
    producer.put(&[1; SMALL]).unwrap();
    let file = File::options().read(true).write(true).open(name.path()).unwrap();
    for buffer in 0..3 {
        file.write_all_at(&u64::MAX.to_le_bytes(), 0x3000 + buffer * 256 + 8).unwrap();
    }
    let error = producer.put(&[2; LARGE]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
}

// 104
#[test]
fn a_producer_that_may_not_replace_the_file_is_told_whose_it_is_and_goes_on() {
    if !is_root() {
        return;
    }
    let name = TestName::new("growth-owned");
    let mut consumer = channel(&name).mode(0o666).consumer().unwrap();
    succeeds(in_child(|| {
        become_user(NOBODY);
        let mut producer = channel(&name).producer().unwrap();
        let error = producer.put(&[1; LARGE]).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TooLarge { needed: 800, capacity: 128 });
        let text = error.to_string();
        assert!(text.contains("it cannot grow (it belongs to root"), "{text}");
        assert!(text.contains("user 65534, and only root may replace it)"), "{text}");
        producer.put(&[1; SMALL]).unwrap();
        std::mem::forget(producer);
    }));
    assert_eq!(get(&mut consumer), (1, SMALL, 0));
    // As root: owner and group stay, and so does access.
    chown(name.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut producer = channel(&name).producer().unwrap();
    producer.put(&[2; LARGE]).unwrap();
    let grown = std::fs::metadata(name.path()).unwrap();
    assert_eq!((grown.uid(), grown.gid(), grown.mode() & 0o7777), (NOBODY, NOBODY, 0o666));
    eventually("the consumer follows", || consumer.try_get().unwrap().is_some());
}

// 104
#[test]
fn a_producer_that_may_create_nothing_next_to_the_file_is_told_why_and_goes_on() {
    if !is_root() {
        return;
    }
    let directory = std::env::temp_dir().join(format!("io-shared-growth-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let file = || Channel::<[u64]>::file(directory.join("words")).elements(SMALL).growing(true);
    let mut consumer = file().mode(0o666).consumer().unwrap();
    succeeds(in_child(|| {
        become_user(NOBODY);
        let mut producer = file().producer().unwrap();
        let error = producer.put(&[1; LARGE]).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TooLarge { needed: 800, capacity: 128 });
        let text = error.to_string();
        let why = format!("it cannot grow (in {}, which belongs to root", directory.display());
        assert!(text.contains(&why), "{text}");
        producer.put(&[1; SMALL]).unwrap();
        std::mem::forget(producer);
    }));
    assert_eq!(get(&mut consumer), (1, SMALL, 0));
    std::fs::remove_dir_all(&directory).unwrap();
}
