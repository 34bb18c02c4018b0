//! CLOCK_MONOTONIC, exact and coarse: what stamps and deadlines are in.

mod stamp_clock;

use std::time::Duration;

pub(crate) use stamp_clock::StampClock;

/// CLOCK_MONOTONIC in nanoseconds: what stamps and deadlines are in. Never 0.
///
/// # Examples
/// ```
/// use io_shared_core::clock;
/// let before = clock::now();
/// assert!(before > 0 && clock::now() >= before);
/// ```
#[doc(alias = "clock_gettime")]
#[inline]
pub fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// CLOCK_MONOTONIC as of the last timer tick (1 to 10 ms ago), at a fifth of the cost.
///
/// # Examples
/// ```
/// use io_shared_core::clock;
/// assert!(clock::now_coarse() <= clock::now());
/// ```
#[inline]
pub fn now_coarse() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// The instant `after` from now, saturating at [`u64::MAX`], which never comes.
///
/// # Examples
/// ```
/// use io_shared_core::clock;
/// use std::time::Duration;
/// assert!(clock::deadline(Duration::from_secs(1)) > clock::now());
/// assert_eq!(clock::deadline(Duration::MAX), u64::MAX);
/// ```
pub fn deadline(after: Duration) -> u64 {
    u64::try_from(after.as_nanos()).map_or(u64::MAX, |nanos| now().saturating_add(nanos))
}

/// An instant of CLOCK_MONOTONIC in the form that system calls take.
pub(crate) fn timespec(at: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (at % 1_000_000_000) as i64,
    }
}

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that lives through the call, and the call writes nothing else.
    // It cannot fail: both clocks exist since Linux 2.6.32.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How far a stamp may be ahead of its reader's clock, in nanoseconds: twice the error of a stamp.
/// A stamp that is further ahead was read from another clock, or from none.
const AHEAD: u64 = 4_000;

/// The time since `stamp`; `None` if it is 0 (no stamp), or later than now.
pub(crate) fn since(stamp: u64) -> Option<Duration> {
    match now().checked_sub(stamp) {
        _ if stamp == 0 => None,
        Some(nanos) => Some(Duration::from_nanos(nanos)),
        None => (stamp - AHEAD <= now()).then_some(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_saturate() {
        assert_eq!(deadline(Duration::MAX), u64::MAX);
        assert!(deadline(Duration::ZERO) <= now());
    }

    #[test]
    fn a_stamp_of_the_future_has_no_age_unless_it_is_within_the_error_of_stamps() {
        assert_eq!(since(0), None);
        assert!(since(now()).is_some());
        assert!(since(now() + 2_000).is_some());
        assert_eq!(since(now() + 1_000_000_000), None);
        assert_eq!(since(u64::MAX), None);
        assert!(since(1).is_some_and(|age| age.as_nanos() > 1_000_000));
    }
}
