//! The descriptor by which an event loop watches a consumer.
//!
//! It is an eventfd that the process's waiting thread (`waiter.rs`) sets as soon as the consumer
//! has something to get. Each get of the consumer, also one that finds nothing, then clears it, and
//! arms it again with a look: either there is something by now, or the thread sleeps for the
//! consumer.
//!
//! What must stay true: after each get the descriptor is set, or a registration is pending whose
//! thread looks before it sleeps. So no value is overlooked. The thread may set it for a value that
//! a get is just taking; the next get, which finds nothing, clears it. A forked child shares the
//! open file with its parent, and neither sets nor clears it.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

use io_shared_core::slot::{self, Event, Sleeper, Slot};
use io_shared_core::{Error, ErrorKind, Result};

use crate::required_producer::RequiredProducer;
use crate::waiter::Registration;

/// A consumer's descriptor, and what sets it.
pub(crate) struct ReadyFd {
    sleeper: Sleeper,
    required: Option<Arc<RequiredProducer>>,
    registration: Option<Registration>,
    readable: Arc<Readable>,
    waker: Waker,
}

/// A waker that sets the descriptor.
struct Readable(Event);

impl Wake for Readable {
    fn wake(self: Arc<Self>) {
        self.0.set();
    }
}

impl ReadyFd {
    /// Makes the descriptor, armed.
    ///
    /// # Errors
    /// [`ErrorKind::System`]; [`ErrorKind::Unsupported`] if there is no waiting thread, and none
    /// can be started.
    pub(crate) fn new(
        slot: &Slot<slot::Consumer>,
        required: Option<Arc<RequiredProducer>>,
    ) -> Result<Self> {
        let readable = Arc::new(Readable(Event::new(slot.name())?));
        let waker = Waker::from(Arc::clone(&readable));
        let sleeper = slot.sleeper();
        let mut made = Self { sleeper, required, registration: None, readable, waker };
        made.arm();
        if made.registration.is_none() && !made.sleeper.is_ready() {
            let what = "no thread can be started to wait for the consumer: raise the limit on \
                        processes (ulimit -u), or use try_get at intervals";
            return Err(Error::new(slot.name(), ErrorKind::Unsupported { what: what.into() }));
        }
        Ok(made)
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.0.as_fd()
    }

    /// Whether nobody else has closed the descriptor.
    pub(crate) fn is_open(&self) -> bool {
        self.readable.0.is_open()
    }

    /// After a get: clears the descriptor, and arms it again.
    pub(crate) fn rearm(ready: &mut Option<Box<Self>>) {
        let Some(ready) = ready.as_mut().filter(|ready| !ready.sleeper.is_forked()) else { return };
        ready.readable.0.clear();
        ready.arm();
    }

    /// Goes on with the slot that has replaced its slot.
    pub(crate) fn follow(ready: &mut Option<Box<Self>>, slot: &Slot<slot::Consumer>) {
        if let Some(ready) = ready {
            ready.registration = None;
            ready.sleeper = slot.sleeper();
            // Not all that follow are gets, which arm it afterwards.
            ready.arm();
        }
    }

    fn arm(&mut self) {
        if self.registration.as_ref().is_some_and(Registration::is_pending) {
            return;
        }
        // What is there already needs no thread. A removed channel does: its consumer is to look
        // for the new one a few times a second, and not over and over.
        self.registration = match self.sleeper.is_ready() && !self.sleeper.is_retired() {
            true => None,
            false => {
                let sleeper = self.sleeper.clone();
                Registration::new(sleeper, &self.waker, None, self.required.as_ref())
            }
        };
        if self.registration.is_none() {
            self.readable.0.set();
        }
    }
}

impl fmt::Debug for ReadyFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyFd").field("fd", &self.as_fd()).finish_non_exhaustive()
    }
}
