//! Nine robots and a workstation: ages and memory stay as they are.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use machines::program::Program;
use machines::{Link, Machine};

/// How many robots there are, with this many channels each.
const ROBOTS: u8 = 9;
const CHANNELS: usize = 10;

/// The memory of a link, in KiB.
fn memory(link: &Link) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", link.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn ten_links_with_ten_channels_each_keep_ages_and_memory_flat() {
    let seconds = if std::env::var_os("IO_SHARED_SLOW").is_some() { 30 } else { 5 };
    let desk = Machine::new("desk", 100, 0);
    let desk_link = desk.link(&["--listen", "tcp/0.0.0.0:7447", "--take", "/**"]);
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
    let mut watch = |seconds: u64, least: u64| {
        for (number, viewer) in (1..).zip(&mut viewers) {
            viewer.tell(&format!("watch /robot{number}/7 {seconds}"));
        }
        let told: Vec<Vec<u64>> = viewers
            .iter_mut()
            .map(|viewer| viewer.hear().split(' ').map(|n| n.parse().unwrap()).collect())
            .collect();
        assert!(told.iter().all(|told| told[0] >= least), "{told:?}");
        told.iter().map(|told| told[1]).max().unwrap()
    };
    watch(3, 1); // until all is allocated
    let links: Vec<&Link> = robots.iter().map(|(_, _, link)| link).chain([&desk_link]).collect();
    let memories = || links.iter().map(|link| memory(link)).collect::<Vec<_>>();
    // All of them come, at 10 Hz.
    let (first, before) = (watch(seconds, seconds * 8), memories());
    let (second, after) = (watch(seconds, seconds * 8), memories());
    println!("median ages, the worst of nine: {first} us, then {second} us");
    println!("memory in KiB: {before:?}, then {after:?}");
    assert!(second <= first * 2 + 20_000, "{first} us, then {second} us");
    for (before, after) in before.iter().zip(&after) {
        assert!(*after <= before + before / 10, "{before} KiB, then {after}");
    }
    // The workstation has a channel for each.
    let names = viewers[0].ask("names");
    assert_eq!(names.split(' ').count(), usize::from(ROBOTS) * CHANNELS, "{names}");
}
