//! `io-shared record`: write channels to an MCAP file.
//!
//! One thread observes: it copies each new value and takes part in no channel. Another one converts
//! and writes. Between them lies a [`queue`] of at most 256 MB, whose oldest values go first when
//! the disk is too slow, and are counted.
//!
//! The files: `watch` (one channel that is observed), `queue`, `writer` (the thread that writes),
//! `file` (one MCAP file), `rosbag2` (a folder of them), `ring` (what `--last` keeps), `repair`
//! (the end of a file that was cut off), `count` (what is said of each channel), `stored` (what
//! `play` knows a recording by).

mod count;
mod file;
mod queue;
mod repair;
mod ring;
mod rosbag2;
pub(crate) mod stored;
mod watch;
mod writer;

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use io_shared::Size;
use io_shared::inspect::{self, Content, Kind};
use io_shared_formats::{As, topic};

use crate::failure::Failure;
use crate::follow::give_way;
use crate::named;
use crate::out::{Out, plain};
use crate::units;
use queue::Queue;
use watch::Watch;
use writer::Writer;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channels. One that is not there is waited for.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels),
          required_unless_present_any = ["all", "repair"], conflicts_with_all = ["all", "repair"])]
    names: Vec<String>,
    /// The MCAP file to write. It must not exist yet.
    #[arg(long, short, value_name = "FILE", required_unless_present = "repair")]
    output: Option<PathBuf>,
    /// Record all channels, also those that come later.
    #[arg(long, short)]
    all: bool,
    /// Miss no value: have each channel keep the 14 values before its newest meanwhile.
    #[arg(long)]
    every: bool,
    /// End after this long. Without it, Ctrl-C ends the recording.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    duration: Option<Duration>,
    /// Begin a new file after this many bytes, or after this long: `1G`, `60s`.
    #[arg(long, value_name = "SIZE|TIME", value_parser = parse_split, conflicts_with = "last")]
    split: Option<Split>,
    /// Make a folder of this name, as `ros2 bag` does, with the files and `metadata.yaml` in it.
    #[arg(long, conflicts_with = "last")]
    rosbag2: bool,
    /// Keep only the values of this last time, in memory. SIGUSR1 writes them to a new file, and so
    /// does the end.
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    last: Option<Duration>,
    /// How much memory `--last` may use.
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_bytes,
          requires = "last")]
    memory: u64,
    /// Compress what is recorded.
    #[arg(long, value_name = "HOW")]
    compress: Option<Compress>,
    /// Say what the values of a channel are: `/x=cloud`, `/x=image:bgr8`, `/x=depth`, `/x=none`.
    #[arg(long = "as", value_name = "NAME=KIND", value_parser = parse_as)]
    said: Vec<(String, As)>,
    /// Record clouds and pictures as any other value, too.
    #[arg(long)]
    raw: bool,
    /// The frame of clouds and pictures. Without it, it is what their type says, or the channel's
    /// name.
    #[arg(long, value_name = "FRAME")]
    frame: Option<String>,
    /// Write the end that is missing in this file, because its recorder was killed or the disk was
    /// full.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "all", "every", "last"])]
    repair: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Compress {
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
}

/// When to begin a new file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Split {
    Bytes(u64),
    Time(Duration),
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    Size::from(text).bytes(text).map_err(|error| error.to_string())
}

fn parse_split(text: &str) -> Result<Split, String> {
    match units::parse_duration(text) {
        Ok(time) if !time.is_zero() && text.ends_with(|c: char| !c.is_ascii_digit()) => {
            Ok(Split::Time(time))
        }
        _ => match parse_bytes(text)? {
            0 => Err("it must be more than 0".to_owned()),
            bytes => Ok(Split::Bytes(bytes)),
        },
    }
}

pub(crate) fn parse_as(text: &str) -> Result<(String, As), String> {
    let (name, kind) = text.rsplit_once('=').ok_or("write NAME=KIND")?;
    Ok((named::full(name), kind.parse()?))
}

/// How often a recorder looks for channels that `--all` means, and says how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// What signals ask for.
#[derive(Debug, Clone, Default)]
struct Asked {
    end: Arc<AtomicBool>,
    write: Arc<AtomicBool>,
}

impl Asked {
    fn listen() -> Result<Self, Failure> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
        use signal_hook::flag;
        let asked = Self::default();
        let failed = |error| Failure::Failed(format!("cannot listen to signals: {error}"));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The second one ends at once.
            flag::register_conditional_shutdown(signal, 1, asked.end.clone()).map_err(failed)?;
            flag::register(signal, asked.end.clone()).map_err(failed)?;
        }
        flag::register(SIGUSR1, asked.write.clone()).map_err(failed)?;
        Ok(asked)
    }
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    if let Some(path) = &options.repair {
        return repair::run(path, out);
    }
    give_way();
    let asked = Asked::listen()?;
    let queue = Arc::new(Queue::default());
    let mut recorder = Recorder {
        options,
        queue: queue.clone(),
        watches: Vec::new(),
        topics: HashMap::new(),
        looked: None,
    };
    for name in &options.names {
        recorder.add(&named::full(name))?;
    }
    if let (false, Some(name)) = (options.all, recorder.unheard().next()) {
        let text = format!("--as {name}: this channel is not recorded; name it too");
        return Err(Failure::Usage(text));
    }
    // After the names: one that is wrong leaves no file behind.
    let writer = Writer::new(options, queue.clone())?;
    let thread = std::thread::Builder::new().name("writer".to_owned());
    let thread = thread.spawn(move || writer.run());
    let thread = thread.map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    let watched = recorder.watch(&asked);
    queue.close();
    let written = match thread.join() {
        Ok(written) => written,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let lost = queue.lost();
    let counts: Vec<_> =
        recorder.watches.iter().map(|watch| watch.count(&written, &lost)).collect();
    count::tell(&counts, &written.files, out)?;
    for name in recorder.unheard() {
        let _ = writeln!(std::io::stderr(), "--as {}: there was no such channel", plain(name));
    }
    watched?;
    match written.failed {
        Some(what) => Err(Failure::Failed(what)),
        None => Ok(()),
    }
}

