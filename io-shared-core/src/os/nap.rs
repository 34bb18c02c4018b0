//! Sleeping for a time, with no word to wait for.

use std::time::Duration;

use nix::errno::Errno;

use crate::os::clock;

/// Sleeps for `time`, whatever signals come. Unlike [`std::thread::sleep`] it does not panic if a
/// seccomp filter refuses the call: then it sleeps by another call, or yields.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
/// let before = Instant::now();
/// io_shared_core::nap(Duration::from_millis(2));
/// assert!(before.elapsed() >= Duration::from_millis(2));
/// ```
pub fn nap(time: Duration) {
    nap_until(clock::deadline(time));
}

/// Sleeps as [`nap`] does, until `until` (CLOCK_MONOTONIC in nanoseconds).
pub(crate) fn nap_until(until: u64) {
    let at = clock::timespec(until);
    loop {
        // SAFETY: the kernel reads the timespec; with an absolute time it writes nothing.
        let failed = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &raw const at,
                std::ptr::null_mut(),
            )
        };
        if failed != libc::EINTR {
            break;
        }
    }
    // Now `until` is past, unless the call was refused. A filter may even answer success.
    loop {
        let left = until.saturating_sub(clock::now());
        if left == 0 {
            return;
        }
        let millis = left.div_ceil(1_000_000).min(1000) as libc::c_int;
        // SAFETY: with no descriptors nothing is read or written.
        let slept = unsafe { libc::poll(std::ptr::null_mut(), 0, millis) };
        if Errno::result(slept).is_err_and(|error| error != Errno::EINTR) {
            std::thread::yield_now();
        }
    }
}
