//! `torture campaign --kills N [--seed S]`: kills processes and checks the rest. It ends with its
//! counts, and with failure if anything failed or a crash point was never hit.
//!
//! `torture role ..` and `torture actor ..` are the processes that the harnesses start.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use lexopt::prelude::*;
use torture::campaign::{self, INTERRUPTED, Settings};
use torture::report::Report;
use torture::{actor, roles};

const USAGE: &str = "usage: torture campaign --kills N [--seed S]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == "role" => roles::main(rest),
        Some((word, rest)) if word == "actor" => actor::main(rest),
        _ => match settings().and_then(|settings| campaign(&settings)) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("torture: {error}");
                ExitCode::from(2)
            }
        },
    }
}

fn settings() -> Result<Settings, String> {
    let read = || -> Result<_, lexopt::Error> {
        let (mut command, mut kills, mut seed) = (None, None, None);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if command.is_none() => command = Some(word.string()?),
                Long("kills") => kills = Some(parser.value()?.parse()?),
                Long("seed") => seed = Some(parser.value()?.parse()?),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok((command, kills, seed))
    };
    let (command, kills, seed) = read().map_err(|error| format!("{error}; {USAGE}"))?;
    let (Some("campaign"), Some(kills)) = (command.as_deref(), kills) else {
        return Err(USAGE.into());
    };
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    Ok(Settings { program, kills, seed, progress: tell })
}

fn tell(report: &Report) {
    let (kills, failed) = (report.kills, report.failures.len());
    eprintln!("{kills} kills, {failed} failed, {:.0} s", report.took.as_secs_f64());
    report.failures.iter().for_each(|failure| eprintln!("FAILED: {failure}"));
}

fn campaign(settings: &Settings) -> Result<ExitCode, String> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Relaxed)).map_err(|error| error.to_string())?;
    println!("seed {}", settings.seed);
    let report = campaign::run(settings)?;
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
