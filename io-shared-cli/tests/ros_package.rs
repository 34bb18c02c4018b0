//! `info --schema ros2pkg`: the types of channels as a package that ROS 2 builds.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(non_snake_case, reason = "awkward names are what is tested")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::recording::Folder;
use common::{printed, run};
use io_shared::{Array, Channel, Message};
use test_support::{TestName, readers};

#[derive(Clone, Copy, Message)]
#[repr(u8)]
enum Mode {
    Off = 0,
    DriveOn = 3,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    z: f32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frameId: u32,
    class: u16,
    modes: [Mode; 2],
    /// Where it stands.
    from: Point,
    #[message(unit = "m")]
    points: [Point],
}

/// Reads each file as rosbags does, and as the tools do that ROS 2 generates code with.
const PARSE: &str = "
import sys
from pathlib import Path
from rosbags.typesys import get_types_from_msg
from rosidl_adapter.parser import parse_message_file
package = Path(sys.argv[1])
names = set()
for path in sorted((package / 'msg').iterdir()):
    names.add('io_shared_msgs/msg/' + path.stem)
for path in sorted((package / 'msg').iterdir()):
    name = 'io_shared_msgs/msg/' + path.stem
    types = get_types_from_msg(path.read_text(), name)
    assert list(types) == [name], types
    spec = parse_message_file('io_shared_msgs', str(path))
    for field in spec.fields:
        if not field.type.is_primitive_type():
            used = '%s/msg/%s' % (field.type.pkg_name, field.type.type)
            assert used in names, (name, used)
    print(name, *[field.name for field in spec.fields])
";

#[test]
fn the_types_of_channels_are_a_package_with_messages_that_ros_reads() {
    let (clouds, images, folder) = (TestName::new("clouds"), TestName::new("img"), Folder::new());
    drop(Channel::<Cloud>::named(&*clouds).elements(10).producer().unwrap());
    drop(Channel::<Array>::named(&*images).capacity("4K").producer().unwrap());
    let package = folder.file("package");
    for name in [&clouds, &images] {
        let said = printed(&["info", name, "--schema", "ros2pkg", &package]);
        assert!(said.contains("build it with colcon build"), "{said}");
    }
    let read = |name: &str| std::fs::read_to_string(Path::new(&package).join(name)).unwrap();
    let (about, cmake) = (read("package.xml"), read("CMakeLists.txt"));
    assert!(about.contains("<member_of_group>rosidl_interface_packages<"), "{about}");
    assert!(cmake.contains("rosidl_generate_interfaces(${PROJECT_NAME} ${messages})"), "{cmake}");
    let output = Command::new(readers::python()).args(["-c", PARSE, &package]).output().unwrap();
    let (said, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{error}");
    // A type is its name, eight digits, and the names of its fields.
    let fields: BTreeMap<&str, &str> = said
        .lines()
        .map(|line| {
            let line = line.strip_prefix("io_shared_msgs/msg/").unwrap();
            let (ty, fields) = line.split_once(' ').unwrap();
            let (name, digits) = ty.split_at(ty.len() - 8);
            assert!(digits.chars().all(|c| c.is_ascii_hexdigit()), "{ty}");
            (name, fields)
        })
        .collect();
    // Of both channels: as it is put, as it is recorded, and what comes before points or pixels.
    // What is reserved in C++ or Python has another name.
    let own = "frame_id f_class modes f_from";
    let marks = "io_seq io_stamp io_tag";
    let expected = [
        ("Array", "npy".to_owned()),
        ("ArrayHead", format!("{marks} npy")),
        ("ArrayRecorded", format!("{marks} npy")),
        ("Cloud", format!("{own} points")),
        ("CloudHead", format!("{marks} {own}")),
        ("CloudRecorded", format!("{marks} {own} points")),
        ("Point", "x y z".to_owned()),
    ];
    let expected = expected.iter().map(|(name, fields)| (*name, &**fields)).collect();
    assert_eq!(fields, expected);
}

#[test]
fn a_folder_with_other_files_is_not_written_to() {
    let (name, folder) = (TestName::new("number"), Folder::new());
    drop(io_shared::producer::<f64>(&*name).unwrap());
    std::fs::write(folder.file("notes"), "mine").unwrap();
    let done = run(&["info", &name, "--schema", "ros2pkg", &folder.file("")]);
    assert!(done.code == 1 && done.err.contains("has other files"), "{}", done.err);
    assert_eq!(std::fs::read_dir(folder.file("")).unwrap().count(), 1);
    for arguments in [&["--schema", "ros2pkg"][..], &["--schema", "json", "x"], &["x"]] {
        assert_eq!(run(&[&["info", &name], arguments].concat()).code, 2, "{arguments:?}");
    }
}
