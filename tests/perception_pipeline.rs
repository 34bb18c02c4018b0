//! The example `perception_pipeline`, run as its users run it: as processes that are killed,
//! interrupted and started in any order. Parts whose cases a run does not show are tested alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use ledger::Ledger;
use options::{Options, Request, Role};

#[allow(dead_code, reason = "only what the ledger needs")]
#[path = "../examples/perception_pipeline/latency.rs"]
mod latency;
#[allow(dead_code, reason = "the sums are the summary's")]
#[path = "../examples/perception_pipeline/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "only what the scans need")]
#[path = "../examples/perception_pipeline/messages.rs"]
mod messages;
#[allow(dead_code, reason = "the help is not read")]
#[path = "../examples/perception_pipeline/options.rs"]
mod options;
#[path = "../examples/perception_pipeline/scans.rs"]
mod scans;

/// Even on a busy machine, no run here takes a third of this.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn in_step_every_frame_is_labelled_and_nothing_is_missed() {
    let pipeline = Pipeline::new("step");
    let summary = pipeline.start(&["--frames", "20", "--rate", "0", "--json"]).success();
    assert_eq!(counts(&summary, ["sent", "labelled", "got", "missed"]), [20, 20, 20, 0]);
    assert_eq!(counts(&summary, ["restarts", "unpaired", "wrong"]), [0, 0, 0]);
    assert_eq!(counts(&summary, ["verified", "differing"]), [2, 0]);
    assert!(summary["points"].as_u64().unwrap() > 20 * 100_000, "{summary}");
    for latency in ["cloud_p50_us", "cloud_p99_us", "label_p50_us", "label_p99_us"] {
        assert!(summary[latency].as_f64().unwrap() > 0.0, "{latency}: {summary}");
    }
}

#[test]
fn a_prefix_may_have_parts_as_the_names_on_a_robot_do() {
    let pipeline = Pipeline::new("robot1/front");
    let run = pipeline.start(&["--frames", "10", "--rate", "0", "--json"]);
    wait_until("it has channels", || (!pipeline.remains().is_empty()).then_some(()));
    let summary = run.success();
    assert_eq!(counts(&summary, ["sent", "labelled", "got", "missed"]), [10, 10, 10, 0]);
    pipeline.assert_nothing_remains();
}

#[test]
fn with_its_segmentator_killed_again_and_again_every_frame_is_accounted_for() {
    let pipeline = Pipeline::new("chaos");
    let run = pipeline.start(&["--frames", "300", "--rate", "40", "--chaos", "--json"]);
    let summary = run.success();
    let [sent, labelled, missed, restarts] =
        counts(&summary, ["sent", "labelled", "missed", "restarts"]);
    assert_eq!(sent, 300);
    assert_eq!(labelled + missed, sent, "{summary}");
    assert!(restarts > 5, "{summary}");
    assert_eq!(counts(&summary, ["wrong", "differing"]), [0, 0]);
}

#[test]
fn a_segmentator_that_cannot_keep_up_gets_the_newest_frame() {
    let pipeline = Pipeline::new("fast");
    let summary = pipeline.start(&["--frames", "300", "--rate", "400", "--json"]).success();
    let [sent, labelled, missed, lost] = counts(&summary, ["sent", "labelled", "missed", "lost"]);
    assert_eq!(labelled + missed, sent, "{summary}");
    assert!(missed > 0 && lost == 0 && labelled > 1, "{summary}");
}

