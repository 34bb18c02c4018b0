//! What surrounds a process: its limits, its rights, its signals, its file systems. Numbers are
//! those of FAULTS.md.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;
#[path = "../../tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime};

use child::{in_child, succeeds};
use common::{TestName, claim, descriptors_of, eventually};
use io_shared::{Channel, Error, ErrorKind, Result};
use nix::fcntl::{FcntlArg, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Uid, setgid, setuid};

/// Whether the rights of root are there; says so if not.
fn is_root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        let _ = writeln!(std::io::stderr(), "NOT RUN: this test needs root");
    }
    root
}

/// Becomes nobody, for good.
fn become_nobody() {
    setgid(Gid::from_raw(65534)).unwrap();
    setuid(Uid::from_raw(65534)).unwrap();
}

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::System { call: "open", errno: libc::EACCES })
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("/dev/shm/")).count()
}

// 38
#[test]
fn whoever_runs_out_of_descriptors_keeps_none_and_destroys_nothing() {
    type Step = fn(&str) -> Result<()>;
    let steps: [(&str, Step); 6] = [
        ("produce", |name| io_shared::producer::<u64>(name).map(drop)),
        ("consume", |name| io_shared::consumer::<u64>(name).map(drop)),
        ("produce another type", |name| io_shared::producer::<i32>(name).map(drop)),
        ("observe", |name| {
            Channel::<u64>::named(name).open_timeout(Duration::ZERO).observer().map(drop)
        }),
        ("look", |name| {
            Channel::<i32>::named(name).open_timeout(Duration::ZERO).consumer().map(drop)
        }),
        ("remove", Channel::remove),
    ];
    // Alone, so that nobody else opens anything.
    succeeds(in_child(|| {
        for exists in [false, true] {
            for (what, step) in steps {
                for free in 0..8 {
                    let name = TestName::new("descriptors");
                    if exists {
                        drop(io_shared::producer::<u64>(&name).unwrap());
                    }
                    let before = (descriptors(), mappings());
                    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
                    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
                    let mut filled: Vec<_> =
                        std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
                    filled.truncate(filled.len() - free);
                    let done = step(&name);
                    drop(filled);
                    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
                    let context = format!("{what}, {free} free, exists: {exists}: {done:?}");
                    assert_eq!((descriptors(), mappings()), before, "{context}");
                    match done {
                        Ok(()) => {}
                        Err(error) => {
                            assert_eq!(name.path().exists(), exists, "{context}");
                            let expected = matches!(
                                error.kind(),
                                ErrorKind::System { errno: libc::EMFILE, .. }
                                    | ErrorKind::NotFound
                                    | ErrorKind::Mismatch { .. }
                            );
                            assert!(expected, "{context}");
                        }
                    }
                }
            }
        }
    }));
}

// 37
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_signal() {
    let name = TestName::new("file-size");
    drop(io_shared::producer::<u64>(&name).unwrap());
    succeeds(in_child(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 0, hard).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        producer.put(&1).unwrap();
        assert_eq!(*consumer.get().unwrap(), 1);
        // Removing writes to the region too.
        Channel::remove(&name).unwrap();
        let replaced = consumer.try_get().unwrap_err();
        assert_eq!(*replaced.kind(), ErrorKind::Replaced);
        let refused = io_shared::producer::<u64>(&name).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::FileSizeLimit { limit: 0, .. }), "{refused}");
    }));
}

// 56. Kernels differ in whether a signal ends fallocate; where it does not, this shows little.
#[test]
fn signals_at_any_rate_do_not_keep_a_channel_from_being_created() {
    extern "C" fn ignore(_: libc::c_int) {}
    let name = TestName::new("signals");
    let (mut here, there) = UnixStream::pair().unwrap();
    let creator = in_child(|| {
        let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        (&there).write_all(&[1]).unwrap();
        Channel::<[u8]>::named(&*name).capacity("100M").producer().unwrap();
    });
    drop(there); // so that its end is noticed
    here.read_exact(&mut [0]).unwrap();
    let started = std::time::Instant::now();
    let ended = loop {
        match waitpid(creator, Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::StillAlive => kill(creator, Signal::SIGUSR1).unwrap(),
            ended => break ended,
        }
        if started.elapsed() > Duration::from_secs(20) {
            kill(creator, Signal::SIGKILL).unwrap();
        }
        std::thread::sleep(Duration::from_micros(300));
    };
    assert_eq!(ended, WaitStatus::Exited(creator, 0), "after {:?}", started.elapsed());
}

// 51, 53, 54
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
        become_nobody();
        for error in [
            Channel::<u64>::named(&*private).observer().unwrap_err(),
            io_shared::producer::<u64>(&private).unwrap_err(),
            io_shared::consumer::<u64>(&public).unwrap_err(),
        ] {
            assert!(is_refused(&error), "{error}");
        }
        for name in [&private, &public] {
            let error = Channel::remove(name).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::NotOwner, "{error}");
        }
        let mut observer = Channel::<u64>::named(&*public).observer().unwrap();
        assert_eq!(*observer.copy().unwrap().unwrap(), 1);
        let error = Channel::<u64>::named("/test-mode").mode(0o444).producer().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadOption { option: "mode", .. }), "{error}");
    }));
    // Nothing was marked.
    producer.put(&2).unwrap();

    // Who may write may take every role, and still not remove it.
    let shared = TestName::new("shared");
    drop(Channel::<u64>::named(&*shared).mode(0o666).producer().unwrap());
    succeeds(in_child(|| {
        become_nobody();
        let mut producer = io_shared::producer::<u64>(&shared).unwrap();
        let error = Channel::remove(&shared).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotOwner, "{error}");
        producer.put(&3).unwrap();
    }));
    assert_eq!(*io_shared::consumer::<u64>(&shared).unwrap().get().unwrap(), 3);
}

