//! What hinders a channel from growing: a limit on the size of files, a seal, a mount that has
//! become read-only. Whoever needs the room is told, and the channel goes on as it was. Faults
//! 37 and 65.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod child;

use std::fs::File;
use std::os::fd::AsFd;

use child::{in_child, may_mount, mount_shm, succeeds};
use io_shared::{Channel, Consumer, Error, ErrorKind, Producer};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use test_support::TestName;

fn growing(name: &str) -> Channel<[u8]> {
    Channel::<[u8]>::named(name).capacity(4096).growing(true)
}

/// What is put arrives, and the next number is the one after it.
fn goes_on(producer: &mut Producer<[u8]>, consumer: &mut Consumer<[u8]>) {
    let sequence = producer.put(&[5; 4096]).unwrap();
    let value = consumer.get().unwrap();
    assert_eq!((&value[..], value.seq()), (&[5; 4096][..], sequence));
    drop(value);
    assert_eq!(producer.put(&[6]).unwrap(), sequence + 1);
    assert_eq!(consumer.get().unwrap()[..], [6]);
}

/// Nothing but this name and its file is left, whatever was tried.
fn names() -> Vec<std::ffi::OsString> {
    std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn above_the_limit_on_the_size_of_files_neither_capacity_nor_pool_grows_and_no_signal_comes() {
    let name = TestName::new("hindered-limit");
    succeeds(in_child(|| {
        let mut producer = growing(&name).producer().unwrap();
        let mut consumer = growing(&name).consumer().unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        let size = name.path().metadata().unwrap().len();
        setrlimit(Resource::RLIMIT_FSIZE, size, hard).unwrap();
        for _ in 0..3 {
            let refused = producer.put(&[1; 1 << 20]).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::FileSizeLimit { .. }), "{refused}");
            goes_on(&mut producer, &mut consumer);
            // One buffer more for a second consumer, and seven more for what it holds.
            for holds in [1, 8] {
                let refused = growing(&name).holds(holds).consumer().unwrap_err();
                assert!(matches!(refused.kind(), ErrorKind::FileSizeLimit { .. }), "{refused}");
                goes_on(&mut producer, &mut consumer);
            }
        }
        assert_eq!(name.path().metadata().unwrap().len(), size);
        setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
        assert_eq!(producer.put(&[1; 1 << 20]).unwrap(), 19);
        assert_eq!(consumer.get().unwrap().len(), 1 << 20);
        growing(&name).consumer().unwrap();
    }));
}

#[test]
fn a_memfd_that_was_sealed_against_growing_refuses_who_joins_and_serves_who_is_there() {
    // What a channel makes cannot be sealed.
    let own = Channel::<[u8]>::anonymous().capacity(4096).producer().unwrap();
    let grow = FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW);
    assert_eq!(fcntl(own.as_fd().unwrap(), grow), Err(Errno::EPERM));
    // A copy of a region in a file of the user's own can.
    let name = TestName::new("hindered-seal");
    drop(growing(&name).producer().unwrap());
    let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
    let mut file = File::from(memfd_create("sealed", flags).unwrap());
    std::io::copy(&mut File::open(name.path()).unwrap(), &mut file).unwrap();
    let channel = || {
        let descriptor = file.as_fd().try_clone_to_owned().unwrap();
        Channel::<[u8]>::from_fd(descriptor).capacity(4096)
    };
    let mut producer = channel().producer().unwrap();
    let mut consumer = channel().consumer().unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW)).unwrap();
    let refused = channel().consumer().unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::System { errno: libc::EPERM, .. }), "{refused}");
    goes_on(&mut producer, &mut consumer);
    // A descriptor has no name that a larger region could be given.
    let refused = producer.put(&[1; 1 << 20]).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::TooLarge { .. }), "{refused}");
    goes_on(&mut producer, &mut consumer);
}

#[test]
fn where_the_mount_has_become_read_only_a_channel_keeps_its_size_and_its_users() {
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=16m");
        let mut producer = growing("/stays").producer().unwrap();
        let mut consumer = growing("/stays").consumer().unwrap();
        let before = names();
        // Over it, or the kernel would refuse for as long as somebody has the file open.
        let (none, shm) = (None::<&str>, "/dev/shm");
        mount(Some(shm), shm, none, MsFlags::MS_BIND, none).unwrap();
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, shm, none, read_only, none).unwrap();
        let is_read_only =
            |error: &Error| matches!(error.kind(), ErrorKind::System { errno: libc::EROFS, .. });
        for _ in 0..3 {
            let refused = producer.put(&[1; 1 << 20]).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::TooLarge { .. }), "{refused}");
            assert!(refused.to_string().contains("mounted read-only"), "{refused}");
            let refused = growing("/stays").consumer().unwrap_err();
            assert!(is_read_only(&refused), "{refused}");
            goes_on(&mut producer, &mut consumer);
        }
        assert_eq!(names(), before);
    }));
}
