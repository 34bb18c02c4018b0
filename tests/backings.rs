//! Channels and locked bytes in files and in anonymous memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use io_shared::{Channel, ErrorKind, Shared, SharedMmap, UnsafeSharedMmap};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use test_support::peer::{Peer, arguments, tell};
use test_support::{TestFile, eventually};

const SECONDS: Duration = Duration::from_secs(2);

/// Sends a descriptor over a socket.
fn send(socket: &UnixStream, descriptor: BorrowedFd<'_>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(socket, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
}

/// Receives a descriptor over a socket.
fn receive(socket: impl AsFd) -> OwnedFd {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let (mut byte, flags) = ([0], RecvFlags::CMSG_CLOEXEC);
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, flags).unwrap();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
            return descriptors.next().unwrap();
        }
    }
    panic!("no descriptor came");
}

fn is_taken<T>(result: Result<T, io_shared::Error>) -> bool {
    result.is_err_and(|error| matches!(error.kind(), ErrorKind::RoleTaken { .. }))
}

fn copy_of(descriptor: Option<BorrowedFd<'_>>) -> OwnedFd {
    descriptor.expect("it has no name").try_clone_to_owned().unwrap()
}

/// Uses the descriptor of an anonymous channel from another process. The test is its producer.
fn use_descriptor(descriptor: &OwnedFd) {
    let open = || Channel::<u64>::from_fd(descriptor.try_clone().unwrap());
    // Both tries use the same open file description, and neither gets the claim.
    assert!(is_taken(open().producer()));
    assert!(is_taken(open().producer()));
    let mut consumer = open().consumer().unwrap();
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 1);
    tell("got 1");
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 2);
    tell("got 2");
    // Once the test has given up its role, somebody else can take it.
    eventually("the role is free", || match open().producer() {
        Ok(mut producer) => producer.put(&3).is_ok(),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::RoleTaken { .. }), "{error}");
            false
        }
    });
    tell("put 3");
}

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["put", path, value] => {
            let mut producer = Channel::<u64>::file(path).producer().unwrap();
            producer.put(&value.parse().unwrap()).unwrap();
        }
        ["inherit"] => use_descriptor(&std::io::stdin().as_fd().try_clone_to_owned().unwrap()),
        ["receive"] => use_descriptor(&receive(std::io::stdin())),
        ["more than the memory"] => more_than_the_memory(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_keeps_the_last_value_over_restarts() {
    let path = TestFile::new("last-value");
    let text = path.to_str().unwrap();
    Peer::start("peer", &["put", text, "5"]).end();
    let mut consumer = Channel::<u64>::file(&*path).consumer().unwrap();
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 5);
    assert!(consumer.try_get().unwrap().is_none());
    drop(consumer);
    Peer::start("peer", &["put", text, "6"]).end();
    let mut consumer = Channel::<u64>::file(&*path).consumer().unwrap();
    let value = consumer.get_timeout(SECONDS).unwrap();
    assert_eq!((*value, value.seq(), value.missed()), (6, 2, 0));
    assert_eq!(std::fs::metadata(&*path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(value);
    // It is removed like any other file, and its users notice.
    let mut faithful = Channel::<u64>::file(&*path).reopen(false).consumer().unwrap();
    std::fs::remove_file(&*path).unwrap();
    let mut producer = Channel::<u64>::file(&*path).producer().unwrap();
    producer.put(&7).unwrap();
    eventually("it is noticed", || {
        faithful.latest().is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), 7);
}

#[test]
fn a_file_of_another_shape_is_replaced_only_when_that_is_asked_for() {
    let path = TestFile::new("shape");
    Channel::<u64>::file(&*path).producer().unwrap().put(&5).unwrap();
    let error = Channel::<f32>::file(&*path).producer().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{text}");
    assert!(text.contains(".replace(true)"), "{text}");
    assert_eq!(*Channel::<u64>::file(&*path).consumer().unwrap().get().unwrap(), 5);
    let user = Channel::<u64>::file(&*path).consumer().unwrap();
    let error = Channel::<f32>::file(&*path).replace(true).producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { holders, .. } if holders.len() == 1));
    drop(user);
    Channel::<f32>::file(&*path).replace(true).producer().unwrap().put(&0.5).unwrap();
    assert_eq!(*Channel::<f32>::file(&*path).consumer().unwrap().get().unwrap(), 0.5);
}

