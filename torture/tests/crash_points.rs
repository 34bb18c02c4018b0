//! Processes die at exactly one crash point, each in turn, and the others must go on. The numbers
//! are those of FAULTS.md.

#![allow(clippy::unwrap_used)]

mod stage;

use std::time::{Duration, Instant};

use io_shared_core::crash_point::CrashPoint::{self, *};
use nix::sys::signal::Signal;
use stage::{Stage, dies_at, ends_by, falls_asleep, kept, prepare_to_die, with_sizes};
use test_support::eventually;
use test_support::timing::once_within;
use torture::actor::HANG;
use torture::machine;
use torture::parcel::Size;

const SLICE: Duration = Duration::from_millis(100);
/// What a loaded machine may add to what is promised.
const MARGIN: Duration = Duration::from_millis(100);

#[test]
fn every_crash_point_but_those_of_locks_has_a_scenario_here() {
    // One of the tests below goes through each list, and fails if the victim survives; those for
    // consumers that join, for producers that grow and for histories are in joins.rs, growth.rs
    // and history.rs.
    type Of = CrashPoint;
    let puts = [Of::PRODUCER_STARTS, Of::PUTS, Of::FILLS, Of::BURIES];
    let joins = [Of::ENDS_HISTORY, Of::ASKS, Of::JOINS];
    let others = [Of::CONSUMER_STARTS, Of::GETS, Of::SLEEPS, Of::CREATES, Of::REMOVES];
    let here = [puts.concat(), joins.concat(), others.concat(), Of::EXCHANGES.to_vec()].concat();
    let locks = [Of::LOCKER_STARTS, Of::LOCKS, Of::LOCK_BURIES].concat();
    let others = CrashPoint::ALL.iter().filter(|point| !locks.contains(point));
    assert_eq!(here, others.copied().collect::<Vec<_>>());
}

// 1, 3
#[test]
fn a_producer_dead_at_any_point_leaves_a_whole_value_and_its_successor_works_at_once() {
    for (point, size) in with_sizes(&[CrashPoint::PRODUCER_STARTS, CrashPoint::PUTS]) {
        once_within(SLICE + MARGIN, || a_producer_dies_at(point, size));
    }
}

/// Returns how long a sleeper waited for the value, if one was put.
fn a_producer_dies_at(point: CrashPoint, size: Size) -> Duration {
    let stage = Stage::of(size, 2);
    let mut victim = stage.actor_after(&["produce", "put"]);
    let mut sleeper = stage.actor_after(&["consume", "get"]);
    falls_asleep(&stage, &mut sleeper);
    if CrashPoint::PRODUCER_STARTS.contains(&point) {
        victim.kill();
        victim = stage.actor();
        dies_at(&mut victim, point, "produce");
    } else {
        dies_at(&mut victim, point, "put");
    }
    let died = Instant::now();
    let mut took = Duration::ZERO;
    let put = matches!(point, PutPublished | PutSawWaiting | PutWoken);
    let latest = if put { 2 } else { 1 };
    assert_eq!(stage.region().sequence, latest, "{point:?}");
    if put {
        // Without a timeout, and with nobody to wake it unless it was woken already.
        assert_eq!(sleeper.answer(HANG).as_deref(), Some("2 0"), "{point:?}");
        took = died.elapsed();
    }
    let mut other = stage.actor_after(&["consume", "observe"]);
    assert_eq!(other.ask("get"), format!("{latest} 0"), "{point:?}");
    assert_eq!(other.ask("copy"), latest.to_string(), "{point:?}");

    let mut successor = stage.actor();
    assert_eq!(successor.ask("produce"), format!("ok {latest}"), "{point:?}");
    assert_eq!(successor.ask("put"), (latest + 1).to_string(), "{point:?}");
    if put {
        sleeper.tell("get");
    }
    let next = format!("{} 0", latest + 1);
    assert_eq!(sleeper.answer(HANG), Some(next.clone()), "{point:?}");
    assert_eq!(other.ask("get"), next, "{point:?}");
    assert_eq!(successor.ask("put 50"), (latest + 51).to_string(), "{point:?}");
    took
}

