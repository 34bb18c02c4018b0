//! Another shape under the same name: a producer replaces it, consumers wait for that, and nothing
//! that somebody uses is lost.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, List, ListData, Message};
use test_support::claims::{claim, descriptors_of};
use test_support::pose::{Pose, is_mismatch, later};
use test_support::{TestName, eventually};

fn inode(name: &TestName) -> u64 {
    std::fs::metadata(name.path()).unwrap().ino()
}

#[test]
fn a_consumer_of_another_type_waits_for_the_replacement_but_not_for_ever() {
    let name = TestName::new("replacement");
    drop(io_shared::producer::<Pose>(&name).unwrap());
    let open = |timeout| {
        Channel::<later::Pose>::named(&*name).open_timeout(Duration::from_millis(timeout))
    };
    let started = Instant::now();
    let error = open(100).consumer().unwrap_err();
    assert!(is_mismatch(&error, 0), "{error}");
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert!(started.elapsed() < Duration::from_secs(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| open(2000).consumer().map(drop));
        std::thread::sleep(Duration::from_millis(20));
        let _producer = io_shared::producer::<later::Pose>(&name).unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_consumer_of_a_new_type_waits_for_its_producer_as_for_a_channel_that_is_not_there() {
    let name = TestName::new("patient");
    drop(io_shared::producer::<Pose>(&name).unwrap());
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| io_shared::consumer::<later::Pose>(&name).map(drop));
        let open = || Channel::<later::Pose>::named(&*name).observer().map(drop);
        let observer = scope.spawn(open);
        std::thread::sleep(Duration::from_millis(1200)); // longer than any default of a second
        assert!(!consumer.is_finished() && !observer.is_finished());
        let _producer = io_shared::producer::<later::Pose>(&name).unwrap();
        consumer.join().unwrap().unwrap();
        observer.join().unwrap().unwrap();
    });
}

#[test]
fn what_no_producer_replaces_is_not_waited_for() {
    let name = TestName::new("impatient");
    let lock = io_shared::SharedMmap::named(&*name).size(8).open().unwrap();
    let number = Channel::<u32>::anonymous().consumer().unwrap();
    let descriptor = number.as_fd().unwrap().try_clone_to_owned().unwrap();
    let started = Instant::now();
    let error = io_shared::consumer::<u64>(&name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    let error = Channel::<u64>::from_fd(descriptor).consumer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    drop(lock);
}

#[test]
fn another_layout_version_is_a_mismatch_that_a_producer_replaces() {
    let name = TestName::new("version");
    let user = io_shared::consumer::<u64>(&name).unwrap();
    let mut bytes = std::fs::read(name.path()).unwrap();
    bytes[8] = 4;
    std::fs::write(name.path(), &bytes).unwrap();
    let open = || Channel::<u64>::named(&*name).open_timeout(Duration::ZERO);
    let before = inode(&name);
    // A producer replaces it, but not while somebody uses it.
    for error in [open().consumer().unwrap_err(), open().producer().unwrap_err()] {
        assert!(is_mismatch(&error, 1), "{error}");
        assert!(error.to_string().contains("layout version: channel has 4"), "{error}");
    }
    assert_eq!(inode(&name), before);
    drop(user);
    let error = open().consumer().unwrap_err();
    assert!(is_mismatch(&error, 0), "{error}");
    assert!(io_shared::producer::<u64>(&name).is_ok());
    assert_ne!(inode(&name), before);
}

#[test]
fn a_consumer_does_not_take_a_replacer_at_work_for_a_producer() {
    let name = TestName::new("replacer");
    drop(io_shared::producer::<Pose>(&name).unwrap());
    // Every role is claimed, as by a replacer just before it removes the region.
    let replacer = claim(&name, 1, (1 << 16) - 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let open = Channel::<later::Pose>::named(&*name);
            open.open_timeout(Duration::from_secs(2)).consumer().map(drop)
        });
        eventually("the consumer looks", || descriptors_of(&name).len() > 1);
        drop(replacer);
        let _producer = io_shared::producer::<later::Pose>(&name).unwrap();
        waiting.join().unwrap().unwrap();
    });
    // A consumer that does not wait does not name the replacer as a user either.
    let replacer = claim(&name, 0x100, 256);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let open = Channel::<Pose>::named(&*name);
            open.open_timeout(Duration::ZERO).consumer().map(drop).unwrap_err()
        });
        eventually("the consumer looks", || {
            descriptors_of(&name).len() > 1 || looking.is_finished()
        });
        drop(replacer);
        let error = looking.join().unwrap();
        assert!(is_mismatch(&error, 0), "{error}");
    });
}

