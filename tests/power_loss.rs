//! Channels and locked bytes in files, after the machine went down. The library recognizes a reboot
//! by the boot's id in the file. The tests change by hand what did not reach the disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use io_shared::mmap::{Bytes, LockError};
use io_shared::{
    Channel, Consumer, ErrorKind, Message, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap,
};
use test_support::claims::claim_in;
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::{TestFile, TestName};

const SECONDS: Duration = Duration::from_secs(2);
/// The offset of the boot's id, in the producer's block.
const BOOT: u64 = 0x188;

fn open_raw(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// Makes it look as if the machine went down and came up again.
fn reboot(path: &Path) {
    let mut boot = [0; 16];
    open_raw(path).read_exact_at(&mut boot, BOOT).unwrap();
    assert_ne!(boot, [0; 16], "nobody wrote the boot down");
    boot[3] ^= 0x55;
    open_raw(path).write_all_at(&boot, BOOT).unwrap();
}

fn number(path: &Path, at: u64) -> u64 {
    let mut bytes = [0; 8];
    open_raw(path).read_exact_at(&mut bytes, at).unwrap();
    u64::from_le_bytes(bytes)
}

/// The offset of the latest value's buffer.
fn latest_buffer(path: &Path) -> u64 {
    let (stride, first, latest) = (number(path, 40), number(path, 48), number(path, 0x80));
    first + (latest >> 56) * stride
}

fn flip(path: &Path, at: u64) {
    let mut byte = [0];
    open_raw(path).read_exact_at(&mut byte, at).unwrap();
    open_raw(path).write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["put", path] => {
            let mut producer = Channel::<[u64; 100]>::file(path).producer().unwrap();
            producer.put(&[1; 100]).unwrap();
            producer.put(&[2; 100]).unwrap();
            tell("put");
            hear();
        }
        ["put and sync", path] => {
            let mut producer = Channel::<[u64; 100]>::file(path).producer().unwrap();
            producer.put(&[1; 100]).unwrap();
            producer.put(&[2; 100]).unwrap();
            producer.sync().unwrap();
            tell("synced");
            hear();
        }
        ["write", path, flushes] => {
            let mut state = Shared::<[u64; 2]>::open_file(path).unwrap();
            state.update(|pair| *pair = [1, 2]).unwrap();
            if *flushes == "flushed" {
                state.flush().unwrap();
            }
            tell("written");
            hear();
        }
        other => panic!("{other:?}"),
    }
}

fn killed(arguments: &[&str], says: &str) {
    let mut peer = Peer::start("peer", arguments);
    peer.expect(says);
    peer.kill();
}

/// What handles opened in every order get, each in a copy of the file.
fn found_by_all<T: Message + Copy + PartialEq + std::fmt::Debug>(path: &Path) -> Vec<Option<T>> {
    let copy = TestFile::new("copy");
    let mut found = Vec::new();
    let fresh = || std::fs::copy(path, &*copy).unwrap();
    let open = || Channel::<T>::file(&*copy).consumer().unwrap();
    let values = |mut consumer: Consumer<T>| {
        let unseen = consumer.try_get().unwrap().map(|value| *value);
        let latest = consumer.latest().unwrap().map(|value| *value);
        assert_eq!(unseen, latest);
        latest
    };
    fresh();
    found.push(Channel::<T>::file(&*copy).observer().unwrap().copy().unwrap().map(|v| *v));
    found.push(values(open()));
    fresh();
    let mut observer = Channel::<T>::file(&*copy).observer().unwrap();
    let producer = Channel::<T>::file(&*copy).producer().unwrap();
    found.push(observer.copy().unwrap().map(|v| *v));
    found.push(values(open()));
    drop(producer);
    found.push(values(open_named(&copy)));
    found
}

/// What the first observer and the first consumer get, each in a copy of the file.
fn found_by_readers<T: Message + Copy>(path: &Path) -> [Option<T>; 2] {
    let copy = TestFile::new("copy");
    std::fs::copy(path, &*copy).unwrap();
    let observed = Channel::<T>::file(&*copy).observer().unwrap().copy().unwrap().map(|v| *v);
    let got = Channel::<T>::file(&*copy).consumer().unwrap().latest().unwrap().map(|v| *v);
    [observed, got]
}

fn open_named<T: Message>(path: &Path) -> Consumer<T> {
    // Not the consumer from before, which has seen the value.
    Channel::<T>::file(path).consumer_name("other").consumer().unwrap()
}

