//! A value that a consumer's slot has taken: a copy of an inline value, or a message in a buffer
//! that a hazard pointer protects.

use std::slice;

use super::{Consumer, Slot};
use crate::error::{Bytes, Error, Result};
use crate::message::{Message, Shape};
use crate::os::clock;
use crate::os::copy;
use crate::protocol::{InlineRead, MAX_INLINE_WORDS, Protected, Which};

/// A value that was taken.
pub(super) struct Value<T: Message + ?Sized> {
    pub(super) sequence: u64,
    pub(super) missed: u64,
    pub(super) stamp: u64,
    pub(super) tag: u64,
    /// `None` for an inline value.
    pub(super) hazard: Option<Hazard>,
    /// In the buffer that `hazard` protects. Without one, in the slot's copy of the inline value,
    /// which stays as it is while the slot is borrowed: a sized `T` that is aligned to at most 8.
    pub(super) message: *const T,
}

/// The hazard pointer that keeps the producer from a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hazard {
    pub(super) entry: usize,
    pub(super) buffer: usize,
    pub(super) filling: u64,
}

/// The words that the line of `latest` has for an inline value.
pub(super) type InlineWords = [u64; MAX_INLINE_WORDS];

/// Whether a `T` can be stored inline: it is sized, and no larger and no more aligned than
/// [`InlineWords`].
pub(super) const fn fits_inline<T: Message + ?Sized>() -> bool {
    let Shape { size, align, element } = T::SHAPE;
    element.is_none() && size <= size_of::<InlineWords>() && align <= align_of::<InlineWords>()
}

impl Slot<Consumer> {
    /// Takes the value, if there is one. `waited` says that the try before found nothing, so that
    /// what is found now was put since.
    // Always inlined: otherwise each get makes a call that returns seven words.
    #[inline(always)]
    pub(super) fn try_acquire<T: Message + ?Sized>(
        &mut self,
        which: Which,
        waited: bool,
    ) -> Result<Option<Value<T>>> {
        // A caller that polls makes this call from before the value is there, so the clock is read
        // before the look for it, when that delays nothing. A call that is held up in between is
        // like one that is held up on its way back.
        let due = !waited && self.watch.is_due(clock::now_coarse());
        self.check_fork()?;
        if which == Which::Current {
            // There is always something to take, so this is the only look.
            self.check_or_look()?;
        }
        let value = if fits_inline::<T>() && self.region.own_size() == T::SHAPE.size as u64 {
            self.read_inline(which)?
        } else if fits_inline::<T>() {
            self.take_a_part(which)?
        } else {
            self.take_buffer(which)?
        };
        let Some(value) = value else {
            if waited || due || self.region.is_retired() {
                self.check_or_look()?;
            }
            return Ok(None);
        };
        if which == Which::Unseen {
            // After the taking: a value that is refused here counts as seen, and makes no consumer
            // ready again. If the consumer has spun for the value, its stamp tells the time for
            // free; without a stamp, the look of the round before counts. A value that was found at
            // once may have been put at any time before, in a region that is gone since.
            if due || (waited && value.stamp != 0 && self.watch.is_due(value.stamp)) {
                self.look_with_value(&value)?;
            }
        }
        Ok(Some(value))
    }

    /// Looks whether the name leads elsewhere, before a value is returned. If so, the value is
    /// refused: in the region that has the name now, it is new.
    #[cold]
    fn look_with_value<T: Message + ?Sized>(&mut self, value: &Value<T>) -> Result<()> {
        let looked = self.watch.look_with_value(&self.region);
        if looked.is_err() {
            self.side.refused =
                Some((value.sequence, value.sequence.saturating_sub(value.missed + 1)));
        }
        looked
    }