#[test]
fn a_new_producer_wakes_whoever_its_predecessor_left_asleep() {
    // Without a wake-up, a sleeper looks again when its slice ends and never before. A loaded
    // machine may delay a woken sleeper for as long, but not time after time.
    let woken = (0..20).any(|_| {
        let stage = Stage::new(1);
        let mut victim = stage.actor_after(&["produce", "put"]);
        let mut sleeper = stage.actor_after(&["consume", "get"]);
        let mut successor = stage.actor();
        let before = Instant::now();
        falls_asleep(&stage, &mut sleeper);
        dies_at(&mut victim, PutPublished, "put");
        assert_eq!(successor.ask("produce"), "ok 2");
        assert_eq!(sleeper.answer(HANG).as_deref(), Some("2 0"));
        before.elapsed() < SLICE
    });
    assert!(woken, "20 times it slept to the end of its slice");
}

// 2
#[test]
fn a_half_filled_loan_is_never_visible_and_its_buffer_is_used_again() {
    for size in Size::ALL {
        let stage = Stage::of(size, 1);
        let mut consumer = stage.actor_after(&["consume", "observe"]);
        // More often than there are buffers.
        for round in 1..=10 {
            let mut victim = stage.actor_after(&["produce"]);
            assert_eq!(victim.ask("put"), round.to_string());
            assert_eq!(victim.ask("die-half-filled"), "died");
            ends_by(&mut victim, Signal::SIGKILL);
            assert_eq!(stage.region().sequence, round);
            assert_eq!(consumer.ask("copy"), round.to_string());
            assert_eq!(consumer.ask("get"), format!("{round} 0"));
            assert_eq!(consumer.ask("try"), "nothing");
        }
    }
}

// 2
#[test]
fn nothing_is_read_ahead_from_a_producer_that_died_in_a_copy() {
    for (point, passes) in CrashPoint::FILLS.iter().flat_map(|point| [(point, 0), (point, 3)]) {
        once_within(SLICE + MARGIN, || {
            let stage = Stage::new(1);
            let mut victim = stage.actor_after(&["produce"]);
            let mut reader = stage.actor_after(&["consume"]);
            for round in 1..=3 {
                assert_eq!(victim.ask("put-copy"), round.to_string());
                assert_eq!(reader.ask("get-copy"), format!("{round} 0"));
            }
            reader.tell("get-copy");
            eventually("it sleeps", || stage.region().waiting[0]);
            assert_eq!(victim.ask(&format!("die {point:?} {passes}")), "ok");
            assert_eq!(victim.ask("put-copy"), "died");
            assert_eq!(stage.region().sequence, 3);
            assert_eq!(
                stage.region().filled,
                passes + 1,
                "a piece is counted when it is copied in"
            );
            assert_eq!(reader.answer(MARGIN), None, "nothing is put");
            let mut successor = stage.actor_after(&["produce"]);
            assert_eq!(successor.ask("put-copy"), "4");
            let put = Instant::now();
            assert_eq!(reader.answer(HANG).as_deref(), Some("4 0"));
            put.elapsed()
        });
    }
}

#[test]
fn a_burier_dead_at_any_point_leaves_the_rest_of_the_burial_to_its_successor() {
    for (point, size) in with_sizes(&[CrashPoint::BURIES]) {
        let stage = Stage::of(size, 2);
        let mut victim = stage.actor_after(&["produce", "put"]);
        let mut sleeper = stage.actor_after(&["consume", "get"]);
        dies_at(&mut sleeper, SleepFlagged, "get");
        assert_eq!(stage.region().waiting, [true]);
        // Enough puts for the producer to find its wakes needless.
        dies_at(&mut victim, point, "put 100");
        assert_eq!(stage.region().waiting, [point == BuryWon]);

        let mut successor = stage.actor_after(&["produce", "put 100"]);
        assert_eq!(stage.region().waiting, [false], "{point:?}");
        let mut heirs = [stage.actor_after(&["consume"]), stage.actor_after(&["consume"])];
        // Without a name the first starts with the current value, since others are expected.
        let latest = stage.region().sequence;
        assert_eq!(heirs[0].ask("get"), format!("{latest} 0"), "{point:?}");
        falls_asleep(&stage, &mut heirs[0]);
        let put = successor.ask("put");
        assert_eq!(heirs[0].answer(HANG), Some(format!("{put} 0")));
        assert_eq!(heirs[1].ask("get"), format!("{put} 1"));
    }
}

