//! Forked processes that run a part of a test.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Runs `child` in a forked process, which exits with 0 unless it panics, and runs no destructors.
pub(crate) fn in_child(child: impl FnOnce()) -> Pid {
    // SAFETY: the child runs `child` and _exit alone; the locks that it needs (malloc's, which
    // glibc keeps usable in a forked child, and none of the test harness's) are free.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
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
