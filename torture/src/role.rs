//! The roles of a campaign's crew, and the spots at which each may be killed.

use io_shared_core::crash_point::CrashPoint;

use crate::parcel::Size;

/// A role of the crew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Puts on both channels.
    Producer,
    /// A named consumer of the first channel.
    Left,
    /// Another named consumer of the first channel.
    Right,
    /// A consumer without a name, on the first channel.
    Nameless,
    /// The one consumer of the second channel; keeps a value while it takes the next.
    Keeper,
    /// Copies from the first channel.
    Observer,
    /// A consumer of the first channel that joins and leaves, again and again. Nobody has reserved
    /// anything for it.
    Visitor,
    /// Creates and removes a channel of its own.
    Churner,
    /// Writes and reads under both locks.
    LockerA,
    /// Another locker.
    LockerB,
    /// Another locker.
    LockerC,
}

impl Role {
    /// All roles, by number.
    pub const ALL: [Self; 11] = [
        Self::Producer,
        Self::Left,
        Self::Right,
        Self::Nameless,
        Self::Keeper,
        Self::Observer,
        Self::Visitor,
        Self::Churner,
        Self::LockerA,
        Self::LockerB,
        Self::LockerC,
    ];

    /// The consumers among them.
    pub const CONSUMERS: [Self; 4] = [Self::Left, Self::Right, Self::Nameless, Self::Keeper];

    /// The roles that use the locks.
    pub const LOCKERS: [Self; 3] = [Self::LockerA, Self::LockerB, Self::LockerC];

    pub(crate) fn is_locker(self) -> bool {
        Self::LOCKERS.contains(&self)
    }

    pub(crate) fn is_consumer(self) -> bool {
        Self::CONSUMERS.contains(&self)
    }

    /// Which of the two channels a consumer is on.
    pub(crate) fn channel(self) -> usize {
        usize::from(self == Self::Keeper)
    }

    /// Whether a restarted child is the same consumer.
    pub(crate) fn resumes(self) -> bool {
        matches!(self, Self::Left | Self::Right | Self::Keeper)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| format!("{role:?}") == text)
    }
}

/// The points of a slot, whose values have a size.
const OF_SLOTS: [&[CrashPoint]; 7] = [
    CrashPoint::PRODUCER_STARTS,
    CrashPoint::PUTS,
    CrashPoint::FILLS,
    CrashPoint::BURIES,
    CrashPoint::CONSUMER_STARTS,
    CrashPoint::GETS,
    CrashPoint::SLEEPS,
];

/// A crash point, with the size of the values with which it is passed; `None` if there are none.
pub type Spot = (CrashPoint, Option<Size>);

/// Every point with every size with which it is regularly passed. Other combinations are rare: an
/// inline value that is only half there is held in its buffer.
pub fn spots() -> impl Iterator<Item = Spot> {
    let is_passed = |point, size| match size {
        Size::Inline => {
            !CrashPoint::FILLS.contains(&point)
                && (!CrashPoint::GETS.contains(&point) || point == CrashPoint::GetSeen)
        }
        Size::Small => !CrashPoint::FILLS.contains(&point),
        Size::Large => true,
    };
    CrashPoint::ALL.iter().flat_map(move |&point| {
        let sizes = Size::ALL.into_iter().filter(move |size| is_passed(point, *size)).map(Some);
        let none = [None].into_iter().filter(move |_| !is_of_slot(point));
        sizes.filter(move |_| is_of_slot(point)).chain(none).map(move |size| (point, size))
    })
}

/// Whether users of a channel's slot pass the point, as opposed to those that create or lock
/// something.
pub(crate) fn is_of_slot(point: CrashPoint) -> bool {
    OF_SLOTS.iter().any(|points| points.contains(&point))
}
