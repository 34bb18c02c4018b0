//! Following a channel by its name: waiting for it, for its values, and for its successors.

use std::time::{Duration, Instant};

use io_shared::inspect::{self, Content, Newest, Reader};
use io_shared::{ErrorKind, Location};

use crate::advice;
use crate::failure::Failure;
use crate::named;
use crate::out::plain;
use crate::people;

/// How long to wait before the command says what it waits for.
const SILENT: Duration = Duration::from_secs(1);
/// How often to look for a channel that is not there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How much nicer than others a command is that looks at channels again and again.
const NICER: i32 = 10;

/// Has this thread, and those that it starts, give way to programs that want a processor at the
/// same time: looking shall cost nothing those whose values it looks at.
pub(crate) fn give_way() {
    // Whoever has been given another priority keeps it. A refusal does no harm.
    if rustix::process::nice(0) == Ok(0) {
        let _ = rustix::process::nice(NICER);
    }
}

/// A channel that is followed.
pub(crate) struct Follow {
    name: String,
    location: Location,
    reader: Option<Reader>,
    has_told: bool,
}

impl Follow {
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let location = named::location(name)?;
        give_way();
        Ok(Self { name: name.to_owned(), location, reader: None, has_told: false })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The channel as it is now. Callers have got a value from it before.
    pub(crate) fn reader(&mut self) -> Result<&mut Reader, Failure> {
        let gone = || Failure::Failed(format!("{}: the channel is not open", self.name));
        self.reader.as_mut().ok_or_else(gone)
    }

    /// Whether the channel is there now.
    pub(crate) fn is_there(&mut self) -> Result<bool, Failure> {
        if self.reader.is_none() {
            match Reader::open(&self.location) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) if *error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) if matches!(error.kind(), ErrorKind::Mismatch { .. }) => {
                    let info = advice::command(&format!("info {}", advice::quoted(&self.name)));
                    return Err(Failure::Failed(format!("{error}; `{info}` shows what it is")));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Whether the channel is there now, for callers that take no next value of it: one that was
    /// removed or replaced since the last call is left, as `next` does.
    pub(crate) fn is_there_still(&mut self) -> Result<bool, Failure> {
        self.reader = self.reader.take().filter(Reader::is_current);
        self.is_there()
    }

    /// The next value that was not returned before; at first the newest that there is. `None`: the
    /// deadline has passed. A channel that is not there is waited for.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Newest>, Failure> {
        let started = Instant::now();
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let slice = left.unwrap_or(SILENT).min(SILENT);
            if self.is_there()? {
                match self.reader()?.next(slice) {
                    Ok(Some(newest)) => return Ok(Some(newest)),
                    Ok(None) => {}
                    Err(error) => match error.kind() {
                        ErrorKind::Replaced => self.reader = None,
                        ErrorKind::Busy { .. } => {}
                        _ => return Err(error.into()),
                    },
                }
            } else {
                std::thread::sleep(slice.min(LOOK_EVERY));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            if started.elapsed() >= SILENT && !self.has_told {
                self.has_told = true;
                self.tell(deadline.is_some());
            }
        }
    }

    /// Whether the channel is there, and has no producer.
    pub(crate) fn lacks_producer(&self) -> bool {
        let Ok(entry) = inspect::entry(&self.location) else { return false };
        match entry.content {
            Content::Region(region) => {
                region.producer.is_none_or(|producer| !producer.is_connected)
            }
            _ => false,
        }
    }

    /// Says on the standard error what the command waits for, and how to have it wait no longer.
    fn tell(&self, has_deadline: bool) {
        use std::io::Write as _;
        let mut what = self.waiting_for();
        if !has_deadline && inspect::entry(&self.location).is_err() {
            what += "; --timeout TIME limits the wait";
        }
        // An error here says nothing about the values.
        let _ = writeln!(std::io::stderr(), "waiting: {}", plain(&what));
    }

    /// What is missing, for people.
    pub(crate) fn waiting_for(&self) -> String {
        let name = &self.name;
        let Ok(entry) = inspect::entry(&self.location) else {
            return format!("there is no channel {name} yet");
        };
        let Content::Region(region) = entry.content else {
            let info = advice::command(&format!("info {}", advice::quoted(name)));
            return format!("{name} is no channel that can be read; see `{info}`");
        };
        match region.producer.filter(|producer| producer.is_connected) {
            Some(producer) => {
                format!("{name} has no new value; its producer is {}", people::who(&producer))
            }
            None => format!("{name} has no new value, and no producer"),
        }
    }
}
