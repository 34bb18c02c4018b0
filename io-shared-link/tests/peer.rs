//! A peer that is no link: the Python program of the guide, on pip's eclipse-zenoh.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod machines;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use machines::program::Two;

/// The first block of Python on the page.
fn program() -> String {
    let page = include_str!("../../docs/guide/link.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_guide_s_program_decodes_a_channel_by_the_schema_that_it_asked_for() {
    let python = std::env::var("IO_SHARED_ZENOH_PYTHON");
    let python = python.expect("ci/link.sh names a Python that has eclipse-zenoh and numpy");
    let mut two = Two::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("peer.py");
    assert!(program().lines().count() <= 32, "30 lines, as the page says");
    std::fs::write(&file, program()).unwrap();
    let number = |name: &str, at: u8, ty: &str| {
        format!(r#"{{"name":"{name}","offset":{at},"type":"{ty}"}}"#)
    };
    let points = format!(
        r#"{{"struct":"Point","size":8,"align":4,"fields":[{},{}]}}"#,
        number("x", 0, "<f4"),
        number("y", 4, "<f4")
    );
    let schema = format!(
        r#"{{"struct":"Cloud","size":8,"align":8,"fields":[{},{{"name":"points","offset":8,"#,
        number("frame", 0, "<u8")
    ) + &format!(r#""type":{{"slice":{points}}}}}]}}"#);
    two.on_robot.ask(&format!("produce /clouds {schema} 1000"));
    two.on_robot.put("/clouds", 24, 1, 5);
    let _robot = two.robot_link(&["--give", "/clouds"]);
    let enter = two.desk.enter();
    let address = format!("tcp/{}:7447", two.robot.address(&two.desk));
    let mut peer = Command::new(&enter[0])
        .args(&enter[1..])
        .args(["timeout", "60", &python, "-u"])
        .arg(&file)
        .args([&address, "/clouds"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(peer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let one = u64::from_le_bytes([1; 8]);
    let first = lines.next().unwrap();
    assert!(first.starts_with("value 1, tag 5: ") && first.contains(&one.to_string()), "{first}");
    assert!(first.contains("2 points"), "{first}");
    two.on_robot.put("/clouds", 16, 2, 6);
    let second = lines.next().unwrap();
    assert!(second.starts_with("value 2, tag 6: ") && second.contains("1 points"), "{second}");
    // The program under `timeout` ends with it.
    let pid = nix::unistd::Pid::from_raw(peer.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    peer.wait().unwrap();
}
