//! Two machines: what is carried, what is refused, and what everybody is told.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use std::time::Instant;

use machines::program::{AHEAD, BYTES, Two};

#[test]
fn a_value_arrives_with_its_number_its_tag_and_an_age_by_the_clock_there() {
    let mut two = Two::new();
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000000"));
    two.on_robot.ask(&format!("produce /other {BYTES} 100"));
    for byte in 1..=3 {
        two.on_robot.put("/clouds", 1_000_000, byte, byte.into());
    }
    let _robot = two.robot_link(&["--give", "/**"]);
    let mut desk = two.desk_link(&["--take", "/clouds"]);
    desk.expect("takes /clouds from robot");
    // Who comes late gets the last value.
    let (length, byte, tag, _) = two.on_desk.get("/clouds", 3);
    assert_eq!((length, byte, tag), (1_000_000, 3, 3));
    assert_eq!(two.on_robot.put("/clouds", 5, 4, 77), 4);
    let started = Instant::now();
    let (length, byte, tag, age) = two.on_desk.get("/clouds", 4);
    assert_eq!((length, byte, tag), (5, 4, 77));
    // The clocks are 100 s apart, and the age is that of the robot's put nevertheless.
    assert!((0..=started.elapsed().as_micros() as i64 + 50_000).contains(&age), "{age} us");
    let origin = two.on_desk.ask("origin /clouds");
    let clock: i64 =
        origin.split(' ').find_map(|w| w.strip_prefix("clock=")).unwrap().parse().unwrap();
    let error: i64 =
        origin.split(' ').find_map(|w| w.strip_prefix("error=")).unwrap().parse().unwrap();
    assert!(origin.starts_with("from=robot "), "{origin}");
    assert!((clock + AHEAD * 1_000_000).abs() <= error + 1, "{origin}");
    // Nothing is there that was not asked for, and only its owner may read what is.
    assert_eq!(two.on_desk.ask("names"), "/clouds");
    assert_eq!(two.on_desk.ask("mode /clouds"), "600");
    let said = desk.end();
    assert!(
        said.iter().any(|line| line.starts_with("channel=/clouds from=robot received=2 ")),
        "{said:?}"
    );
}

#[test]
fn labels_that_are_made_on_the_other_machine_pair_with_their_clouds_by_tag_on_both() {
    let mut two = Two::new();
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    let _robot = two.robot_link(&["--give", "/clouds", "--take", "/labels"]);
    let _desk = two.desk_link(&["--take", "/clouds", "--give", "/labels"]);
    two.on_desk.ask(&format!("produce /labels {BYTES} 1000"));
    for cloud in 1..=3 {
        assert_eq!(two.on_robot.put("/clouds", 1000, cloud, 0), u64::from(cloud));
        two.on_desk.get("/clouds", cloud.into());
        two.on_desk.put("/labels", 10, cloud, cloud.into());
        let (_, byte, tag, _) = two.on_robot.get("/labels", cloud.into());
        assert_eq!((byte, tag), (cloud, cloud.into()));
    }
}

