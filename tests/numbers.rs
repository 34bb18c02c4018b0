//! Values that are put under given numbers.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::{Duration, Instant};

use io_shared::{Channel, Consumer, ErrorKind, Loan, Message, Result, binding};
use test_support::{TestFile, TestName};

const SECONDS: Duration = Duration::from_secs(10);
const LARGEST: u64 = (1 << 52) - 1;

/// Puts a loan under a number.
fn put_as<T: Message + ?Sized>(loan: Result<Loan<'_, T>>, seq: u64) -> Result<u64> {
    let mut loan = loan?;
    loan.numbered(seq, None)?;
    loan.put()
}

/// The number of the next value, and how many were missed before it.
fn next<T: Message + ?Sized>(consumer: &mut Consumer<T>) -> (u64, u64) {
    let value = consumer.get_timeout(SECONDS).unwrap();
    (value.seq(), value.missed())
}

#[test]
fn a_value_has_the_number_it_was_put_under_and_the_gap_counts_as_missed() {
    let (small, large) = (TestName::new("numbers"), TestName::new("numbers-large"));
    let mut put = io_shared::producer::<u64>(&*small).unwrap();
    let mut get = io_shared::consumer::<u64>(&*small).unwrap();
    let mut look = Channel::<u64>::named(&*small).observer().unwrap();
    assert_eq!(put_as(put.loan(), 7).unwrap(), 7);
    assert_eq!(next(&mut get), (7, 6));
    assert_eq!(put.put(&1).unwrap(), 8);
    assert_eq!(next(&mut get), (8, 0));
    assert_eq!((put_as(put.loan(), 1000).unwrap(), put.seq()), (1000, 1000));
    assert_eq!(look.copy().unwrap().unwrap().seq(), 1000);
    assert_eq!((next(&mut get), get.last_seen()), ((1000, 991), 1000));

    let mut put = Channel::<[u8]>::named(&*large).capacity("1M").producer().unwrap();
    let mut get = Channel::<[u8]>::named(&*large).consumer().unwrap();
    for (seq, missed) in [(41, 40), (42, 0), (1 << 40, (1 << 40) - 43)] {
        let mut loan = put.loan_len(1 << 20).unwrap();
        loan.tag(seq + 1);
        loan.numbered(seq, None).unwrap();
        let whole = vec![seq as u8; 1 << 20];
        assert_eq!(binding::put_parts(loan, &[&whole]).unwrap(), seq);
        let value = get.get_timeout(SECONDS).unwrap();
        assert_eq!((value.seq(), value.missed(), value.tag()), (seq, missed, seq + 1));
        assert_eq!(*value, *whole);
    }
}

#[test]
fn a_number_that_does_not_go_up_is_refused_with_both_and_the_loan_stays_as_it_is() {
    let name = TestName::new("numbers-down");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    for found in [0, LARGEST + 1, u64::MAX] {
        let error = put_as(put.loan(), found).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::BadSeq { found, last: 0, largest: LARGEST });
        assert!(error.to_string().contains(&found.to_string()), "{error}");
    }
    put_as(put.loan(), 20).unwrap();
    for found in [1, 19, 20] {
        let mut loan = put.loan().unwrap();
        *loan = 5;
        loan.tag(6);
        let error = loan.numbered(found, 1).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::BadSeq { found, last: 20, largest: LARGEST });
        let text = error.to_string();
        for part in [&*name, &format!("number {found}:"), "had 20", "put it under 21 or more"] {
            assert!(text.contains(part), "{text}");
        }
        drop(loan);
        assert_eq!(put.seq(), 20, "nothing was put");
    }
    let mut loan = put.loan().unwrap();
    *loan = 5;
    assert!(loan.numbered(20, None).is_err());
    assert_eq!(loan.put().unwrap(), 21);
    assert_eq!(*io_shared::consumer::<u64>(&*name).unwrap().get().unwrap(), 5);
    assert_eq!(put_as(put.loan(), LARGEST).unwrap(), LARGEST);
    assert_eq!(*put.put(&1).unwrap_err().kind(), ErrorKind::SequenceExhausted);
}

