//! How many questions are open at a time: the credit of a channel.
//!
//! One is enough, unless several values are put in a round trip: then there have to be that many,
//! or a fast channel would come as slowly as questions and answers travel. More would be a queue,
//! in which values grow old when something cannot keep up. Together the answers have at most
//! 64 KiB, so a large value is alone.

use std::time::Duration;

use crate::mark::Mark;

/// How many bytes are asked for at once.
const BYTES: u64 = 64 << 10;
/// Values up to this size go before all larger ones, and wait for no other thread.
pub(crate) const SMALL: u64 = 16 << 10;
/// How many questions are open at most.
const MOST: u64 = 64;

/// What is known of a channel's values.
#[derive(Debug)]
pub(crate) struct Credit {
    /// The size of the last one.
    pub(crate) size: u64,
    /// The number of the last one, and when it was sent.
    last: Option<(u64, u64)>,
    /// The time from one put to the next, in nanoseconds.
    period: Option<u64>,
}

impl Credit {
    pub(crate) fn new(size: Option<u64>) -> Self {
        Self { size: size.unwrap_or(BYTES), last: None, period: None }
    }

    /// Notes a value that has come.
    pub(crate) fn note(&mut self, size: u64, mark: &Mark) {
        self.size = size;
        if let Some((seq, sent)) = self.last.replace((mark.seq, mark.sent))
            && let Some(values) = mark.seq.checked_sub(seq).filter(|values| *values > 0)
            && let Some(nanos) = mark.sent.checked_sub(sent)
        {
            let now = nanos / values;
            self.period = Some(self.period.map_or(now, |before| before / 4 * 3 + now / 4));
        }
    }

    /// How many questions are to be open where a round trip takes so long.
    pub(crate) fn questions(&self, round_trip: Duration) -> u64 {
        let most = (BYTES / self.size.max(1)).clamp(1, MOST);
        let round_trip = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        match self.period {
            None => 1,
            Some(period) => (2 + round_trip / period.max(1)).min(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(size: u64, micros: u64) -> Credit {
        let mut credit = Credit::new(None);
        for seq in 1..=20 {
            let sent = seq * micros * 1000;
            credit.note(size, &Mark { seq, stamp: 0, tag: 0, sent, line: 0 });
        }
        credit
    }

    #[test]
    fn there_are_as_many_questions_as_values_are_put_in_a_round_trip_and_never_over_64_kib() {
        let questions =
            |size, micros, millis| credit(size, micros).questions(Duration::from_millis(millis));
        assert_eq!(questions(100, 1000, 40), 42); // an IMU at 1 kHz, far away
        assert_eq!(questions(100, 100_000, 1), 2);
        assert_eq!(questions(100, 1, 1000), 64);
        assert_eq!(questions(20_000, 1000, 40), 3);
        assert_eq!(questions(5_000_000, 1000, 40), 1);
        assert_eq!(Credit::new(Some(8)).questions(Duration::from_secs(1)), 1);
    }

    #[test]
    fn numbers_that_are_left_out_count_as_put() {
        let mut credit = Credit::new(None);
        for (seq, sent) in [(1, 0), (101, 100_000_000)] {
            credit.note(100, &Mark { seq, stamp: 0, tag: 0, sent, line: 0 });
        }
        assert_eq!(credit.questions(Duration::from_millis(40)), 42);
    }
}
