//! The package that this project began as, whose side is not changed: arrays and bytes under its
//! semaphores, and what its conventions do not exclude.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use io_shared::legacy::{Consumer, Producer, RwSharedMmap, Share, SharedMmap};
use io_shared::{Array, ErrorKind, array::NpyError};
use test_support::eventually;
use test_support::original::{self, Name, Semaphore};
use test_support::peer::{Peer, arguments, tell};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(10);
const SIZE: u64 = 64 << 10;

fn original(name: &Name) -> original::Share {
    original::Share::open(name, SIZE)
}

fn getting(name: &Name) -> Consumer {
    Share::named(&**name).lock_timeout(SHORT).consumer().unwrap()
}

fn putting(name: &Name) -> Producer {
    Share::named(&**name).size(SIZE).lock_timeout(SHORT).producer().unwrap()
}

/// A `.npy` file of `length` elements with this value.
fn npy(value: u8, length: usize) -> Vec<u8> {
    Array::to_bytes("|u1", &[length], &vec![value; length]).unwrap()
}

/// Asserts that the next array is that of [`npy`].
#[track_caller]
fn gets(consumer: &mut Consumer, value: u8, length: usize) {
    let npy = consumer.get_timeout(LONG).unwrap();
    assert_eq!((&npy.shape[..], npy.data), (&[length][..], &vec![value; length][..]));
}

#[track_caller]
fn nothing_comes(consumer: &mut Consumer) {
    let error = consumer.get_timeout(SHORT / 2).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
}

#[test]
fn arrays_go_both_ways_and_either_side_starts_first() {
    let name = Name::new("both-ways");
    let mut consumer = getting(&name);
    nothing_comes(&mut consumer); // and nothing was created
    assert!(original::files(&name).iter().all(|file| !file.exists()));
    let theirs = original(&name);
    for (value, length) in [(1, 10), (2, 60_000), (3, 0), (4, 5000)] {
        theirs.put(&npy(value, length));
        gets(&mut consumer, value, length);
    }
    nothing_comes(&mut consumer);
    drop((theirs, name));

    let name = Name::new("both-ways");
    let mut producer = putting(&name);
    producer.put("<u2", &[2], &[1, 0, 2, 0]).unwrap();
    let theirs = original(&name);
    assert_eq!(theirs.get(132), Array::to_bytes("<u2", &[2], &[1, 0, 2, 0]).unwrap());
    producer.put_npy(&npy(5, 100)).unwrap();
    producer.put_npy(&npy(6, 50)).unwrap(); // nobody has got the one before
    assert_eq!(theirs.get(178), npy(6, 50));
    assert_eq!((theirs.flag.value(), theirs.lock.value()), (0, 1));
}

#[test]
fn what_does_not_fit_or_is_no_array_is_not_put() {
    let name = Name::new("not-put");
    let mut producer = putting(&name);
    producer.put_npy(&npy(1, 10)).unwrap();
    let error = producer.put_npy(&npy(2, SIZE as usize)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutOfBounds { size: SIZE, .. }), "{error}");
    assert!(error.to_string().contains(".size("), "{error}");
    for wrong in [&b""[..], b"PK", &npy(1, 10)[..137]] {
        let error = producer.put_npy(wrong).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Npy(_)), "{error}");
    }
    gets(&mut getting(&name), 1, 10);
}

#[test]
fn a_lock_that_is_not_given_back_is_told_with_what_a_person_can_do_and_then_all_goes_on() {
    let name = Name::new("stuck");
    let theirs = original(&name);
    theirs.put(&npy(1, 10));
    theirs.lock.take(); // and dies
    let (mut consumer, mut producer) = (getting(&name), putting(&name));
    for _ in 0..2 {
        let error = consumer.get().unwrap_err();
        let ErrorKind::LegacyLockStuck { semaphore, after, files } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(*semaphore, original::files(&name)[1].display().to_string());
        assert_eq!((*after, files.len()), (SHORT, 3));
        let said = error.to_string();
        assert!(said.contains(&format!("run `rm {}`", files.join(" "))), "{said}");
        assert!(said.contains("within 200 ms"), "{said}");
        assert_eq!(theirs.flag.value(), 1, "the array stays where it is");
    }
    let error = producer.put_npy(&npy(2, 10)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::LegacyLockStuck { .. }), "{error}");
    // It was only slow.
    theirs.lock.give();
    gets(&mut consumer, 1, 10);
    theirs.lock.take();
    assert!(producer.put_npy(&npy(2, 10)).is_err());
    // As the error says.
    original::remove(&name);
    nothing_comes(&mut consumer);
    producer.put_npy(&npy(3, 10)).unwrap();
    gets(&mut consumer, 3, 10);
}

