//! What a program wants of a region: its role and its options.

use super::layout::Kind;
use super::mapped::Region;
use crate::message::schema::Schema;

/// How a handle takes part in a channel.
///
/// # Examples
/// ```
/// use io_shared_core::Role;
///
/// let viewer = Role::Consumer { name: Some("viewer".into()) };
/// assert_ne!(viewer, Role::Consumer { name: None });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Puts values. A channel has one at a time.
    Producer,
    /// Gets values, in a slot of its own.
    Consumer {
        /// The name by which a restarted consumer gets its old slot back.
        name: Option<String>,
    },
    /// Reads values without taking a slot.
    Observer,
    /// Locks to read or to write, in a slot of its own.
    Locker,
}

/// Where a consumer was that opens its channel anew, because the name leads elsewhere. If that is
/// the same channel, which has grown, the consumer goes on where it stopped, in the same slot if
/// that is free. In any other channel it starts anew.
///
/// # Examples
/// [`Slot::place`](crate::Slot::place) has one.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    line: u64,
    pub(super) slot: usize,
    pub(super) last_seen: u64,
}

impl Place {
    pub(crate) fn new(region: &Region, slot: usize, last_seen: u64) -> Self {
        Self { line: region.line, slot, last_seen }
    }

    /// Whether a region of this line is one of the same channel.
    pub(super) fn leads_to(&self, line: u64) -> bool {
        self.line == line
    }
}

/// What a program wants of a region: the type, and the builder's options.
///
/// An option that is `None` accepts what an existing region has. A region that is created gets the
/// default.
///
/// # Examples
/// ```
/// use io_shared_core::{Message, Spec};
///
/// let spec = Spec {
///     schema: Some(u64::schema()),
///     capacity: Some(8),
///     consumers: Some(2),
///     ..Spec::default()
/// };
/// assert_eq!(spec.holds, None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// What the region is.
    pub kind: Kind,
    /// The type. `None` accepts any type, and creates nothing.
    pub schema: Option<Schema>,
    /// Bytes of one message with its header fields: at least this many.
    pub capacity: Option<u64>,
    /// Consumer slots, or slots of a lock: at least this many. Default 64; a channel reserves
    /// buffers for one consumer then.
    pub consumers: Option<u32>,
    /// Values that this consumer may hold at once: at least this many. Default 1, at most 8.
    pub holds: Option<u32>,
    /// Values before the newest that are kept for as long as this handle lives. Default none.
    pub history: Option<u32>,
    /// Permission bits of a new region, exactly. Default 0600.
    pub mode: Option<u32>,
    /// Whether to fault in all pages when the region is mapped.
    pub prefault: bool,
    /// How long to wait for a region, or for one of the right shape.
    pub open_timeout: Option<std::time::Duration>,
    /// How long to wait for whoever has the role to leave. By default, that is an error.
    pub wait_for_role: Option<std::time::Duration>,
    /// How long to wait for the region's own lock while another handle has it. Default 1 s.
    pub patience: Option<std::time::Duration>,
    /// Whether the channel's producer gives it a larger capacity when a message does not fit. A
    /// channel that has less capacity than is asked for is then taken as it is.
    pub growing: bool,
    /// Where a consumer was that follows its channel's name.
    pub comes_from: Option<Place>,
    /// Whether a region that is created here is removed with its last user.
    pub ephemeral: bool,
    /// Whether to replace an unused region of another shape even where that may lose what it keeps.
    pub replace: bool,
    /// What the content under a lock is at first: `capacity` bytes, which are there before any
    /// other handle sees a region that is created here. By default they are 0.
    pub initial: Option<Vec<u8>>,
    /// Whether a producer whose channel was removed or replaced goes on in the channel that has the
    /// name then. Otherwise each put is an error from then on.
    pub reopen: bool,
}

impl Spec {
    /// Whether values before the newest are to be kept.
    pub(super) fn asks_for_history(&self) -> bool {
        self.history.is_some_and(|kept| kept > 0)
    }
}
