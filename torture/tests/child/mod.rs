//! Forked processes that run a part of a test, and their users, mounts and usage.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod refuse;

use std::io::Write;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, setgid, setgroups, setuid};

/// Runs `child` in a forked process, which exits with 0 unless it panics, and runs no destructors.
pub(crate) fn in_child(child: impl FnOnce()) -> Pid {
    // SAFETY: the child runs `child` and _exit alone; the locks that it needs (malloc's, which
    // glibc keeps usable in a forked child, and none of the test harness's) are free.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            test_support::set_patience();
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(i32::from(ran.is_err())) }
        }
    }
}

/// Waits for `child`, which must not have panicked.
#[track_caller]
pub(crate) fn succeeds(child: Pid) {
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
}

/// Waits for `child`, which must have been killed.
#[track_caller]
pub(crate) fn is_killed(child: Pid) {
    let ended = waitpid(child, None).unwrap();
    assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{ended:?}");
}

/// Descriptors and shared mappings of this process.
pub(crate) fn footprint() -> (usize, usize) {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    // address perms offset device inode path; the perms of a shared mapping end with `s`
    let shared = |line: &&str| line.split(' ').nth(1).is_some_and(|perms| perms.ends_with('s'));
    (descriptors, maps.lines().filter(shared).count())
}

/// Reports that a test was not run, and why.
pub(crate) fn not_run(why: &str) {
    // Not by eprintln!, which is captured when a test passes.
    let _ = writeln!(std::io::stderr(), "NOT RUN: {why}");
}

/// Whether this process has the rights of root. Reports the test as not run if not.
pub(crate) fn is_root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        not_run("this test needs root");
    }
    root
}

/// Becomes another user for good.
pub(crate) fn become_user(id: u32) {
    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(id)).unwrap();
    setuid(Uid::from_raw(id)).unwrap();
}

/// A user without special rights.
pub(crate) const NOBODY: u32 = 65534;

/// Whether a forked process may have its own mounts. Reports the test as not run if not.
pub(crate) fn may_mount() -> bool {
    let mounted = in_child(|| mount_shm("size=64k"));
    let may = waitpid(mounted, None).unwrap() == WaitStatus::Exited(mounted, 0);
    if !may {
        not_run("this machine does not let the test have mounts of its own");
    }
    may
}

/// Gives this process its own mounts: in a user namespace, unless it is root.
pub(crate) fn own_mounts() {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if uid.is_root() {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).unwrap();
        // Otherwise a process that has changed its user may not write to its own /proc.
        nix::sys::prctl::set_dumpable(true).unwrap();
        std::fs::write("/proc/self/setgroups", "deny").unwrap();
        std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).unwrap();
        std::fs::write("/proc/self/gid_map", format!("0 {gid} 1")).unwrap();
    }
    let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    mount(none, "/", none, private, none).unwrap();
}

/// Gives this process its own shared memory.
pub(crate) fn mount_shm(options: &str) {
    own_mounts();
    let tmpfs = Some("tmpfs");
    mount(tmpfs, "/dev/shm", tmpfs, MsFlags::empty(), Some(options)).unwrap();
}

/// The processor time that this process has used, and how often it gave up its core.
pub(crate) fn used() -> (Duration, i64) {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = usage.user_time() + usage.system_time();
    let time = Duration::from_micros(time.num_microseconds().cast_unsigned());
    (time, usage.voluntary_context_switches())
}
