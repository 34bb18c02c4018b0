//! The one list of instants at which a process may die: for the model, for the kill harness, and
//! for the crash table in `docs/PROOF.md`. They are grouped by the role that passes them.
//!
//! The protocol passes each by calling `reached` of its platform. In the shipped library that call
//! does nothing. The model ends the thread there. With the feature `crash-points` (for the harness,
//! never for users) a process records where it is, so that its killer can count what was hit; or it
//! kills itself there.

macro_rules! crash_points {
    ($(
        $(#[doc = $group_doc:literal])+
        $group:ident: { $($(#[doc = $doc:literal])+ $point:ident,)* }
    )*) => {
        /// An instant between two steps of the protocol.
        #[cfg_attr(not(feature = "crash-points"), allow(dead_code, unreachable_pub))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum CrashPoint {
            $($($(#[doc = $doc])+ $point,)*)*
        }

        #[cfg_attr(not(feature = "crash-points"), allow(dead_code, unreachable_pub))]
        impl CrashPoint {
            /// Every crash point, in the order of the crash table.
            pub const ALL: &[CrashPoint] = &[$($(CrashPoint::$point,)*)*];
            $(
                $(#[doc = $group_doc])+
                pub const $group: &[CrashPoint] = &[$(CrashPoint::$point,)*];
            )*
        }
    };
}

crash_points! {
    /// Those of a producer that opens its channel.
    PRODUCER_STARTS: {
        /// A new producer has its claim and has raised the incarnation; the epoch is its
        /// predecessor's.
        ProducerClaimed,
        /// The epoch is raised; nothing is scanned.
        EpochRaised,
    }
    /// Those of a producer that puts.
    PUTS: {
        /// A loan has found that nobody took the role over.
        LoanChecked,
        /// The held entries are read; no buffer is opened.
        LoanScanned,
        /// The buffer's sequence is 0; the user fills it.
        LoanOpened,
        /// The buffer is complete and has its sequence; `latest` is the value before.
        PutSealed,
        /// `latest` names the new value; nobody is woken.
        PutPublished,
        /// The sleepers' bits are read, one at least is set; nobody is woken.
        PutSawWaiting,
        /// Whoever waited is woken.
        PutWoken,
    }
    /// Those of a producer that copies in a large value.
    FILLS: {
        /// A part of the value is copied into the buffer, and may be read ahead.
        PutFilling,
    }
    /// Those of a producer that clears up after dead sleepers.
    BURIES: {
        /// A burier has won a waiting consumer's claim and cleared nothing.
        BuryWon,
        /// The dead consumer's bit is cleared; its claim is still won.
        BuryCleared,
    }
    /// Those of a producer that finds that nobody asks for a history any more.
    ENDS_HISTORY: {
        /// The word of the history is taken down, unless somebody has asked meanwhile.
        HistoryEnded,
    }
    /// Those of a process that asks for a history.
    ASKS: {
        /// The word of the history is raised; its claim is there.
        HistoryRaised,
    }
    /// Those of a consumer that joins with more values to hold than its slot has entries.
    JOINS: {
        /// The memory of more buffers is reserved; they are not in the pool.
        PoolReserved,
        /// They are in the pool; no slot has entries for them.
        PoolGrown,
        /// The slot has its entries and is scanned; its block is its predecessor's.
        SlotGranted,
    }
    /// Those of a consumer that opens its channel.
    CONSUMER_STARTS: {
        /// A new consumer has its claim; the block is its predecessor's.
        ConsumerClaimed,
        /// The block is cleared; `last_seen` is the predecessor's.
        ConsumerCleared,
        /// The block is the new consumer's.
        ConsumerReady,
    }
    /// Those of a consumer that gets.
    GETS: {
        /// A get has read `latest`; nothing is held.
        GetRead,
        /// The held entry names a buffer; `latest` is not looked at again.
        GetHeld,
        /// The held buffer is the latest value's; `last_seen` is the value before.
        GetValidated,
        /// `last_seen` is stored; the user reads.
        GetSeen,
        /// The entry of an owned guard is 0 again.
        GetReleased,
    }
    /// Those of a consumer that waits.
    SLEEPS: {
        /// The sleeper's bit is set; `latest` is not looked at again.
        SleepFlagged,
        /// Awake again; the sleeper's bit is still set.
        SleepWoken,
        /// The sleeper's bit is 0 again.
        SleepCleared,
    }
    /// Those of a process that opens a lock.
    LOCKER_STARTS: {
        /// A new handle of a lock has the claim of its slot; the slot is its predecessor's.
        LockerClaimed,
        /// The slot's reading flag is down; a lock that its predecessor died with is not yet
        /// buried.
        LockerCleared,
    }
    /// Those of a process that takes a lock and releases it.
    LOCKS: {
        /// The lock word names a writer; readers may still read.
        WriterOwns,
        /// The lock word says that its owner waits for readers to leave.
        WriterAwaits,
        /// The readers have left; the user writes.
        WriterAlone,
        /// The write is counted; the lock word still names its writer.
        WriteCounted,
        /// The lock word is free; nobody is woken.
        WriterLeft,
        /// The reading flag is up; the lock word is not looked at again.
        ReaderRaised,
        /// There is no writer; the user reads.
        ReaderReads,
        /// The reading flag is down; a waiting writer is not woken.
        ReaderLeft,
        /// The waiting bit is set; nobody sleeps yet.
        LockWaiting,
        /// The watched bit is set; nobody sleeps yet until there is a write.
        ChangeWatched,
    }
    /// Those of a process that clears up after one that died with the lock.
    LOCK_BURIES: {
        /// A burier has won a dead writer's claim; the lock word still names it.
        OwnerBuryWon,
        /// The dirty flag is up; the lock word still names the dead writer.
        OwnerDirty,
        /// The lock word names the burier, or nobody; the dead writer's claim is still won.
        OwnerReplaced,
        /// A writer has won a dead reader's claim; its flag is still up.
        ReaderBuryWon,
    }
    /// Those of a process that creates a region.
    CREATES: {
        /// A region is created, without a name and without its magic.
        RegionSized,
        /// The whole header but its magic is written.
        RegionWritten,
        /// The magic is written and the creator has its claim; the name is not linked.
        RegionClaimed,
        /// The name is linked.
        RegionLinked,
    }
    /// Those of a process that removes a region.
    REMOVES: {
        /// A remover has the region's lock; the name is linked.
        RemoveLocked,
        /// The name is gone; the retired flag is not set.
        RemoveUnlinked,
        /// The retired flag is set; nobody is woken.
        RemoveRetired,
    }
    /// Those of a producer that gives its channel's name to a larger region.
    EXCHANGES: {
        /// The larger region has a hidden name; the name leads to the old one.
        ExchangeLinked,
        /// The producer has the old region's lock; nothing is handed over.
        ExchangeLocked,
        /// The larger region has what each consumer has received; the name leads to the old one.
        ExchangeHandedOver,
        /// The name leads to the larger region; the old one's retired flag is not set.
        ExchangeRenamed,
        /// The retired flag is set; nobody is woken.
        ExchangeRetired,
    }
}

/// Marks that the running process has reached `point`.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) fn reached(_point: CrashPoint) {}

#[cfg(feature = "crash-points")]
pub use recording::{kill_self_at, late_finds, record, stay_at};

#[cfg(feature = "crash-points")]
pub(crate) use recording::{count_late_find, reached};

#[cfg(feature = "crash-points")]
mod recording {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    use std::time::Duration;

    use super::CrashPoint;

    static STAY: OnceLock<&'static AtomicU32> = OnceLock::new();
    /// How long a process lingers at the crash point that it is aimed at.
    const STAY_FOR: Duration = Duration::from_millis(2);
    static RECORD: OnceLock<(&'static AtomicU32, u32)> = OnceLock::new();
    /// The point to die at in the upper half, the times to pass it first in the lower.
    static FATAL: AtomicU64 = AtomicU64::new(u64::MAX);

    /// A value found at a slice's end was found late if it was put longer before, in nanoseconds.
    const LATE: u64 = 20_000_000;
    static LATE_FINDS: AtomicU64 = AtomicU64::new(0);

    /// How many values this process found only because a slice of a wait ended, although they were
    /// put more than 20 ms before. It is 0 unless the producer was killed or stopped.
    pub fn late_finds() -> u64 {
        LATE_FINDS.load(Ordering::Relaxed)
    }

    pub(crate) fn count_late_find(nanoseconds_before: u64) {
        if nanoseconds_before > LATE {
            LATE_FINDS.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// From now on, writes the number of each crash point passed to `word` (plus one; 0 is none),
    /// and spins there `linger` times, so that a random kill can hit it.
    pub fn record(word: &'static AtomicU32, linger: u32) {
        let _ = RECORD.set((word, linger));
    }

    /// From now on, sleeps for 2 ms at the crash point that `aim` names (plus one; 0 is none), so
    /// that a killer that sets `aim` can hit that point.
    pub fn stay_at(aim: &'static AtomicU32) {
        let _ = STAY.set(aim);
    }

    /// Kills this process with SIGKILL when it reaches `point` after `passes` earlier passes.
    pub fn kill_self_at(point: CrashPoint, passes: u32) {
        FATAL.store(u64::from(point as u8) << 32 | u64::from(passes), Ordering::Relaxed);
    }

    pub(crate) fn reached(point: CrashPoint) {
        if let Some((word, linger)) = RECORD.get() {
            word.store(point as u32 + 1, Ordering::Relaxed);
            for _ in 0..*linger {
                std::hint::spin_loop();
            }
        }
        if STAY.get().is_some_and(|aim| aim.load(Ordering::Relaxed) == point as u32 + 1) {
            std::thread::sleep(STAY_FOR);
        }
        let fatal = FATAL.load(Ordering::Relaxed);
        if fatal >> 32 == point as u64 {
            if fatal as u32 == 0 {
                let _ = nix::sys::signal::raise(nix::sys::signal::SIGKILL);
            }
            FATAL.store(fatal - 1, Ordering::Relaxed);
        }
    }
}
