//! Each subcommand next to a program in Rust, in C and in Python, all three of which put the same
//! clouds and labels: they are shown alike. languages/session.txt has what is shown.
//!
//! `UPDATE_SESSION=1 cargo test -p io-shared-cli --test languages` writes that file: read the
//! difference. The names have slashes, and each program has a domain of its own, where the command
//! looks by `--domain`. It needs a C compiler, and what ci/python.sh --prepare installs.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod common;
#[path = "languages/programs.rs"]
mod programs;
#[path = "common/screen.rs"]
mod screen;
#[path = "languages/shown.rs"]
mod shown;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{on_a_terminal, run};
use programs::{Domain, IMAGE, LABELS, Language, Program};
use shown::{Figures, settled};

/// While a producer and a consumer are there. `IMAGE` and `LABELS` stand for the channels, `PNG`
/// for a file; what is marked by `@` runs on a terminal.
const LIVE: &[&str] = &[
    "list",
    "ls IMAGE LABELS",
    "list --json",
    "list --holders IMAGE",
    "@list",
    "top IMAGE LABELS",
    "@top IMAGE LABELS",
    "info IMAGE",
    "@show IMAGE",
    "info IMAGE --json",
    "info IMAGE --schema rust",
    "info IMAGE --schema c",
    "info IMAGE --schema cpp",
    "info IMAGE --schema numpy",
    "info IMAGE --schema ros2msg",
    "info IMAGE --schema json",
    "echo IMAGE --once",
    "@echo IMAGE --once --field frame",
    "cat IMAGE --once --csv",
    "echo IMAGE --once --json",
    "echo IMAGE --once --field points.0:2.x",
    "echo IMAGE --once --no-arr",
    "echo IMAGE -n 1 --truncate 1 --field points",
    "echo LABELS --once",
    "wait IMAGE --max-age 1h",
    "wait IMAGE --json",
    "snapshot IMAGE -o PNG --size 101",
    "picture IMAGE -o PNG --size 101 --labels LABELS",
    "snapshot IMAGE -o PNG --size 101 --json",
    "doctor IMAGE",
    "check LABELS --json",
    "put IMAGE {}",
    r#"put IMAGE {"frame":7,"stamp_ns":8,"points":[]}"#,
    "rm IMAGE",
    "clean --older 0s",
    "@clean --older 0s",
];

/// When both have ended.
const LEFT: &[&str] = &[
    "list",
    "list --holders IMAGE",
    "info IMAGE",
    "doctor IMAGE",
    "echo LABELS --once --json",
    "wait IMAGE --max-age 1us --timeout 10ms",
    "put IMAGE [1]",
    r#"put IMAGE {"frame":7,"stamp_ns":8} --tag 9"#,
    r#"put IMAGE {"frame":7,"stamp_ns":8,"points":[{"x":1,"y":2,"z":3,"intensity":0.5}]} --tag 9"#,
    r#"pub LABELS [1,2,3] --json"#,
    "echo IMAGE --once",
];

/// While values come, 10 each second by their stamps.
const FLOWING: &[(&str, Figures)] = &[
    ("hz IMAGE -n 1", Figures::Rounded),
    ("rate LABELS -n 1 --json", Figures::Rounded),
    ("bw IMAGE -n 1", Figures::Exact),
    ("bandwidth LABELS -n 1 --json", Figures::Rounded),
    ("delay IMAGE LABELS -n 1", Figures::Rounded),
    ("latency IMAGE LABELS -n 1 --json", Figures::Rounded),
    ("delay IMAGE --field stamp_ns --clock monotonic -n 1", Figures::Any),
];

/// In the end.
const REMOVED: &[&str] = &[
    "clean",
    "clean --older 0s",
    "@clean --older 0s",
    "rm LABELS --json",
    "remove LABELS",
    "clean --older 0s --yes --json",
    "list",
    "info IMAGE",
    "echo IMAGE --timeout 10ms",
    "hz IMAGE -n 1 --timeout 10ms",
];

/// What one program and the command say.
struct Session<'a> {
    domain: &'a Domain,
    png: String,
    facts: Vec<(String, &'static str)>,
    said: String,
}

