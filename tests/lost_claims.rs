//! Handles whose descriptors other code has closed: they are told, and leave alone what belongs to
//! others by then.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use io_shared::mmap::LockError;
use io_shared::{
    AnyConsumer, Channel, Error, ErrorKind, Message, RwSharedMmap, Shared, SharedMmap, wait_any,
};
use test_support::claims::descriptors_of;
use test_support::{TestName, eventually};

const LONG: Duration = Duration::from_secs(5);

/// The numbers of descriptors belong to the whole process, so tests run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes descriptors, as a program does that closes all it does not know.
fn close(descriptors: Vec<i32>) {
    assert!(!descriptors.is_empty(), "there are some");
    for number in descriptors {
        nix::unistd::close(number).unwrap();
        // Occupy the number, so that the old owner closes nothing of value when it is dropped.
        std::mem::forget(std::fs::File::open("/dev/null").unwrap());
    }
}

fn close_all(name: &TestName) {
    close(descriptors_of(name));
}

fn is_lost<T>(result: Result<T, Error>) -> bool {
    let Err(error) = result else { return false };
    let text = error.to_string();
    let says = [&std::process::id().to_string(), "'s slot (", "open"];
    *error.kind() == ErrorKind::RoleLost && says.iter().all(|&said| text.contains(said))
}

#[test]
fn a_consumer_whose_slot_is_anothers_is_told_and_stores_nothing_there() {
    fn check<T: Message + Copy + PartialEq + std::fmt::Debug>(value: impl Fn(u64) -> T) {
        let name = TestName::new("lost");
        let open = || Channel::<T>::named(&*name).consumer();
        let mut old = open().unwrap();
        close_all(&name);
        let mut producer = io_shared::producer::<T>(&name).unwrap();
        producer.put(&value(1)).unwrap();
        let held = old.get().unwrap().into_owned(); // nobody else has its slot yet
        let mut new = open().unwrap();
        producer.put(&value(2)).unwrap();
        let kept = new.get().unwrap().into_owned();
        producer.put(&value(3)).unwrap();

        for _ in 0..2 {
            assert!(is_lost(old.try_get()));
            assert!(is_lost(old.latest()));
            assert!(is_lost(old.get()));
            assert!(is_lost(old.get_timeout(LONG)));
            assert!(wait_any(&[&old as &dyn AnyConsumer], LONG).unwrap().contains(0));
        }
        let mut old = old.into_async();
        assert!(is_lost(pollster::block_on(old.get())));
        assert_eq!(new.last_seen(), 2);
        drop(held);
        drop(old);
        for n in 4..30 {
            producer.put(&value(n)).unwrap();
            assert_eq!(*kept, value(2), "the new one's hold stands");
        }
        drop(kept);
        assert_eq!(*new.get().unwrap(), value(29));
    }
    let _alone = alone();
    check(|n| [n; 20]);
    check(|n| n);
}

#[test]
fn a_consumer_that_loses_its_slot_while_it_waits_is_told_by_every_kind_of_wait() {
    let _alone = alone();
    for wait in 0..3 {
        for reopens in [false, true] {
            let name = TestName::new("lost-waiting");
            let open = || Channel::<u64>::named(&*name).reopen(reopens).consumer();
            let mut old = open().unwrap();
            let path = name.path();
            let new = thread::scope(|scope| {
                let waiting = scope.spawn(move || match wait {
                    0 => is_lost(old.get_timeout(LONG)),
                    1 => {
                        let ready = wait_any(&[&old as &dyn AnyConsumer], LONG).unwrap();
                        ready.contains(0) && is_lost(old.try_get())
                    }
                    _ => is_lost(pollster::block_on(old.into_async().get())),
                });
                eventually("it sleeps", || std::fs::read(&path).unwrap()[0x108] != 0);
                close_all(&name);
                let new = open().unwrap();
                assert!(waiting.join().unwrap(), "{wait} {reopens}");
                new
            });
            assert_eq!(std::fs::read(&path).unwrap()[0x108] & 1, 0, "nobody waits");
            drop(new);
        }
    }
}