#[test]
fn a_stuck_lock_is_told_also_by_gets_that_are_shorter_than_its_timeout() {
    let name = Name::new("slices");
    let theirs = original(&name);
    theirs.put(&npy(1, 10));
    theirs.lock.take();
    let mut consumer = getting(&name);
    let started = Instant::now();
    loop {
        let error = consumer.get_timeout(SHORT / 10).unwrap_err();
        match error.kind() {
            ErrorKind::Timeout { .. } => assert!(started.elapsed() < LONG, "{error}"),
            ErrorKind::LegacyLockStuck { .. } => break,
            _ => panic!("{error}"),
        }
        assert_eq!(theirs.flag.value(), 1);
    }
    assert!(started.elapsed() >= SHORT);
}

#[test]
fn a_flag_that_a_dead_consumer_took_is_posted_again_by_the_next_put() {
    let name = Name::new("permit");
    let theirs = original(&name);
    let (mut consumer, mut producer) = (getting(&name), putting(&name));
    for lost in [1, 2] {
        theirs.put(&npy(lost, 10));
        theirs.flag.take(); // and dies
        nothing_comes(&mut consumer);
    }
    theirs.put(&npy(3, 10));
    gets(&mut consumer, 3, 10);
    theirs.put(&npy(4, 10));
    theirs.flag.take();
    producer.put_npy(&npy(5, 10)).unwrap();
    assert_eq!(theirs.get(138), npy(5, 10));
}

#[test]
fn an_array_whose_flag_was_posted_twice_is_received_once() {
    let name = Name::new("twice");
    let theirs = original(&name);
    let mut consumer = getting(&name);
    theirs.put(&npy(1, 10));
    theirs.flag.give();
    theirs.flag.give();
    gets(&mut consumer, 1, 10);
    nothing_comes(&mut consumer);
    theirs.flag.give();
    theirs.flag.give();
    putting(&name).put_npy(&npy(2, 10)).unwrap();
    assert_eq!(theirs.flag.value(), 1);
}

#[test]
fn an_object_that_is_cut_short_is_an_error_and_no_sigbus_and_the_next_array_comes() {
    let name = Name::new("cut");
    let theirs = original(&name);
    let (mut consumer, mut producer) = (getting(&name), putting(&name));
    for length in [60_127, 4096, 130, 60, 9, 3] {
        theirs.put(&npy(1, 60_000));
        theirs.object.set_len(length).unwrap();
        let error = consumer.get_timeout(LONG).unwrap_err();
        match error.kind() {
            ErrorKind::Npy(NpyError::TooShort { found, .. }) => assert_eq!(*found as u64, length),
            ErrorKind::Npy(NpyError::NotNpy) if length < 8 => {}
            _ => panic!("{length}: {error}"),
        }
        assert_eq!(theirs.lock.value(), 1);
        let error = producer.put_npy(&npy(2, 60_000)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutOfBounds { .. }), "{error}");
        theirs.object.set_len(SIZE).unwrap();
    }
    theirs.put(&npy(3, 60_000));
    gets(&mut consumer, 3, 60_000);
    // To nothing: then it is as if it was being created.
    theirs.put(&npy(4, 10));
    theirs.object.set_len(0).unwrap();
    producer.put_npy(&npy(5, 10)).unwrap();
    assert_eq!(theirs.object.metadata().unwrap().len(), SIZE);
    gets(&mut consumer, 5, 10);
}

#[test]
fn what_is_no_array_is_refused_and_nothing_is_unpickled() {
    let name = Name::new("foreign");
    let theirs = original(&name);
    let mut consumer = getting(&name);
    let mut pickled = npy(1, 10);
    let descr = pickled.windows(3).position(|three| three == b"|u1").unwrap();
    pickled[descr..descr + 3].copy_from_slice(b"|O'");
    pickled[descr + 3] = b' ';
    let mut version = npy(1, 10);
    version[6] = 9;
    for wrong in [b"\x80\x04\x95ccposix".as_slice(), &pickled, &version] {
        theirs.put(wrong);
        let error = consumer.get_timeout(LONG).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Npy(_)), "{error}");
        assert!(consumer.npy().is_empty());
        assert_eq!(theirs.lock.value(), 1);
    }
    theirs.put(&npy(2, 10));
    gets(&mut consumer, 2, 10);
}

#[test]
fn a_channel_of_that_name_is_refused_and_left_as_it_is() {
    let name = Name::new("channel");
    let mut channel = io_shared::producer::<u64>(&*name).unwrap();
    channel.put(&7).unwrap();
    let before = std::fs::read(&original::files(&name)[0]).unwrap();
    let (lock, flag) = (Semaphore::open(&name, 1), Semaphore::open(&format!("{}_np", &*name), 1));
    let share = || Share::named(&*name).size(SIZE).lock_timeout(SHORT);
    let errors = [
        share().producer().unwrap_err(),
        share().consumer().unwrap().get_timeout(LONG).unwrap_err(),
        SharedMmap::open(&*name, 100).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("io-shared region"), "{error}");
    }
    assert!(std::fs::read(&original::files(&name)[0]).unwrap() == before);
    assert_eq!((lock.value(), flag.value()), (1, 1));
}

