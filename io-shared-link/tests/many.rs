//! Nine robots and a workstation: ages and memory stay as they are.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use std::time::Instant;

use machines::program::Program;
use machines::{Link, Machine};
use test_support::timing::best_of_three;

/// How many robots there are, with this many channels each.
const ROBOTS: u8 = 9;
const CHANNELS: usize = 10;

/// The memory of a link, in KiB.
fn memory(link: &Link) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", link.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The time of the processor that a link has taken, in milliseconds.
fn cpu(link: &Link) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", link.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ, in which the kernel tells it, is 100 on every Linux.
    10 * ticks
}

/// The bytes that have left and reached a machine.
fn carried(machine: &Machine) -> u64 {
    let devices = machine.run(&["cat", "/proc/net/dev"]);
    let wires = devices.lines().filter_map(|line| line.trim().strip_prefix("to")?.split_once(':'));
    wires
        .map(|(_, counts)| {
            let counts: Vec<u64> =
                counts.split_whitespace().map(|count| count.parse().unwrap()).collect();
            counts[0] + counts[8]
        })
        .sum()
}

#[test]
fn ten_links_with_ten_channels_each_keep_ages_and_memory_flat() {
    let seconds = if std::env::var_os("IO_SHARED_SLOW").is_some() { 30 } else { 5 };
    let desk = Machine::new("desk", 100, 0);
    let desk_link = desk.link(&["--listen", "tcp/0.0.0.0:7447", "--take", "/**"]);
    let alone = memory(&desk_link);
    let robots: Vec<(Machine, Program, Link)> = (1..=ROBOTS)
        .map(|number| {
            let robot = Machine::new(&format!("robot{number}"), number, 0);
            robot.wire(&desk, None);
            let mut program = Program::on(&robot);
            for channel in 0..CHANNELS {
                program.ask(&format!("stream /robot{number}/{channel} 1000 100000"));
            }
            let address = format!("tcp/{}:7447", desk.address(&robot));
            let link = robot.link(&["--connect", &address, "--give", "/**"]);
            (robot, program, link)
        })
        .collect();
    let mut viewers: Vec<Program> = robots.iter().map(|_| Program::on(&desk)).collect();
    // The fewest values that a viewer has got, and the worst of their median ages.
    let mut watch = |seconds: u64| {
        for (number, viewer) in (1..).zip(&mut viewers) {
            viewer.tell(&format!("watch /robot{number}/7 {seconds}"));
        }
        let told: Vec<Vec<u64>> = viewers
            .iter_mut()
            .map(|viewer| viewer.hear().split(' ').map(|n| n.parse().unwrap()).collect())
            .collect();
        let fewest = told.iter().map(|told| told[0]).min().unwrap();
        (fewest, told.iter().map(|told| told[1]).max().unwrap())
    };
    watch(12); // until all is allocated, and the first questions' timers have run out
    let links: Vec<&Link> = robots.iter().map(|(_, _, link)| link).chain([&desk_link]).collect();
    let memories = || links.iter().map(|link| memory(link)).collect::<Vec<_>>();
    let times = || links.iter().map(|link| cpu(link)).collect::<Vec<_>>();
    best_of_three(|| {
        let ((few, first), before) = (watch(seconds), memories());
        let (started, since, bytes) = (Instant::now(), times(), carried(&desk));
        let ((few_later, second), after) = (watch(seconds), memories());
        let said = format!(
            "median ages, the worst of nine: {first} us of {few} values, then {second} us of \
             {few_later}; memory in KiB: {before:?}, then {after:?}"
        );
        println!("{said}; the last one's without robots {alone}");
        // Of a channel of 10 values of 1 kB per second.
        let channels = f64::from(ROBOTS) * CHANNELS as f64 * started.elapsed().as_secs_f64();
        let took: Vec<u64> = times().iter().zip(&since).map(|(now, then)| now - then).collect();
        let (taking, giving) = took.split_last().unwrap();
        println!(
            "per channel and second: {:.2} ms of a core where it is given, {:.2} where it is \
             taken, {:.0} bytes on the wire",
            giving.iter().sum::<u64>() as f64 / channels,
            *taking as f64 / channels,
            (carried(&desk) - bytes) as f64 / channels,
        );
        // Of 4,500 values, each of which costs less than 230 bytes.
        let grows = before.iter().zip(&after).any(|(before, after)| *after > before + 1024);
        // All of them come, at 10 Hz.
        let come = few.min(few_later) >= seconds * 8;
        if come && second <= first * 2 + 20_000 && !grows { Ok(()) } else { Err(said) }
    });
    // The workstation has a channel for each.
    let names = viewers[0].ask("names");
    assert_eq!(names.split(' ').count(), usize::from(ROBOTS) * CHANNELS, "{names}");
}
