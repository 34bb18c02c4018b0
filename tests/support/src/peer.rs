//! Another process: the running test binary again, which plays one of its ignored tests as a role.
//!
//! The test and its peer speak in lines over the peer's standard input and output.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::eventually;

/// A running peer. Dropping it kills the process.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

const ARGUMENTS: &str = "IO_SHARED_TEST_PEER";
const MARK: &str = ">> ";

impl Peer {
    /// Starts the ignored test `role` in a process of its own.
    pub fn start(role: &str, arguments: &[&str]) -> Self {
        Self::start_on(role, arguments, Stdio::piped())
    }

    /// As [`start`](Self::start), with `stdin` as the standard input.
    pub fn start_on(role: &str, arguments: &[&str], stdin: Stdio) -> Self {
        let program = std::env::current_exe().expect("a test has a path");
        Self::spawn(Command::new(program), role, arguments, stdin)
    }

    /// As [`start`](Self::start), of the same test in another program, built differently.
    pub fn start_of(program: &Path, role: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program), role, arguments, Stdio::piped())
    }

    /// As [`start`](Self::start), through another program that executes the test.
    pub fn start_under(prefix: &[&str], role: &str, arguments: &[&str]) -> Self {
        let [program, rest @ ..] = prefix else { panic!("a program") };
        let mut command = Command::new(program);
        command.args(rest).arg(std::env::current_exe().expect("a test has a path"));
        Self::spawn(command, role, arguments, Stdio::piped())
    }

    fn spawn(mut command: Command, role: &str, arguments: &[&str], stdin: Stdio) -> Self {
        let mut child = command
            .args(["--exact", role, "--nocapture", "--test-threads=1"])
            .env(ARGUMENTS, arguments.join("\n"))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a test runs");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, lines }
    }

    /// The next line that the peer tells.
    #[track_caller]
    pub fn hear(&mut self) -> String {
        loop {
            let line = self.lines.next().expect("the peer still speaks").expect("it is text");
            if let Some((_, told)) = line.split_once(MARK) {
                return told.to_owned();
            }
        }
    }

    /// Asserts that the peer tells `told` next.
    #[track_caller]
    pub fn expect(&mut self, told: &str) {
        assert_eq!(self.hear(), told);
    }

    /// Tells the peer a line.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{line}").expect("the peer listens");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Sends the peer a signal.
    pub fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Sends SIGSTOP and waits until all threads of the peer stand still, which takes a while.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG;
        eventually("the peer stands still", || {
            matches!(waitpid(self.pid(), Some(flags)), Ok(WaitStatus::Stopped(..)))
        });
    }

    /// The process's pid.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("the peer is ours");
        self.child.wait().expect("the peer is ours");
    }

    /// Closes the peer's standard input, waits for its end, and asserts that it succeeded.
    #[track_caller]
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        for _ in self.lines.by_ref() {}
        assert!(self.child.wait().expect("the peer is ours").success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a program a signal.
pub fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).expect("the program is ours");
}

/// In a peer: the arguments it was started with. `None` if somebody runs the ignored tests.
pub fn arguments() -> Option<Vec<String>> {
    let arguments = std::env::var(ARGUMENTS).ok()?;
    Some(arguments.split('\n').map(str::to_owned).collect())
}

/// In a peer: tells the test something.
pub fn tell(line: &str) {
    println!("{MARK}{line}");
}

/// In a peer: waits for the test to tell something.
pub fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("stdin is a pipe");
    line.trim_end().to_owned()
}
