//! The victim of `torture every-instruction`: `torture-victim ACT NAME` does one act between two
//! marks, on the channel or lock of that name, traced by the process that started it.
//!
//! The values of an act that begins with `small-` are stored inline; those of an act that begins
//! with `large-` are read ahead. An act that ends in `-late` comes so long after the opening that
//! the handle checks again whether its name still leads to its region.
//!
//! This is a package of its own, so that it has the library as users build it, without crash
//! points. After the second mark it prints the outcome, and keeps its roles until its standard
//! input ends.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::Duration;

use io_shared::binding::{self, CopyTarget};
use io_shared::mmap::{Bytes, BytesMut, LockError, MmapGuard};
use io_shared::{Channel, Consumer, Producer, Result, RwSharedMmap, SharedMmap, wait_any};
use nix::sys::ptrace::traceme;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A value whose words are all its sequence. 8 words are held in their buffer, 4 are stored inline,
/// and 16,384 are the fewest that are read ahead.
type Value<const N: usize> = [u64; N];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [act, name] = &*arguments else {
        return ExitCode::from(2);
    };
    if traceme().is_err() {
        return ExitCode::from(2);
    }
    let (act, delay) = match act.strip_suffix("-late") {
        Some(act) => (act, Duration::from_millis(110)),
        None => (&**act, Duration::ZERO),
    };
    let mark = Mark { this: Pid::this(), delay };
    let outcome = match (act.strip_prefix("small-"), act.strip_prefix("large-")) {
        (Some(act), _) => run::<4>(act, name, mark),
        (_, Some(act)) => run::<16_384>(act, name, mark),
        _ => run::<8>(act, name, mark),
    };
    match outcome {
        Ok(outcome) => {
            println!("{outcome}");
            let _ = std::io::read_to_string(std::io::stdin());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The mark where the tracer begins and ends: one system call that the library never makes.
struct Mark {
    this: Pid,
    /// Before the act.
    delay: Duration,
}

impl Mark {
    fn pass(&self) {
        let _ = kill(self.this, Signal::SIGSTOP);
    }

    fn around<T>(&self, act: impl FnOnce() -> T) -> T {
        std::thread::sleep(self.delay);
        self.pass();
        let outcome = act();
        self.pass();
        outcome
    }
}

fn run<const N: usize>(act: &str, name: &str, mark: Mark) -> Result<String> {
    let channel = || Channel::<Value<N>>::named(name);
    Ok(match act {
        "put" => {
            let mut producer = channel().producer()?;
            put(&mut producer)?;
            keep(mark.around(|| put(&mut producer))?.to_string(), producer)
        }
        "put-twice" => {
            let mut producer = channel().producer()?;
            (0..14).try_for_each(|_| put(&mut producer).map(drop))?;
            let puts = || (0..2).try_for_each(|_| put(&mut producer).map(drop));
            mark.around(puts)?;
            keep(producer.seq().to_string(), producer)
        }
        "half-filled" => {
            let mut producer = channel().producer()?;
            put(&mut producer)?;
            let mut loan = producer.loan()?;
            loan[..4].fill(u64::MAX);
            mark.pass();
            loan[4..].fill(u64::MAX);
            loan.put()?.to_string()
        }
        "get" => {
            let mut consumer = channel().consumer()?;
            keep(mark.around(|| get(&mut consumer))?, consumer)
        }
        "get-later" => {
            let mut consumer = patient(channel().consumer()?)?;
            keep(mark.around(|| get(&mut consumer))?, consumer)
        }
        "get-any" => {
            let mut consumer = patient(channel().consumer()?)?;
            // Another channel, to which nothing is put.
            let other = Channel::<Value<N>>::anonymous().consumer()?;
            let wait = || -> Result<String> {
                wait_any(&[&other, &consumer], Duration::MAX)?;
                get(&mut consumer)
            };
            let outcome = mark.around(wait)?;
            keep(outcome, (consumer, other))
        }
        "copy" => {
            let mut producer = channel().producer()?;
            producer.put(&[1; N])?;
            keep(mark.around(|| producer.put(&[2; N]))?.to_string(), producer)
        }
        "read-ahead" => read_ahead(channel().consumer()?, &mark)?,
        "observe" => {
            let observe = || -> Result<String> {
                let mut observer = channel().observer()?;
                let copy = observer.copy()?;
                std::mem::forget(observer);
                Ok(copy.map_or("nothing".into(), |copy| describe(copy.seq(), 0, &copy)))
            };
            mark.around(observe)?
        }
        "hold" => {
            let mut consumer = channel().consumer()?;
            let guard = consumer.get()?;
            mark.pass();
            describe(guard.seq(), guard.missed(), &guard)
        }
        _ => return open_or_end::<N>(act, name, &mark),
    })
}

/// The acts that open a channel, leave it or remove it.
fn open_or_end<const N: usize>(act: &str, name: &str, mark: &Mark) -> Result<String> {
    let channel = || Channel::<Value<N>>::named(name);
    Ok(match act {
        "produce" => {
            let producer = mark.around(|| channel().producer())?;
            keep(producer.seq().to_string(), producer)
        }
        "consume" => keep("open".into(), mark.around(|| channel().consumer())?),
        "join" => keep("open".into(), mark.around(|| channel().holds(3).consumer())?),
        "grow" => grow(name, mark)?,
        "leave" => {
            let mut producer = channel().ephemeral(true).producer()?;
            put(&mut producer)?;
            mark.around(|| drop(producer));
            "left".into()
        }
        "remove" => match mark.around(|| Channel::remove(name)) {
            Ok(()) => "removed".into(),
            Err(error) => format!("{:?}", error.kind()),
        },
        _ => return run_lock(act, name, mark),
    })
}

fn read_ahead<const N: usize>(consumer: Consumer<Value<N>>, mark: &Mark) -> Result<String> {
    let mut consumer = patient(consumer)?;
    let mut copy = vec![0_u64; N];
    let start = copy.as_mut_ptr().cast::<MaybeUninit<u8>>();
    // SAFETY: these words, which nobody reads meanwhile; a copy target only ever has bytes
    // written to it.
    let bytes = unsafe { std::slice::from_raw_parts_mut(start, size_of::<Value<N>>()) };
    let follow = || -> Result<(u64, u64)> {
        let mut target = CopyTarget::new(0, bytes);
        let guard = binding::get_into(&mut consumer, &mut target, None)?;
        binding::copy_out(&guard, target);
        Ok((guard.seq(), guard.missed()))
    };
    let (sequence, missed) = mark.around(follow)?;
    let is_whole = copy.iter().all(|word| *word == sequence);
    let had = if is_whole { format!("{sequence} {missed}") } else { "torn".into() };
    Ok(keep(had, consumer))
}

/// A put that does not fit in the channel as it is.
fn grow(name: &str, mark: &Mark) -> Result<String> {
    let channel = Channel::<[u64]>::named(name).elements(8).growing(true);
    let mut producer = channel.producer()?;
    let first = producer.seq() + 1;
    producer.put(&[first; 8])?;
    let larger = [first + 1; 9];
    Ok(keep(mark.around(|| producer.put(&larger))?.to_string(), producer))
}

/// The acts on locks.
fn run_lock(act: &str, name: &str, mark: &Mark) -> Result<String> {
    let rw = || RwSharedMmap::named(name).size(16).handles(4).open();
    Ok(match act {
        "lock" => {
            let mut lock = SharedMmap::named(name).size(16).handles(4).open()?;
            keep(mark.around(|| add(lock.lock()))?, lock)
        }
        "write" => {
            let mut lock = rw()?;
            keep(mark.around(|| add(lock.write()))?, lock)
        }
        "read" => {
            let mut lock = rw()?;
            let read = || match lock.read() {
                Ok(guard) => Ok(same(guard.as_bytes())),
                Err(LockError::OwnerDied(_)) => Ok("died".into()),
                Err(LockError::Failed(error)) => Err(error),
            };
            let outcome = mark.around(read)?;
            keep(outcome, lock)
        }
        "unlock" => {
            let mut lock = rw()?;
            let guard = lock.write().or_else(LockError::into_guard)?;
            mark.around(|| drop(guard));
            keep("left".into(), lock)
        }
        "unread" => {
            let mut lock = rw()?;
            let guard = lock.read().or_else(LockError::into_guard)?;
            mark.around(|| drop(guard));
            keep("left".into(), lock)
        }
        "half-written" => {
            let mut lock = rw()?;
            let mut guard = lock.write().or_else(LockError::into_guard)?;
            add_half(&mut guard, 0);
            mark.pass();
            add_half(&mut guard, 1);
            "written".into()
        }
        "reading" => {
            let mut lock = rw()?;
            let guard = lock.read().or_else(LockError::into_guard)?;
            mark.pass();
            same(guard.as_bytes())
        }
        "open" => keep("open".into(), mark.around(rw)?),
        _ => format!("no such act as {act}"),
    })
}

/// Keeps a role until this process ends.
fn keep<T>(outcome: String, role: T) -> String {
    std::mem::forget(role);
    outcome
}

fn put<const N: usize>(producer: &mut Producer<Value<N>>) -> Result<u64> {
    let sequence = producer.seq() + 1;
    let mut loan = producer.loan()?;
    for word in loan.iter_mut() {
        *word = sequence;
    }
    loan.put()
}

/// After waits that timed out its spins are short; otherwise there are many steps, all alike.
fn patient<const N: usize>(mut consumer: Consumer<Value<N>>) -> Result<Consumer<Value<N>>> {
    get(&mut consumer)?;
    for _ in 0..8 {
        let _ = consumer.get_timeout(Duration::from_millis(1));
    }
    Ok(consumer)
}

fn get<const N: usize>(consumer: &mut Consumer<Value<N>>) -> Result<String> {
    let guard = consumer.get()?;
    Ok(describe(guard.seq(), guard.missed(), &guard))
}

fn describe<const N: usize>(sequence: u64, missed: u64, value: &Value<N>) -> String {
    if *value != [sequence; N] {
        return format!("value {sequence} is torn: {value:?}");
    }
    format!("{sequence} {missed}")
}

/// Adds one to both halves. Repairs them first if another process died between the two.
fn add(locked: std::result::Result<MmapGuard<'_>, LockError<MmapGuard<'_>>>) -> Result<String> {
    let (mut guard, died) = match locked {
        Ok(guard) => (guard, false),
        Err(LockError::OwnerDied(guard)) => (guard, true),
        Err(LockError::Failed(error)) => return Err(error),
    };
    if died {
        guard.as_bytes_mut().copy_within(..8, 8);
    }
    add_half(&mut guard, 0);
    add_half(&mut guard, 1);
    if died {
        guard.mark_consistent();
        return Ok("died".into());
    }
    Ok(same(guard.as_bytes()))
}

fn add_half(guard: &mut MmapGuard<'_>, half: usize) {
    // Black boxes make sure that the halves are written one after the other.
    let bytes = black_box(guard).as_bytes_mut();
    if let Some(word) = bytes.as_chunks_mut::<8>().0.get_mut(half) {
        *word = (u64::from_le_bytes(*word) + 1).to_le_bytes();
    }
    black_box(bytes);
}

fn same(bytes: &[u8]) -> String {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    if first == second { "clean".into() } else { format!("torn: {bytes:?}") }
}
