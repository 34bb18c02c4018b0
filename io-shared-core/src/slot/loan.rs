//! Loans: a buffer that its producer fills in place and then publishes.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::{Producer, Slot};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::message::invalid::Invalid;
use crate::message::shown::Shown;
use crate::os::clock::{self, StampClock};
use crate::os::copy;
use crate::region::Region;

/// A buffer lent to the producer: a message in shared memory that nobody else sees before it is
/// [put](Loan::put). Dropping a loan publishes nothing.
///
/// At first it has the buffer's old content: an older message, or zeros. What must be
/// [checked](Message::CHECKED), the fields of a struct with a `bool` or an enum for example, is
/// always zeros.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-loan-{}", std::process::id());
/// # let mut clouds = io_shared::Channel::<[f32]>::named(name).elements(1000).producer()?;
/// let mut cloud = clouds.loan_len(3)?;
/// cloud.zero();
/// cloud[1] = 0.5; // written where consumers will read it
/// cloud.put()?;
/// assert_eq!(*io_shared::consumer::<[f32]>(name)?.get()?, [0.0, 0.5, 0.0]);
/// # io_shared::Channel::remove(name)
/// # }
/// ```
#[must_use = "a loan that is not put is seen by nobody"]
pub struct Loan<'a, T: Message + ?Sized> {
    pub(super) slot: &'a mut Slot<Producer>,
    buffer: usize,
    pub(super) message: *mut T,
    /// The number that it is put under. `None`: the next.
    seq: Option<u64>,
    /// `None`: the time of the put.
    stamp: Option<u64>,
    tag: u64,
    message_type: PhantomData<&'a mut T>,
}

// SAFETY: it is a `&mut Slot` and a `&mut T` in effect, and both are Send when T is, which the
// supertrait of Message says.
unsafe impl<T: Message + ?Sized> Send for Loan<'_, T> {}
// SAFETY: as above, for shared access.
unsafe impl<T: Message + ?Sized> Sync for Loan<'_, T> {}

impl Slot<Producer> {
    /// Lends a free buffer for a message with `elements` in its tail (0 for a sized message).
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::BadLength`], [`ErrorKind::RoleLost`],
    /// [`ErrorKind::SequenceExhausted`], [`ErrorKind::NoMemory`], [`ErrorKind::ForkedHandle`],
    /// [`ErrorKind::Corrupt`].
    #[inline]
    pub fn loan<T: Message + ?Sized>(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        self.loan_or(elements, |_, too_large| Err(too_large))
    }

    /// As [`loan`](Self::loan). If `T` is checked, the bytes may be none of its values, so that no
    /// reference to them may be made.
    #[inline]
    pub(super) fn lend<T: Message + ?Sized>(&mut self, elements: usize) -> Result<Loan<'_, T>> {
        self.check_fork()?;
        if !self.fits::<T>(elements) {
            return Err(self.too_large::<T>(elements));
        }
        self.lend_fitting(elements)
    }

    /// As [`lend`](Self::lend), for a message that fits.
    #[inline]
    pub(super) fn lend_fitting<T: Message + ?Sized>(
        &mut self,
        elements: usize,
    ) -> Result<Loan<'_, T>> {
        self.check_length::<T>(elements)?;
        let region = &*self.region;
        let buffer = self.side.protocol.loan(region).map_err(|fault| region.fault(fault))?;
        let message = T::from_raw_parts_mut(region.payload(buffer), elements);
        Ok(Loan {
            slot: self,
            buffer,
            message,
            seq: None,
            stamp: None,
            tag: 0,
            message_type: PhantomData,
        })
    }

    /// Puts a copy of `value`. During the copy of a large one, consumers may
    /// [read it ahead](crate::binding) and sleepers are woken.
    ///
    /// # Errors
    /// The errors of [`loan`](Self::loan) and of [`Loan::put`].
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Message, Slot, Spec, Which};
    /// # fn main() -> io_shared_core::Result<()> {
    /// # let name = io_shared_core::Name::new(&format!("/doc-slot-put-{}", std::process::id()))?;
    /// # let location = io_shared_core::Location::from(name);
    /// let spec = Spec { schema: Some(<[u32]>::schema()), capacity: Some(400), ..Spec::default() };
    /// let mut producer = Slot::producing(&location, &spec)?;
    /// assert_eq!(producer.put(&[1_u32, 2, 3][..])?, 1);
    /// assert!(producer.put(&[0_u32; 101][..]).is_err());
    /// # io_shared_core::remove(&location, io_shared_core::Kind::Channel)
    /// # }
    /// ```
    #[inline]
    pub fn put<T: Message + ?Sized>(&mut self, value: &T) -> Result<u64> {
        self.put_tagged(value, 0)
    }

