//! `io-shared list` and `io-shared info`, as processes next to living programs.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;

use common::{on_a_terminal, own_command, printed, run};
use io_shared::{Channel, Message, SharedMmap};
use serde_json::Value as Json;
use test_support::TestName;
use test_support::peer::{self, Peer};

/// A point on the road.
#[derive(Message)]
#[repr(C)]
struct Pose {
    /// Forward.
    #[message(unit = "m")]
    x: f32,
    y: f32,
    frame: u64,
}

#[test]
fn a_channel_is_a_row_with_what_it_is_and_who_uses_it() {
    let name = TestName::new("list");
    let mut producer = io_shared::producer::<Pose>(&name).unwrap();
    let _viewer = Channel::<Pose>::named(&*name).consumer_name("viewer").consumer().unwrap();
    producer.put(&Pose { x: 1.0, y: 2.0, frame: 3 }).unwrap();
    let (pid, command) = (std::process::id(), own_command());
    for words in ["list", "ls"] {
        let row = printed(&[words, &name]);
        let cells: Vec<&str> = row.trim_end().split('\t').collect();
        assert_eq!(cells[..4], [&*name, "Pose", "16 B", "-"]);
        assert!(cells[4].ends_with('s'), "its age: {row}");
        assert_eq!(cells[5..], [format!("{command} ({pid})"), format!("viewer ({pid})")]);
    }
    let all = printed(&["list"]);
    assert!(all.lines().any(|line| line.starts_with(&format!("{}\t", &*name))), "{all}");
    drop(producer);
    assert!(printed(&["list", &name]).contains(&format!("\t-\tviewer ({pid})\n")));
}

#[test]
fn a_channel_of_another_machine_has_a_column_that_says_from_where_and_how_far() {
    let name = TestName::new("remote");
    let mut producer = io_shared::producer::<Pose>(&name).unwrap();
    assert_eq!(printed(&["list", &name]).trim_end().split('\t').count(), 7);
    producer.set_origin("from=robot delay=2100 clock=100000000 error=40 line=0 via=").unwrap();
    let from = |words: &[&str]| {
        let printed = printed(words);
        let cells = printed.trim_end().split('\t').collect::<Vec<_>>();
        assert_eq!(cells.len(), 8, "{printed}");
        cells[7].to_owned()
    };
    let there = from(&["list", &name]);
    assert!(there.starts_with("robot (delay 2 ms, clock +") && there.ends_with(')'), "{there}");
    assert!(printed(&["info", &name]).contains(&there));
    drop(producer);
    assert_eq!(from(&["list", &name]), format!("{there}, not connected"));
    let object: Json = serde_json::from_str(&printed(&["--json", "list", &name])).unwrap();
    assert!(object["producer"]["origin"].as_str().unwrap().starts_with("from=robot "));
}

