//! In a program that has closed its standard streams, no region becomes one of them.

#![allow(clippy::unwrap_used)]

mod child;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use child::{in_child, succeeds};
use io_shared::{Channel, RwSharedMmap, Shared, SharedMmap, UnsafeSharedMmap};
use nix::libc;
use test_support::{TestFile, TestName};

fn close_streams() {
    for stream in 0..3 {
        // SAFETY: the process is this test's own child, which does not use them any more.
        unsafe { libc::close(stream) };
    }
}

/// The streams that are open, and descriptors whose writes would overwrite something.
fn bad_descriptors() -> (Vec<i32>, Vec<i32>) {
    // SAFETY: F_GETFL takes any number, and changes nothing.
    let flags = |descriptor| unsafe { libc::fcntl(descriptor, libc::F_GETFL) };
    let streams = (0..3).filter(|stream| flags(*stream) >= 0).collect();
    let writes_over = |descriptor: &i32| {
        let flags = flags(*descriptor);
        // SAFETY: `stat` is plain data, and what fstat fills in.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `stat` lives through the call.
        let known = unsafe { libc::fstat(*descriptor, &raw mut stat) } == 0;
        known
            && stat.st_mode & libc::S_IFMT == libc::S_IFREG
            && flags & libc::O_ACCMODE != libc::O_RDONLY
            && flags & libc::O_APPEND == 0
    };
    (streams, (3..200).filter(writes_over).collect())
}

fn is_open(number: i32) -> bool {
    // SAFETY: F_GETFD takes any number, and changes nothing.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Writes to each of these numbers, as a program does that takes them for its log.
fn print_to(numbers: impl Iterator<Item = i32>) {
    let text = b"connected to 192.168.0.7, 3 devices\n";
    for number in numbers {
        // SAFETY: `text` is readable for its length; whatever the number is, this is what is
        // tested.
        unsafe { libc::write(number, text.as_ptr().cast(), text.len()) };
    }
}

#[test]
fn a_program_without_standard_streams_prints_over_no_region() {
    let [name, lock, rw, bytes] = ["s", "s-lock", "s-rw", "s-bytes"].map(TestName::new);
    let [file, state] = ["streams", "streams-state"].map(TestFile::new);
    succeeds(in_child(|| {
        close_streams();
        nix::unistd::alarm::set(10); // instead of a hang
        let free: Vec<i32> = (0..200).filter(|number| !is_open(*number)).collect();
        for round in 1..=2 {
            let open = || Channel::<u64>::named(&*name).consumers(2);
            let mut producer = open().producer().unwrap();
            let mut consumer = open().consumer().unwrap();
            let mut observer = open().observer().unwrap();
            let in_file = || Channel::<u64>::file(file.to_path_buf());
            let mut to_file = in_file().producer().unwrap();
            let mut from_file = in_file().consumer().unwrap();
            let mut nameless = Channel::<u64>::anonymous().producer().unwrap();
            // A received descriptor may have such a number as well.
            let received: OwnedFd = nix::unistd::dup(nameless.as_fd().unwrap()).unwrap();
            let mut receiver = Channel::<u64>::from_fd(received).consumer().unwrap();
            let mut locked = SharedMmap::named(&*lock).size(64).open().unwrap();
            let mut both = RwSharedMmap::named(&*rw).size(64).open().unwrap();
            let mut plain = UnsafeSharedMmap::named(&*bytes).size(64).open().unwrap();
            let mut kept = Shared::<u64>::open_file(state.to_path_buf()).unwrap();
            assert_eq!(bad_descriptors(), (vec![], vec![]), "streams, and others that overwrite");
            plain.store(&round).unwrap();
            print_to(free.iter().copied());
            assert_eq!(plain.load::<u64>().unwrap(), round);
            producer.put(&round).unwrap();
            to_file.put(&round).unwrap();
            nameless.put(&round).unwrap();
            let patience = Duration::from_secs(1);
            assert_eq!(*consumer.get_timeout(patience).unwrap(), round);
            assert_eq!(*from_file.get_timeout(patience).unwrap(), round);
            assert_eq!(*receiver.get_timeout(patience).unwrap(), round);
            assert_eq!(*observer.copy().unwrap().unwrap(), round);
            drop(locked.lock().unwrap());
            drop(both.read().unwrap());
            kept.update(|value| *value += 1).unwrap();
            assert_eq!(kept.get().unwrap(), round);
        }
    }));
}

#[test]
fn a_descriptor_that_was_received_as_a_standard_stream_is_not_kept_as_one() {
    succeeds(in_child(|| {
        let producer = Channel::<u64>::anonymous().producer().unwrap();
        close_streams();
        let received = nix::unistd::dup(producer.as_fd().unwrap().as_fd()).unwrap();
        let channel = Channel::<u64>::from_fd(received);
        assert!(bad_descriptors().0.is_empty());
        drop(channel.consumer().unwrap());
    }));
}
