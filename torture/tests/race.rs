//! Creating, opening and deleting one name at the same time. The numbers are those of
//! docs/FAULTS.md.

#![allow(clippy::unwrap_used)]

mod child;

use std::io::{Read, pipe};
use std::os::unix::fs::MetadataExt;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use child::{in_child, succeeds};
use io_shared::{Channel, Consumer, ErrorKind};
use io_shared_core::crash_point::{CrashPoint, record, stay_at};
use memmap2::MmapOptions;
use nix::sys::wait::{WaitStatus, waitpid};
use test_support::{TestFile, TestName, eventually};

fn inode_of(name: &TestName) -> u64 {
    std::fs::metadata(name.path()).unwrap().ino()
}

/// Whether this process has mapped what the name leads to.
fn has_mapped(name: &TestName) -> bool {
    let (maps, inode) = (std::fs::read_to_string("/proc/self/maps").unwrap(), inode_of(name));
    // address perms offset device inode path; the path is from the creation
    maps.lines().any(|line| {
        line.contains("/dev/shm/") && line.split_whitespace().nth(4) == Some(&inode.to_string())
    })
}

// 19
#[test]
fn of_sixty_four_processes_that_create_one_name_one_does_and_all_meet() {
    let name = TestName::new("sixty-four");
    let (at_once, go) = pipe().unwrap();
    let mut go = Some(go);
    let children: Vec<_> = (0..64)
        .map(|number| {
            in_child(|| {
                static LINKING: AtomicU32 = AtomicU32::new(CrashPoint::RegionClaimed as u32 + 1);
                stay_at(&LINKING); // long enough for others to reach the link as well
                drop(go.take()); // otherwise its copy keeps the gate shut
                (&at_once).read_to_end(&mut Vec::new()).unwrap();
                let channel = Channel::<u64>::named(&*name).consumers(63);
                if number == 0 {
                    let mut producer = channel.producer().unwrap();
                    let all = || producer.connected().unwrap().len() == 63;
                    eventually("all consumers are there", all);
                    assert!(has_mapped(&name));
                    assert_eq!(producer.put(&42).unwrap(), 1);
                } else {
                    let mut consumer = channel.consumer().unwrap();
                    let value = consumer.get_timeout(Duration::from_secs(60)).unwrap();
                    assert_eq!((*value, value.seq()), (42, 1));
                    assert!(has_mapped(&name));
                }
            })
        })
        .collect();
    drop(go);
    children.into_iter().for_each(succeeds);
}

// 21
#[test]
fn of_different_sizes_created_at_once_one_wins_and_a_program_that_wanted_more_is_told_both() {
    let (mut small_won, mut large_won) = (0, 0);
    for _ in 0..100 {
        let name = TestName::new("sizes");
        let barrier = Barrier::new(2);
        let open = |capacity: u64| {
            barrier.wait();
            let producer = Channel::<[u8]>::named(&*name).capacity(capacity).producer();
            barrier.wait();
            producer.map(|producer| producer.capacity())
        };
        let (small, large) = std::thread::scope(|scope| {
            let small = scope.spawn(|| open(100));
            let large = scope.spawn(|| open(200));
            (small.join().unwrap(), large.join().unwrap())
        });
        match (small, large) {
            (Ok(100), Err(error)) => {
                assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
                let text = error.to_string();
                let both = "capacity: channel has 100, this program wants at least 200";
                assert!(text.contains(both), "{text}");
                small_won += 1;
            }
            (Err(error), Ok(200)) => {
                // It accepts 200 as well as 100.
                assert!(matches!(error.kind(), ErrorKind::RoleTaken { .. }), "{error}");
                large_won += 1;
            }
            other => panic!("{other:?}"),
        }
        assert!(name.path().exists());
    }
    println!("{small_won} to {large_won}");
}

/// How long it took until `consumer`, opened while its name was being deleted, was told. `None` if
/// it is in the channel that others find now.
#[track_caller]
fn told_after(mut consumer: Consumer<u64>, name: &TestName) -> Option<Duration> {
    let mut producer = io_shared::producer::<u64>(name).unwrap();
    let started = Instant::now();
    producer.put(&7).unwrap();
    match consumer.get_timeout(Duration::from_secs(2)) {
        Ok(value) => {
            assert_eq!((*value, value.seq()), (7, 1));
            None
        }
        Err(error) => {
            assert_eq!(*error.kind(), ErrorKind::Replaced, "{error}");
            Some(started.elapsed())
        }
    }
}

