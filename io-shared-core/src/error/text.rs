//! The text of an error, for people.
//!
//! Each kind has a sentence that names the channel, says what happened and what was expected, and
//! ends with what to do next. io-shared-ffi puts these texts into the words of C and of Python: it
//! finds each `.option(value)`, and the phrases that its table of deeds lists.

use std::fmt::{self, Formatter};
use std::time::Duration;

use super::holder::Holder;
use super::kind::ErrorKind;
use super::units;
use crate::message::Shape;
use crate::message::schema::write_bad_value;
use crate::message::shape::Bytes;
use crate::os::file::SHM_DIRECTORY;

/// The text of a lock whose last writer died.
pub(crate) const OWNER_DIED: &str = "a writer died while writing, so the content may be \
                                     half-written: lock it to write, take the guard out of the \
                                     error, repair the content, and call mark_consistent()";

const NOT_A_REGION: &str = "not an io-shared region, and was not touched: use another name, or \
                            delete it if nobody needs it";
const REPLACED: &str = "open it again (a channel's handle does so by itself at its next put, loan \
                        or get, unless it has .reopen(false))";
const INTERRUPTED: &str =
    "this program interrupted the wait, and nothing was taken: call again to go on waiting";
const BUSY: &str = "because other processes kept it busy: try again";
const WOULD_BLOCK: &str = "another handle has the lock: try again, or use a call that waits";
const SEQUENCE_EXHAUSTED: &str =
    "all sequence numbers are used up: remove the channel and create it again";
const CORRUPT: &str = "stop the programs that write to it, remove it and create it again";
const FORKED_HANDLE: &str = "this handle was inherited over a fork and belongs to the parent: open \
                             a new one in the child";
const WOULD_DEADLOCK: &str = "this handle has the lock already (a guard that was forgotten, or is \
                              still in use): drop that guard first";

/// How many differences or holders a text shows. It counts the rest, which the kind lists.
pub(crate) const FEW: usize = 6;

/// An error as its parts.
pub(super) struct Text<'a> {
    pub(super) name: &'a str,
    pub(super) kind: &'a ErrorKind,
    /// The likely cause and what to do, where the code that made the error knew more than the kind
    /// says; else empty.
    pub(super) advice: &'a str,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.kind {
            ErrorKind::BadName { reason } => write!(f, "`{name}` cannot be a name: {reason}"),
            ErrorKind::BadSize { found } => bad_size(f, name, found),
            ErrorKind::BadOption { option, found, expected } if found == "not given" => {
                write!(f, "{name}: .{option}() is not given: {expected}")
            }
            ErrorKind::BadOption { option, found, expected } => {
                write!(f, "{name}: .{option}({found}) will not do: {expected}")
            }
            ErrorKind::NotFound => self.not_found(f),
            ErrorKind::NotARegion { found } => write!(f, "{name} is {found}, {NOT_A_REGION}"),
            ErrorKind::Mismatch { differences, holders, advice } => {
                self.mismatch(f, differences, holders, advice)
            }
            ErrorKind::RoleTaken { holder } => role_taken(f, name, holder),
            ErrorKind::NoSlot { holders } => self.no_slot(f, holders),
            ErrorKind::RoleLost => self.role_lost(f),
            ErrorKind::Replaced => self.replaced(f),
            ErrorKind::NoProducer { last } => self.no_producer(f, last),
            ErrorKind::Timeout { after, waiting_for } => {
                write!(f, "{name}: timed out after {} waiting for {waiting_for}", Time(*after))
            }
            ErrorKind::LegacyLockStuck { semaphore, after, files } => {
                lock_stuck(f, name, semaphore, *after, files)
            }
            ErrorKind::Interrupted => write!(f, "{name}: {INTERRUPTED}"),
            ErrorKind::Busy { doing } => write!(f, "{name}: gave up {doing}, {BUSY}"),
            ErrorKind::AlreadyHeld { holds } => already_held(f, name, *holds),
            ErrorKind::ForkedHandle => write!(f, "{name}: {FORKED_HANDLE}"),
            ErrorKind::WouldBlock => write!(f, "{name}: {WOULD_BLOCK}"),
            ErrorKind::WouldDeadlock => write!(f, "{name}: {WOULD_DEADLOCK}"),
            ErrorKind::OwnerDied => write!(f, "{name}: {OWNER_DIED}"),
            ErrorKind::SequenceExhausted => write!(f, "{name}: {SEQUENCE_EXHAUSTED}"),
            ErrorKind::BadSeq { found, last, largest } => bad_seq(f, name, *found, *last, *largest),
            ErrorKind::OutOfBounds { at, length, size } => {
                out_of_bounds(f, name, *at, *length, *size)
            }
            ErrorKind::TooShort { needed, found } => too_short(f, name, *needed, *found),
            ErrorKind::TooLarge { needed, capacity } => self.too_large(f, *needed, *capacity),
            ErrorKind::Npy(error) => write!(f, "{name}: {error}"),
            ErrorKind::BadLength { found, expected } => bad_length(f, name, *found, expected),
            ErrorKind::BadValue { field, found, expected } => {
                self.bad_value(f, field, *found, expected)
            }
            ErrorKind::Corrupt { what } => write!(f, "{name} is damaged: {what}: {CORRUPT}"),
            ErrorKind::NoSpace { needed, directory } => self.no_space(f, *needed, directory),
            ErrorKind::NoMemory { needed } => self.no_memory(f, *needed),
            ErrorKind::FileSizeLimit { needed, limit } => write!(
                f,
                "{name}: {} {} more than this process's file size limit of {}: raise it (ulimit \
                 -f){}",
                Bytes(*needed),
                are(*needed),
                Bytes(*limit),
                Then(", or ", self.advice)
            ),
            ErrorKind::NotOwner => write!(
                f,
                "{name}: only its owner, with permission to write, may remove or replace it{}",
                Then("; ", self.advice)
            ),
            ErrorKind::Unsupported { what } => write!(f, "{name}: not possible here: {what}"),
            ErrorKind::System { call, errno } => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(f, "{name}: {call}: {error}{}", Then(": ", self.advice))
            }
        }
    }
}

