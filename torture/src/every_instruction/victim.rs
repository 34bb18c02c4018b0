//! A traced process: `torture-victim`, which stops at a mark before its act and at one after it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI32, AtomicU64};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::actor::HANG;

/// How long a victim has to fall asleep before it is woken.
const ASLEEP: Duration = Duration::from_millis(10);

/// Kills a victim that has run for 2 s without a stop, so that nobody waits for it for ever.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// The process that the tracer waits for; 0: none.
    awaited: AtomicI32,
    waits: AtomicU64,
}

impl Watchdog {
    pub(super) fn start() -> Arc<Self> {
        let watchdog = Arc::new(Self::default());
        let watched = Arc::downgrade(&watchdog);
        std::thread::spawn(move || {
            let mut since = (0, 0, Instant::now());
            while let Some(watchdog) = watched.upgrade() {
                let now = (watchdog.awaited.load(Relaxed), watchdog.waits.load(Relaxed));
                if now != (since.0, since.1) {
                    since = (now.0, now.1, Instant::now());
                } else if now.0 != 0 && since.2.elapsed() > HANG {
                    let _ = kill(Pid::from_raw(now.0), Signal::SIGKILL);
                }
                drop(watchdog);
                std::thread::sleep(HANG / 10);
            }
        });
        watchdog
    }

    fn wait(&self, pid: Pid) -> Result<WaitStatus, Errno> {
        self.awaited.store(pid.as_raw(), Relaxed);
        let status = waitpid(pid, None);
        self.awaited.store(0, Relaxed);
        self.waits.fetch_add(1, Relaxed);
        status
    }
}

/// What a victim is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Instruction,
    Call,
    /// A system call in which it sleeps until somebody wakes it.
    Sleep,
    /// A system call that may wake somebody.
    Wake,
    /// The mark after its act.
    Mark,
}

/// The process. Dropping this kills it.
#[derive(Debug)]
pub(super) struct Victim {
    pid: Pid,
    /// It gives up its roles when its standard input ends.
    _stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    watchdog: Arc<Watchdog>,
    ended: bool,
}

impl Victim {
    /// Starts a victim and takes it to the mark before its act.
    pub(super) fn start(
        program: &Path,
        act: &str,
        name: &str,
        watchdog: &Arc<Watchdog>,
    ) -> Result<Self, String> {
        let mut child: Child = Command::new(program)
            .args([act, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut victim = Self {
            pid: Pid::from_raw(child.id() as i32),
            _stdin: child.stdin.take(),
            stdout: child.stdout.take().map(BufReader::new),
            watchdog: Arc::clone(watchdog),
            ended: false,
        };
        match victim.wait()? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                let options = Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACESYSGOOD;
                ptrace::setoptions(victim.pid, options).map_err(traced)?;
                Ok(victim)
            }
            status => Err(format!("`{act}` does not begin: {status:?}: {}", victim.line())),
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// What comes next, and at which address. The victim stands at an instruction boundary.
    pub(super) fn next(&self) -> Result<(Next, u64), String> {
        let registers = ptrace::getregs(self.pid).map_err(traced)?;
        let code = ptrace::read(self.pid, registers.rip as ptrace::AddressType).map_err(traced)?;
        let next = match code.to_le_bytes() {
            [0x0f, 0x05, ..] => call(registers.rax, registers.rsi),
            _ => Next::Instruction,
        };
        Ok((next, registers.rip))
    }

    /// The result of the system call that has just been passed.
    pub(super) fn returned(&self) -> Result<i64, String> {
        ptrace::getregs(self.pid).map(|registers| registers.rax as i64).map_err(traced)
    }

    /// Makes one instruction or one system call. Calls `wake` when the victim sleeps in it.
    pub(super) fn step(&mut self, next: Next, wake: &mut dyn FnMut()) -> Result<(), String> {
        ptrace::step(self.pid, None).map_err(traced)?;
        if next == Next::Sleep {
            std::thread::sleep(ASLEEP);
            wake();
        }
        match self.wait()? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(()),
            status => Err(self.unexpected(status)),
        }
    }

    /// Runs to the entry of the next system call, which is not made yet, and returns its address.
    pub(super) fn enter_call(&mut self) -> Result<(Next, u64), String> {
        self.pass_call_stop(Next::Instruction, &mut || ())?;
        let registers = ptrace::getregs(self.pid).map_err(traced)?;
        // Two bytes less, because the instruction counts as passed here.
        Ok((call(registers.orig_rax, registers.rsi), registers.rip.wrapping_sub(2)))
    }

    /// Goes through the system call at whose entry it stands.
    pub(super) fn leave_call(&mut self, next: Next, wake: &mut dyn FnMut()) -> Result<(), String> {
        self.pass_call_stop(next, wake)
    }

    fn pass_call_stop(&mut self, next: Next, wake: &mut dyn FnMut()) -> Result<(), String> {
        ptrace::syscall(self.pid, None).map_err(traced)?;
        if next == Next::Sleep {
            std::thread::sleep(ASLEEP);
            wake();
        }
        match self.wait()? {
            WaitStatus::PtraceSyscall(_) => Ok(()),
            status => Err(self.unexpected(status)),
        }
    }

    /// Lets it do its act without a stop and returns the outcome. It keeps its roles until it is
    /// killed.
    pub(super) fn act(&mut self) -> Result<String, String> {
        ptrace::cont(self.pid, None).map_err(traced)?;
        match self.wait()? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            status => return Err(self.unexpected(status)),
        }
        ptrace::detach(self.pid, None).map_err(traced)?;
        Ok(self.line())
    }

