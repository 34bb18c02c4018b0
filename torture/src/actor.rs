//! An actor: a process that does what a test tells it, one step at a time.
//!
//! [`Actor`] is the test's side: it starts `torture actor NAME CONSUMERS SIZE`, writes commands to
//! its standard input and reads the answers from its standard output. A process that died answers
//! nothing, and [`Actor::end`] returns how it ended. [`main`] is the process's side.
//!
//! | command | does | answers |
//! |---|---|---|
//! | `die POINT PASSES` | prepares to die at that point, after PASSES passes | `ok` |
//! | `produce` | opens the channel as producer | `ok SEQUENCE` |
//! | `consume [NAME]`, `observe` | opens the channel in that role | `ok` |
//! | `put [N]` | puts, N times | the last sequence |
//! | `get`, `get MS` | gets, within MS milliseconds | `SEQUENCE MISSED` |
//! | `try`, `latest`, `copy` | does so | the same, or `nothing` |
//! | `hold` | gets, and keeps the guard | `SEQUENCE MISSED` |
//! | `reread` | checks all guards kept | how many |
//! | `release` | drops them | `ok` |
//! | `die-half-filled`, `abort-in-loan`, `abort-in-guard` | ends that way | - |
//! | `panic-in-loan`, `panic-in-guard` | panics there, and catches the panic | `ok` |
//! | `panics-abort` | makes later panics abort, as with `panic = "abort"` | `ok` |
//! | `remove` | removes the channel | `ok` |
//! | `execute` | executes another program, in a thread | that program's `ok`; then it sleeps |
//!
//! The answer to a command that fails is the error's kind and text.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use io_shared::{Channel, Consumer, Error, Guard, Loan, Observer, OwnedGuard, Producer, binding};
use io_shared_core::crash_point::{self, CrashPoint};
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;

use crate::parcel::{Card, Load, Packed, Parcel, Size};

/// The time in which a step must be answered: FAULTS.md's "no hang over 2 s".
pub const HANG: Duration = Duration::from_secs(2);
/// The time in which the process must have started, for which nobody promises anything.
const START: Duration = Duration::from_secs(20);
/// What the process says first.
const HERE: &str = "here";

/// A process that obeys commands. Dropping this kills it.
#[derive(Debug)]
pub struct Actor {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
    has_started: bool,
}

impl Actor {
    /// Starts an actor for the channel `name`, which has `consumers` consumer slots and values of
    /// `size`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &str, name: &str, consumers: usize, size: Size) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .args(["actor", name, &consumers.to_string(), &(size as u8).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let lines = stdout.map(BufReader::new).into_iter().flat_map(BufRead::lines);
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, stdin, answers, has_started: false })
    }

    /// The process's pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command without waiting for its answer.
    ///
    /// # Panics
    /// If the process has not started after 20 s.
    pub fn tell(&mut self, command: &str) {
        if !self.has_started {
            match self.answers.recv_timeout(START) {
                Ok(said) => assert_eq!(said, HERE, "an actor says something else first"),
                Err(RecvTimeoutError::Disconnected) => {} // the next answer shows it
                Err(RecvTimeoutError::Timeout) => panic!("an actor does not start"),
            }
            self.has_started = true;
        }
        // A missing answer will show that the process has died.
        let _ = self.stdin.as_mut().map(|stdin| writeln!(stdin, "{command}"));
    }

    /// The next answer. `None` if the process ended, or did not answer for `patience`.
    pub fn answer(&self, patience: Duration) -> Option<String> {
        self.answers.recv_timeout(patience).ok()
    }

    /// Sends a command and returns its answer; `died` if the process ended instead.
    ///
    /// # Panics
    /// If there is no answer within 2 s.
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        match self.answers.recv_timeout(HANG) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => "died".into(),
            Err(RecvTimeoutError::Timeout) => panic!("`{command}` hangs"),
        }
    }

    /// Waits for the process to end.
    ///
    /// # Panics
    /// If it has not ended after 2 s.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + HANG;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                _ => panic!("process {} has not ended", self.child.id()),
            }
        }
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// Kills the process and waits for its end.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.end();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an actor: `actor NAME CONSUMERS SIZE`.
pub fn main(arguments: &[String]) -> ExitCode {
    let [name, consumers, size] = arguments else {
        return ExitCode::from(2);
    };
    let size = size.parse().ok().and_then(|size: usize| Size::ALL.get(size).copied());
    let (Ok(consumers), Some(size)) = (consumers.parse(), size) else {
        return ExitCode::from(2);
    };
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    let _ = writeln!(std::io::stdout(), "{HERE}");
    // Nothing is reopened: an actor whose channel is gone is to say so.
    match size {
        Size::Inline => {
            let channel = Channel::<Card>::named(name).reopen(false);
            act_on(name, consumers, size, channel);
        }
        _ => {
            let channel = Channel::<Parcel>::named(name).elements(size.most_words()).reopen(false);
            act_on(name, consumers, size, channel);
        }
    }
    ExitCode::SUCCESS
}

