//! The `io-shared-link` command: carries channels between machines.
//!
//! It gives ([`catalogue`] finds channels, [`giving`] has one of them, [`asker`] somebody that asks
//! for it) and takes ([`directory`] hears what others give, [`taking`] has one channel). Zenoh
//! brings connections, routing and TLS, and none of its queues: whoever takes a channel asks for
//! each value, and is answered with the newest. The words of the wire are in [`key`] and [`mark`].

#![forbid(unsafe_code)]

mod arguments;
mod asker;
mod catalogue;
mod clock;
mod configuration;
mod copy;
mod credit;
mod description;
mod directory;
mod figures;
mod given;
mod giving;
mod key;
mod link;
mod mark;
mod notice;
mod origin;
mod pattern;
mod place;
mod remote;
mod taking;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use zenoh::Wait;

use arguments::Arguments;
use figures::Figures;
use link::Link;
use notice::say;
use place::Place;

/// How often to look whether a signal has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(why) = arguments.check() {
        say(&format!("error: {why}"));
        return ExitCode::from(2);
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let config = configuration::of(&arguments)?;
    let ends = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, ends.clone())
            .map_err(|error| format!("cannot handle signals: {error}"))?;
    }
    let session = zenoh::open(config).wait().map_err(|error| format!("cannot start: {error}"))?;
    let place = Place::of_this_process(arguments.name.as_deref());
    let link = Arc::new(Link {
        session,
        place,
        arguments,
        figures: Figures::default(),
        ends,
        taken: Mutex::default(),
    });
    let failed = |error: zenoh::Error| format!("cannot start: {error}");
    remote::answer(&link).map_err(failed)?;
    directory::start(&link).map_err(failed)?;
    let token = directory::announce(&link).map_err(failed)?;
    say(&format!("{} is ready", link.place.host));
    let giver = {
        let link = link.clone();
        std::thread::spawn(move || catalogue::run(&link))
    };
    let every = link.arguments.report;
    let mut reported = Instant::now();
    while !link.ends() {
        std::thread::sleep(LOOK_EVERY);
        if !every.is_zero() && reported.elapsed() >= every {
            reported = Instant::now();
            link.figures.report();
        }
    }
    link.figures.report();
    drop(token);
    giver.thread().unpark();
    let _ = giver.join(); // a panic has been printed
    let _ = link.session.close().wait();
    Ok(())
}