/// The limit that SECURITY.md states.
#[test]
fn who_may_only_read_can_keep_roles_from_being_taken_and_no_more() {
    if !is_root() {
        return;
    }
    let name = TestName::new("reader");
    let open = || Channel::<u64>::named(&*name).mode(0o644).consumers(2);
    let mut producer = open().producer().unwrap();
    let mut consumer = open().consumer().unwrap();
    let (mut here, there) = UnixStream::pair().unwrap();
    let reader = in_child(|| {
        become_nobody();
        let file = File::open(name.path()).unwrap();
        // The second consumer's byte.
        let lock = libc::flock {
            l_type: libc::F_RDLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: (1 << 62) + 0x101,
            l_len: 1,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
        (&there).write_all(&[1]).unwrap();
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    });
    drop(there); // so that its end is noticed
    here.read_exact(&mut [0]).unwrap();
    assert!(matches!(open().consumer().unwrap_err().kind(), ErrorKind::NoSlot { .. }));
    // Who has a role keeps it.
    for value in 1..100 {
        producer.put(&value).unwrap();
        assert_eq!(*consumer.get().unwrap(), value);
    }
    kill(reader, Signal::SIGKILL).unwrap();
    waitpid(reader, None).unwrap();
    assert!(open().consumer().is_ok());
}

// 69
#[test]
fn a_process_that_changes_its_root_keeps_its_channels() {
    if !is_root() {
        return;
    }
    let name = TestName::new("chroot");
    let (mut here, there) = UnixStream::pair().unwrap();
    let jailed = in_child(|| {
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        let mut observer = Channel::<u64>::named(&*name).observer().unwrap();
        producer.put(&1).unwrap();
        std::os::unix::fs::chroot("/etc").unwrap();
        // Longer than a handle goes without looking.
        std::thread::sleep(Duration::from_millis(120));
        producer.put(&2).unwrap();
        assert_eq!(*consumer.get().unwrap(), 2);
        assert_eq!(*observer.copy().unwrap().unwrap(), 2);
        // Yet that the name is gone is noticed, without a word from whoever deleted it.
        (&there).write_all(&[1]).unwrap();
        (&there).read_exact(&mut [0]).unwrap();
        let is_replaced = |error: Error| *error.kind() == ErrorKind::Replaced;
        eventually("the producer notices", || producer.put(&3).is_err_and(is_replaced));
        eventually("the consumer notices", || consumer.latest().is_err_and(is_replaced));
        eventually("the observer notices", || observer.copy().is_err_and(is_replaced));
    });
    drop(there); // so that its end is noticed
    if here.read_exact(&mut [0]).is_ok() {
        std::fs::remove_file(name.path()).unwrap();
        here.write_all(&[1]).unwrap();
    }
    succeeds(jailed);
}

// 20, 65
#[test]
fn without_proc_channels_come_from_hidden_names_and_stale_ones_are_swept() {
    if !is_root() {
        return;
    }
    let name = TestName::new("no-proc");
    let hidden = |what: &str| {
        let path = format!("/dev/shm/.io-shared.test-{what}-{}", std::process::id());
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let file = file.unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        (std::path::PathBuf::from(path), file)
    };
    let ((stale, _), (living, file)) = (hidden("stale"), hidden("living"));
    let creator = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: (1 << 62) + 2,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&creator)).unwrap();
    let link = std::path::PathBuf::from(format!("{}-link", stale.display()));
    std::os::unix::fs::symlink(&living, &link).unwrap();
    let before: Vec<_> = hidden_names();
    let child = in_child(|| {
        // A mount namespace of its own, in which /proc is not mounted.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, private, none).unwrap();
        umount2("/proc", MntFlags::MNT_DETACH).unwrap();
        assert!(!std::path::Path::new("/proc/self").exists());
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        producer.put(&5).unwrap();
        assert_eq!(*consumer.get().unwrap(), 5);
        let taken = io_shared::producer::<u64>(&name).unwrap_err();
        assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
        let error = Channel::<[u8]>::named("/test-no-room").capacity(1u64 << 50).producer();
        assert!(matches!(error.unwrap_err().kind(), ErrorKind::NoSpace { .. }));
        // Who cannot be opened anew is not opened at all.
        let anonymous = Channel::<u64>::anonymous().producer().unwrap_err();
        assert!(matches!(
            anonymous.kind(),
            ErrorKind::System { .. } | ErrorKind::Unsupported { .. }
        ));
        Channel::remove(&name).unwrap();
        assert_eq!(*consumer.try_get().unwrap_err().kind(), ErrorKind::Replaced);
        drop(io_shared::consumer::<u64>(&name).unwrap());
    });
    let ended = waitpid(child, None).unwrap();
    let after = hidden_names();
    for path in [&stale, &living, &link] {
        let _ = std::fs::remove_file(path);
    }
    assert_eq!(ended, WaitStatus::Exited(child, 0));
    assert!(before.contains(&stale) && !after.contains(&stale), "{before:?} {after:?}");
    assert!(after.contains(&living), "its creator lives: {after:?}");
    assert_eq!(after.len(), before.len() - 1, "{before:?} {after:?}");
    // Others, with /proc, are in the same channel.
    assert_eq!(descriptors_of(&name), 0);
    assert!(io_shared::producer::<u64>(&name).is_ok());
    drop(claim(&name, 1, 1));
}

/// The hidden names of channels that are being made.
fn hidden_names() -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let is_hidden =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".io-shared.");
    entries.filter(is_hidden).map(|entry| entry.path()).collect()
}
