//! A producer gives the name of its region to a larger one: the platform of that, and what is tried
//! around it.

use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use super::scenarios::{GROWING, KEPT, OTHER, audit, consumer, died_at};
use super::world::{Handle, Made, Process, Refusal, Region, Role, World};
use crate::crash_point::CrashPoint;
use crate::model::mutant::{self, Mutant, Operation};
use crate::model::protocol::audit::{Audit, message, put};
use crate::model::protocol::process::Process as Peer;
use crate::model::protocol::words::Messages;
use crate::model::victim::{Fate, Killable};
use crate::protocol::{Consumer, Exchange as _, Latest, Producer, Word, Words, entries};
use crate::region::link_protocol::{self, Exchanged, Joinable, Removed, Users};

/// A region, and the larger one that is to have its name.
struct Exchange<'a> {
    old: Handle<'a>,
    new: Rc<Region>,
    producer: &'a Producer,
}

impl Exchange<'_> {
    fn peers(&self) -> [Peer; 2] {
        [&self.old.region, &self.new].map(|region| Peer::new(&region.slot, self.old.me.number))
    }

    /// As `copy_consumers`, where there are entries and what was received.
    fn copy(&self) {
        let [old, new] = self.peers();
        for slot in 0..old.consumer_slots() {
            if entries(&new, slot) < entries(&old, slot) {
                new.join_locked(slot, entries(&old, slot));
            }
            new.last_seen(slot).store(old.last_seen(slot).load(Relaxed), Relaxed);
        }
    }
}

impl<'a> link_protocol::Exchange for Exchange<'a> {
    type Old = Handle<'a>;

    fn old(&self) -> &Handle<'a> {
        &self.old
    }

    #[track_caller]
    fn has_role(&self) -> bool {
        let blind = mutant::is_at(Location::caller(), Operation::Look, Mutant::Blind);
        blind || self.producer.latest(&self.peers()[0]).is_ok()
    }

    #[track_caller]
    fn hand_over(&self) -> Result<(), Refusal> {
        let place = Location::caller();
        mutant::order(place, Operation::Store, Relaxed);
        if !mutant::omits_store(place) {
            self.copy();
        }
        Ok(())
    }

    #[track_caller]
    fn rename(&self) -> Result<(), Refusal> {
        let place = Location::caller();
        mutant::order(place, Operation::Store, Relaxed);
        let owed = mutant::take_owed();
        let world = &self.old.me.world;
        if world.sticky.get() {
            return Err(Refusal::NotOwner);
        }
        self.old.larger.set(Some(self.new.number));
        if !mutant::omits_store(place) {
            world.rename(&self.old.region, self.new.number);
        }
        if owed {
            self.copy();
        }
        Ok(())
    }
}

impl Process {
    /// As `Region::grow`: the larger region, and its producer.
    pub(super) fn grow(
        &self,
        old: &Rc<Region>,
        producer: &Producer,
    ) -> Result<Result<(Rc<Region>, Producer), Exchanged>, Refusal> {
        let made = Made { grows: old.made.grows, ..old.made };
        let new = self.world.add(made, old.slot.beside(made.slot()));
        let me = Peer::new(&new.slot, self.number);
        let latest = producer.latest(&Peer::new(&old.slot, self.number));
        // A handle that has lost its role has the latest value that it knows of.
        let sequence = latest.map_or(producer.sequence(), |latest| latest.sequence);
        if sequence > 0 {
            me.write(0, message(sequence, 0));
            let header = me.header(0);
            header.sequence.store(sequence, Relaxed);
            header.length.store(16 + sequence, Relaxed);
            header.stamp.store(100 + sequence, Relaxed);
            header.tag.store(me.tag(sequence), Relaxed);
            let word = Latest { index: 0, epoch: 0, sequence }.pack();
            assert!(me.latest().compare_exchange(0, word, Relaxed, Relaxed).is_ok());
        }
        self.handle(&new).claim().unwrap();
        let heir = Producer::take_over(&me).unwrap();
        self.mortal.reached(CrashPoint::ExchangeLinked);
        let exchange = Exchange { old: self.handle(old), new: Rc::clone(&new), producer };
        match link_protocol::exchange(&exchange) {
            Ok(Exchanged::Done) => {
                self.handle(&new).is_told();
                old.free(self.number);
                Ok(Ok((new, heir)))
            }
            other => {
                new.free(self.number);
                other.map(Err)
            }
        }
    }
}

