//! The service campaign: one client, then four, call a service while the server and the clients are
//! killed at random and started again.
//!
//! Each question says who asks and for the how-manieth time, and its answer repeats that. A client
//! checks every answer that it gets. Some calls have no time, so that their answers come when the
//! next question is put. No other call may fail: there is always a server, or one is being started.
//! Messages are of a fixed size, which are stored inline, and then slices of changing lengths. In
//! the end all are killed, and the next start has to leave nothing in shared memory.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use io_shared::{Client, ErrorKind, Message, Service, inspect};

use crate::machine;

/// The start of every name of every campaign.
const FAMILY: &str = "torture-service-";
/// How long a call may take, and how long a campaign may stand still.
const HANG: Duration = Duration::from_secs(5);
/// After this many calls a client tells of them.
const BATCH: u64 = 100;
/// One call of this many has no time.
const HURRIED: u64 = 64;
/// A campaign that fails this often ends early.
const ENOUGH: usize = 5;

/// What a campaign has found.
#[derive(Debug, Default)]
pub struct Report {
    /// Repeats the parent's choices, but not the machine's timing.
    pub seed: u64,
    /// Calls whose answers were checked. What a client had not told of when it was killed is left
    /// out.
    pub calls: u64,
    /// Servers and clients killed.
    pub kills: [u64; 2],
    /// What went wrong.
    pub failures: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "FAILED: {failure}")?;
        }
        let Self { seed, calls, kills: [servers, clients], failures, took } = self;
        writeln!(f, "seed {seed}; {:.1} s", took.as_secs_f64())?;
        write!(f, "{calls} calls, {servers} servers and {clients} clients killed, ")?;
        write!(f, "{} failed", failures.len())
    }
}

/// Runs a campaign of at least this many calls. `program` is the one that children run.
///
/// # Errors
/// If it could not run. The report has what it found.
pub fn run(program: &Path, calls: u64, seed: u64) -> Result<Report, String> {
    machine::sweep_dead(FAMILY);
    let began = Instant::now();
    let mut random = Rng::with_seed(seed);
    let mut report = Report { seed, ..Report::default() };
    let legs = [(1, "inline"), (1, "slices"), (4, "inline"), (4, "slices")];
    for (done, (clients, messages)) in (1..).zip(legs) {
        let until = calls * done / legs.len() as u64;
        Leg::new(program, messages, clients)?.run(until, &mut random, &mut report)?;
    }
    report.took = began.elapsed();
    Ok(report)
}

/// What children have told.
#[derive(Debug, Default)]
struct Told {
    calls: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// A part of a campaign: a server, and clients.
struct Leg {
    program: PathBuf,
    name: String,
    messages: &'static str,
    /// The server first.
    crew: Vec<Option<Child>>,
    told: Arc<Told>,
}

impl Leg {
    fn new(program: &Path, messages: &'static str, clients: usize) -> Result<Self, String> {
        let name = format!("/{FAMILY}{}", std::process::id());
        let crew = std::iter::repeat_with(|| None).take(clients + 1).collect();
        let told = Arc::default();
        let mut leg = Self { program: program.to_owned(), name, messages, crew, told };
        (0..leg.crew.len()).try_for_each(|member| leg.start(member))?;
        Ok(leg)
    }

    fn start(&mut self, member: usize) -> Result<(), String> {
        let role = if member == 0 { "server" } else { "client" };
        let mut command = Command::new(&self.program);
        command.args(["service-role", role, self.messages, &self.name]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{role} could not be started: {error}"))?;
        let (told, stdout) = (Arc::clone(&self.told), child.stdout.take());
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).flatten() {
                match line.parse::<u64>() {
                    Ok(calls) => drop(told.calls.fetch_add(calls, Relaxed)),
                    Err(_) => told.failures().push(line),
                }
            }
        });
        self.crew[member] = Some(child);
        Ok(())
    }

    /// Kills members until all have made this many calls together.
    fn run(mut self, until: u64, random: &mut Rng, report: &mut Report) -> Result<(), String> {
        let before = report.calls;
        let mut progress = (0, Instant::now());
        while before + self.told.calls.load(Relaxed) < until
            && self.told.failures().len() + report.failures.len() < ENOUGH
        {
            std::thread::sleep(Duration::from_micros(random.u64(0..20_000)));
            let calls = self.told.calls.load(Relaxed);
            if calls != progress.0 {
                progress = (calls, Instant::now());
            } else if progress.1.elapsed() > 2 * HANG {
                self.told.failures().push(format!("no call was answered for {:?}", 2 * HANG));
                break;
            }
            // As many servers as clients.
            let member = if random.bool() { 0 } else { random.usize(1..self.crew.len()) };
            self.kill(member)?;
            report.kills[usize::from(member > 0)] += 1;
            self.start(member)?;
        }
        (0..self.crew.len()).try_for_each(|member| self.kill(member))?;
        report.calls += self.told.calls.load(Relaxed);
        report.failures.append(&mut self.told.failures());
        report.failures.extend(self.left());
        Ok(())
    }

    fn kill(&mut self, member: usize) -> Result<(), String> {
        let Some(mut child) = self.crew[member].take() else { return Ok(()) };
        // Those that end by themselves have told why.
        let _ = child.kill();
        child.wait().map(drop).map_err(|error| format!("no end of member {member}: {error}"))
    }

    /// What is left in shared memory after the next start.
    fn left(&self) -> Option<String> {
        drop(Service::<u64, u64>::named(&self.name).client().ok()?);
        let mut names = inspect::Names::default().look().ok()??;
        names.retain(|name| name.starts_with(&self.name));
        (!names.is_empty()).then(|| format!("{names:?} are left in shared memory"))
    }
}