#[test]
fn a_terminal_gets_a_table_with_a_header_in_bold_unless_no_color_is_wanted() {
    let name = TestName::new("table");
    let _producer = io_shared::producer::<Pose>(&name).unwrap();
    let shown = on_a_terminal(&["list", &name], &[], "");
    let [header, row, "", next] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
    let info = format!("io-shared info {}", &*name);
    assert!(next.contains(&info) && next.contains("io-shared doctor"), "{next}");
    assert!(header.starts_with("\u{1b}[1mNAME ") && header.ends_with("CONSUMERS\u{1b}[0m"));
    let column = header.replace("\u{1b}[1m", "").find("TYPE").unwrap();
    assert!(row.starts_with(&*name) && row[column..].starts_with("Pose  16 B"), "{shown}");
    let plain = on_a_terminal(&["list", &name], &[("NO_COLOR", "1")], "");
    assert!(plain.starts_with("NAME ") && !plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn json_has_one_object_on_each_line_and_its_keys_stay() {
    let name = TestName::new("json");
    let mut producer = io_shared::producer::<Pose>(&name).unwrap();
    producer.put_tagged(&Pose { x: 1.0, y: 2.0, frame: 3 }, 9).unwrap();
    let text = printed(&["--json", "list", &name]);
    let object: Json = serde_json::from_str(text.trim_end()).unwrap();
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "age",
            "allocated",
            "buffers",
            "bytes",
            "capacity",
            "changed",
            "consumers",
            "ephemeral",
            "kind",
            "mode",
            "name",
            "owner",
            "producer",
            "rate",
            "seq",
            "slots",
            "stamp",
            "state",
            "tag",
            "type",
            "uid",
            "used",
            "value_bytes",
            "version",
        ]
    );
    assert_eq!((&object["seq"], &object["tag"]), (&1.into(), &9.into()));
    assert_eq!(object["producer"]["pid"], std::process::id());
    let keys: Vec<&str> = object["producer"].as_object().unwrap().keys().map(|k| &**k).collect();
    let participant =
        ["command", "connected", "holds", "last_seen", "name", "origin", "pid", "since", "slot"];
    assert_eq!(keys, participant);
    for line in printed(&["list", "--json", "--all"]).lines() {
        assert!(serde_json::from_str::<Json>(line).unwrap().is_object());
    }
}

#[test]
fn what_is_not_there_is_exit_code_3_and_names_what_resembles_it() {
    let name = TestName::new("resembling");
    let _producer = io_shared::producer::<Pose>(&name).unwrap();
    let wrong = name.replace("resembling", "resemblign");
    let done = run(&["list", &wrong]);
    assert_eq!((done.code, &*done.out), (3, ""));
    assert!(done.err.contains(&wrong) && done.err.contains(&*name), "{}", done.err);
    assert!(done.err.contains("`io-shared list` shows what there is"), "{}", done.err);
    assert_eq!(run(&["info", "//"]).code, 2, "no name");
    assert_eq!(run(&["lst"]).code, 2, "no command");
}

#[test]
fn what_is_there_is_listed_though_another_name_is_not() {
    let name = TestName::new("there");
    let _producer = io_shared::producer::<u64>(&*name).unwrap();
    for json in [&["list", "/test-missing", &name, "--json"][..], &["list", &name, "/test-missing"]]
    {
        let done = run(json);
        assert_eq!(done.code, 3, "{}", done.err);
        assert!(done.out.contains(&*name) && done.err.contains("/test-missing"), "{}", done.out);
    }
}

#[test]
fn what_is_no_sound_region_is_a_row_that_says_so() {
    let (foreign, old) = (TestName::new("foreign"), TestName::new("old"));
    std::fs::write(foreign.path(), "hello").unwrap();
    let _producer = io_shared::producer::<Pose>(&old).unwrap();
    let file = std::fs::File::options().write(true).open(old.path()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[9], 8).unwrap();
    let row = printed(&["list", &old]);
    assert!(row.contains("\tlayout version 9\t") && row.contains(", mode 0600\t"), "{row}");
    assert!(!printed(&["list"]).contains(&*foreign));
    let row = printed(&["list", "--all"]);
    assert!(row.contains(&format!("{}\tnot a region\t5 B\t", &*foreign)), "{row}");
    let told = printed(&["info", &old]);
    assert!(told.contains("layout version 9, which this command cannot read; in use"), "{told}");
}