    /// The inline value, or else a copy of the one in its buffer.
    // The value is copied into the slot once and stays there. A second copy a moment later, in
    // wider pieces than it was written in, would wait until those stores have left the store
    // buffer. Always inlined, as `acquire`.
    #[inline(always)]
    fn read_inline<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        let Consumer { protocol: consumer, inline, .. } = &mut self.side;
        let words = &mut inline[..T::SHAPE.size.div_ceil(8)];
        match consumer.read_inline(&*self.region, which, words) {
            Ok(InlineRead::Value { sequence, missed, stamp, tag }) => {
                self.check_inline::<T>()?;
                let inline = &mut self.side.inline;
                let message = T::from_raw_parts(inline.as_mut_ptr().cast(), 0);
                Ok(Some(Value { sequence, missed, stamp, tag, hazard: None, message }))
            }
            Ok(InlineRead::Nothing) => Ok(None),
            Ok(InlineRead::NotInline) => self.copy_buffer(which),
            Err(fault) => Err(self.region.fault(fault)),
        }
    }

    /// Whether the slot's copy of an inline value, which nobody else can change, is a `T`.
    #[inline]
    pub(super) fn check_inline<T: Message + ?Sized>(&self) -> Result<()> {
        // SAFETY: a type that `fits_inline` is no larger than the slot's copy, which is borrowed.
        let checked = unsafe {
            self.region.check_message::<T>(self.side.inline.as_ptr().cast(), T::SHAPE.size)
        };
        checked.map_err(|invalid| self.region.bad_value_found::<T>(invalid))
    }

    /// The value in its buffer, copied to where [`read_inline`](Self::read_inline) copies it. The
    /// hazard pointer is free again then. One is always free here: guards of inline values keep
    /// none.
    #[cold]
    fn copy_buffer<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        let Some(value) = self.take_buffer::<T>(which)? else { return Ok(None) };
        let Self { region, side: Consumer { protocol: consumer, inline, .. }, .. } = self;
        let to = inline.as_mut_ptr().cast();
        // SAFETY: a type that `fits_inline` is no larger than the slot's copy, borrowed mutably.
        let bytes = unsafe { slice::from_raw_parts_mut(to, T::SHAPE.size) };
        // SAFETY: `message` is of that size and lies in a buffer, which is still protected.
        unsafe { copy::shared(value.message.cast_mut().cast(), bytes) };
        consumer.leave(&**region);
        self.check_inline::<T>()?;
        let message = T::from_raw_parts(self.side.inline.as_mut_ptr().cast(), 0);
        Ok(Some(Value { hazard: None, message, ..value }))
    }

    /// As [`take_buffer`](Self::take_buffer), of a message that this handle knows the first fields
    /// of.
    #[inline(never)]
    fn take_a_part<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        self.take_buffer(which)
    }

    /// Protects the value's buffer.
    // Always inlined, with what it calls. What a call returns would be read in wider pieces than it
    // was written in, and so wait until the stores before have left the store buffer: to
    // `last_seen` and to the entry, which other cores have in their caches. That is a tenth of a
    // hand-over.
    #[inline(always)]
    fn take_buffer<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        let region = &*self.region;
        let protected =
            self.side.protocol.protect(region, which).map_err(|fault| region.fault(fault))?;
        protected.map(|protected| self.value_in(protected)).transpose()
    }

    /// The value in a protected buffer.
    #[inline(always)]
    fn value_in<T: Message + ?Sized>(&self, protected: Protected) -> Result<Value<T>> {
        let Protected { entry, buffer, sequence, missed, stamp, tag, length, filling } = protected;
        let message = self.message_in::<T>(buffer, length)?;
        let hazard = Some(Hazard { entry, buffer, filling });
        Ok(Value { sequence, missed, stamp, tag, hazard, message })
    }

    /// The message in a protected buffer, if its length, which is read once, is one that a `T` can
    /// have, and its bytes are a `T`.
    #[inline]
    fn message_in<T: Message + ?Sized>(&self, buffer: usize, length: u64) -> Result<*const T> {
        let region = &*self.region;
        let own = region.own_length(length);
        let elements = T::SHAPE.elements_in(own).filter(|&elements| {
            length <= self.capacity()
                && region.allows::<T>(own)
                && T::SHAPE
                    .padded_len_of(elements)
                    .is_some_and(|padded| padded as u64 <= region.payload_size())
        });
        let start = region.payload(buffer);
        match elements {
            Some(elements) if start.addr().is_multiple_of(T::SHAPE.align) => {
                // SAFETY: the payload spans this length, which a `T` may have, and the protocol
                // keeps the producer from the buffer.
                let checked = unsafe { region.check_message::<T>(start, own as usize) };
                checked.map_err(|invalid| region.bad_value_found::<T>(invalid))?;
                Ok(T::from_raw_parts(start, elements))
            }
            Some(_) => {
                Err(Error::corrupt(region.name(), "its payloads are not aligned for its type"))
            }
            None => {
                let what = format!("a value of {} is none that this type can have", Bytes(length));
                Err(Error::corrupt(region.name(), what))
            }
        }
    }
}

impl<T: Message + ?Sized> Clone for Value<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Message + ?Sized> Copy for Value<T> {}
