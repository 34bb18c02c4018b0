//! Consumers that join a channel which is in use: any number, at any time, each with its own holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use io_shared::{Channel, Consumer, Error, ErrorKind, OwnedGuard};
use test_support::claims::claim;
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::{TestFile, TestName};

const SECONDS: Duration = Duration::from_secs(10);

/// A page, so that each buffer shows in the number of blocks.
type Page = [u64; 504];
/// What a buffer for a [`Page`] takes, in bytes.
const STRIDE: u64 = 4096;

/// The offset of the number of buffers.
const POOL: u64 = 0x200;

fn open(name: &TestName) -> Channel<Page> {
    Channel::<Page>::named(&**name)
}

/// The memory that the file takes, in bytes.
fn memory(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

/// Gets values until `until` is through, and checks that each is whole and newer than the last.
fn follow(consumer: &mut Consumer<Page>, until: u64) -> u64 {
    let (mut last, mut count) = (0, 0);
    while last < until {
        let value = consumer.get_timeout(SECONDS).unwrap();
        assert!(value.iter().all(|word| *word == value.seq()), "value {} is torn", value.seq());
        assert!(value.seq() > last, "{} after {last}", value.seq());
        last = value.seq();
        count += 1;
    }
    count
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["follow", name] => {
            let mut consumer = Channel::<Page>::named(*name).consumer().unwrap();
            let first = consumer.get_timeout(SECONDS).unwrap().seq();
            follow(&mut consumer, first + 100);
            tell("followed");
            hear();
        }
        ["on a full file system", at] => on_a_full_file_system(at),
        ["in pieces on a full file system", at] => in_pieces_on_a_full_file_system(at),
        other => panic!("{other:?}"),
    }
}

fn is_no_slot<T>(result: Result<T, Error>, there: usize) -> bool {
    let is_it =
        |kind: &ErrorKind| matches!(kind, ErrorKind::NoSlot { holders } if holders.len() == there);
    result.is_err_and(|error| is_it(error.kind()))
}

#[test]
fn up_to_sixty_four_consumers_join_a_producer_that_puts_at_full_speed() {
    let name = TestName::new("join");
    let mut producer = open(&name).producer().unwrap();
    let mut observer = open(&name).observer().unwrap();
    let at_first = memory(&name.path());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let putting = scope.spawn(|| {
            let mut value = 0;
            while !stop.load(Ordering::Relaxed) {
                value += 1;
                assert_eq!(producer.put(&[value; 504]).unwrap(), value);
            }
        });
        let peers: Vec<_> = (0..4).map(|_| Peer::start("peer", &["follow", &name])).collect();
        let peers: Vec<_> = peers
            .into_iter()
            .map(|mut peer| {
                peer.expect("followed");
                peer
            })
            .collect();
        assert_eq!(
            memory(&name.path()),
            at_first + 3 * STRIDE,
            "one buffer for each but the first"
        );
        let mut consumers = Vec::new();
        for joined in 5..=64 {
            let mut consumer = open(&name).consumer().unwrap();
            let first = consumer.get_timeout(SECONDS).unwrap().seq();
            follow(&mut consumer, first + 10);
            assert_eq!(memory(&name.path()), at_first + (joined - 1) * STRIDE);
            consumers.push(consumer);
        }
        // Nobody who was there before is lost, and an observer sees values in added buffers.
        for consumer in &mut consumers {
            let last = consumer.last_seen();
            follow(consumer, last + 10);
        }
        let copy = (0..1000).find_map(|_| observer.copy().ok().flatten()).unwrap();
        assert!(copy.iter().all(|word| *word == copy.seq()));
        let error = open(&name).consumer().unwrap_err();
        assert!(error.to_string().contains(".consumers(65)"), "{error}");
        assert!(is_no_slot(open(&name).consumer(), 64));
        // Buffers stay, and whoever joins next uses those that are there.
        consumers.truncate(30);
        let _another = open(&name).consumer().unwrap();
        assert_eq!(memory(&name.path()), at_first + 63 * STRIDE);
        stop.store(true, Ordering::Relaxed);
        putting.join().unwrap();
        peers.into_iter().for_each(Peer::end);
    });
}