#[test]
fn real_scans_are_labelled_without_a_loss() {
    let folder = PathBuf::from(env::var_os("IO_SHARED_KITTI").unwrap_or_default());
    let scans = ["000000.bin", "000001.bin"].map(|name| folder.join(name));
    if !scans.iter().all(|scan| scan.exists()) {
        // Not by eprintln!, which is captured when a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: no real scans in {folder:?}; IO_SHARED_KITTI may name the folder with \
             000000.bin and 000001.bin of the KITTI object benchmark"
        );
        return;
    }
    let points: u64 = scans.iter().map(|scan| fs::metadata(scan).unwrap().len() / 16).sum();
    let pipeline = Pipeline::new("kitti");
    let picture = pipeline.folder.path().join("out.png");
    let [first, second] = scans.each_ref().map(|scan| scan.to_str().unwrap());
    let picture_path = picture.to_str().unwrap();
    let run = pipeline.start(&[
        "--input",
        first,
        second,
        "--frames",
        "50",
        "--rate",
        "0",
        "--png",
        picture_path,
        "--json",
    ]);
    let summary = run.success();
    assert_eq!(counts(&summary, ["sent", "labelled", "got", "missed"]), [50, 50, 50, 0]);
    assert_eq!(counts(&summary, ["points", "wrong", "differing"]), [points * 25, 0, 0]);
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn roles_started_by_hand_find_each_other_in_any_order() {
    for order in [["viewer", "segmentator", "lidar"], ["lidar", "viewer", "segmentator"]] {
        let pipeline = Pipeline::new(&format!("hand_{}", order[0]));
        let mut roles = order.map(|role| pipeline.start(&[role, "--frames", "5", "--rate", "0"]));
        for (name, role) in order.iter().zip(&mut roles) {
            match *name {
                "lidar" => assert!(role.wait().success(), "{}", role.errors()),
                "viewer" => role.wait_for_frame(4),
                _ => {}
            }
        }
        for (name, role) in order.iter().zip(&mut roles).filter(|(name, _)| **name != "lidar") {
            role.signal("INT");
            assert!(role.wait().success(), "the {name} on Ctrl-C: {}", role.errors());
        }
        // The next run with that prefix removes what they left.
        assert_ne!(pipeline.remains(), Vec::<OsString>::new());
        pipeline.start(&["--frames", "1", "--rate", "0", "--json"]).success();
    }
}

#[test]
fn ctrl_c_ends_all_three_with_every_frame_accounted_for() {
    let pipeline = Pipeline::new("ctrl_c");
    let mut run = pipeline.start(&["--frames", "0", "--rate", "30", "--json"]);
    run.wait_for_frame(5);
    run.signal("INT");
    let summary = run.success();
    let [sent, labelled, missed] = counts(&summary, ["sent", "labelled", "missed"]);
    assert!(sent > 5, "{summary}");
    assert_eq!(labelled + missed, sent, "{summary}");
}

#[test]
fn a_role_that_dies_unexpectedly_ends_the_run() {
    for role in ["lidar", "segmentator", "viewer"] {
        let pipeline = Pipeline::new(&format!("death_{role}"));
        let mut run = pipeline.start(&["--frames", "0", "--rate", "30", "--json"]);
        run.wait_for_frame(1);
        signal(run.child_in_role(role), "KILL");
        assert!(!run.wait().success());
        assert!(
            run.errors().contains(&format!("the {role} ended unexpectedly")),
            "{}",
            run.errors()
        );
        pipeline.assert_nothing_remains();
    }
}

#[test]
fn a_second_run_with_the_same_prefix_is_refused_and_the_first_goes_on() {
    let pipeline = Pipeline::new("twice");
    let mut first = pipeline.start(&["--frames", "0", "--rate", "30", "--json"]);
    first.wait_for_frame(1);
    let mut second = pipeline.start(&["--frames", "1", "--json"]);
    assert!(!second.wait().success());
    assert!(second.errors().contains("runs already"), "{}", second.errors());
    first.wait_for_frame(20);
    first.signal("INT");
    first.success();
}

