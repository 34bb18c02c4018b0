//! Why a command failed, and its exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use io_shared::ErrorKind;

use crate::advice;
use crate::out::{plain, wants_color};

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong: exit code 1.
    Failed(String),
    /// The command line asks for what cannot be: 2.
    Usage(String),
    /// Nothing of that name exists: 3.
    NotFound(String),
    /// The time is over: 4.
    Timeout(String),
    /// Nobody reads the output any more, which is no failure.
    BrokenPipe,
}

impl Failure {
    /// What is wrong.
    pub(crate) fn text(&self) -> &str {
        match self {
            Failure::Failed(text)
            | Failure::Usage(text)
            | Failure::NotFound(text)
            | Failure::Timeout(text) => text,
            Failure::BrokenPipe => "nobody reads the output",
        }
    }

    /// Says what is wrong, and returns the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        let (code, text) = match self {
            Failure::Failed(text) => (1, text),
            Failure::Usage(text) => (2, text),
            Failure::NotFound(text) => (3, text),
            Failure::Timeout(text) => (4, text),
            Failure::BrokenPipe => return ExitCode::SUCCESS,
        };
        let mut stderr = std::io::stderr();
        let word = match stderr.is_terminal() && wants_color() {
            true => "\x1b[1;31merror:\x1b[0m",
            false => "error:",
        };
        // Where the error cannot be written, the code still tells it.
        let lines: Vec<String> = text.lines().map(plain).collect();
        let _ = writeln!(stderr, "{word} {}", lines.join("\n"));
        ExitCode::from(code)
    }
}

impl From<io_shared::Error> for Failure {
    fn from(error: io_shared::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            ErrorKind::NotFound => Failure::NotFound(format!(
                "{text}; `{}` shows what there is",
                advice::command("list")
            )),
            ErrorKind::Timeout { .. } => Failure::Timeout(text),
            ErrorKind::BadName { .. } | ErrorKind::BadSize { .. } => Failure::Usage(text),
            _ => Failure::Failed(text),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::Failed(format!("cannot write the output: {error}")),
        }
    }
}
