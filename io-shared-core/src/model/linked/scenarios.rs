//! What is tried, while one of them is killed at each crash point in turn.

use std::rc::Rc;

use super::world::{Handle, Made, Process, Refusal, Region, Role, World};
use crate::crash_point::CrashPoint;
use crate::model::protocol::audit::{Audit, put};
use crate::model::protocol::process::Process as Peer;
use crate::model::victim::{Fate, Killable};
use crate::protocol::{Consumer, Producer, entries, is_asleep};
use crate::region::link_protocol::{Joinable, Removed, Users};

pub(super) const KEPT: Made = Made { shape: 1, ephemeral: false, grows: false };
pub(super) const OTHER: Made = Made { shape: 2, ephemeral: false, grows: false };
const THIRD: Made = Made { shape: 3, ephemeral: false, grows: false };
const EPHEMERAL: Made = Made { shape: 1, ephemeral: true, grows: false };
pub(super) const GROWING: Made = Made { grows: true, ..KEPT };

/// A world with one region, which nobody uses.
fn left_by_its_creator(made: Made) -> Rc<World> {
    let world = World::new();
    let creator = Process::new(&world, 99, Role::Producer);
    creator.attach(Made { ephemeral: false, ..made }, false).unwrap().leave();
    world
}

pub(super) fn consumer(world: &Rc<World>, slot: usize) -> Process {
    Process::new(world, 1 + slot as u32, Role::Consumer(slot))
}

