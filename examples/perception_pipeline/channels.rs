//! The channels of one run: the name and size of each, defined once for both ends.
//!
//! Two carry the data. The other three carry what each role has done so far, as newest state only:
//! anybody may look, and a role that was killed leaves its last state behind.

use std::time::Duration;

use io_shared::{Channel, Copied, ErrorKind, Message, Result};

use crate::ledger::Ledger;
use crate::messages::{Cloud, Labels, MAX_POINTS};
use crate::reports::{Sent, Shown};

#[derive(Clone, Debug)]
pub(crate) struct Channels {
    prefix: String,
}

impl Channels {
    pub(crate) fn new(prefix: &str) -> Channels {
        Channels { prefix: prefix.to_owned() }
    }

    /// From the lidar to the segmentator and the viewer.
    pub(crate) fn clouds(&self) -> Channel<Cloud> {
        Channel::named(self.name("clouds")).elements(MAX_POINTS).consumers(2)
    }

    /// From the segmentator to the viewer, and to any node that wants them (`examples/python`).
    pub(crate) fn labels(&self) -> Channel<Labels> {
        Channel::named(self.name("labels")).elements(MAX_POINTS).consumers(2)
    }

    /// What the lidar has done.
    pub(crate) fn sent(&self) -> Channel<Sent> {
        Channel::named(self.name("sent"))
    }

    /// What the segmentators have done, one after the other.
    pub(crate) fn ledger(&self) -> Channel<Ledger> {
        Channel::named(self.name("ledger"))
    }

    /// What the viewer has done.
    pub(crate) fn shown(&self) -> Channel<Shown> {
        Channel::named(self.name("shown"))
    }

    fn name(&self, what: &str) -> String {
        format!("{}_{what}", self.prefix)
    }

    /// Removes what an earlier run left behind. Fails if a run is going on under this prefix: it
    /// takes every producer's role to make sure that there is none.
    pub(crate) fn clear(&self) -> Result<()> {
        let _producers = (
            self.clouds().producer()?,
            self.labels().producer()?,
            self.sent().producer()?,
            self.ledger().producer()?,
            self.shown().producer()?,
        );
        self.remove()
    }

    /// Removes the channels, which until then outlive every process that uses them.
    pub(crate) fn remove(&self) -> Result<()> {
        for what in ["clouds", "labels", "sent", "ledger", "shown"] {
            match Channel::remove(self.name(what)) {
                Err(error) if *error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A copy of the last value; `None` if nothing was put yet.
pub(crate) fn last_word<T: Message + ?Sized>(channel: Channel<T>) -> Result<Option<Copied<T>>> {
    match channel.open_timeout(Duration::ZERO).observer() {
        Ok(mut observer) => observer.copy(),
        Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