/// Whether somebody else has the lock now.
fn is_taken<G: std::fmt::Debug>(tried: Result<G, LockError<G>>) -> bool {
    matches!(tried, Err(LockError::Failed(error)) if *error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_lock_handle_whose_slot_is_anothers_is_told_and_frees_nobodys_lock() {
    let _alone = alone();
    let name = TestName::new("lost-lock");
    let open = || RwSharedMmap::named(&*name).size(8).handles(2).open().unwrap();
    for write in [true, false] {
        let mut old = open();
        let guards = match write {
            true => (Some(old.write().unwrap()), None),
            false => (None, Some(old.read().unwrap())),
        };
        close_all(&name);
        let (mut new, mut third) = (open(), open());
        let guard = new.write().or_else(LockError::into_guard).unwrap();
        drop(guards);
        assert!(is_taken(third.try_write()) && is_taken(third.try_read()));
        guard.mark_consistent();
        drop(guard);
        let read = new.read().unwrap();
        for _ in 0..2 {
            assert!(is_lost(old.write().map_err(Error::from)));
            assert!(is_lost(old.read().map_err(Error::from)));
        }
        drop(old);
        assert!(is_taken(third.try_write()), "the new one still reads");
        drop(read);
        assert!(third.try_write().is_ok());
    }
    drop(RwSharedMmap::remove(&*name));

    let name = TestName::new("lost-mutex");
    let open = || SharedMmap::named(&*name).size(8).handles(1).open().unwrap();
    let mut old = open();
    close_all(&name);
    let _new = open();
    assert!(is_lost(old.lock().map_err(Error::from)));
    drop(SharedMmap::remove(&*name));

    let name = TestName::new("lost-state");
    let mut old = Shared::<u64>::named(&*name).handles(1).open().unwrap();
    close_all(&name);
    let _new = Shared::<u64>::named(&*name).open().unwrap();
    assert!(is_lost(old.write().map_err(Error::from)));
    assert!(is_lost(old.read().map_err(Error::from)));
    drop(Shared::<u64>::remove(&*name));
}

#[test]
fn a_lock_that_was_taken_for_a_dead_ones_is_told_of_at_the_next() {
    let _alone = alone();
    for write in [true, false] {
        let name = TestName::new("buried-lock");
        let open = || RwSharedMmap::named(&*name).size(8).open().unwrap();
        let mut old = open();
        let guards = match write {
            true => (Some(old.write().unwrap()), None),
            false => (None, Some(old.read().unwrap())),
        };
        // Opened before it loses its claim, so that this handle does not get its slot.
        let its = descriptors_of(&name);
        let (mut other, mut third) = (open(), open());
        close(its);
        let guard = other.write().or_else(LockError::into_guard).unwrap();
        drop(guards);
        assert!(is_taken(third.try_write()) && is_taken(third.try_read()));
        let told = old.write().map(drop).map_err(Error::from).unwrap_err();
        assert_eq!(*told.kind(), ErrorKind::RoleLost, "{told}");
        drop(guard);
        drop(RwSharedMmap::remove(&*name));
    }
}

#[test]
fn an_owner_that_opens_anew_as_the_error_says_keeps_the_role_when_the_old_handles_go() {
    let _alone = alone();
    let name = TestName::new("anew");
    let channel = || Channel::<u64>::named(&*name);
    let (old, other) = (channel().consumer().unwrap(), channel().producer().unwrap());
    // The numbers are free, and what is opened next gets them.
    descriptors_of(&name).into_iter().for_each(|number| nix::unistd::close(number).unwrap());
    let (mut consumer, mut producer) =
        (channel().consumer().unwrap(), channel().producer().unwrap());
    drop((old, other));
    assert_eq!(descriptors_of(&name).len(), 2, "the new ones' are open");
    let taken = channel().producer().unwrap_err();
    assert!(matches!(taken.kind(), ErrorKind::RoleTaken { .. }), "{taken}");
    let other = channel().consumer().unwrap();
    assert_eq!(descriptors_of(&name).len(), 3, "it has taken another slot");
    drop(other);
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get_timeout(LONG).unwrap(), 1);

    let name = TestName::new("anew-lock");
    let open = || SharedMmap::named(&*name).size(8).handles(1).open();
    let old = open().unwrap();
    descriptors_of(&name).into_iter().for_each(|number| nix::unistd::close(number).unwrap());
    let _new = open().unwrap();
    drop(old);
    assert!(matches!(open().unwrap_err().kind(), ErrorKind::NoSlot { .. }));
    SharedMmap::remove(&*name).unwrap();
}

#[test]
fn a_lock_handle_without_its_descriptor_waits_for_nobody_and_robs_nobody() {
    let _alone = alone();
    for lives in [false, true] {
        let name = TestName::new("no-descriptor");
        let open = || SharedMmap::named(&*name).size(8).open().unwrap();
        let mut owner = open();
        let its = descriptors_of(&name);
        let mut third = open();
        let kept = descriptors_of(&name);
        let mut ours = open();
        let mut others = descriptors_of(&name);
        others.retain(|number| !kept.contains(number));
        let guard = owner.lock().unwrap();
        if !lives {
            close(its);
        }
        // Another file has its number, and in that file nobody has claimed anything.
        let file = tempfile::tempfile().unwrap();
        for number in others {
            nix::unistd::close(number).unwrap();
            while nix::unistd::dup(&file).is_ok_and(|copy| {
                let copied = std::os::fd::IntoRawFd::into_raw_fd(copy);
                copied < number
            }) {}
        }
        let told = Error::from(ours.lock_timeout(LONG).map(drop).unwrap_err());
        assert_eq!(*told.kind(), ErrorKind::RoleLost, "{told}");
        assert!(told.to_string().contains("open it again"), "{told}");
        if lives {
            assert!(is_taken(third.try_lock()), "its owner has it still");
        } else {
            assert!(matches!(third.try_lock(), Err(LockError::OwnerDied(_))));
        }
        drop((guard, ours));
        SharedMmap::remove(&*name).unwrap();
    }
}

#[test]
fn what_cannot_be_asked_without_a_descriptor_is_not_answered() {
    let _alone = alone();
    let name = TestName::new("asked");
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let consumer = io_shared::consumer::<u64>(&name).unwrap();
    close_all(&name);
    let told = [
        consumer.has_producer().unwrap_err(),
        producer.connected().unwrap_err(),
        producer.wait_taken(LONG).unwrap_err(),
    ];
    for error in told {
        assert_eq!(*error.kind(), ErrorKind::RoleLost, "{error}");
        assert!(error.to_string().contains("other code in this program closed"), "{error}");
    }
}
