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
    /// In nanoseconds. Of values that have a stamp.
    ages: Vec<u64>,
}

/// The figures of all channels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Arc<Mutex<BTreeMap<Flow, Counts>>>);

impl Figures {
    /// Notes a value that was carried, `superseded` ones before it that were not, and its age.
    pub(crate) fn note(&self, flow: &Flow, superseded: u64, bytes: u64, age: Option<u64>) {
        /// Enough for the median; more would only take memory.
        const MOST_AGES: usize = 100_000;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(flow) {
            all.insert(flow.clone(), Counts::default());
        }
        let Some(counts) = all.get_mut(flow) else { return };
        counts.values += 1;
        counts.superseded += superseded;
        counts.bytes += bytes;
        if counts.ages.len() < MOST_AGES {
            counts.ages.extend(age);
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
    let age = |part: usize| {
        let nanos = ages.get((ages.len() * part / 100).min(ages.len().saturating_sub(1)));
        nanos.map_or_else(|| "-".to_owned(), |nanos| format!("{:.3}", *nanos as f64 / 1e6))
    };
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
        age(100),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_was_carried_and_how_old_it_was() {
        let (channel, host) = ("/clouds".to_owned(), "robot".to_owned());
        let flow = Flow { channel, direction: "from", host };
        let ages = (1..=100).map(|ms| ms * 1_000_000).collect();
        let counts = Counts { values: 100, superseded: 7, bytes: 500, ages };
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
}