impl Text<'_> {
    fn bad_value(
        &self,
        f: &mut Formatter<'_>,
        field: &str,
        found: i64,
        expected: &str,
    ) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        write_bad_value(f, field, found, expected)?;
        write!(f, "{}", Then(": ", self.advice))
    }

    fn mismatch(
        &self,
        f: &mut Formatter<'_>,
        differences: &[String],
        holders: &[Holder],
        advice: &str,
    ) -> fmt::Result {
        write!(f, "{} has another shape than this program expects:", self.name)?;
        for difference in differences.iter().take(FEW) {
            write!(f, "\n  {}", Cut(difference))?;
        }
        if differences.len() > FEW {
            write!(f, "\n  and {} more", differences.len() - FEW)?;
        }
        if holders.is_empty() && advice.is_empty() {
            return write!(f, "\nIt was not touched{}", Then(": ", self.advice));
        }
        if holders.is_empty() {
            return write!(f, "\nNobody is using it: {advice}");
        }
        write!(f, "\nIt is in use by ")?;
        list(f, holders)?;
        if !self.advice.is_empty() {
            return write!(f, ": {}", self.advice);
        }
        let here = holders.iter().any(|holder| holder.is_here);
        let stop = if here { "drop a handle of this process" } else { "stop those programs" };
        write!(f, ": use the same type and options on every side, {stop}, or use another name")
    }

    fn not_found(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let advice = match self.advice {
            "" => {
                "if it should, start the program that creates it, wait longer for it with \
                 .open_timeout(), or say how large it is (.size(), .capacity()) to create it here"
            }
            advice => advice,
        };
        write!(f, "{} does not exist: {advice}", self.name)
    }

    fn replaced(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let advice = if self.advice.is_empty() { REPLACED } else { self.advice };
        write!(f, "{} was removed or replaced: {advice}", self.name)
    }

    fn no_producer(&self, f: &mut Formatter<'_>, last: &Holder) -> fmt::Result {
        let name = self.name;
        if !self.advice.is_empty() {
            return write!(f, "{name}: {}", self.advice); // of a service, which says it all
        }
        write!(f, "{name}: its producer has ended")?;
        match (last.pid, &last.command) {
            (Some(pid), Some(command)) => {
                write!(f, " (process {pid}, {})", command.escape_debug())?;
            }
            (Some(pid), None) => write!(f, " (process {pid})")?,
            _ => {}
        }
        write!(
            f,
            ", and there is no other: start it again, or wait for one (.requires_producer(false))"
        )
    }

    fn no_slot(&self, f: &mut Formatter<'_>, holders: &[Holder]) -> fmt::Result {
        let name = self.name;
        match holders.len() {
            1 => write!(f, "{name}: the only slot is taken (")?,
            slots => write!(f, "{name}: all {slots} slots are taken (")?,
        }
        list(f, holders)?;
        let here = holders.iter().any(|holder| holder.is_here);
        let stop = if here { "drop a handle of this process" } else { "stop one of them" };
        match self.advice {
            "" => write!(f, "): {stop}, or create it with more"),
            advice => write!(f, "): {stop}{advice}"),
        }
    }

    fn role_lost(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let advice = match self.advice {
            "" => {
                "another producer took over, because other code closed the descriptor of this \
                 handle: nothing more is published through it; open a new producer"
            }
            advice => advice,
        };
        write!(f, "{}: {advice}", self.name)
    }

    fn no_memory(&self, f: &mut Formatter<'_>, needed: u64) -> fmt::Result {
        let advice = if self.advice.is_empty() { "free some memory" } else { self.advice };
        write!(
            f,
            "{}: {} of buffers, which consumers added when they joined, cannot be mapped here: \
             {advice}; nothing is lost, and the next call tries again",
            self.name,
            Bytes(needed)
        )
    }

    fn too_large(&self, f: &mut Formatter<'_>, needed: u64, capacity: u64) -> fmt::Result {
        let (name, message) = (self.name, Bytes(needed));
        write!(
            f,
            "{name}: a message of {message} does not fit, because the channel's capacity is \
             {capacity}"
        )?;
        if !self.advice.is_empty() {
            write!(f, " and it cannot grow ({})", self.advice)?;
        }
        write!(f, ": create it with .capacity({needed}) or more")
    }

    fn no_space(&self, f: &mut Formatter<'_>, needed: u64, directory: &str) -> fmt::Result {
        let (name, advice) = (self.name, self.advice);
        write!(f, "{name}: no room for {} in {directory}: {advice}", Bytes(needed))?;
        write!(f, "free some, or enlarge it")?;
        if directory == SHM_DIRECTORY {
            write!(f, " (in a container, start it with a larger --shm-size)")?;
        }
        Ok(())
    }
}

