//! The command line: which role to play, what to scan, how fast, and what to write at the end.
//!
//! `main` reads it once. The launcher passes its own options on to the roles it starts, so a role
//! started by hand takes the same ones.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use io_shared::Name;
use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
A pipeline as on a robot: a lidar, a program that labels its point clouds, and a viewer, each a
process of its own. Clouds go one way and labels the other through shared memory: nothing is
copied, nothing is serialised, and any of them may be killed and started again.

Usage: perception_pipeline [ROLE] [OPTIONS]

  cargo run --release --example perception_pipeline
  cargo run --release --example perception_pipeline -- --frames 300 --chaos
  cargo run --release --example perception_pipeline -- --input a.bin b.bin --rate 0 --png out.png

Roles:
  (none)          start all three, print a summary at the end, remove the channels
  lidar           scan and publish clouds
  segmentator     label every cloud: ground, and the things that stand on it
  viewer          print a line for every labelled cloud
                  To start them by hand, in any order: one terminal each, the same --prefix,
                  Ctrl-C to stop. Their channels stay; the next run without a role removes them.
                  examples/python/ros_node.py and segmentator.py may stand in for the first two.

Options:
  --frames N      stop after N frames; 0 goes on until Ctrl-C [default: 100, by hand 0]
  --rate HZ       frames a second; the newest wins if a consumer is slower. 0 goes in step: the
                  next frame waits until this one was taken, so none is missed [default: 10]
  --input FILE... play these KITTI scans (.bin) in a loop instead of the built-in street
  --png FILE      write a bird's-eye picture of the last labelled frame
  --chaos         kill the segmentator at random moments and start it again
  --seed N        seed of the street, the segmentation and the chaos [default: 1]
  --prefix NAME   the start of the channels' names, to keep two runs apart; it may have parts, as
                  in /robot1/front [default: perception_pipeline]
  --json          print the summary as one JSON object on the last line
  -h, --help      print this

Each line shows: frame, points, share of the ground, clusters, microseconds from put to get (cloud
and labels; ~ marks an age, where the consumer was not waiting yet), and frames without labels so
far. The exit status is 0 if every frame is accounted for and every label is right.
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Launcher,
    Lidar,
    Segmentator,
    Viewer,
}

impl Role {
    /// The word on the command line, which is also the consumer's name on the channels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Launcher => "launcher",
            Role::Lidar => "lidar",
            Role::Segmentator => "segmentator",
            Role::Viewer => "viewer",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) role: Role,
    /// Started by the launcher: the end of standard input, not Ctrl-C, says stop.
    pub(crate) attended: bool,
    /// `None` goes on for ever.
    pub(crate) frames: Option<u64>,
    /// Frames a second; 0 goes in step with the consumers.
    pub(crate) rate: f64,
    pub(crate) input: Vec<PathBuf>,
    pub(crate) png: Option<PathBuf>,
    pub(crate) chaos: bool,
    pub(crate) seed: u64,
    pub(crate) prefix: String,
    pub(crate) json: bool,
}

/// What `main` is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Run(Options),
    Help,
}

impl Options {
    /// Reads the arguments that follow the program's name.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Request, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut role = None;
        let mut frames = None;
        let mut options = Options {
            role: Role::Launcher,
            attended: false,
            frames: None,
            rate: 10.0,
            input: Vec::new(),
            png: None,
            chaos: false,
            seed: 1,
            prefix: "perception_pipeline".to_owned(),
            json: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if role.is_none() => {
                    role = Some(match word.to_str() {
                        Some("lidar") => Role::Lidar,
                        Some("segmentator") => Role::Segmentator,
                        Some("viewer") => Role::Viewer,
                        _ => {
                            let word = word.display();
                            return Err(format!(
                                "no role {word:?}: give lidar, segmentator, viewer or none"
                            )
                            .into());
                        }
                    });
                }
                Long("frames") => frames = Some(value(&mut parser, "frames", parse_whole)?),
                Long("rate") => options.rate = value(&mut parser, "rate", parse_rate)?,
                Long("input") => options.input.extend(parser.values()?.map(PathBuf::from)),
                Long("png") => options.png = Some(parser.value()?.into()),
                Long("chaos") => options.chaos = true,
                Long("seed") => options.seed = value(&mut parser, "seed", parse_whole)?,
                Long("prefix") => options.prefix = value(&mut parser, "prefix", parse_prefix)?,
                Long("json") => options.json = true,
                // Not in the help, because only the launcher uses it.
                Long("attended") => options.attended = true,
                Short('h') | Long("help") => return Ok(Request::Help),
                _ => return Err(argument.unexpected()),
            }
        }
        options.role = role.unwrap_or(Role::Launcher);
        let default = if options.role == Role::Launcher { 100 } else { 0 };
        options.frames = Some(frames.unwrap_or(default)).filter(|&frames| frames > 0);
        if options.chaos && options.role != Role::Launcher {
            return Err("--chaos kills processes that it started: give it without a role".into());
        }
        Ok(Request::Run(options))
    }

    /// The time from frame to frame; `None` goes in step with the consumers.
    pub(crate) fn period(&self) -> Option<Duration> {
        (self.rate > 0.0).then(|| Duration::from_secs_f64(1.0 / self.rate))
    }

    /// The arguments that start a role with these options.
    pub(crate) fn arguments(&self, role: Role) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![role.name().into(), "--attended".into()];
        let mut give = |option: &str, value: OsString| arguments.extend([option.into(), value]);
        give("--frames", self.frames.unwrap_or(0).to_string().into());
        give("--rate", self.rate.to_string().into());
        give("--seed", self.seed.to_string().into());
        give("--prefix", self.prefix.clone().into());
        for file in &self.input {
            give("--input", file.into());
        }
        if let Some(file) = &self.png {
            give("--png", file.into());
        }
        arguments
    }
}

/// The value of an option. The error names the option.
fn value<T>(
    parser: &mut lexopt::Parser,
    option: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, lexopt::Error> {
    let named = |error| format!("--{option}: {error}").into();
    parser.value()?.parse_with(parse).map_err(named)
}

fn parse_whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "give a whole number, 0 or more".to_owned())
}

/// What channels' names may begin with.
fn parse_prefix(text: &str) -> Result<String, String> {
    let is_start = !matches!(text, "" | "/") && Name::new(&format!("{text}_clouds")).is_ok();
    match is_start {
        true => Ok(text.to_owned()),
        false => Err("give the start of a name, such as robot1 or /robot1/front".to_owned()),
    }
}

/// A number of frames a second, with a period between a nanosecond and a day.
fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate == 0.0 || (1.0 / 86_400.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("give a number of frames a second, or 0".to_owned()),
    }
}
