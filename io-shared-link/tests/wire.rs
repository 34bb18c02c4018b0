//! A slow wire: large values are as new as it allows, and small ones do not wait for them.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use machines::Machine;
use machines::program::Program;
use test_support::timing::best_of_three;

/// What one value of 5 MB takes at 100 Mbit/s, in microseconds.
const ON_THE_WIRE: u64 = 400_000;

#[test]
fn five_megabytes_over_100_mbit_arrive_at_1_35_times_their_time_on_the_wire_next_to_small_ones() {
    let (robot, desk) = (Machine::new("robot", 1, 0), Machine::new("desk", 2, 0));
    robot.wire(&desk, Some("100mbit"));
    let (mut cloud, mut imu) = (Program::on(&robot), Program::on(&robot));
    cloud.ask("stream /clouds 5000000 100000");
    imu.ask("stream /imu 100 10000");
    let _robot = robot.link(&["--listen", "tcp/0.0.0.0:7447", "--give", "/**"]);
    let address = format!("tcp/{}:7447", robot.address(&desk));
    let _desk = desk.link(&["--connect", &address, "--take", "/**"]);
    let (mut clouds, mut imus) = (Program::on(&desk), Program::on(&desk));
    best_of_three(|| {
        clouds.tell("watch /clouds 20");
        let [small, large] = [imus.ask("watch /imu 20"), clouds.hear()].map(|told| {
            let numbers: Vec<u64> = told.split(' ').map(|number| number.parse().unwrap()).collect();
            (numbers[0], numbers[1], numbers[2], numbers[3])
        });
        println!(
            "5 MB at 10 Hz: {} values, age in us: median {}, p99 {}, max {}",
            large.0, large.1, large.2, large.3
        );
        println!(
            "100 B at 100 Hz: {} values, age in us: median {}, p99 {}, max {}",
            small.0, small.1, small.2, small.3
        );
        // As many as the wire carries.
        let large_are_new = large.0 >= 40 && large.1 * 100 <= ON_THE_WIRE * 135;
        let small_are_new = small.0 >= 1500 && small.2 < 60_000;
        if large_are_new && small_are_new { Ok(()) } else { Err(format!("{large:?} {small:?}")) }
    });
}
