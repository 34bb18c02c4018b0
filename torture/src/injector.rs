//! Makes one system call of a process fail, as when the kernel is out of memory, descriptors or
//! locks.
//!
//! [`run`] forks a process and traces it. It counts the calls that the process makes within
//! [`watched`]. The calls with the given numbers are not made, and their callers get an error.
//! Calls whose failure no program could answer are left alone: see [`failures`].

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, alarm, fork};

/// A system call as it was entered.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// One call that fails.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which of the watched calls, from 0.
    pub at: usize,
    /// The system call that it must be.
    pub number: i64,
    /// The error that its caller gets.
    pub errno: Errno,
}

/// What a traced process did.
#[derive(Debug)]
pub struct Trace {
    /// The watched calls, in order.
    pub calls: Vec<Call>,
    /// How many of the faults happened: none if the calls came in another order.
    pub failed: usize,
    /// How the process ended.
    pub status: WaitStatus,
    /// What its part returned, or the message of its panic.
    pub said: String,
}

/// In the traced process: runs what is to be watched. After 2 s, SIGALRM ends it.
pub fn watched<T>(act: impl FnOnce() -> T) -> T {
    alarm::set(2);
    mark();
    let done = act();
    mark();
    alarm::cancel();
    done
}

/// A system call that no library makes by itself.
const MARK: i64 = libc::SYS_getppid;

fn mark() {
    // SAFETY: getppid has no preconditions and no effect.
    unsafe { libc::syscall(MARK) };
}

/// Runs `part` in a traced process, with `faults` in what is watched. The process runs no
/// destructors at its end.
///
/// # Errors
/// If it cannot be traced.
pub fn run(faults: &[Fault], part: impl FnOnce() -> String) -> std::io::Result<Trace> {
    let (mut here, mut there) = std::io::pipe()?;
    // SAFETY: the child runs `part` and _exit alone; the locks that it needs (malloc's, which glibc
    // keeps usable in a forked child) are free.
    let child = match unsafe { fork() }? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let ran = ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP)).is_ok();
            let said = catch_unwind(AssertUnwindSafe(part)).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default()
            });
            let ended = i32::from(!ran || said.is_err());
            let _ = there.write_all(said.unwrap_or_else(|panic| panic).as_bytes());
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(ended) }
        }
    };
    drop(there);
    let (calls, failed, status) = trace(child, faults)?;
    let mut said = String::new();
    here.read_to_string(&mut said)?;
    Ok(Trace { calls, failed, status, said })
}

fn trace(child: Pid, faults: &[Fault]) -> nix::Result<(Vec<Call>, usize, WaitStatus)> {
    let (mut calls, mut failed) = (Vec::new(), 0);
    let (mut watching, mut entering) = (false, true);
    let (mut failing, mut signal) = (None, None);
    if let ended @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) = waitpid(child, None)? {
        return Ok((calls, failed, ended));
    }
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD | ptrace::Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(child, options)?;
    loop {
        ptrace::syscall(child, signal.take())?;
        match waitpid(child, None)? {
            WaitStatus::PtraceSyscall(_) if entering => {
                entering = false;
                let mut registers = ptrace::getregs(child)?;
                let number = registers.orig_rax.cast_signed();
                if number == MARK {
                    watching = !watching;
                } else if watching {
                    let is_it = |f: &&Fault| (f.at, f.number) == (calls.len(), number);
                    if let Some(fault) = faults.iter().find(is_it) {
                        failed += 1;
                        // With an invalid number the kernel does nothing.
                        registers.orig_rax = u64::MAX;
                        ptrace::setregs(child, registers)?;
                        failing = Some(fault.errno);
                    }
                    let r = registers;
                    let arguments = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9];
                    calls.push(Call { number, arguments });
                }
            }
            WaitStatus::PtraceSyscall(_) => {
                entering = true;
                if let Some(errno) = failing.take() {
                    let mut registers = ptrace::getregs(child)?;
                    registers.rax = i64::from(-(errno as i32)).cast_unsigned();
                    ptrace::setregs(child, registers)?;
                }
            }
            WaitStatus::Stopped(_, stopped_by) => signal = Some(stopped_by),
            ended @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                return Ok((calls, failed, ended));
            }
            _ => {}
        }
    }
}

