//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use io_shared::Size;

use crate::pattern::Pattern;

/// Carry channels of io-shared between machines. The newest value wins, and nothing is queued.
///
/// Each side says what it gives and what it takes. Nothing else is sent, and nothing else is
/// created. NAME is a channel's name such as /clouds, or a pattern: `*` stands for any part between
/// slashes, `**` also for slashes.
#[derive(Debug, Parser)]
#[command(name = "io-shared-link", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Where others connect to, such as tcp/0.0.0.0:7447. Default: tcp/127.0.0.1:7447, which is
    /// this machine alone; with --connect nowhere, and with --config where the file says, or
    /// nowhere. May be repeated.
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) listen: Vec<String>,
    /// Whom to connect to, such as tcp/robot:7447. It is tried until it works. May be repeated.
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) connect: Vec<String>,
    /// Give this channel, while it has a producer, to those that connect. A pattern gives what is
    /// produced on this machine; to pass on what was taken from another one, name it. May be
    /// repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) give: Vec<Pattern>,
    /// Take this channel from whoever gives it. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) take: Vec<Pattern>,
    /// The largest value that is taken, such as 16M.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = size)]
    pub(crate) max_size: u64,
    /// A configuration file of Zenoh, for TLS, access control, routers and more.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What this machine is called on the others. Default: its host name.
    #[arg(long, value_name = "HOST")]
    pub(crate) name: Option<String>,
    /// How often to print a line of figures for each channel, such as 10s; 0s for never.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) report: Duration,
}

fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: digits and one of K, M, G, such as 16M");
    Size::from(text).bytes("--max-size").map_err(|_| wrong()).and_then(|size| match size {
        0 => Err(wrong()),
        size => Ok(size),
    })
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: digits and one of ms, s, m, such as 10s");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(60 * u64::from(number))),
        _ => Err(wrong()),
    }
}

impl Arguments {
    /// What cannot be asked for.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.give.is_empty() && self.take.is_empty() {
            return Err("nothing to do: name channels with --give or --take".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_and_others_refused_in_words() {
        assert_eq!((size("16M"), size("7")), (Ok(16 << 20), Ok(7)));
        assert_eq!(
            (time("10s"), time("2m")),
            (Ok(Duration::from_secs(10)), Ok(Duration::from_secs(120)))
        );
        for wrong in ["", "M", "0", "-1", "1T"] {
            assert!(size(wrong).is_err_and(|why| why.contains("is no size")), "{wrong}");
        }
        for wrong in ["", "10", "s", "10h", "99999999999s"] {
            assert!(time(wrong).is_err_and(|why| why.contains("is no time")), "{wrong}");
        }
    }

    #[test]
    fn a_link_without_channels_is_refused() {
        let parsed = Arguments::try_parse_from(["io-shared-link"]).unwrap();
        assert!(parsed.check().is_err_and(|why| why.contains("--give")));
        assert!(Arguments::try_parse_from(["io-shared-link", "--give", ""]).is_err());
        let parsed = Arguments::try_parse_from(["io-shared-link", "--give", "/clouds"]).unwrap();
        assert_eq!((parsed.check(), parsed.max_size), (Ok(()), 64 << 20));
    }
}
