//! `torture campaign --kills N [--seed S]`: kills processes and checks the rest. It ends with its
//! counts, and with failure if anything failed or a crash point was never hit.
//!
//! `torture hostile [--seed S] [--random N]`: opens and uses hostile bytes, and ends with its counts,
//! and with failure if anything but a refusal or harmless use came of them.
//!
//! `torture role ..`, `torture actor ..` and `torture hostile-child ..` are the processes that the harnesses start.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use lexopt::prelude::*;
use torture::campaign::{self, INTERRUPTED, Settings};
use torture::{actor, hostile, roles};

const USAGE: &str =
    "usage: torture campaign --kills N [--seed S] | torture hostile [--seed S] [--random N]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == "role" => roles::main(rest),
        Some((word, rest)) if word == "actor" => actor::main(rest),
        Some((word, rest)) if word == "hostile-child" => hostile::main(rest),
        _ => match command() {
            Ok(code) => code,
            Err(error) => {
                eprintln!("torture: {error}");
                ExitCode::from(2)
            }
        },
    }
}

fn command() -> Result<ExitCode, String> {
    let read = || -> Result<_, lexopt::Error> {
        let (mut command, mut kills, mut seed, mut random) = (None, None, None, None);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if command.is_none() => command = Some(word.string()?),
                Long("kills") => kills = Some(parser.value()?.parse()?),
                Long("seed") => seed = Some(parser.value()?.parse()?),
                Long("random") => random = Some(parser.value()?.parse()?),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok((command, kills, seed, random))
    };
    let (command, kills, seed, random) = read().map_err(|error| format!("{error}; {USAGE}"))?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    match (command.as_deref(), kills, random) {
        (Some("campaign"), Some(kills), None) => {
            campaign(&Settings { program, kills, seed: seed.unwrap_or_else(|| fastrand::u64(..)) })
        }
        (Some("hostile"), None, random) => {
            let all = hostile::Settings::new(program);
            let (seed, random) = (seed.unwrap_or(all.seed), random.unwrap_or(all.random));
            let report = hostile::run(&hostile::Settings { seed, random, ..all })?;
            println!("{report}");
            Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => Err(USAGE.into()),
    }
}

fn campaign(settings: &Settings) -> Result<ExitCode, String> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Relaxed)).map_err(|error| error.to_string())?;
    let report = campaign::run(settings)?;
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
