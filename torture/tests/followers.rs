//! Users of a channel that has grown who have not followed it: they are users of an ephemeral
//! channel, and what they ask for is kept, whoever is killed meanwhile; and nothing stays behind.

#![allow(clippy::unwrap_used)]

mod child;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use child::{in_child, is_killed, may_mount, mount_shm, succeeds};
use io_shared::{Channel, Consumer};
use io_shared_core::crash_point::{CrashPoint, kill_self_at, stay_at};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use test_support::TestName;
use test_support::timing::once_within;
use torture::machine;

const SECONDS: Duration = Duration::from_secs(10);
const SMALL: usize = 16;
const LARGE: usize = 100;

fn channel(name: &str) -> Channel<[u64]> {
    Channel::<[u64]>::named(name).elements(SMALL).growing(true)
}

/// Gets a value, which must be whole. Returns its number, its length, and how many were missed.
fn get(consumer: &mut Consumer<[u64]>) -> (u64, usize, u64) {
    let value = consumer.get_timeout(SECONDS).unwrap();
    assert!(value.iter().all(|word| *word == value.seq()), "value {} is torn", value.seq());
    (value.seq(), value.len(), value.missed())
}

/// The number that all regions of a channel share, as the file at `path` says.
fn line(path: &Path) -> Option<[u8; 8]> {
    let mut line = [0; 8];
    File::open(path).and_then(|file| file.read_exact_at(&mut line, 24)).ok()?;
    Some(line)
}

/// How many regions there are of a line, under whatever names.
fn regions(of: [u8; 8]) -> usize {
    let names = machine::objects("");
    names.iter().filter(|name| line(&machine::path_of(name)) == Some(of)).count()
}

// 102
#[test]
fn an_ephemeral_channel_goes_with_its_last_user_wherever_its_growth_was_killed() {
    use CrashPoint::*;
    for point in CrashPoint::EXCHANGES.iter().copied() {
        for follows in [false, true] {
            let name = TestName::new("growth-ephemeral");
            let ephemeral = || channel(&name).ephemeral(true);
            let mut idle = ephemeral().consumer().unwrap();
            let of = line(&machine::path_of(&name)).unwrap();
            let victim = in_child(|| {
                let mut producer = ephemeral().producer().unwrap();
                producer.put(&[1; SMALL]).unwrap();
                kill_self_at(point, 0);
                producer.put(&[2; LARGE]).unwrap();
            });
            is_killed(victim);
            let is_larger = matches!(point, ExchangeRenamed | ExchangeRetired);
            if follows {
                // A consumer that comes meanwhile, and a producer, find the channel as it is.
                drop(ephemeral().consumer().unwrap());
                let mut producer = ephemeral().producer().unwrap();
                assert_eq!(producer.seq(), 1, "{point:?}");
                assert_eq!(producer.capacity() > 128, is_larger, "{point:?}");
                assert_eq!(producer.put(&[2; LARGE]).unwrap(), 2, "{point:?}");
                drop(producer);
                std::thread::sleep(Duration::from_millis(120));
                assert_eq!(get(&mut idle), (2, LARGE, 1), "{point:?}");
            }
            drop(idle);
            assert!(!machine::path_of(&name).exists(), "{point:?}, follows: {follows}");
            assert_eq!(regions(of), 0, "{point:?}, follows: {follows}");
        }
    }
}

// 102
#[test]
fn what_a_killed_growth_has_left_goes_with_the_channel() {
    let name = TestName::new("growth-removed");
    let _consumer = channel(&name).consumer().unwrap();
    let of = line(&machine::path_of(&name)).unwrap();
    is_killed(in_child(|| {
        let mut producer = channel(&name).producer().unwrap();
        kill_self_at(CrashPoint::ExchangeLocked, 0);
        producer.put(&[1; LARGE]).unwrap();
    }));
    assert_eq!(regions(of), 2);
    io_shared::remove(&*name).unwrap();
    assert_eq!(regions(of), 0);
}

/// How many values before the newest the channel keeps.
fn kept(name: &str) -> u64 {
    let mut word = [0; 8];
    File::open(machine::path_of(name)).unwrap().read_exact_at(&mut word, 0x210).unwrap();
    u64::from_le_bytes(word) & 0xff
}

