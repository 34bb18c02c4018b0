//! Machines that go down during a sync: each page on the disk is as it was at some moment. The
//! tests simulate this with copies of a file that is being written, under another boot's id.

#![allow(clippy::unwrap_used)]

mod child;

use std::path::Path;
use std::time::Duration;

use child::in_child;
use io_shared::{Channel, ErrorKind, Shared};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use test_support::{TestFile, eventually};

/// A value whose words are all its number.
type Value = [u64; 2000];
/// The offset of the boot's id, for up to 127 consumers or 64 handles.
const BOOT: usize = 0x188;
const ROUNDS: u64 = 300;

/// Copies `path` as it would be after a reboot now. Its first page reached the disk a moment before
/// the others.
fn cut(path: &Path, to: &Path, boot: usize) {
    let before = std::fs::read(path).unwrap();
    std::thread::sleep(Duration::from_millis(1));
    let mut bytes = std::fs::read(path).unwrap();
    bytes[..4096].copy_from_slice(&before[..4096]);
    bytes[boot] ^= 0x55;
    std::fs::write(to, bytes).unwrap();
}

/// Runs `write` again and again in a process that is killed. Meanwhile and afterwards, calls `look`
/// with what is left of `path`.
fn killed_while_it_writes(path: &Path, mut write: impl FnMut(), mut look: impl FnMut()) {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..ROUNDS {
        let writing = in_child(|| {
            loop {
                write();
            }
        });
        eventually("the file is there", || path.exists());
        std::thread::sleep(Duration::from_micros(random.u64(0..3000)));
        look();
        kill(writing, Signal::SIGKILL).unwrap();
        let status = waitpid(writing, None).unwrap();
        assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
        look();
    }
}

#[test]
fn of_a_producer_killed_while_it_syncs_a_reboot_leaves_a_whole_value_or_none() {
    let (path, left) = (TestFile::new("syncing"), TestFile::new("synced-left"));
    let (mut whole, mut none) = (0, 0);
    let write = || {
        let mut producer = Channel::<Value>::file(&*path).producer().unwrap();
        loop {
            let next = producer.seq() + 1;
            producer.put(&[next; 2000]).unwrap();
            producer.sync().unwrap();
        }
    };
    killed_while_it_writes(&path, write, || {
        cut(&path, &left, BOOT);
        let mut observer = Channel::<Value>::file(&*left).observer().unwrap();
        let observed = observer.copy().unwrap().map(|value| (value.seq(), *value));
        let mut consumer = Channel::<Value>::file(&*left).consumer().unwrap();
        let got = consumer.latest().unwrap().map(|value| (value.seq(), *value));
        assert!(observed == got, "they see different values");
        match got {
            Some((seq, value)) => {
                assert!(value.iter().all(|word| *word == seq), "value {seq} is torn");
                whole += 1;
            }
            None => none += 1,
        }
        let mut producer = Channel::<Value>::file(&*left).producer().unwrap();
        let next = producer.seq() + 1;
        assert_eq!(producer.put(&[next; 2000]).unwrap(), next);
        assert_eq!(consumer.get_timeout(Duration::from_secs(2)).unwrap()[7], next);
    });
    println!("{whole} whole values, {none} times none");
    assert!(whole > ROUNDS / 10 && none > 0, "{whole} whole values, {none} times none");
}

#[test]
fn of_a_writer_killed_while_it_flushes_a_reboot_leaves_whole_content_or_tells_of_it() {
    let (path, left) = (TestFile::new("flushing"), TestFile::new("flushed-left"));
    let (mut whole, mut told) = (0, 0);
    let write = || {
        let mut state = Shared::<Value>::open_file(&*path).unwrap();
        loop {
            let mut value = state.write().or_else(io_shared::mmap::LockError::into_guard).unwrap();
            let next = value[0] + 1;
            value.iter_mut().for_each(|word| *word = next);
            value.mark_consistent();
            drop(value);
            state.flush().unwrap();
        }
    };
    killed_while_it_writes(&path, write, || {
        cut(&path, &left, BOOT);
        let mut state = Shared::<Value>::open_file(&*left).unwrap();
        match state.get() {
            Ok(value) => {
                assert!(value.iter().all(|word| *word == value[0]), "it is torn");
                whole += 1;
            }
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::OwnerDied);
                told += 1;
            }
        }
    });
    println!("{whole} times whole, {told} times told");
    assert!(whole > ROUNDS / 10 && told > 0, "{whole} times whole, {told} times told");
}
