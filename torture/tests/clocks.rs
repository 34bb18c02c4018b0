//! Clocks that cannot be compared: those of other time namespaces, and stamps that are later than
//! now.

#![allow(clippy::unwrap_used)]

mod child;

use std::time::Duration;

use child::{in_child, not_run, succeeds};
use io_shared::{Channel, Consumer, Observer};
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use test_support::{TestFile, TestName};

/// Runs `inside` in a time namespace whose monotonic clock is `seconds` ahead. Returns `false`
/// where that is not allowed.
fn in_time_namespace(seconds: i64, inside: impl FnOnce()) -> bool {
    const REFUSED: i32 = 9;
    let child = in_child(|| {
        // SAFETY: unshare has no preconditions; the child has one thread.
        let unshared = Errno::result(unsafe { libc::unshare(libc::CLONE_NEWTIME) });
        let offsets = format!("monotonic {seconds} 0");
        if unshared.is_err() || std::fs::write("/proc/self/timens_offsets", offsets).is_err() {
            // SAFETY: _exit has no preconditions.
            unsafe { libc::_exit(REFUSED) }
        }
        succeeds(in_child(inside));
    });
    let status = waitpid(child, None).unwrap();
    if status == WaitStatus::Exited(child, REFUSED) {
        not_run("this machine does not let the test have a time namespace");
        return false;
    }
    assert_eq!(status, WaitStatus::Exited(child, 0));
    true
}

/// The ages of the latest value, from everything that has one, and its stamps.
fn ages(
    consumer: &mut Consumer<[u64; 2]>,
    observer: &mut Observer<[u64; 2]>,
) -> Vec<(Option<Duration>, u64)> {
    let mut ages = Vec::new();
    let held = consumer.latest().unwrap().unwrap();
    ages.push((held.age(), held.stamp()));
    let copied = held.to_copy().unwrap();
    ages.push((copied.age(), copied.stamp()));
    let owned = held.into_owned();
    ages.push((owned.age(), owned.stamp()));
    let copy = observer.copy().unwrap().unwrap();
    ages.push((copy.age(), copy.stamp()));
    ages.push((copy.clone().age(), copy.clone().stamp()));
    ages
}

fn ends(channel: impl Fn() -> Channel<[u64; 2]>) -> (Consumer<[u64; 2]>, Observer<[u64; 2]>) {
    (channel().consumer().unwrap(), channel().observer().unwrap())
}

#[test]
fn a_value_stamped_in_another_time_namespace_has_no_age_in_either_direction() {
    let name = TestName::new("time-namespace");
    let file = TestFile::new("time-namespace");
    let in_memory = || Channel::<[u64; 2]>::named(&*name);
    let on_disk = || Channel::<[u64; 2]>::file(&*file);
    let both: [&dyn Fn() -> Channel<[u64; 2]>; 2] = [&in_memory, &on_disk];
    for channel in both {
        channel().producer().unwrap().put(&[1, 1]).unwrap();
        let (mut consumer, mut observer) = ends(channel);
        assert!(ages(&mut consumer, &mut observer).iter().all(|(age, _)| age.is_some()));
        drop((consumer, observer));
        for seconds in [100_000, -1] {
            let value = u64::from(seconds > 0) + 2;
            if !in_time_namespace(seconds, || {
                let (mut consumer, mut observer) = ends(channel);
                let ages_of = |c: &mut _, o: &mut _| ages(c, o);
                assert_eq!(ages_of(&mut consumer, &mut observer), [(None, 0); 5]);
                // A value stamped in here has an age in here.
                channel().producer().unwrap().put(&[value; 2]).unwrap();
                let told = ages_of(&mut consumer, &mut observer);
                assert!(told.iter().all(|(age, _)| age.is_some_and(|age| age.as_secs() < 60)));
            }) {
                return;
            }
            let (mut consumer, mut observer) = ends(channel);
            assert_eq!(consumer.latest().unwrap().unwrap()[0], value);
            assert_eq!(ages(&mut consumer, &mut observer), [(None, 0); 5], "{seconds}");
        }
        channel().producer().unwrap().put(&[4, 4]).unwrap();
        let (mut consumer, mut observer) = ends(channel);
        assert!(ages(&mut consumer, &mut observer).iter().all(|(age, _)| age.is_some()));
    }
}

#[test]
fn what_was_got_before_a_fork_has_no_age_in_a_child_with_another_clock() {
    let name = TestName::new("time-fork");
    io_shared::producer::<[u64; 2]>(&name).unwrap().put(&[1, 1]).unwrap();
    let mut consumer = io_shared::consumer::<[u64; 2]>(&name).unwrap();
    let copy = consumer.latest().unwrap().unwrap().to_copy().unwrap();
    let owned = consumer.latest().unwrap().unwrap().into_owned();
    in_time_namespace(100_000, || {
        assert_eq!((copy.age(), copy.stamp()), (None, 0));
        assert_eq!((owned.age(), owned.stamp()), (None, 0));
    });
    // A child with the same clock knows it.
    succeeds(in_child(|| assert!(copy.age().is_some() && owned.age().is_some())));
    assert!(copy.age().is_some() && owned.age().is_some());
}
