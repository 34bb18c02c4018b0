//! What lies between the thread that observes and the one that writes: at most 256 MB.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use io_shared::Schema;
use io_shared_formats::Marks;

/// How many bytes may wait to be written.
const MOST: usize = 256 << 20;

/// What a value costs besides its bytes.
const EACH: usize = 192;

/// A value that was copied from a channel.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) channel: usize,
    pub(super) name: Arc<str>,
    pub(super) topic: Arc<str>,
    pub(super) schema: Arc<Schema>,
    pub(super) marks: Marks,
    /// CLOCK_MONOTONIC when it was copied, in nanoseconds.
    pub(super) received: u64,
    pub(super) bytes: Bytes,
}

/// The bytes of a value, however they were copied.
pub(super) enum Bytes {
    Copied(io_shared::Copied<[u8]>),
    Read(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Copied(copied) => copied,
            Bytes::Read(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl Taken {
    /// How much memory it takes.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + EACH
    }
}

/// What the writer does next.
#[derive(Debug)]
pub(super) enum Next {
    Value(Taken),
    /// Write what `--last` keeps, or what is in memory.
    Write,
    /// Nothing came for a while.
    Idle,
    /// Nothing comes any more.
    End,
}

/// How far the writer is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) values: u64,
    pub(super) bytes: u64,
    /// The bytes that are free on the disk, if that is known.
    pub(super) room: Option<u64>,
    /// The values that were too many for the queue.
    pub(super) lost: u64,
}

#[derive(Debug, Default)]
struct State {
    values: VecDeque<Taken>,
    bytes: usize,
    lost: HashMap<usize, u64>,
    is_asked: bool,
    is_closed: bool,
    has_failed: bool,
    written: Written,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    came: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a value. The oldest go first if there are too many.
    pub(super) fn push(&self, value: Taken) {
        let mut state = self.lock();
        state.bytes += value.cost();
        state.values.push_back(value);
        while state.bytes > MOST && state.values.len() > 1 {
            let Some(oldest) = state.values.pop_front() else { break };
            state.bytes -= oldest.cost();
            *state.lost.entry(oldest.channel).or_default() += 1;
            state.written.lost += 1;
        }
        drop(state);
        self.came.notify_one();
    }

    pub(super) fn ask_to_write(&self) {
        self.lock().is_asked = true;
        self.came.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.came.notify_one();
    }

    /// Waits for something to do, for at most `idle`.
    pub(super) fn next(&self, idle: Duration) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(value) = state.values.pop_front() {
                state.bytes -= value.cost();
                return Next::Value(value);
            }
            if std::mem::take(&mut state.is_asked) {
                return Next::Write;
            }
            if state.is_closed {
                return Next::End;
            }
            let (again, waited) =
                self.came.wait_timeout(state, idle).unwrap_or_else(PoisonError::into_inner);
            state = again;
            if waited.timed_out() && state.values.is_empty() {
                return Next::Idle;
            }
        }
    }

    pub(super) fn fail(&self) {
        self.lock().has_failed = true;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lock().has_failed
    }

    pub(super) fn note(&self, values: u64, bytes: u64, room: Option<u64>) {
        let written = &mut self.lock().written;
        (written.values, written.bytes, written.room) = (values, bytes, room);
    }

    pub(super) fn progress(&self) -> Written {
        self.lock().written
    }

    /// The values of each channel that were too many, or that came after the writer has failed.
    pub(super) fn lost(&self) -> HashMap<usize, u64> {
        let state = self.lock();
        let mut lost = state.lost.clone();
        for value in state.values.iter().filter(|_| state.has_failed) {
            *lost.entry(value.channel).or_default() += 1;
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io_shared::Message;

    #[test]
    fn the_oldest_values_go_first_and_are_counted_by_their_channels() {
        let queue = Queue::default();
        let values = 2 * (MOST >> 20);
        let schema = Arc::new(<[u8]>::schema());
        for seq in 1..=values as u64 {
            queue.push(Taken {
                channel: usize::from(seq % 4 == 0),
                name: "/x".into(),
                topic: "/x".into(),
                schema: schema.clone(),
                marks: Marks { seq, ..Marks::default() },
                received: 0,
                bytes: Bytes::Read(vec![0; 1 << 20]),
            });
            assert!(queue.lock().bytes <= MOST);
        }
        queue.close();
        // Each costs a little besides its bytes, so that one less than half of them has room.
        let lost = queue.lost();
        let expected = values as u64 / 2 + 1;
        assert_eq!((lost[&0] + lost[&1], queue.progress().lost), (expected, expected));
        assert_eq!(lost[&1], expected / 4);
        queue.fail();
        let lost = queue.lost();
        assert_eq!(lost[&0] + lost[&1], values as u64);
        let mut next = expected;
        while let Next::Value(value) = queue.next(Duration::ZERO) {
            next += 1;
            assert_eq!(value.marks.seq, next);
        }
        assert_eq!((next, queue.lock().bytes), (values as u64, 0));
    }
}