#[test]
fn a_value_that_was_synced_is_given_after_a_reboot_to_everyone() {
    let path = TestFile::new("synced");
    killed(&["put and sync", path.to_str().unwrap()], "synced");
    reboot(&path);
    for found in found_by_all::<[u64; 100]>(&path) {
        assert_eq!(found, Some([2; 100]));
    }
    let mut consumer = Channel::<[u64; 100]>::file(&*path).consumer().unwrap();
    let value = consumer.get_timeout(SECONDS).unwrap();
    assert_eq!((value.seq(), value.age(), value.stamp()), (2, None, 0));
}

/// How the messages of `[u64; 100]` would begin, had they been a struct.
#[derive(Debug, Message, Clone, Copy, PartialEq)]
#[repr(C)]
struct Known {
    frame: u64,
}

#[derive(Debug, Message, Clone, Copy)]
#[repr(C)]
struct Grown {
    frame: u64,
    more: [u64; 99],
}

#[test]
fn part_of_a_value_that_was_synced_is_given_after_a_reboot_and_none_of_a_torn_one() {
    let path = TestFile::new("part");
    let mut producer = Channel::<Grown>::file(&*path).producer().unwrap();
    producer.put(&Grown { frame: 7, more: [8; 99] }).unwrap();
    drop(producer);
    reboot(&path);
    assert_eq!(found_by_readers::<Known>(&path), [Some(Known { frame: 7 }); 2]);
    // Its checksum is that of the whole value.
    flip(&path, latest_buffer(&path) + 64 + 700);
    assert_eq!(found_by_readers::<Known>(&path), [None; 2]);
}

#[test]
fn a_value_that_was_never_synced_is_not_given_after_a_reboot_and_sequences_go_on() {
    let path = TestFile::new("unsynced");
    killed(&["put", path.to_str().unwrap()], "put");
    assert!(found_by_all::<[u64; 100]>(&path).iter().all(Option::is_some), "no reboot yet");
    reboot(&path);
    for found in found_by_all::<[u64; 100]>(&path) {
        assert_eq!(found, None);
    }
    let mut consumer = Channel::<[u64; 100]>::file(&*path).consumer().unwrap();
    let mut observer = Channel::<[u64; 100]>::file(&*path).observer().unwrap();
    assert!(consumer.get_timeout(Duration::from_millis(120)).is_err());
    let mut producer = Channel::<[u64; 100]>::file(&*path).producer().unwrap();
    assert_eq!(producer.seq(), 2);
    assert!(consumer.latest().unwrap().is_none() && observer.copy().unwrap().is_none());
    assert_eq!(producer.put(&[3; 100]).unwrap(), 3);
    let value = consumer.get_timeout(SECONDS).unwrap();
    assert_eq!((value[0], value.seq(), value.missed()), (3, 3, 0));
    assert!(value.age().is_some());
    assert_eq!(observer.copy().unwrap().unwrap()[99], 3);
}

#[test]
fn what_a_producer_leaves_in_order_is_given_after_a_reboot_and_torn_it_is_not() {
    let path = TestFile::new("ordered");
    let mut producer = Channel::<[u64; 100]>::file(&*path).producer().unwrap();
    producer.put(&[1; 100]).unwrap();
    producer.put(&[2; 100]).unwrap();
    drop(producer);
    reboot(&path);
    assert!(found_by_all::<[u64; 100]>(&path).iter().all(|found| *found == Some([2; 100])));
    let whole = std::fs::read(&*path).unwrap();
    let buffer = latest_buffer(&path);
    // The sequence, the length, the checksum, the first and the last byte.
    for at in [0, 8, 56, 64, 64 + 799] {
        std::fs::write(&*path, &whole).unwrap();
        flip(&path, buffer + at);
        for found in found_by_all::<[u64; 100]>(&path) {
            assert_eq!(found, None, "byte {at}");
        }
    }
}