#[test]
fn a_creator_admits_as_many_consumers_as_it_says_up_to_253() {
    let name = TestName::new("most");
    let channel = || Channel::<u64>::named(&*name);
    let mut producer = channel().consumers(253).producer().unwrap();
    let mut consumers: Vec<_> = (0..253).map(|_| channel().consumer().unwrap()).collect();
    assert!(is_no_slot(channel().consumer(), 253));
    producer.put(&7).unwrap();
    for consumer in &mut consumers {
        assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 7);
    }
    assert_eq!(producer.connected().unwrap().len(), 253);
}

#[test]
fn a_large_channel_takes_three_values_at_first_and_four_with_two_consumers() {
    let name = TestName::new("memory");
    let (payload, little) = (5 << 20, 20 << 10);
    let channel = || Channel::<[u8]>::named(&*name);
    let _producer = channel().capacity("5M").producer().unwrap();
    assert!(memory(&name.path()) <= 3 * payload + little, "{}", memory(&name.path()));
    let _first = channel().consumer().unwrap();
    assert!(memory(&name.path()) <= 3 * payload + little, "{}", memory(&name.path()));
    let _second = channel().consumer().unwrap();
    assert!(memory(&name.path()) <= 4 * payload + little, "{}", memory(&name.path()));
}

#[test]
fn each_consumer_holds_as_many_values_as_it_says() {
    let name = TestName::new("holds");
    let mut producer = open(&name).producer().unwrap();
    let mut consumers: Vec<_> =
        (1..=8).map(|holds| open(&name).holds(holds).consumer().unwrap()).collect();
    let mut kept: Vec<Vec<OwnedGuard<Page>>> = (0..8).map(|_| Vec::new()).collect();
    for value in 1..=100 {
        producer.put(&[value; 504]).unwrap();
        for (holds, (consumer, kept)) in (1..).zip(consumers.iter_mut().zip(&mut kept)) {
            match consumer.try_get() {
                Ok(got) => kept.push(got.unwrap().into_owned()),
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::AlreadyHeld { holds });
                    assert_eq!(kept.len(), holds);
                }
            }
            for (seq, guard) in (1..).zip(&*kept) {
                assert!(guard.iter().all(|word| *word == seq), "a held value never changes");
            }
        }
    }
    for holds in [0, 9] {
        let error = open(&name).holds(holds).consumer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { option: "holds", .. }), "{error}");
    }
}

#[test]
fn all_consumers_together_hold_at_most_253_values() {
    let name = TestName::new("grants");
    let channel = || Channel::<u64>::named(&*name);
    let _producer = channel().producer().unwrap();
    let mut consumers: Vec<_> = (0..31).map(|_| channel().holds(8).consumer().unwrap()).collect();
    let error = channel().holds(8).consumer().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSlot { holders } if holders.len() == 31),
        "{error}"
    );
    assert!(error.to_string().contains(".holds()"), "{error}");
    consumers.push(channel().holds(5).consumer().unwrap());
    assert!(is_no_slot(channel().consumer(), 32));
    // The slot of one that has left keeps its grant for the next.
    consumers.remove(3);
    consumers.push(channel().holds(8).consumer().unwrap());
    assert!(is_no_slot(channel().consumer(), 32));
}

#[test]
fn a_slot_that_had_one_entry_has_eight_for_a_consumer_that_asks_for_them() {
    let name = TestName::new("grown");
    let mut producer = open(&name).producer().unwrap();
    drop(open(&name).consumer().unwrap());
    let before = memory(&name.path());
    let mut consumer = open(&name).holds(8).consumer().unwrap();
    assert_eq!(memory(&name.path()), before + 7 * STRIDE, "its slot had one entry");
    let mut kept = Vec::new();
    for value in 1..=8 {
        producer.put(&[value; 504]).unwrap();
        kept.push(consumer.get_timeout(SECONDS).unwrap().into_owned());
    }
    for value in 9..100 {
        producer.put(&[value; 504]).unwrap();
        assert!(kept.iter().all(|guard| guard[503] == guard.seq()));
    }
}

