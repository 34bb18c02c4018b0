//! CopyTarget into which a message is copied, from before it is put on.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::{Arc, Weak};

use super::{Consumer, Guard, Slot};
use crate::message::Message;
use crate::os::copy;
use crate::protocol::Ahead;
use crate::region::Region;

/// Bytes of a piece of a message that is read ahead.
pub(super) const PIECE: usize = 64 << 10;
/// From so many bytes on a message that is copied in may be read ahead: of a smaller one the copies are
/// over before it is worth it.
pub(super) const LEAST_AHEAD: usize = 2 * PIECE;

/// CopyTarget of the caller's for the bytes of a message behind its first `skip`. What is read ahead into it
/// is of one region: read ahead in another, it begins anew.
///
/// # Examples
/// ```
/// use io_shared_core::slot::CopyTarget;
/// use io_shared_core::{Message, Slot, Spec, Which};
/// # fn main() -> io_shared_core::Result<()> {
/// # let name = io_shared_core::Name::new(&format!("/doc-room-{}", std::process::id()))?;
/// # let place = io_shared_core::Location::from(name);
/// let spec = Spec { schema: Some(<[u8]>::schema()), capacity: Some(9), ..Spec::default() };
/// let mut producer = Slot::producing(&place, &spec)?;
/// let mut consumer = Slot::consuming(&place, None, &spec)?;
/// producer.loan::<[u8]>(9)?.put_parts(&[b"head", b"cloud"])?;
///
/// let mut bytes = Vec::with_capacity(5);
/// let mut room = CopyTarget::new(4, &mut bytes.spare_capacity_mut()[..5]);
/// let guard = consumer.hold::<[u8]>(Which::Unseen, |slot, _| Ok(slot.read_ahead(&mut room)))?;
/// let guard = guard.expect("a value was put");
/// assert!(guard.copy_to(room)); // what was not read ahead
/// // SAFETY: all of the room was written to.
/// unsafe { bytes.set_len(5) };
/// assert_eq!((&guard[..4], &bytes[..]), (&b"head"[..], &b"cloud"[..]));
/// # drop(guard);
/// # io_shared_core::remove(&place, io_shared_core::Kind::Channel)
/// # }
/// ```
#[derive(Debug)]
pub struct CopyTarget<'a> {
    skip: usize,
    bytes: &'a mut [MaybeUninit<u8>],
    ahead: Ahead,
    /// The region that this is of: its fillings are counted by themselves. Weak, so that nothing else
    /// comes to lie where it lay.
    region: Weak<Region>,
}

impl<'a> CopyTarget<'a> {
    /// CopyTarget for a message of `skip` bytes more than there is room for.
    pub fn new(skip: usize, bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { skip, bytes, ahead: Ahead::default(), region: Weak::new() }
    }

    /// The length of a message that fits.
    fn length(&self) -> usize {
        self.skip.saturating_add(self.bytes.len())
    }

    fn is_of(&self, region: &Arc<Region>) -> bool {
        std::ptr::eq(self.region.as_ptr(), Arc::as_ptr(region))
    }

    /// What there is room for of these pieces of a message: where in the message it starts, and where
    /// it goes.
    fn of(&mut self, pieces: Range<u64>) -> (usize, &mut [MaybeUninit<u8>]) {
        let bytes =
            |pieces: u64| usize::try_from(pieces).unwrap_or(usize::MAX).saturating_mul(PIECE);
        let location = |at: usize| at.saturating_sub(self.skip).min(self.bytes.len());
        let Range { start, end } = location(bytes(pieces.start))..location(bytes(pieces.end));
        (self.skip + start, self.bytes.get_mut(start..end).unwrap_or_default())
    }
}

impl Slot<Consumer> {
    /// Copies what is filled by now of the value that comes next, if its producer copies it in and this
    /// consumer waits for it: to be called when [`hold`](Self::hold) has found nothing. Whether there
    /// was more of it than the last time. What it has copied is of no use before [`Guard::copy_to`].
    pub fn read_ahead(&mut self, room: &mut CopyTarget<'_>) -> bool {
        let region = &*self.region;
        let length = room.length();
        let is_worth_it = length >= LEAST_AHEAD && length as u64 <= region.payload_size();
        if !is_worth_it || region.is_forked() {
            return false;
        }
        if !room.is_of(&self.region) {
            (room.region, room.ahead) = (Arc::downgrade(&self.region), Ahead::default());
        }
        let mut ahead = room.ahead;
        let more = self.side.protocol.read_ahead(region, &mut ahead, |buffer, pieces| {
            let (start, to) = room.of(pieces);
            // SAFETY: the bytes lie within the payload, which spans the room's length, and is mapped
            // as long as the region.
            unsafe { copy::shared(region.payload(buffer).wrapping_add(start), to) };
        });
        room.ahead = ahead;
        more
    }
}

