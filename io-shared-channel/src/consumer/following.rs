//! What a service asks of a client's channel: whether something is there, what was there last, and
//! where the name leads.

use std::time::Duration;

use io_shared_core::slot::{Guard, Kept};
use io_shared_core::{Message, Result};

use super::Consumer;
use super::gets::reopen_or;
use crate::ready_fd::ReadyFd;

impl<T: Message + ?Sized> Consumer<T> {
    /// Whether a get may return at once, or follow the name to another channel.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.slot.is_ready()
    }

    /// Whether there is a value that this consumer has not seen.
    #[inline]
    pub(crate) fn has_unseen(&self) -> bool {
        self.slot.has_unseen()
    }

    /// Whether this handle knows that its channel was removed, replaced, or has grown.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        self.slot.is_stale()
    }

    /// Whether the name leads to another channel now, or to this one grown.
    pub(crate) fn is_succeeded(&self) -> bool {
        self.slot.is_succeeded()
    }

    /// The number that the channel keeps when it grows.
    pub(crate) fn line(&self) -> u64 {
        self.slot.line()
    }

    /// Follows the name, if it leads to another channel. Returns whether it did.
    pub(crate) fn follow(&mut self) -> Result<bool> {
        let Self { ready, slot, options, .. } = self;
        let Err(error) = slot.check() else { return Ok(false) };
        let followed = reopen_or::<T>(slot, options, error, 0)?;
        if followed {
            ReadyFd::follow(ready, slot);
        }
        Ok(followed)
    }

    /// The value that was got last, if it is a small one.
    #[inline]
    pub(crate) fn kept(&self) -> Option<&T> {
        self.slot.kept()
    }

    /// How long ago it was put.
    pub(crate) fn age_of(&self, kept: Kept) -> Option<Duration> {
        self.slot.age_of(kept)
    }

    /// A guard of it.
    pub(crate) fn guard_of(&mut self, kept: Kept) -> Option<Guard<'_, T>> {
        self.slot.guard_of(kept)
    }

    /// How many times a spin looks.
    #[inline]
    pub(crate) fn budget(&self) -> u32 {
        self.patience.budget()
    }

    /// Adjusts that after a spin, which found something if `ready`.
    #[inline]
    pub(crate) fn spun(&self, ready: bool) {
        self.patience.spun(ready);
    }
}
