//! Runs a harness by name. Each prints its counts at the end, and exits with 1 if anything failed.
//!
//! - `torture campaign --kills N [--seed S]`: kills processes at random and checks the rest. A
//!   crash point that was never hit is a failure as well.
//! - `torture growth --kills N [--seed S]`: the same of a channel whose capacity grows while
//!   consumers come and go, others ask for a history, and all of them are killed.
//! - `torture service --calls N [--seed S]`: calls a service with one client, then with four, while
//!   the server and the clients are killed at random.
//! - `torture every-instruction [--only ACT]`: single-steps a process through each act and kills it
//!   wherever that can make a difference.
//! - `torture hostile [--seed S] [--random N]`: opens and uses hostile bytes; anything but a
//!   refusal or harmless use is a failure.
//!
//! The harnesses themselves start `torture role ..`, `torture growth-role ..`,
//! `torture service-role ..`, `torture actor ..` and `torture hostile-child ..`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use lexopt::prelude::*;
use torture::campaign::{self, INTERRUPTED};
#[cfg(target_arch = "x86_64")]
use torture::every_instruction::{self, Harness, Tally};
use torture::hostile;
use torture::report::Report;
use torture::{actor, growth, roles, service};

const USAGE: &str = "usage: torture campaign --kills N [--seed S]
       torture growth --kills N [--seed S]
       torture service --calls N [--seed S]
       torture every-instruction [--only ACT]
       torture hostile [--seed S] [--random N]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == "role" => roles::main(rest),
        Some((word, rest)) if word == "growth-role" => growth::main(rest),
        Some((word, rest)) if word == "service-role" => service::main(rest),
        Some((word, rest)) if word == "actor" => actor::main(rest),
        Some((word, rest)) if word == "hostile-child" => hostile::main(rest),
        _ => match run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("torture: {error}");
                ExitCode::from(2)
            }
        },
    }
}

/// The arguments of the command line.
#[derive(Default)]
struct Arguments {
    harness: Option<String>,
    kills: Option<u64>,
    calls: Option<u64>,
    seed: Option<u64>,
    only: Option<String>,
    random: Option<u64>,
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if arguments.harness.is_none() => arguments.harness = Some(word.string()?),
            Long("kills") => arguments.kills = Some(whole(&mut parser, "kills")?),
            Long("calls") => arguments.calls = Some(whole(&mut parser, "calls")?),
            Long("seed") => arguments.seed = Some(whole(&mut parser, "seed")?),
            Long("only") => arguments.only = Some(parser.value()?.string()?),
            Long("random") => arguments.random = Some(whole(&mut parser, "random")?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(arguments)
}

/// The option's value as a whole number; the error names the option.
fn whole(parser: &mut lexopt::Parser, option: &str) -> Result<u64, lexopt::Error> {
    let number = parser.value()?.parse();
    number.map_err(|error| format!("--{option} takes a whole number: {error}").into())
}

/// Runs a campaign and returns whether nothing failed.
fn run() -> Result<bool, String> {
    let Arguments { harness, kills, calls, seed, only, random } =
        arguments().map_err(|error| format!("{error}\n{USAGE}"))?;
    match (harness.as_deref(), kills, calls, seed, only, random) {
        (Some("campaign"), Some(kills), None, seed, None, None) => campaign(kills, seed),
        (Some("growth"), Some(kills), None, seed, None, None) => growth(kills, seed),
        (Some("service"), None, Some(calls), seed, None, None) => service(calls, seed),
        (Some("every-instruction"), None, None, None, only, None) => {
            every_instruction(only.as_deref())
        }
        (Some("hostile"), None, None, seed, None, random) => hostile(seed, random),
        _ => Err(USAGE.into()),
    }
}

fn program() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

fn campaign(kills: u64, seed: Option<u64>) -> Result<bool, String> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Relaxed)).map_err(|error| error.to_string())?;
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let report =
        campaign::run(&campaign::Settings { program: program()?, kills, seed, progress: tell })?;
    println!("{report}");
    Ok(report.is_clean())
}

fn growth(kills: u64, seed: Option<u64>) -> Result<bool, String> {
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let report = growth::run(&program()?, kills, seed)?;
    println!("{report}");
    Ok(report.failures.is_empty() && report.never_hit().is_empty())
}

fn service(calls: u64, seed: Option<u64>) -> Result<bool, String> {
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let report = service::run(&program()?, calls, seed)?;
    println!("{report}");
    Ok(report.failures.is_empty())
}

fn tell(report: &Report) {
    let (kills, failed) = (report.kills, report.failures.len());
    eprintln!("{kills} kills, {failed} failed, {:.0} s", report.took.as_secs_f64());
    report.failures.iter().for_each(|failure| eprintln!("FAILED: {failure}"));
}

#[cfg(not(target_arch = "x86_64"))]
fn every_instruction(_: Option<&str>) -> Result<bool, String> {
    Err("`torture every-instruction` reads the registers of x86-64: run it on such a machine, and \
         `torture campaign` on this one"
        .into())
}

#[cfg(target_arch = "x86_64")]
fn every_instruction(only: Option<&str>) -> Result<bool, String> {
    let harness = Harness::new()?;
    let mut total = Tally::default();
    let acts = every_instruction::names().filter(|name| only.is_none_or(|only| only == *name));
    let acts: Vec<&str> = acts.collect();
    if acts.is_empty() {
        let names: Vec<&str> = every_instruction::names().collect();
        return Err(format!("no such act; there are: {}", names.join(", ")));
    }
    for act in acts {
        let tally = harness.run(act)?;
        println!("{act}: {tally}");
        for failure in &tally.failures {
            println!("  {failure}");
        }
        total.add(tally);
    }
    println!("total: {total}");
    Ok(total.failures.is_empty())
}

fn hostile(seed: Option<u64>, random: Option<u64>) -> Result<bool, String> {
    let all = hostile::Settings::new(program()?);
    let (seed, random) = (seed.unwrap_or(all.seed), random.unwrap_or(all.random));
    let report = hostile::run(&hostile::Settings { seed, random, ..all })?;
    println!("{report}");
    Ok(report.findings.is_empty())
}