    /// Lets it run until it sleeps or waits for something else.
    pub(super) fn let_run(&mut self) -> Result<(), String> {
        ptrace::cont(self.pid, None).map_err(traced)
    }

    /// The file of an address and the offset in it, as `addr2line -e` takes them.
    pub(super) fn place_of(&self, address: u64) -> String {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
        // The kernel lists mappings in order, so a file's first mapping is its start.
        let mut begins = ("", 0);
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let range = fields.next().and_then(|range| range.split_once('-'));
            let path = fields.nth(4).unwrap_or_default();
            let number = |text| u64::from_str_radix(text, 16).unwrap_or_default();
            let Some((from, to)) = range.map(|(from, to)| (number(from), number(to))) else {
                continue;
            };
            if path != begins.0 {
                begins = (path, from);
            }
            if (from..to).contains(&address) {
                let file = path.rsplit('/').next().unwrap_or_default();
                return format!("{file}+{:#x}", address - begins.1);
            }
        }
        format!("{address:#x}")
    }

    /// Sends it SIGKILL. When this returns, its claims are free.
    pub(super) fn kill(mut self) -> Result<(), String> {
        self.end()
    }

    fn end(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        kill(self.pid, Signal::SIGKILL).map_err(|errno| format!("kill: {errno}"))?;
        loop {
            match self.watchdog.wait(self.pid) {
                Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)) => return Ok(()),
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_) => {
                    return Err("it ended by itself".into());
                }
                Ok(_) => {} // a stop that was already under way
            }
        }
    }

    fn wait(&mut self) -> Result<WaitStatus, String> {
        let status = self.watchdog.wait(self.pid).map_err(|errno| format!("waitpid: {errno}"))?;
        if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
            self.ended = true;
        }
        Ok(status)
    }

    fn unexpected(&mut self, status: WaitStatus) -> String {
        match status {
            WaitStatus::Signaled(_, Signal::SIGKILL, _) => "it hangs for 2 s".into(),
            WaitStatus::Exited(..) => format!("it ended: {}", self.line()),
            status => format!("it stopped by {status:?}"),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.stdout.as_mut().map(|stdout| stdout.read_line(&mut line));
        line.trim_end().to_owned()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn call(number: u64, second: u64) -> Next {
    const COMMAND: i32 = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    match (number as i64, second as i32 & COMMAND) {
        (libc::SYS_kill, _) => Next::Mark,
        (libc::SYS_futex, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET) => Next::Sleep,
        (libc::SYS_futex_waitv, _) => Next::Sleep,
        (libc::SYS_futex, libc::FUTEX_WAKE) => Next::Wake,
        _ => Next::Call,
    }
}

fn traced(errno: Errno) -> String {
    format!("ptrace: {errno}")
}
