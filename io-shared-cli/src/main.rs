//! The `io-shared` command: see what flows through shared memory.
//!
//! Each subcommand is a file. All of them look through [`io_shared::inspect`], so they take no slot
//! and wake nobody; `put`, `rm` and `clean` say what they change. `cli.rs` has the words of the
//! command line, `out.rs` writes tables and JSON, `failure.rs` has the exit codes.

#![forbid(unsafe_code)]

mod advice;
mod bw;
mod chunk;
mod clean;
mod cli;
mod delay;
mod doctor;
mod echo;
mod failure;
mod follow;
mod holders;
mod hz;
mod info;
mod legacy;
mod list;
mod named;
mod out;
mod people;
mod picture;
mod play;
mod put;
mod record;
mod records;
mod remote;
mod reports;
mod rm;
mod ros_package;
mod schema_text;
mod snapshot;
mod stats;
mod top;
mod units;
mod view;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use failure::Failure;
use out::Out;

fn main() -> ExitCode {
    // Answers a shell that asks for completions, and ends then.
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();
    let cli = Cli::parse();
    if let Some(domain) = cli.domain {
        if std::env::var_os(named::DOMAIN).as_deref() != Some(domain.as_ref()) {
            return named::again_in(&domain);
        }
        advice::note_domain(domain);
    }
    let mut out = Out::new(cli.json);
    let done = run(cli.command, &mut out).and_then(|()| Ok(out.flush()?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(command: Command, out: &mut Out) -> Result<(), Failure> {
    match command {
        Command::List(options) => list::run(&options, out),
        Command::Info(options) => info::run(&options, out),
        Command::Echo(options) => echo::run(&options, out),
        Command::Hz(options) => hz::run(&options, out),
        Command::Bw(options) => bw::run(&options, out),
        Command::Delay(options) => delay::run(&options, out),
        Command::Wait(options) => wait::run(&options, out),
        Command::Top(options) => top::run(&options, out),
        Command::Snapshot(options) => snapshot::run(&options, out),
        Command::Record(options) => record::run(&options, out),
        Command::Play(options) => play::run(&options, out),
        Command::View(options) => view::run(&options, out),
        Command::Legacy(options) => legacy::run(&options, out),
        Command::Put(options) => put::run(&options, out),
        Command::Rm(options) => rm::run(&options, out),
        Command::Clean(options) => clean::run(&options, out),
        Command::Doctor(options) => doctor::run(&options, out),
        Command::Completions { shell } => cli::completions(shell, out),
        Command::Man { directory } => cli::man(&directory, out),
    }
}