    /// As [`put`](Self::put), with a [tag](Loan::tag).
    ///
    /// # Errors
    /// The errors of [`put`](Self::put).
    #[inline]
    pub fn put_tagged<T: Message + ?Sized>(&mut self, value: &T, tag: u64) -> Result<u64> {
        let mut loan = self.lend::<T>(value.elements())?;
        loan.tag = tag;
        let bytes = value.as_bytes();
        loan.fill_with(bytes);
        // No code of the user's has run since the loan, so the process has not forked in this
        // thread, and the loan still has its length.
        loan.publish(bytes.len())
    }

    /// Whether a `T` with this many elements has room in a buffer.
    #[inline]
    pub(super) fn fits<T: Message + ?Sized>(&self, elements: usize) -> bool {
        let shape = T::SHAPE;
        let Some((length, padded)) = shape.wire_len_of(elements).zip(shape.padded_len_of(elements))
        else {
            return false;
        };
        // For a sized type the compiler leaves out the last two: the payload spans the capacity,
        // and is aligned to at least 8.
        length as u64 <= self.capacity()
            && (padded == length || padded as u64 <= self.region.payload_size())
            && (shape.align <= 8 || shape.align as u64 <= self.alignment())
    }

    /// The error for bytes that are no message.
    #[cold]
    pub(super) fn bad_value<T: Message + ?Sized>(&self, invalid: Invalid) -> Error {
        self.region.bad_value::<T>(invalid, "nothing was put")
    }

    /// The alignment of every payload.
    fn alignment(&self) -> u64 {
        // A payload that shares the header's line starts at 32, and is aligned to 8.
        let offset = u64::from(self.region.layout().payload_offset);
        1 << offset.trailing_zeros()
    }

    /// If `T` is bytes: whether this many are a message of the slot's type.
    #[inline]
    fn check_length<T: Message + ?Sized>(&self, elements: usize) -> Result<()> {
        let length = T::SHAPE.wire_len_of(elements).unwrap_or(usize::MAX) as u64;
        if self.region.allows::<T>(length) {
            return Ok(());
        }
        let expected = self.region.schema().root().shape();
        Err(self.region.error(ErrorKind::BadLength { found: length, expected }))
    }

    /// The error for a message that does not fit. A type of a fixed size allows no other length, so
    /// there more capacity would not help.
    #[cold]
    pub(super) fn too_large<T: Message + ?Sized>(&self, elements: usize) -> Error {
        let expected = self.region.schema().root().shape();
        if let (None, Err(error)) = (expected.element, self.check_length::<T>(elements)) {
            return error;
        }
        let needed = T::SHAPE.wire_len_of(elements).map_or(u64::MAX, |needed| needed as u64);
        self.region.error(ErrorKind::TooLarge { needed, capacity: self.capacity() })
    }
}