/// Opens `name` at about the time of `delete`.
fn open_beside(
    delete: impl FnOnce() + Send,
    open: impl FnOnce() -> Consumer<u64>,
) -> Consumer<u64> {
    let barrier = Barrier::new(2);
    let at_once = || {
        barrier.wait();
        // As long as either of the two takes.
        for _ in 0..fastrand::u32(..3_000) {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            at_once();
            delete();
        });
        at_once();
        open()
    })
}

/// Runs rounds of an opening during a deletion, until some consumers were in the new channel and
/// some were told. Returns the times after which they were told.
fn races(delete: impl Fn(&TestName) + Sync) -> Vec<Duration> {
    let (mut met, mut told) = (0, Vec::new());
    while met < 10 || told.len() < 10 {
        let name = TestName::new("deleted");
        drop(io_shared::producer::<u64>(&name).unwrap());
        let open = || Channel::<u64>::named(&*name).reopen(false).consumer().unwrap();
        match told_after(open_beside(|| delete(&name), open), &name) {
            Some(took) => told.push(took),
            None => met += 1,
        }
        assert!(met + told.len() < 1000, "{met} met, {} told: there was no race", told.len());
    }
    told.sort();
    told
}

// 22, 23
#[test]
fn an_opener_of_a_name_that_is_deleted_meanwhile_is_in_the_new_channel_or_is_told() {
    let took = races(|name| std::fs::remove_file(name.path()).unwrap());
    println!("{} told after {:?} to {:?}", took.len(), took[0], took[took.len() - 1]);
    // Sleeping consumers check at the end of a slice, not only at the end of the next one.
    assert!(took[took.len() / 2] < Duration::from_millis(150), "{took:?}");
    let took = races(|name| Channel::remove(name).unwrap());
    assert!(took[took.len() / 2] < Duration::from_millis(50), "{took:?}");
}

// 23
#[test]
fn whose_claim_is_in_a_region_without_a_name_by_now_starts_over() {
    static CLAIMED: AtomicU32 = AtomicU32::new(CrashPoint::ProducerClaimed as u32 + 1);
    let file = TestFile::new("passed");
    let shared = std::fs::File::options().read(true).write(true).create_new(true).open(&*file);
    let shared = shared.unwrap();
    shared.set_len(4096).unwrap();
    let map: &'static _ = Box::leak(Box::new(MmapOptions::new().map_raw(&shared).unwrap()));
    // SAFETY: it is mapped for good, aligned to a page, and only ever accessed as this atomic.
    let passed: &'static AtomicU32 = unsafe { AtomicU32::from_ptr(map.as_mut_ptr().cast()) };
    let mut between = 0;
    for _ in 0..500 {
        let name = TestName::new("claimed");
        drop(io_shared::producer::<u64>(&name).unwrap());
        passed.store(0, Ordering::Relaxed);
        let opener = in_child(|| {
            record(passed, 0);
            stay_at(&CLAIMED);
            let _producer = io_shared::producer::<u64>(&name).unwrap();
            assert!(name.path().exists() && has_mapped(&name), "it has no name, or another's");
        });
        let has_claimed = || passed.load(Ordering::Relaxed) == CLAIMED.load(Ordering::Relaxed);
        // At that time, or later if this thread had no core meanwhile.
        eventually("it opens", || passed.load(Ordering::Relaxed) != 0);
        std::fs::remove_file(name.path()).unwrap();
        let in_time = has_claimed();
        let ended = waitpid(opener, None).unwrap();
        if in_time {
            assert_eq!(ended, WaitStatus::Exited(opener, 0));
            between += 1;
        }
        if between == 10 {
            break;
        }
    }
    assert!(between > 0, "there was no race");
}

// 25
#[test]
fn an_opener_of_an_ephemeral_channel_is_never_left_without_a_name_as_its_last_user_leaves() {
    let mut created = 0;
    for _ in 0..1000 {
        let name = TestName::new("last");
        let channel = || Channel::<u64>::named(&*name).reopen(false);
        let open = || channel().consumers(2).ephemeral(true);
        let last = open().producer().unwrap();
        let before = inode_of(&name);
        let consumer = open_beside(|| drop(last), || open().consumer().unwrap());
        created += u32::from(inode_of(&name) != before);
        assert_eq!(told_after(consumer, &name), None);
    }
    println!("{created} of 1000 times the last one was gone");
    assert!(0 < created && created < 1000, "{created}: there was no race");
}
