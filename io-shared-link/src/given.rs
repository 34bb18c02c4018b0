//! What the threads of a channel that is given share.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use io_shared::inspect::Reader;
use io_shared::{Channel, Consumer, Error, Interrupter, Location, Schema};
use zenoh::query::Query;

use crate::link::Link;

/// How long a wait for a value lasts before a look whether the link ends.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

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
    pub(crate) askers: Mutex<HashMap<String, Sender<Question>>>,
    pub(crate) lead: Mutex<Lead>,
    /// The thread that rings the bell.
    pub(crate) watcher: std::thread::Thread,
}

/// A question for a value, and when it came.
pub(crate) type Question = (Query, Instant);

/// Which asker is a consumer of the channel itself.
#[derive(Debug, Default)]
pub(crate) enum Lead {
    #[default]
    Nobody,
    /// Somebody, whose waits this ends.
    Somebody(Interrupter),
    /// Nobody is to be it any more.
    Ended,
}

/// The one asker's consumer. What it gets is sent from where it lies, by the thread that was woken
/// for it.
#[derive(Debug)]
pub(crate) struct Leader<'a> {
    given: &'a Given,
    pub(crate) consumer: Consumer<[u8]>,
}

impl<'a> Leader<'a> {
    /// Becomes it. `None`: another asker is it, or the giving ends, or is about to.
    pub(crate) fn of(given: &'a Given) -> Result<Option<Self>, Error> {
        let mut lead = given.lead();
        if !matches!(*lead, Lead::Nobody) {
            return Ok(None);
        }
        let (reader, consumer) = open(&given.location)?;
        if reader.line() != given.line {
            return Ok(None); // another channel has the name: the giving is about to end
        }
        *lead = Lead::Somebody(consumer.interrupter());
        Ok(Some(Self { given, consumer }))
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        let mut lead = self.given.lead();
        if matches!(*lead, Lead::Somebody(_)) {
            *lead = Lead::Nobody;
            self.given.watcher.unpark();
        }
    }
}

/// Opens a channel that is given, if it is there. If the reader's line is the one that was asked
/// for, so is the consumer's: a name only ever goes on to another channel.
pub(crate) fn open(location: &Location) -> Result<(Reader, Consumer<[u8]>), Error> {
    let channel = Channel::<[u8]>::at(location.clone()).any_schema().requires_producer(true);
    let consumer = channel.reopen(false).open_timeout(Duration::ZERO).consumer()?;
    Ok((Reader::open(location)?, consumer))
}

impl Given {
    pub(crate) fn askers(&self) -> MutexGuard<'_, HashMap<String, Sender<Question>>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lead(&self) -> MutexGuard<'_, Lead> {
        self.lead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody needs the bell.
    pub(crate) fn has_one_asker_that_leads(&self) -> bool {
        let is_alone = self.askers().len() == 1; // not locked while a leader opens the channel
        is_alone && matches!(*self.lead(), Lead::Somebody(_))
    }

    /// Says to all askers that no more values come.
    pub(crate) fn end(&self) {
        self.news.end();
        if let Lead::Somebody(waits) = std::mem::replace(&mut *self.lead(), Lead::Ended) {
            waits.interrupt();
        }
        self.askers().clear();
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

    /// Whether no more come.
    pub(crate) fn ended(&self) -> bool {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).ended
    }

    /// Says that no more come.
    fn end(&self) {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.rung.notify_all();
    }
}
