//! Regions that other code has overwritten: errors are true, and what they advise works.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::FileExt;
use std::time::Duration;

use io_shared::{Channel, Error, ErrorKind, Message, Shared, SharedMmap, UnsafeSharedMmap};
use test_support::{TestFile, TestName};

/// What a print to a region's descriptor leaves there.
fn print_over(path: &std::path::Path, length: usize) {
    let text = "connected to 192.168.0.7, 3 devices, starting\n".repeat(100);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&text.as_bytes()[..length], 0).unwrap();
}

#[track_caller]
fn is_damaged<T>(result: Result<T, Error>) {
    let Err(error) = result else { panic!("it is not damaged") };
    assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("remove it and create it again"), "{text}");
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Pose {
    x: f64,
    y: f64,
}

#[test]
fn a_region_that_was_written_over_is_damaged_for_everyone_and_remove_removes_it() {
    // The magic alone, half of it, some fields, the whole header, and `latest` and the flags as
    // well.
    for length in [1, 8, 17, 128, 300] {
        for used in [false, true] {
            let name = TestName::new("written-over");
            let open = || Channel::<Pose>::named(&*name).open_timeout(Duration::ZERO);
            let mut producer = open().producer().unwrap();
            producer.put(&Pose { x: 1.0, y: 2.0 }).unwrap();
            let producer = used.then_some(producer);
            print_over(&name.path(), length);
            is_damaged(open().producer());
            is_damaged(open().consumer());
            is_damaged(open().observer());
            is_damaged(Channel::<[u8]>::named(&*name).elements(4).producer());
            Channel::remove(&name).unwrap();
            let anew = open().producer().unwrap().put(&Pose { x: 3.0, y: 4.0 });
            assert_eq!(anew.unwrap(), 1);
            drop(producer);
        }
    }
}

#[test]
fn a_damaged_lock_is_removed_as_the_error_advises() {
    for length in [4, 200] {
        let name = TestName::new("lock-written-over");
        drop(SharedMmap::named(&*name).size(64).open().unwrap());
        print_over(&name.path(), length);
        is_damaged(SharedMmap::named(&*name).size(64).open());
        SharedMmap::remove(&*name).unwrap();
        drop(SharedMmap::named(&*name).size(64).open().unwrap());
        SharedMmap::remove(&*name).unwrap();
        drop(Shared::<u64>::open(&*name).unwrap());
        print_over(&name.path(), length);
        is_damaged(Shared::<u64>::open(&*name));
        Shared::<u64>::remove(&*name).unwrap();
    }
}

/// A header whose kind was altered is damaged, and what it claims to be does not protect it.
#[test]
fn a_damaged_region_that_says_it_is_of_another_kind_is_removed_too() {
    let name = TestName::new("kind-altered");
    drop(io_shared::producer::<u64>(&name).unwrap());
    let file = std::fs::File::options().write(true).open(name.path()).unwrap();
    file.write_all_at(&4u32.to_le_bytes(), 12).unwrap();
    is_damaged(io_shared::producer::<u64>(&name));
    Channel::remove(&name).unwrap();
}

#[test]
fn handles_in_a_region_that_was_written_over_say_so_and_blame_nobody() {
    for length in [8, 300, 600] {
        let name = TestName::new("told");
        let mut producer = io_shared::producer::<u64>(&name).unwrap();
        let mut consumer = io_shared::consumer::<u64>(&name).unwrap();
        producer.put(&1).unwrap();
        print_over(&name.path(), length);
        let said = [
            producer.put(&2).err(),
            producer.put(&3).err(),
            consumer.get_timeout(Duration::from_millis(250)).err(),
            consumer.try_get().err(),
        ];
        let errors: Vec<Error> = said.into_iter().flatten().collect();
        assert!(length == 8 || errors.len() >= 2, "{errors:?}");
        for error in errors {
            let kind = error.kind();
            let is_true = matches!(kind, ErrorKind::Corrupt { .. } | ErrorKind::Timeout { .. });
            assert!(is_true, "{length}: {error}");
        }
    }
}

/// The header is intact and what follows it was overwritten: nobody took over a role, and nobody
/// removed anything.
#[test]
fn handles_whose_words_were_written_over_blame_nobody() {
    // `latest`; then the flags, the producer's block and the slots; then the slots alone.
    for (at, length) in [(128, 64), (128, 900), (256, 128), (896, 200)] {
        let name = TestName::new("words");
        let mut producer = io_shared::producer::<[u64; 20]>(&name).unwrap();
        let mut consumer = io_shared::consumer::<[u64; 20]>(&name).unwrap();
        let mut observer = Channel::<[u64; 20]>::named(&*name).observer().unwrap();
        producer.put(&[1; 20]).unwrap();
        let file = std::fs::File::options().write(true).open(name.path()).unwrap();
        file.write_all_at(&vec![b'x'; length], at).unwrap();
        let said = [
            producer.put(&[2; 20]).err(),
            consumer.try_get().err(),
            consumer.latest().err(),
            observer.copy().err(),
        ];
        let said: Vec<Error> = said.into_iter().flatten().collect();
        assert!(!said.is_empty(), "{at} {length}");
        for error in said {
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{at} {length}: {error}");
        }
        Channel::remove(&name).unwrap();

        let name = TestName::new("lock-words");
        let mut lock = SharedMmap::named(&*name).size(64).open().unwrap();
        let file = std::fs::File::options().write(true).open(name.path()).unwrap();
        file.write_all_at(&vec![b'x'; length], at).unwrap();
        let error = Error::from(lock.lock_timeout(Duration::ZERO).unwrap_err());
        let is_true = matches!(error.kind(), ErrorKind::Corrupt { .. } | ErrorKind::OwnerDied);
        assert!(is_true, "{at} {length}: {error}");
        SharedMmap::remove(&*name).unwrap();
    }
}

#[test]
fn what_is_written_after_a_regions_end_harms_nobody() {
    let (name, file) = (TestName::new("longer"), TestFile::new("longer"));
    let channel = || Channel::<u64>::named(&*name);
    let in_file = || Channel::<u64>::file(file.to_path_buf());
    for path in [name.path(), file.to_path_buf()] {
        let open = || if path == name.path() { channel() } else { in_file() };
        open().producer().unwrap().put(&7).unwrap();
        use std::io::Write;
        let mut appended = std::fs::File::options().append(true).open(&path).unwrap();
        appended.write_all(b"a stray line\n").unwrap();
        assert_eq!(*open().observer().unwrap().copy().unwrap().unwrap(), 7);
        let mut consumer = open().consumer().unwrap();
        assert_eq!(*consumer.get_timeout(Duration::from_secs(1)).unwrap(), 7);
        assert_eq!(open().producer().unwrap().put(&8).unwrap(), 2);
        assert_eq!(*consumer.get_timeout(Duration::from_secs(1)).unwrap(), 8);
    }
}

#[test]
fn bytes_that_are_no_region_are_left_alone_still() {
    let name = TestName::new("foreign-still");
    let text = "{\"a\": 1}\n".repeat(1000);
    std::fs::write(name.path(), &text).unwrap();
    let refused = Channel::remove(&name).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::NotARegion { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(name.path()).unwrap(), text);
    UnsafeSharedMmap::remove(&*name).unwrap();
}
