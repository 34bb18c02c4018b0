//! What other users may do: modes, owners, sticky directories. Faults 50 to 54.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use child::{NOBODY, become_user, in_child, is_root, not_run, succeeds};
use io_shared::{Channel, Error, ErrorKind, SharedMmap, UnsafeSharedMmap};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use test_support::TestName;

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::System { call: "open", errno: libc::EACCES })
}

/// Fault 50.
#[test]
fn the_mode_is_exact_under_the_strictest_and_the_most_lenient_umask() {
    succeeds(in_child(|| {
        for mask in [0o077, 0o000, 0o777] {
            umask(Mode::from_bits_truncate(mask));
            let (channel, lock, bytes) =
                (TestName::new("umask"), TestName::new("umask-lock"), TestName::new("umask-bytes"));
            let _producer = Channel::<u64>::named(&*channel).mode(0o660).producer().unwrap();
            let _lock = SharedMmap::named(&*lock).size(8).mode(0o660).open().unwrap();
            let _bytes = UnsafeSharedMmap::named(&*bytes).size(8).mode(0o660).open().unwrap();
            for name in [channel, lock, bytes] {
                let mode = std::fs::metadata(name.path()).unwrap().permissions().mode();
                assert_eq!(mode & 0o7777, 0o660, "{} under {mask:o}", &*name);
                std::fs::remove_file(name.path()).unwrap();
            }
        }
    }));
}

/// Faults 51, 53 and 54, in /dev/shm, which is a sticky directory.
#[test]
fn the_mode_decides_what_other_users_may_do() {
    if !is_root() {
        return;
    }
    let (private, public) = (TestName::new("private"), TestName::new("public"));
    let _private = io_shared::producer::<u64>(&private).unwrap();
    let mut producer = Channel::<u64>::named(&*public).mode(0o644).producer().unwrap();
    producer.put(&1).unwrap();
    succeeds(in_child(|| {
        become_user(NOBODY);
        for error in [
            Channel::<u64>::named(&*private).observer().unwrap_err(),
            io_shared::producer::<u64>(&private).unwrap_err(),
            io_shared::consumer::<u64>(&public).unwrap_err(),
        ] {
            assert!(is_refused(&error), "{error}");
            // The error names its owner, who asks, whether it is in use, and what to do.
            let said = error.to_string();
            assert!(said.contains("belongs to root"), "{said}");
            assert!(said.contains("this process is user"), "{said}");
            assert!(said.contains("a program is using it: ask root"), "{said}");
            assert_eq!(said.contains(".observer()"), said.contains("public"), "{said}");
        }
        for name in [&private, &public] {
            let error = Channel::remove(name).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::NotOwner, "{error}");
            assert!(error.to_string().contains("ask root to remove it"), "{error}");
        }
        let mut observer = Channel::<u64>::named(&*public).observer().unwrap();
        assert_eq!(*observer.copy().unwrap().unwrap(), 1);
        let error = Channel::<u64>::named(&*public).history(3).observer().unwrap_err();
        let said = error.to_string();
        assert!(is_refused(&error) && said.contains("(.history()) an observer reserves"), "{said}");
        let error = Channel::<u64>::named("/test-mode").mode(0o444).producer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { option: "mode", .. }), "{error}");
    }));
    // The failed removal marked nothing.
    producer.put(&2).unwrap();

    // A user who may write may take every role, but still not remove it.
    let shared = TestName::new("shared");
    drop(Channel::<u64>::named(&*shared).mode(0o666).producer().unwrap());
    succeeds(in_child(|| {
        become_user(NOBODY);
        let mut producer = io_shared::producer::<u64>(&shared).unwrap();
        let error = Channel::remove(&shared).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotOwner, "{error}");
        producer.put(&3).unwrap();
    }));
    assert_eq!(*io_shared::consumer::<u64>(&shared).unwrap().get().unwrap(), 3);
}

/// The limit that SECURITY.md states.
#[test]
fn a_user_who_may_only_read_can_keep_roles_from_being_taken_and_no_more() {
    if !is_root() {
        return;
    }
    let name = TestName::new("reader");
    let open = || Channel::<u64>::named(&*name).mode(0o644).consumers(2);
    let mut producer = open().producer().unwrap();
    let mut consumer = open().consumer().unwrap();
    let (mut here, there) = UnixStream::pair().unwrap();
    let reader = in_child(|| {
        become_user(NOBODY);
        let file = File::open(name.path()).unwrap();
        // The bytes of all consumers but the first.
        test_support::claims::lock(&file, libc::F_RDLCK, 0x101, 63);
        (&there).write_all(&[1]).unwrap();
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    });
    drop(there); // so that its end is noticed
    here.read_exact(&mut [0]).unwrap();
    assert!(matches!(open().consumer().unwrap_err().kind(), ErrorKind::NoSlot { .. }));
    // A handle that has a role keeps it.
    for value in 1..100 {
        producer.put(&value).unwrap();
        assert_eq!(*consumer.get().unwrap(), value);
    }
    kill(reader, Signal::SIGKILL).unwrap();
    waitpid(reader, None).unwrap();
    assert!(open().consumer().is_ok());
}

