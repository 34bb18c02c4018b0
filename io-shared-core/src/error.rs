//! The one error type of every crate here.
//!
//! An [`Error`] says what happened, on which name, what was expected and found, and what to do
//! next. Programs match on [`Error::kind`]; people read its `Display`. It is one pointer wide, so
//! that the results of the hot path stay in registers; it allocates only when something failed.

use std::fmt;
use std::time::Duration;

use crate::message::Shape;
use crate::message::array::NpyError;
pub(crate) use crate::message::shape::Bytes;
use crate::region::cause;
use crate::region::name::DIRECTORY;
use crate::region::size::Size;

/// The result of a fallible call.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and on which name.
///
/// # Examples
/// ```
/// use io_shared_core::{ErrorKind, Name};
///
/// let error = Name::new("a/b").unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::BadName { .. }));
/// assert_eq!(
///     error.to_string(),
///     "`a/b` cannot be a name: it has a `/` after the first character; use letters, digits, `-`, `_` and `.`"
/// );
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    name: String,
    kind: ErrorKind,
    /// What is likely to be behind it, and what to do, where whoever made the error knows more than the
    /// kind says; else empty.
    advice: String,
}

/// A living process in a role of a channel, by what it wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The consumer's slot; `None`: the producer.
    pub slot: Option<usize>,
    /// The consumer's name, if it has one.
    pub name: Option<String>,
    /// The process id, in the holder's own PID namespace; `None` if unknown.
    pub pid: Option<u32>,
    /// Whether it is this process, which has another handle of that channel.
    pub is_here: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slot {
            None => write!(f, "producer")?,
            Some(slot) => match &self.name {
                Some(name) => write!(f, "slot {slot} ({})", name.escape_debug())?,
                None => write!(f, "slot {slot}")?,
            },
        }
        match self.pid {
            Some(pid) if self.is_here => write!(f, ", held by this process, {pid}"),
            Some(pid) => write!(f, ", process {pid}"),
            None => write!(f, ", another process"),
        }
    }
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The name cannot name a region.
    BadName {
        /// What is wrong with it, and what is right.
        reason: &'static str,
    },
    /// A size that is not a number, or digits and one of K, M, G.
    BadSize {
        /// What was given.
        found: String,
    },
    /// An option outside its range, or missing.
    BadOption {
        /// The builder's method.
        option: &'static str,
        /// What was given.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Nothing of that name exists.
    NotFound,
    /// Something else stands under that name.
    NotARegion {
        /// What it is.
        found: String,
    },
    /// The region has another type, size or layout version, and somebody lives in it or the caller
    /// may not replace it.
    Mismatch {
        /// One line for each difference: what the channel has, what this program has.
        differences: Vec<String>,
        /// Who lives in the region.
        holders: Vec<Holder>,
        /// What to do if nobody does.
        advice: &'static str,
    },
    /// The role is another handle's.
    RoleTaken {
        /// Who has it.
        holder: Holder,
    },
    /// Every consumer slot is claimed.
    NoSlot {
        /// Who has them.
        holders: Vec<Holder>,
    },
    /// This handle's claim was lost, because other code closed its descriptor, and another took over:
    /// the producer's role, a consumer's slot, a slot of a lock.
    RoleLost,
    /// The region was removed or replaced by another.
    Replaced,
    /// The time ran out.
    Timeout {
        /// The time that was allowed.
        after: Duration,
        /// Whom or what the wait was for.
        waiting_for: String,
    },
    /// Another process kept changing what was being read, or held a lock for too long.
    Busy {
        /// What was tried.
        doing: &'static str,
    },
    /// Every hold of this consumer is in use.
    AlreadyHeld {
        /// How many there are.
        holds: usize,
    },
    /// The handle was inherited over a fork.
    ForkedHandle,
    /// Another handle has the lock, and waiting was not asked for.
    WouldBlock,
    /// This handle has the lock already.
    WouldDeadlock,
    /// A writer died or panicked in the middle, and what it left was not declared consistent.
    OwnerDied,
    /// A range that is not within the memory.
    OutOfBounds {
        /// Where it starts, in bytes.
        at: u64,
        /// How long it is.
        length: u64,
        /// Bytes that there are.
        size: u64,
    },
    /// An object smaller than what it is to hold; mapping it would end in SIGBUS.
    TooShort {
        /// Bytes needed.
        needed: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// The message does not fit.
    TooLarge {
        /// Bytes of the message.
        needed: u64,
        /// Bytes that one message of this channel may have.
        capacity: u64,
    },
    /// The message is not the array asked for, or an array cannot be a message.
    Npy(NpyError),
    /// Bytes that were handed over as a message are none of the channel's type, by their number.
    BadLength {
        /// How many they are.
        found: u64,
        /// What a message of this channel may have.
        expected: Shape,
    },
    /// The channel has used up its sequence numbers.
    SequenceExhausted,
    /// The region holds something that no conforming program writes.
    Corrupt {
        /// What it is.
        what: String,
    },
    /// Not enough memory (tmpfs) or disk for the region.
    NoSpace {
        /// Bytes of the region.
        needed: u64,
        /// The directory that is full.
        directory: String,
    },
    /// The process's file size limit is below the region's size.
    FileSizeLimit {
        /// Bytes of the region.
        needed: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Only the owner of the object may remove or replace it.
    NotOwner,
    /// This machine or file system cannot do it.
    Unsupported {
        /// What is missing.
        what: String,
    },
    /// A system call failed.
    System {
        /// The call.
        call: &'static str,
        /// Its errno.
        errno: i32,
    },
}

impl Error {
    /// An error of `kind` on `name`.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Error, ErrorKind};
    /// assert_eq!(Error::new("/x", ErrorKind::NotFound).name(), "/x");
    /// ```
    #[cold]
    pub fn new(name: impl fmt::Display, kind: ErrorKind) -> Self {
        Self(Box::new(Inner { name: name.to_string(), kind, advice: String::new() }))
    }

    /// The same error with what to do about it.
    #[cold]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = advice.into();
        self
    }

    /// The same error; where room is what is missing, with the option to ask for less by.
    #[cold]
    pub(crate) fn ask_less(mut self, option: &str) -> Self {
        let advice = &mut self.0.advice;
        match self.0.kind {
            _ if option.is_empty() => {}
            ErrorKind::NoSpace { .. } => *advice = format!("{advice}ask for {option}, "),
            ErrorKind::FileSizeLimit { .. } => *advice = format!("ask for {option}"),
            _ => {}
        }
        self
    }

    /// The same error of another name and kind: for texts in other words.
    #[doc(hidden)]
    #[must_use]
    pub fn told_as(&self, name: &str, kind: ErrorKind) -> Self {
        Self(Box::new(Inner { name: name.to_owned(), kind, advice: self.0.advice.clone() }))
    }

    #[cold]
    pub(crate) fn system(name: impl fmt::Display, call: &'static str, errno: nix::Error) -> Self {
        Self::new(name, ErrorKind::System { call, errno: errno as i32 })
            .advise(cause::of(call, errno))
    }

    #[cold]
    pub(crate) fn corrupt(name: impl fmt::Display, what: impl Into<String>) -> Self {
        Self::new(name, ErrorKind::Corrupt { what: what.into() })
    }

    /// What went wrong.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Error, ErrorKind};
    /// assert_eq!(*Error::new("/x", ErrorKind::Replaced).kind(), ErrorKind::Replaced);
    /// ```
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The name of the channel or object, as the user gave it.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Error, ErrorKind};
    /// assert_eq!(Error::new("/x", ErrorKind::RoleLost).name(), "/x");
    /// ```
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

/// The text of `Display`: `unwrap()`, `expect()` and a `main` that returns a [`Result`] print this one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0.name;
        match &self.0.kind {
            ErrorKind::BadName { reason } => write!(f, "`{name}` cannot be a name: {reason}"),
            ErrorKind::BadSize { found } => {
                write!(f, "{name}: `{}` is not a size: ", found.escape_debug())?;
                match Size::meant(found) {
                    Some(meant) => write!(f, "write \"{meant}\" (")?,
                    None => write!(f, "write ")?,
                }
                write!(
                    f,
                    "bytes (4096), or digits and one of K, M, G (powers of 1024), as in \"64K\", \
                     \"5M\", \"1G\"{}",
                    if Size::meant(found).is_some() { ")" } else { "" }
                )
            }
            ErrorKind::BadOption { option, found, expected } => {
                write!(f, "{name}: .{option}({found}) will not do: {expected}")
            }
            ErrorKind::NotFound if !self.0.advice.is_empty() => {
                write!(f, "{name} does not exist: {}", self.0.advice)
            }
            ErrorKind::NotFound => write!(
                f,
                "{name} does not exist: if it is to be there, start the program that creates it, wait \
                 for that with a longer .open_timeout(), or say how large it is (.size(), .capacity()) \
                 to have it created here"
            ),
            ErrorKind::NotARegion { found } => write!(
                f,
                "{name} is {found}, not an io-shared region, and is left as it is: use another name, \
                 or delete it if nobody needs it"
            ),
            ErrorKind::Mismatch { differences, holders, advice } => {
                write!(f, "{name} has another shape than this program expects:")?;
                for difference in differences.iter().take(FEW) {
                    write!(f, "\n  {}", Cut(difference))?;
                }
                if differences.len() > FEW {
                    write!(f, "\n  and {} more", differences.len() - FEW)?;
                }
                if holders.is_empty() {
                    write!(f, "\nNobody lives in it: {advice}")
                } else {
                    write!(f, "\nIt is in use (")?;
                    list(f, holders)?;
                    write!(
                        f,
                        "): build and open it alike on every side (the same type and options), {}, \
                         or use another name",
                        if holders.iter().any(|holder| holder.is_here) {
                            "drop a handle of this process"
                        } else {
                            "stop those programs"
                        }
                    )
                }
            }
            ErrorKind::RoleTaken { holder } => write!(
                f,
                "{name}: the role is taken ({holder}): a channel has one producer, and one consumer \
                 of each name; {}, or use another channel or name",
                if holder.is_here { "drop that handle" } else { "stop that one" }
            ),
            ErrorKind::NoSlot { holders } => {
                match holders.len() {
                    1 => write!(f, "{name}: the only slot is taken (")?,
                    slots => write!(f, "{name}: all {slots} slots are taken (")?,
                }
                list(f, holders)?;
                let here = holders.iter().any(|holder| holder.is_here);
                let stop = if here { "drop a handle of this process" } else { "stop one of them" };
                match self.0.advice.as_str() {
                    "" => write!(f, "): {stop}, or create it with more"),
                    advice => write!(f, "): {stop}{advice}"),
                }
            }
            ErrorKind::RoleLost if !self.0.advice.is_empty() => {
                write!(f, "{name}: {}", self.0.advice)
            }
            ErrorKind::RoleLost => write!(
                f,
                "{name}: another producer took over, because this handle's claim was closed under \
                 it: nothing more is published through it; open a new producer"
            ),
            ErrorKind::Replaced => write!(
                f,
                "{name} was removed or replaced: open it again (a channel's handle does so by itself \
                 with .reopen(true))"
            ),
            ErrorKind::Timeout { after, waiting_for } => {
                write!(f, "{name}: waited {after:?} in vain for {waiting_for}")
            }
            ErrorKind::Busy { doing } => {
                write!(f, "{name}: others were too busy with it while {doing}: try again")
            }
            ErrorKind::AlreadyHeld { holds } => {
                write!(
                    f,
                    "{name}: this consumer holds as many values as it may ({holds}): drop a guard first"
                )?;
                match holds {
                    0..4 => write!(f, ", or create the channel with .holds({})", holds + 1),
                    _ => Ok(()),
                }
            }
            ErrorKind::ForkedHandle => write!(
                f,
                "{name}: this handle was inherited over a fork and is the parent's: open one in the \
                 child"
            ),
            ErrorKind::WouldBlock => {
                write!(f, "{name}: another has the lock: try again, or use a call that waits")
            }
            ErrorKind::WouldDeadlock => write!(
                f,
                "{name}: this handle has the lock already (a guard that was forgotten, or is still \
                 in use): drop that guard first"
            ),
            ErrorKind::OwnerDied => write!(f, "{name}: {OWNER_DIED}"),
            ErrorKind::OutOfBounds { at, length: 0, size } => {
                write!(f, "{name}: position {at} is not within its {}", Bytes(*size))
            }
            ErrorKind::OutOfBounds { at, length, size } => write!(
                f,
                "{name}: {} at {at} {} not within its {} ({} would be): nothing was done; create it \
                 with a larger .size()",
                Bytes(*length),
                if *length == 1 { "is" } else { "are" },
                Bytes(*size),
                size.saturating_sub(*at)
            ),
            ErrorKind::TooShort { needed, found } => write!(
                f,
                "{name} has {} and {needed} {} needed: write them first, or have it extended with \
                 .size({needed}).extend(true)",
                Bytes(*found),
                if *needed == 1 { "is" } else { "are" }
            ),
            ErrorKind::TooLarge { needed, capacity } => write!(
                f,
                "{name}: a message of {} does not fit, the channel's capacity is {capacity}: create \
                 it with .capacity({needed}) or more",
                Bytes(*needed)
            ),
            ErrorKind::Npy(error) => write!(f, "{name}: {error}"),
            ErrorKind::BadLength { found, expected: Shape { size, element: None, .. } } => {
                write!(
                    f,
                    "{name}: a message of this channel has {}, found {found}",
                    Bytes(*size as u64)
                )
            }
            ErrorKind::BadLength {
                found,
                expected: Shape { size, element: Some(element), .. },
            } => {
                write!(
                    f,
                    "{name}: a message of this channel has {} and a whole number of elements of {}, \
                     found {found}",
                    Bytes(*size as u64),
                    Bytes(*element as u64)
                )
            }
            ErrorKind::SequenceExhausted => write!(
                f,
                "{name}: all sequence numbers are used up: remove the channel and start it anew"
            ),
            ErrorKind::Corrupt { what } => write!(
                f,
                "{name} is damaged: {what}: stop what writes to it, remove it and start it anew"
            ),
            ErrorKind::NoSpace { needed, directory } => write!(
                f,
                "{name}: no room for {} in {directory}: {}free some, or enlarge it{}",
                Bytes(*needed),
                self.0.advice,
                if directory == DIRECTORY {
                    " (in a container, start it with a larger --shm-size)"
                } else {
                    ""
                }
            ),
            ErrorKind::FileSizeLimit { needed, limit } => {
                write!(
                    f,
                    "{name}: {} {} more than this process's file size limit of {}: raise it (ulimit -f)",
                    Bytes(*needed),
                    if *needed == 1 { "is" } else { "are" },
                    Bytes(*limit)
                )?;
                match self.0.advice.as_str() {
                    "" => Ok(()),
                    advice => write!(f, ", or {advice}"),
                }
            }
            ErrorKind::NotOwner => {
                write!(
                    f,
                    "{name}: only its owner, with permission to write, may remove or replace it"
                )?;
                match self.0.advice.as_str() {
                    "" => Ok(()),
                    advice => write!(f, "; {advice}"),
                }
            }
            ErrorKind::Unsupported { what } => write!(f, "{name}: not possible here: {what}"),
            ErrorKind::System { call, errno } => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(f, "{name}: {call}: {error}")?;
                match self.0.advice.as_str() {
                    "" => Ok(()),
                    advice => write!(f, ": {advice}"),
                }
            }
        }
    }
}

pub(crate) const OWNER_DIED: &str = "a writer died in the middle, so its content may be half-written: lock it to write, take the \
     guard out of the error, repair the content, and call mark_consistent()";

/// How many differences or holders a text shows; the rest is counted, and is all in the kind.
const FEW: usize = 6;

fn list(f: &mut fmt::Formatter<'_>, holders: &[Holder]) -> fmt::Result {
    for (i, holder) in holders.iter().take(FEW).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        write!(f, "{comma}{holder}")?;
    }
    match holders.len().saturating_sub(FEW) {
        0 => Ok(()),
        more => write!(f, ", and {more} more"),
    }
}

/// A line that may have names of any length in it, cut where it no longer helps.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 300;
        match self.0.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{}..", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_mismatch_names_every_difference_and_every_holder() {
        let kind = ErrorKind::Mismatch {
            differences: vec!["capacity: channel has 16, this program wants 32".into()],
            holders: vec![Holder { slot: None, name: None, pid: Some(7), is_here: false }],
            advice: "",
        };
        let text = Error::new("/x", kind).to_string();
        assert!(text.contains("channel has 16, this program wants 32"), "{text}");
        assert!(text.contains("producer, process 7"), "{text}");
    }
}