#[test]
fn a_file_of_another_boot_has_only_dead_users() {
    let path = TestFile::new("boot");
    let open = |who: &str| Channel::<u64>::file(&*path).consumer_name(who).consumer().unwrap();
    let mut producer = Channel::<u64>::file(&*path).consumers(2).producer().unwrap();
    for value in 1..=3 {
        producer.put(&value).unwrap();
    }
    drop((open("left"), open("right"), producer));
    // The state in which the machine went down: every role is taken, one consumer reads, one
    // sleeps, and the sequence that a consumer has seen is ahead of what reached the disk.
    let file = File::options().read(true).write(true).open(&*path).unwrap();
    let (asleep, producer_at, first) = (0x108, 0x180, 0x380);
    file.write_all_at(&[0b11], asleep).unwrap();
    file.write_all_at(&4242u32.to_le_bytes(), producer_at).unwrap();
    file.write_all_at(&[0x55; 16], producer_at + 8).unwrap(); // the boot's id
    let (held, last_seen) = ([first, first + 128], [first + 96, first + 128 + 96]);
    for slot in 0..2 {
        file.write_all_at(&[slot as u8 + 1], held[slot]).unwrap(); // it holds a buffer
        assert_eq!(read_byte(&file, last_seen[slot]), 2, "the offset of `last_seen`");
        file.write_all_at(&99u64.to_le_bytes(), last_seen[slot]).unwrap();
    }
    let mut consumers = ["left", "right"].map(open);
    for (slot, consumer) in consumers.iter_mut().enumerate() {
        assert_eq!(read_byte(&file, asleep) >> slot & 1, 0, "it does not sleep");
        assert_eq!(read_byte(&file, held[slot]), 0, "it holds nothing");
        assert_eq!(consumer.last_seen(), 3, "at most the newest");
        assert!(consumer.try_get().unwrap().is_none());
        let value = consumer.latest().unwrap().unwrap();
        assert_eq!((*value, value.age()), (3, None)); // another boot stamped it
    }
    let mut producer = Channel::<u64>::file(&*path).producer().unwrap();
    for value in 4..=20 {
        assert_eq!(producer.put(&value).unwrap(), value);
        for consumer in &mut consumers {
            let got = consumer.get_timeout(SECONDS).unwrap();
            assert!(*got == value && got.age().is_some());
        }
    }
}

fn read_byte(file: &File, at: u64) -> u8 {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0]
}

/// Checks the last value before a reboot and the first after it, for every way to read one.
fn no_age_before_a_reboot<T: io_shared::Message + Copy>(value: T) {
    let path = TestFile::new("ages");
    let channel = || Channel::<T>::file(&*path);
    let mut producer = channel().producer().unwrap();
    producer.put(&value).unwrap();
    producer.put(&value).unwrap();
    drop(producer);
    let file = File::options().read(true).write(true).open(&*path).unwrap();
    file.write_all_at(&[0x55; 16], 0x180 + 8).unwrap(); // the boot's id
    let mut producer = channel().producer().unwrap();
    let (mut consumer, mut observer) =
        (channel().consumer().unwrap(), channel().observer().unwrap());
    for (seq, has_age) in [(2, false), (3, true), (4, true)] {
        let got = consumer.latest().unwrap().unwrap();
        assert_eq!((got.seq(), got.age().is_some()), (seq, has_age), "in place");
        let copied = got.to_copy().unwrap();
        let told = (copied.seq(), copied.age().is_some(), copied.stamp() != 0);
        assert_eq!(told, (seq, has_age, has_age), "copied");
        let owned = got.into_owned();
        assert_eq!((owned.seq(), owned.age().is_some()), (seq, has_age), "kept");
        let copy = observer.copy().unwrap().unwrap();
        let told = (copy.seq(), copy.age().is_some(), copy.stamp() != 0);
        assert_eq!(told, (seq, has_age, has_age), "looked at");
        producer.put(&value).unwrap();
    }
}

#[test]
fn values_from_before_a_reboot_have_no_age_and_the_first_after_it_has() {
    no_age_before_a_reboot(7_u64); // stored inline
    no_age_before_a_reboot([7_u64; 6]);
}

#[test]
fn anonymous_memory_inherited_by_a_child_is_a_channel_like_any_other() {
    let mut producer = Channel::<u64>::anonymous().producer().unwrap();
    producer.put(&1).unwrap();
    let stdin = Stdio::from(copy_of(producer.as_fd()));
    goes_to_a_peer(producer, Peer::start_on("peer", &["inherit"], stdin));
}

#[test]
fn anonymous_memory_sent_over_a_socket_is_a_channel_like_any_other() {
    let mut producer = Channel::<u64>::anonymous().producer().unwrap();
    producer.put(&1).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let peer = Peer::start_on("peer", &["receive"], Stdio::from(OwnedFd::from(there)));
    send(&here, producer.as_fd().unwrap());
    goes_to_a_peer(producer, peer);
}

fn goes_to_a_peer(mut producer: io_shared::Producer<u64>, mut peer: Peer) {
    let descriptor = copy_of(producer.as_fd());
    let open = || Channel::<u64>::from_fd(descriptor.try_clone().unwrap());
    assert!(is_taken(open().producer()));
    assert!(std::thread::scope(|scope| {
        scope.spawn(|| is_taken(open().producer())).join().unwrap()
    }));
    peer.expect("got 1");
    producer.put(&2).unwrap();
    peer.expect("got 2");
    drop(producer);
    peer.expect("put 3");
    peer.end();
    assert_eq!(*open().consumer().unwrap().get_timeout(SECONDS).unwrap(), 3);
}