#[test]
fn small_values_and_those_with_a_tail_are_checked_alike() {
    let path = TestFile::new("small");
    let mut producer = Channel::<[u32; 3]>::file(&*path).producer().unwrap();
    producer.put(&[1, 2, 3]).unwrap();
    producer.put(&[4, 5, 6]).unwrap();
    drop(producer);
    reboot(&path);
    assert!(found_by_all::<[u32; 3]>(&path).iter().all(|found| *found == Some([4, 5, 6])));
    flip(&path, latest_buffer(&path) + 32 + 11);
    assert!(found_by_all::<[u32; 3]>(&path).iter().all(Option::is_none));

    let path = TestFile::new("tail");
    let open = || Channel::<[u8]>::file(&*path).capacity(1000);
    for (length, reboots) in [(0, true), (13, true), (1000, true), (13, false)] {
        open().producer().unwrap().put(&vec![7; length]).unwrap();
        if reboots {
            reboot(&path);
        }
        let mut observer = open().observer().unwrap();
        assert_eq!(observer.copy().unwrap().unwrap().to_vec(), vec![7; length]);
        let mut consumer = open().consumer().unwrap();
        assert_eq!(consumer.get_timeout(SECONDS).unwrap().to_vec(), vec![7; length]);
    }
}

#[test]
fn a_put_after_a_sync_is_not_synced() {
    let path = TestFile::new("behind");
    let mut producer = Channel::<u64>::file(&*path).producer().unwrap();
    producer.put(&1).unwrap();
    producer.sync().unwrap();
    producer.put(&2).unwrap();
    std::mem::forget(producer); // as if killed
    let copy = TestFile::new("behind-copy");
    std::fs::copy(&*path, &*copy).unwrap();
    reboot(&copy);
    assert!(found_by_all::<u64>(&copy).iter().all(Option::is_none));
}

#[test]
fn to_sync_a_channel_in_memory_does_nothing_and_needs_the_role() {
    let name = TestName::new("sync");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    producer.sync().unwrap();
    producer.put(&1).unwrap();
    producer.sync().unwrap();
    assert_eq!(*io_shared::consumer::<u64>(&name).unwrap().get().unwrap(), 1);
    Channel::remove(&*name).unwrap();
    assert_eq!(*producer.sync().unwrap_err().kind(), ErrorKind::Replaced);
}

#[test]
fn content_under_a_lock_that_was_not_flushed_is_told_of_after_a_reboot() {
    for (flushes, dies) in [("flushed", false), ("unflushed", true)] {
        let path = TestFile::new("state");
        killed(&["write", path.to_str().unwrap(), flushes], "written");
        reboot(&path);
        let mut state = Shared::<[u64; 2]>::open_file(&*path).unwrap();
        if !dies {
            assert_eq!(state.get().unwrap(), [1, 2]);
            continue;
        }
        let Err(LockError::OwnerDied(guard)) = state.write_timeout(SECONDS) else {
            panic!("the content may be half-written")
        };
        assert_eq!(*guard, [1, 2]);
        guard.mark_consistent();
        drop(guard);
        assert_eq!(state.get().unwrap(), [1, 2]);
        drop(state);
        reboot(&path);
        assert_eq!(Shared::<[u64; 2]>::open_file(&*path).unwrap().get().unwrap(), [1, 2]);
    }
}

#[test]
fn torn_content_under_a_lock_is_told_of_after_a_reboot_and_whole_content_is_not() {
    let path = TestFile::new("mmap");
    let mut shared = SharedMmap::file(&*path).size(5000).open().unwrap();
    shared.lock().unwrap().write_all(&[7; 5000]).unwrap();
    drop(shared);
    reboot(&path);
    let mut shared = SharedMmap::file(&*path).open().unwrap();
    assert_eq!(shared.lock().unwrap().as_bytes()[4999], 7);
    drop(shared);
    reboot(&path);
    let content = number(&path, 48);
    flip(&path, content + 4999);
    let mut shared = SharedMmap::file(&*path).open().unwrap();
    assert!(matches!(shared.lock(), Err(LockError::OwnerDied(_))));

    let path = TestFile::new("rw-mmap");
    let mut shared = RwSharedMmap::file(&*path).size(100).open().unwrap();
    let mut guard = shared.write().unwrap();
    guard.write_all(&[7; 100]).unwrap();
    guard.flush().unwrap();
    drop(guard);
    std::mem::forget(shared); // as if killed
    let copy = TestFile::new("rw-mmap-copy");
    std::fs::copy(&*path, &*copy).unwrap();
    reboot(&copy);
    let mut shared = RwSharedMmap::file(&*copy).open().unwrap();
    assert_eq!(shared.read().unwrap().as_bytes(), [7; 100]);
    drop(shared);
    reboot(&copy);
    flip(&copy, number(&copy, 48));
    let mut shared = RwSharedMmap::file(&*copy).open().unwrap();
    assert!(matches!(shared.read(), Err(LockError::OwnerDied(_))));
}

