//! An inline value that stays in its slot after its guard: what a server of questions reads, which
//! may borrow nothing while it looks for one. An [`OwnedGuard`](super::OwnedGuard) would copy it
//! again. To fill one takes 30 ns here: it is read in wider pieces than it was written in, which
//! waits until all stores before have left the store buffer.

use std::time::Duration;

use super::guard::{Guard, Guarded};
use super::value::{Value, fits_inline};
use super::{Consumer, Slot};
use crate::message::Message;
use crate::os::clock;

/// What is known of an inline value that [`Guard::keep`] has left in its slot.
///
/// # Examples
/// ```
/// use io_shared_core::{Kind, Location, Message, Name, Slot, Spec, Which};
/// # fn main() -> io_shared_core::Result<()> {
/// # let location = Location::from(Name::new(&format!("/doc-kept-{}", std::process::id()))?);
/// let spec = Spec { schema: Some(u64::schema()), capacity: Some(8), ..Spec::default() };
/// let mut producer = Slot::producing(&location, &spec)?;
/// let mut consumer = Slot::consuming(&location, None, &spec)?;
/// producer.put_tagged(&5, 41)?;
/// let guard = consumer.acquire::<u64>(Which::Unseen, |_, nothing| nothing.map(|()| false))?;
/// let kept = guard.expect("it was put").keep().expect("it is small");
/// assert_eq!((consumer.kept::<u64>(), kept.seq()), (Some(&5), 1));
/// let guard = consumer.guard_of::<u64>(kept).expect("it is the last one");
/// assert_eq!((*guard, guard.tag()), (5, 41));
/// # io_shared_core::remove(&location, Kind::Channel)
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept {
    sequence: u64,
    missed: u64,
    stamp: u64,
    tag: u64,
}

impl Kept {
    /// The value's sequence number.
    #[inline]
    pub fn seq(&self) -> u64 {
        self.sequence
    }
}

impl<T: Message + ?Sized> Guard<'_, T> {
    /// Ends the guard, and leaves an inline value in its slot until the slot acquires another one.
    ///
    /// # Errors
    /// This guard, if its value lies in its buffer.
    ///
    /// # Examples
    /// [`Kept`] has one.
    // Always inlined: the guard is then never written anywhere.
    #[inline(always)]
    pub fn keep(self) -> Result<Kept, Self> {
        match self.guarded.value {
            Value { hazard: Some(_), .. } => Err(self),
            Value { sequence, missed, stamp, tag, .. } => Ok(Kept { sequence, missed, stamp, tag }),
        }
    }
}

impl Slot<Consumer> {
    /// The time since the put of a value that was kept, as [`Guard::age`] has it.
    pub fn age_of(&self, kept: Kept) -> Option<Duration> {
        clock::since(self.region.own_stamp(kept.sequence, kept.stamp))
    }

    /// The inline value that this slot has acquired last. `None` if that is no `T`.
    ///
    /// # Examples
    /// [`Kept`] has one.
    #[inline]
    pub fn kept<T: Message + ?Sized>(&self) -> Option<&T> {
        if !fits_inline::<T>() || self.region.own_size() != T::SHAPE.size as u64 {
            return None;
        }
        self.check_inline::<T>().ok()?;
        let message = T::from_raw_parts(self.side.inline.as_ptr().cast_mut().cast(), 0);
        // SAFETY: a type that `fits_inline` is sized, and no larger and no more aligned than the
        // slot's copy. That is initialised, and its bytes were checked to be a `T`. Only a get
        // writes to it, which borrows the slot mutably.
        Some(unsafe { &*message })
    }

    /// A guard of a value that was kept. The value is the one that this slot has acquired last;
    /// `None` if that is no `T`.
    ///
    /// # Examples
    /// [`Kept`] has one.
    pub fn guard_of<T: Message + ?Sized>(&mut self, kept: Kept) -> Option<Guard<'_, T>> {
        let message = std::ptr::from_ref(self.kept::<T>()?);
        let Kept { sequence, missed, stamp, tag } = kept;
        let value = Value { sequence, missed, stamp, tag, hazard: None, message };
        let guarded = Guarded { region: &self.region, value };
        Some(Guard { guarded, consumer: &mut self.side })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Which;
    use crate::{Kind, Location, Name, Spec, remove};

    fn keep<T: Message + ?Sized>(consumer: &mut Slot<Consumer>) -> Option<Kept> {
        let guard = consumer.acquire::<T>(Which::Unseen, |_, nothing| nothing.map(|()| false));
        guard.unwrap().unwrap().keep().ok()
    }

    fn location(what: &str) -> Location {
        let name = format!("/kept-{what}-{}", std::process::id());
        Location::from(Name::new(&name).unwrap())
    }

    #[test]
    fn a_kept_value_is_the_last_one_and_another_type_is_not_given() {
        let location = location("last");
        let spec = Spec { schema: Some(bool::schema()), capacity: Some(1), ..Spec::default() };
        let mut producer = Slot::producing(&location, &spec).unwrap();
        let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
        producer.put(&true).unwrap();
        let kept = keep::<bool>(&mut consumer).unwrap();
        assert_eq!((kept.seq(), consumer.kept::<bool>()), (1, Some(&true)));
        assert_eq!(consumer.kept::<u64>(), None, "it has one byte");
        assert_eq!(consumer.kept::<[u8]>(), None, "it has no size of its own");
        let owned = consumer.guard_of::<bool>(kept).unwrap().into_owned();
        producer.put(&false).unwrap();
        let next = keep::<bool>(&mut consumer).unwrap();
        assert_eq!((next.seq(), consumer.kept::<bool>(), *owned), (2, Some(&false), true));
        assert!(consumer.age_of(kept) >= consumer.age_of(next));
        // As a get leaves it that was refused.
        consumer.side.inline[0] = 2;
        assert_eq!(consumer.kept::<bool>(), None, "it is neither");
        assert!(consumer.guard_of::<bool>(next).is_none());
        remove(&location, Kind::Channel).unwrap();
    }

    #[test]
    fn a_value_in_its_buffer_stays_with_its_guard() {
        let location = location("buffer");
        let spec = Spec { schema: Some(<[u8]>::schema()), capacity: Some(8), ..Spec::default() };
        let mut producer = Slot::producing(&location, &spec).unwrap();
        let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
        producer.put::<[u8]>(&[7; 8]).unwrap();
        assert!(keep::<[u8]>(&mut consumer).is_none());
        assert_eq!(consumer.kept::<[u8]>(), None);
        remove(&location, Kind::Channel).unwrap();
    }
}
