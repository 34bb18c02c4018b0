//! The figures of each channel that is carried: how many values, how many were superseded on the
//! way, how old they were, and how many bytes they had.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::notice;

/// Of what figures are: a channel, and the host that it is carried to or from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    pub(crate) channel: String,
    /// `to` or `from`.
    pub(crate) direction: &'static str,
    pub(crate) host: String,
}

/// What has been carried since the last report.
#[derive(Debug, Default)]
struct Counts {
    values: u64,
    superseded: u64,
    bytes: u64,
    /// In nanoseconds. Of values that have a stamp: of all, or of as many as are kept, taken at
    /// random.
    ages: Vec<u64>,
    aged: u64,
    oldest: u64,
}

impl Counts {
    /// Keeps an age such that each of those that were noted is kept with the same probability
    /// (Vitter, Random sampling with a reservoir, 1985, algorithm R).
    fn age(&mut self, age: u64) {
        /// Enough for a 99th percentile; more would only take memory.
        const MOST_AGES: usize = 10_000;
        self.aged += 1;
        self.oldest = self.oldest.max(age);
        if self.ages.len() < MOST_AGES {
            self.ages.push(age);
        } else if let Some(kept) = self.ages.get_mut(fastrand::u64(..self.aged) as usize) {
            *kept = age;
        }
    }
}

/// The figures of all channels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Arc<Mutex<BTreeMap<Flow, Counts>>>);

impl Figures {
    /// Notes a value that was carried, `superseded` ones before it that were not, and its age.
    pub(crate) fn note(&self, flow: &Flow, superseded: u64, bytes: u64, age: Option<u64>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(flow) {
            all.insert(flow.clone(), Counts::default());
        }
        let Some(counts) = all.get_mut(flow) else { return };
        counts.values += 1;
        counts.superseded += superseded;
        counts.bytes += bytes;
        if let Some(age) = age {
            counts.age(age);
        }
    }

    /// Prints a line for each channel that was carried since the last report, and begins anew.
    pub(crate) fn report(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (flow, counts) in all {
            notice::figures(&line(&flow, counts));
        }
    }
}

fn line(flow: &Flow, mut counts: Counts) -> String {
    counts.ages.sort_unstable();
    let ages = &counts.ages;
    let millis = |nanos: Option<&u64>| {
        nanos.map_or_else(|| "-".to_owned(), |nanos| format!("{:.3}", *nanos as f64 / 1e6))
    };
    let age = |part: usize| millis(ages.get(ages.len() * part / 100));
    let sent = if flow.direction == "to" { "sent" } else { "received" };
    format!(
        "channel={} {}={} {sent}={} superseded={} bytes={} age_ms={} age_p99_ms={} age_max_ms={}",
        flow.channel,
        flow.direction,
        flow.host,
        counts.values,
        counts.superseded,
        counts.bytes,
        age(50),
        age(99),
        millis(Some(&counts.oldest).filter(|_| counts.aged > 0)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_was_carried_and_how_old_it_was() {
        let (channel, host) = ("/clouds".to_owned(), "robot".to_owned());
        let flow = Flow { channel, direction: "from", host };
        let mut counts = Counts { values: 100, superseded: 7, bytes: 500, ..Counts::default() };
        (1..=100).for_each(|ms| counts.age(ms * 1_000_000));
        assert_eq!(
            line(&flow, counts),
            "channel=/clouds from=robot received=100 superseded=7 bytes=500 age_ms=51.000 \
             age_p99_ms=100.000 age_max_ms=100.000"
        );
        let flow = Flow { direction: "to", ..flow };
        assert!(
            line(&flow, Counts::default())
                .ends_with("sent=0 superseded=0 bytes=0 age_ms=- age_p99_ms=- age_max_ms=-")
        );
    }

    #[test]
    fn of_a_million_ages_some_are_kept_which_stand_for_all() {
        let mut counts = Counts::default();
        (1..=1_000_000).for_each(|age| counts.age(age));
        assert_eq!((counts.ages.len(), counts.aged, counts.oldest), (10_000, 1_000_000, 1_000_000));
        counts.ages.sort_unstable();
        // Ten standard deviations: one of 10,000 has 5,000.
        assert!(counts.ages[5_000].abs_diff(500_000) < 50_000, "{}", counts.ages[5_000]);
    }
}