fn act_on<T: Act + ?Sized>(name: &str, consumers: usize, size: Size, channel: Channel<T>) {
    let mut part = Part {
        name: name.to_owned(),
        channel: channel.consumers(consumers).open_timeout(Duration::from_secs(1)),
        size,
        producer: None,
        consumer: None,
        observer: None,
        kept: Vec::new(),
    };
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let answer = match part.act(&line) {
            Ok(answer) => answer,
            Err(error) => format!("{:?}: {error}", error.kind()).replace('\n', " "),
        };
        let mut stdout = std::io::stdout().lock();
        if writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
}

/// A message that an actor fills in place.
trait Act: Load {
    fn filled(
        producer: &mut Producer<Self>,
        words: usize,
        number: u64,
        half_way: impl FnOnce(),
    ) -> Result<Loan<'_, Self>, Error>;
}

impl Act for Card {
    fn filled(
        producer: &mut Producer<Self>,
        _: usize,
        number: u64,
        half_way: impl FnOnce(),
    ) -> Result<Loan<'_, Self>, Error> {
        let mut loan = producer.loan()?;
        Card::fill(&mut loan, number, number * 77, half_way);
        Ok(loan)
    }
}

impl Act for Parcel {
    fn filled(
        producer: &mut Producer<Self>,
        words: usize,
        number: u64,
        half_way: impl FnOnce(),
    ) -> Result<Loan<'_, Self>, Error> {
        let mut loan = producer.loan_len(words)?;
        Parcel::fill(&mut loan, number, number * 77, half_way);
        Ok(loan)
    }
}

/// The handles of an actor.
struct Part<T: Act + ?Sized> {
    name: String,
    channel: Channel<T>,
    size: Size,
    producer: Option<Producer<T>>,
    consumer: Option<Consumer<T>>,
    observer: Option<Observer<T>>,
    kept: Vec<OwnedGuard<T>>,
}