#[test]
fn a_launcher_that_is_killed_leaves_no_process_behind() {
    let pipeline = Pipeline::new("orphans");
    let mut run = pipeline.start(&["--frames", "0", "--rate", "30", "--json"]);
    run.wait_for_frame(1);
    let roles = ["lidar", "segmentator", "viewer"].map(|role| run.child_in_role(role));
    run.signal("KILL");
    run.wait();
    let runs = |pid: u32| {
        // An orphan whose new parent does not fetch its status remains a zombie.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    };
    wait_until("the roles end", || roles.iter().all(|&pid| !runs(pid)).then_some(()));
    // The channels do not stop the next run.
    pipeline.start(&["--frames", "1", "--rate", "0", "--json"]).success();
}

#[test]
fn the_ledger_is_right_wherever_a_segmentator_was_killed() {
    // Two clouds labelled, two skipped before the third that is taken.
    let mut before = Ledger::starting_after(0);
    for cloud in [1, 2] {
        before.begin(cloud, 0);
        before.finish();
    }
    let mut begun = before;
    begun.begin(5, 2);
    let told = |ledger: Ledger| {
        assert!(ledger.is_settled(5));
        [ledger.labelled, ledger.skipped, ledger.lost]
    };

    let mut taken_but_not_entered = before;
    taken_but_not_entered.recover(5, 2);
    assert_eq!(told(taken_but_not_entered), [2, 2, 1]);

    let mut entered_but_not_labelled = begun;
    assert!(!entered_but_not_labelled.is_settled(5));
    entered_but_not_labelled.recover(5, 2);
    assert_eq!(told(entered_but_not_labelled), [2, 2, 1]);

    let mut labelled_but_not_entered = begun;
    labelled_but_not_entered.recover(5, 5);
    assert_eq!(told(labelled_but_not_entered), [3, 2, 0]);

    let mut complete = begun;
    complete.finish();
    complete.recover(5, 5);
    assert_eq!(told(complete), [3, 2, 0]);

    // A successor that is killed before it puts its first entry changes nothing.
    let mut twice = entered_but_not_labelled;
    twice.recover(5, 2);
    assert_eq!(told(twice), [2, 2, 1]);
}

#[test]
fn roles_get_the_launchers_options() {
    let given = [
        "--frames", "7", "--rate", "12.5", "--seed", "3", "--prefix", "p", "--input", "a b", "c",
        "--png", "d",
    ];
    let Ok(Request::Run(launcher)) = Options::parse(given.map(OsString::from)) else {
        panic!("these are right");
    };
    for role in [Role::Lidar, Role::Segmentator, Role::Viewer] {
        let expected = Options { role, attended: true, ..launcher.clone() };
        assert_eq!(Options::parse(launcher.arguments(role)).unwrap(), Request::Run(expected));
    }
}

#[test]
fn a_value_that_will_not_do_is_refused_with_the_name_of_its_option() {
    for [option, value] in [
        ["--frames", "abc"],
        ["--frames", "-1"],
        ["--frames", "1.5"],
        ["--rate", "fast"],
        ["--rate", "inf"],
        ["--seed", "0x1"],
        ["--prefix", "a//b"],
        ["--prefix", "a%b"],
        ["--prefix", "/"],
        ["--prefix", ""],
    ] {
        let error = Options::parse([option, value].map(OsString::from)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{option}: ")), "{error}");
        assert!(error.contains(&format!("{value:?}")) && error.contains("give "), "{error}");
    }
    let Err(missing) = Options::parse(["--png"].map(OsString::from)) else { panic!() };
    assert!(missing.to_string().contains("--png"), "{missing}");
}

#[test]
fn files_that_cannot_be_read_or_written_are_refused_at_the_start() {
    let pipeline = Pipeline::new("files");
    let folder = pipeline.folder.path().to_str().unwrap();
    let (nowhere, no_scan) = (format!("{folder}/missing/file"), format!("{folder}/ragged.bin"));
    fs::write(&no_scan, [0; 17]).unwrap();
    for (role, option, path) in [
        (None, "--png", &*nowhere),
        (None, "--png", folder),
        (Some("viewer"), "--png", &*nowhere),
        (None, "--input", &*nowhere),
        (None, "--input", &*no_scan),
        (Some("lidar"), "--input", folder),
    ] {
        // It would play or wait for ever.
        let arguments = role.into_iter().chain(["--frames", "0", option, path]);
        let mut run = pipeline.start(&arguments.collect::<Vec<_>>());
        assert!(!run.wait().success());
        let said = run.errors();
        assert!(
            said.contains(option) && said.contains(path) && said.lines().count() == 1,
            "{said}"
        );
        assert_eq!(run.output(), "");
        pipeline.assert_nothing_remains();
    }
}

#[test]
fn files_that_are_no_scans_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("scan.bin");
    let error = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        scans::read(&path).unwrap_err().to_string()
    };
    assert!(error(&[]).contains("is empty"));
    assert!(error(&[0; 17]).contains("17 bytes is no multiple of 16"));
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(scans::read(&path).unwrap_err().to_string().contains("has room for"));
    assert!(scans::read(folder.path()).unwrap_err().to_string().contains("cannot read"));

    let record = [1.5_f32, -2.0, f32::NAN, 0.25].map(f32::to_le_bytes);
    fs::write(&path, record.as_flattened()).unwrap();
    let points = scans::read(&path).unwrap();
    assert_eq!((points.len(), points[0].x, points[0].y), (1, 1.5, -2.0));
    assert!(points[0].z.is_nan());
    assert_eq!(points[0].intensity, 0.25);
}

