//! The command line.

use std::ffi::OsStr;
use std::fs::File;
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
            Long("only") => options.only.push(part(&arguments.value()?.to_string_lossy())?),
            Long("json") => options.json = Some(writable("json", arguments.value()?.into())?),
            Long("svg") => options.svg = Some(writable("svg", arguments.value()?.into())?),
            Long("peer") => peer = Some(arguments.value()?.string()?),
            Long("core") => core = Some(number("core", &arguments.value()?)?),
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

/// Tries a file that will be written at the end, and leaves nothing behind. So a mistyped name is
/// an error before the measurements.
fn writable(option: &str, path: PathBuf) -> Result<PathBuf> {
    let is_new = !path.exists();
    let tried = match path.metadata() {
        Ok(found) if !found.is_file() && !found.is_dir() => Ok(()), // a pipe may wait
        _ => File::options().append(true).create(true).open(&path).map(drop),
    };
    tried.map_err(|error| format!("--{option}: cannot write {}: {error}", path.display()))?;
    if is_new {
        std::fs::remove_file(&path)?;
    }
    Ok(path)
}

fn number(option: &str, text: &OsStr) -> Result<usize> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("--{option} takes a whole number, and not {text:?}").into())
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
        _ => return Err(format!("--only: there is no part named {name}: see --help").into()),
    })
}
