//! The thread that writes: to one file, to one after the other, or to a ring in memory.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use io_shared_formats::As;
use mcap::McapError;
use nix::sys::statvfs::statvfs;

use super::file::{File, Format};
use super::queue::{Next, Queue, Taken};
use super::repair;
use super::ring::Ring;
use super::rosbag2::Bag;
use super::{Options, Split};
use crate::failure::Failure;
use crate::units;

/// How often what was written becomes part of the file, whatever happens to the recorder.
const FLUSH: Duration = Duration::from_secs(1);

/// CLOCK_MONOTONIC in nanoseconds.
pub(super) fn now() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    // It exists on every Linux.
    let now = clock.now().map(Duration::from).unwrap_or_default();
    now.as_nanos() as u64
}

/// What a channel has in the files, or in the chunk that is not written yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Channel {
    pub(super) values: u64,
    pub(super) bytes: u64,
    /// The values that could not be converted or written.
    pub(super) refused: u64,
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) channels: HashMap<usize, Channel>,
    pub(super) files: Vec<PathBuf>,
    pub(super) failed: Option<String>,
}

#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    path: PathBuf,
    format: Format,
    split: Option<Split>,
    ring: Option<Ring>,
    bag: Option<Bag>,
    file: Option<File>,
    began: Instant,
    flushed: Instant,
    done: Done,
    /// What is in the chunk that is not written yet.
    pending: HashMap<usize, Channel>,
    values: u64,
    bytes: u64,
}