#[test]
fn info_shows_the_type_the_memory_and_the_users() {
    let name = TestName::new("info");
    let mut producer = io_shared::producer::<Pose>(&name).unwrap();
    let mut viewer = Channel::<Pose>::named(&*name).consumer_name("viewer").consumer().unwrap();
    producer.put_tagged(&Pose { x: 1.0, y: 2.0, frame: 3 }, 4).unwrap();
    drop(viewer.get().unwrap());
    drop(viewer);
    let (pid, command) = (std::process::id(), own_command());
    let told = printed(&["info", &name]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..3], [&*name, "  kind      channel", "  type      Pose"]);
    assert!(lines[3].starts_with("  newest    value 1, tag 4, 16 B, put "), "{told}");
    assert!(lines[5].starts_with(&format!("  producer  {command} ({pid}), for ")), "{told}");
    assert!(lines[6].starts_with(&format!("  consumers viewer ({pid}), {command}, came ")));
    assert!(lines[6].ends_with(" ago and is gone, has had value 1"), "{told}");
    assert!(lines[7].ends_with(", mode 0600"), "{told}");
    assert_eq!(lines[8], "  room      3 buffers of 16 B, at most 64 consumers");
    assert_eq!(lines[9], "  layout    version 3");
    assert_eq!(lines[11..], ["0\tx\t<f4\tm\tForward.", "4\ty\t<f4\t\t", "8\tframe\t<u8\t\t"]);
    let object: Json = serde_json::from_str(&printed(&["info", "--json", &name])).unwrap();
    assert_eq!(object["schema"]["struct"], "Pose");
}

#[test]
fn info_prints_the_type_to_paste_into_programs() {
    let name = TestName::new("schema");
    let _producer = io_shared::producer::<Pose>(&name).unwrap();
    let rust = "/// A point on the road.\n#[derive(Message)]\n#[repr(C)]\nstruct Pose {\n    \
                /// Forward.\n    #[message(unit = \"m\")]\n    x: f32,\n    y: f32,\n    \
                frame: u64,\n}\n";
    assert_eq!(printed(&["info", &name, "--schema", "rust"]), rust);
    let json = printed(&["info", &name, "--schema", "json"]);
    assert_eq!(printed(&["info", &name, "--schema", "json", "--json"]), json);
    let done = run(&["info", &name, "--schema", "rust", "--json"]);
    assert!(done.code == 2 && done.err.contains("--schema json"), "{}", done.err);
    assert_eq!(json.trim_end(), Pose::schema().to_json());
    let c = printed(&["info", &name, "--schema", "c"]);
    assert!(c.contains("    float x;\n") && c.contains("f32, x), IOS_UNIT(\"m\"),"), "{c}");
    let mmap = TestName::new("mmap");
    let _mmap = SharedMmap::named(&*mmap).size(100).open().unwrap();
    assert!(printed(&["info", &mmap]).contains("  kind      locked mmap\n"));
    SharedMmap::remove(&*mmap).unwrap();
}

#[test]
fn in_a_domain() {
    if peer::arguments().is_none() {
        return;
    }
    let _producer = io_shared::producer::<Pose>("/camera/rgb/pose").unwrap();
    peer::tell("there");
    peer::hear();
    io_shared::remove("/camera/rgb/pose").unwrap();
}

#[test]
fn names_of_a_domain_are_listed_in_that_domain_alone() {
    let domain = format!("test-list-{}", std::process::id());
    let variable = format!("IO_SHARED_DOMAIN={domain}");
    let mut peer = Peer::start_under(&["env", &variable], "in_a_domain", &["there"]);
    peer.expect("there");
    let row = printed(&["list", "--domain", &domain]);
    assert!(row.starts_with("/camera/rgb/pose\tPose\t") && row.lines().count() == 1, "{row}");
    assert!(printed(&["info", "/camera/rgb/pose", "--domain", &domain]).contains("Pose"));
    assert!(!printed(&["list"]).contains("camera/rgb/pose"));
    let file = format!("/dev/shm/{domain}%%camera%rgb%pose\tPose\t");
    assert!(printed(&["list", "--all"]).contains(&file));
    assert_eq!(run(&["list", "--domain", "a/b"]).code, 2);
    peer.tell("end");
    peer.end();
}