#[test]
fn a_given_stamp_gives_the_age_and_0_or_the_future_gives_none() {
    let name = TestName::new("numbers-stamps");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    let mut get = io_shared::consumer::<u64>(&*name).unwrap();
    let mut seq = 0;
    let mut stamped = |stamp: Option<u64>| {
        seq += 10;
        let mut loan = put.loan().unwrap();
        loan.numbered(seq, stamp).unwrap();
        loan.put().unwrap();
        let copy = get.get_timeout(SECONDS).unwrap().to_copy().unwrap();
        (copy.stamp(), copy.age())
    };
    let (now, age) = stamped(None);
    assert!(now > 0 && age.unwrap() < SECONDS);
    let minute = 60_000_000_000;
    let earlier = now.saturating_sub(minute).max(1);
    let (stamp, age) = stamped(Some(earlier));
    assert_eq!(stamp, earlier);
    assert!(age.unwrap() >= Duration::from_nanos(now - earlier));
    assert_eq!(stamped(Some(0)), (0, None));
    assert_eq!(stamped(Some(now + 60 * minute)), (now + 60 * minute, None), "in the future");
    assert_eq!(stamped(Some(u64::MAX)), (u64::MAX, None));
    put.put(&1).unwrap();
    assert!(get.get().unwrap().age().is_some(), "the next put stamps by itself again");
}

#[test]
fn after_a_restart_numbers_go_on_from_the_jump() {
    let file = TestFile::new("numbers-restart");
    let open = || Channel::<u64>::file(&*file);
    let named = || open().consumer_name("logger").consumer().unwrap();
    let mut get = named();
    let mut put = open().producer().unwrap();
    put_as(put.loan(), 100).unwrap();
    assert_eq!(next(&mut get), (100, 99));
    put_as(put.loan(), 200).unwrap();
    drop((put, get));
    let mut get = named();
    assert_eq!((get.last_seen(), next(&mut get)), (100, (200, 99)));
    let mut put = open().producer().unwrap();
    assert_eq!((put.seq(), put.put(&1).unwrap()), (200, 201));
    assert!(put_as(put.loan(), 201).is_err());
    drop(get);
    let mut late = open().consumer_name("another").consumer().unwrap();
    assert_eq!(next(&mut late), (201, 0), "a new consumer has missed nothing");
}

#[test]
fn a_wait_for_consumers_counts_those_that_have_the_value_after_a_jump() {
    let name = TestName::new("numbers-taken");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    let mut get = io_shared::consumer::<u64>(&*name).unwrap();
    put.put(&1).unwrap();
    assert_eq!(next(&mut get).0, 1);
    put_as(put.loan(), 1 << 33).unwrap();
    let error = put.wait_taken(Duration::from_millis(5)).unwrap_err();
    assert!(error.to_string().contains("value 8589934592"), "{error}");
    assert_eq!(next(&mut get), (1 << 33, (1 << 33) - 2));
    assert_eq!(put.wait_taken(SECONDS).unwrap(), 1);
}

/// The low half of the number is the futex word. After a jump by 2^32 it is as before, so a
/// consumer that was just about to sleep may do so, until its slice of 100 ms ends.
#[test]
fn a_sleeper_gets_a_value_after_a_jump_by_any_power_of_two_within_a_slice() {
    let name = TestName::new("numbers-sleeper");
    let mut put = io_shared::producer::<u64>(&*name).unwrap();
    let mut get = io_shared::consumer::<u64>(&*name).unwrap();
    let mut seq = 0;
    for round in 0..60 {
        let jump = if round % 3 == 0 { 1 << 31 } else { 1 << 32 };
        seq += jump;
        let expected = (seq, jump - 1);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                let found = next(&mut get);
                (found, Instant::now())
            });
            // From at once to long after it has fallen asleep.
            std::thread::sleep(Duration::from_micros(40 * round));
            put_as(put.loan(), seq).unwrap();
            let at = Instant::now();
            let (found, when) = sleeper.join().unwrap();
            assert_eq!(found, expected);
            assert!(when.saturating_duration_since(at) < Duration::from_secs(1), "{round}");
        });
    }
}