// 4, 14
#[test]
fn a_consumer_dead_at_any_point_starves_nobody_and_goes_on_where_it_stopped() {
    for (point, size) in
        with_sizes(&[CrashPoint::CONSUMER_STARTS, CrashPoint::GETS, CrashPoint::SLEEPS])
    {
        let stage = Stage::of(size, 2);
        let mut producer = stage.actor_after(&["produce", "put 5"]);
        let mut other = stage.actor_after(&["consume other", "get"]);
        let mut victim = stage.actor_after(&["consume viewer", "get"]);
        assert_eq!(producer.ask("put"), "6");
        let mut had = 5;
        if CrashPoint::CONSUMER_STARTS.contains(&point) {
            victim.kill();
            victim = stage.actor();
            dies_at(&mut victim, point, "consume viewer");
        } else if CrashPoint::GETS.contains(&point) {
            if point == GetReleased {
                assert_eq!(victim.ask("hold"), "6 0");
                dies_at(&mut victim, point, "release");
            } else {
                dies_at(&mut victim, point, "get");
            }
            if matches!(point, GetSeen | GetReleased) {
                had = 6;
            }
        } else {
            assert_eq!(victim.ask("get"), "6 0");
            had = 6;
            prepare_to_die(&mut victim, point);
            victim.tell("get");
            if point != SleepFlagged {
                eventually("it sleeps", || stage.region().waiting[1]);
                assert_eq!(producer.ask("put"), "7");
            }
            ends_by(&mut victim, Signal::SIGKILL);
        }
        let latest: u64 = producer.ask("put 600").parse().unwrap();
        assert_eq!(other.ask("get"), format!("{latest} {}", latest - 6), "{point:?}");

        let mut viewer = stage.actor_after(&["consume viewer"]);
        assert_eq!(viewer.ask("get"), format!("{latest} {}", latest - had - 1), "{point:?}");
        assert_eq!(viewer.ask("try"), "nothing", "{point:?}");
        let region = stage.region();
        let entries = (region.most_held(), region.waiting);
        assert_eq!(entries, (kept(size), vec![false, false]), "{point:?} {size:?}");
        falls_asleep(&stage, &mut viewer);
        assert_eq!(producer.ask("put"), (latest + 1).to_string());
        assert_eq!(viewer.answer(HANG), Some(format!("{} 0", latest + 1)), "{point:?}");
    }
}

// 5
#[test]
fn consumers_all_dead_while_holding_different_buffers_leave_one_to_the_producer() {
    let stage = Stage::new(3);
    let mut producer = stage.actor_after(&["produce"]);
    let mut holders: Vec<_> = (0..3).map(|_| stage.actor_after(&["consume"])).collect();
    for holder in &mut holders {
        producer.ask("put");
        holder.ask("hold");
    }
    assert_eq!(producer.ask("put 50"), "53");
    holders.iter_mut().for_each(|holder| holder.kill());
    assert_eq!(stage.region().holds(), 3);
    assert_eq!(producer.ask("put 50"), "103");
    drop(producer);
    let mut producer = stage.actor_after(&["produce"]);
    assert_eq!(producer.ask("put 50"), "153");
    // A slot that is taken over gives its buffer back.
    let heirs: Vec<_> = (0..3).map(|_| stage.actor_after(&["consume"])).collect();
    assert_eq!(stage.region().holds(), 0);
    drop(heirs);
}

// 10
#[test]
fn a_stopped_process_is_robbed_by_nobody_and_waits_for_it_time_out() {
    let stage = Stage::new(1);
    let mut producer = stage.actor_after(&["produce", "put"]);
    let mut consumer = stage.actor_after(&["consume viewer", "hold", "release"]);
    producer.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let (mut rival, mut best) = (stage.actor(), Duration::MAX);
    while stopped.elapsed() < Duration::from_secs(1) || best >= SLICE + MARGIN {
        assert!(rival.ask("produce").starts_with("RoleTaken"));
        let asked = Instant::now();
        assert!(consumer.ask("get 100").starts_with("Timeout"));
        let took = asked.elapsed();
        assert!(
            took >= SLICE && stopped.elapsed() < 10 * HANG,
            "{took:?}, never less than {best:?}"
        );
        best = best.min(took);
    }
    producer.signal(Signal::SIGCONT);
    assert_eq!(producer.ask("put"), "2");
    assert_eq!(consumer.ask("hold"), "2 0");

    consumer.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_secs(1) {
        assert!(rival.ask("consume viewer").starts_with("RoleTaken"));
        producer.ask("put 20");
    }
    consumer.signal(Signal::SIGCONT);
    assert_eq!(consumer.ask("reread"), "1", "the value held was left alone");
    assert_eq!(consumer.ask("release"), "ok");
    let latest = stage.region().sequence;
    assert_eq!(consumer.ask("get"), format!("{latest} {}", latest - 3));
}