#[test]
fn the_slot_named_longest_ago_goes_where_no_other_is_free() {
    let name = TestName::new("named");
    let channel = || Channel::<u64>::named(&*name);
    let mut producer = channel().producer().unwrap();
    producer.put(&1).unwrap();
    for owner in ["oldest", "old", "new"] {
        let mut consumer = channel().consumer_name(owner).consumer().unwrap();
        drop(consumer.get_timeout(SECONDS).unwrap());
    }
    let _others: Vec<_> = (0..61).map(|_| channel().consumer().unwrap()).collect();
    let _one_more = channel().consumer().unwrap();
    // Two: whoever starts anew has seen all but the last.
    producer.put(&2).unwrap();
    producer.put(&3).unwrap();
    for owner in ["old", "new"] {
        let consumer = channel().consumer_name(owner).consumer().unwrap();
        assert_eq!(consumer.last_seen(), 1, "{owner} goes on where it stopped");
    }
    assert!(!producer.connected().unwrap().iter().any(|holder| holder.name.is_some()));
}

#[test]
fn consumers_of_a_later_opener_are_reserved_ahead_of_time() {
    let name = TestName::new("ahead");
    let _producer = open(&name).producer().unwrap();
    let before = memory(&name.path());
    let _first = open(&name).consumers(10).consumer().unwrap();
    assert_eq!(memory(&name.path()), before + 9 * STRIDE);
    let _others: Vec<_> = (0..9).map(|_| open(&name).consumer().unwrap()).collect();
    assert_eq!(memory(&name.path()), before + 9 * STRIDE, "they are there already");
}

#[test]
fn stray_bytes_after_the_last_buffer_do_no_harm() {
    let name = TestName::new("stray");
    let mut producer = open(&name).producer().unwrap();
    let mut first = open(&name).consumer().unwrap();
    let file = File::options().read(true).append(true).open(name.path()).unwrap();
    let end = file.metadata().unwrap().len();
    let mut stray = [0xff; 3 * 4096 + 5];
    (&file).write_all(&stray).unwrap();
    let mut others: Vec<_> = (0..5).map(|_| open(&name).consumer().unwrap()).collect();
    file.read_exact_at(&mut stray, end).unwrap();
    assert!(stray.iter().all(|byte| *byte == 0), "a buffer is added as zeros");
    for value in 1..=50 {
        producer.put(&[value; 504]).unwrap();
        for consumer in others.iter_mut().chain([&mut first]) {
            let got = consumer.get_timeout(SECONDS).unwrap();
            assert!(got.iter().all(|word| *word == value) && got.seq() == value);
        }
    }
}

#[test]
fn a_pool_that_cannot_be_is_an_error_of_whoever_opens() {
    let name = TestName::new("hostile");
    let _producer = open(&name).producer().unwrap();
    let file = File::options().write(true).open(name.path()).unwrap();
    for pool in [0, 1, 100, 255, 256, u64::MAX] {
        file.write_all_at(&pool.to_le_bytes(), POOL).unwrap();
        for error in [open(&name).consumer().unwrap_err(), open(&name).observer().unwrap_err()] {
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{pool}: {error}");
        }
    }
}

#[test]
fn consumers_join_anonymous_memory_by_its_descriptor() {
    let mut producer = Channel::<Page>::anonymous().producer().unwrap();
    let descriptor: OwnedFd = producer.as_fd().unwrap().try_clone_to_owned().unwrap();
    let join = || Channel::<Page>::from_fd(descriptor.try_clone().unwrap()).consumer().unwrap();
    let mut consumers = Vec::new();
    for value in 1..=20 {
        consumers.push(join());
        producer.put(&[value; 504]).unwrap();
        for consumer in &mut consumers {
            assert_eq!(consumer.get_timeout(SECONDS).unwrap()[503], value);
        }
    }
    assert!(File::from(descriptor.as_fd().try_clone_to_owned().unwrap()).set_len(0).is_err());
}

