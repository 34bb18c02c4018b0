//! Memory of the caller's that a message is copied to, starting while the message is still being
//! put.
//!
//! A put that copies a large message takes as long as the get that copies it out. So the second
//! copy follows the first: [`read_ahead`] copies the pieces that the producer has filled so far,
//! and [`copy_out`] the rest, once the value is published and its guard is there.
//! `protocol/ahead.rs` argues why pieces of another value are never kept.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::{Arc, Weak};

use crate::message::Message;
use crate::os::copy;
use crate::protocol::Ahead;
use crate::region::Region;
use crate::slot::{Consumer, Guard, LEAST_AHEAD, PIECE, Slot};

/// Memory of the caller's for the bytes of a message after its first `skip`.
///
/// Pieces that were read ahead belong to one region: reading ahead in another one starts anew.
///
/// # Examples
/// ```
/// use io_shared_core::binding::{self, CopyTarget};
/// use io_shared_core::{Message, Slot, Spec, Which};
/// # fn main() -> io_shared_core::Result<()> {
/// # let name = io_shared_core::Name::new(&format!("/doc-copy-target-{}", std::process::id()))?;
/// # let location = io_shared_core::Location::from(name);
/// let spec = Spec { schema: Some(<[u8]>::schema()), capacity: Some(9), ..Spec::default() };
/// let mut producer = Slot::producing(&location, &spec)?;
/// let mut consumer = Slot::consuming(&location, None, &spec)?;
/// binding::put_parts(producer.loan::<[u8]>(9)?, &[b"head", b"cloud"])?;
///
/// let mut bytes = Vec::with_capacity(5);
/// let mut target = CopyTarget::new(4, &mut bytes.spare_capacity_mut()[..5]);
/// let meanwhile = |slot: &mut Slot<_>, _| Ok(binding::read_ahead(slot, &mut target));
/// let guard = consumer.acquire::<[u8]>(Which::Unseen, meanwhile)?.expect("a value was put");
/// assert!(binding::copy_out(&guard, target)); // what was not read ahead
/// // SAFETY: `copy_out` has written all 5 bytes.
/// unsafe { bytes.set_len(5) };
/// assert_eq!((&guard[..4], &bytes[..]), (&b"head"[..], &b"cloud"[..]));
/// # drop(guard);
/// # io_shared_core::remove(&location, io_shared_core::Kind::Channel)
/// # }
/// ```
#[derive(Debug)]
pub struct CopyTarget<'a> {
    skip: usize,
    bytes: &'a mut [MaybeUninit<u8>],
    ahead: Ahead,
    /// The region whose pieces were read ahead: each region numbers its fillings by itself. Weak,
    /// so that no other region comes to lie at the same address.
    region: Weak<Region>,
}

impl<'a> CopyTarget<'a> {
    /// Takes `bytes` for a message that is `skip` bytes longer than they are.
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

    /// The part of these pieces that the target takes: where in the message it starts, and where it
    /// goes.
    fn part(&mut self, pieces: Range<u64>) -> (usize, &mut [MaybeUninit<u8>]) {
        let offset =
            |pieces: u64| usize::try_from(pieces).unwrap_or(usize::MAX).saturating_mul(PIECE);
        let clamp = |at: usize| at.saturating_sub(self.skip).min(self.bytes.len());
        let (start, end) = (clamp(offset(pieces.start)), clamp(offset(pieces.end)));
        (self.skip + start, self.bytes.get_mut(start..end).unwrap_or_default())
    }
}

/// Copies the pieces of the next value that its producer has filled since the last call. Call it
/// while the consumer waits, after [`Slot::acquire`] has found nothing. Returns whether there were
/// any.
///
/// The copied bytes are worthless before [`copy_out`].
pub fn read_ahead(slot: &mut Slot<Consumer>, target: &mut CopyTarget<'_>) -> bool {
    let region = &*slot.region;
    let length = target.length();
    let is_worth_it = length >= LEAST_AHEAD && length as u64 <= region.payload_size();
    if !is_worth_it || region.is_forked() {
        return false;
    }
    if !target.is_of(&slot.region) {
        (target.region, target.ahead) = (Arc::downgrade(&slot.region), Ahead::default());
    }
    let mut ahead = target.ahead;
    let more = slot.side.protocol.read_ahead(region, &mut ahead, |buffer, pieces| {
        let (start, to) = target.part(pieces);
        // SAFETY: the bytes lie within the payload, which is at least as long as the target's
        // message, and is mapped as long as the region.
        unsafe { copy::shared(region.payload(buffer).wrapping_add(start), to) };
    });
    target.ahead = ahead;
    more
}

