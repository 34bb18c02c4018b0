//! Reopening: a producer whose channel was removed or replaced goes on in the one that has the name
//! now.
//!
//! A put finds out when it publishes. By then the message lies in a buffer of the old channel. That
//! stays mapped until the message was copied into a buffer of the new one. So nothing is lost that
//! was lent before the replacement, and a loan pays nothing for this.

use super::{Producer, Slot};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::region::{Location, Spec};

/// How often one put opens a channel anew: the new one may be removed again before the put.
const ATTEMPTS: usize = 8;

/// What opens a producer's channel anew.
#[derive(Debug)]
pub(super) struct Reopening {
    location: Location,
    spec: Spec,
}

impl Reopening {
    /// It waits for no role, since a put never waits.
    pub(super) fn new(location: &Location, spec: &Spec) -> Self {
        Self { location: location.clone(), spec: Spec { wait_for_role: None, ..spec.clone() } }
    }
}

impl Slot<Producer> {
    /// Opens the channel that has the name now, or creates it, with at least the capacity and slots
    /// that this one had, and puts there from then on. Does nothing if the spec was not to
    /// [reopen](Spec::reopen).
    ///
    /// # Errors
    /// The errors of [`producing`](Self::producing). The slot is then as it was.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Kind, Message, Slot, Spec, remove};
    /// # fn main() -> io_shared_core::Result<()> {
    /// # let name = io_shared_core::Name::new(&format!("/doc-reopen-{}", std::process::id()))?;
    /// # let location = io_shared_core::Location::from(name);
    /// let (schema, capacity) = (Some(u64::schema()), Some(8));
    /// let spec = Spec { schema, capacity, reopen: true, ..Spec::default() };
    /// let mut producer = Slot::producing(&location, &spec)?;
    /// remove(&location, Kind::Channel)?;
    /// producer.reopen()?;
    /// assert!(producer.check().is_ok());
    /// # remove(&location, Kind::Channel)
    /// # }
    /// ```
    #[cold]
    pub fn reopen(&mut self) -> Result<()> {
        if let Some(new) = self.successor()? {
            *self = new;
        }
        Ok(())
    }

    /// The channel that has the name now; `None`: it is not to be opened.
    fn successor(&self) -> Result<Option<Self>> {
        let Some(Reopening { location, spec }) = self.side.reopening.as_deref() else {
            return Ok(None);
        };
        let spec = Spec { capacity: Some(self.capacity()), ..spec.clone() };
        let mut new = Self::producing(location, &spec)?;
        new.set_stamps(self.side.stamps.is_some());
        Ok(Some(new))
    }

    /// Publishes the message of a loan whose publishing failed with `error`: in the channel that
    /// has the name now, if that was it, with the number, stamp and tag that the loan was given.
    ///
    /// # Safety
    /// The message is lent by this slot, to the caller alone.
    #[cold]
    pub(super) unsafe fn publish_anew<T: Message + ?Sized>(
        &mut self,
        message: *const T,
        (seq, stamp, tag): (Option<u64>, Option<u64>, u64),
        mut error: Error,
    ) -> Result<u64> {
        // The slot that lent the message, and so has its region mapped.
        let mut lender = None;
        for _ in 0..ATTEMPTS {
            if *error.kind() != ErrorKind::Replaced {
                break;
            }
            let Some(new) = self.successor()? else { break };
            let old = std::mem::replace(self, new);
            lender.get_or_insert(old);
            // SAFETY: `lender` lives, lends nothing else, and nobody writes to what it has lent.
            let message = unsafe { &*message };
            match self.put_as(message, (seq, stamp, tag)) {
                Err(again) => error = again,
                put => return put,
            }
        }
        Err(error)
    }

    /// Puts a copy of `value` under this number, or the next, with this stamp and tag.
    fn put_as<T: Message + ?Sized>(
        &mut self,
        value: &T,
        (seq, stamp, tag): (Option<u64>, Option<u64>, u64),
    ) -> Result<u64> {
        let (elements, bytes) = (value.elements(), value.as_bytes());
        if self.grows() && !self.fits::<T>(elements) {
            self.grow(bytes.len() as u64)?;
        }
        let mut loan = self.lend::<T>(elements)?;
        if let Some(seq) = seq {
            loan.numbered(seq, stamp)?;
        }
        loan.tag(tag);
        loan.fill_with(bytes);
        loan.publish_here(bytes.len())
    }

    fn grows(&self) -> bool {
        self.side.reopening.as_ref().is_some_and(|reopening| reopening.spec.growing)
    }
}