struct Recorder<'o> {
    options: &'o Options,
    queue: Arc<Queue>,
    watches: Vec<Watch>,
    /// The channel that has each topic.
    topics: HashMap<String, String>,
    /// When it last looked for channels that came.
    looked: Option<Instant>,
}

impl Recorder<'_> {
    /// Adds a channel that a person names.
    fn add(&mut self, name: &str) -> Result<(), Failure> {
        let topic = topic(name);
        if let Some(other) = self.topics.get(&topic) {
            let text = format!("{other} and {name} would both be the topic {topic}");
            return Err(Failure::Usage(text));
        }
        self.watch_as(name, topic)
    }

    /// Adds a channel that `--all` has found. Where another one has its topic, it gets a free one.
    fn add_found(&mut self, name: &str) -> Result<(), Failure> {
        let wanted = topic(name);
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let mut topics = std::iter::once(wanted.clone()).chain(numbered);
        let free = topics.find(|topic| !self.topics.contains_key(topic));
        let topic = free.unwrap_or_else(|| wanted.clone());
        if topic != wanted {
            let other = self.topics.get(&wanted).map_or("another channel", String::as_str);
            let (name, other) = (plain(name), plain(other));
            let text = format!("{name} is the topic {topic}, because {other} is {wanted}");
            let _ = writeln!(std::io::stderr(), "{text}");
        }
        self.watch_as(name, topic)
    }

    fn watch_as(&mut self, name: &str, topic: String) -> Result<(), Failure> {
        self.watches.push(Watch::new(name, &topic, self.watches.len(), self.options)?);
        self.topics.insert(topic, name.to_owned());
        Ok(())
    }

    /// The channels that `--as` names and that are not recorded.
    fn unheard(&self) -> impl Iterator<Item = &str> {
        let is_heard = |name: &str| self.watches.iter().any(|watch| watch.name() == name);
        let names = self.options.said.iter().map(|(name, _)| &**name);
        names.filter(move |name| !is_heard(name))
    }

    /// Adds the channels that came, for `--all`.
    fn look_for_new(&mut self) -> Result<(), Failure> {
        for entry in inspect::channels()? {
            let is_channel =
                matches!(&entry.content, Content::Region(r) if r.kind == Kind::Channel);
            if is_channel && !self.watches.iter().any(|watch| watch.name() == entry.name) {
                self.add_found(&entry.name)?;
            }
        }
        Ok(())
    }

    /// Observes until the end.
    fn watch(&mut self, asked: &Asked) -> Result<(), Failure> {
        let started = Instant::now();
        let mut progress = Progress { started, told: started };
        let is_over = |duration: Duration| started.elapsed() >= duration;
        while !asked.end.load(Ordering::Relaxed) && !self.options.duration.is_some_and(is_over) {
            if self.options.all && self.looked.is_none_or(|looked| looked.elapsed() >= EVERY) {
                self.looked = Some(Instant::now());
                self.look_for_new()?;
            }
            if asked.write.swap(false, Ordering::Relaxed) {
                self.queue.ask_to_write();
            }
            if self.queue.has_failed() {
                break;
            }
            let now = Instant::now();
            let mut next = now + Duration::from_millis(10);
            for watch in &mut self.watches {
                if watch.look_at <= now {
                    watch.look(&self.queue)?;
                }
                next = next.min(watch.look_at);
            }
            progress.tell(&self.queue, &self.watches);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        if asked.write.swap(false, Ordering::Relaxed) {
            self.queue.ask_to_write();
        }
        // What came since the last look.
        self.watches.iter_mut().try_for_each(|watch| watch.look_last(&self.queue))
    }
}

/// Says on a terminal, each second, how far the recording is.
struct Progress {
    started: Instant,
    told: Instant,
}

impl Progress {
    fn tell(&mut self, queue: &Queue, watches: &[Watch]) {
        let mut stderr = std::io::stderr();
        if self.told.elapsed() < EVERY || !stderr.is_terminal() {
            return;
        }
        self.told = Instant::now();
        let state = queue.progress();
        let missed = state.lost + watches.iter().map(|watch| watch.missed).sum::<u64>();
        let left = state
            .room
            .map_or(String::new(), |room| format!(", {} left on the disk", units::bytes(room)));
        let time = units::duration(self.started.elapsed());
        let bytes = units::bytes(state.bytes);
        let values = state.values;
        // An error here says nothing about the recording.
        let _ = write!(
            stderr,
            "\r\x1b[Krecorded {time}: {values} values, {bytes}, {missed} missed{left}"
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            let _ = writeln!(stderr);
        }
    }
}