#[test]
fn a_channel_in_a_file_is_named_by_its_path() {
    let file = test_support::TestFile::new("listed");
    let _producer = Channel::<Pose>::file(&*file).producer().unwrap();
    let row = printed(&["list", &format!("file:{}", file.display())]);
    assert!(row.starts_with(&format!("{}\tPose\t", file.display())), "{row}");
}

#[test]
fn holders_are_the_processes_whose_claims_the_kernel_knows() {
    let (name, file) = (TestName::new("holders"), test_support::TestFile::new("holders"));
    let _producer = io_shared::producer::<Pose>(&name).unwrap();
    let _viewer = Channel::<Pose>::named(&*name).consumer_name("viewer").consumer().unwrap();
    let _in_file = Channel::<Pose>::file(&*file).producer().unwrap();
    let (pid, command) = (std::process::id(), own_command());
    let rows = printed(&["list", "--holders", &name]);
    let row = |role: &str| format!("{}\t{role}\t{pid}\t{command}\n", &*name);
    assert_eq!(rows, row("producer") + &row("slot 0"));
    let all = printed(&["list", "--holders"]);
    let row = format!("{}\tproducer\t{pid}\t{command}\n", file.display());
    assert!(all.contains(&row) && all.contains(&rows), "{all}");
    let first = printed(&["list", "--holders", "--json", &name]);
    let object: Json = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["command", "name", "pid", "removed", "role", "slot"]);
    assert_eq!(run(&["list", "--holders", "/nobody-made-this"]).code, 3);
}

#[test]
fn completion_offers_the_living_names_and_man_pages_are_written() {
    let name = TestName::new("completed");
    let _producer = io_shared::producer::<Pose>(&name).unwrap();
    let line = printed(&["completions", "bash"]);
    assert_eq!(line, "source <(COMPLETE=bash io-shared)\n");
    let mut shell = common::command(&["--", "io-shared", "echo", "/test-completed"]);
    shell.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_IFS", "\n");
    let offered = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    assert!(offered.lines().any(|line| line == &*name), "{offered}");
    let folder = tempfile::tempdir().unwrap();
    printed(&["man", folder.path().to_str().unwrap()]);
    let page = std::fs::read_to_string(folder.path().join("io-shared-echo.1")).unwrap();
    assert!(page.contains(".TH io-shared-echo 1") && page.contains("points.0:5.x"), "{page}");
}

/// In a /dev/shm of its own.
#[test]
fn among_a_thousand() {
    if peer::arguments().is_none() {
        return;
    }
    for number in 0..1_000 {
        io_shared::producer::<u64>(&format!("/camera/{number}")).unwrap().put(&number).unwrap();
    }
    let looked = |channels: usize| {
        let took = |_| {
            let started = std::time::Instant::now();
            assert_eq!(printed(&["list"]).lines().count(), channels);
            started.elapsed()
        };
        (0..5).map(took).min().unwrap()
    };
    let at_once = looked(1_000);
    // One with a producer and a single value: its rate needs a second look.
    let mut producer = io_shared::producer::<u64>("/living").unwrap();
    producer.put(&1).unwrap();
    let twice = looked(1_001);
    peer::tell(&format!("{} {}", at_once.as_millis(), twice.as_millis()));
    peer::hear();
}

#[test]
fn a_thousand_channels_are_listed_at_once_and_300_ms_later_where_a_rate_needs_a_second_look() {
    let mount = "mount -t tmpfs tmpfs /dev/shm && exec \"$0\" \"$@\"";
    let prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount];
    let mut peer = Peer::start_under(&prefix, "among_a_thousand", &["alone"]);
    let told = peer.hear();
    println!("milliseconds: {told}");
    let [at_once, twice]: [u64; 2] =
        told.split(' ').map(|ms| ms.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap();
    // The command is not optimised here, and the machine may be busy.
    let most = if cfg!(debug_assertions) { 1_000 } else { 100 };
    assert!(at_once < most && twice >= 300 && twice < 300 + most, "{told}");
    peer.tell("end");
}
