//! A pipeline of separate processes, as on a robot: `lidar` -> `segmentator` -> `viewer`.
//!
//! Start here: `lidar.rs` is a producer, `segmentator.rs` is both consumer and producer, and
//! `viewer.rs` is a consumer of two channels. `messages.rs` defines the messages and `channels.rs`
//! the channels. The rest is what they compute (`street`, `segmentation`, `picture`) and what
//! surrounds them. The scripts of `examples/python` are a lidar and a segmentator on the same
//! channels, in Python.
//!
//! ```text
//! cargo run --release --example perception_pipeline -- --help
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod channels;
mod clusters;
mod ground;
mod latency;
mod launcher;
mod ledger;
mod lidar;
mod messages;
mod options;
mod picture;
mod reports;
mod scans;
mod segmentation;
mod segmentator;
mod stop;
#[expect(dead_code, reason = "what each point came from is asked for by tests/street.rs")]
mod street;
mod summary;
mod viewer;
mod waits;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use options::{Options, Request, Role};
use stop::Stop;

fn main() -> ExitCode {
    let options = match Options::parse(env::args_os().skip(1)) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("perception_pipeline: {error}\nperception_pipeline --help tells more");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("perception_pipeline {}: {error}", options.role.name());
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    check_files(options)?;
    let stop = if options.attended { Stop::on_end_of_input() } else { Stop::on_ctrl_c()? };
    match options.role {
        Role::Lidar => lidar::run(options, &stop)?,
        Role::Segmentator => segmentator::run(options, &stop)?,
        Role::Viewer => viewer::run(options, &stop)?,
        Role::Launcher => {
            let summary = launcher::run(options, &stop)?;
            let text =
                if options.json { summary.to_json().to_string() } else { summary.to_string() };
            // If somebody closed our output, nobody wants the rest.
            let _ = writeln!(io::stdout(), "{text}");
            let faults = summary.faults();
            faults.iter().for_each(|fault| eprintln!("perception_pipeline: {fault}"));
            return Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tries the files that will be read and written, so that a mistyped name is an error before the
/// run and not after it.
fn check_files(options: &Options) -> Result<(), String> {
    if matches!(options.role, Role::Launcher | Role::Lidar) {
        for path in &options.input {
            scans::length_of(path).map_err(|error| format!("--input: {error}"))?;
        }
    }
    match &options.png {
        Some(path) if matches!(options.role, Role::Launcher | Role::Viewer) => picture::check(path)
            .map_err(|error| format!("--png: cannot write {}: {error}", path.display())),
        _ => Ok(()),
    }
}
