//! The examples in C++ and the page on C++: each program compiles, runs, and talks to Rust.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use io_shared::Channel;

mod common;

use common::cpp::{CLANG_17, GCC_17};
use common::libraries;
use test_support::TestName;
use test_support::messages::{Cloud, Point};

const WAIT: Duration = Duration::from_secs(10);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a program that succeeded printed.
#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn programs_in_cpp_and_rust_exchange_clouds() {
    let folder = tempfile::tempdir().unwrap();
    let example = |name: &str| {
        CLANG_17.plain().program(&root().join("examples/cpp").join(name), folder.path(), &[])
    };
    let (put, get) = (example("put_clouds.cpp"), example("get_clouds.cpp"));

    let name = TestName::new("cpp-put");
    let putting = Command::new(&put).args([&*name, "2"]).spawn().unwrap();
    let mut viewer = Channel::<Cloud>::named(&*name).consumer().unwrap();
    let mut last = 0;
    while last < 2 {
        let cloud = viewer.get_timeout(WAIT).unwrap();
        last = cloud.seq();
        assert_eq!((cloud.frame, cloud.points.len() as u64), (last - 1, 999 + last));
        let point = Point { x: 1.0, y: 2.0, z: cloud.frame as f32, intensity: 0.5 };
        assert!(cloud.points.iter().all(|found| *found == point));
        assert!(cloud.stamp_ns > 1_700_000_000_000_000_000);
    }
    assert!(putting.wait_with_output().unwrap().status.success());

    let name = TestName::new("cpp-get");
    let mut lidar = Channel::<Cloud>::named(&*name).elements(100).producer().unwrap();
    let mut cloud = lidar.loan_len(3).unwrap();
    cloud.frame = 7;
    cloud.points.fill(Point { x: 1.0, y: 2.0, z: 0.0, intensity: 0.0 });
    cloud.put().unwrap();
    let said = printed(&Command::new(&get).args([&*name, "1"]).output().unwrap());
    assert_eq!(said, "cloud 7: 3 points, sum 9, missed 0\n");

    let refused = Command::new(&get).args([&*name, "1", "more"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let name = TestName::new("cpp-mismatch");
    let _other = Channel::<[u32]>::named(&*name).elements(9).producer().unwrap();
    let refused = Command::new(&get).args([&*name, "1"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.starts_with("get_clouds: IOS_MISMATCH: "), "{said}");
}

#[test]
fn a_node_of_ros_2_puts_straight_from_its_callback() {
    let folder = tempfile::tempdir().unwrap();
    let node = root().join("examples/cpp/rclcpp_node");
    let stub = format!("-I{}", node.join("stub").display());
    let program = GCC_17.program(&node.join("node.cpp"), folder.path(), &[&stub]);
    let name = TestName::new("cpp-node");
    let mut viewer = Channel::<Cloud>::named(&*name).elements(100).history(4).consumer().unwrap();
    let ran = Command::new(program).arg(&*name).output().unwrap();
    assert_eq!(printed(&ran), "");
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(said, "a cloud without float x, y and z, or shorter than it says\n");
    let clouds: Vec<_> = viewer.since(0).map(Result::unwrap).collect();
    assert_eq!(clouds.len(), 3);
    for (cloud, number) in clouds.iter().zip(0_u64..) {
        assert_eq!((cloud.frame, cloud.stamp_ns), (number, (100 + number) * 1_000_000_000 + 5));
        let point = |at: usize| Point {
            x: number as f32,
            y: (at / 3) as f32,
            z: (at % 3) as f32,
            intensity: 0.25,
        };
        assert_eq!(cloud.points, (0..6).map(point).collect::<Vec<_>>());
    }
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn the_programs_of_the_page_compile_and_do_what_they_say() {
    let (page, folder) = (page("docs/guide/cpp.md"), tempfile::tempdir().unwrap());
    let programs: Vec<&str> =
        page.split("```cpp\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(programs.len() >= 6, "{programs:?}");
    for (number, program) in programs.iter().enumerate() {
        let source = folder.path().join(format!("program{number}.cpp"));
        std::fs::write(&source, program).unwrap();
        let program = GCC_17.program(&source, folder.path(), &["-I."]);
        let domain = format!("cpp-page-{}", std::process::id());
        let ran = Command::new(program).env("IO_SHARED_DOMAIN", domain).output().unwrap();
        assert_eq!(printed(&ran), "");
    }
}

#[test]
fn the_commands_of_the_page_install_build_and_run() {
    let (page, folder) = (page("docs/guide/cpp.md"), tempfile::tempdir().unwrap());
    let prefix = folder.path().join("usr");
    // The commands stand in a checkout, and from the third on in its examples.
    let examples = folder.path().join("cpp");
    std::fs::create_dir(&examples).unwrap();
    for file in ["cloud.hpp", "put_clouds.cpp", "get_clouds.cpp", "CMakeLists.txt"] {
        std::fs::copy(root().join("examples/cpp").join(file), examples.join(file)).unwrap();
    }
    let name = TestName::new("cpp-commands");
    let commands: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .map(|line| {
            line.replace("$HOME/.local", prefix.to_str().unwrap())
                .replace("/clouds ", &format!("{} ", &*name))
        })
        .collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    let (mut said, mut exported) = (String::new(), String::new());
    for (number, command) in commands.iter().enumerate() {
        if command.starts_with("export ") {
            exported = format!("{command}\n"); // each command has a shell of its own
        }
        let mut shell = Command::new("bash");
        shell.args(["-ec", &format!("{exported}{command}")]).env("LIBRARIES", libraries());
        shell.env_remove("DESTDIR").env_remove("LIBDIR");
        shell.current_dir(if number < 2 { root() } else { examples.clone() });
        let done = shell.output().unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "this needs cmake and g++: {command}: {error}");
        said = printed(&done);
    }
    assert!(said.contains("cloud ") && said.contains("put 20\n"), "{said}");
}
