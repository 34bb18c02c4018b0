//! Commands that must end with a clear line, whatever lies in shared memory.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::common::{Done, run};

/// Every subcommand that looks at a channel, with `NAME` where the channel's name belongs.
pub(crate) const COMMANDS: &[&str] = &[
    "list NAME",
    "list --holders NAME",
    "info NAME",
    "info NAME --json",
    "info NAME --schema rust",
    "info NAME --schema c",
    "info NAME --schema cpp",
    "info NAME --schema numpy",
    "info NAME --schema ros2msg",
    "info NAME --schema json",
    "echo NAME --once --timeout 50ms",
    "echo NAME --once --timeout 50ms --csv --truncate 3",
    "echo NAME --once --timeout 50ms --json --no-arr",
    "echo NAME --once --timeout 50ms --field x",
    "hz NAME -n 1 --timeout 50ms",
    "bw NAME -n 1 --timeout 50ms",
    "delay NAME NAME -n 1 --timeout 50ms",
    "delay NAME --field x -n 1 --timeout 50ms",
    "wait NAME --timeout 50ms",
    "snapshot NAME -o /dev/null --timeout 50ms",
    "snapshot NAME -o /dev/null --labels NAME --timeout 50ms",
    "put NAME 1",
    "put NAME {}",
    "doctor NAME",
    "rm NAME",
    "rm --force NAME",
];

/// Runs a command that must end in time, with a line that says why where it failed.
pub(crate) fn ends(command: &str, name: &str) -> Done {
    let arguments: Vec<&str> =
        command.split(' ').map(|word| if word == "NAME" { name } else { word }).collect();
    let started = Instant::now();
    let done = run(&arguments);
    let shown = |text: &str| text.chars().take(300).collect::<String>();
    let (out, err) = (shown(&done.out), shown(&done.err));
    assert!((0..=4).contains(&done.code), "{command} {name}: {} {out} {err}", done.code);
    let says = done.out.starts_with("problem") || done.err.starts_with("error: ");
    assert!(done.code == 0 || says, "{command}: {out} {err}");
    assert!(!done.err.contains("panicked"), "{command}: {err}");
    assert!(started.elapsed() < Duration::from_secs(20), "{command}: {:?}", started.elapsed());
    assert!(done.out.len() < 20 << 20, "{command}: {} bytes", done.out.len());
    let moves_cursor = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!done.out.contains(moves_cursor), "{command}: {out:?}");
    assert!(!done.err.contains(moves_cursor), "{command}: {err:?}");
    if command.contains("--json") {
        let is_object =
            |line: &str| serde_json::from_str::<Json>(line).is_ok_and(|o| o.is_object());
        assert!(done.out.lines().all(is_object), "{command}: {out}");
    }
    done
}
