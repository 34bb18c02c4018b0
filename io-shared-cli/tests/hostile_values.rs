//! Schemas, values and objects that no io-shared program writes: each subcommand ends with a clear
//! line, takes no memory that is not there, and sends nothing to a terminal that moves its cursor.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

#[path = "common/attempts.rs"]
mod attempts;
mod common;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use attempts::{COMMANDS, ends};
use common::{on_a_terminal, printed};
use io_shared::{Array, Channel, Message as _};
use test_support::TestName;
use test_support::hostile::{Hostile, write_word};
use test_support::peer::{self, Peer};

/// Tries every command on what `write` makes. It is removed with the name.
fn try_all(what: &str, write: impl Fn(&Path)) {
    let name = TestName::new(what);
    for command in COMMANDS {
        write(&name.path());
        ends(command, &name);
    }
    write(&name.path());
    for command in ["list", "info", "top"] {
        let shown = on_a_terminal(&[command, &name], &[("NO_COLOR", "1")], "q");
        assert!(!shown.contains("panicked"), "{what}: {shown}");
        for sequence in ["\u{1b}]", "\u{7}", "\u{202e}", "\u{9b}", "\u{1b}[2Jevil", "\nevil"] {
            assert!(!shown.contains(sequence), "{what}: {shown:?}");
        }
    }
}