// 109
#[test]
fn a_history_outlives_a_producer_that_is_killed_after_a_growth_which_its_asker_has_not_followed() {
    for point in
        [CrashPoint::ExchangeRenamed, CrashPoint::ExchangeRetired, CrashPoint::PutPublished]
    {
        let name = TestName::new("growth-asked");
        let first = channel(&name).producer().unwrap();
        let of = line(&machine::path_of(&name)).unwrap();
        let mut asker = channel(&name).history(4).observer().unwrap();
        drop(first);
        let victim = in_child(|| {
            let mut producer = channel(&name).producer().unwrap();
            producer.put(&[1; SMALL]).unwrap();
            kill_self_at(point, 0);
            producer.put(&[2; LARGE]).unwrap();
        });
        is_killed(victim);
        // A joiner looks whether anybody asks, and the next producer does.
        let _joiner = channel(&name).consumer().unwrap();
        assert_eq!(kept(&name), 4, "{point:?}: after a consumer has joined");
        let mut producer = channel(&name).producer().unwrap();
        let mut put_for_300_ms = || {
            for _ in 0..60 {
                let sequence = producer.seq() + 1;
                producer.put(&[sequence; LARGE]).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
            producer.seq()
        };
        let last = put_for_300_ms();
        assert_eq!(kept(&name), 4, "{point:?}: after a producer has looked");
        let copies = asker.since(last - 5).map(|copy| copy.unwrap().seq());
        assert_eq!(copies.collect::<Vec<_>>(), (last - 4..=last).collect::<Vec<_>>(), "{point:?}");
        put_for_300_ms();
        assert_eq!((kept(&name), regions(of)), (4, 1), "{point:?}: it has followed");
        drop(asker);
        put_for_300_ms();
        assert_eq!((kept(&name), regions(of)), (0, 1), "{point:?}: nobody asks");
    }
}

// 109
#[test]
fn a_history_ends_that_was_asked_for_by_one_that_died_before_it_followed_a_growth() {
    once_within(Duration::from_millis(200), a_history_ends_that_a_dead_one_asked_for);
}

/// Returns how long it was kept by a producer that puts.
fn a_history_ends_that_a_dead_one_asked_for() -> Duration {
    let name = TestName::new("growth-asker-dead");
    let mut producer = channel(&name).producer().unwrap();
    let of = line(&machine::path_of(&name)).unwrap();
    let (asks, asked) = nix::unistd::pipe().unwrap();
    let asker = in_child(|| {
        let _asker = channel(&name).history(4).observer().unwrap();
        nix::unistd::write(&asked, b"x").unwrap();
        std::thread::sleep(SECONDS);
    });
    nix::unistd::read(&asks, &mut [0]).unwrap();
    producer.put(&[1; LARGE]).unwrap();
    assert_eq!(kept(&name), 4);
    drop(producer); // so that nobody knows of it but the kernel
    kill(asker, Signal::SIGKILL).unwrap();
    is_killed(asker);
    let mut producer = channel(&name).producer().unwrap();
    let died = std::time::Instant::now();
    while kept(&name) != 0 {
        producer.put(&[1; LARGE]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
        assert!(died.elapsed() < SECONDS, "it is still kept");
    }
    let took = died.elapsed();
    assert_eq!(regions(of), 1);
    took
}

// 104
#[test]
fn without_proc_a_channel_grows_and_consumers_join_it_meanwhile() {
    static AIM: AtomicU32 = AtomicU32::new(CrashPoint::ExchangeLinked as u32 + 1);
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=64m");
        let tmpfs = Some("tmpfs");
        mount(tmpfs, "/proc", tmpfs, MsFlags::empty(), None::<&str>).unwrap();
        assert!(!Path::new("/proc/self").exists());
        stay_at(&AIM);
        for round in 0..8 {
            let name = format!("/no-proc-{round}");
            // Whoever creates it has more to reserve than a new channel has.
            let mut first = channel(&name).holds(8).history(round).consumer().unwrap();
            let mut producer = channel(&name).history(round).producer().unwrap();
            producer.put(&[1; SMALL]).unwrap();
            let mut joined = std::thread::scope(|scope| {
                let joining = scope.spawn(|| {
                    let join = |_| channel(&name).holds(8).consumer().unwrap();
                    (0..5).map(join).collect::<Vec<_>>()
                });
                // It stays between its look at the buffers and its lock.
                assert_eq!(producer.put(&[2; LARGE]).unwrap(), 2);
                joining.join().unwrap()
            });
            std::thread::sleep(Duration::from_millis(120));
            for consumer in joined.iter_mut().chain([&mut first]) {
                assert_eq!(get(consumer).0, 2);
            }
            assert_eq!(producer.wait_taken(SECONDS).unwrap(), 6);
        }
        let hidden = machine::objects(".io-shared.");
        assert_eq!(hidden, [""; 0], "nothing is left");
    }));
}
