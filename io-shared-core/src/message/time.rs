//! Spans and points of time as messages: whole nanoseconds, since the types of the standard library
//! have no layout that is the same in every program.

use std::fmt;
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
/// # Ok::<(), io_shared_core::Error>(())
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
/// # Ok::<(), io_shared_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct SystemTimeNs {
    /// The nanoseconds since the start of 1970; before that they are negative.
    pub nanoseconds: i64,
}

/// A time that has no room in the type of a message. `?` makes it an [`Error`](crate::Error).
///
/// ```
/// use std::time::Duration;
///
/// use io_shared_core::DurationNs;
///
/// let error = DurationNs::try_from(Duration::from_secs(1 << 35)).unwrap_err();
/// let said = "34359738368s has no room in `DurationNs`: expected a duration of at most 584 years";
/// assert_eq!(error.to_string(), said);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeError {
    pub(crate) of: &'static str,
    pub(crate) found: String,
    pub(crate) expected: &'static str,
}

impl TimeError {
    #[cold]
    fn new(of: &'static str, found: &dyn fmt::Debug, expected: &'static str) -> Self {
        Self { of, found: format!("{found:?}"), expected }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, found, expected } = self;
        write!(f, "{found} has no room in `{of}`: expected {expected}")
    }
}

impl std::error::Error for TimeError {}

impl TryFrom<Duration> for DurationNs {
    type Error = TimeError;

    /// # Errors
    /// The duration is longer than 2^64 - 1 nanoseconds.
    fn try_from(duration: Duration) -> Result<Self, TimeError> {
        match duration.as_nanos().try_into() {
            Ok(nanoseconds) => Ok(Self { nanoseconds }),
            Err(_) => {
                Err(TimeError::new("DurationNs", &duration, "a duration of at most 584 years"))
            }
        }
    }
}

impl From<DurationNs> for Duration {
    fn from(duration: DurationNs) -> Self {
        Duration::from_nanos(duration.nanoseconds)
    }
}

impl SystemTimeNs {
    /// The time now, by the wall clock. A clock that is set to a year after 2262 is taken for one
    /// at the end of that time.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use io_shared_core::SystemTimeNs;
    ///
    /// let now = SystemTimeNs::now();
    /// let age = SystemTime::now().duration_since(now.into()).unwrap_or_default();
    /// assert!(age < Duration::from_secs(60));
    /// ```
    pub fn now() -> Self {
        Self::try_from(SystemTime::now()).unwrap_or(Self { nanoseconds: i64::MAX })
    }
}

impl TryFrom<SystemTime> for SystemTimeNs {
    type Error = TimeError;

    /// # Errors
    /// The time is before the year 1677 or after 2262.
    fn try_from(time: SystemTime) -> Result<Self, TimeError> {
        let nanoseconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).ok(),
            Err(before) => i128::try_from(before.duration().as_nanos())
                .ok()
                .and_then(|nanoseconds| i64::try_from(-nanoseconds).ok()),
        };
        match nanoseconds {
            Some(nanoseconds) => Ok(Self { nanoseconds }),
            None => Err(TimeError::new("SystemTimeNs", &time, "a time from the year 1677 to 2262")),
        }
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
            prop_assert_eq!(SystemTimeNs::try_from(SystemTime::from(time)).unwrap(), time);
            let duration = DurationNs { nanoseconds: duration };
            prop_assert_eq!(DurationNs::try_from(Duration::from(duration)).unwrap(), duration);
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
        let error = crate::Error::from(DurationNs::try_from(longer).unwrap_err());
        assert_eq!(
            error.to_string(),
            "DurationNs: .try_from(18446744073.709551616s) will not do: a duration of at most 584 \
             years"
        );
    }

    #[test]
    fn now_is_between_two_looks_at_the_clock() {
        let before = SystemTime::now();
        let now = SystemTime::from(SystemTimeNs::now());
        assert!(before <= now && now <= SystemTime::now());
    }
}
