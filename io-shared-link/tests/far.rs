//! A long way with losses: values are about as old as one bare question and its answer take.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use machines::Machine;
use machines::program::Program;
use test_support::timing::best_of_three;

#[test]
fn over_20_ms_with_1_percent_lost_values_are_as_new_as_a_question_and_its_answer_allow() {
    let (robot, desk) = (Machine::new("robot", 1, 0), Machine::new("desk", 2, 0));
    let _wire = robot.far_wire(&desk, "20", "1");
    let (mut server, mut fetcher) = (Program::on(&robot), Program::on(&desk));
    assert_eq!(server.ask("serve 100000"), "done");
    let bare: u64 = fetcher.ask("fetch 10.9.9.1 100000").parse().unwrap();
    let mut cloud = Program::on(&robot);
    cloud.ask("stream /clouds 100000 100000");
    let _robot = robot.link(&["--listen", "tcp/0.0.0.0:7447", "--give", "/clouds"]);
    let _desk = desk.link(&["--connect", "tcp/10.9.9.1:7447", "--take", "/clouds"]);
    let mut clouds = Program::on(&desk);
    best_of_three(|| {
        let told: Vec<Vec<u64>> = (0..2)
            .map(|_| {
                let told = clouds.ask("watch /clouds 10");
                told.split(' ').map(|number| number.parse().unwrap()).collect()
            })
            .collect();
        let said = format!("a bare question and its answer: {bare} us; values, ages: {told:?}");
        println!("{said}");
        // Of 100 values, in both halves.
        let is_new = |half: &Vec<u64>| half[0] >= 50 && half[1] * 2 <= bare * 3;
        if told.iter().all(is_new) { Ok(()) } else { Err(said) }
    });
}
