//! Where the values of a channel come from: the text that the link leaves in the channel, as
//! `io-shared list` reads it.

use std::time::Duration;

use io_shared::inspect::{Content, Entry};

/// How many places a channel may have come through: more have no room in the text.
pub(crate) const MOST_PLACES: usize = 3;
/// The longest host name in the text, in bytes.
const LONGEST_HOST: usize = 20;

/// What is said of a channel that the link carries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    /// The host that gives it.
    pub(crate) host: String,
    /// One way, by the shortest round trip.
    pub(crate) delay: Duration,
    /// How far that host's clock is ahead of this one's, in nanoseconds.
    pub(crate) offset: i64,
    /// How wrong the offset may be.
    pub(crate) error: Duration,
    /// The number of the channel there, by which it is told from its successor.
    pub(crate) line: u64,
    /// The places that it has come through, the one that it was produced in last.
    pub(crate) via: Vec<String>,
}

impl Origin {
    /// At most 128 bytes: `from=HOST delay=US clock=US error=US line=HEX via=HEX,HEX`, each time in
    /// microseconds.
    pub(crate) fn text(&self) -> String {
        let mut host: String = self.host.chars().map(|c| if c <= ' ' { '_' } else { c }).collect();
        while host.len() > LONGEST_HOST {
            host.pop();
        }
        format!(
            "from={host} delay={} clock={} error={} line={:016x} via={}",
            self.delay.as_micros().min(9_999_999),
            self.offset / 1000,
            self.error.as_micros().min(9_999_999),
            self.line,
            self.via.join(","),
        )
    }

    /// What such a text says. `None`: it is none of the link's.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let word =
            |key: &str| text.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let time = |key| Some(Duration::from_micros(word(key)?.parse().ok()?));
        Some(Self {
            host: word("from")?.to_owned(),
            delay: time("delay")?,
            offset: word("clock")?.parse::<i64>().ok()?.saturating_mul(1000),
            error: time("error")?,
            line: u64::from_str_radix(word("line")?, 16).ok()?,
            via: word("via")?.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect(),
        })
    }
}

/// Where a channel comes from that a link has taken.
pub(crate) fn origin(entry: &Entry) -> Option<Origin> {
    let Content::Region(region) = &entry.content else { return None };
    Origin::of(region.producer.as_ref()?.origin.as_deref()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_room_in_its_text_and_comes_back() {
        let longest = Origin {
            host: "h".repeat(20),
            delay: Duration::from_micros(9_999_999),
            offset: -31_536_000_000_000_000, // a year
            error: Duration::from_micros(9_999_999),
            line: u64::MAX,
            via: vec!["12345678".to_owned(); MOST_PLACES],
        };
        let text = longest.text();
        assert!(text.len() <= 128, "{}: {text}", text.len());
        assert_eq!(Origin::of(&text), Some(longest.clone()));
        let host = "a host\nof more than 20 bytes".to_owned();
        assert!(Origin { host, ..longest }.text().starts_with("from=a_host_of_more_than_ "));
        for wrong in ["", "by hand", "from=x", "from=x delay=1 clock=y error=1 line=0 via="] {
            assert_eq!(Origin::of(wrong), None, "{wrong}");
        }
    }
}