/// A producer of a region with one value.
pub(super) fn with_a_value(world: &Rc<World>, made: Made) -> (Process, Rc<Region>, Producer) {
    let process = Process::new(world, 3, Role::Producer);
    let region = Rc::clone(&process.attach(made, false).unwrap().region);
    let me = Peer::new(&region.slot, 3);
    let mut producer = Producer::take_over(&me).unwrap();
    put(&me, &mut producer, 0).unwrap();
    (process, region, producer)
}

/// A new producer puts in what the name leads to. Returns that, and the value's number.
fn put_after(world: &Rc<World>) -> (Rc<Region>, u64) {
    let region = world.named().unwrap();
    let me = Peer::new(&region.slot, 7);
    assert!(region.slot.producer.try_take(7), "a dead producer has no role");
    let mut producer = Producer::take_over(&me).unwrap();
    (region, put(&me, &mut producer, 0).unwrap())
}

/// One thing after the other: exchanges that must not be, and one that is.
pub(super) fn one_after_another(_: Fate) {
    let world = World::new();
    let (first, region, lost) = with_a_value(&world, KEPT);
    let named = |region: &Rc<Region>| Rc::ptr_eq(&world.named().unwrap(), region);
    world.sticky.set(true);
    assert_eq!(first.grow(&region, &lost).err(), Some(Refusal::NotOwner));
    world.sticky.set(false);
    assert!(named(&region) && !region.is_marked(), "nothing has changed");
    // Its descriptor is closed, and another takes the role over.
    region.free(3);
    let second = Process::new(&world, 4, Role::Producer);
    assert_eq!(second.handle(&region).enter(), Ok(Some(())));
    let producer = Producer::take_over(&Peer::new(&region.slot, 4)).unwrap();
    assert_eq!(first.grow(&region, &lost).unwrap().err(), Some(Exchanged::RoleLost));
    assert!(named(&region) && !region.is_marked(), "nothing has changed");
    let (larger, heir) = second.grow(&region, &producer).unwrap().unwrap();
    assert!(named(&larger) && region.is_marked(), "a user that spins looks at the flag alone");
    assert_eq!(heir.sequence(), 1);
    assert_eq!(second.grow(&region, &producer).unwrap().err(), Some(Exchanged::NameMoved));
    assert!(named(&larger));
    assert_eq!(second.handle(&larger).remove(Users::Any), Ok(Removed::Done));
    assert_eq!(second.grow(&larger, &heir).unwrap().err(), Some(Exchanged::NameMoved));
    assert!(world.named().is_none(), "what was removed stays away");
}

/// A consumer is asleep before the exchange begins, and slices are off.
pub(super) fn woken(_: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, KEPT);
    let slot = Rc::clone(&region.slot);
    let sleeper = consumer(&world, 0).run(move |me| {
        let handle = me.attach(KEPT, false).unwrap();
        let peer = Peer::new(&handle.region.slot, 1);
        let mut consumer = Consumer::take_over(&peer, 0, entries(&peer, 0), false).unwrap();
        let mut audit = Audit::new(&peer, &mut consumer, 0);
        audit.get();
        consumer.sleep(&peer, 0);
        assert!(handle.region.is_marked(), "it sleeps on, for a slice");
    });
    slot.futex.await_sleeper();
    assert!(grower.grow(&region, &producer).unwrap().is_ok());
    sleeper.end();
}