#[test]
fn consumers_that_wait_for_a_replacement_all_live_through_it() {
    for _ in 0..20 {
        let name = TestName::new("waiters");
        drop(io_shared::producer::<Pose>(&name).unwrap());
        let open = || Channel::<later::Pose>::named(&*name).consumers(4);
        std::thread::scope(|scope| {
            let waiting = [(); 4].map(|()| {
                scope.spawn(|| open().open_timeout(Duration::from_secs(5)).consumer().map(drop))
            });
            eventually("a consumer looks", || !descriptors_of(&name).is_empty());
            let _producer = open().producer().unwrap();
            for consumer in waiting {
                consumer.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn the_second_for_a_replacement_counts_from_the_first_sight_of_the_other_shape() {
    let name = TestName::new("second");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Channel::<[u64]>::named(&*name).consumer().map(drop));
        // Longer than a second, in which there is no channel.
        std::thread::sleep(Duration::from_millis(1100));
        drop(Channel::<[u32]>::named(&*name).elements(4).producer().unwrap());
        eventually("the consumer looks", || !descriptors_of(&name).is_empty());
        let _producer = Channel::<[u64]>::named(&*name).elements(4).producer().unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_producer_that_cannot_make_the_new_one_leaves_the_old_one_and_its_value() {
    let name = TestName::new("kept");
    let mut producer = Channel::<[u32]>::named(&*name).elements(10).producer().unwrap();
    producer.put(&[1, 2, 3]).unwrap();
    drop(producer);
    let before = inode(&name);
    let error = Channel::<[u64]>::named(&*name).producer().unwrap_err();
    assert!(is_mismatch(&error, 0), "it knows no capacity: {error}");
    assert!(error.to_string().contains("with a capacity"), "{error}");
    let error = Channel::<[u32]>::named(&*name).capacity(1u64 << 50).producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
    assert_eq!(inode(&name), before);
    let mut consumer = Channel::<[u32]>::named(&*name).consumer().unwrap();
    assert_eq!(*consumer.get().unwrap(), [1, 2, 3]);
}

#[test]
fn a_producer_refused_for_the_living_is_not_refused_for_want_of_room() {
    let name = TestName::new("living");
    let _living = Channel::<[u32]>::named(&*name).elements(10).consumer().unwrap();
    let error = Channel::<[u32]>::named(&*name).capacity(1u64 << 50).producer().unwrap_err();
    assert!(is_mismatch(&error, 1), "{error}");
}

#[test]
fn a_damaged_header_or_another_kind_is_never_replaced() {
    let name = TestName::new("kind");
    drop(io_shared::producer::<u64>(&name).unwrap());
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    file.write_all_at(&[2], 12).unwrap(); // the kind, which makes the checksum wrong
    let before = inode(&name);
    let error = io_shared::producer::<u64>(&name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
    // Another version: only its version and kind can be read.
    file.write_all_at(&[9], 8).unwrap();
    let error = io_shared::producer::<u64>(&name).unwrap_err();
    assert!(is_mismatch(&error, 0), "{error}");
    assert_eq!(inode(&name), before);

    // Marked as ephemeral: such a region is removed when nobody uses it.
    let name = TestName::new("ephemeral-bit");
    drop(io_shared_core::Shared::<u64>::open(&*name).unwrap());
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    file.write_all_at(&[1], 104).unwrap();
    let before = inode(&name);
    let error = io_shared_core::Shared::<u64>::open(&*name).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
    assert_eq!(inode(&name), before);

    let name = TestName::new("state");
    drop(io_shared_core::Shared::<u64>::open(&*name).unwrap());
    let before = inode(&name);
    let error = io_shared::producer::<u64>(&name).unwrap_err();
    assert!(is_mismatch(&error, 0), "{error}");
    assert_eq!(inode(&name), before);
}

#[test]
fn whoever_opens_starts_over_when_the_region_is_removed_meanwhile() {
    let name = TestName::new("removed");
    drop(io_shared::producer::<u64>(&name).unwrap());
    // The role is taken in a region that is about to be removed.
    let _taken = claim(&name, 1, 1);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| io_shared::producer::<u64>(&name).map(drop));
        eventually("the producer has found it", || {
            descriptors_of(&name).len() > 1 || opening.is_finished()
        });
        Channel::remove(&name).unwrap();
        opening.join().unwrap().unwrap();
    });
}

#[test]
fn opening_and_removing_at_once_ends_in_no_other_error_than_not_found() {
    let name = TestName::new("storm");
    let deadline = Instant::now() + Duration::from_millis(500);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < deadline {
                if let Err(error) = Channel::remove(&name) {
                    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
                }
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        scope.spawn(|| {
            while Instant::now() < deadline {
                drop(io_shared::producer::<u64>(&name).unwrap());
            }
        });
        while Instant::now() < deadline {
            drop(io_shared::consumer::<u64>(&name).unwrap());
        }
    });
}

/// The limit that SECURITY.md states.
#[test]
fn a_process_that_keeps_the_regions_own_lock_delays_openings_and_removals_and_no_more() {
    let name = TestName::new("lock");
    let mut producer = Channel::<u64>::named(&*name).consumers(2).producer().unwrap();
    let mut consumer = Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
    let _kept = claim(&name, 0, 1);
    let started = Instant::now();
    for error in
        [io_shared::consumer::<u64>(&name).unwrap_err(), Channel::remove(&name).unwrap_err()]
    {
        assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
    }
    let took = started.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
    producer.put(&1).unwrap();
    assert_eq!(*consumer.get().unwrap(), 1);
    // The owner of the file can remove both.
    std::fs::remove_file(name.path()).unwrap();
    eventually("the consumer notices", || {
        consumer.try_get().is_err_and(|error| *error.kind() == ErrorKind::Replaced)
    });
    let mut producer = io_shared::producer::<u64>(&name).unwrap();
    let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
    producer.put(&2).unwrap();
    assert_eq!(*consumer.get().unwrap(), 2);
}

#[derive(Message)]
#[repr(C)]
struct Frame {
    number: u64,
    boxes: List<[f32; 4]>,
    data: ListData,
}

mod wider {
    use io_shared::{List, ListData, Message};

    #[derive(Message)]
    #[repr(C)]
    pub(crate) struct Frame {
        pub(crate) number: u64,
        pub(crate) boxes: List<[f32; 4]>,
        pub(crate) scores: List<f32>,
        pub(crate) data: ListData,
    }
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Track {
    id: u64,
    speed: f64,
}

#[test]
fn two_structs_with_little_in_common_are_told_by_their_names() {
    let name = TestName::new("other-struct");
    let _frames = Channel::<Frame>::named(&*name).growing(true).producer().unwrap();
    let said = io_shared::consumer::<Track>(&name).unwrap_err().to_string();
    let first = said.lines().nth(1).unwrap();
    assert_eq!(first, "  the channel has struct Frame, this program struct Track", "{said}");
    // One that was renamed, or changed, is compared field by field.
    let name = TestName::new("changed-struct");
    let _pose = io_shared::producer::<Pose>(&name).unwrap();
    let said = io_shared::consumer::<later::Pose>(&name).unwrap_err().to_string();
    assert!(!said.contains("this program struct"), "{said}");
}

#[test]
fn a_producer_that_only_adds_fields_is_told_to_wait_for_the_old_one_alone() {
    let name = TestName::new("only-adds");
    let new = || Channel::<wider::Frame>::named(&*name).growing(true);
    let old = Channel::<Frame>::named(&*name).growing(true).producer().unwrap();
    let _viewer = io_shared::consumer::<Frame>(&name).unwrap();
    let said = new().producer().unwrap_err().to_string();
    let advice = "this struct only adds fields, so it is accepted once this process has dropped it \
                  (consumers may stay): wait for that with .wait_for_role()";
    assert!(said.contains(advice) && !said.contains("same type"), "{said}");
    assert!(said.contains("field `scores`") && !said.contains("field `data`"), "{said}");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| new().wait_for_role(Duration::from_secs(20)).producer());
        drop(old);
        waits.join().unwrap().unwrap();
    });
}

