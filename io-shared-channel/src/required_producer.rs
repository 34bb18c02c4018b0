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
    /// The number of the newest value when the consumer was opened. If there is another one, there
    /// was a producer.
    opened_at: u64,
}

impl RequiredProducer {
    pub(crate) fn of(slot: &Slot<slot::Consumer>) -> Self {
        let was_seen = AtomicBool::new(slot.has_producer().unwrap_or(false));
        Self { was_seen, opened_at: slot.newest() }
    }

    /// # Errors
    /// [`ErrorKind::NoProducer`] if there was a producer and is none now, and no value is left that
    /// this consumer has not seen; the errors of [`Slot::has_producer`].
    pub(crate) fn check(&self, slot: &Slot<slot::Consumer>) -> Result<()> {
        if slot.newest() != self.opened_at {
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
