//! Those that ask for a history die, and producers that end one: nobody else notices.

#![allow(clippy::unwrap_used)]

mod stage;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use io_shared_core::crash_point::CrashPoint::{self, *};
use stage::{Stage, dies_at, prepare_to_die};
use torture::actor::Actor;
use torture::machine;
use torture::parcel::Size;

/// How many values before the newest the stage's channel keeps.
fn kept(stage: &Stage) -> u64 {
    let mut word = [0; 8];
    let file = File::open(machine::path_of(&stage.objects()[0])).unwrap();
    file.read_exact_at(&mut word, 0x210).unwrap();
    u64::from_le_bytes(word) & 0xff
}

/// Puts until nothing is kept any more, which a producer notices in a tenth of the time.
fn puts_until_nothing_is_kept(stage: &Stage, producer: &mut Actor, what: &str) {
    let start = Instant::now();
    while kept(stage) != 0 {
        assert!(start.elapsed() < Duration::from_secs(2), "{what}: it is still kept");
        let answer = producer.ask("put");
        assert!(answer.parse::<u64>().is_ok(), "{what}: {answer}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn whoever_asks_for_a_history_and_dies_at_any_point_changes_nothing_for_good() {
    for size in Size::ALL {
        for point in [CrashPoint::ASKS, &[PoolReserved, PoolGrown]].concat() {
            let what = format!("{point:?} {size:?}");
            let stage = Stage::of(size, 1);
            let mut producer = stage.actor_after(&["produce", "put"]);
            let mut other = stage.actor_after(&["consume other", "get"]);
            let mut victim = stage.actor();
            dies_at(&mut victim, point, "record 3");
            for value in 2..=20 {
                assert_eq!(producer.ask("put"), value.to_string(), "{what}");
                assert_eq!(other.ask("get"), format!("{value} 0"), "{what}");
            }
            puts_until_nothing_is_kept(&stage, &mut producer, &what);
            let mut recorder = stage.actor_after(&["record 3"]);
            assert_eq!(kept(&stage), 3, "{what}");
            let last: u64 = producer.ask("put 9").parse().unwrap();
            let expected: Vec<String> = (last - 3..=last).map(|seq| seq.to_string()).collect();
            let found = recorder.ask("since 0");
            assert!(found.ends_with(&expected.join(" ")), "{what}: {found} and not {expected:?}");
        }
    }
}

#[test]
fn a_producer_dead_as_it_ends_a_history_leaves_a_whole_channel() {
    for size in Size::ALL {
        for &point in CrashPoint::ENDS_HISTORY {
            let what = format!("{point:?} {size:?}");
            let stage = Stage::of(size, 1);
            let mut victim = stage.actor_after(&["produce", "put"]);
            let mut recorder = stage.actor_after(&["record 3"]);
            assert_eq!(victim.ask("put 9"), "10", "{what}");
            recorder.kill();
            prepare_to_die(&mut victim, point);
            let start = Instant::now();
            while victim.ask("put") != "died" {
                assert!(start.elapsed() < Duration::from_secs(2), "{what}: it does not notice");
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut successor = stage.actor();
            assert!(successor.ask("produce").starts_with("ok "), "{what}");
            puts_until_nothing_is_kept(&stage, &mut successor, &what);
            let mut recorder = stage.actor_after(&["record 3"]);
            let last: u64 = successor.ask("put 9").parse().unwrap();
            let expected: Vec<String> = (last - 3..=last).map(|seq| seq.to_string()).collect();
            assert!(recorder.ask("since 0").ends_with(&expected.join(" ")), "{what}");
        }
    }
}
