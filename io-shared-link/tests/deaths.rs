//! Two machines of which something dies, is cut, restarts or changes: everybody is told the truth,
//! and values go on.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use std::time::{Duration, Instant};

use machines::Machine;
use machines::program::{BYTES, Program, Two};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A robot that gives `/clouds` and a desk that takes it, with one value there already.
fn carried() -> (Two, machines::Link, machines::Link) {
    let mut two = Two::new();
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let robot = two.robot_link(&["--give", "/clouds"]);
    let desk = two.desk_link(&["--take", "/clouds"]);
    two.on_desk.get("/clouds", 1);
    (two, robot, desk)
}

#[test]
fn without_a_producer_there_is_none_here_and_a_new_one_goes_on_in_the_same_channel() {
    let (mut two, _robot, mut desk) = carried();
    two.on_robot.ask("stop /clouds");
    two.on_desk.until("get /clouds 1", |told| told == "no producer");
    desk.expect("no more");
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    assert_eq!(two.on_robot.put("/clouds", 10, 2, 0), 2);
    assert_eq!(two.on_desk.get("/clouds", 2).1, 2);
}

#[test]
fn either_link_is_killed_again_and_again_and_values_go_on() {
    let times = if std::env::var_os("IO_SHARED_SLOW").is_some() { 100 } else { 5 };
    let (mut two, robot, desk) = carried();
    let (mut robot, mut desk) = (Some(robot), Some(desk));
    for seq in 2..2 + 2 * times {
        match seq % 2 {
            0 => {
                robot.take().unwrap().kill();
                two.on_desk.until("get /clouds 1", |told| told == "no producer");
                robot = Some(two.robot_link(&["--give", "/clouds"]));
            }
            _ => {
                desk.take().unwrap().kill();
                two.on_desk.until("get /clouds 1", |told| told == "no producer");
                desk = Some(two.desk_link(&["--take", "/clouds"]));
            }
        }
        assert_eq!(two.on_robot.put("/clouds", 10, seq as u8, 0), seq);
        assert_eq!(two.on_desk.get("/clouds", seq).1, seq as u8);
    }
}

#[test]
fn a_wire_that_is_cut_leaves_no_producer_and_one_that_is_mended_the_newest_value() {
    let (mut two, _robot, _desk) = carried();
    two.robot.cut(&two.desk, true);
    let cut = Instant::now();
    two.on_desk.until("get /clouds 1", |told| told == "no producer");
    assert!(cut.elapsed() < Duration::from_secs(8), "{:?}", cut.elapsed());
    for byte in 2..=9 {
        two.on_robot.put("/clouds", 10, byte, 0);
    }
    std::thread::sleep(Duration::from_secs(10).saturating_sub(cut.elapsed()));
    two.robot.cut(&two.desk, false);
    assert_eq!(two.on_desk.get("/clouds", 9).1, 9);
}