impl<T: Message + ?Sized> Loan<'_, T> {
    /// Gives the value a tag: a number of the user's that whoever receives the value finds with it.
    /// A stage of a pipeline tags its output with the `seq` of its input, so that the two can be
    /// paired. Without this the tag is 0.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-loan-tag-{}", std::process::id());
    /// # let mut labels = io_shared::producer::<[u8; 4]>(name)?;
    /// let mut loan = labels.loan()?;
    /// *loan = [1, 0, 0, 1];
    /// loan.tag(42); // they belong to the cloud with this `seq`
    /// loan.put()?;
    /// assert_eq!(io_shared::consumer::<[u8; 4]>(name)?.get()?.tag(), 42);
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn tag(&mut self, tag: u64) {
        self.tag = tag;
    }

    /// Gives the value the number `seq` in place of the next one. Numbers only go up: consumers
    /// count those that were left out as [missed](crate::slot::Guard::missed). It is for programs
    /// that pass on, or replay, what was numbered elsewhere, so that numbers and the tags that name
    /// them stay the same. To go back to a lower number, remove the channel and create it again.
    ///
    /// `stamp` is when the value was put at first, in nanoseconds of CLOCK_MONOTONIC on this
    /// machine, from which consumers compute its age. `None`: the time of this put. A time of
    /// another clock has to be converted first; if that cannot be done, pass 0: then the value has
    /// no stamp and no age. A stamp in the future has no age either.
    ///
    /// # Errors
    /// [`ErrorKind::BadSeq`]: the number is not greater than the last one, or is greater than 2^52
    /// - 1. The loan is as it was.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-loan-numbered-{}", std::process::id());
    /// # let mut copies = io_shared::producer::<f64>(name)?;
    /// # let mut consumer = io_shared::consumer::<f64>(name)?;
    /// let mut loan = copies.loan()?;
    /// *loan = 20.5;
    /// loan.numbered(41, None)?; // the number that it had elsewhere
    /// assert_eq!(loan.put()?, 41);
    /// assert!(copies.loan()?.numbered(41, None).is_err()); // numbers only go up
    ///
    /// let value = consumer.get()?;
    /// assert_eq!((value.seq(), value.missed()), (41, 40));
    /// # drop(value);
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn numbered(&mut self, seq: u64, stamp: impl Into<Option<u64>>) -> Result<()> {
        let Slot { side, region, .. } = &*self.slot;
        side.protocol.check_number(seq).map_err(|fault| region.fault(fault))?;
        (self.seq, self.stamp) = (Some(seq), stamp.into());
        Ok(())
    }

    /// The message, and the name of its channel.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut T, &str) {
        // SAFETY: as in `deref`, and this loan is borrowed mutably.
        (unsafe { &mut *self.message }, self.slot.name())
    }

    /// The region and the producer that the buffer belongs to.
    pub(super) fn region_and_producer(&mut self) -> (&Region, &mut Producer) {
        (&self.slot.region, &mut self.slot.side)
    }

    /// Sets the part of the message that must be checked to 0, which every type has as a value. It
    /// has the bytes of an older message, which another program may have written.
    pub(super) fn clear(&mut self, elements: usize) {
        let element = if T::CHECKED_TAIL { T::SHAPE.element } else { None };
        let bytes = T::SHAPE.size + element.unwrap_or(0) * elements;
        // SAFETY: `message` is this loan's alone and spans its fixed part and its elements.
        unsafe { self.message.cast::<u8>().write_bytes(0, bytes) };
    }

    /// Sets every byte of the message to 0. Lists have no elements then. [`Loan`] has an example.
    pub fn zero(&mut self) {
        let bytes = size_of_val(&**self);
        // SAFETY: `message` is this loan's alone and spans `bytes`; all zeros are a valid T (3).
        unsafe { self.message.cast::<u8>().write_bytes(0, bytes) };
    }

    /// Copies `value` into the loan, without padding at its end.
    ///
    /// # Panics
    /// If `value` has another number of elements than this buffer was opened for.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-copy-from-{}", std::process::id());
    /// # let mut labels = io_shared::Channel::<[u32]>::named(name).elements(1000).producer()?;
    /// let found = [7, 8, 9];
    /// let mut loan = labels.loan_len(found.len())?;
    /// loan.copy_from(&found);
    /// loan.put()?;
    /// assert_eq!(*io_shared::consumer::<[u32]>(name)?.get()?, [7, 8, 9]);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    pub fn copy_from(&mut self, value: &T) {
        assert_eq!(value.elements(), self.elements(), "the buffer was opened for this value");
        self.copy_bytes(value.as_bytes());
    }

    /// Copies the bytes of a value with the same number of elements into the loan.
    #[inline]
    pub(super) fn copy_bytes(&mut self, bytes: &[u8]) {
        // SAFETY: `message` is this loan's alone and spans at least the wire length of as many
        // elements; the bytes are borrowed and so lie elsewhere.
        unsafe { copy::bytes(bytes.as_ptr(), self.message.cast(), bytes.len()) };
    }

    /// Shortens the tail to `elements`. Does nothing if it is shorter already. This does not
    /// compile for a message with lists.
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-truncate-{}", std::process::id());
    /// # let mut labels = io_shared::Channel::<[u32]>::named(name).elements(1000).producer()?;
    /// let mut loan = labels.loan_len(1000)?; // as many as there may be
    /// loan[..3].copy_from_slice(&[7, 8, 9]);
    /// loan.truncate(3); // as many as there are
    /// loan.put()?;
    /// assert_eq!(*io_shared::consumer::<[u32]>(name)?.get()?, [7, 8, 9]);
    /// # io_shared::Channel::remove(name)
    /// # }
    /// ```
    pub fn truncate(&mut self, elements: usize) {
        const { assert!(!T::HAS_LISTS, "what is last in this message is no list of its own") };
        if T::SHAPE.element.is_some() && elements < self.elements() {
            self.message = T::from_raw_parts_mut(self.message.cast(), elements);
        }
    }

    /// Publishes the message, wakes sleeping consumers, and returns the value's number.
    ///
    /// # Errors
    /// - [`ErrorKind::Replaced`]: the channel was removed or replaced, with `.reopen(false)`.
    ///   Without it, the value is put into the channel that has the name now. The errors are then
    ///   those of opening that channel and of a loan of it, and [`ErrorKind::BadSeq`] if it has
    ///   reached the number of a [numbered](Self::numbered) loan.
    /// - For bytes [`ErrorKind::BadLength`] if they were shortened to a length that the channel's
    ///   type cannot have, and [`ErrorKind::BadValue`] if a `bool` or an enum in them has no such
    ///   value. Also `BadValue` if a list of the message is not within it, or overlaps another.
    /// - [`ErrorKind::RoleLost`], [`ErrorKind::ForkedHandle`], [`ErrorKind::Corrupt`].
    ///
    /// # Examples
    /// ```
    /// # use io_shared_channel as io_shared;
    /// # fn main() -> io_shared::Result<()> {
    /// # let name = &format!("/doc-loan-put-{}", std::process::id());
    /// # let mut poses = io_shared::producer::<[f64; 6]>(name)?;
    /// let mut loan = poses.loan()?;
    /// loan[5] = 0.5;
    /// assert_eq!(loan.put()?, 1); // the first value
    /// poses.loan()?[5] = 0.7; // not put: nobody sees it
    /// assert_eq!(io_shared::consumer::<[f64; 6]>(name)?.get()?[5], 0.5);
    /// # io_shared::remove(name)
    /// # }
    /// ```
    #[inline]
    pub fn put(self) -> Result<u64> {
        // The user may have forked since the loan, and may have shortened it.
        self.slot.check_fork()?;
        let elements = self.elements();
        self.slot.check_length::<T>(elements)?;
        let Some(length) = T::SHAPE.wire_len_of(elements) else {
            return Err(self.slot.too_large::<T>(elements));
        };
        self.publish(length)
    }

    /// Publishes the message, of which the caller has checked that it has this length in bytes.
    #[inline]
    fn publish(mut self, length: usize) -> Result<u64> {
        match self.publish_here(length) {
            Err(error) => {
                let Self { slot, message, seq, stamp, tag, .. } = self;
                // SAFETY: the message is this loan's alone, and the region of `slot` has it.
                unsafe { slot.publish_anew(message, (seq, stamp, tag), error) }
            }
            published => published,
        }
    }

    /// Publishes the message in the channel that it was lent by.
    #[inline]
    pub(super) fn publish_here(&mut self, length: usize) -> Result<u64> {
        let Self { ref mut slot, buffer, message, seq, stamp: given, tag, .. } = *self;
        slot.check_stale()?;
        // A message that was written as a `T` is valid, except that the lists may be those of
        // another message; bytes may be anything.
        // SAFETY: the message is this loan's alone and has this length, which `lend` or `put` have
        // compared with the region's type.
        let checked = unsafe { slot.region.check_bytes::<T>(message.cast(), length) };
        checked.map_err(|invalid| slot.bad_value::<T>(invalid))?;
        let now = match given {
            None => slot.side.stamps.as_mut().map_or(0, StampClock::now),
            Some(_) => 0,
        };
        // Before the value is published: one that a consumer has had here is not put a second time
        // into the channel that has the name by now.
        slot.look_around(if now == 0 { clock::now_coarse() } else { now })?;
        let stamp = given.unwrap_or(now);
        let region = &*slot.region;
        let producer = &mut slot.side.protocol;
        let seq = seq.unwrap_or(producer.sequence() + 1);
        let published = producer.publish(region, buffer, seq, length as u64, stamp, tag);
        let sequence = published.map_err(|fault| region.fault(fault))?;
        producer.wake(region);
        Ok(sequence)
    }
}

impl Loan<'_, [u8]> {
    /// What [`binding::clear_checked`](crate::binding::clear_checked) does.
    #[inline]
    pub(crate) fn clear_checked(&mut self) {
        let checked = self.slot.region.checked_length(self.len());
        self[..checked].fill(0);
    }
}

impl<T: Message + ?Sized> Deref for Loan<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the pointer is aligned and spans mapped memory (`lend` has checked both against
        // the layout); every bit pattern is a T, or `loan` has set to 0 what must be checked; and
        // until it is published the protocol lends the buffer to this loan alone, which is borrowed
        // here.
        unsafe { &*self.message }
    }
}

impl<T: Message + ?Sized> DerefMut for Loan<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.parts().0
    }
}

impl<T: Message + ?Sized> fmt::Debug for Loan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan")
            .field("name", &self.slot.name())
            .field("value", &Shown(&**self))
            .finish_non_exhaustive()
    }
}