/// Copies the message, without the bytes that the target skips and those that were
/// [read ahead](read_ahead), to the target.
///
/// Returns `false` if the message has another length than the target expects, or must be
/// [checked](Message::CHECKED), which the copy in the target would not be. The target's bytes are
/// worthless then.
pub fn copy_out<T: Message + ?Sized>(guard: &Guard<'_, T>, mut target: CopyTarget<'_>) -> bool {
    let bytes = guard.as_bytes();
    if bytes.len() != target.length() || guard.has_checks() {
        return false;
    }
    let done = guard.pieces_ahead(|region| target.is_of(region).then_some(target.ahead));
    let (start, to) = target.part(done..u64::MAX);
    copy::slice_uninit(&bytes[start..], to);
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::binding::put_parts;
    use crate::message::Message;
    use crate::os::clock;
    use crate::protocol::{Which, Words};
    use crate::region::Location;
    use crate::region::Spec;
    use crate::slot::Producer;

    const LENGTH: usize = 4 * PIECE;

    /// A channel of messages that may be read ahead, whose consumer has had three and waits.
    fn waiting(name: &str, skip: usize) -> (Location, Slot<Producer>, Slot<Consumer>) {
        let name = format!("/target-{name}-{}", std::process::id());
        let location = Location::from(crate::Name::new(&name).unwrap());
        let capacity = Some((skip + LENGTH) as u64);
        let spec = Spec { schema: Some(<[u8]>::schema()), capacity, ..Spec::default() };
        let mut producer = Slot::producing(&location, &spec).unwrap();
        let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
        for _ in 0..3 {
            let value = vec![9; skip + LENGTH];
            put_parts(producer.loan::<[u8]>(value.len()).unwrap(), &[&value]).unwrap();
            assert!(get(&mut consumer).is_some());
            assert!(get(&mut consumer).is_none());
        }
        (location, producer, consumer)
    }

    fn get(consumer: &mut Slot<Consumer>) -> Option<Guard<'_, [u8]>> {
        consumer.acquire::<[u8]>(Which::Unseen, |_, nothing| nothing.map(|()| false)).unwrap()
    }

    fn remove(location: &Location) {
        crate::remove(location, crate::Kind::Channel).unwrap();
    }

    fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
        // SAFETY: these bytes; a target only ever has bytes written to it.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
    }

    /// The copy is then given up.
    fn read_half_a_copy(
        producer: &mut Slot<Producer>,
        consumer: &mut Slot<Consumer>,
        target: &mut CopyTarget<'_>,
    ) {
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        loan.fill(1);
        loan.say_filled(2);
        assert!(read_ahead(consumer, target));
    }

    #[test]
    fn what_was_read_ahead_is_not_copied_again() {
        for skip in [0, 128, PIECE + 1] {
            let (location, mut producer, mut consumer) = waiting("ahead", skip);
            let mut bytes = vec![0; LENGTH];
            let mut target = CopyTarget::new(skip, uninit(&mut bytes));
            assert!(!read_ahead(&mut consumer, &mut target), "nothing is being put");
            let mut loan = producer.loan::<[u8]>(skip + LENGTH).unwrap();
            for pieces in [1, 2] {
                loan.fill(1);
                loan.say_filled(pieces);
                assert!(read_ahead(&mut consumer, &mut target));
                assert!(!read_ahead(&mut consumer, &mut target), "once");
            }
            // What nobody does: to tell what is copied now from what was copied before.
            loan.fill(2);
            loan.put().unwrap();
            assert!(copy_out(&get(&mut consumer).unwrap(), target));
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
        let mut target = CopyTarget::new(0, uninit(&mut bytes));
        read_half_a_copy(&mut producer, &mut consumer, &mut target);
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        loan.fill(2);
        loan.put().unwrap();
        assert!(copy_out(&get(&mut consumer).unwrap(), target));
        assert_eq!(bytes, vec![2; LENGTH]);
        remove(&location);
    }

    #[test]
    fn what_was_read_ahead_in_another_region_is_copied_again() {
        let (location, mut producer, mut consumer) = waiting("here", 0);
        let (other_location, mut other_producer, mut other) = waiting("there", 0);
        let mut bytes = vec![0; LENGTH];
        let mut target = CopyTarget::new(0, uninit(&mut bytes));
        read_half_a_copy(&mut producer, &mut consumer, &mut target);
        // The same buffer, and a filling of the same number.
        put_parts(other_producer.loan::<[u8]>(LENGTH).unwrap(), &[&[2; LENGTH]]).unwrap();
        assert!(copy_out(&get(&mut other).unwrap(), target));
        assert_eq!(bytes, vec![2; LENGTH]);
        remove(&location);
        remove(&other_location);
    }

    #[test]
    fn what_was_given_up_is_read_once() {
        let (location, mut producer, mut consumer) = waiting("once", 0);
        let mut bytes = vec![0; LENGTH];
        let mut read = |consumer: &mut Slot<Consumer>| {
            read_ahead(consumer, &mut CopyTarget::new(0, uninit(&mut bytes)))
        };
        let mut loan = producer.loan::<[u8]>(LENGTH).unwrap();
        loan.say_filled(2);
        assert!(read(&mut consumer));
        assert!(!read(&mut consumer), "in another target");
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
    fn a_consumer_that_reads_ahead_is_woken_before_the_value_is_there_and_others_are_not() {
        for follows in [true, false] {
            let (location, mut producer, mut consumer) = waiting("rouse", 0);
            let asleep = std::thread::spawn(move || {
                let mut bytes = vec![0; LENGTH];
                if follows {
                    assert!(!read_ahead(
                        &mut consumer,
                        &mut CopyTarget::new(0, uninit(&mut bytes))
                    ));
                }
                let started = std::time::Instant::now();
                consumer.sleep(clock::now() + if follows { 20 } else { 1 } * 1_000_000_000);
                (started.elapsed(), consumer)
            });
            let region = producer.region.clone();
            while region.asleep(0).load(Relaxed) == 0 {
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
        put_parts(producer.loan::<[u8]>(LENGTH).unwrap(), &[&[1; LENGTH]]).unwrap();
        assert!(get(&mut consumer).is_some());
        assert_eq!(consumer.region.filled().load(Relaxed), before + (1 << 24));
        remove(&location);
    }

    #[test]
    fn a_value_that_does_not_fit_its_target_is_refused() {
        let (location, mut producer, mut consumer) = waiting("fit", 0);
        for length in [LENGTH, LENGTH - 2, 0] {
            producer.loan::<[u8]>(length).unwrap().put().unwrap();
            let mut bytes = vec![7; LENGTH - 1];
            let guard = get(&mut consumer).unwrap();
            assert!(!copy_out(&guard, CopyTarget::new(0, uninit(&mut bytes))));
            assert!(!copy_out(&guard, CopyTarget::new(usize::MAX, uninit(&mut bytes))));
            assert_eq!(bytes, vec![7; LENGTH - 1]);
        }
        remove(&location);
    }

    #[test]
    fn whatever_is_said_to_be_filled_the_target_is_not_left() {
        let (location, mut producer, mut consumer) = waiting("hostile", 0);
        for filled in [u64::MAX, 1 << 24 | 5, u64::MAX << 24 | 4, 0] {
            let mut bytes = vec![7; LENGTH + 1];
            let (to, after) = bytes.split_at_mut(LENGTH);
            let mut target = CopyTarget::new(0, uninit(to));
            consumer.region.filled().store(filled, Relaxed);
            read_ahead(&mut consumer, &mut target);
            let mut larger = vec![7; LENGTH * 2];
            assert!(
                !read_ahead(&mut consumer, &mut CopyTarget::new(0, uninit(&mut larger))),
                "no such payload"
            );
            put_parts(producer.loan::<[u8]>(LENGTH).unwrap(), &[&[3; LENGTH]]).unwrap();
            assert!(copy_out(&get(&mut consumer).unwrap(), target));
            assert_eq!(after, [7]);
            assert_eq!(bytes[..LENGTH], [3; LENGTH]);
            assert!(get(&mut consumer).is_none());
        }
        remove(&location);
    }
}