#[test]
fn of_two_machines_that_take_a_channel_one_gets_all_values_while_the_wire_to_the_other_is_cut() {
    let mut two = Two::new();
    let lab = Machine::new("lab", 3, 0);
    two.robot.wire(&lab, None);
    let mut on_lab = Program::on(&lab);
    two.on_robot.ask(&format!("produce /clouds {BYTES} 200000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let _robot = two.robot_link(&["--give", "/clouds"]);
    let _desk = two.desk_link(&["--take", "/clouds"]);
    two.on_desk.get("/clouds", 1); // the desk has asked first
    let address = format!("tcp/{}:7447", two.robot.address(&lab));
    let _lab = lab.link(&["--connect", &address, "--take", "/clouds"]);
    on_lab.get("/clouds", 1);
    let size = |byte: u8| if byte.is_multiple_of(2) { 10 } else { 200_000 };
    for byte in 2..=9 {
        two.on_robot.put("/clouds", size(byte), byte, 0);
        for program in [&mut two.on_desk, &mut on_lab] {
            let (length, found, ..) = program.get("/clouds", byte.into());
            assert_eq!((length, found), (size(byte), byte));
        }
    }
    two.robot.cut(&two.desk, true);
    for byte in 10..=200 {
        let put = Instant::now();
        two.on_robot.put("/clouds", size(byte), byte, 0);
        assert_eq!(on_lab.get("/clouds", byte.into()).1, byte);
        assert!(put.elapsed() < Duration::from_secs(1), "{byte}: {:?}", put.elapsed());
    }
    two.robot.cut(&two.desk, false);
    assert_eq!(two.on_desk.get("/clouds", 200).1, 200);
}

#[test]
fn a_giver_that_stands_still_for_longer_than_a_question_is_open_goes_on_with_the_newest_value() {
    let mut two = Two::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("patient.json5");
    // By default the connection ends after two seconds, and with it the questions.
    let patient = r#"{ mode: "peer", scouting: { multicast: { enabled: false } },
        transport: { link: { tx: { lease: 60000 } } } }"#;
    std::fs::write(&file, patient).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let robot = two.robot_link(&[&config[..], &["--give", "/clouds"]].concat());
    let mut desk = two.desk_link(&[&config[..], &["--take", "/clouds"]].concat());
    two.on_desk.get("/clouds", 1);
    let robot_link = Pid::from_raw(robot.id() as i32);
    kill(robot_link, Signal::SIGSTOP).unwrap();
    two.on_robot.put("/clouds", 10, 2, 0);
    std::thread::sleep(Duration::from_secs(13));
    kill(robot_link, Signal::SIGCONT).unwrap();
    assert_eq!(two.on_desk.get("/clouds", 2).1, 2);
    two.on_robot.put("/clouds", 10, 3, 0);
    assert_eq!(two.on_desk.get("/clouds", 3).1, 3);
    let said = desk.rest();
    assert!(!said.iter().any(|line| line.contains("is not taken")), "{said:?}");
}

#[test]
fn numbers_that_begin_again_there_do_so_here() {
    let (mut two, _robot, _desk) = carried();
    for byte in 2..=5 {
        two.on_robot.put("/clouds", 10, byte, 0);
    }
    two.on_desk.get("/clouds", 5);
    two.on_robot.ask("stop /clouds");
    assert_eq!(two.on_robot.ask("remove /clouds"), "done");
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    assert_eq!(two.on_robot.put("/clouds", 10, 77, 0), 1);
    assert_eq!(two.on_desk.get("/clouds", 1).1, 77);
    // A channel that was removed here comes back with the next value.
    assert_eq!(two.on_desk.ask("remove /clouds"), "done");
    assert_eq!(two.on_robot.put("/clouds", 10, 78, 0), 2);
    assert_eq!(two.on_desk.get("/clouds", 2).1, 78);
}

#[test]
fn a_pattern_gives_nothing_that_was_taken_also_while_its_numbers_begin_again() {
    let mut two = Two::new();
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let _robot = two.robot_link(&["--give", "/clouds"]);
    let mut desk = two.desk_link(&["--take", "/clouds", "--give", "/**"]);
    two.on_desk.get("/clouds", 1);
    for byte in 2..8 {
        two.on_robot.put("/clouds", 10, byte, 0);
        two.on_robot.ask("stop /clouds");
        assert_eq!(two.on_robot.ask("remove /clouds"), "done");
        two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
        assert_eq!(two.on_robot.put("/clouds", 10, byte + 100, 0), 1);
        two.on_desk.until("get /clouds 1", |told| told.contains(&format!(" {} ", byte + 100)));
        // Long enough for a look at what is to be given.
        std::thread::sleep(Duration::from_millis(600));
    }
    let said = desk.rest();
    assert!(!said.iter().any(|line| line.contains("gives /clouds")), "{said:?}");
}

#[test]
fn a_pattern_gives_a_channel_no_more_that_comes_from_another_machine_now() {
    let mut two = Two::new();
    for name in ["/named", "/meant"] {
        two.on_robot.ask(&format!("produce {name} {BYTES} 1000"));
        two.on_robot.put(name, 10, 1, 0);
    }
    let mut robot = two.robot_link(&["--give", "/**", "--give", "/named"]);
    robot.expect("gives /meant");
    two.on_robot.ask("pass /named elsewhere");
    two.on_robot.ask("pass /meant elsewhere");
    robot.expect("gives /meant no more: it comes from elsewhere, and is not named");
    // Another look, in which it is not given again, and the other one still is.
    std::thread::sleep(Duration::from_millis(1500));
    let said = robot.rest();
    assert!(
        !said.iter().any(|line| line.contains("no more") || line.contains("/meant")),
        "{said:?}"
    );
}

#[test]
fn another_type_there_becomes_the_type_here_once_nobody_uses_the_old_one() {
    let (mut two, _robot, mut desk) = carried();
    two.on_robot.ask("stop /clouds");
    desk.expect("no more");
    let told = two.on_robot.until(r#"produce /clouds {"array":2,"of":"<f4"} 0"#, |t| t == "done");
    assert_eq!(told, "done");
    two.on_robot.put("/clouds", 8, 0, 0);
    // The consumer on the desk still uses the old one.
    desk.expect("is not taken");
    two.on_desk.ask("stop /clouds");
    desk.expect("takes /clouds from robot");
    let told = two.on_desk.until("get /clouds 1", |told| told.contains(" 8 0 true"));
    assert!(told.starts_with("1 "), "{told}");
}

#[test]
fn a_producer_here_has_precedence_until_it_ends() {
    let mut two = Two::new();
    two.on_desk.ask(&format!("produce /clouds {BYTES} 1000"));
    for _ in 0..7 {
        two.on_desk.put("/clouds", 10, 200, 0);
    }
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let mut robot = two.robot_link(&["--give", "/clouds"]);
    let mut desk = two.desk_link(&["--take", "/clouds"]);
    assert!(desk.expect("is not taken").contains("precedence"));
    robot.expect("precedence");
    two.on_desk.get("/clouds", 7);
    two.on_desk.ask("stop /clouds");
    desk.expect("takes /clouds from robot");
    assert_eq!(two.on_desk.get("/clouds", 1).1, 1);
}