/// When everything is over: a newcomer gets in, and a region that was said to be open is, or its
/// users see that it is not.
pub(super) fn audit(world: &Rc<World>, made: Made, users: &[&Handle<'_>]) {
    for user in users {
        let named = world.named().is_some_and(|named| Rc::ptr_eq(&named, &user.region));
        assert_eq!(user.is_replaced(), !named, "a user knows whether the name leads there");
    }
    if let Some(named) = world.named() {
        assert!(!named.is_marked(), "what the name leads to is not marked");
    }
    let late = Process::new(world, 100, Role::Producer);
    match late.attach(made, true) {
        Some(handle) => handle.leave(),
        None => assert!(world.named().unwrap().is_used(), "refused because of nobody"),
    }
}

/// One process by itself: a removal that fails.
pub(super) fn not_owner(_: Fate) {
    let world = left_by_its_creator(KEPT);
    let remover = Process::new(&world, 3, Role::Producer);
    world.sticky.set(true);
    for users in [Users::Any, Users::None] {
        let found = remover.open().unwrap();
        assert_eq!(found.remove(users), Err(Refusal::NotOwner));
        assert!(!found.region.is_marked(), "nothing is marked");
    }
    world.sticky.set(false);
    let user = consumer(&world, 0);
    let user = user.attach(KEPT, false).unwrap();
    let found = remover.open().unwrap();
    assert_eq!(found.remove(Users::None), Ok(Removed::InUse));
    audit(&world, KEPT, &[&user]);
    assert_eq!(found.remove(Users::Any), Ok(Removed::Done));
    assert!(found.region.is_marked(), "a user that spins looks at the flag alone");
    assert_eq!(found.remove(Users::Any), Ok(Removed::NameMoved));
    audit(&world, OTHER, &[&user]);
}

/// One thing after the other: the region is removed between an opener's open and its claim, and its
/// producer lives on in it.
pub(super) fn taken_and_removed(_: Fate) {
    let world = World::new();
    let producer = Process::new(&world, 3, Role::Producer);
    let producer = producer.attach(KEPT, false).unwrap();
    let opener = Process::new(&world, 4, Role::Producer);
    let found = opener.open().unwrap();
    assert_eq!(found.enter(), Err(Refusal::RoleTaken));
    let remover = Process::new(&world, 5, Role::Producer);
    assert_eq!(remover.open().unwrap().remove(Users::Any), Ok(Removed::Done));
    assert_eq!(found.enter(), Ok(None), "the role that is taken is not the one that was asked for");
    let opened = opener.attach(KEPT, false).unwrap();
    audit(&world, KEPT, &[&producer, &opened]);
}

/// A consumer is asleep before the remover begins, and slices are off.
pub(super) fn woken(_: Fate) {
    let world = left_by_its_creator(KEPT);
    let remover = Process::new(&world, 3, Role::Producer);
    let region = world.named().unwrap();
    let slot = Rc::clone(&region.slot);
    let sleeper = consumer(&world, 0).run(move |me| {
        let handle = me.attach(KEPT, false).unwrap();
        let peer = Peer::new(&handle.region.slot, 1);
        let consumer = Consumer::take_over(&peer, 0, entries(&peer, 0), false).unwrap();
        consumer.sleep(&peer, 0);
        assert!(handle.region.is_marked(), "it sleeps on, for a slice");
    });
    slot.futex.await_sleeper();
    assert_eq!(remover.open().unwrap().remove(Users::Any), Ok(Removed::Done));
    sleeper.end();
}

/// The region is removed under a consumer that gets and sleeps, while a producer puts.
pub(super) fn removal(fate: Fate) {
    let world = left_by_its_creator(KEPT);
    let region = world.named().unwrap();
    let putter = Process::new(&world, 3, Role::Producer);
    let handle = putter.attach(KEPT, false).unwrap();
    let me = Peer::new(&region.slot, 3);
    let mut producer = Producer::take_over(&me).unwrap();
    let getter = consumer(&world, 0);
    assert_eq!(getter.handle(&region).enter(), Ok(Some(())));
    let was_in = Rc::clone(&region);
    let getting = getter.run(move |process| {
        let handle = process.handle(&was_in);
        let me = Peer::new(&handle.region.slot, 1);
        let mut consumer = Consumer::take_over(&me, 0, entries(&me, 0), false).unwrap();
        let mut audit = Audit::new(&me, &mut consumer, 0);
        if audit.get().is_none() && !handle.is_replaced() {
            consumer.sleep(&me, 0);
        }
        assert!(!is_asleep(&me, 0));
    });
    let victim = Process::new(&world, 4, Role::Producer).run_victim(fate, |me| {
        assert_eq!(me.open().unwrap().remove(Users::Any), Ok(Removed::Done))
    });
    put(&me, &mut producer, 0).unwrap();
    let removed = victim.end().is_some();
    // A flag that goes up between a sleeper's look and its sleep is found when the slice ends.
    region.slot.futex.end_slices();
    getting.end();
    assert_eq!(region.is_marked(), removed || died_at(fate, CrashPoint::RemoveRetired));
    assert_eq!(handle.is_replaced(), !died_at(fate, CrashPoint::RemoveLocked));
    put(&me, &mut producer, 0).unwrap();
}

/// Whether the victim is killed there.
pub(super) fn died_at(fate: Fate, point: CrashPoint) -> bool {
    fate.is_some_and(|(at, _)| at == point)
}

/// The region is removed while a consumer enters it, which may be told that it is open when it is
/// not.
pub(super) fn opening(fate: Fate) {
    let world = left_by_its_creator(KEPT);
    let victim = Process::new(&world, 4, Role::Producer).run_victim(fate, |me| {
        let found = me.open().unwrap();
        assert_eq!(found.remove(Users::Any), Ok(Removed::Done));
    });
    let opener = consumer(&world, 0);
    let opened = opener.attach(KEPT, false).unwrap();
    victim.end();
    audit(&world, KEPT, &[&opened]);
}

/// The region is removed as unused, or not, while a consumer joins it, which brings its buffer.
pub(super) fn joining(fate: Fate) {
    let world = left_by_its_creator(GROWING);
    let victim = Process::new(&world, 4, Role::Producer)
        .run_victim(fate, |me| me.open().unwrap().remove(Users::None).unwrap());
    let opener = consumer(&world, 0);
    let opened = opener.attach(GROWING, false).unwrap();
    let removed = victim.end();
    assert!(!opened.is_replaced(), "a region with a user is not unused");
    let me = Peer::new(&opened.region.slot, 1);
    me.audit_pool();
    let mut consumer = Consumer::take_over(&me, 0, 1, false).unwrap();
    let producer = Peer::new(&opened.region.slot, 3);
    let mut producing = Producer::take_over(&producer).unwrap();
    put(&producer, &mut producing, 0).unwrap();
    Audit::new(&me, &mut consumer, 0).end(1);
    assert_ne!(removed, Some(Removed::NameMoved), "nobody else removes it");
    audit(&world, GROWING, &[&opened]);
}

/// Two processes find nothing, and create.
pub(super) fn creators(fate: Fate) {
    let world = World::new();
    let victim = consumer(&world, 1).run_victim(fate, |me| {
        let handle = me.attach(KEPT, false).unwrap();
        Rc::clone(&handle.region)
    });
    let me = consumer(&world, 0);
    let mine = me.attach(KEPT, false).unwrap();
    if let Some(others) = victim.end() {
        assert!(Rc::ptr_eq(&mine.region, &others), "both are in one region");
    }
    assert!(!mine.is_replaced(), "nobody removed it");
    audit(&world, KEPT, &[&mine]);
}

/// An unused region is replaced by one of another shape while a consumer enters it.
pub(super) fn replacer(fate: Fate) {
    let world = left_by_its_creator(KEPT);
    let victim = Process::new(&world, 4, Role::Producer)
        .run_victim(fate, |me| me.attach(OTHER, true).is_some());
    let opener = consumer(&world, 0);
    let opened = opener.attach(KEPT, false);
    match (victim.end(), &opened) {
        (Some(replaced), opened) => {
            assert_ne!(replaced, opened.is_some(), "one is in, the other is told");
        }
        (None, Some(opened)) => assert!(!opened.is_replaced()),
        (None, None) => {}
    }
    audit(&world, OTHER, &Vec::from_iter(&opened));
}

/// Two processes replace an unused region, each by one of its own shape.
pub(super) fn replacers(fate: Fate) {
    let world = left_by_its_creator(KEPT);
    let victim = Process::new(&world, 4, Role::Producer)
        .run_victim(fate, |me| me.attach(OTHER, true).is_some());
    let me = Process::new(&world, 5, Role::Producer);
    let mine = me.attach(THIRD, true);
    if let Some(replaced) = victim.end() {
        assert_ne!(replaced, mine.is_some(), "one is in, the other is told");
    }
    assert!(mine.as_ref().is_none_or(|mine| !mine.is_replaced()));
    audit(&world, THIRD, &Vec::from_iter(&mine));
}

/// An ephemeral region that `users` are in, and nobody else.
fn used_by(world: &Rc<World>, users: &[&Process]) -> Rc<Region> {
    let creator = Process::new(world, 99, Role::Producer);
    let creator = creator.attach(EPHEMERAL, false).unwrap();
    for user in users {
        assert_eq!(user.handle(&creator.region).enter(), Ok(Some(())));
    }
    let region = Rc::clone(&creator.region);
    creator.leave();
    region
}

/// Both users of an ephemeral region leave.
pub(super) fn leavers(_: Fate) {
    let world = World::new();
    let (me, other) = (consumer(&world, 0), consumer(&world, 1));
    let region = used_by(&world, &[&me, &other]);
    let left = Rc::clone(&region);
    let other = other.run(move |me| me.handle(&left).leave());
    me.handle(&region).leave();
    other.end();
    assert!(world.named().is_none(), "nobody is left, and so is no name");
    audit(&world, EPHEMERAL, &[]);
}

/// The last user of an ephemeral region leaves, or is killed while it leaves, as another comes.
pub(super) fn leaver(fate: Fate) {
    let world = World::new();
    let me = consumer(&world, 1);
    let region = used_by(&world, &[&me]);
    let victim = me.run_victim(fate, move |me| me.handle(&region).leave());
    let opener = consumer(&world, 0);
    let opened = opener.attach(EPHEMERAL, false).unwrap();
    victim.end();
    assert!(!opened.is_replaced(), "a user that was told that it is open has the name");
    audit(&world, EPHEMERAL, &[&opened]);
    opened.leave();
    assert!(world.named().is_none(), "and was the last");
}
