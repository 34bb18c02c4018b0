//! Numbers as people read them.

use std::time::{Duration, Instant};

/// A number of bytes in powers of 1000: `1.9 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut amount, mut unit) = (bytes as f64 / 1000.0, 0);
    while amount >= 999.5 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    let digits = if amount < 9.95 { 1 } else { 0 };
    format!("{amount:.digits$} {}", UNITS.get(unit).unwrap_or(&""))
}

/// Values per second: `10.0 Hz`.
pub(crate) fn rate(hertz: f64) -> String {
    let (amount, unit) = match hertz {
        hertz if hertz >= 1e6 => (hertz / 1e6, "MHz"),
        hertz if hertz >= 1e4 => (hertz / 1e3, "kHz"),
        hertz => (hertz, "Hz"),
    };
    let digits = match amount {
        amount if amount >= 99.95 => 0,
        amount if amount >= 9.995 => 1,
        _ => 2,
    };
    format!("{amount:.digits$} {unit}")
}

/// How long: `42 ms`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_nanos() < 1_000 => format!("{} ns", duration.as_nanos()),
        0 if duration.as_micros() < 1_000 => format!("{} us", duration.as_micros()),
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The instant after that time; `None`, which is never, if there is no time or it is too long.
pub(crate) fn deadline(after: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(after?)
}

/// Reads a duration: `500ms`, `1s`, `2min`, `1h`, or seconds such as `0.5`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is not a time: write something like 500ms, 1.5s or 2min");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit.trim() {
        "ns" => number / 1e9,
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "" | "s" => number,
        "min" | "m" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        _ => return Err(expected()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits_or_three() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_920_000, "1.9 MB"),
            (470_000, "470 kB"),
            (999_999, "1.0 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn rates_have_three_digits() {
        for (hertz, text) in [
            (9.996, "10.0 Hz"),
            (0.5, "0.50 Hz"),
            (1000.04, "1000 Hz"),
            (250_000.0, "250 kHz"),
            (3.2e6, "3.20 MHz"),
        ] {
            assert_eq!(rate(hertz), text);
        }
    }

    #[test]
    fn durations_are_written_and_read() {
        for (text, shown) in [
            ("42ms", "42 ms"),
            ("0.0005", "500 us"),
            ("1.5s", "1.5 s"),
            ("90 s", "90 s"),
            ("2min", "2 min"),
            ("3h", "3 h"),
            ("5d", "5 days"),
        ] {
            assert_eq!(duration(parse_duration(text).unwrap()), shown);
        }
        // A time that no clock reaches is one that never comes.
        assert_eq!(deadline(Some(parse_duration("15000000000000000000").unwrap())), None);
        assert!(deadline(Some(Duration::ZERO)).is_some_and(|at| at <= Instant::now()));
        for bad in ["", "s", "1w", "-1s", "1.2.3", "1e400s", "99999999999999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
