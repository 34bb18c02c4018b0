//! Channels of other machines, as `io-shared-link` says in them where it has them from.

use std::time::Duration;

use io_shared::inspect::Region;

use crate::out::plain;
use crate::units;

/// From which machine a channel is carried, how long the way takes, and how far that machine's
/// clock is ahead. `None`: its values are produced here.
pub(crate) fn from(region: &Region) -> Option<String> {
    let producer = region.producer.as_ref()?;
    let text = producer.origin.as_deref()?;
    let shown = shown(text).unwrap_or_else(|| plain(text));
    Some(if producer.is_connected { shown } else { format!("{shown}, not connected") })
}

/// The link's words, for people.
fn shown(text: &str) -> Option<String> {
    let word =
        |key: &str| text.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let number = |key: &str| word(key)?.parse::<i64>().ok();
    let time = |micros: i64| units::duration(Duration::from_micros(micros.unsigned_abs()));
    let (delay, clock, error) = (number("delay")?, number("clock")?, number("error")?);
    let sign = if clock < 0 { '-' } else { '+' };
    Some(format!(
        "{} (delay {}, clock {sign}{} within {})",
        plain(word("from")?),
        time(delay),
        time(clock),
        time(error)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_link_are_told_to_people() {
        let text = "from=robot delay=2100 clock=-100000000 error=40 line=00ff via=aa,bb";
        let told = shown(text).unwrap();
        let (delay, clock, error) = (
            units::duration(Duration::from_micros(2100)),
            units::duration(Duration::from_secs(100)),
            units::duration(Duration::from_micros(40)),
        );
        assert_eq!(told, format!("robot (delay {delay}, clock -{clock} within {error})"));
        for wrong in ["", "by hand", "from=x", "from=x delay=1 clock=y error=1"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