#[test]
fn what_was_never_written_to_is_whole_after_a_reboot() {
    let path = TestFile::new("fresh");
    drop(Shared::<[u64; 2]>::open_file(&*path).unwrap());
    reboot(&path);
    assert_eq!(Shared::<[u64; 2]>::open_file(&*path).unwrap().get().unwrap(), [0, 0]);
}

#[test]
fn a_file_of_zeros_that_nobody_is_in_is_as_good_as_none() {
    let size = {
        let path = TestFile::new("size");
        drop(Channel::<u64>::file(&*path).producer().unwrap());
        std::fs::metadata(&*path).unwrap().len() as usize
    };
    for sparse in [false, true] {
        let path = TestFile::new("zeros");
        let cut = || {
            let _ = std::fs::remove_file(&*path);
            let file = File::create(&*path).unwrap();
            if sparse {
                file.set_len(size as u64).unwrap();
            } else {
                std::fs::write(&*path, vec![0; size]).unwrap();
            }
        };
        let now = Duration::ZERO;
        cut();
        let observer = Channel::<u64>::file(&*path).open_timeout(now).observer();
        assert_eq!(*observer.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(std::fs::read(&*path).unwrap().len(), size, "an observer removes nothing");
        let bytes = Channel::<[u8]>::file(&*path).open_timeout(now).consumer();
        assert_eq!(*bytes.unwrap_err().kind(), ErrorKind::NotFound);
        cut();
        let mut consumer = Channel::<u64>::file(&*path).consumer().unwrap();
        Channel::<u64>::file(&*path).producer().unwrap().put(&5).unwrap();
        assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 5);
        cut();
        Channel::<u64>::file(&*path).producer().unwrap().put(&6).unwrap();
        cut();
        assert_eq!(Shared::<u64>::open_file(&*path).unwrap().get().unwrap(), 0);
        cut();
        assert!(SharedMmap::file(&*path).size(100).open().is_ok());
    }
}

#[test]
fn what_is_not_all_zeros_or_too_small_or_in_use_is_left_alone() {
    let path = TestFile::new("almost");
    let refused = |bytes: &[u8]| {
        std::fs::write(&*path, bytes).unwrap();
        let error = Channel::<u64>::file(&*path).producer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
        assert_eq!(std::fs::read(&*path).unwrap(), bytes);
    };
    let mut almost = vec![0; 1 << 17];
    almost[(1 << 17) - 1] = 1;
    refused(&almost);
    refused(&[]);
    refused(&[0; 512]);
    refused(&[0; 4097]);
    // Somebody has a role in this one.
    std::fs::write(&*path, [0; 8192]).unwrap();
    let _producer = claim_in(&path, 1, 1);
    let error = Channel::<u64>::file(&*path).producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
    assert_eq!(std::fs::read(&*path).unwrap(), [0; 8192]);
    // In shared memory, the name belongs to another process that has just reserved the memory.
    let name = TestName::new("zeros");
    std::fs::write(name.path(), [0; 8192]).unwrap();
    let error = io_shared::producer::<u64>(&name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
    assert!(name.path().exists());
}

#[test]
fn bytes_without_a_lock_are_not_written_to_once_they_are_a_region() {
    let (name, other) = (TestName::new("becomes"), TestName::new("region"));
    io_shared::producer::<u64>(&other).unwrap().put(&5).unwrap();
    let region = std::fs::read(other.path()).unwrap();
    let mut bytes = UnsafeSharedMmap::named(&*name).size(region.len()).open().unwrap();
    bytes.write_all(&region).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    let value = consumer.get_timeout(SECONDS).unwrap();
    let unsupported = |error: io_shared::Error| {
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    };
    unsupported(bytes.store(&[0u8; 100]).unwrap_err());
    unsupported(bytes.move_within(0, 100, 50).unwrap_err());
    std::io::Seek::rewind(&mut bytes).unwrap();
    unsupported(bytes.write_byte(1).unwrap_err());
    assert!(bytes.write_all(b"abc").is_err());
    assert_eq!(*value, 5);
    assert_eq!(std::fs::read(name.path()).unwrap()[..8], *b"ioshared");
}
