//! Running the command as a user does.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it")]

pub(crate) mod recording;
pub(crate) mod viewer;

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};

/// Sets it when it is dropped, also where a check has failed: a scope waits for its threads.
pub(crate) struct SetAtEnd<'a>(pub(crate) &'a std::sync::atomic::AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

/// The command with these arguments, to be started.
pub(crate) fn command(arguments: &[&str]) -> Command {
    test_support::set_patience();
    let mut command = Command::new(env!("CARGO_BIN_EXE_io-shared"));
    command.args(arguments).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(arguments: &[&str]) -> Done {
    done(command(arguments).output().unwrap())
}

fn done(output: std::process::Output) -> Done {
    Done {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

/// Runs the command, and returns what it printed; it must succeed.
#[track_caller]
pub(crate) fn printed(arguments: &[&str]) -> String {
    let done = run(arguments);
    assert_eq!((done.code, &*done.err), (0, ""), "{arguments:?}: {}", done.out);
    done.out
}

/// Starts the command with its output in pipes.
pub(crate) fn start(arguments: &[&str]) -> Child {
    command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end of a command that was started.
pub(crate) fn end(child: Child) -> Done {
    done(child.wait_with_output().unwrap())
}

/// Runs the command on a terminal of 160 columns, and returns what stands on it, with the escape
/// sequences. `keys` are typed at the start.
pub(crate) fn on_a_terminal(
    arguments: &[&str],
    environment: &[(&str, &str)],
    keys: &str,
) -> String {
    let size = nix::pty::Winsize { ws_row: 30, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(&size, None).unwrap();
    let (mut master, slave) = (File::from(pty.master), pty.slave);
    let mut command = command(arguments);
    command.envs(environment.iter().copied()).env("TERM", "xterm");
    command.stdin(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap()).stdout(slave);
    let mut child = command.spawn().unwrap();
    drop(command); // its copies of the terminal's other end
    if !keys.is_empty() {
        std::io::Write::write_all(&mut master, keys.as_bytes()).unwrap();
    }
    let mut shown = Vec::new();
    // A terminal whose other end is closed is an error to read.
    let _ = master.read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).replace("\r\n", "\n")
}

/// The program's name as the kernel has it.
pub(crate) fn own_command() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap().trim().to_owned()
}