impl Session<'_> {
    fn play(&mut self, lines: &[&str]) {
        lines.iter().for_each(|line| self.play_one(line, Figures::Exact));
    }

    fn play_one(&mut self, line: &str, figures: Figures) {
        let is_on_terminal = line.starts_with('@');
        let words = line.trim_start_matches('@').split(' ').map(|word| match word {
            "IMAGE" => IMAGE,
            "LABELS" => LABELS,
            "PNG" => &*self.png,
            word => word,
        });
        let arguments: Vec<&str> = words.chain(["--domain", self.domain.name()]).collect();
        let (out, err, code) = if is_on_terminal {
            let keys = if arguments[0] == "top" { "q" } else { "" };
            let shown = on_a_terminal(&arguments, &[("NO_COLOR", "1")], keys);
            let is_screen = shown.contains("\u{1b}[?1049h");
            (if is_screen { screen::screen(&shown).join("\n") + "\n" } else { shown }, None, 0)
        } else {
            let done = run(&arguments);
            (done.out, Some(done.err), done.code)
        };
        let mut text = settled(&out, &self.facts, figures);
        text += &settled(&err.unwrap_or_default(), &self.facts, figures);
        let place = if is_on_terminal { " (on a terminal)" } else { "" };
        let code = if code == 0 { String::new() } else { format!("[exit code {code}]\n") };
        let line = line.trim_start_matches('@');
        write!(self.said, "$ io-shared {line}{place}\n{text}{code}").unwrap();
    }

    /// Notes who is who.
    fn note(&mut self, producer: &Program, viewer: &Program) {
        let (pid, command) = (producer.pid(), producer.command());
        let (its_pid, its_command) = (viewer.pid(), viewer.command());
        self.facts = vec![
            (self.png.clone(), "PNG"),
            (self.domain.name().to_owned(), "DOMAIN"),
            (format!("{command} ({pid})"), "PROGRAM (1)"),
            (format!("\t{pid}\t{command}"), "\t1\tPROGRAM"),
            (format!("viewer ({its_pid}), {its_command}"), "viewer (2), VIEWER"),
            (format!("viewer ({its_pid})"), "viewer (2)"),
            (format!("\t{its_pid}\t{its_command}"), "\t2\tVIEWER"),
            (format!("{pid}"), "1"),
            (command, "PROGRAM"),
        ];
    }
}

fn now() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    Duration::from(now).as_nanos() as u64
}

/// Puts a value every 100 ms by its stamps, and by the clock where the machine is fast enough.
fn flow(mut producer: Program, done: &AtomicBool) {
    let started = now();
    for number in 0.. {
        let stamp = started + 100_000_000 * number;
        std::thread::sleep(Duration::from_nanos(stamp.saturating_sub(now())));
        producer.put(100 + number, stamp);
        if done.load(Ordering::Relaxed) {
            return producer.end();
        }
    }
}

/// All subcommands next to the program in one language.
fn session(language: &Language, folder: &Path) -> String {
    let domain = Domain::new(language.name);
    let png = folder.join(format!("{}.png", language.name)).to_str().unwrap().to_owned();
    let mut session = Session { domain: &domain, png, facts: Vec::new(), said: String::new() };
    let start = || {
        let mut producer = language.start("put", &domain);
        assert_eq!(producer.says(), "there");
        producer
    };
    let mut producer = start();
    // One value in 100 s: this rate is known for as long as the test takes.
    // And a second ago, so that the stamps of its labels are past too.
    let started = now() - 1_000_000_000;
    producer.put(41, started - 100_000_000_000);
    producer.put(42, started);
    let mut viewer = Language::rust().start("view", &domain);
    assert_eq!(viewer.says(), "got 42");
    session.note(&producer, &viewer);
    session.play(LIVE);
    producer.end();
    viewer.end();
    session.play(LEFT);
    let mut consumer = language.start("get", &domain);
    writeln!(session.said, "(a consumer) {}", consumer.says()).unwrap();
    consumer.end();
    let (producer, done) = (start(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| flow(producer, &done));
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            session.play_one("wait IMAGE --max-age 5s --timeout 60s", Figures::Exact);
            FLOWING.iter().for_each(|(line, figures)| session.play_one(line, *figures));
        }));
        done.store(true, Ordering::Relaxed);
        played.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    session.play(REMOVED);
    assert_eq!(domain.files(), Vec::<String>::new());
    session.said
}

#[test]
fn rust() {
    programs::rust();
}

#[test]
fn every_subcommand_shows_programs_in_rust_c_and_python_alike() {
    let folder = tempfile::tempdir().unwrap();
    test_support::set_patience();
    let library = programs::c_library();
    let languages =
        [Language::rust(), Language::c(folder.path(), &library), Language::python(&library)];
    let sessions: Vec<String> = std::thread::scope(|scope| {
        let folder = folder.path();
        let start = |language| scope.spawn(move || session(language, folder));
        let started: Vec<_> = languages.iter().map(start).collect();
        started.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages/session.txt");
    if std::env::var_os("UPDATE_SESSION").is_some() {
        std::fs::write(&file, &sessions[0]).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    for (language, session) in languages.iter().zip(&sessions) {
        let (mut expected, mut found) = (expected.lines(), session.lines());
        loop {
            let (expected, found) = (expected.next(), found.next());
            assert_eq!(found, expected, "{}:\n{session}", language.name);
            if found.is_none() {
                break;
            }
        }
    }
}
