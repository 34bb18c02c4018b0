//! The kinds of errors: what programs match on.

use std::time::Duration;

use super::holder::Holder;
use crate::message::Shape;
use crate::message::array::NpyError;

/// The kinds of [`Error`](crate::Error).
///
/// # Examples
/// ```
/// use io_shared_core::{Error, ErrorKind};
///
/// /// Whether opening again later may succeed.
/// fn is_temporary(error: &Error) -> bool {
///     matches!(error.kind(), ErrorKind::NotFound | ErrorKind::RoleTaken { .. })
/// }
///
/// assert!(is_temporary(&Error::new("/cloud_share", ErrorKind::NotFound)));
/// assert!(!is_temporary(&Error::new("/cloud_share", ErrorKind::NotOwner)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The name cannot name a region, or `IO_SHARED_DOMAIN` is set to what cannot be a domain.
    BadName {
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// A size is neither a number nor digits and one of K, M, G.
    BadSize {
        /// What was given.
        found: String,
    },
    /// An option is missing, or outside its range.
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
    /// Something that is not a region has that name.
    NotARegion {
        /// What it is.
        found: String,
    },
    /// The region has another type, size or layout version, and is in use or may not be replaced by
    /// the caller.
    Mismatch {
        /// One line for each difference: what the channel has, what this program wants.
        differences: Vec<String>,
        /// Who is using the region; empty also where that made no difference.
        holders: Vec<Holder>,
        /// What to do if nobody is; empty where that makes no difference.
        advice: &'static str,
    },
    /// Another handle has the role.
    RoleTaken {
        /// Who has it.
        holder: Holder,
    },
    /// Every slot is claimed; or, for consumers, all of them together would hold more values than
    /// there can be buffers.
    NoSlot {
        /// Who has them.
        holders: Vec<Holder>,
    },
    /// This handle lost its claim because other code closed the descriptor, and another handle took
    /// over: the producer's role, a consumer's slot, or a slot of a lock.
    RoleLost,
    /// Another handle removed or replaced the region.
    Replaced,
    /// The channel had a producer and has none now, and the consumer was opened to be told of that.
    /// Or a service had no server when the time of a call ran out.
    NoProducer {
        /// The last producer, or the last server of this client; all `None` if there was none.
        last: Holder,
    },
    /// A semaphore of the package that this project began as was taken for longer than this handle
    /// waits for it. Whoever took it is slow, or died with it: nothing tells which, and nothing
    /// gives it back. (`io_shared::legacy` alone has such semaphores.)
    LegacyLockStuck {
        /// The file of the semaphore.
        semaphore: String,
        /// How long it was waited for.
        after: Duration,
        /// The files to remove if nobody uses them: the object and all its semaphores.
        files: Vec<String>,
    },
    /// The time ran out.
    Timeout {
        /// The time that was allowed.
        after: Duration,
        /// Whom or what the wait was for.
        waiting_for: String,
    },
    /// Another thread or a signal handler of this process ended the wait, by an interrupter.
    Interrupted,
    /// Another process kept changing what was being read, or held a lock for too long.
    Busy {
        /// What was being done.
        doing: &'static str,
    },
    /// This consumer holds as many values as it may.
    AlreadyHeld {
        /// How many it may hold.
        holds: usize,
    },
    /// The handle was inherited over a fork.
    ForkedHandle,
    /// Another handle has the lock, and the call was not to wait.
    WouldBlock,
    /// This handle already has the lock.
    WouldDeadlock,
    /// A writer died or panicked while writing, and nobody has declared the content consistent.
    OwnerDied,
    /// A range is not within the memory.
    OutOfBounds {
        /// Where it starts, in bytes.
        at: u64,
        /// How long it is, in bytes.
        length: u64,
        /// The size of the memory, in bytes.
        size: u64,
    },
    /// An object is too small for what it should hold; access to its mapping would end in SIGBUS.
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
    /// Bytes passed as a message have a length that no message of the channel's type has.
    BadLength {
        /// How many they are.
        found: u64,
        /// The shape of the channel's messages.
        expected: Shape,
    },
    /// Bytes have a number that their type does not have: a `bool` that is neither 0 nor 1, or an
    /// enum without that variant. A get that finds such a value has received it; a put puts
    /// nothing. Also a put of a message with a list that is not within it.
    BadValue {
        /// The field, as in `boxes[3].valid`; empty for the whole message.
        field: String,
        /// The number found.
        found: i64,
        /// What would be right.
        expected: String,
    },
    /// The channel has used up its sequence numbers.
    SequenceExhausted,
    /// A value was to be put under a number that is not greater than that of the last value, or
    /// greater than any number can be.
    BadSeq {
        /// The number.
        found: u64,
        /// The number of the last value.
        last: u64,
        /// The largest number that there is.
        largest: u64,
    },
    /// The region contains something that no conforming program writes: also a value with a list
    /// that is not within it, which a get has then received.
    Corrupt {
        /// What it is.
        what: String,
    },
    /// Not enough memory (tmpfs) or disk for the region, or for the buffers that a consumer adds
    /// when it joins. Those that use the region already are not affected.
    NoSpace {
        /// Bytes of the region.
        needed: u64,
        /// The directory that is full.
        directory: String,
    },
    /// This process has no address space for buffers that consumers added to the channel when they
    /// joined. Nothing is lost, and the next call tries again.
    NoMemory {
        /// Bytes to map.
        needed: u64,
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