/// A consumer gets and sleeps while its producer grows the channel, and follows it.
pub(super) fn followed(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, KEPT);
    let getter = consumer(&world, 0);
    assert_eq!(getter.handle(&region).enter(), Ok(Some(())));
    let old = Rc::clone(&region);
    let getting = getter.run(move |process| {
        let handle = process.handle(&old);
        let me = Peer::new(&old.slot, 1);
        let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), false).unwrap();
        let mut audit = Audit::new(&me, &mut consumer, 0);
        assert_eq!(audit.get(), Some(1), "the newest value of either");
        if !handle.is_replaced() {
            consumer.sleep(&me, 0);
        }
        if !handle.is_replaced() {
            return 1;
        }
        let new = process.attach(KEPT, false).unwrap();
        let me = Peer::new(&new.region.slot, 1);
        // As `take_over_slot` of one that comes from a smaller region.
        me.last_seen(0).store(1, Relaxed);
        let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), true).unwrap();
        old.free(1);
        Audit::new(&me, &mut consumer, 1).get().unwrap_or(1)
    });
    let old = Rc::clone(&region);
    let victim = grower.run_victim(fate, move |me| {
        let (new, mut heir) = me.grow(&old, &producer).unwrap().unwrap();
        put(&Peer::new(&new.slot, 3), &mut heir, 0).unwrap();
        new.free(3);
    });
    let lived = victim.end().is_some();
    region.slot.futex.end_slices();
    let seen = getting.end();
    let renamed = lived || died_at(fate, CrashPoint::ExchangeRenamed);
    let retired = died_at(fate, CrashPoint::ExchangeRetired);
    assert_eq!(region.is_marked(), lived || retired);
    let (named, next) = put_after(&world);
    assert_eq!(!Rc::ptr_eq(&named, &region), renamed || retired);
    assert_eq!(next, if lived { 3 } else { 2 });
    assert!(seen.unwrap() < next);
}

/// A consumer that had the value, and was killed, comes back while its producer grows the channel.
pub(super) fn come_back(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, KEPT);
    let getter = consumer(&world, 0);
    assert_eq!(getter.handle(&region).enter(), Ok(Some(())));
    let me = Peer::new(&region.slot, 1);
    let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), false).unwrap();
    assert_eq!(Audit::new(&me, &mut consumer, 0).get(), Some(1));
    region.free(1);
    let old = Rc::clone(&region);
    let victim = grower.run_victim(fate, move |me| drop(me.grow(&old, &producer).unwrap()));
    let handle = getter.attach(KEPT, false).unwrap();
    let me = Peer::new(&handle.region.slot, 1);
    let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), true).unwrap();
    assert_eq!(Audit::new(&me, &mut consumer, 1).get(), None, "it had the value");
    victim.end();
    audit(&world, KEPT, &[&handle]);
}

/// A consumer joins, with a buffer of its own, while the producer grows the channel.
pub(super) fn joined(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, GROWING);
    let old = Rc::clone(&region);
    let victim = grower.run_victim(fate, move |me| {
        let (new, _) = me.grow(&old, &producer).unwrap().unwrap();
        new.free(3);
    });
    let joiner = consumer(&world, 0);
    let mut handle = joiner.attach(GROWING, false).unwrap();
    victim.end();
    audit(&world, GROWING, &[&handle]);
    if handle.is_replaced() {
        handle.region.free(1);
        handle = joiner.attach(GROWING, false).unwrap();
    }
    let me = Peer::new(&handle.region.slot, 1);
    me.audit_pool();
    let mut consumer = Consumer::take_over(&me, 0, 1, false).unwrap();
    region.free(3);
    let (named, next) = put_after(&world);
    assert!(Rc::ptr_eq(&named, &handle.region));
    assert_eq!(next, 2, "numbers continue");
    Audit::new(&me, &mut consumer, 0).end(2);
}

/// The channel is removed while its producer grows it.
pub(super) fn removed(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, KEPT);
    let victim = grower.run_victim(fate, move |me| match me.grow(&region, &producer).unwrap() {
        Ok(_) | Err(Exchanged::NameMoved) => {}
        other => panic!("{:?}", other.err()),
    });
    let remover = Process::new(&world, 4, Role::Producer);
    while let Some(found) = remover.open() {
        if found.remove(Users::Any).unwrap() == Removed::Done {
            break;
        }
    }
    victim.end();
    assert!(world.named().is_none(), "what was removed stays away");
}

/// Another program wants the channel to have another shape while its producer grows it.
pub(super) fn replaced(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, KEPT);
    let victim = grower.run_victim(fate, move |me| {
        let (new, _) = me.grow(&region, &producer).unwrap().unwrap();
        new
    });
    let replacer = Process::new(&world, 5, Role::Producer);
    let replaced = replacer.attach(OTHER, true);
    match victim.end() {
        Some(new) => {
            assert!(replaced.is_none(), "its producer uses it");
            assert!(Rc::ptr_eq(&new, &world.named().unwrap()));
        }
        None => assert!(replaced.iter().all(|handle| !handle.is_replaced())),
    }
}