#[test]
fn a_file_that_is_no_semaphore_is_refused() {
    let name = Name::new("no-semaphore");
    let theirs = original(&name);
    let mut consumer = getting(&name);
    nothing_comes(&mut consumer); // it has them open
    let [_, lock, flag] = original::files(&name);
    for file in [lock, flag] {
        let whole = std::fs::read(&file).unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_len(3).unwrap();
        for error in [
            consumer.get_timeout(LONG).unwrap_err(),
            Share::named(&*name).size(SIZE).producer().unwrap_err(),
        ] {
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        }
        std::fs::write(&file, whole).unwrap();
    }
    theirs.put(&npy(1, 10));
    gets(&mut consumer, 1, 10);
}

#[test]
fn a_missing_semaphore_is_told_and_created_by_the_peer_alone() {
    let name = Name::new("missing");
    let theirs = original(&name);
    let (mut consumer, mut producer) = (getting(&name), putting(&name));
    let files = original::files(&name);
    for missing in &files[1..] {
        std::fs::remove_file(missing).unwrap();
        let text = format!("{}, which is missing while ", missing.display());
        let error = producer.put_npy(&npy(1, 10)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
        assert!(error.to_string().contains(&text), "{error}");
        let error = getting(&name).get_timeout(SHORT).unwrap_err();
        assert!(error.to_string().contains(&text), "{error}");
        // Whoever still has the old one would not be kept out by a new one.
        assert!(!missing.exists());
        let restarted = original(&name);
        restarted.put(&npy(2, 10));
        gets(&mut consumer, 2, 10);
        producer.put_npy(&npy(3, 10)).unwrap();
        assert_eq!(restarted.get(138), npy(3, 10));
    }
    // Without the object nothing is torn.
    std::fs::remove_file(&files[0]).unwrap();
    producer.put_npy(&npy(4, 10)).unwrap();
    gets(&mut consumer, 4, 10);
    drop(theirs);
}

#[test]
fn a_peer_that_exits_and_starts_again_is_followed_and_its_last_array_is_received() {
    let name = Name::new("exits");
    let (mut consumer, mut value) = (getting(&name), 0);
    for _ in 0..20 {
        value += 1;
        let theirs = original(&name);
        if value % 2 == 0 {
            nothing_comes(&mut consumer);
        }
        theirs.put(&npy(value, 1000));
        if value % 2 == 0 {
            theirs.exit(); // unlinked, and not received yet
        }
        gets(&mut consumer, value, 1000);
        nothing_comes(&mut consumer);
    }
    let mut producer = putting(&name);
    for value in 0..20 {
        let theirs = original(&name);
        producer.put_npy(&npy(value, 1000)).unwrap();
        assert_eq!(theirs.get(1128), npy(value, 1000));
        theirs.exit();
    }
    producer.put_npy(&npy(77, 10)).unwrap();
    assert_eq!(original(&name).get(138), npy(77, 10), "also one that starts after the put");
}

#[test]
fn our_side_unlinks_nothing() {
    let name = Name::new("unlinks");
    let mut producer = putting(&name);
    producer.put_npy(&npy(1, 10)).unwrap();
    gets(&mut getting(&name), 1, 10);
    drop(producer);
    assert!(original::files(&name).iter().all(|file| file.exists()));
    let name = Name::new("unlinks");
    drop(RwSharedMmap::open(&*name, 10, 3).unwrap());
    assert!(std::path::Path::new(&format!("/dev/shm/sem.{}_read", &name[1..])).exists());
    assert_eq!(Semaphore::open(&format!("{}_read", &*name), 0).value(), 3);
}

#[test]
fn putter() {
    let Some(arguments) = arguments() else { return };
    let theirs = original::Share::open(&arguments[0], SIZE);
    theirs.lock.take();
    let array = npy(9, 60_000);
    theirs.object.write_all_at(&array[..30_000], 0).unwrap();
    tell("half");
    thread::sleep(LONG);
}

#[test]
fn half_an_array_of_a_killed_put_is_never_received() {
    let name = Name::new("killed");
    let (theirs, mut consumer) = (original(&name), getting(&name));
    for is_there_one in [false, true] {
        if is_there_one {
            theirs.put(&npy(1, 60_000)); // so the flag is up
        }
        let mut putter = Peer::start("putter", &[&*name]);
        putter.expect("half");
        putter.kill();
        let error = consumer.get_timeout(3 * SHORT).unwrap_err();
        match error.kind() {
            ErrorKind::LegacyLockStuck { .. } => assert!(is_there_one),
            ErrorKind::Timeout { .. } if !is_there_one => theirs.lock.give(),
            _ => panic!("{error}"),
        }
    }
    // What the error advises; then both start again.
    original::remove(&name);
    let theirs = original(&name);
    theirs.put(&npy(2, 60_000));
    gets(&mut consumer, 2, 60_000);
}

#[test]
fn no_array_is_torn_while_both_sides_are_fast() {
    let name = Name::new("fast");
    let theirs = original(&name);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut producer = Share::named(&*name).size(SIZE).producer().unwrap();
            for value in (0..=255).cycle().take_while(|_| !done.load(Relaxed)) {
                producer.put_npy(&npy(value, 200 * usize::from(value))).unwrap();
            }
        });
        scope.spawn(|| {
            while !done.load(Relaxed) {
                theirs.put(&npy(7, 50_000));
            }
        });
        let mut consumer = Share::named(&*name).consumer().unwrap();
        let (mut received, mut torn, started) = (0, false, Instant::now());
        // A lock of semaphores is not fair: on a busy machine others may have it again and again.
        while received < 200 && started.elapsed() < Duration::from_secs(60) {
            let Ok(npy) = consumer.get_timeout(5 * SHORT) else { continue };
            received += 1;
            let first = npy.data.first().copied().unwrap_or(0);
            let length = if first == 7 { npy.data.len() } else { 200 * usize::from(first) };
            if npy.data.len() != length || npy.data.iter().any(|byte| *byte != first) {
                torn = true;
                break;
            }
        }
        done.store(true, Relaxed);
        assert!(!torn);
        assert!(received == 200, "{received} in {:?}", started.elapsed());
    });
}