#[test]
fn a_value_in_an_added_buffer_of_a_file_is_synced() {
    let path = TestFile::new("joined");
    let channel = || Channel::<Page>::file(&*path);
    let mut producer = channel().producer().unwrap();
    let _kept: Vec<_> = (1..=6)
        .map(|value| {
            let mut consumer = channel().consumer().unwrap();
            producer.put(&[value; 504]).unwrap();
            consumer.get_timeout(SECONDS).unwrap().into_owned()
        })
        .collect();
    producer.put(&[7; 504]).unwrap();
    producer.sync().unwrap();
    let copy = TestFile::new("joined-copy");
    std::fs::copy(&*path, &*copy).unwrap();
    let file = File::options().read(true).write(true).open(&*copy).unwrap();
    file.write_all_at(&[0x55; 16], 0x188).unwrap(); // the id of the boot: another one
    let mut consumer = Channel::<Page>::file(&*copy).consumer().unwrap();
    assert_eq!(consumer.get_timeout(SECONDS).unwrap()[..], [7; 504]);
}

/// In a tmpfs of 1 MiB, in which a channel of 64 KiB values has room for some consumers.
fn on_a_full_file_system(at: &str) {
    let path = Path::new(at).join("channel");
    let channel = || Channel::<[u8]>::file(&path);
    let mut producer = channel().capacity("64K").producer().unwrap();
    let mut consumers = Vec::new();
    let error = loop {
        match channel().consumer() {
            Ok(consumer) => consumers.push(consumer),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
    assert!((5..16).contains(&consumers.len()), "{}", consumers.len());
    let taken = memory(&path);
    // One that asks for much gives back what it had reserved.
    let error = channel().holds(8).consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
    assert_eq!(memory(&path), taken);
    for value in 1..=50u8 {
        producer.put(&[value; 65536]).unwrap();
        for consumer in &mut consumers {
            assert!(consumer.get_timeout(SECONDS).unwrap().iter().all(|byte| *byte == value));
        }
    }
    // Its place is another's.
    consumers.pop();
    assert!(channel().consumer().is_ok());
}

#[test]
fn joining_on_a_full_file_system_fails_for_the_joiner_alone() {
    in_a_file_system_of("1M", "on a full file system");
    in_a_file_system_of("92M", "in pieces on a full file system");
}

/// Plays a role where a tmpfs of that size is mounted.
fn in_a_file_system_of(size: &str, role: &str) {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().to_str().unwrap();
    let mounts = format!("mount -t tmpfs -o size={size} none {at}");
    let allowed = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mounts])
        .output()
        .is_ok_and(|output| output.status.success());
    if !allowed {
        // Not by eprintln!, which is captured when a test passes.
        let _ = writeln!(std::io::stderr(), "NOT RUN: this machine does not let the test mount");
        return;
    }
    let script = format!("{mounts} && exec \"$0\" \"$@\"");
    let prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script];
    Peer::start_under(&prefix, "peer", &[role, at]).end();
}

/// In a tmpfs of 92 MiB, in which a channel of 24 MiB values leaves 20 MiB. What is reserved in two
/// pieces is kept by the kernel when the second fails.
fn in_pieces_on_a_full_file_system(at: &str) {
    let path = Path::new(at).join("channel");
    let channel = || Channel::<[u8]>::file(&path);
    let _producer = channel().capacity("24M").producer().unwrap();
    let _first = channel().consumer().unwrap();
    let free = || nix::sys::statvfs::statvfs(Path::new(at)).unwrap().blocks_free();
    let left = free();
    assert!((4096..6144).contains(&left), "{left} pages");
    let error = channel().consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
    assert_eq!(free(), left, "it gives back the first piece");
}

#[test]
fn a_joiner_waits_for_as_long_as_those_before_it_get_on() {
    let name = TestName::new("queue");
    let _producer = open(&name).producer().unwrap();
    let file = File::options().read(true).write(true).open(name.path()).unwrap();
    // The region's own lock: others have it in turn, for longer than one joiner's patience.
    let lock = claim(&name, 0, 1);
    std::thread::scope(|scope| {
        let joiner = scope.spawn(|| open(&name).holds(2).consumer().map(drop));
        for pool in 4..=9_u64 {
            std::thread::sleep(Duration::from_millis(300));
            let size = file.metadata().unwrap().len();
            file.set_len(size + STRIDE).unwrap();
            file.write_all_at(&pool.to_le_bytes(), POOL).unwrap();
        }
        drop(lock);
        joiner.join().unwrap().unwrap();
    });
    // Nobody gets on: a stopped process may hold it.
    let _lock = claim(&name, 0, 1);
    let error = open(&name).consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
}