impl<T: Act + ?Sized> Part<T> {
    fn act(&mut self, line: &str) -> Result<String, Error> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let argument = words.next();
        let number = argument.and_then(|word| word.parse::<u64>().ok());
        let ok = || Ok("ok".to_owned());
        match verb {
            "die" => {
                let point = CrashPoint::ALL.iter().find(|p| Some(&*format!("{p:?}")) == argument);
                let passes = words.next().and_then(|word| word.parse().ok());
                match (point, passes) {
                    (Some(point), Some(passes)) => crash_point::kill_self_at(*point, passes),
                    _ => return Ok("no such point".into()),
                }
                ok()
            }
            "panics-abort" => {
                // As that option does: the hook runs, and nothing is unwound.
                std::panic::set_hook(Box::new(|_| std::process::abort()));
                ok()
            }
            "produce" | "consume" | "observe" | "record" => {
                let holds = words.next().and_then(|word| word.parse().ok());
                self.open(verb, argument, holds.unwrap_or(1))
            }
            "remove" => Channel::remove(&self.name).and_then(|()| ok()),
            "execute" => {
                let executed = std::thread::spawn(|| {
                    Command::new("sh").args(["-c", "echo ok; exec sleep 60"]).exec()
                });
                Ok(executed.join().map_or("a panic".into(), |error| error.to_string()))
            }
            "release" => {
                self.kept.clear();
                ok()
            }
            "reread" => {
                let wrong = self.kept.iter().find_map(|guard| guard.verify(guard.seq()).err());
                Ok(wrong.unwrap_or_else(|| self.kept.len().to_string()))
            }
            "copy" => match &mut self.observer {
                Some(observer) => Ok(observer.copy()?.map_or("nothing".into(), |copy| {
                    copy.verify(copy.seq()).err().unwrap_or_else(|| copy.seq().to_string())
                })),
                None => Ok("no observer".into()),
            },
            "since" => match &mut self.observer {
                Some(observer) => {
                    let mut found = Vec::new();
                    for copy in observer.since(number.unwrap_or(0)) {
                        let copy = copy?;
                        let seq = copy.seq();
                        found.push(copy.verify(seq).err().unwrap_or_else(|| seq.to_string()));
                    }
                    Ok(found.join(" "))
                }
                None => Ok("no observer".into()),
            },
            "get-copy" => self.get_copy(),
            "put-copy" => self.put_copy(),
            "get" | "try" | "latest" | "hold" | "panic-in-guard" | "abort-in-guard" => {
                self.consume(verb, number)
            }
            _ => self.produce(verb, number),
        }
    }

    fn open(&mut self, role: &str, name: Option<&str>, holds: usize) -> Result<String, Error> {
        let channel = self.channel.clone();
        match role {
            "produce" => {
                self.producer = None;
                let producer = channel.producer()?;
                let seq = producer.seq();
                self.producer = Some(producer);
                return Ok(format!("ok {seq}"));
            }
            "consume" => {
                self.consumer = None;
                let channel = match name {
                    Some(name) => channel.consumer_name(name),
                    None => channel,
                };
                self.consumer = Some(channel.holds(holds).consumer()?);
            }
            // How many values before the newest are kept.
            "record" => {
                let kept = name.and_then(|kept| kept.parse().ok()).unwrap_or(1);
                self.observer = Some(channel.history(kept).observer()?);
            }
            _ => self.observer = Some(channel.observer()?),
        }
        Ok("ok".into())
    }

    fn get_copy(&mut self) -> Result<String, Error> {
        let Some(consumer) = &mut self.consumer else {
            return Ok("no consumer".into());
        };
        let mut copy = Packed::empty(self.size.most_words());
        let mut target = copy.target();
        let guard = binding::get_into(consumer, &mut target, None)?;
        let told = format!("{} {}", guard.seq(), guard.missed());
        if !binding::copy_out(&guard, target) {
            return Ok("of another length".into());
        }
        Ok(copy.message::<T>().verify(guard.seq()).err().unwrap_or(told))
    }

    fn put_copy(&mut self) -> Result<String, Error> {
        let Some(producer) = &mut self.producer else {
            return Ok("no producer".into());
        };
        let seq = producer.seq() + 1;
        // A different seed each time, so that remains of a value never put cannot pass for this
        // one.
        let packed =
            Packed::of(self.size.most_words(), seq, u64::from(std::process::id()) << 32 | seq);
        Ok(producer.put(packed.message())?.to_string())
    }

    fn consume(&mut self, verb: &str, number: Option<u64>) -> Result<String, Error> {
        let Some(consumer) = &mut self.consumer else {
            return Ok("no consumer".into());
        };
        let guard = match (verb, number) {
            ("try", _) => consumer.try_get()?,
            ("latest", _) => consumer.latest()?,
            (_, Some(milliseconds)) => {
                Some(consumer.get_timeout(Duration::from_millis(milliseconds))?)
            }
            _ => Some(consumer.get()?),
        };
        let Some(guard) = guard else {
            return Ok("nothing".into());
        };
        let answer = tell(&guard);
        match verb {
            "hold" => self.kept.push(guard.into_owned()),
            "panic-in-guard" => {
                let caught = catch_unwind(AssertUnwindSafe(move || {
                    let _guard = guard.into_owned(); // owned guards have a hold of their own
                    panic!("as told");
                }));
                return Ok(if caught.is_err() { "ok".into() } else { "no panic".into() });
            }
            "abort-in-guard" => std::process::abort(),
            _ => {}
        }
        Ok(answer)
    }

    fn produce(&mut self, verb: &str, number: Option<u64>) -> Result<String, Error> {
        let Some(producer) = &mut self.producer else {
            return Ok("no producer".into());
        };
        let mut last = producer.seq();
        for _ in 0..number.unwrap_or(1) {
            let seq = producer.seq() + 1;
            // One size after the other, up to a few cache lines.
            let words = seq as usize % (self.size.most_words().min(100) + 1);
            let half_way = || match verb {
                "abort-in-loan" => std::process::abort(),
                "die-half-filled" => {
                    let _ = raise(Signal::SIGKILL);
                }
                "panic-in-loan" => panic!("as told"),
                _ => {}
            };
            let borrowed = &mut *producer;
            let fill = move || {
                let producer = borrowed; // moved, so that the loan may outlive this call
                T::filled(producer, words, seq, half_way)
            };
            match catch_unwind(AssertUnwindSafe(fill)) {
                Ok(loan) if verb == "put" => last = loan?.put()?,
                Ok(_) => return Ok(format!("no such command as {verb}")),
                Err(_) => return Ok("ok".into()),
            }
        }
        Ok(last.to_string())
    }
}

fn tell<T: Load + ?Sized>(guard: &Guard<'_, T>) -> String {
    let told = format!("{} {}", guard.seq(), guard.missed());
    guard.verify(guard.seq()).err().unwrap_or(told)
}