// 11
#[test]
fn an_abort_or_a_panic_in_a_loan_publishes_nothing_and_in_a_guard_frees_the_slot() {
    for size in Size::ALL {
        let stage = Stage::of(size, 1);
        let mut producer = stage.actor_after(&["produce", "put"]);
        let mut consumer = stage.actor_after(&["consume"]);
        assert_eq!(producer.ask("panic-in-loan"), "ok");
        assert_eq!(stage.region().sequence, 1);
        assert_eq!(producer.ask("put 10"), "11");
        assert_eq!(producer.ask("abort-in-loan"), "died");
        ends_by(&mut producer, Signal::SIGABRT);
        assert_eq!(stage.region().sequence, 11);
        let mut producer = stage.actor_after(&["produce"]);
        assert_eq!(producer.ask("put"), "12");

        assert_eq!(consumer.ask("panic-in-guard"), "ok");
        assert_eq!(producer.ask("put"), "13");
        assert_eq!(consumer.ask("get"), "13 0");
        assert_eq!(producer.ask("put"), "14");
        assert_eq!(consumer.ask("abort-in-guard"), "died");
        ends_by(&mut consumer, Signal::SIGABRT);
        assert_eq!(stage.region().holds(), kept(size));
        assert_eq!(producer.ask("put 10"), "24");
        // As the only consumer of its channel it is the same consumer again, and has seen 14.
        let mut consumer = stage.actor_after(&["consume"]);
        assert_eq!(stage.region().holds(), 0);
        assert_eq!(consumer.ask("get"), "24 9");
    }
}

// 11
#[test]
fn a_panic_that_aborts_publishes_nothing_and_leaves_both_roles_free() {
    let stage = Stage::new(1);
    let mut producer = stage.actor_after(&["panics-abort", "produce", "put"]);
    let mut consumer = stage.actor_after(&["panics-abort", "consume"]);
    assert_eq!(consumer.ask("panic-in-guard"), "died");
    ends_by(&mut consumer, Signal::SIGABRT);
    assert_eq!(stage.region().holds(), 1);
    assert_eq!(producer.ask("panic-in-loan"), "died");
    ends_by(&mut producer, Signal::SIGABRT);
    assert_eq!(stage.region().sequence, 1);
    let mut producer = stage.actor_after(&["produce"]);
    let mut consumer = stage.actor_after(&["consume"]);
    assert_eq!(stage.region().holds(), 0);
    assert_eq!(producer.ask("put 10"), "11");
    assert_eq!(consumer.ask("get"), "11 9");
}

// 13
#[test]
fn sequences_go_on_over_two_hundred_producers_killed_at_points_of_every_kind() {
    for size in Size::ALL {
        let stage = Stage::of(size, 1);
        let mut latest = 0;
        let mut consumer = stage.actor_after(&["consume"]);
        for round in 0..70 {
            let mut producer = stage.actor();
            assert_eq!(producer.ask("produce"), format!("ok {latest}"));
            latest += 1;
            assert_eq!(producer.ask("put"), latest.to_string());
            assert_eq!(consumer.ask("get"), format!("{latest} 0"));
            let point = CrashPoint::PUTS[round % 5];
            dies_at(&mut producer, point, "put");
            if point == PutPublished {
                latest += 1;
                assert_eq!(consumer.ask("get"), format!("{latest} 0"));
            }
            assert_eq!(consumer.ask("try"), "nothing");
        }
    }
}

// 14
#[test]
fn two_named_consumers_restarted_in_the_other_order_each_go_on_where_they_stopped() {
    let stage = Stage::new(2);
    let mut producer = stage.actor_after(&["produce", "put 3"]);
    let mut left = stage.actor_after(&["consume left"]);
    let mut right = stage.actor_after(&["consume right"]);
    assert_eq!(left.ask("get"), "3 0");
    producer.ask("put 4");
    assert_eq!(right.ask("get"), "7 4");
    left.kill();
    right.kill();
    let mut right = stage.actor_after(&["consume right"]);
    let mut left = stage.actor_after(&["consume left"]);
    assert_eq!(right.ask("try"), "nothing");
    assert_eq!(left.ask("get"), "7 3");
    assert_eq!(left.ask("try"), "nothing");
}

#[test]
fn a_burial_in_the_slot_without_a_name_costs_no_dead_name_its_place() {
    let stage = Stage::new(2);
    let mut producer = stage.actor_after(&["produce", "put 3"]);
    let mut viewer = stage.actor_after(&["consume viewer", "get"]);
    let mut nameless = stage.actor_after(&["consume", "get"]);
    viewer.kill();
    nameless.kill();
    producer.ask("put 4");
    // As a burier does for its repair: a consumer that comes back meanwhile takes a third slot.
    let burier = stage.claim_slot(1);
    let nameless = stage.actor_after(&["consume"]);
    assert_eq!(stage.region().held.len(), 3);
    drop((burier, nameless));
    let mut viewer = stage.actor_after(&["consume viewer"]);
    assert_eq!(viewer.ask("get"), "7 3");
}