fn bad_size(f: &mut Formatter<'_>, name: &str, found: &str) -> fmt::Result {
    const RULE: &str = "a number of bytes, as in 4096, or digits and one of K, M, G (powers of \
                        1024), as in \"64K\", \"5M\", \"1G\"";
    write!(f, "{name}: `{}` is not a size: write ", found.escape_debug())?;
    match units::meant(found) {
        Some(meant) => write!(f, "\"{meant}\" (a size is {RULE})"),
        None => write!(f, "{RULE}"),
    }
}

fn role_taken(f: &mut Formatter<'_>, name: &str, holder: &Holder) -> fmt::Result {
    let stop = match holder.is_here {
        true => "drop that handle",
        false => "stop that program, wait until it ends (.wait_for_role())",
    };
    write!(
        f,
        "{name}: the role is taken ({holder}): a channel has one producer, and one consumer of \
         each name; {stop}, or use another channel or name"
    )
}

fn lock_stuck(
    f: &mut Formatter<'_>,
    name: &str,
    semaphore: &str,
    after: Duration,
    files: &[String],
) -> fmt::Result {
    write!(
        f,
        "{name}: the semaphore {semaphore} was not given back within {}: whoever took it is slow, \
         or died with it. `fuser -v {semaphore}` shows who has it open. If nobody does, or none of \
         them works any more, stop them and run `rm {}`: then this program goes on by itself, and \
         the others when they are started again",
        Time(after),
        files.join(" ")
    )
}

fn already_held(f: &mut Formatter<'_>, name: &str, holds: usize) -> fmt::Result {
    write!(
        f,
        "{name}: this consumer holds as many values as it may ({holds}): drop a guard first"
    )?;
    match holds {
        0..8 => write!(f, ", or open the consumer with .holds({})", holds + 1),
        _ => Ok(()),
    }
}

fn out_of_bounds(
    f: &mut Formatter<'_>,
    name: &str,
    at: u64,
    length: u64,
    size: u64,
) -> fmt::Result {
    if length == 0 {
        return write!(f, "{name}: position {at} is not within its {}", Bytes(size));
    }
    write!(
        f,
        "{name}: {} at {at} {} not within its {} (only {} would be): nothing was done; create it \
         with a larger .size()",
        Bytes(length),
        are(length),
        Bytes(size),
        size.saturating_sub(at)
    )
}

fn too_short(f: &mut Formatter<'_>, name: &str, needed: u64, found: u64) -> fmt::Result {
    write!(
        f,
        "{name} has {} and {needed} {} needed: write them first, or extend it with \
         .size({needed}).extend(true)",
        Bytes(found),
        are(needed)
    )
}

fn bad_length(f: &mut Formatter<'_>, name: &str, found: u64, expected: &Shape) -> fmt::Result {
    write!(f, "{name}: a message of this channel has {}", Bytes(expected.size as u64))?;
    if let Some(element) = expected.element {
        write!(f, " and a whole number of elements of {}", Bytes(element as u64))?;
    }
    write!(f, ", found {found}")
}

