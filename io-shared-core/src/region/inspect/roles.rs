//! Who has a role, by the claims in the kernel and the blocks in the region.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::super::blocks::{self, Noted};
use super::super::layout::{Kind, Layout};
use crate::os::claim::{Part, claimed};

/// Somebody who has a role in a region, or had it last.
///
/// # Examples
/// ```
/// # use io_shared_channel as io_shared;
/// # use io_shared_core::{Location, Name, inspect};
/// # fn main() -> io_shared::Result<()> {
/// # let name = &format!("/doc-participant-{}", std::process::id());
/// let speed = io_shared::producer::<f64>(name)?;
/// let entry = inspect::entry(&Location::from(Name::new(name)?))?;
/// let inspect::Content::Region(region) = entry.content else { unreachable!() };
/// let producer = region.producer.expect("there was one");
/// assert!(producer.is_connected);
/// assert_eq!(producer.pid, Some(std::process::id()));
/// # io_shared::remove(name)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// Whether it has the role now: the kernel has its claim.
    pub is_connected: bool,
    /// The slot of a consumer or of a lock's handle; `None` for a producer.
    pub slot: Option<usize>,
    /// The name that a consumer gave itself.
    pub name: Option<String>,
    /// The program's name, as it wrote it there.
    pub command: Option<String>,
    /// The process's number, if it is in this process's PID namespace.
    pub pid: Option<u32>,
    /// When it took the role.
    pub since: Option<SystemTime>,
    /// How many values a consumer may hold at once.
    pub holds: usize,
    /// The number of the last value that a consumer has received; 0 for none.
    pub last_seen: u64,
    /// Where a producer that only carries the values has them from, in its own words
    /// ([`Producer::set_origin`]).
    ///
    /// [`Producer::set_origin`]: https://docs.rs/io-shared/latest/io_shared/struct.Producer.html
    pub origin: Option<String>,
}

/// The claims in a region.
pub(super) struct Roles {
    parts: Vec<Part>,
}

impl Roles {
    /// Asks the kernel. A region whose claims cannot be asked for counts as used by nobody that is
    /// known, and as being replaced.
    pub(super) fn of(file: &File) -> Self {
        Self { parts: claimed(file).unwrap_or_else(|_| vec![Part::Roles]) }
    }

    pub(super) fn is_any(&self) -> bool {
        !self.parts.is_empty()
    }

    pub(super) fn is_being_replaced(&self) -> bool {
        self.parts.contains(&Part::Roles)
    }

    /// The last producer, if there ever was one.
    pub(super) fn producer(&self, head: &[u8], layout: &Layout) -> Option<Participant> {
        let is_connected = self.parts.contains(&Part::Producer);
        let noted = blocks::noted(head, layout, Part::Producer);
        (layout.kind == Kind::Channel && (is_connected || noted.pid != 0))
            .then(|| participant(noted, None, is_connected))
    }

    /// The last owner of each slot that has one or had one.
    pub(super) fn consumers(&self, head: &[u8], layout: &Layout) -> Vec<Participant> {
        let slots = 0..layout.consumers as usize;
        let found = slots.filter_map(|slot| {
            let is_connected = self.parts.contains(&Part::Consumer(slot));
            let noted = blocks::noted(head, layout, Part::Consumer(slot));
            let was_there = is_connected || noted.pid != 0;
            was_there.then(|| participant(noted, Some(slot), is_connected))
        });
        found.collect()
    }
}

fn participant(noted: Noted, slot: Option<usize>, is_connected: bool) -> Participant {
    let is_here = noted.namespace == 0 || noted.namespace == pid_namespace();
    let since = (noted.claimed_at > 0).then(|| Duration::from_nanos(noted.claimed_at));
    let text = |text: String| (!text.is_empty()).then_some(text);
    Participant {
        is_connected,
        slot,
        name: text(noted.name),
        command: text(noted.command),
        pid: (noted.pid != 0 && is_here).then_some(noted.pid),
        since: since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
        holds: noted.grant.into(),
        last_seen: noted.last_seen,
        origin: noted.origin,
    }
}

fn pid_namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino())
}
