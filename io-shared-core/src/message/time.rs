//! Spans and points of time as messages: whole nanoseconds, since the types of the standard library
//! have no layout that is the same in every program.

use std::num::TryFromIntError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::message::Message;
use crate::message::schema::Type;
use crate::message::shape::Shape;

/// A [`Duration`] in a message: whole nanoseconds in a `u64`, up to 584 years.
///
/// Its schema is that of a `u64`, so C has an `uint64_t` and Python an `int`. Tell readers the unit
/// with `#[message(unit = "ns")]`.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use io_shared_core::{DurationNs, Message as _};
/// # use io_shared_derive::Message;
///
/// #[derive(Clone, Copy, Message)]
/// #[repr(C)]
/// struct Exposure {
///     #[message(unit = "ns")]
///     time: DurationNs,
/// }
///
/// let exposure = Exposure { time: Duration::from_millis(8).try_into()? };
/// assert_eq!(exposure.as_bytes(), 8_000_000_u64.to_le_bytes());
/// assert_eq!(Duration::from(exposure.time), Duration::from_millis(8));
/// assert!(DurationNs::try_from(Duration::MAX).is_err());
/// # Ok::<(), std::num::TryFromIntError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct DurationNs {
    /// The nanoseconds.
    pub nanoseconds: u64,
}

/// A [`SystemTime`] in a message: whole nanoseconds since 1970 (UTC, without leap seconds) in an
/// `i64`, from the year 1677 to 2262.
///
/// Its schema is that of an `i64`. Clocks of several machines differ, and a clock may be set: for
/// the age of a value there is [`Guard::age`](crate::slot::Guard::age).
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
///
/// use io_shared_core::{Message as _, SystemTimeNs};
/// # use io_shared_derive::Message;
///
/// #[derive(Clone, Copy, Message)]
/// #[repr(C)]
/// struct Fix {
///     #[message(unit = "ns")]
///     stamp: SystemTimeNs, // since 1970
/// }
///
/// let fix = Fix { stamp: (UNIX_EPOCH - Duration::from_secs(1)).try_into()? };
/// assert_eq!(fix.as_bytes(), (-1_000_000_000_i64).to_le_bytes());
/// assert_eq!(SystemTime::from(fix.stamp), UNIX_EPOCH - Duration::from_secs(1));
/// # Ok::<(), std::num::TryFromIntError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct SystemTimeNs {
    /// The nanoseconds since the start of 1970; before that they are negative.
    pub nanoseconds: i64,
}

impl TryFrom<Duration> for DurationNs {
    type Error = TryFromIntError;

    /// # Errors
    /// The duration is longer than 2^64 - 1 nanoseconds.
    fn try_from(duration: Duration) -> Result<Self, Self::Error> {
        Ok(Self { nanoseconds: duration.as_nanos().try_into()? })
    }
}

impl From<DurationNs> for Duration {
    fn from(duration: DurationNs) -> Self {
        Duration::from_nanos(duration.nanoseconds)
    }
}

impl TryFrom<SystemTime> for SystemTimeNs {
    type Error = TryFromIntError;

    /// # Errors
    /// The time is before the year 1677 or after 2262.
    fn try_from(time: SystemTime) -> Result<Self, Self::Error> {
        let nanoseconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos())?,
            Err(before) => -i128::try_from(before.duration().as_nanos())?,
        };
        Ok(Self { nanoseconds: nanoseconds.try_into()? })
    }
}

impl From<SystemTimeNs> for SystemTime {
    // A time of Linux has 64 bits for its seconds, so this does not overflow.
    fn from(time: SystemTimeNs) -> Self {
        let distance = Duration::from_nanos(time.nanoseconds.unsigned_abs());
        if time.nanoseconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

macro_rules! wrapper {
    ($name:ident, $number:ty) => {
        // SAFETY: it is a number (repr(transparent)), of which every bit pattern is valid.
        unsafe impl bytemuck::Zeroable for $name {}
        // SAFETY: as above.
        unsafe impl bytemuck::Pod for $name {}

        // SAFETY: it is a number (repr(transparent)), which is a message (1 to 5); the pointers are
        // casts (6); no provided method is overridden (7).
        unsafe impl Message for $name {
            const SHAPE: Shape = <$number>::SHAPE;

            fn layout() -> Type {
                <$number>::layout()
            }

            fixed_size!();
        }
    };
}

wrapper!(DurationNs, u64);
wrapper!(SystemTimeNs, i64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_come_back_as_they_were(nanoseconds: i64, duration: u64) {
            let time = SystemTimeNs { nanoseconds };
            prop_assert_eq!(SystemTimeNs::try_from(SystemTime::from(time)), Ok(time));
            let duration = DurationNs { nanoseconds: duration };
            prop_assert_eq!(DurationNs::try_from(Duration::from(duration)), Ok(duration));
        }
    }

    #[test]
    fn times_that_have_no_room_are_refused() {
        let last = Duration::from_nanos(i64::MAX.unsigned_abs());
        assert!(SystemTimeNs::try_from(UNIX_EPOCH + last).is_ok());
        assert!(SystemTimeNs::try_from(UNIX_EPOCH + last + Duration::from_nanos(1)).is_err());
        let first = Duration::from_nanos(i64::MIN.unsigned_abs());
        assert!(SystemTimeNs::try_from(UNIX_EPOCH - first).is_ok());
        assert!(SystemTimeNs::try_from(UNIX_EPOCH - first - Duration::from_nanos(1)).is_err());
        assert!(DurationNs::try_from(Duration::from_nanos(u64::MAX)).is_ok());
        let longer = Duration::from_nanos(u64::MAX) + Duration::from_nanos(1);
        assert!(DurationNs::try_from(longer).is_err());
    }
}
