//! Telling a consumer that its channel has lost its producer.
//!
//! A consumer that asked for this looks whether there is one each time a get finds nothing, and
//! after each slice of a wait. A claim proves that a producer lives; a pid would not.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use io_shared_core::slot::{self, Sleeper, Slot};
use io_shared_core::{Error, ErrorKind, Result};

/// What a consumer that requires a producer knows of it.
#[derive(Debug)]
pub(crate) struct RequiredProducer {
    /// Whether there was one. Until then a get waits for the first. Relaxed: it says nothing of
    /// anything else.
    was_seen: AtomicBool,
    /// The channel that the consumer was opened in, and the number of its newest value then. If
    /// there is another value, there was a producer; so there was if another channel has any.
    opened_at: (u64, u64),
}

impl RequiredProducer {
    pub(crate) fn of(slot: &Slot<slot::Consumer>) -> Self {
        let was_seen = AtomicBool::new(slot.has_producer().unwrap_or(false));
        Self { was_seen, opened_at: (slot.line(), slot.newest()) }
    }

    /// Ends a get that found nothing, if this channel has lost its producer, and no other channel
    /// has its name.
    ///
    /// # Errors
    /// As [`check_this`](Self::check_this).
    pub(crate) fn check(&self, slot: &Slot<slot::Consumer>) -> Result<()> {
        match self.check_this(slot) {
            // After the claim: a producer that goes on in a new channel leaves this one only when
            // the new one has the name. The consumer's next look leads it there.
            Err(_) if slot.is_succeeded() => Ok(()),
            checked => checked,
        }
    }

    /// # Errors
    /// [`ErrorKind::NoProducer`] if there was a producer and is none now, and no value is left that
    /// this consumer has not seen; the errors of [`Slot::has_producer`].
    pub(crate) fn check_this(&self, slot: &Slot<slot::Consumer>) -> Result<()> {
        let (line, newest) = self.opened_at;
        if slot.newest() != if slot.line() == line { newest } else { 0 } {
            self.was_seen.store(true, Relaxed);
        }
        // The claim before the value: what its producer put last is there when the claim is gone.
        if !self.is_missing(slot.has_producer()?) || slot.has_unseen() {
            return Ok(());
        }
        let last = slot.last_producer();
        Err(Error::new(slot.name(), ErrorKind::NoProducer { last }))
    }

    /// Whether there was a producer and is none now, so that a wait by `sleeper` ends. What cannot
    /// be asked is left to the get that follows.
    pub(crate) fn ends_wait_of(&self, sleeper: &Sleeper) -> bool {
        sleeper.has_producer().map_or(true, |has| self.is_missing(has))
    }

    fn is_missing(&self, has_producer: bool) -> bool {
        if has_producer {
            self.was_seen.store(true, Relaxed);
        }
        !has_producer && self.was_seen.load(Relaxed)
    }
}
