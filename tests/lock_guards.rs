//! Guards of locks: a panic while one is held, a forgotten one, and one that another thread drops.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use io_shared::{ErrorKind, RwSharedMmap, Shared, SharedMmap};
use test_support::TestName;
use test_support::locks::{died, failed};

#[test]
fn a_panic_in_the_middle_of_a_write_is_told_of_like_a_death() {
    let name = TestName::new("panic");
    let mut shared = SharedMmap::named(&*name).size(16).open().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = shared.lock().unwrap();
        guard.write_all(b"half").unwrap();
        panic!("in the middle");
    }));
    assert!(panicked.is_err());
    died(shared.lock()).mark_consistent();
    drop(shared.lock().unwrap());

    let name = TestName::new("panic-rw");
    let mut shared = RwSharedMmap::named(&*name).size(16).open().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = shared.read().unwrap();
        panic!("reading breaks nothing");
    }));
    assert!(panicked.is_err());
    drop(shared.write().unwrap());
    // A destructor takes the lock and releases it while a panic from elsewhere unwinds.
    struct Last<'a>(&'a mut RwSharedMmap);
    impl Drop for Last<'_> {
        fn drop(&mut self) {
            self.0.write().unwrap().write_all(b"whole").unwrap();
        }
    }
    assert!(
        catch_unwind(AssertUnwindSafe(|| {
            let _last = Last(&mut shared);
            panic!("elsewhere");
        }))
        .is_err()
    );
    drop(shared.write().unwrap());
}

#[test]
fn a_second_lock_with_a_forgotten_guard_is_refused_and_no_hang() {
    let name = TestName::new("forgotten");
    let mut shared = SharedMmap::named(&*name).size(16).open().unwrap();
    let mut other = SharedMmap::named(&*name).open().unwrap();
    std::mem::forget(shared.lock().unwrap());
    assert_eq!(failed(shared.lock()), ErrorKind::WouldDeadlock);
    assert_eq!(failed(shared.try_lock()), ErrorKind::WouldDeadlock);
    assert_eq!(failed(shared.lock_timeout(Duration::from_secs(1))), ErrorKind::WouldDeadlock);
    assert_eq!(failed(other.try_lock()), ErrorKind::WouldBlock);
    drop(shared); // and its claim
    drop(died(other.try_lock()));

    let name = TestName::new("forgotten-rw");
    let mut shared = RwSharedMmap::named(&*name).size(16).open().unwrap();
    let mut other = RwSharedMmap::named(&*name).open().unwrap();
    std::mem::forget(shared.read().unwrap());
    assert_eq!(failed(shared.read()), ErrorKind::WouldDeadlock);
    assert_eq!(failed(shared.write()), ErrorKind::WouldDeadlock);
    drop(other.read().unwrap());
    assert_eq!(failed(other.try_write()), ErrorKind::WouldBlock);
    drop(shared);
    drop(other.try_write().unwrap()); // a reader leaves nothing half-written
    let mut shared = RwSharedMmap::named(&*name).open().unwrap();
    std::mem::forget(shared.write().unwrap());
    assert_eq!(failed(shared.read()), ErrorKind::WouldDeadlock); // nested in a writer
    assert_eq!(failed(shared.write()), ErrorKind::WouldDeadlock);
}

#[test]
fn guards_may_go_to_another_thread() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let name = TestName::new("send");
    let mut shared = RwSharedMmap::named(&*name).size(16).open().unwrap();
    let guard = is_send(shared.write().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
    drop(is_send(shared.read().unwrap()));
    let mut state = Shared::<u64>::open(format!("{}-state", &*name)).unwrap();
    drop(is_send(state.write().unwrap()));
    drop(is_send(state.read().unwrap()));
    Shared::<u64>::remove(format!("{}-state", &*name)).unwrap();
}