/// Fault 54.
#[test]
fn a_name_that_another_user_was_first_to_take_is_his_and_his_mode_decides() {
    if !is_root() {
        return;
    }
    let (squatted, private, public) =
        (TestName::new("squatted"), TestName::new("squat-private"), TestName::new("squat-public"));
    succeeds(in_child(|| {
        become_user(NOBODY);
        std::fs::write(squatted.path(), "mine").unwrap();
        std::fs::set_permissions(squatted.path(), PermissionsExt::from_mode(0o666)).unwrap();
        drop(Channel::<u64>::named(&*private).producer().unwrap());
        drop(Channel::<u64>::named(&*public).mode(0o666).producer().unwrap());
    }));
    succeeds(in_child(|| {
        become_user(NOBODY - 1);
        let open = |name: &TestName| {
            let channel = Channel::<u64>::named(&**name).open_timeout(Duration::ZERO);
            [
                channel.clone().producer().unwrap_err(),
                channel.clone().consumer().unwrap_err(),
                channel.observer().unwrap_err(),
            ]
        };
        for error in open(&squatted) {
            assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
        }
        for error in open(&private) {
            assert!(is_refused(&error), "{error}");
        }
        let mut producer = io_shared::producer::<u64>(&public).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&public).unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        drop((producer, consumer));
        // Another shape would need a replacement, which only its owner may do.
        let error = io_shared::producer::<i32>(&public).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotOwner, "{error}");
    }));
    assert_eq!(std::fs::read(squatted.path()).unwrap(), b"mine");
    let mut observer = Channel::<u64>::named(&*public).observer().unwrap();
    assert_eq!(*observer.copy().unwrap().unwrap(), 1);
}

/// Fault 69: a daemon that has given up its rights cannot even check the name any more.
#[test]
fn a_process_that_may_not_search_the_directory_any_more_keeps_its_channels() {
    if !is_root() {
        return;
    }
    // All directories above it may be searched.
    let directory = TestName::new("private-directory").path();
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
    let channel = directory.join("channel");
    succeeds(in_child(|| {
        let mut producer = Channel::<u64>::file(&channel).producer().unwrap();
        let mut consumer = Channel::<u64>::file(&channel).consumer().unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        become_user(NOBODY);
        let looked = std::fs::symlink_metadata(&channel).unwrap_err();
        assert_eq!(looked.raw_os_error(), Some(libc::EACCES));
        // Longer than a handle goes without checking its name.
        std::thread::sleep(Duration::from_millis(120));
        producer.put(&2).unwrap();
        assert_eq!(*consumer.get().unwrap(), 2);
    }));
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Sets `fs.protected_regular` to another value until this is dropped.
struct ProtectedRegular(String);

impl ProtectedRegular {
    const PATH: &str = "/proc/sys/fs/protected_regular";

    /// Returns `None` where it cannot be set.
    fn set(value: &str) -> Option<Self> {
        let before = std::fs::read_to_string(Self::PATH).ok()?;
        std::fs::write(Self::PATH, value).ok()?;
        Some(Self(before))
    }
}

impl Drop for ProtectedRegular {
    fn drop(&mut self) {
        let _ = std::fs::write(Self::PATH, &self.0);
    }
}

/// Fault 52. Where this cannot run, `injection.rs` still shows that an existing channel is never
/// opened with O_CREAT.
#[test]
fn a_channel_of_another_user_in_a_sticky_directory_opens_under_protected_regular() {
    if !is_root() {
        return;
    }
    let name = TestName::new("protected");
    succeeds(in_child(|| {
        become_user(NOBODY);
        drop(Channel::<u64>::named(&*name).mode(0o666).producer().unwrap());
    }));
    let Some(_setting) = ProtectedRegular::set("2") else {
        return not_run("fs.protected_regular cannot be set here");
    };
    let created = File::options().create(true).truncate(false).write(true).open(name.path());
    assert_eq!(created.unwrap_err().raw_os_error(), Some(libc::EACCES), "it is in force");
    let both_sides = || {
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        let mut observer = Channel::<u64>::named(&*name).observer().unwrap();
        assert_eq!(*observer.copy().unwrap().unwrap(), 1);
    };
    both_sides();
    succeeds(in_child(|| {
        become_user(NOBODY - 1);
        both_sides();
    }));
    Channel::remove(&name).unwrap();
}
