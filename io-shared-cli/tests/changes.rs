//! `put`, `rm`, `snapshot`, `top` and `doctor`, as processes next to living programs.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use common::{command, on_a_terminal, own_command, printed, run};
use io_shared::{Array, Channel, Shared};
use serde_json::Value as Json;
use test_support::TestName;
use test_support::peer::{self, Peer};

#[test]
fn put_puts_json_and_refuses_what_does_not_fit() {
    let name = TestName::new("put");
    let mut consumer = io_shared::consumer::<[u8; 3]>(&name).unwrap();
    assert_eq!(printed(&["put", &name, "[1, 2, 3]", "--tag", "9"]), "");
    let guard = consumer.get().unwrap();
    assert_eq!((*guard, guard.seq(), guard.tag()), ([1, 2, 3], 1, 9));
    drop(guard);
    for (json, error) in [
        ("[1, 2]", "it has 3 elements, not 2"),
        ("[1, 2, 256]", "`[2]`: 256 does not fit |u1"),
        ("nothing", "the text is not JSON"),
    ] {
        let done = run(&["put", &name, json]);
        assert_eq!((done.code, &*done.out), (2, ""), "{json}");
        assert!(done.err.contains(error) && done.err.contains(&*name), "{}", done.err);
    }
    let mut child = command(&["put", &name, "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[4, 5, 6]").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(*consumer.get().unwrap(), [4, 5, 6]);
    let _producer = io_shared::producer::<[u8; 3]>(&name).unwrap();
    let done = run(&["put", &name, "[7, 8, 9]"]);
    assert!(done.code == 1 && done.err.contains(&std::process::id().to_string()), "{}", done.err);
    assert_eq!(run(&["put", "/nobody-made-this", "1"]).code, 3);
}

#[test]
fn what_echo_prints_can_be_put_again() {
    let name = TestName::new("again");
    let mut images = Channel::<Array>::named(&*name).capacity("1K").producer().unwrap();
    let mut loan = images.loan_len(Array::len_of("<f4", false, &[2, 2]).unwrap()).unwrap();
    loan.write_header("<f4", false, &[2, 2]).unwrap().fill(63);
    loan.put().unwrap();
    drop(images);
    let echo = || -> Json {
        serde_json::from_str(&printed(&["echo", &name, "--once", "--json"])).unwrap()
    };
    let before = echo();
    printed(&["put", &name, &before["value"].to_string()]);
    let after = echo();
    assert_eq!((&after["seq"], &after["value"]), (&2.into(), &before["value"]));
}

#[test]
fn rm_removes_what_nobody_uses_and_the_rest_only_by_force() {
    let (name, state) = (TestName::new("rm"), TestName::new("rm-state"));
    let producer = io_shared::producer::<u64>(&name).unwrap();
    drop(Shared::<u64>::open(&*state).unwrap());
    let done = run(&["rm", &name]);
    assert_eq!(done.code, 1);
    let user = format!("is in use by {} ({})", own_command(), std::process::id());
    assert!(done.err.contains(&user) && done.err.contains("--force"), "{}", done.err);
    // One that stays keeps none of the others.
    let gone = TestName::new("rm-gone");
    drop(Shared::<u64>::open(&*gone).unwrap());
    let done = run(&["rm", "/not-there", &name, &gone, "--json"]);
    assert_eq!((done.code, done.err.lines().count()), (1, 2), "{}", done.err);
    assert!(done.out.contains(&*gone) && !gone.path().exists(), "{}", done.out);
    drop(producer);
    assert_eq!(printed(&["rm", &name, &state]), "");
    assert!(!name.path().exists() && !state.path().exists());
    assert_eq!(run(&["rm", &name]).code, 3);
    let mut producer = Channel::<u64>::named(&*name).reopen(false).producer().unwrap();
    printed(&["rm", "--force", &name]);
    assert!(!name.path().exists());
    assert!(producer.put(&1).is_err(), "the producer is told");
    std::fs::write(name.path(), "hello").unwrap();
    let done = run(&["rm", "--force", &name]);
    assert!(done.code == 1 && done.err.contains("not an io-shared region"), "{}", done.err);
    assert!(name.path().exists());
}

/// In a /dev/shm of its own, in which nobody else's channels can be removed.
#[test]
fn alone() {
    if peer::arguments().is_none() {
        return;
    }
    let mut used = io_shared::producer::<u64>("/used").unwrap();
    used.put(&1).unwrap();
    io_shared::producer::<u64>("/unused").unwrap().put(&1).unwrap();
    drop(Shared::<u64>::open("/unused-state").unwrap());
    std::fs::write("/dev/shm/foreign", "hello").unwrap();
    assert_eq!(printed(&["clean"]), "", "all of it is younger than an hour");
    let listed = printed(&["clean", "--older", "0s"]);
    let names: Vec<&str> = listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["/unused", "/unused-state"], "{listed}");
    let rows = printed(&["clean", "--older", "0s", "--yes", "--json"]);
    let rows: Vec<Json> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert!(rows.len() == 2 && rows.iter().all(|row| row["removed"] == true), "{rows:?}");
    let mut left: Vec<_> =
        std::fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["foreign", "used"]);
    used.put(&2).unwrap();
    drop(used);
    let table = on_a_terminal(&["clean", "--older", "0s"], &[("NO_COLOR", "1")], "");
    assert!(
        table.contains("UNUSED FOR") && table.contains("io-shared clean --older 0s --yes"),
        "{table}"
    );
    peer::tell("done");
    peer::hear();
}

