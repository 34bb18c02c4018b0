//! Who has a role of a channel, as errors tell it.

use std::fmt;
use std::time::SystemTime;

/// A living process that has a role of a channel, as it described itself in the region.
///
/// Errors list holders so that a person knows which program to stop.
///
/// # Examples
/// ```
/// use io_shared_core::Holder;
///
/// let name = Some("viewer".to_owned());
/// let (command, since) = (Some("viewer.py".to_owned()), None);
/// let holder = Holder { slot: Some(0), name, pid: Some(4711), command, since, is_here: false };
/// assert_eq!(holder.to_string(), "consumer viewer (4711)"); // its own name, else its program's
/// ```
/// Whether this program itself has the role that it asks for again:
/// ```
/// # use io_shared_channel as io_shared;
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-holder-{}", std::process::id());
/// # use io_shared::ErrorKind;
/// let speed = io_shared::producer::<f64>(name)?;
/// let error = io_shared::producer::<f64>(name).unwrap_err();
/// let ErrorKind::RoleTaken { holder } = error.kind() else { return Err(error) };
/// assert!(holder.is_here && holder.slot.is_none()); // the producer has no slot
/// assert_eq!(holder.pid, Some(std::process::id()));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The consumer's slot; `None` for the producer.
    pub slot: Option<usize>,
    /// The consumer's name, if it has one.
    pub name: Option<String>,
    /// The process id, in the holder's own PID namespace; `None` if unknown.
    pub pid: Option<u32>,
    /// The start of its program's name, at most 15 bytes, as in /proc/PID/comm; `None` if unknown.
    pub command: Option<String>,
    /// When it took the role, by the wall clock; `None` if unknown.
    pub since: Option<SystemTime>,
    /// Whether it is this process, which has another handle of that channel.
    pub is_here: bool,
}

impl Holder {
    /// A consumer of another process by its name, else by its program's, as in `display (4711)`.
    pub(super) fn as_consumer(&self) -> Option<String> {
        self.slot?;
        self.known()
    }

    /// The name and process of a holder elsewhere that has a name.
    fn known(&self) -> Option<String> {
        let name = self.name.as_ref().or(self.command.as_ref()).filter(|_| !self.is_here)?;
        let name = name.escape_debug();
        Some(match self.pid {
            Some(pid) => format!("{name} ({pid})"),
            None => format!("{name} (another process)"),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(known) = self.known() {
            let role = if self.slot.is_none() { "producer" } else { "consumer" };
            return write!(f, "{role} {known}");
        }
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