fn bad_seq(f: &mut Formatter<'_>, name: &str, found: u64, last: u64, largest: u64) -> fmt::Result {
    write!(f, "{name}: no value can have the number {found}: ")?;
    if found > largest {
        return write!(f, "the largest is {largest}: put it under a lower number");
    }
    write!(
        f,
        "the last value had {last}, and numbers only go up: put it under {} or more, or remove the \
         channel and create it again to begin anew",
        last + 1
    )
}

fn list(f: &mut Formatter<'_>, holders: &[Holder]) -> fmt::Result {
    let shown = holders.get(..holders.len().min(FEW)).unwrap_or_default();
    // Consumers that have names share one word before the first of them.
    let named = shown.iter().filter(|holder| holder.as_consumer().is_some()).count();
    let mut word = if named > 1 { "consumers " } else { "consumer " };
    for (i, holder) in shown.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        match holder.as_consumer() {
            Some(consumer) => write!(f, "{comma}{}{consumer}", std::mem::take(&mut word))?,
            None => write!(f, "{comma}{holder}")?,
        }
    }
    match holders.len().saturating_sub(FEW) {
        0 => Ok(()),
        more => write!(f, ", and {more} more"),
    }
}

fn are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// A text after what joins it to the one before; nothing if it is empty.
struct Then<'a>(&'static str, &'a str);

impl fmt::Display for Then<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.1 {
            "" => Ok(()),
            text => write!(f, "{}{text}", self.0),
        }
    }
}

/// A duration with a space between number and unit: `150 ms`.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit);
        write!(f, "{number} {unit}")
    }
}

/// A line that may contain names of any length, cut where it stops being useful.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
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

    fn holder(slot: Option<usize>, command: Option<&str>, pid: u32) -> Holder {
        let (name, since, command) = (None, None, command.map(str::to_owned));
        Holder { slot, name, pid: Some(pid), command, since, is_here: false }
    }

    fn producer() -> Holder {
        holder(None, None, 7)
    }

    fn text(kind: &ErrorKind) -> String {
        Text { name: "/x", kind, advice: "" }.to_string()
    }

    #[test]
    fn a_mismatch_names_every_difference_and_every_holder() {
        let text = text(&ErrorKind::Mismatch {
            differences: vec!["capacity: channel has 16, this program wants 32".into()],
            holders: vec![producer()],
            advice: "",
        });
        assert!(text.contains("channel has 16, this program wants 32"), "{text}");
        assert!(text.contains("producer, process 7"), "{text}");
    }

    #[test]
    fn a_mismatch_whose_users_made_no_difference_says_nothing_of_them() {
        let (differences, holders) = (vec!["kind: it is a channel".to_owned()], Vec::new());
        let kind = ErrorKind::Mismatch { differences, holders, advice: "" };
        let text = Text { name: "/x", kind: &kind, advice: "remove it as what it is" }.to_string();
        assert!(text.ends_with("\nIt was not touched: remove it as what it is"), "{text}");
    }

    #[test]
    fn holders_are_told_by_their_role_and_their_programs_name() {
        let mut holders = vec![
            holder(None, Some("processor"), 603),
            holder(Some(0), Some("display"), 22291),
            Holder { name: Some("left".into()), ..holder(Some(1), Some("display"), 31993) },
            holder(Some(3), None, 8),
            Holder { is_here: true, ..holder(Some(4), Some("log"), 9) },
        ];
        let mismatch = |holders: &[Holder]| {
            let (differences, holders) = (vec!["x".to_owned()], holders.to_vec());
            text(&ErrorKind::Mismatch { differences, holders, advice: "" })
        };
        let said = "It is in use by producer processor (603), consumers display (22291), left \
                    (31993), slot 3, process 8, slot 4, held by this process, 9: use";
        assert!(mismatch(&holders).contains(said), "{}", mismatch(&holders));
        holders.truncate(2);
        let said = "by producer processor (603), consumer display (22291): use";
        assert!(mismatch(&holders).contains(said), "{}", mismatch(&holders));
        let taken = text(&ErrorKind::RoleTaken { holder: holders[0].clone() });
        assert!(taken.contains("the role is taken (producer processor (603))"), "{taken}");
    }

    #[test]
    fn a_time_that_ran_out_has_a_number_and_a_unit() {
        for (milliseconds, said) in [(150, "after 150 ms waiting"), (1500, "after 1.5 s waiting")] {
            let after = Duration::from_millis(milliseconds);
            let text = text(&ErrorKind::Timeout { after, waiting_for: "the lock".into() });
            assert!(text.contains(said), "{text}");
        }
    }
}