fn counts<const N: usize>(summary: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| summary[key].as_u64().unwrap_or_else(|| panic!("no {key} in {summary}")))
}

/// The example, built as the README says, once.
fn example() -> &'static Path {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLE.get_or_init(|| test_support::programs::release_example("perception_pipeline"))
}

fn signal(pid: u32, signal: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().unwrap();
    assert!(sent.success());
}

/// Polls for something that another process does in its own time.
fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs under one prefix of their own.
struct Pipeline {
    prefix: String,
    folder: TempDir,
}

impl Pipeline {
    fn new(name: &str) -> Pipeline {
        let prefix = format!("io_shared_test_{}_{name}", std::process::id());
        Pipeline { prefix, folder: TempDir::new().unwrap() }
    }

    fn start(&self, arguments: &[&str]) -> Run<'_> {
        let files = TempDir::new_in(self.folder.path()).unwrap().keep();
        let create = |name| File::create(files.join(name)).unwrap();
        let process = Command::new(example())
            .args(arguments)
            .args(["--prefix", &self.prefix])
            .stdin(Stdio::null())
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .spawn()
            .unwrap();
        Run { pipeline: self, process, files }
    }

    /// The names in shared memory with this prefix.
    fn remains(&self) -> Vec<OsString> {
        fs::read_dir("/dev/shm")
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().contains(&self.prefix.replace('/', "%")))
            .collect()
    }

    fn assert_nothing_remains(&self) {
        assert_eq!(self.remains(), Vec::<OsString>::new(), "left in /dev/shm");
    }
}

struct Run<'a> {
    pipeline: &'a Pipeline,
    process: Child,
    files: PathBuf,
}

impl Run<'_> {
    fn output(&self) -> String {
        fs::read_to_string(self.files.join("stdout")).unwrap()
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.files.join("stderr")).unwrap()
    }

    fn wait(&mut self) -> ExitStatus {
        wait_until("a process ends", || self.process.try_wait().unwrap())
    }

    /// Waits until this frame or a later one is shown. The newest wins, so there may be gaps.
    fn wait_for_frame(&mut self, wanted: u64) {
        let number =
            |line: &str| line.strip_prefix("frame")?.split_whitespace().next()?.parse().ok();
        wait_until("a frame is shown", || {
            let ended = self.process.try_wait().unwrap().is_some();
            let shown = self.output().lines().filter_map(number).any(|frame: u64| frame >= wanted);
            assert!(shown || !ended, "ended before frame {wanted}: {}", self.errors());
            shown.then_some(())
        });
    }

    fn signal(&self, name: &str) {
        signal(self.process.id(), name);
    }

    /// The process id of a role that the launcher started.
    fn child_in_role(&self, role: &str) -> u32 {
        let launcher = self.process.id();
        let children = format!("/proc/{launcher}/task/{launcher}/children");
        let children = fs::read_to_string(children).unwrap();
        let pids = children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap());
        let plays = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|&byte| byte == 0).nth(1) == Some(role.as_bytes())
        };
        pids.into_iter().find(plays).expect("the launcher has started it")
    }

    /// The summary of a run that ended well and left nothing behind.
    fn success(mut self) -> Value {
        let status = self.wait();
        let output = self.output();
        assert!(status.success(), "{status}\n{output}\n{}", self.errors());
        self.pipeline.assert_nothing_remains();
        let last = output.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {last:?}"))
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // It still runs only if an assertion failed. Its roles end with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