#[test]
fn a_producer_that_lacks_a_field_again_is_told_the_two_ways_back() {
    let name = TestName::new("way-back");
    let mut viewer = Channel::<Frame>::named(&*name).growing(true).consumer().unwrap();
    let mut new = Channel::<wider::Frame>::named(&*name).growing(true).producer().unwrap();
    new.loan_lists(wider::Frame::capacity()).unwrap().put().unwrap();
    drop(viewer.get_timeout(Duration::from_secs(20)).unwrap()); // it is there now
    drop(new);
    let old = || Channel::<Frame>::named(&*name).growing(true).producer();
    let said = old().unwrap_err().to_string();
    let advice = "this struct lacks fields that the channel has: stop all of those programs";
    assert!(said.contains(advice) && !said.contains("same type"), "{said}");
    // Removed, it is a new channel, in which the viewer goes on.
    Channel::remove(&name).unwrap();
    let mut producer = old().unwrap();
    let mut frame = producer.loan_lists(Frame::capacity().boxes(1)).unwrap();
    frame.number = 7;
    frame.put().unwrap();
    let frame = viewer.get_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((frame.number, frame.seq()), (7, 1));
    drop(frame);
    // With nobody there, it replaces one that has more fields.
    drop((producer, viewer));
    drop(Channel::<wider::Frame>::named(&*name).growing(true).producer().unwrap());
    assert!(old().is_ok());
}