#[test]
fn a_schema_that_is_none_is_a_damaged_region_to_every_subcommand() {
    let deep = format!("{}\"|u1\"{}", r#"{"array":1,"of":"#.repeat(40_000), "}".repeat(40_000));
    let nested = format!("{}\"|u1\"{}", r#"{"array":1,"of":"#.repeat(100), "}".repeat(100));
    let texts: [&[u8]; 8] = [
        b"",
        b"\xff\xfe",
        b"{\"struct\":\"\xc3\x28\"}",
        b"null",
        b"[[[[[[[[",
        br#"{"array":18446744073709551615,"of":"<u8"}"#,
        nested.as_bytes(),
        deep.as_bytes(),
    ];
    for text in texts {
        let mut region = Hostile::new(r#"{"slice":"|u1"}"#, 100);
        region.text = text.to_vec();
        try_all("schema", |path| region.put(&region.write(path), 1, 1, 3, b"abc"));
        let name = TestName::new("schema-told");
        region.write(&name.path());
        assert!(ends("list NAME", &name).out.contains("\tdamaged\t"));
        let told = ends("info NAME", &name).out;
        assert!(told.contains("it is damaged: its schema "), "{told}");
    }
}

#[test]
fn names_in_a_schema_move_no_cursor_wherever_they_are_shown() {
    let evil = r"\u001b]0;evil\u0007\u001b[2J\nevil\u202e";
    for name in ["a", evil] {
        let schema = format!(
            r#"{{"struct":"{name}","doc":"{evil}","size":8,"align":4,"fields":[
            {{"name":"{name}","offset":0,"type":"|S4","unit":"{evil}","doc":"{evil}"}},
            {{"name":"mode","offset":4,"type":{{"enum":"{name}","of":"<u4","doc":"{evil}",
            "variants":[{{"name":"{name}","value":0}},{{"name":"b","value":7}}]}}}}]}}"#
        );
        // Such a name is refused, and told by what refuses it.
        let is_sound = io_shared::Schema::from_json(&schema).is_ok();
        let of = if is_sound { &*schema } else { r#""|u1""# };
        let mut region = Hostile::new(of, 8);
        region.text = if is_sound { region.text } else { schema.into_bytes() };
        try_all("evil", |path| region.put(&region.write(path), 1, 1, 8, b"\x1b[2J\0\0\0\0"));
    }
    // What is in a text is a program's own affair, and so are the names of others.
    let region = Hostile::new(r#""|S20""#, 20);
    try_all("text", |path| {
        region.put(&region.write(path), 1, 1, 20, b"\x1b]0;evil\x07\xff\n\x9b2J")
    });
}

#[test]
fn sizes_near_the_largest_number_are_damage_and_never_an_overflow() {
    let region = Hostile::new(r#"{"slice":"|u1"}"#, 100);
    // Capacity, stride, start of the buffers, and pairs of 32 bits up to the flags.
    for at in (32..=96).step_by(8).filter(|at| *at != 56) {
        for word in [u64::MAX, u64::MAX - 4095, 1 << 63, (1 << 63) - 1, 1 << 52, 0] {
            let name = TestName::new("sizes");
            for command in [
                "list NAME",
                "info NAME",
                "echo NAME --once --timeout 50ms",
                "hz NAME -n 1 --timeout 50ms",
                "snapshot NAME -o /dev/null --timeout 50ms",
                "put NAME [1]",
                "doctor NAME",
                "rm --force NAME",
            ] {
                let file = region.write(&name.path());
                region.put(&file, 1, 1, 3, b"abc");
                write_word(&file, at, word);
                ends(command, &name);
            }
        }
    }
    for buffers in [0, 1, 254, 255, 256, u64::MAX] {
        let mut region = region.clone();
        region.buffers = buffers;
        try_all("buffers", |path| region.put(&region.write(path), 1, 1, 3, b"abc"));
    }
}

/// Words of lists: a list, and an image of three axes.
fn listed(words: [u64; 6]) -> Vec<u8> {
    words.map(u64::to_le_bytes).concat()
}

#[test]
fn lists_with_places_that_cannot_be_are_shown_as_nothing_and_cost_nothing() {
    let schema = r#"{"struct":"Found","size":48,"align":8,"fields":[
        {"name":"boxes","offset":0,"type":{"list":{"array":4,"of":"<f4"},"axes":1}},
        {"name":"image","offset":16,"type":{"list":"|u1","axes":3}},
        {"name":"data","offset":48,"type":"lists"}]}"#;
    let region = Hostile::new(schema, 1000);
    for words in [
        [u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX],
        [48, u64::MAX / 16, 48, 1 << 32, 1 << 32, 1],
        [0, 1, 0, 2, 2, 2],
        [1, 3, 48, u64::MAX, 0, u64::MAX],
        [1 << 63, 1, 999, 1, 1, 1],
        [48, 2, 48, 2, 3, 4],
        [u64::MAX - 15, 1, 0, 0, u64::MAX, u64::MAX],
    ] {
        let content = listed(words);
        try_all("lists", |path| region.put(&region.write(path), 1, 1, 112, &content));
        let name = TestName::new("lists-echoed");
        region.put(&region.write(&name.path()), 1, 1, 112, &content);
        for field in ["boxes", "boxes[0]", "image[0][0]", "image[:1]", "boxes.:.0"] {
            let command = format!("echo NAME --once --timeout 50ms --field {field}");
            let done = ends(&command, &name);
            assert!(done.out.len() < 1 << 16, "{field}: {} bytes", done.out.len());
        }
    }
}

/// A `.npy` file of that header, without its elements.
fn npy(descr: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}

#[test]
fn images_and_clouds_that_say_they_are_huge_are_refused_or_drawn_within_bounds() {
    let region = Hostile::new(&Array::schema().to_json(), 1 << 34);
    for (descr, shape, length) in [
        ("'|u1'", "(4294967296, 4294967296, 3)", 1 << 20),
        ("'|u1'", "(18446744073709551615,)", 1 << 20),
        ("'|V0'", "(1099511627776, 1099511627776)", 0),
        ("'|S0'", "(1099511627776, 3)", 0),
        ("'<f4'", "(1099511627776, 3, 0)", 0),
        ("'|u1'", "(10000, 10000)", 100_000_000),
        ("'<f4'", "(0, 3)", 0),
        (
            "[('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('p', '|V0', (4611686018427387904,))]",
            "(3,)",
            36,
        ),
    ] {
        let content = npy(descr, shape);
        let length = content.len() as u64 + length;
        try_all("array", |path| region.put(&region.write(path), 1, 1, length, &content));
    }
    // 16 GiB of holes, which are more memory than there is, or take seconds to copy.
    let huge = Hostile::new(r#"{"slice":{"array":3,"of":"<f4"}}"#, 12 << 40);
    let name = TestName::new("huge");
    for command in ["echo NAME --once", "snapshot NAME -o /dev/null", "delay NAME --field [0][0]"] {
        huge.put(&huge.write(&name.path()), 1, 1, 12 << 40, &[1; 100]);
        let done = ends(command, &name);
        assert!(
            done.code == 1 && done.err.contains("there is no memory for a copy"),
            "{}",
            done.err
        );
    }
}

#[test]
fn a_region_that_shrinks_grows_and_changes_while_it_is_read_ends_no_command_in_a_crash() {
    let name = TestName::new("shaken");
    let mut producer = Channel::<[[f32; 3]]>::named(&*name).elements(3000).producer().unwrap();
    producer.put(&[[1.0, 2.0, 3.0]; 3000]).unwrap();
    drop(producer);
    let sound = std::fs::read(name.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(5);
            while !done.load(Ordering::Relaxed) {
                // Removed by `rm`, it is written again, also over a name that a `put` has created.
                let mut options = File::options();
                let file = options.create(true).truncate(false).write(true).open(name.path());
                let Ok(file) = file else { continue };
                let _ = file.set_len(random.u64(0..sound.len() as u64));
                let _ = file.set_len(sound.len() as u64);
                let at = random.usize(0..sound.len() - 8);
                let _ = file.write_all_at(&sound, 0);
                let _ = file.write_all_at(&random.u64(..).to_le_bytes(), at as u64);
            }
        });
        let tried = std::panic::catch_unwind(|| {
            // `put` is a producer, which maps the channel: a file that is cut ends it by SIGBUS.
            let read = COMMANDS.iter().filter(|command| !command.starts_with("put"));
            for command in read.cycle().take(150) {
                ends(command, &name);
            }
        });
        done.store(true, Ordering::Relaxed);
        tried.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// In a /dev/shm of its own, full of what is no channel.
#[test]
fn among_others() {
    if peer::arguments().is_none() {
        return;
    }
    let here = |name: &[u8]| Path::new("/dev/shm").join(OsStr::from_bytes(name));
    let producer = io_shared::producer::<u64>("/sound").unwrap();
    let sound = std::fs::read(here(b"sound")).unwrap();
    for name in [
        &b"evil\x1b[2J"[..],
        b"evil\nline",
        b"\xff\xfe",
        b"e\xcc\x81vil\xe2\x80\xae",
        b"a%%b",
        b"%",
        b"%%",
        b"..%..",
        b" ",
        b"-rf",
        &[b'x'; 255],
    ] {
        std::fs::write(here(name), &sound).unwrap();
    }
    std::fs::create_dir(here(b"folder")).unwrap();
    std::os::unix::fs::symlink("/dev/shm/loop", here(b"loop")).unwrap();
    std::os::unix::fs::symlink("/nowhere", here(b"dangling")).unwrap();
    std::os::unix::fs::symlink("/dev/shm/sound", here(b"other-name")).unwrap();
    nix::unistd::mkfifo(&here(b"fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(here(b"socket")).unwrap();
    for command in [
        "list",
        "list --json",
        "list --all",
        "list --all --json",
        "list --holders",
        "doctor",
        "doctor --json",
        "clean --older 0s",
        "clean --older 0s --json",
    ] {
        let done = ends(command, "");
        assert!(done.code == 0 || command.starts_with("doctor"), "{command}: {}", done.err);
        assert!(!done.out.contains('\u{202e}'), "{command}: {}", done.out);
        let has_all = ["folder", "loop", "fifo", "socket", "dangling", "other-name"];
        let has_all = has_all.iter().all(|name| {
            done.out.contains(&format!("/dev/shm/{name}")) || done.out.contains(&format!("/{name}"))
        });
        assert_eq!(has_all, command.contains("--all"), "{command}: {}", done.out);
    }
    for command in ["list", "top", "clean"] {
        let shown = on_a_terminal(&[command], &[("NO_COLOR", "1")], "q");
        assert!(shown.contains("sound") || command == "clean", "{shown}");
        assert!(!shown.contains("\u{1b}[2Jline") && !shown.contains("evil\u{1b}"), "{shown:?}");
    }
    let mut shell = common::command(&["--", "io-shared", "echo", "/"]);
    shell.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_IFS", "\n");
    let offered = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    assert!(offered.contains("/sound") && !offered.contains('\u{1b}'), "{offered}");
    // The copies count as regions that nobody uses, where their names are names.
    printed(&["clean", "--older", "0s", "--yes"]);
    assert!(here(b"sound").exists() && here(b"evil\x1b[2J").exists() && !here(b"-rf").exists());
    assert!(here(b"loop").symlink_metadata().is_ok() && here(b"fifo").exists());
    drop(producer);
    peer::tell("done");
    peer::hear();
}

#[test]
fn what_others_have_in_shared_memory_stops_no_list_and_is_shown_without_its_control_characters() {
    let mount = "mount -t tmpfs tmpfs /dev/shm && exec \"$0\" \"$@\"";
    let prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount];
    let mut peer = Peer::start_under(&prefix, "among_others", &["alone"]);
    peer.expect("done");
    peer.tell("end");
    peer.end();
}
