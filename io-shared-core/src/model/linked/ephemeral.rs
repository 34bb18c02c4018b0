//! What is tried around an ephemeral channel that grows: it goes with its last user, whichever of
//! its regions that one is in.

use std::rc::Rc;

use super::exchange::with_a_value;
use super::scenarios::{GROWING, KEPT, audit, consumer};
use super::world::{Made, Process, Role, World};
use crate::model::protocol::audit::{Audit, put};
use crate::model::protocol::process::Process as Peer;
use crate::model::victim::{Fate, Killable};
use crate::protocol::Consumer;
use crate::region::link_protocol::Joinable;

const EPHEMERAL: Made = Made { ephemeral: true, ..KEPT };
/// Consumers bring their buffers with them.
const JOINED: Made = Made { ephemeral: true, ..GROWING };

/// The consumer leaves, and has not followed, while the producer grows the channel and leaves.
pub(super) fn left(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, EPHEMERAL);
    let user = consumer(&world, 0);
    assert_eq!(user.handle(&region).enter(), Ok(Some(())));
    let old = Rc::clone(&region);
    let victim = grower.run_victim(fate, move |me| {
        let (new, _) = me.grow(&old, &producer).unwrap().unwrap();
        me.handle(&new).leave();
    });
    let user = user.handle(&region);
    let _ = user.is_replaced(); // it looks, and does not follow
    user.leave();
    if victim.end().is_some() {
        assert!(world.named().is_none(), "nobody is left, and so is no name");
    }
    audit(&world, EPHEMERAL, &[]);
    assert!(world.named().is_none(), "what a killed one left went with the next");
}

/// The consumer follows, and has a role in both regions until it has, while another joins the
/// larger one, whose producer puts there and leaves.
pub(super) fn in_both(fate: Fate) {
    let world = World::new();
    let (grower, region, producer) = with_a_value(&world, JOINED);
    let user = consumer(&world, 0);
    assert_eq!(user.handle(&region).enter(), Ok(Some(())));
    let old = Rc::clone(&region);
    let victim = grower.run_victim(fate, move |me| {
        let (new, mut heir) = me.grow(&old, &producer).unwrap().unwrap();
        put(&Peer::new(&new.slot, 3), &mut heir, 0).unwrap();
        me.handle(&new).leave();
    });
    let joiner = consumer(&world, 1).run(|me| me.attach(JOINED, false).unwrap().leave());
    let follower = Process::new(&world, 11, Role::Consumer(0));
    let mut last = user.handle(&region);
    if last.is_replaced() {
        let found = follower.open().expect("one that has not followed yet is a user");
        assert_eq!(region.successor.get(), Some(found.region.number), "it is the same channel");
        assert_eq!(found.enter(), Ok(Some(())));
        last.leave();
        let me = Peer::new(&found.region.slot, 11);
        let mut consumer = Consumer::take_over(&me, 0, 1, true).unwrap();
        assert!(Audit::new(&me, &mut consumer, 0).get().is_some(), "the newest value of either");
        last = found;
    }
    victim.end();
    joiner.end();
    Peer::new(&last.region.slot, 11).audit_pool();
    last.leave();
    assert!(world.named().is_none(), "the last user has left, and so is no name");
}
