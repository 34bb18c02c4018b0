//! `play` of MCAP files that rosbags and pip's mcap wrote.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::path::Path;
use std::process::Command;

use common::recording::Folder;
use common::{printed, run};
use serde_json::{Value as Json, json};
use test_support::{TestName, readers};

/// Plays the topics of a file, each of which has three values, and returns the newest of each.
fn play(file: &str, topics: &[&str]) -> (Vec<Json>, String) {
    let names: Vec<_> = topics.iter().map(|_| TestName::new("others")).collect();
    let remaps: Vec<String> =
        topics.iter().zip(&names).map(|(from, to)| format!("--remap={from}={}", &**to)).collect();
    let arguments: Vec<&str> =
        ["play", file].into_iter().chain(remaps.iter().map(|r| &**r)).collect();
    let done = run(&arguments);
    assert_eq!(done.code, 0, "{}", done.err);
    let newest = |name: &TestName| {
        let line = printed(&["echo", "--once", "--json", name]);
        let object: Json = serde_json::from_str(&line).unwrap();
        assert_eq!(object["seq"], 3, "{file}");
        object["value"].clone()
    };
    (names.iter().map(newest).collect(), done.err)
}

#[test]
fn files_that_others_wrote_are_played_with_their_values() {
    let folder = Folder::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings_of_others.py");
    let status = Command::new(readers::python()).arg(script).arg(folder.file("")).status().unwrap();
    assert!(status.success());

    let file = folder.file("rosbags/rosbags.mcap");
    let (values, said) = play(&file, &["/pointcloud2", "/image", "/imu"]);
    assert!(said.contains("/imu: texts are cut to 256 bytes"), "{said}");
    let point = |x: f64| json!({"x": x, "y": x + 1.0, "z": x + 2.0});
    assert_eq!(values[0]["dtype"], "[('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('', '|V4')]");
    assert_eq!(values[0]["data"], json!([point(2.0), point(6.0), point(10.0)]));
    assert_eq!(values[1]["dtype"], "|u1");
    assert_eq!(values[1]["data"], json!([[[2, 3, 4], [5, 6, 7]], [[8, 9, 10], [11, 12, 13]]]));
    let header = json!({"stamp": {"sec": 7, "nanosec": 8}, "frame_id": "lidar"});
    assert_eq!(values[2]["header"], header);
    assert_eq!(values[2]["orientation"], json!({"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}));
    let covariance: Vec<f64> = (0..9).map(f64::from).collect();
    assert_eq!(values[2]["orientation_covariance"], json!(covariance));
    assert_eq!(values[2]["linear_acceleration"]["z"], 11.81);

    let (values, _) = play(&folder.file("pip.mcap"), &["/state"]);
    let expected = json!({
        "valid": true, "name": "a".repeat(256), "short": "größe", "_pad1": [0],
        "few": [-1, 2, 3], "numbers": [0.5, 0.5],
    });
    assert_eq!(values[0], expected);

    let (values, _) = play(&folder.file("nested.mcap"), &["/nested"]);
    let padding = [0; 7];
    let corner =
        |is_left: bool, x: f64| json!({"is_left": is_left, "_pad1": padding, "x": x, "name": "c"});
    assert_eq!(values[0]["header"]["frame_id"], "map");
    assert_eq!(values[0]["corners"], json!([corner(true, 0.5), corner(true, 2.0)]));
    assert_eq!(values[0]["more"], json!([corner(false, 0.5), corner(false, 0.5)]));
}