impl Told {
    fn failures(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        for child in self.crew.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A kind of messages: how a question is made, and what its answer is.
trait Kind {
    type Q: Message + ?Sized;
    type A: Message + ?Sized;

    fn question(words: &[u64]) -> &Self::Q;
    fn words(question: &Self::Q) -> &[u64];
    fn answer(words: &[u64]) -> &Self::A;
    fn answered(answer: &Self::A) -> &[u64];
    /// How many words the question with this number has, at least 2.
    fn length(number: u64) -> usize;
}

/// Messages that are stored inline.
struct Inline;

impl Kind for Inline {
    type Q = [u64; 2];
    type A = [u64; 3];

    fn question(words: &[u64]) -> &[u64; 2] {
        words.first_chunk().unwrap_or(&[0; 2])
    }

    fn words(question: &[u64; 2]) -> &[u64] {
        question
    }

    fn answer(words: &[u64]) -> &[u64; 3] {
        words.first_chunk().unwrap_or(&[0; 3])
    }

    fn answered(answer: &[u64; 3]) -> &[u64] {
        answer
    }

    fn length(_: u64) -> usize {
        2
    }
}

/// Messages that are read in place. Their channels grow in each life.
struct Slices;

impl Kind for Slices {
    type Q = [u64];
    type A = [u64];

    fn question(words: &[u64]) -> &[u64] {
        words
    }

    fn words(question: &[u64]) -> &[u64] {
        question
    }

    fn answer(words: &[u64]) -> &[u64] {
        words
    }

    fn answered(answer: &[u64]) -> &[u64] {
        answer
    }

    fn length(number: u64) -> usize {
        match number % 50 {
            7 => 2000,
            rest => 2 + rest as usize,
        }
    }
}

/// What the answer to these words is: they, and their sum.
fn reply(question: &[u64]) -> Vec<u64> {
    let sum = question.iter().fold(0_u64, |sum, word| sum.wrapping_mul(31).wrapping_add(*word));
    question.iter().copied().chain([sum]).collect()
}

/// Plays the role that the arguments name, until it is killed.
#[allow(clippy::print_stdout, reason = "the parent reads it")]
pub fn main(arguments: &[String]) -> ExitCode {
    let [role, messages, name] = arguments else { return ExitCode::from(2) };
    let failed = match (role.as_str(), messages.as_str()) {
        ("server", "inline") => serve::<Inline>(name),
        ("server", "slices") => serve::<Slices>(name),
        ("client", "inline") => ask::<Inline>(name),
        ("client", "slices") => ask::<Slices>(name),
        _ => return ExitCode::from(2),
    };
    println!("{role}: {failed}");
    ExitCode::FAILURE
}

/// Serves, and returns what went wrong.
fn serve<K: Kind>(name: &str) -> String {
    let serve = || -> io_shared::Result<()> {
        let mut server = Service::<K::Q, K::A>::named(name).server()?;
        loop {
            let question = server.next()?;
            let answer = reply(K::words(&question));
            question.answer(K::answer(&answer))?;
        }
    };
    serve().err().map_or_else(String::new, |error| error.to_string())
}

/// Asks and checks the answers, and returns what went wrong.
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn ask<K: Kind>(name: &str) -> String {
    let mut client = match Service::<K::Q, K::A>::named(name).client() {
        Ok(client) => client,
        Err(error) => return error.to_string(),
    };
    let mut random = Rng::new();
    let me = random.u64(..);
    for number in 0.. {
        let timeout = if random.u64(0..HURRIED) == 0 { Duration::ZERO } else { HANG };
        if let Err(failed) = call::<K>(&mut client, [me, number], timeout) {
            return failed;
        }
        if number % BATCH == BATCH - 1 {
            println!("{BATCH}");
        }
    }
    String::new()
}

fn call<K: Kind>(
    client: &mut Client<K::Q, K::A>,
    [me, number]: [u64; 2],
    timeout: Duration,
) -> Result<(), String> {
    let mut question = vec![number; K::length(number)];
    question[0] = me;
    match client.call(K::question(&question), timeout) {
        Ok(answer) if K::answered(&answer) == reply(&question) => Ok(()),
        Ok(answer) => {
            let answer = K::answered(&answer);
            let found = (answer.len(), answer.first(), answer.get(1));
            Err(format!("question {number} of {me} has the answer {found:?}"))
        }
        Err(error) => match error.kind() {
            ErrorKind::Timeout { .. } | ErrorKind::NoProducer { .. } if timeout.is_zero() => Ok(()),
            _ => Err(format!("question {number}: {error}")),
        },
    }
}