// 15
#[test]
fn after_everybody_died_the_last_value_is_there_in_either_order_of_restart() {
    for (producer_first, size) in Size::ALL.into_iter().flat_map(|s| [(true, s), (false, s)]) {
        let stage = Stage::of(size, 2);
        let mut producer = stage.actor_after(&["produce", "put 7"]);
        let mut other = stage.actor_after(&["consume other"]);
        let mut consumer = stage.actor_after(&["consume", "hold"]);
        for actor in [&mut producer, &mut other, &mut consumer] {
            actor.kill();
        }
        let before = stage.region();
        let mut producer = producer_first.then(|| stage.actor_after(&["produce"]));
        // Without a name and next to others it starts with the current value.
        let mut consumer = stage.actor_after(&["consume", "observe"]);
        assert_eq!(consumer.ask("get"), "7 0");
        assert_eq!(consumer.ask("copy"), "7");
        let producer = producer.get_or_insert_with(|| stage.actor_after(&["produce"]));
        assert_eq!(producer.ask("put"), "8");
        assert_eq!(consumer.ask("get"), "8 0");
        assert_eq!(stage.region().inode, before.inode);
    }
}

// 20
#[test]
fn a_creator_dead_at_any_point_leaves_nothing_or_a_whole_channel() {
    for (&point, role) in CrashPoint::CREATES.iter().flat_map(|p| [(p, "produce"), (p, "consume")])
    {
        let stage = Stage::new(1);
        let unfinished = machine::objects(".io-shared.");
        let mut creator = stage.actor();
        dies_at(&mut creator, point, role);
        assert_eq!(stage.objects().len(), usize::from(point == RegionLinked), "{point:?}");
        assert_eq!(machine::objects(".io-shared."), unfinished, "{point:?}");

        let mut producer = stage.actor_after(&["produce"]);
        let mut consumer = stage.actor_after(&["consume"]);
        assert_eq!(producer.ask("put"), "1", "{point:?}");
        assert_eq!(consumer.ask("get"), "1 0", "{point:?}");
        assert_eq!(stage.objects().len(), 1);
    }
}

// 22
#[test]
fn a_remover_dead_at_any_point_leaves_the_name_or_takes_it_and_peers_notice() {
    for &point in CrashPoint::REMOVES {
        once_within(Duration::from_millis(200) + MARGIN, || a_remover_dies_at(point));
    }
}

/// Returns how long its peers took to notice, if it had taken the name.
fn a_remover_dies_at(point: CrashPoint) -> Duration {
    let stage = Stage::new(2);
    let mut producer = stage.actor_after(&["produce", "put"]);
    let mut sleeper = stage.actor_after(&["consume", "get"]);
    let mut poller = stage.actor_after(&["consume", "get"]);
    falls_asleep(&stage, &mut sleeper);
    let mut remover = stage.actor();
    dies_at(&mut remover, point, "remove");
    let died = Instant::now();
    if point == RemoveLocked {
        assert_eq!(stage.objects().len(), 1);
        assert_eq!(producer.ask("put"), "2");
        assert_eq!(sleeper.answer(HANG).as_deref(), Some("2 0"));
        assert_eq!(poller.ask("get"), "2 0");
        assert_eq!(stage.actor().ask("remove"), "ok", "the lock died with its holder");
        return Duration::ZERO;
    }
    assert_eq!(stage.objects().len(), 0);
    let mut polled = String::new();
    eventually("a poller notices", || {
        polled = poller.ask("try");
        polled != "nothing"
    });
    assert!(polled.starts_with("Replaced"), "{polled}");
    let slept = sleeper.answer(HANG).unwrap();
    assert!(slept.starts_with("Replaced"), "{slept}");
    let mut put = String::new();
    eventually("the producer notices", || {
        put = producer.ask("put");
        put.parse::<u64>().is_err()
    });
    assert!(put.starts_with("Replaced"), "{put}");
    let took = died.elapsed();

    let mut successor = stage.actor_after(&["produce"]);
    let mut heir = stage.actor_after(&["consume"]);
    assert_eq!(successor.ask("put"), "1");
    assert_eq!(heir.ask("get"), "1 0");
    assert!(poller.ask("try").starts_with("Replaced"), "old and new do not mix");
    took
}