#[test]
fn clean_lists_and_removes_what_nobody_uses_and_leaves_the_rest() {
    let mount = "mount -t tmpfs tmpfs /dev/shm && exec \"$0\" \"$@\"";
    let prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount];
    let mut peer = Peer::start_under(&prefix, "alone", &["alone"]);
    assert_eq!(peer.hear(), "done");
    peer.tell("end");
}

#[test]
fn snapshot_draws_a_cloud_by_height_or_by_the_labels_of_its_tag() {
    let (name, labels) = (TestName::new("cloud"), TestName::new("cloud-labels"));
    let mut clouds = Channel::<[[f32; 4]]>::named(&*name).elements(9).producer().unwrap();
    clouds.put(&[[0.0, 0.0, 1.0, 0.0], [4.0, 2.0, 2.0, 0.0], [4.0, 0.0, 3.0, 0.0]]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.png");
    let file = file.to_str().unwrap();
    let told = printed(&["snapshot", &name, "-o", file, "--size", "101"]);
    let what = "3 points from above, 4.0 x 2.0, coloured by height, 101 x 51 pixels";
    assert_eq!(told, format!("{file}: {what} of value 1\n"));
    let mut reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file).unwrap()))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width, frame.height, pixels.len()), (101, 51, 3 * 101 * 51));
    assert_eq!(pixels.chunks_exact(3).filter(|pixel| **pixel != [0; 3]).count(), 3);
    let mut answers = Channel::<[u32]>::named(&*labels).elements(9).producer().unwrap();
    answers.put_tagged(&[1, 2, 2], 1).unwrap();
    let told = printed(&["snapshot", &name, "-o", file, "--labels", &labels, "--json"]);
    assert!(told.contains("coloured by label"), "{told}");
    answers.put_tagged(&[1, 2, 2], 77).unwrap();
    let arguments = ["snapshot", &name, "-o", file, "--labels", &labels, "--timeout", "50ms"];
    assert_eq!(run(&arguments).code, 4, "no value has the number 77");
    let done = run(&["snapshot", &labels, "-o", file]);
    assert!(done.code == 1 && done.err.contains("it is neither a cloud"), "{}", done.err);
}

#[test]
fn top_is_a_live_table_on_a_terminal_and_refused_elsewhere() {
    let name = TestName::new("top");
    let mut producer = io_shared::producer::<[u8; 100]>(&name).unwrap();
    producer.put(&[0; 100]).unwrap();
    let putter = std::thread::spawn(move || {
        for _ in 0..60 {
            producer.put(&[1; 100]).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    // The key is waiting in the terminal, so it leaves after the first table.
    let shown = on_a_terminal(&["top", &name], &[], "q");
    putter.join().unwrap();
    assert!(shown.contains("NAME") && shown.contains(&*name), "{shown}");
    assert!(shown.contains("100") && shown.contains("leave"), "{shown}");
    assert!(shown.contains("\u{1b}[?1049h") && shown.contains("\u{1b}[?1049l"), "it is put back");
    let done = run(&["top"]);
    assert!(done.code == 2 && done.err.contains("io-shared list --json"), "{}", done.err);
}

#[test]
fn doctor_finds_nothing_wrong_with_a_service_that_has_no_client() {
    let name = TestName::new("idle-service");
    let mut server = io_shared::Service::<u64, u64>::named(&*name).server().unwrap();
    assert!(server.next_timeout(Duration::from_millis(1)).is_err());
    for part in ["server", "bell"] {
        let done = run(&["doctor", &format!("{}/{part}", &*name)]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    }
}

#[test]
fn doctor_says_what_is_wrong_and_what_to_do() {
    let name = TestName::new("doctor");
    let producer = io_shared::producer::<u64>(&name).unwrap();
    let told = printed(&["doctor", &name]);
    let whom = format!("it has the producer {} ({})", own_command(), std::process::id());
    assert!(told.starts_with("ok ") && told.contains(&whom), "{told}");
    let viewer = Channel::<u64>::named(&*name).consumer_name("viewer").consumer().unwrap();
    drop(producer);
    let done = run(&["doctor", &name]);
    assert_eq!((done.code, &*done.err), (1, "error: 1 problem\n"));
    assert!(done.out.contains("is gone, and viewer ("), "{}", done.out);
    assert!(done.out.contains("start its producer"), "{}", done.out);
    drop(viewer);
    let told = printed(&["doctor", &name]);
    assert!(told.contains("nobody uses it; it has the type <u8"), "{told}");
    assert!(told.contains(&format!("io-shared rm {}", &*name)), "{told}");
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[9], 8).unwrap();
    let done = run(&["doctor", &name, "--json"]);
    let object: Json = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        (&object["ok"], &object["what"]),
        (&false.into(), &"it has layout version 9".into())
    );
    let cure = object["cure"].as_str().unwrap();
    assert!(cure.contains(&format!("io-shared rm {}", &*name)), "{cure}");
    let all = run(&["doctor"]);
    assert!(all.out.contains("room in /dev/shm: ") && all.out.contains("kernel: "), "{}", all.out);
    let mut limited = std::process::Command::new("bash");
    limited.args(["-c", "ulimit -f 1000; exec \"$0\" doctor", env!("CARGO_BIN_EXE_io-shared")]);
    let told = String::from_utf8(limited.output().unwrap().stdout).unwrap();
    assert!(told.contains("ulimit -f unlimited"), "{told}");
}
