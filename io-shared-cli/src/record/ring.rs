//! What `--last` keeps: the values of the last seconds, in memory.

use std::collections::VecDeque;
use std::time::Duration;

use super::queue::Taken;

#[derive(Debug)]
pub(super) struct Ring {
    values: VecDeque<Taken>,
    bytes: usize,
    most: usize,
    last: Duration,
}

impl Ring {
    pub(super) fn new(last: Duration, most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { values: VecDeque::new(), bytes: 0, most, last }
    }

    /// Adds a value. What is older than the ring, or too much for its memory, goes. A value that
    /// has no room even alone comes back.
    #[must_use = "it may come back"]
    pub(super) fn push(&mut self, value: Taken) -> Option<Taken> {
        if value.cost() > self.most {
            return Some(value);
        }
        let oldest = value.received.saturating_sub(self.last.as_nanos() as u64);
        self.bytes += value.cost();
        self.values.push_back(value);
        while let Some(first) = self.values.front()
            && (first.received < oldest || self.bytes > self.most)
        {
            self.bytes -= first.cost();
            self.values.pop_front();
        }
        None
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Taken> {
        self.values.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::Bytes;
    use super::*;
    use io_shared::{Message, Schema};
    use io_shared_formats::Marks;
    use std::sync::Arc;

    fn taken(received: u64, bytes: usize) -> Taken {
        Taken {
            channel: 0,
            name: "/x".into(),
            topic: "/x".into(),
            schema: Arc::new(Schema::new(u8::layout())),
            marks: Marks::default(),
            received,
            bytes: Bytes::Read(vec![0; bytes]),
        }
    }

    #[test]
    fn a_ring_keeps_the_last_time_within_its_memory() {
        let times = |ring: &Ring| ring.values().map(|v| v.received).collect::<Vec<_>>();
        let mut ring = Ring::new(Duration::from_nanos(10), 1 << 20);
        (0..30).for_each(|time| assert!(ring.push(taken(time, 8)).is_none()));
        assert_eq!(times(&ring), (19..30).collect::<Vec<_>>());
        let mut ring = Ring::new(Duration::from_secs(1), 10_000);
        (0..30).for_each(|time| assert!(ring.push(taken(time, 4000)).is_none()));
        assert_eq!(times(&ring), [28, 29]);
        assert!(ring.bytes <= 10_000);
        // What came before is worth more than what has no room.
        assert!(ring.push(taken(30, 20_000)).is_some());
        assert_eq!(times(&ring), [28, 29]);
    }
}