/// The name of a call, and the errors that it is made to return. There are no errors for calls
/// whose failure nobody could answer: those that release something (close, munmap, unlocking at the
/// process's end), and the allocator's, since Rust programs end when an allocation fails. Returns
/// `None` for an unknown call.
pub fn failures(call: &Call) -> Option<(&'static str, &'static [Errno])> {
    use Errno::*;
    let [_, second, third, fourth, fifth, _] = call.arguments;
    let creates = |flags: u64| {
        // A part of O_TMPFILE is O_DIRECTORY, by which folders are read.
        let has = |flag: i32| flags as i32 & flag == flag;
        has(libc::O_CREAT) || has(libc::O_TMPFILE)
    };
    Some(match call.number {
        libc::SYS_openat if creates(third) => {
            ("openat (creating)", &[EMFILE, ENFILE, ENOMEM, EACCES, EINTR, ENOSPC, EOPNOTSUPP])
        }
        libc::SYS_openat => ("openat", &[EMFILE, ENFILE, ENOMEM, EACCES, EINTR]),
        libc::SYS_memfd_create => ("memfd_create", &[EMFILE, ENFILE, ENOMEM]),
        libc::SYS_mmap if (fifth as i32) < 0 => ("mmap (the allocator's)", &[]),
        libc::SYS_mmap if fourth as i32 & libc::MAP_SHARED != 0 => {
            ("mmap", &[ENOMEM, EAGAIN, ENFILE])
        }
        libc::SYS_mmap => ("mmap (private)", &[ENOMEM]),
        libc::SYS_fallocate => ("fallocate", &[ENOSPC, EDQUOT, ENOMEM, EINTR, EOPNOTSUPP]),
        libc::SYS_fcntl => match second as i32 {
            libc::F_OFD_SETLK => ("fcntl(F_OFD_SETLK)", &[ENOLCK, ENOMEM, EINTR]),
            libc::F_OFD_GETLK => ("fcntl(F_OFD_GETLK)", &[ENOLCK, ENOMEM]),
            libc::F_DUPFD_CLOEXEC => ("fcntl(F_DUPFD_CLOEXEC)", &[EMFILE, ENOMEM]),
            libc::F_ADD_SEALS => ("fcntl(F_ADD_SEALS)", &[ENOMEM, EPERM]),
            // Debug builds of the standard library check this way whether a descriptor is open.
            libc::F_GETFD => ("fcntl(F_GETFD)", &[]),
            libc::F_GETFL => ("fcntl(F_GETFL)", &[]),
            libc::F_SETFL => ("fcntl(F_SETFL)", &[]),
            _ => return None,
        },
        libc::SYS_fstat | libc::SYS_newfstatat => ("fstat", &[ENOMEM, EACCES]),
        libc::SYS_statx => ("statx", &[ENOMEM, EACCES]),
        libc::SYS_fstatfs => ("fstatfs", &[ENOMEM, EINTR]),
        libc::SYS_fchmod => ("fchmod", &[ENOMEM, EPERM]),
        libc::SYS_ftruncate => ("ftruncate", &[ENOMEM, EINTR]),
        libc::SYS_read => ("read", &[ENOMEM, EINTR, EIO]),
        libc::SYS_pread64 => ("pread64", &[ENOMEM, EINTR, EIO]),
        libc::SYS_pwrite64 => ("pwrite64", &[ENOMEM, EINTR, EIO, ENOSPC]),
        libc::SYS_fsync => ("fsync", &[EIO, ENOSPC, EINTR, EINVAL]),
        libc::SYS_linkat => ("linkat", &[ENOMEM, EACCES, ENOSPC, EPERM]),
        libc::SYS_unlink => ("unlink", &[ENOMEM, EACCES, EBUSY]),
        libc::SYS_getdents64 => ("getdents64", &[ENOMEM]),
        libc::SYS_prlimit64 => ("prlimit64", &[EPERM]),
        libc::SYS_getrandom => ("getrandom", &[EINTR]),
        libc::SYS_clock_nanosleep => ("clock_nanosleep", &[EINTR]),
        libc::SYS_madvise => ("madvise", &[ENOMEM, EINVAL, EAGAIN]),
        libc::SYS_close => ("close", &[]),
        libc::SYS_munmap => ("munmap", &[]),
        libc::SYS_brk => ("brk", &[]),
        libc::SYS_futex => ("futex", &[]),
        libc::SYS_sched_yield => ("sched_yield", &[]),
        libc::SYS_lseek => ("lseek", &[]),
        libc::SYS_getpid => ("getpid", &[]),
        libc::SYS_dup => ("dup", &[]),
        _ => return None,
    })
}
