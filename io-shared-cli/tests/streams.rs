//! `echo`, `hz`, `bw`, `delay` and `wait`, as processes next to living producers.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use common::recording::{Folder, wait_until, wait_until_observed};
use common::{end, printed, run, start};
use io_shared::{Array, Channel, Message, Producer, Shared};
use serde_json::Value as Json;
use test_support::TestName;

#[derive(Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    #[message(unit = "ns")]
    stamp_ns: u64,
    points: [Point],
}

fn put(clouds: &mut Producer<Cloud>, stamp_ns: u64, points: usize) {
    let mut loan = clouds.loan_len(points).unwrap();
    loan.stamp_ns = stamp_ns;
    for (number, point) in loan.points.iter_mut().enumerate() {
        *point = Point { x: number as f32, y: 0.5 };
    }
    loan.put().unwrap();
}

fn clouds(name: &TestName) -> Producer<Cloud> {
    Channel::<Cloud>::named(&**name).elements(1000).producer().unwrap()
}

/// Puts by `put` every `period` until `seen` has returned.
fn while_putting<R>(period: Duration, mut put: impl FnMut() + Send, seen: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                put();
                std::thread::sleep(period);
            }
        });
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(seen));
        done.store(true, Ordering::Relaxed);
        seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn echo_prints_a_value_as_yaml_csv_or_json_or_a_part_of_it() {
    let name = TestName::new("echo");
    let mut producer = clouds(&name);
    put(&mut producer, 7, 3);
    let yaml = "# value 1\nstamp_ns: 7  # ns\npoints:\n- x: 0.0\n  y: 0.5\n- x: 1.0\n  y: 0.5\n\
                - x: 2.0\n  y: 0.5\n---\n";
    assert_eq!(printed(&["echo", "--once", &name]), yaml);
    let echo = |arguments: &[&str]| printed(&[&["echo", "--once", &name], arguments].concat());
    assert_eq!(echo(&["--csv"]), "7,0.0,0.5,1.0,0.5,2.0,0.5\n");
    assert_eq!(
        echo(&["--no-arr"]),
        "# value 1\nstamp_ns: 7  # ns\npoints: \"<3 elements>\"\n---\n"
    );
    for field in ["points.1:.x", "points[1:].x"] {
        assert_eq!(echo(&["--field", field]), "# value 1\n[1.0, 2.0]\n---\n");
    }
    let truncated = echo(&["--truncate", "1", "--field", "points.:.x"]);
    assert_eq!(truncated, "# value 1\n[0.0]  # and 2 more\n---\n");
    let object: Json = serde_json::from_str(&echo(&["--json"])).unwrap();
    assert_eq!((&object["seq"], &object["value"]["stamp_ns"]), (&1.into(), &7.into()));
    assert_eq!(object["value"]["points"][2]["x"], 2.0);
    let done = run(&["echo", &name, "--field", "points[0].z"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("`points[0]` has no field `z`: it has x, y"), "{}", done.err);
    let done = run(&["echo", &name, "--field", "points["]);
    assert!(done.code == 2 && done.err.contains("is not a path"), "{}", done.err);
}

#[test]
fn echo_prints_an_element_that_a_value_lacks_as_nothing_and_goes_on() {
    let name = TestName::new("lacks");
    let mut producer = clouds(&name);
    put(&mut producer, 7, 0);
    let echo = |more: &[&'static str]| [&["echo", &*name, "--field", "points.0.x"], more].concat();
    assert_eq!(printed(&echo(&["--once"])), "# value 1\nnull\n---\n");
    assert_eq!(printed(&echo(&["--once", "--csv"])), "\n");
    let mut points = 0;
    let lines = while_putting(
        Duration::from_millis(20),
        || {
            points = 1 - points;
            put(&mut producer, 8, points);
        },
        || printed(&echo(&["-n", "20", "--json"])),
    );
    let value = |line: &str| serde_json::from_str::<Json>(line).unwrap()["value"].clone();
    let values: Vec<Json> = lines.lines().map(value).collect();
    assert_eq!(values.len(), 20);
    assert!(values.contains(&Json::Null) && values.contains(&0.0.into()), "{values:?}");
    // An element that no value can have is a mistake.
    let pose = TestName::new("never");
    io_shared::producer::<[u8; 3]>(&pose).unwrap().put(&[1, 2, 3]).unwrap();
    let done = run(&["echo", &pose, "--field", "3", "--once"]);
    assert!(done.code == 2 && done.err.contains("has 3 elements"), "{}", done.err);
}

#[test]
fn echo_shows_arrays_with_their_dtype_and_all_elements_only_on_request() {
    let name = TestName::new("arrays");
    let mut images = Channel::<Array>::named(&*name).capacity("1M").producer().unwrap();
    let mut loan = images.loan_len(Array::len_of("|u1", true, &[2, 200]).unwrap()).unwrap();
    let elements = loan.write_header("|u1", true, &[2, 200]).unwrap();
    elements.iter_mut().enumerate().for_each(|(number, element)| *element = number as u8);
    loan.put().unwrap();
    let yaml = printed(&["echo", "--once", &name]);
    assert!(yaml.starts_with("# value 1\ndtype: \"|u1\"\nshape: [2, 200]\ndata:\n- [0, 2, 4, "));
    assert!(yaml.contains(", 254]  # and 72 more\n"), "{yaml}");
    let all = printed(&["echo", "--once", &name, "--truncate", "0", "--field", "[1]"]);
    assert!(all.contains(", 255, 1, 3, ") && !all.contains("more"), "{all}");
    assert_eq!(printed(&["echo", "--once", &name, "--csv", "--field", "1.0:3"]), "1,3,5\n");
}

#[test]
fn echo_waits_for_an_absent_channel_and_says_so_and_follows_its_successors() {
    let name = TestName::new("absent");
    let mut child = start(&["echo", &name, "-n", "3", "--csv"]);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    let said =
        format!("waiting: there is no channel {} yet; --timeout TIME limits the wait", &*name);
    assert_eq!(line, said);
    let mut seen = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut producer = clouds(&name);
    put(&mut producer, 1, 0);
    assert_eq!(seen.next().unwrap().unwrap(), "1");
    put(&mut producer, 2, 1);
    assert_eq!(seen.next().unwrap().unwrap(), "2,0.0,0.5");
    drop(producer);
    io_shared::remove(&name).unwrap();
    let mut producer = clouds(&name);
    put(&mut producer, 3, 0);
    assert_eq!(seen.next().unwrap().unwrap(), "3");
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_no_channel_is_told_as_what_it_is_and_its_memory_is_no_more_than_its_size() {
    let name = TestName::new("state");
    let state = Shared::<u64>::open(&*name).unwrap();
    let done = run(&["echo", &name, "--once", "--timeout", "10s"]);
    assert_eq!((done.code, &*done.out), (1, ""));
    let said = "\n  kind: it is typed state, not a channel\nIt was not touched: only the values of \
                channels can be read; `io-shared info /";
    assert!(done.err.contains(said) && !done.err.contains("Nobody"), "{}", done.err);
    let info = printed(&["info", &name]);
    let (_, memory) = info.split_once("  memory  ").unwrap();
    let size = std::fs::metadata(name.path()).unwrap().len();
    assert_ne!(size % 4096, 0, "it does not end with its last page");
    let (used, of) = memory.split_once(" in use, ").unwrap().0.split_once(" of ").unwrap();
    assert_eq!(used.trim(), of, "{memory}");
    drop(state);
}

#[test]
fn a_time_that_is_over_is_exit_code_4_and_says_what_is_missing() {
    let name = TestName::new("timeout");
    let done = run(&["echo", &name, "--timeout", "10ms"]);
    assert_eq!((done.code, &*done.out), (4, ""));
    assert!(done.err.contains("there is no channel"), "{}", done.err);
    let _producer = clouds(&name);
    for command in ["echo", "wait"] {
        let done = run(&[command, &name, "--timeout", "10ms"]);
        assert_eq!(done.code, 4);
        assert!(done.err.contains("has no new value; its producer is "), "{}", done.err);
    }
    for command in ["hz", "bw"] {
        assert_eq!(run(&[command, &name, "--timeout", "10ms"]).code, 4);
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let name = TestName::new("pipe");
    let mut producer = clouds(&name);
    let mut child = start(&["echo", &name]);
    let mut seen = BufReader::new(child.stdout.take().unwrap());
    put(&mut producer, 1, 1);
    seen.read_line(&mut String::new()).unwrap();
    drop(seen);
    while_putting(
        Duration::from_millis(5),
        || put(&mut producer, 2, 100),
        || {
            let done = end(child);
            assert_eq!((done.code, &*done.err), (0, ""));
        },
    );
}

#[test]
fn a_reader_that_has_left_before_is_no_failure_of_any_command() {
    let name = TestName::new("closed");
    let mut producer = clouds(&name);
    let commands = [
        "list",
        "list --json",
        "list --all",
        "list --holders",
        "info NAME",
        "info NAME --schema c",
        "echo NAME",
        "hz NAME",
        "bw NAME --json",
        "delay NAME --field stamp_ns",
        "doctor NAME",
        "wait NAME --json",
        "clean",
        "completions bash",
        "help",
        "--version",
        "echo --help",
    ];
    while_putting(
        Duration::from_millis(5),
        || put(&mut producer, 2, 100),
        || {
            for command in commands {
                let words =
                    command.split(' ').map(|word| if word == "NAME" { &*name } else { word });
                let mut child = start(&words.collect::<Vec<_>>());
                drop(child.stdout.take());
                let done = end(child);
                assert_eq!((done.code, &*done.err), (0, ""), "{command}");
            }
        },
    );
}

#[test]
fn hz_says_how_fast_values_come_and_where_it_missed_some() {
    let name = TestName::new("hz");
    let mut producer = clouds(&name);
    let report = while_putting(
        Duration::from_millis(20),
        || put(&mut producer, 1, 10),
        || printed(&["hz", &name, "-n", "1"]),
    );
    let rate: f64 =
        report.lines().next().unwrap().strip_prefix("average rate: ").unwrap().parse().unwrap();
    assert!(rate > 5.0 && rate <= 50.0, "{report}");
    assert!(report.contains("\n\tmin: 0.0") && report.contains(" window: "), "{report}");
    // Three at once: nobody who looks from outside sees all of them.
    let report = while_putting(
        Duration::from_millis(50),
        || (0..3).for_each(|_| put(&mut producer, 1, 10)),
        || printed(&["hz", &name, "-n", "1", "--json"]),
    );
    let report: Json = serde_json::from_str(&report).unwrap();
    let [missed, window, rate] =
        ["missed", "window", "rate"].map(|key| report[key].as_f64().unwrap());
    // The rate is that of the values, of which fewer were seen in this second.
    assert!(missed > 0.0 && rate > window - missed, "{report}");
}

#[test]
fn bw_says_how_many_bytes_are_put() {
    let name = TestName::new("bw");
    let mut producer = clouds(&name);
    let report = while_putting(
        Duration::from_millis(20),
        || put(&mut producer, 1, 499),
        || printed(&["bw", &name, "-n", "1"]),
    );
    assert!(report.contains("\tMessage size mean: 4.0 kB min: 4.0 kB max: 4.0 kB\n"), "{report}");
    let rate = report.split_once("kB/s from").unwrap().0.trim().parse::<f64>().unwrap();
    assert!(rate > 20.0 && rate <= 200.0, "{report}");
}

#[test]
fn values_that_hz_has_not_seen_count_in_its_average() {
    let name = TestName::new("hz");
    let mut producer = clouds(&name);
    let mut is_burst = false;
    let report = while_putting(
        Duration::from_millis(50),
        || {
            is_burst = !is_burst;
            (0..if is_burst { 10 } else { 1 }).for_each(|_| put(&mut producer, 1, 10));
        },
        || printed(&["hz", &name, "-n", "1", "--json"]),
    );
    // Ten periods of 5 ms and one of 50 ms, and so on: 9 ms on average.
    let report: Json = serde_json::from_str(&report).unwrap();
    let [mean, max] = ["mean", "max"].map(|key| report[key].as_f64().unwrap());
    assert!(mean < 0.4 * max, "{report}");
}

#[test]
fn delay_is_from_the_value_that_a_tag_names_or_from_a_time_in_the_message() {
    let (name, labels) = (TestName::new("clouds"), TestName::new("labels"));
    let mut producer = clouds(&name);
    let mut answers = io_shared::producer::<u64>(&labels).unwrap();
    let report = while_putting(
        Duration::from_millis(30),
        || {
            put(&mut producer, 1, 1);
            std::thread::sleep(Duration::from_millis(20));
            let seq = producer.seq();
            answers.put_tagged(&0, seq).unwrap();
        },
        || printed(&["delay", &name, &labels, "-n", "1", "--json"]),
    );
    let report: Json = serde_json::from_str(&report).unwrap();
    let mean = report["mean"].as_f64().unwrap();
    assert!((0.02..0.5).contains(&mean), "{report}");
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let report = while_putting(
        Duration::from_millis(30),
        || put(&mut producer, (now() - Duration::from_secs(5)).as_nanos() as u64, 1),
        || printed(&["delay", &name, "--field", "stamp_ns", "-n", "1"]),
    );
    let first = report.lines().next().unwrap().strip_prefix("average delay: ").unwrap();
    assert!((5.0..6.0).contains(&first.parse::<f64>().unwrap()), "{report}");
    let done = run(&["delay", &name]);
    assert!(done.code == 2 && done.err.contains("--field stamp_ns"), "{}", done.err);
    let done = run(&["delay", &name, "--field", "points"]);
    assert!(done.code == 2 && done.err.contains("no whole number"), "{}", done.err);
}

#[test]
fn delay_follows_a_first_channel_that_is_replaced() {
    let (name, labels) = (TestName::new("clouds"), TestName::new("labels"));
    let mut producer = clouds(&name);
    let mut answers = io_shared::producer::<u64>(&labels).unwrap();
    let replace = AtomicBool::new(false);
    while_putting(
        Duration::from_millis(10),
        || {
            if replace.swap(false, Ordering::Relaxed) {
                io_shared::remove(&name).unwrap();
                producer = clouds(&name);
            }
            put(&mut producer, 1, 1);
            answers.put_tagged(&0, producer.seq()).unwrap();
        },
        || {
            let mut child = start(&["delay", &name, &labels, "-n", "4", "--json"]);
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let with: Vec<bool> = lines
                .enumerate()
                .map(|(report, line)| {
                    replace.store(report == 0, Ordering::Relaxed);
                    let report: Json = serde_json::from_str(&line.unwrap()).unwrap();
                    report["without_partner"] == 0
                })
                .collect();
            assert!(with.len() == 4 && with[2..].contains(&true), "{with:?}");
            child.wait().unwrap();
        },
    );
}

#[test]
fn reports_say_that_a_channel_has_no_producer() {
    let (name, labels) = (TestName::new("dead"), TestName::new("dead-labels"));
    let mut dead = clouds(&name);
    put(&mut dead, 1, 1);
    let mut answers = io_shared::producer::<u64>(&labels).unwrap();
    let report = || printed(&["delay", &name, &labels, "-n", "1"]);
    let mut answer = || assert!(answers.put(&0).unwrap() > 0);
    let said = while_putting(Duration::from_millis(30), &mut answer, report);
    assert!(said.contains("without a partner") && !said.contains("no producer"), "{said}");
    drop(dead);
    let said = while_putting(Duration::from_millis(30), &mut answer, report);
    assert!(said.contains(&format!("{} has no producer", &*name)), "{said}");
    // And the one that is measured, of each command that reports.
    for command in ["hz", "bw"] {
        let done = run(&[command, &name, "--timeout", "3s"]);
        assert_eq!(done.code, 4, "{}", done.err);
        let none = format!("no new values: {} has no producer", &*name);
        assert!(done.out.contains(&none), "{}{}", done.out, done.err);
    }
}

#[test]
fn wait_ends_with_a_value_that_is_young_enough() {
    let name = TestName::new("wait");
    let mut producer = clouds(&name);
    put(&mut producer, 1, 0);
    assert_eq!(printed(&["wait", &name]), "");
    std::thread::sleep(Duration::from_millis(30));
    let done = run(&["wait", &name, "--max-age", "20ms", "--timeout", "50ms"]);
    assert_eq!(done.code, 4, "{}", done.err);
    let child = start(&["wait", &name, "--max-age", "10s", "--json"]);
    let object: Json = serde_json::from_str(&end(child).out).unwrap();
    assert_eq!(object["seq"], 1);
}

/// How nice each thread of a process is.
fn niceness(pid: u32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let nice = |stat: String| stat.rsplit(')').next().unwrap().split(' ').nth(17).unwrap().parse();
    stats.map(|stat| nice(stat).unwrap()).collect()
}

#[test]
fn commands_that_go_on_looking_give_way_and_keep_a_niceness_that_they_were_given() {
    let (name, folder) = (TestName::new("nice"), Folder::new());
    let mut clouds = clouds(&name);
    put(&mut clouds, 1, 10);
    let (file, mcap) = (folder.file("x"), folder.file("x.mcap"));
    let record = ["record", "-o", &mcap, &name];
    // These tests may have been given a niceness, too.
    let own = niceness(std::process::id())[0];
    let nice = if own == 0 { 10 } else { own };
    for (line, threads) in [
        (&["echo", &*name][..], 1),
        (&["hz", &name], 1),
        (&["delay", &name, &name], 1),
        (&record, 2),
    ] {
        let mut child = start(line);
        wait_until(|| niceness(child.id()) == vec![nice; threads]);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    std::fs::remove_file(&mcap).unwrap();
    let mut nicer = std::process::Command::new("nice");
    nicer.args(["-n", "3", env!("CARGO_BIN_EXE_io-shared")]).args(record);
    let mut child = nicer.stderr(std::fs::File::create(file).unwrap()).spawn().unwrap();
    wait_until(|| niceness(child.id()) == [own + 3; 2]);
    wait_until_observed(&child, &name);
    assert_eq!(niceness(child.id()), [own + 3; 2]);
    child.kill().unwrap();
    child.wait().unwrap();
}