impl<T: Message + ?Sized> Guard<'_, T> {
    /// Copies the message behind the bytes that are skipped to its room, but for what was
    /// [read ahead](Slot::read_ahead). `false`, and nothing is of use, if it is not as long as that.
    pub fn copy_to(&self, mut room: CopyTarget<'_>) -> bool {
        let bytes = self.as_bytes();
        if bytes.len() != room.length() {
            return false;
        }
        let had = self.read_ahead(|region| room.is_of(region).then_some(room.ahead));
        let (start, to) = room.of(had..u64::MAX);
        copy::slice_uninit(&bytes[start..], to);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::message::Message;
    use crate::os::clock;
    use crate::protocol::{Which, Words};
    use crate::region::Spec;
    use crate::region::location::Location;
    use crate::slot::Producer;

    const LENGTH: usize = 4 * PIECE;

    /// A channel of messages that may be read ahead, whose consumer has had three and waits.
    fn waiting(name: &str, skip: usize) -> (Location, Slot<Producer>, Slot<Consumer>) {
        let name = format!("/room-{name}-{}", std::process::id());
        let location = Location::from(crate::Name::new(&name).unwrap());
        let capacity = Some((skip + LENGTH) as u64);
        let spec = Spec { schema: Some(<[u8]>::schema()), capacity, ..Spec::default() };
        let mut producer = Slot::producing(&location, &spec).unwrap();
        let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
        for _ in 0..3 {
            let value = vec![9; skip + LENGTH];
            producer.loan::<[u8]>(value.len()).unwrap().put_parts(&[&value]).unwrap();
            assert!(get(&mut consumer).is_some());
            assert!(get(&mut consumer).is_none());
        }
        (location, producer, consumer)
    }

    fn get(consumer: &mut Slot<Consumer>) -> Option<Guard<'_, [u8]>> {
        consumer.hold::<[u8]>(Which::Unseen, |_, nothing| nothing.map(|()| false)).unwrap()
    }

    fn remove(location: &Location) {
        crate::remove(location, crate::Kind::Channel).unwrap();
    }

    fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
        // SAFETY: these bytes; what a room has written to it are bytes.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
    }

    /// The copy is then given up.
    fn read_half_a_copy(
        producer: &mut Slot<Producer>,
        consumer: &mut Slot<Consumer>,
        room: &mut CopyTarget<'_>,
    ) {
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        loan.fill(1);
        loan.say_filled(2);
        assert!(consumer.read_ahead(room));
    }

    #[test]
    fn what_was_read_ahead_is_not_copied_again() {
        for skip in [0, 128, PIECE + 1] {
            let (location, mut producer, mut consumer) = waiting("ahead", skip);
            let mut bytes = vec![0; LENGTH];
            let mut room = CopyTarget::new(skip, uninit(&mut bytes));
            assert!(!consumer.read_ahead(&mut room), "nothing is being put");
            let mut loan = producer.loan::<[u8]>(skip + LENGTH).unwrap();
            for pieces in [1, 2] {
                loan.fill(1);
                loan.say_filled(pieces);
                assert!(consumer.read_ahead(&mut room));
                assert!(!consumer.read_ahead(&mut room), "once");
            }
            // What nobody does: to tell what is copied now from what was copied before.
            loan.fill(2);
            loan.put().unwrap();
            assert!(get(&mut consumer).unwrap().copy_to(room));
            let ahead = (2 * PIECE).saturating_sub(skip);
            assert_eq!(bytes[..ahead], vec![1; ahead]);
            assert_eq!(bytes[ahead..], vec![2; LENGTH - ahead]);
            remove(&location);
        }
    }

    #[test]
    fn what_was_read_ahead_of_another_value_is_copied_again() {
        let (location, mut producer, mut consumer) = waiting("other", 0);
        let mut bytes = vec![0; LENGTH];
        let mut room = CopyTarget::new(0, uninit(&mut bytes));
        read_half_a_copy(&mut producer, &mut consumer, &mut room);
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        loan.fill(2);
        loan.put().unwrap();
        assert!(get(&mut consumer).unwrap().copy_to(room));
        assert_eq!(bytes, vec![2; LENGTH]);
        remove(&location);
    }

    #[test]
    fn what_was_read_ahead_in_another_region_is_copied_again() {
        let (location, mut producer, mut consumer) = waiting("here", 0);
        let (other_place, mut other_producer, mut other) = waiting("there", 0);
        let mut bytes = vec![0; LENGTH];
        let mut room = CopyTarget::new(0, uninit(&mut bytes));
        read_half_a_copy(&mut producer, &mut consumer, &mut room);
        // The same buffer, and a filling of the same number.
        other_producer.loan::<[u8]>(LENGTH).unwrap().put_parts(&[&[2; LENGTH]]).unwrap();
        assert!(get(&mut other).unwrap().copy_to(room));
        assert_eq!(bytes, vec![2; LENGTH]);
        remove(&location);
        remove(&other_place);
    }

    #[test]
    fn what_was_given_up_is_read_once() {
        let (location, mut producer, mut consumer) = waiting("once", 0);
        let mut bytes = vec![0; LENGTH];
        let mut read = |consumer: &mut Slot<Consumer>| {
            consumer.read_ahead(&mut CopyTarget::new(0, uninit(&mut bytes)))
        };
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        loan.say_filled(2);
        assert!(read(&mut consumer));
        assert!(!read(&mut consumer), "in another room");
        loan.say_filled(3);
        assert!(read(&mut consumer));
        drop(loan);
        let pieces = |consumer: &Slot<Consumer>| consumer.region.filled().load(Relaxed) % (1 << 24);
        assert_eq!(pieces(&consumer), 3);
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        assert_eq!(pieces(&consumer), 0, "it is given up");
        loan.say_filled(2);
        drop(loan);
        drop(producer);
        let spec = Spec { schema: Some(<[u8]>::schema()), ..Spec::default() };
        let _successor = Slot::producing(&location, &spec).unwrap();
        assert_eq!(pieces(&consumer), 0, "its producer is gone");
        remove(&location);
    }

    #[test]
    fn who_reads_ahead_is_woken_before_the_value_is_there_and_others_are_not() {
        for follows in [true, false] {
            let (location, mut producer, mut consumer) = waiting("rouse", 0);
            let asleep = std::thread::spawn(move || {
                let mut bytes = vec![0; LENGTH];
                if follows {
                    assert!(!consumer.read_ahead(&mut CopyTarget::new(0, uninit(&mut bytes))));
                }
                let started = std::time::Instant::now();
                consumer.sleep(clock::now() + if follows { 20 } else { 1 } * 1_000_000_000);
                (started.elapsed(), consumer)
            });
            let region = producer.region.clone();
            while region.waiting(0).load(Relaxed) == 0 {
                std::thread::yield_now();
            }
            // From the byte to the sleep it is not far.
            std::thread::sleep(std::time::Duration::from_millis(100));
            let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
            loan.say_filled(1);
            let (slept, _) = asleep.join().unwrap();
            assert_eq!(slept.as_millis() < 900, follows, "{slept:?}");
            drop(loan);
            remove(&location);
        }
    }

    #[test]
    fn the_next_producer_counts_its_fillings_on() {
        let (location, producer, mut consumer) = waiting("next", 0);
        let before = consumer.region.filled().load(Relaxed);
        drop(producer);
        let spec = Spec { schema: Some(<[u8]>::schema()), ..Spec::default() };
        let mut producer = Slot::producing(&location, &spec).unwrap();
        producer.loan::<[u8]>(LENGTH).unwrap().put_parts(&[&[1; LENGTH]]).unwrap();
        assert!(get(&mut consumer).is_some());
        assert_eq!(consumer.region.filled().load(Relaxed), before + (1 << 24));
        remove(&location);
    }

    #[test]
    fn a_value_that_does_not_fit_its_room_is_refused() {
        let (location, mut producer, mut consumer) = waiting("fit", 0);
        for length in [LENGTH, LENGTH - 2, 0] {
            producer.loan::<[u8]>(length).unwrap().put().unwrap();
            let mut bytes = vec![7; LENGTH - 1];
            let guard = get(&mut consumer).unwrap();
            assert!(!guard.copy_to(CopyTarget::new(0, uninit(&mut bytes))));
            assert!(!guard.copy_to(CopyTarget::new(usize::MAX, uninit(&mut bytes))));
            assert_eq!(bytes, vec![7; LENGTH - 1]);
        }
        remove(&location);
    }

    #[test]
    fn whatever_is_said_to_be_filled_the_room_is_not_left() {
        let (location, mut producer, mut consumer) = waiting("hostile", 0);
        for filled in [u64::MAX, 1 << 24 | 5, u64::MAX << 24 | 4, 0] {
            let mut bytes = vec![7; LENGTH + 1];
            let (to, beside) = bytes.split_at_mut(LENGTH);
            let mut room = CopyTarget::new(0, uninit(to));
            consumer.region.filled().store(filled, Relaxed);
            consumer.read_ahead(&mut room);
            let mut larger = vec![7; LENGTH * 2];
            assert!(
                !consumer.read_ahead(&mut CopyTarget::new(0, uninit(&mut larger))),
                "no such payload"
            );
            producer.loan::<[u8]>(LENGTH).unwrap().put_parts(&[&[3; LENGTH]]).unwrap();
            assert!(get(&mut consumer).unwrap().copy_to(room));
            assert_eq!(beside, [7]);
            assert_eq!(bytes[..LENGTH], [3; LENGTH]);
            assert!(get(&mut consumer).is_none());
        }
        remove(&location);
    }
}
