//! A new user, next to the running example pipeline: what is there, who is connected, how fast,
//! what is in it, why does mine not open, and what may I delete? One command answers each, and what
//! it prints on a terminal names the next one, which is run as it stands.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::on_a_terminal;
use io_shared::{Channel, Message};
use test_support::peer::{self, Peer};

const CLOUDS: &str = "/perception_pipeline_clouds";

/// A map as the program that was left behind knew it.
mod before {
    #[derive(io_shared::Message)]
    #[repr(C)]
    pub(crate) struct Map {
        pub(crate) width: u32,
        pub(crate) height: u32,
    }
}

#[derive(Message)]
#[repr(C)]
struct Map {
    resolution: f32,
    width: u32,
}

/// A program of the user's own, in the domain of the story.
#[test]
fn own_program() {
    let Some(roles) = peer::arguments() else { return };
    match &*roles[0] {
        "before" => {
            let mut maps = io_shared::producer::<before::Map>("/map").unwrap();
            maps.put(&before::Map { width: 4, height: 3 }).unwrap();
            peer::tell("put");
        }
        "consumer" => {
            let maps = Channel::<Map>::named("/map").open_timeout(Duration::from_millis(50));
            peer::tell(&maps.consumer().unwrap_err().to_string().replace('\n', " "));
        }
        _ => {
            let mut maps = io_shared::producer::<Map>("/map").unwrap();
            maps.put(&Map { resolution: 0.5, width: 4 }).unwrap();
            peer::tell("put");
        }
    }
}

/// A process that is killed with this.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A namespace for the names of the story, and what is left in it at the end.
struct Story {
    domain: String,
    pipeline: PathBuf,
}

impl Story {
    fn start(&self, role: &str) -> Started {
        let mut command = Command::new(&self.pipeline);
        command.arg(role).env("IO_SHARED_DOMAIN", &self.domain).stdout(Stdio::null());
        Started(command.spawn().unwrap())
    }

    /// What the user's own program says in this role.
    fn own(&self, role: &str) -> String {
        let variable = format!("IO_SHARED_DOMAIN={}", self.domain);
        let mut own = Peer::start_under(&["env", &variable], "own_program", &[role]);
        let said = own.hear();
        own.end();
        said
    }

    /// Types a command in a terminal, and returns what it prints.
    fn ask(&self, line: &str) -> String {
        let words: Vec<&str> = line.strip_prefix("io-shared ").unwrap().split(' ').collect();
        on_a_terminal(&words, &[("IO_SHARED_DOMAIN", &self.domain), ("NO_COLOR", "1")], "")
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        for file in std::fs::read_dir("/dev/shm").unwrap().flatten() {
            if file.file_name().to_string_lossy().starts_with(&format!("{}%%", self.domain)) {
                let _ = std::fs::remove_file(Path::new("/dev/shm").join(file.file_name()));
            }
        }
    }
}

/// The command that starts with `words` in what was printed.
#[track_caller]
fn advised(shown: &str, words: &str) -> String {
    let start = shown.find(&format!("io-shared {words}"));
    let start = start.unwrap_or_else(|| panic!("`{words}` is not named:\n{shown}"));
    let rest = &shown[start..];
    let ends = [". ", "\n", ")", "`", ";"].iter().filter_map(|end| rest.find(end));
    rest[..ends.min().unwrap_or(rest.len())].to_owned()
}

#[test]
fn each_question_has_a_command_whose_output_names_the_next_one() {
    let pipeline = test_support::programs::release_example("perception_pipeline");
    let story = Story { domain: format!("test-story-{}", std::process::id()), pipeline };
    let _programs = [story.start("segmentator"), story.start("lidar")];
    let mut viewer = story.start("viewer");
    let mut shown = common::command(&["wait", "/perception_pipeline_shown", "--timeout", "60s"]);
    let shown = shown.env("IO_SHARED_DOMAIN", &story.domain).status().unwrap();
    assert!(shown.success(), "the viewer has shown nothing");
    viewer.0.kill().unwrap();
    let viewer = viewer.0.wait().map(|_| viewer.0.id()).unwrap();
    assert_eq!(story.own("before"), "put");

    // What is there?
    let shown = story.ask("io-shared list");
    for name in [CLOUDS, "/perception_pipeline_labels", "/map"] {
        assert!(shown.lines().any(|line| line.starts_with(name)), "{shown}");
    }
    // Who is connected?
    let info = advised(&shown, "info NAME").replace("NAME", CLOUDS);
    let shown = story.ask(&info);
    assert!(shown.contains("segmentator (") && shown.contains("  producer  perception_pipe ("));
    let gone = shown.lines().find(|line| line.contains(&format!("viewer ({viewer})"))).unwrap();
    assert!(gone.contains(" and is gone, has had value "), "{shown}");
    // How fast?
    let shown = story.ask(&(advised(&shown, "hz ") + " -n 1"));
    let rate = shown.lines().find_map(|line| line.strip_prefix("average rate: ")).unwrap();
    assert!(rate.trim().parse::<f64>().unwrap() > 0.5, "{shown}");
    // What is in it?
    let shown = story.ask(&(advised(&shown, "echo ") + " --once --no-arr"));
    assert!(shown.contains("\nstamp_ns: ") && shown.contains("points: \"<"), "{shown}");
    // Why does mine not open?
    let refused = story.own("consumer");
    assert!(refused.contains("/map"), "{refused}");
    let doctor = advised(&shown, "doctor ").replace(CLOUDS, "/map");
    let shown = story.ask(&doctor);
    assert!(
        shown.contains("nobody uses it; it has the type Map") && shown.contains(" replaces it")
    );
    let schema = story.ask(&advised(&shown, "info /map"));
    assert!(schema.contains("struct Map {\n    width: u32,\n    height: u32,\n}"), "{schema}");
    assert_eq!(advised(&shown, "rm "), "io-shared rm /map");
    // What may I delete?
    let shown = story.ask(&advised(&shown, "clean"));
    assert!(shown.contains("Nothing is unused for longer than 60 min"), "{shown}");
    let shown = story.ask(&advised(&shown, "clean"));
    assert!(shown.contains("/map ") && !shown.contains(CLOUDS), "{shown}");
    let shown = story.ask(&advised(&shown, "clean"));
    assert!(shown.contains("\nRemoved 2, "), "the map, and what the viewer had shown: {shown}");
    let shown = story.ask("io-shared list");
    assert!(shown.contains(CLOUDS) && !shown.contains("/map"), "{shown}");
    // And now it opens.
    assert_eq!(story.own("after"), "put");
}