#[test]
fn what_is_not_taken_is_said_on_both_sides_with_what_to_do() {
    let mut two = Two::new();
    let fixed = r#"{"array":1000,"of":"|u1"}"#;
    for (name, schema, bytes) in
        [("/large", fixed, 1000), ("/typed", r#"{"array":4,"of":"|u1"}"#, 4)]
    {
        two.on_robot.ask(&format!("produce {name} {schema} 0"));
        two.on_robot.put(name, bytes, 1, 0);
    }
    // Somebody uses a channel of that name and another type.
    two.on_desk.ask(r#"produce /typed {"array":2,"of":"<f4"} 0"#);
    two.on_desk.put("/typed", 8, 0, 0);
    two.on_desk.ask("get /typed 1");
    let mut robot = two.robot_link(&["--give", "/large", "--give", "/typed"]);
    let mut desk = two.desk_link(&["--take", "/**", "--max-size", "999"]);
    let mut said = Vec::new();
    for _ in 0..2 {
        said.push((desk.expect("is not taken"), robot.expect("is not taken")));
    }
    let find = |name: &str| said.iter().find(|(desk, _)| desk.contains(name)).unwrap();
    let (desk_large, _) = find("/large");
    assert!(desk_large.contains("1000 bytes") && desk_large.contains("999"), "{desk_large}");
    assert!(desk_large.contains("--max-size"), "{desk_large}");
    let (desk_typed, _) = find("/typed");
    assert!(desk_typed.contains("[|u1; 4]"), "{desk_typed}");
    for (_, robot) in &said {
        assert!(robot.contains("refused by desk: "), "{robot}");
    }
    // Nothing was created for it, and nothing was touched.
    assert_eq!(two.on_desk.ask("names"), "/typed");
    two.on_desk.put("/typed", 8, 5, 0);
    assert_eq!(two.on_desk.get("/typed", 2).1, 5);
}

#[test]
fn two_hosts_that_give_one_name_are_both_named_and_the_second_steps_in() {
    let mut two = Two::new();
    let third = machines::Machine::new("twin", 3, 0);
    third.wire(&two.desk, None);
    let mut on_third = machines::program::Program::on(&third);
    two.on_robot.ask(&format!("produce /clouds {BYTES} 100"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let robot = two.robot_link(&["--give", "/clouds"]);
    let mut desk = two.desk.link(&[
        "--connect",
        &format!("tcp/{}:7447", two.robot.address(&two.desk)),
        "--connect",
        &format!("tcp/{}:7447", third.address(&two.desk)),
        "--take",
        "/clouds",
    ]);
    assert_eq!(two.on_desk.get("/clouds", 1).1, 1);
    on_third.ask(&format!("produce /clouds {BYTES} 100"));
    on_third.put("/clouds", 10, 2, 0);
    let mut twin = third.link(&["--listen", "tcp/0.0.0.0:7447", "--give", "/clouds"]);
    let refused = desk.expect("and not from");
    assert!(refused.contains("taken from robot and not from twin"), "{refused}");
    twin.expect("taken from robot and not from twin");
    // The values are still the robot's.
    two.on_robot.put("/clouds", 10, 3, 0);
    assert_eq!(two.on_desk.get("/clouds", 2).1, 3);
    robot.kill();
    desk.expect("takes /clouds from twin");
    on_third.put("/clouds", 10, 4, 0);
    let told = two.on_desk.until("get /clouds 1", |told| told.contains(" 10 4 true"));
    assert!(told.starts_with("2 "), "{told}");
}

#[test]
fn a_link_of_another_protocol_is_named_with_both_numbers_and_nothing_is_taken_from_it() {
    let mut two = Two::new();
    let mut robot = two.robot_link(&["--take", "/**"]);
    let address = format!("tcp/{}:7447", two.robot.address(&two.desk));
    for key in ["io-shared/2/give/1a/2b/desk/2b/clouds", "io-shared/2/link/1a/2b/desk"] {
        two.on_desk.ask(&format!("announce {address} {key}"));
    }
    let said = robot.expect("protocol");
    assert!(said.contains("the link on desk speaks protocol 2, this one protocol 1"), "{said}");
    assert_eq!(two.on_robot.ask("names"), "");
    let rest = robot.end();
    assert!(!rest.iter().any(|line| line.contains("takes")), "{rest:?}");
}

#[test]
fn questions_to_which_nothing_new_comes_end_five_seconds_after_they_were_asked() {
    let mut two = Two::new();
    two.on_robot.ask(&format!("produce /clouds {BYTES} 1000"));
    two.on_robot.put("/clouds", 10, 1, 0);
    let _robot = two.robot_link(&["--give", "/clouds"]);
    let address = format!("tcp/{}:7447", two.robot.address(&two.desk));
    let selector = "io-shared/1/value/*/clouds?as=me;after=1";
    let told = two.on_desk.ask(&format!("ask {address} {selector}"));
    let times: Vec<u64> = told.split(' ').map(|millis| millis.parse().unwrap()).collect();
    // The second one waits its turn meanwhile.
    assert!(times.iter().all(|millis| (4_900..9_000).contains(millis)), "{told}");
}
