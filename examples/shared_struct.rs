//! A struct that programs share by name or by file: one changes it, and the others see it.
//!
//! `cargo run --example shared_struct` starts two processes on one file, ends them, and lets a
//! third read what they left. Then it does the same in shared memory, where the struct stays until
//! it is removed. Any C program can share it as `struct foo { int bar; int baz; };`.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use io_shared::{Message, UnsafeSharedMmap};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Debug, Clone, Copy, Message)]
#[repr(C)]
struct Foo {
    bar: i32,
    baz: i32,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => tell_the_story(),
        ["session", "file", path] => session(UnsafeSharedMmap::file(path).open()?),
        ["session", "shm", name] => session(UnsafeSharedMmap::named(name).open()?),
        _ => Err("usage: shared_struct".into()),
    }
}

/// One program that has mapped the struct. It shows or sets the struct on command.
fn session(mut shared: UnsafeSharedMmap) -> Result<()> {
    for line in std::io::stdin().lines() {
        if let Some(bar) = line?.strip_prefix("bar = ") {
            let now: Foo = shared.load()?;
            shared.store(&Foo { bar: bar.parse()?, ..now })?;
        }
        println!("{:?}", shared.load::<Foo>()?);
    }
    Ok(())
}

fn tell_the_story() -> Result<()> {
    let path = std::env::temp_dir().join(format!("suchfoo-{}", std::process::id()));
    let in_file = path.to_str().ok_or("a path that is not UTF-8")?;
    println!("by file:");
    // The file must be as large as the struct; an empty file would be an error, not a bus error.
    std::fs::write(&path, Foo { bar: 42, baz: 98 }.as_bytes())?;
    let told = share("file", in_file);
    std::fs::remove_file(&path)?;
    told?;

    let name = format!("/such_foo-{}", std::process::id());
    println!("by shared memory:");
    let mut created = UnsafeSharedMmap::named(&name).size(size_of::<Foo>() as u64).open()?;
    created.store(&Foo { bar: 42, baz: 98 })?;
    drop(created);
    let told = share("shm", &name);
    UnsafeSharedMmap::remove(&name)?;
    told
}

/// Runs two sessions at once, and a third when both have ended.
fn share(backing: &str, place: &str) -> Result<()> {
    let mut first = Session::start("first", backing, place)?;
    let mut second = Session::start("second", backing, place)?;
    first.say("show")?;
    second.say("show")?;
    second.say("bar = 31337")?;
    first.say("show")?;
    first.end()?;
    second.end()?;
    let mut third = Session::start("third", backing, place)?;
    third.say("show")?;
    third.end()
}

struct Session {
    who: &'static str,
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Session {
    fn start(who: &'static str, backing: &str, place: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["session", backing, place])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        Ok(Self { who, process, answers })
    }

    fn say(&mut self, what: &str) -> Result<()> {
        let stdin = self.process.stdin.as_mut().ok_or("no pipe")?;
        writeln!(stdin, "{what}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        println!("  {:6} {what:11} -> {}", self.who, answer.trim_end());
        Ok(())
    }

    /// Ends the session by closing its input.
    fn end(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        if self.process.wait()?.success() { Ok(()) } else { Err("a session failed".into()) }
    }
}
