//! The commands of the pages in docs/guide/, run as they stand. (Their code is run by the facade's
//! documentation tests, and by python/tests/test_guide.py.)

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use io_shared::{Channel, Message};
use test_support::TestName;

#[derive(Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    z: f32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    stamp_ns: u64,
    points: [Point],
}

/// The commands of a page, without their prompts.
fn commands(page: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide").join(page);
    let page = std::fs::read_to_string(page).unwrap();
    let commands = page.lines().filter_map(|line| line.strip_prefix("$ io-shared "));
    commands.map(str::to_owned).collect()
}

/// Puts clouds and labels until `done`.
fn pipeline(clouds: &str, labels: &str, done: &AtomicBool) {
    let mut lidar = Channel::<Cloud>::named(clouds).elements(100).producer().unwrap();
    let mut labeller = Channel::<[u32]>::named(labels).elements(100).producer().unwrap();
    while !done.load(Ordering::Relaxed) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut loan = lidar.loan_len(10).unwrap();
        loan.stamp_ns = now.as_nanos() as u64;
        for (number, point) in loan.points.iter_mut().enumerate() {
            *point = Point { x: number as f32, y: 1.0, z: 0.5 };
        }
        let seq = loan.put().unwrap();
        labeller.put_tagged(&[1; 10], seq).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let (clouds, settings) = (TestName::new("guide"), TestName::new("guide-settings"));
    let labels = TestName::new("guide-labels");
    let folder = tempfile::tempdir().unwrap();
    drop(io_shared::producer::<[f64; 2]>(&settings).unwrap());
    let commands = commands("seeing.md");
    assert!(commands.len() >= 15, "{commands:?}");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| pipeline(&clouds, &labels, &done));
        assert_eq!(common::run(&["wait", &labels, "--timeout", "60s"]).code, 0);
        let failed: Vec<String> = commands
            .iter()
            .filter_map(|line| {
                let line = line
                    .replace("/clouds.labels", &labels)
                    .replace("/clouds", &clouds)
                    .replace("/settings", &settings);
                let script = format!("\"$0\" {line}");
                let mut shell = std::process::Command::new("bash");
                shell.args(["-c", &script, env!("CARGO_BIN_EXE_io-shared")]);
                let output = shell.current_dir(folder.path()).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let is_silent = line.starts_with("wait") || line.starts_with("put");
                let is_silent = is_silent || line.starts_with("rm");
                let is_good = output.status.success() && output.stdout.is_empty() == is_silent;
                (!is_good).then(|| format!("{line}: {said}"))
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    });
    assert!(folder.path().join("cloud.png").exists() && !settings.path().exists());
}

#[test]
fn every_command_of_the_page_on_recording_does_what_it_says() {
    let (clouds, labels) = (TestName::new("guide"), TestName::new("guide-labels"));
    let replayed = TestName::new("guide-replayed");
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let line = line
            .replace("/clouds.labels", &labels)
            .replace("/clouds", &clouds)
            .replace("/replayed", &replayed);
        let mut shell = std::process::Command::new("bash");
        let script = format!("\"$0\" {line}");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_io-shared")]).current_dir(folder.path());
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !output.stdout.is_empty(), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let commands = commands("recording.md");
    let (records, plays): (Vec<_>, Vec<_>) =
        commands.iter().partition(|line| line.contains(" -o "));
    assert!(records.len() == 3 && plays.len() == 4, "{commands:?}");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| pipeline(&clouds, &labels, &done));
        assert_eq!(common::run(&["wait", &labels, "--timeout", "60s"]).code, 0);
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for line in records {
                let said = run(line);
                let cell = |row: &str| row.split('\t').nth(1).map(|n| n.parse::<u64>().unwrap());
                assert!(said.lines().all(|row| cell(row) > Some(0)), "{line}: {said}");
            }
        }));
        done.store(true, Ordering::Relaxed);
        ran.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    for line in plays {
        run(line);
    }
    assert!(replayed.path().exists() && folder.path().join("flight_0.mcap").exists());
    assert!(folder.path().join("io_shared_msgs/msg").is_dir());
}

#[test]
fn every_command_of_the_page_on_watching_serves_until_it_is_ended() {
    use std::io::{BufRead, BufReader};

    let folder = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/watching.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, frames) = page.split_once("```text\n").unwrap();
    std::fs::write(folder.path().join("frames.txt"), frames.split_once("```").unwrap().0).unwrap();
    let commands = commands("watching.md");
    assert!(commands.len() >= 4, "{commands:?}");
    for line in commands {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The port of the page may be another program's here.
        let mut command = common::command(&[&words[..], &["--listen", "127.0.0.1:0"]].concat());
        command.current_dir(folder.path()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.starts_with("the page:  http://127.0.0.1:"), "{line}: {said}");
        common::recording::signal(&child, nix::sys::signal::Signal::SIGINT);
        assert!(child.wait().unwrap().success(), "{line}");
    }
}

/// Runs what `page` says, on the channel that the example `put` puts to in `domain`.
fn run_page(page: &str, domain: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide").join(page);
    let page = std::fs::read_to_string(path).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("$ "));
    let lines = lines.filter(|line| line.contains("io-shared "));
    lines
        .map(|line| {
            let line = line.replace("/clouds", "/pose").replace("suite-1", domain);
            let script = format!("io-shared() {{ \"$0\" \"$@\"; }}; {line}");
            let mut shell = std::process::Command::new("bash");
            shell.args(["-c", &script, env!("CARGO_BIN_EXE_io-shared")]);
            let output = shell.env("IO_SHARED_DOMAIN", domain).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}: {said}");
        })
        .count()
}

#[test]
fn every_command_of_the_other_pages_does_what_it_says() {
    let domain = format!("guide-{}", std::process::id());
    let wait = || {
        let mut wait = common::command(&["wait", "/pose", "--timeout", "60s", "--max-age", "5s"]);
        assert!(wait.env("IO_SHARED_DOMAIN", &domain).status().unwrap().success());
    };
    let mut put = std::process::Command::new(test_support::programs::build_example("put"));
    let mut put = put.env("IO_SHARED_DOMAIN", &domain).spawn().unwrap();
    let ran = std::panic::catch_unwind(|| {
        ["first-channel.md", "containers.md", "testing.md", "troubleshooting.md"].map(|page| {
            wait(); // the first page ends with a removal
            run_page(page, &domain)
        })
    });
    put.kill().unwrap();
    put.wait().unwrap();
    let _ = std::fs::remove_file(format!("/dev/shm/{domain}%%pose"));
    match ran {
        Ok(ran) => assert_eq!(ran, [3, 1, 2, 3]),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
