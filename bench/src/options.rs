//! What the program was told.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::Result;

pub(crate) const HELP: &str = "\
io-shared against the limits of the machine and against its peers

cargo run --release -p io-shared-bench -- [--quick] [--only NAME] [--json FILE] [--svg FILE]

  --quick      3 short rounds instead of 15: too few for figures to quote
  --only NAME  only this part (may be given several times):
               polling, blocking, first, memory, idle, many, consumers, copying
  --json FILE  everything, with the figure of every round
  --svg FILE   the plot of the README";

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Polling,
    Blocking,
    First,
    Memory,
    Idle,
    Many,
    Consumers,
    Copying,
}

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    /// Empty: all.
    only: Vec<Part>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

impl Options {
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

pub(crate) enum Role {
    Measure(Options),
    /// The other process, started by this program.
    Peer {
        name: String,
        core: usize,
        directory: PathBuf,
    },
    Help,
}

pub(crate) fn parse() -> Result<Role> {
    let mut options = Options::default();
    let (mut peer, mut core, mut directory) = (None, None, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("only") => options.only.push(part(&arguments.value()?.string()?)?),
            Long("json") => options.json = Some(arguments.value()?.into()),
            Long("svg") => options.svg = Some(arguments.value()?.into()),
            Long("peer") => peer = Some(arguments.value()?.string()?),
            Long("core") => core = Some(arguments.value()?.parse()?),
            Long("directory") => directory = Some(arguments.value()?.into()),
            Short('h') | Long("help") => return Ok(Role::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    match (peer, core, directory) {
        (None, ..) => Ok(Role::Measure(options)),
        (Some(name), Some(core), Some(directory)) => Ok(Role::Peer { name, core, directory }),
        _ => Err("--peer needs --core and --directory".into()),
    }
}

fn part(name: &str) -> Result<Part> {
    Ok(match name {
        "polling" => Part::Polling,
        "blocking" => Part::Blocking,
        "first" => Part::First,
        "memory" => Part::Memory,
        "idle" => Part::Idle,
        "many" => Part::Many,
        "consumers" => Part::Consumers,
        "copying" => Part::Copying,
        _ => return Err(format!("there is no part named {name}: see --help").into()),
    })
}
