//! Consumers that join a channel in use, and die on the way or find no room: nobody else notices.

#![allow(clippy::unwrap_used)]

mod child;
mod stage;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use child::{in_child, may_mount, mount_shm, succeeds};
use io_shared::{Channel, ErrorKind};
use io_shared_core::crash_point::CrashPoint::{self, *};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use stage::{Stage, dies_at};
use torture::machine;
use torture::parcel::Size;

/// Bytes of memory that the stage's channel has.
fn memory(stage: &Stage) -> u64 {
    let objects = stage.objects();
    std::fs::metadata(machine::path_of(&objects[0])).unwrap().blocks() * 512
}

#[test]
fn a_joiner_dead_at_any_point_harms_nobody_and_its_successor_joins() {
    for size in Size::ALL {
        // What it takes where nobody dies.
        let whole = Stage::of(size, 1);
        let _peers = [
            whole.actor_after(&["produce", "put"]),
            whole.actor_after(&["consume other", "get"]),
            whole.actor_after(&["consume viewer 3"]),
        ];
        for &point in CrashPoint::JOINS {
            joiners_death_harms_nobody(size, point, memory(&whole));
        }
    }
}

fn joiners_death_harms_nobody(size: Size, point: CrashPoint, whole: u64) {
    let what = format!("{point:?} {size:?}");
    let stage = Stage::of(size, 1);
    let mut producer = stage.actor_after(&["produce", "put"]);
    let mut other = stage.actor_after(&["consume other", "get"]);
    let pool = stage.region().pool;
    let mut victim = stage.actor();
    dies_at(&mut victim, point, "consume viewer 3");
    let added = if point == PoolReserved { 0 } else { 3 };
    assert_eq!(stage.region().pool, pool + added, "{what}");
    for value in 2..=20 {
        assert_eq!(producer.ask("put"), value.to_string(), "{what}");
        assert_eq!(other.ask("get"), format!("{value} 0"), "{what}");
    }
    let mut viewer = stage.actor_after(&["consume viewer 3"]);
    assert_eq!(stage.region().pool, pool + 3, "{what}");
    assert_eq!(memory(&stage), whole, "{what}: the dead one's buffers are used");
    assert_eq!(viewer.ask("hold"), "20 0", "{what}");
    for value in 21..=22 {
        assert_eq!(producer.ask("put"), value.to_string(), "{what}");
        assert_eq!(viewer.ask("hold"), format!("{value} 0"), "{what}");
    }
    assert_eq!(producer.ask("put 50"), "72", "{what}");
    assert_eq!(viewer.ask("reread"), "3", "{what}");
    assert_eq!(other.ask("get"), "72 51", "{what}");
    let mut successor = {
        producer.kill();
        stage.actor_after(&["produce"])
    };
    assert_eq!(successor.ask("put 50"), "122", "{what}");
    assert_eq!(viewer.ask("reread"), "3", "{what}");
    assert_eq!(other.ask("get"), "122 49", "{what}");
}

/// Bytes of one value of the channel in a small tmpfs.
const LARGE: usize = 64 << 10;
const NAME: &str = "/joined";

fn channel() -> Channel<[u8]> {
    Channel::<[u8]>::named(NAME).elements(LARGE)
}

#[test]
fn joiners_of_a_channel_in_full_memory_are_told_so_and_killed_at_any_instant_leave_nothing() {
    if !may_mount() {
        return;
    }
    succeeds(in_child(|| {
        mount_shm("size=1m");
        let free = || nix::sys::statvfs::statvfs("/dev/shm").unwrap().blocks_free();
        let mut producer = channel().producer().unwrap();
        let mut consumer = channel().consumer().unwrap();
        let mut filler = File::create("/dev/shm/filler").unwrap();
        // Room for half a buffer, so that a joiner gets some of what it asks for.
        while free() * 4096 > LARGE as u64 / 2 {
            filler.write_all(&[1; 4096]).unwrap();
        }
        let left = free();
        let is_refused = |holds| {
            let error = channel().holds(holds).consumer().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
            assert_eq!(free(), left, "a joiner that was refused keeps nothing");
        };
        is_refused(1);
        let mut random = fastrand::Rng::new();
        for round in 0..200 {
            let joiner = in_child(|| {
                loop {
                    assert!(channel().holds(1 + round % 8).consumer().is_err());
                }
            });
            std::thread::sleep(Duration::from_micros(random.u64(0..3000)));
            kill(joiner, Signal::SIGKILL).unwrap();
            let ended = waitpid(joiner, None).unwrap();
            assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{ended:?}");
            let value = vec![round as u8; LARGE];
            producer.put(&value).unwrap();
            let got = consumer.get().unwrap();
            assert_eq!((got.missed(), *got == *value), (0, true));
        }
        // What the last of the dead had reserved is freed by the next joiner, also if that fails.
        is_refused(3);
        drop(filler);
        std::fs::remove_file("/dev/shm/filler").unwrap();
        let mut joined = channel().holds(2).consumer().unwrap();
        producer.put(&[7; LARGE]).unwrap();
        assert_eq!((joined.get().unwrap().len(), consumer.get().unwrap().missed()), (LARGE, 0));
    }));
}