#[test]
fn a_killed_users_role_in_anonymous_memory_is_free() {
    let mut producer = Channel::<u64>::anonymous().producer().unwrap();
    producer.put(&1).unwrap();
    let stdin = Stdio::from(copy_of(producer.as_fd()));
    let mut peer = Peer::start_on("peer", &["inherit"], stdin);
    peer.expect("got 1");
    let descriptor = copy_of(producer.as_fd());
    let open = || Channel::<u64>::from_fd(descriptor.try_clone().unwrap());
    peer.kill();
    producer.put(&2).unwrap();
    assert_eq!(*open().consumer().unwrap().get_timeout(SECONDS).unwrap(), 2);
}

#[test]
fn anonymous_memory_cannot_be_cut_short_under_its_users() {
    let producer = Channel::<u64>::anonymous().producer().unwrap();
    let file = File::from(copy_of(producer.as_fd()));
    let size = file.metadata().unwrap().len();
    assert!(file.set_len(0).is_err());
    assert_eq!(file.metadata().unwrap().len(), size);
    // It may grow, as it does when a consumer joins.
    file.set_len(size + 4096).unwrap();
    let raw = UnsafeSharedMmap::anonymous().size(100).open().unwrap();
    assert!(File::from(raw.as_fd().try_clone_to_owned().unwrap()).set_len(0).is_err());
}

/// If the library tried this, the kernel would kill a process: this one, and no other.
fn more_than_the_memory() {
    std::fs::write("/proc/self/oom_score_adj", "1000").unwrap();
    for error in [
        Channel::<[u8]>::anonymous().capacity(1u64 << 44).producer().unwrap_err(),
        UnsafeSharedMmap::anonymous().size(1u64 << 44).open().unwrap_err(),
        SharedMmap::anonymous().size(1u64 << 44).open().unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
        assert!(error.to_string().contains("of memory left"), "{error}");
    }
}

#[test]
fn anonymous_memory_larger_than_the_machines_is_refused_and_not_tried() {
    Peer::start("peer", &["more than the memory"]).end();
}

#[test]
fn locked_bytes_and_state_are_passed_on_by_their_descriptors_too() {
    let mut here = SharedMmap::anonymous().size(16).open().unwrap();
    let mut there = SharedMmap::from_fd(copy_of(here.as_fd())).open().unwrap();
    let guard = here.lock().unwrap();
    assert!(there.try_lock().is_err()); // two claims, not one claimed twice
    drop(guard);
    there.lock().unwrap().write_all(b"there").unwrap();
    assert_eq!(io_shared::mmap::Bytes::as_bytes(&here.lock().unwrap())[..5], *b"there");
    let mut state = Shared::<[u32; 2]>::anonymous().open().unwrap();
    let mut other = Shared::<[u32; 2]>::from_fd(copy_of(state.as_fd())).open().unwrap();
    other.update(|pair| *pair = [1, 2]).unwrap();
    assert_eq!(state.get().unwrap(), [1, 2]);
    let error = Shared::<[u32; 3]>::from_fd(copy_of(state.as_fd())).open().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    drop(state.read().unwrap());
}

#[test]
fn a_descriptor_of_something_else_is_refused_and_not_waited_for() {
    let (pipe, _write) = std::io::pipe().unwrap();
    let (socket, _other) = UnixStream::pair().unwrap();
    for (descriptor, what) in [
        (OwnedFd::from(pipe), "FIFO"),
        (OwnedFd::from(File::open("/dev/null").unwrap()), "device"),
        (OwnedFd::from(File::open("/").unwrap()), "directory"),
        (OwnedFd::from(socket), "socket"),
    ] {
        let open = || descriptor.try_clone().unwrap();
        for error in [
            Channel::<u64>::from_fd(open()).producer().unwrap_err(),
            Channel::<u64>::from_fd(open()).observer().unwrap_err(),
            SharedMmap::from_fd(open()).size(8).open().unwrap_err(),
            UnsafeSharedMmap::from_fd(open()).size(8).open().unwrap_err(),
        ] {
            assert!(error.to_string().contains(what), "{what}: {error}");
        }
    }
}

#[test]
fn an_anonymous_channel_that_nobody_can_create_is_an_error_and_not_waited_for() {
    let error = Channel::<[u8]>::anonymous().consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadOption { option: "capacity", .. }), "{error}");
    Channel::<[u8]>::anonymous().observer().unwrap_err();
    Channel::<[u8]>::anonymous().capacity(10).consumer().unwrap();
}