#[test]
fn readers_read_together_and_a_writer_waits_for_them_without_burning_a_core() {
    let name = Name::new("readers");
    let mut ours = RwSharedMmap::open(&*name, 100, 3).unwrap();
    let (write, read) = (
        Semaphore::open(&format!("{}_write", &*name), 9),
        Semaphore::open(&format!("{}_read", &*name), 9),
    );
    {
        let mut other = RwSharedMmap::open(&*name, 100, 3).unwrap();
        let (_reader, _too) = (ours.read().unwrap(), other.read().unwrap());
        assert_eq!((write.value(), read.value()), (1, 1));
    }
    assert_eq!(read.value(), 3);
    // A reader on the other side.
    write.take();
    read.take();
    write.give();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let before = cpu_time();
            let mut guard = ours.write().unwrap();
            guard.write_at(b"done", 0).unwrap();
            drop(guard);
            cpu_time() - before
        });
        eventually("the writer keeps new readers out", || write.value() == 0);
        thread::sleep(5 * SHORT);
        assert!(!writer.is_finished());
        read.give();
        let used = writer.join().unwrap();
        assert!(used < SHORT, "{used:?} of CPU");
    });
    assert_eq!((write.value(), read.value()), (1, 3));
    // One that died.
    read.take();
    let mut ours = ours.lock_timeout(SHORT);
    let error = ours.write().unwrap_err();
    let ErrorKind::LegacyLockStuck { semaphore, .. } = error.kind() else { panic!("{error}") };
    assert!(semaphore.ends_with("_read"), "{error}");
    assert_eq!(write.value(), 1, "others may read");
    let mut read_back = [0; 4];
    ours.read().unwrap().read_at(&mut read_back, 0).unwrap();
    assert_eq!(&read_back, b"done");
}

/// How long this thread has run.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn locked_bytes_are_shared_with_the_peer_and_follow_it() {
    let name = Name::new("bytes");
    let mut ours = SharedMmap::open(&*name, 100).unwrap().lock_timeout(SHORT);
    let (lock, object) = (Semaphore::open(&name, 9), original::object(&name, 100));
    ours.lock().unwrap().write_at(b"hello", 95).unwrap();
    let mut read = [0; 5];
    lock.take();
    object.read_exact_at(&mut read, 95).unwrap();
    assert_eq!(&read, b"hello");
    let error = ours.lock().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::LegacyLockStuck { .. }), "{error}");
    lock.give();
    let mut guard = ours.lock().unwrap();
    assert_eq!((guard.size().unwrap(), lock.value()), (100, 0));
    assert!(guard.write_at(b"hello", 96).is_err());
    object.set_len(50).unwrap();
    let error = guard.read_at(&mut read, 95).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutOfBounds { size: 50, .. }), "{error}");
    drop(guard);
    original::remove(&name);
    let (lock, object) = (Semaphore::open(&name, 1), original::object(&name, 100));
    object.write_all_at(b"again", 0).unwrap();
    ours.lock().unwrap().read_at(&mut read, 0).unwrap();
    assert_eq!((&read, lock.value()), (b"again", 1));
}
