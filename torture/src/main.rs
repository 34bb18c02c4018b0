//! `torture campaign --kills N [--seed S]`: kills processes and checks the rest. It ends with its
//! counts, and with failure if anything failed or a crash point was never hit.
//!
//! `torture every-instruction [--only ACT]`: single-steps a process through each act and kills it
//! wherever that can make a difference. The same ending.
//!
//! `torture role ..` and `torture actor ..` are the processes that the harnesses start.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use lexopt::prelude::*;
use torture::campaign::{self, INTERRUPTED, Settings};
use torture::every_instruction::{self, Harness, Tally};
use torture::report::Report;
use torture::{actor, roles};

const USAGE: &str =
    "usage: torture campaign --kills N [--seed S] | torture every-instruction [--only ACT]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == "role" => roles::main(rest),
        Some((word, rest)) if word == "actor" => actor::main(rest),
        Some((word, rest)) if word == "every-instruction" => ended(every_instruction(rest)),
        _ => ended(settings().and_then(|settings| campaign(&settings))),
    }
}

fn ended(end: Result<ExitCode, String>) -> ExitCode {
    end.unwrap_or_else(|error| {
        eprintln!("torture: {error}");
        ExitCode::from(2)
    })
}

fn every_instruction(arguments: &[String]) -> Result<ExitCode, String> {
    let acts: Vec<&str> = match arguments {
        [] => every_instruction::names().collect(),
        [option, act] if option == "--only" => vec![act],
        _ => return Err(USAGE.into()),
    };
    let harness = Harness::new()?;
    let mut total = Tally::default();
    for act in acts {
        let tally = harness.run(act)?;
        println!("{act}: {tally}");
        for failure in &tally.failures {
            println!("  {failure}");
        }
        total.add(tally);
    }
    println!("total: {total}");
    Ok(if total.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
