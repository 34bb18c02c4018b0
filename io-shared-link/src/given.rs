//! What the threads of a channel that is given share.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use io_shared::{Location, Schema};
use zenoh::query::Query;

use crate::link::Link;

/// A channel that is given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) link: Arc<Link>,
    pub(crate) name: String,
    pub(crate) location: Location,
    /// The key of its values.
    pub(crate) key: String,
    pub(crate) schema: Schema,
    pub(crate) line: u64,
    pub(crate) news: News,
    /// The threads of those that ask for values.
    pub(crate) askers: Mutex<HashMap<String, Sender<Query>>>,
}

impl Given {
    pub(crate) fn askers(&self) -> MutexGuard<'_, HashMap<String, Sender<Query>>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bell that rings for each value.
#[derive(Debug)]
pub(crate) struct News {
    bell: Mutex<Bell>,
    rung: Condvar,
}

/// What the bell says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bell {
    /// The number of the newest value.
    pub(crate) seq: u64,
    /// The channel has lost its producer, or the link ends.
    pub(crate) ended: bool,
}

impl News {
    pub(crate) fn of(seq: u64) -> Self {
        Self { bell: Mutex::new(Bell { seq, ended: false }), rung: Condvar::new() }
    }

    /// Waits until there is a value after number `seq`, the giving ends, or the time is over.
    pub(crate) fn wait(&self, seq: u64, until: Instant) -> Bell {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        let waits = |bell: &mut Bell| bell.seq <= seq && !bell.ended;
        let waited = self.rung.wait_timeout_while(bell, left, waits);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Says that there is a value of this number.
    pub(crate) fn ring(&self, seq: u64) {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).seq = seq;
        self.rung.notify_all();
    }

    /// Says that no more come.
    pub(crate) fn end(&self) {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.rung.notify_all();
    }
}
