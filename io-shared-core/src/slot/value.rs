//! A value that a slot has taken, and where it lies.

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
    pub(super) held: Option<Held>,
    /// In its buffer, if that is held. Else in the slot's line, for as long as the slot is borrowed: a
    /// sized `T` that is aligned to 8 at most.
    pub(super) message: *const T,
}

/// What keeps the producer from a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) entry: usize,
    pub(super) buffer: usize,
    pub(super) filling: u64,
}

/// As many words as the line of `latest` carries.
pub(super) type InlineWords = [u64; MAX_INLINE_WORDS];

/// Whether a `T` can be carried: it is sized, and no larger and no more aligned than a [`InlineWords`].
const fn fits<T: Message + ?Sized>() -> bool {
    let Shape { size, align, element } = T::SHAPE;
    element.is_none() && size <= size_of::<InlineWords>() && align <= align_of::<InlineWords>()
}

impl Slot<Consumer> {
    /// `waited`: the try before found nothing, and what is found now was put since.
    // Always: left alone, it is a call with an answer of seven words in each get.
    #[inline(always)]
    pub(super) fn try_hold<T: Message + ?Sized>(
        &mut self,
        which: Which,
        waited: bool,
    ) -> Result<Option<Value<T>>> {
        self.check_fork()?;
        if which == Which::Current {
            // There is always something to hold, so this is the only look.
            self.check_stale()?;
            self.look(clock::now_coarse())?;
        }
        let value = if fits::<T>() && self.capacity() == T::SHAPE.size as u64 {
            self.read_inline(which)?
        } else {
            self.take_held(which)?
        };
        let Some(value) = value else {
            self.check_stale()?;
            self.look(clock::now_coarse())?;
            return Ok(None);
        };
        if which == Which::Unseen {
            // Behind the taking: what is refused here has been had, and makes nobody ready again. Of a
            // value that a spin ended in, its stamp says how late it is, and costs nothing to somebody
            // who waits; without a stamp, the look of the round before counts. A value that lay there
            // may have been put at any time before, in a region that is gone since.
            let now = match (waited, value.stamp) {
                (true, 0) => None,
                (true, stamp) => Some(stamp),
                (false, _) => Some(clock::now_coarse()),
            };
            if let Some(now) = now {
                self.watch.look_with_value(&self.region, now)?;
            }
        }
        Ok(Some(value))
    }

    /// The value beside `latest`, or else the one in its buffer.
    // It is copied into the slot and stays there: a copy of it, made a moment later in wider pieces than
    // those in which it was written, would wait for those to be over.
    // Always: as `hold`.
    #[inline(always)]
    fn read_inline<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        let Consumer { protocol: consumer, inline, .. } = &mut self.side;
        let words = &mut inline[..T::SHAPE.size.div_ceil(8)];
        match consumer.read_inline(&*self.region, which, words) {
            Ok(InlineRead::Value { sequence, missed, stamp }) => {
                let message = T::from_raw_parts(inline.as_mut_ptr().cast(), 0);
                Ok(Some(Value { sequence, missed, stamp, held: None, message }))
            }
            Ok(InlineRead::Nothing) => Ok(None),
            Ok(InlineRead::NotInline) => self.take_elsewhere(which),
            Err(fault) => Err(self.region.fault(fault)),
        }
    }

    /// The value in its buffer, copied to where [`read_inline`](Self::read_inline) copies it. Nothing is held then:
    /// a type that is carried takes no entries, so one is free here always.
    #[cold]
    fn take_elsewhere<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        let Some(value) = self.take_held::<T>(which)? else { return Ok(None) };
        let Self { region, side: Consumer { protocol: consumer, inline, .. }, .. } = self;
        let to = inline.as_mut_ptr().cast();
        // SAFETY: a type that `fits` is no larger than the line, which is borrowed mutably.
        let bytes = unsafe { slice::from_raw_parts_mut(to, T::SHAPE.size) };
        // SAFETY: `message` is of that size and lies in a buffer, which is held still.
        unsafe { copy::shared(value.message.cast_mut().cast(), bytes) };
        consumer.leave(&**region);
        let message = T::from_raw_parts(inline.as_mut_ptr().cast(), 0);
        Ok(Some(Value { held: None, message, ..value }))
    }

    /// Holds the value's buffer.
    #[inline]
    fn take_held<T: Message + ?Sized>(&mut self, which: Which) -> Result<Option<Value<T>>> {
        let region = &*self.region;
        let protected =
            self.side.protocol.protect(region, which).map_err(|fault| region.fault(fault))?;
        protected.map(|protected| self.held(protected)).transpose()
    }

    /// The value in a buffer that is held.
    #[inline]
    fn held<T: Message + ?Sized>(&self, protected: Protected) -> Result<Value<T>> {
        let Protected { entry, buffer, sequence, missed, stamp, length, filling } = protected;
        let message = self.message_in::<T>(buffer, length)?;
        Ok(Value { sequence, missed, stamp, held: Some(Held { entry, buffer, filling }), message })
    }

    /// The message in a held buffer, if that length, read once, is one that a `T` can have.
    #[inline]
    fn message_in<T: Message + ?Sized>(&self, buffer: usize, length: u64) -> Result<*const T> {
        let region = &*self.region;
        let elements = T::SHAPE.elements_in(length).filter(|&elements| {
            length <= self.capacity()
                && region.allows::<T>(length)
                && T::SHAPE
                    .padded_len_of(elements)
                    .is_some_and(|padded| padded as u64 <= region.payload_size())
        });
        let start = region.payload(buffer);
        match elements {
            Some(elements) if start.addr().is_multiple_of(T::SHAPE.align) => {
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
