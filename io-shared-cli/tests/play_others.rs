//! `play` of MCAP files that rosbags and pip's mcap wrote.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::path::Path;
use std::process::Command;

use common::recording::Folder;
use common::{printed, run};
use io_shared::Channel;
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

/// Has others write their files.
fn write_files(folder: &Folder) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings_of_others.py");
    let status = Command::new(readers::python()).arg(script).arg(folder.file("")).status().unwrap();
    assert!(status.success());
}

#[test]
fn files_that_others_wrote_are_played_with_their_values() {
    let folder = Folder::new();
    write_files(&folder);

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
        "valid": true, "name": "a".repeat(256), "short": "größe",
        "few": [-1, 2, 3], "numbers": [0.5, 0.5],
    });
    assert_eq!(values[0], expected);

    let (values, _) = play(&folder.file("nested.mcap"), &["/nested"]);
    let corner =
        |is_left: bool, x: f64| json!({"is_left": is_left, "x": x, "name": "c", "ids": [-1, 2]});
    assert_eq!(values[0]["header"]["frame_id"], "map");
    assert_eq!(values[0]["corners"], json!([corner(true, 0.5), corner(true, 2.0)]));
    assert_eq!(values[0]["more"], json!([corner(false, 0.5), corner(false, 0.5)]));
}

#[test]
fn echo_decodes_what_stays_cdr_by_its_definition() {
    let folder = Folder::new();
    write_files(&folder);
    let (file, name) = (folder.file("plan.mcap"), TestName::new("plan"));
    let done = run(&["play", &file, &format!("--remap=/plan={}", &*name)]);
    assert!(done.code == 0 && done.err.contains("so it is put as CDR"), "{}", done.err);
    let way =
        |is_free: bool, steps: &[f64]| json!({"is_free": is_free, "name": "w", "steps": steps});
    let plan = json!({"goal": "g".repeat(300), "ways": [way(false, &[]), way(true, &[0.5])]});
    let value = |line: &str| -> Json {
        let object: Json = serde_json::from_str(line).unwrap();
        object["value"].clone()
    };
    assert_eq!(value(&printed(&["echo", "--once", "--json", &name])), plan);
    let steps = printed(&["echo", "--once", "--json", "--field", "ways.1.steps", &name]);
    assert_eq!(value(&steps), json!([0.5]));
    let yaml = printed(&["echo", "--once", "--field", "ways", &name]);
    assert!(yaml.contains("is_free: true") && yaml.contains("steps: [0.5]"), "{yaml}");

    // What is no such message is shown as it is, and said once.
    let schema = Channel::<[u8]>::named(&*name).any_schema().observer().unwrap().schema().clone();
    let mut plans = Channel::<[u8]>::named(&*name).schema(schema).producer().unwrap();
    plans.put(&[0, 1, 0, 0, 255, 255, 255, 255]).unwrap();
    let done = run(&["echo", "--once", "--json", &name]);
    assert_eq!(value(&done.out), json!({"cdr": [0, 1, 0, 0, 255, 255, 255, 255]}));
    assert!(
        done.code == 0 && done.err.contains("shown as bytes: the message ends"),
        "{}",
        done.err
    );
}