impl Writer {
    pub(super) fn new(options: &Options, queue: Arc<Queue>) -> Result<Self, Failure> {
        let mut path = options.output.clone().unwrap_or_default();
        let bag = match options.rosbag2 {
            true => Some(Bag::create(&path).map_err(|error| unwritable(&path, &error))?),
            false => None,
        };
        if bag.is_some() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            path.push(format!("{name}.mcap"));
        }
        let is_numbered = bag.is_some() || options.split.is_some();
        // How far the wall clock is ahead, once for all.
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let said: HashMap<String, As> = options.said.iter().cloned().collect();
        let format = Format {
            offset: (wall.as_nanos() as u64).wrapping_sub(now()),
            compress: options.compress,
            said,
            is_raw: options.raw,
            frame: options.frame.clone(),
        };
        let ring = options.last.map(|last| Ring::new(last, options.memory));
        let mut writer = Self {
            queue,
            path,
            format,
            split: options.split,
            ring,
            bag,
            file: None,
            began: Instant::now(),
            flushed: Instant::now(),
            done: Done::default(),
            pending: HashMap::new(),
            values: 0,
            bytes: 0,
        };
        match &writer.ring {
            // A place that cannot be written is said now, and not after the drive.
            Some(_) => check_folder(&writer.path)?,
            None => writer.open(is_numbered.then_some(0)).map_err(Failure::Failed)?,
        }
        Ok(writer)
    }

    /// Begins a new file, with a number if there are several.
    fn open(&mut self, number: Option<usize>) -> Result<(), String> {
        let path = match number {
            Some(number) => numbered(&self.path, number),
            None => self.path.clone(),
        };
        let file = File::create(&path, &self.format).map_err(|error| refusal(&path, &error))?;
        self.done.files.push(path);
        self.file = Some(file);
        self.began = Instant::now();
        Ok(())
    }

    /// The first number from this one on of which there is no file.
    fn free_number(&self, from: usize) -> Option<usize> {
        (from..).find(|number| !numbered(&self.path, *number).exists())
    }

    pub(super) fn run(mut self) -> Done {
        loop {
            let done = match self.queue.next(FLUSH / 4) {
                Next::Value(value) => self.take(value),
                Next::Write => self.write_now().or_else(|what| self.put_off(what)),
                Next::Idle => Ok(()),
                Next::End => break,
            };
            let done = done.and_then(|()| match self.flushed.elapsed() >= FLUSH {
                true => self.flush(),
                false => Ok(()),
            });
            if let Err(what) = done {
                return self.fail(what);
            }
        }
        let ended = match self.ring {
            Some(_) => self.write_now(),
            None => self.finish().and_then(|()| match &self.bag {
                Some(bag) => bag.write().map_err(|error| error.to_string()),
                None => Ok(()),
            }),
        };
        match ended {
            Ok(()) => self.done,
            Err(what) => self.fail(what),
        }
    }

    /// Puts a value into the ring or writes it. One that has no room in either is missed.
    fn take(&mut self, value: Taken) -> Result<(), String> {
        let refused = match &mut self.ring {
            Some(ring) => match ring.push(value) {
                None => return Ok(()),
                Some(value) => value,
            },
            None => {
                return self.write(&value).inspect_err(|_| {
                    self.done.channels.entry(value.channel).or_default().refused += 1;
                });
            }
        };
        let channel = self.done.channels.entry(refused.channel).or_default();
        channel.refused += 1;
        if channel.refused == 1 {
            let (name, bytes) = (&refused.name, units::bytes(refused.cost() as u64));
            let _ =
                writeln!(std::io::stderr(), "{name}: a value of {bytes} is larger than --memory");
        }
        Ok(())
    }

    fn write(&mut self, value: &Taken) -> Result<(), String> {
        let is_full = match (self.split, &self.file) {
            (Some(Split::Bytes(most)), Some(file)) => file.bytes() >= most,
            (Some(Split::Time(time)), Some(_)) => self.began.elapsed() >= time,
            _ => false,
        };
        if is_full {
            self.finish()?;
            self.open(self.free_number(self.done.files.len()))?;
        }
        if self.file.as_ref().is_some_and(File::has_chunk) {
            self.write_chunk()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        match file.write(value, &self.format).map_err(said)? {
            Ok(()) => {
                let pending = self.pending.entry(value.channel).or_default();
                pending.values += 1;
                pending.bytes += value.bytes.len() as u64;
                self.values += 1;
                self.bytes += value.bytes.len() as u64;
            }
            Err(error) => {
                let channel = self.done.channels.entry(value.channel).or_default();
                channel.refused += 1;
                if channel.refused == 1 {
                    // An error here says nothing about the recording.
                    let _ = writeln!(std::io::stderr(), "{}: not recorded: {error}", value.name);
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        self.flushed = Instant::now();
        self.write_chunk()?;
        self.queue.note(self.values, self.bytes, room(&self.path));
        Ok(())
    }

    /// Writes the chunk that was begun. Only then are its values in the file.
    fn write_chunk(&mut self) -> Result<(), String> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.flush().map_err(said)?;
        for (number, pending) in self.pending.drain() {
            let channel = self.done.channels.entry(number).or_default();
            channel.values += pending.values;
            channel.bytes += pending.bytes;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.write_chunk()?;
        let Some(file) = &mut self.file else { return Ok(()) };
        let summary = file.finish().map_err(said)?;
        if let (Some(bag), Some(path)) = (&mut self.bag, self.done.files.last()) {
            bag.add(path, &summary);
        }
        Ok(())
    }

    /// Writes the ring to a new file; without one, what is in memory to the file.
    fn write_now(&mut self) -> Result<(), String> {
        let Some(ring) = self.ring.take() else { return self.flush() };
        let written = self.open(self.free_number(0)).and_then(|()| {
            ring.values().try_for_each(|value| self.write(value))?;
            self.finish()
        });
        self.ring = Some(ring);
        if written.is_ok() {
            self.file = None;
        }
        self.queue.note(self.values, self.bytes, room(&self.path));
        written
    }

    /// After a ring could not be written: gives back what the file has taken of the disk, and goes
    /// on. The values are still in memory.
    fn put_off(&mut self, what: String) -> Result<(), String> {
        if self.ring.is_none() {
            return Err(what);
        }
        let mut what = what;
        if let (Some(_), Some(path)) = (self.file.take(), self.done.files.pop()) {
            what = refusal(&path, &std::io::Error::other(what));
            // If it stays, it is an unfinished file like any other.
            let _ = std::fs::remove_file(path);
        }
        self.pending.clear();
        let next = "the values stay in memory: make room and send SIGUSR1 again";
        let _ = writeln!(std::io::stderr(), "{what}; {next}");
        Ok(())
    }

    /// Ends the file after an error, so that it can be read.
    fn fail(mut self, what: String) -> Done {
        self.queue.fail();
        for (number, pending) in self.pending.drain() {
            self.done.channels.entry(number).or_default().refused += pending.values;
        }
        let (Some(_), Some(path)) = (self.file.take(), self.done.files.last()) else {
            self.done.failed = Some(format!("recording ended: {what}"));
            return self.done;
        };
        let state = match repair::finish(path) {
            Ok(_) => {
                // What has no room for it is read without it.
                let _ =
                    self.bag.as_mut().map(|bag| bag.add_repaired(path).and_then(|()| bag.write()));
                "what came before is in the file, which is whole".to_owned()
            }
            Err(error) => {
                format!("its end is missing ({error}): io-shared record --repair writes it")
            }
        };
        let shown = path.display();
        self.done.failed = Some(format!("{shown}: recording ended: {what}; {state}"));
        self.done
    }
}

fn refusal(path: &Path, error: &std::io::Error) -> String {
    let what = match error.kind() {
        std::io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        _ => error.to_string(),
    };
    format!("cannot write {}: {what}", path.display())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(refusal(path, error))
}

/// What went wrong, in the words of the system if it is the system's.
fn said(error: McapError) -> String {
    match error {
        McapError::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// `drive.mcap` as `drive_1.mcap`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
    path.with_file_name(format!("{stem}_{number}{extension}"))
}

fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).map_err(|error| {
        Failure::Failed(format!("cannot write files to {}: {}", folder.display(), error.desc()))
    })
}

/// The bytes that are free where a file lies.
fn room(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let stat = statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    stat.blocks_available().checked_mul(stat.fragment_size())
}
