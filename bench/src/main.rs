//! io-shared against the limits of the machine and against its peers, measured between two pinned
//! processes in alternating rounds of one run. What the figures mean: `bench/README.md`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("the time-stamp counter and futexes of Linux on x86-64 are needed");

mod clock;
mod cores;
mod futex;
mod json;
mod machine;
mod measure;
mod names;
mod options;
mod page;
mod peer;
mod plot;
mod report;
mod run;
mod series;
mod serve;
mod system;
mod systems;
mod table;
mod targets;

use std::error::Error;
use std::process::ExitCode;

use crate::measure::{Bench, consumers, copying, first, handover, idle, many, memory};
use crate::names::Names;
use crate::options::{Options, Part, Role};
use crate::peer::Peer;
use crate::report::{Mode, Report};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let done = options::parse().and_then(|role| match role {
        Role::Help => {
            println!("{}", options::HELP);
            Ok(())
        }
        Role::Peer { name, core, directory } => serve::serve(&name, &Names::new(directory), core),
        Role::Measure(options) => measure(&options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("io-shared-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<()> {
    let cores = cores::two()?;
    cores::pin(cores[0])?;
    let clock = clock::Clock::calibrate()?;
    let home = names::Home::new()?;
    let names = home.names();
    let mut peers = Vec::new();
    for entry in systems::ALL {
        peers.push(Peer::start(*entry, &names, cores[1])?);
    }
    let (quick, report) = (options.quick, Report::default());
    let mut bench = Bench { names, clock, cores, peers, quick, round: 0, report };
    let rounds = if quick { 3 } else { 15 };
    bench.report.about = machine::about();
    for entry in systems::ALL {
        bench.report.about.push((entry.name.into(), entry.settings.into()));
    }
    bench.report.about.push(("rounds".into(), rounds.to_string()));
    let [reading, step] = [clock.reading(), clock.step()].map(|ticks| clock.nanoseconds(ticks));
    let costs = format!("one reading {reading:.1} ns, in steps of {step:.1} ns");
    bench.report.about.push(("clock".into(), costs));

    if options.wants(Part::Memory) {
        memory::once(&mut bench)?;
    }
    // Before the ping-pongs, whose open connections would slow down peers that scan all of them.
    for round in (0..rounds).filter(|_| options.wants(Part::First)) {
        bench.round = round;
        first::round(&mut bench)?;
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        bench.round = round;
        if options.wants(Part::Polling) {
            handover::round(&mut bench, &[Mode::Polling])?;
            #[cfg(feature = "peers")]
            measure::threads::round(&mut bench)?;
        }
        if options.wants(Part::Blocking) {
            handover::round(&mut bench, &[Mode::OneCore, Mode::TwoCores, Mode::Pauses])?;
        }
        if options.wants(Part::Idle) {
            idle::round(&mut bench)?;
        }
        if options.wants(Part::Many) {
            many::round(&mut bench)?;
        }
        if options.wants(Part::Consumers) {
            consumers::round(&mut bench)?;
        }
        if options.wants(Part::Copying) {
            copying::round(&mut bench)?;
        }
    }
    bench.peers.clear();
    print!("{}", table::render(&bench.report));
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", json::render(&bench.report)))?;
    }
    if let Some(path) = &options.svg {
        let svg = plot::render(&bench.report).ok_or("nothing was measured that can be drawn")?;
        std::fs::write(path, svg)?;
    }
    Ok(())
}
