//! Puts and loans whose channel was removed or replaced after they were begun: nothing is lost.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::{Duration, Instant};

use io_shared::{Channel, ErrorKind, Loan, Message, Producer, Result, binding};
use test_support::TestName;

/// Longer than a producer goes without checking where its name leads.
const LATER: Duration = Duration::from_millis(120);

/// What becomes of a channel under its producer.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Removed,
    /// Nobody says so.
    Deleted,
    /// By a channel that has had as many values.
    Replaced(u64),
}

const FATES: [Fate; 4] = [Fate::Removed, Fate::Deleted, Fate::Replaced(0), Fate::Replaced(5)];

impl Fate {
    /// Lets it happen to this channel. Returns how many values were put to what has the name then.
    fn happen<T: Message + ?Sized>(self, name: &TestName, channel: Channel<T>, value: &T) -> u64 {
        match self {
            Self::Removed => Channel::remove(name).unwrap(),
            Self::Deleted => std::fs::remove_file(name.path()).unwrap(),
            Self::Replaced(_) => Channel::remove(name).unwrap(),
        }
        let Self::Replaced(count) = self else {
            std::thread::sleep(LATER);
            return 0;
        };
        let mut other = channel.producer().unwrap();
        (0..count).for_each(|_| assert!(other.put(value).is_ok()));
        count
    }
}

/// Puts a loan of `old` over each fate, with and without stamps.
fn check<T: Message + ?Sized>(
    what: &str,
    channel: impl Fn(Channel<T>) -> Channel<T>,
    old: &T,
    lend: impl Fn(&mut Producer<T>) -> Result<Loan<'_, T>>,
    put: impl Fn(Loan<'_, T>) -> Result<u64>,
    new: &T,
) {
    for (fate, stamps) in FATES.into_iter().flat_map(|fate| [(fate, true), (fate, false)]) {
        let name = TestName::new(&format!("reopened-{what}"));
        let open = || channel(Channel::named(&*name)).stamps(stamps);
        let mut producer = open().producer().unwrap();
        producer.put(old).unwrap();
        for numbered in [false, true] {
            let mut loan = lend(&mut producer).unwrap();
            loan.tag(42);
            if numbered {
                loan.numbered(100, (!stamps).then_some(77)).unwrap();
            }
            let before = fate.happen(&name, open(), old);
            let seq = put(loan).unwrap();
            assert_eq!(seq, if numbered { 100 } else { before + 1 }, "{what} {fate:?} {stamps}");
            assert_eq!(producer.seq(), seq);
            let mut consumer = Channel::<T>::named(&*name).consumer().unwrap();
            let value = consumer.get().unwrap();
            assert_eq!(value.as_bytes(), new.as_bytes(), "{what} {fate:?} {stamps}");
            assert_eq!((value.seq(), value.tag()), (seq, 42));
            match (stamps, numbered) {
                (false, true) => assert_eq!(value.stamp(), 77),
                _ => assert_eq!(value.stamp() != 0, stamps),
            }
        }
        producer.put(old).unwrap();
        assert_eq!(producer.seq(), 101, "it goes on there");
    }
}

#[test]
fn a_loan_that_is_put_after_its_channel_was_replaced_is_in_the_new_one_as_it_was_given() {
    check(
        "sized",
        |channel| channel,
        &[1_u64; 4],
        |producer| {
            let mut loan = producer.loan()?;
            *loan = [2; 4];
            Ok(loan)
        },
        |loan| loan.put(),
        &[2; 4],
    );
    check(
        "checked",
        |channel| channel.elements(8),
        &[true, false][..],
        |producer| {
            let mut loan = producer.loan_len(8)?;
            loan[..3].copy_from_slice(&[true, true, false]);
            loan.truncate(3);
            Ok(loan)
        },
        |loan| loan.put(),
        &[true, true, false],
    );
    let large: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    check(
        "parts",
        |channel| channel.capacity("1M"),
        b"old".as_slice(),
        |producer| producer.loan_len(1_000_000),
        |loan| binding::put_parts(loan, &[&large[..7], &large[7..]]),
        &large,
    );
}

#[test]
fn a_loan_whose_number_the_new_channel_has_reached_is_refused_with_the_last_one_there() {
    let name = TestName::new("reopened-reached");
    let channel = || Channel::<u64>::named(&*name);
    let mut producer = channel().producer().unwrap();
    let mut loan = producer.loan().unwrap();
    loan.numbered(3, None).unwrap();
    Fate::Replaced(5).happen(&name, channel(), &1);
    match *loan.put().unwrap_err().kind() {
        ErrorKind::BadSeq { found, last, .. } => assert_eq!((found, last), (3, 5)),
        ref kind => panic!("{kind:?}"),
    }
    assert_eq!(producer.put(&2).unwrap(), 6, "the producer is in the new channel");
}

#[test]
fn a_loan_of_a_producer_that_does_not_reopen_says_replaced_and_is_nowhere() {
    for (fate, stamps) in FATES.into_iter().flat_map(|fate| [(fate, true), (fate, false)]) {
        let name = TestName::new("reopened-faithful");
        let channel = Channel::<u64>::named(&*name).reopen(false).stamps(stamps);
        let mut producer = channel.clone().producer().unwrap();
        let mut consumer = channel.consumer().unwrap();
        let mut loan = producer.loan().unwrap();
        *loan = 7;
        let before = fate.happen(&name, Channel::<u64>::named(&*name), &1);
        assert_eq!(*loan.put().unwrap_err().kind(), ErrorKind::Replaced, "{fate:?}");
        let got = consumer.try_get();
        assert!(!matches!(got, Ok(Some(_))), "{fate:?}: {got:?}");
        match fate {
            Fate::Replaced(_) => {
                assert_eq!(io_shared::producer::<u64>(&name).unwrap().seq(), before)
            }
            _ => assert!(!name.path().exists(), "it creates nothing"),
        }
    }
}

#[test]
fn a_loan_that_does_not_fit_the_new_channel_lets_it_grow_or_says_how_large_it_is() {
    for growing in [true, false] {
        let name = TestName::new("reopened-larger");
        let channel = |bytes| Channel::<[u8]>::named(&*name).elements(bytes);
        let mut producer = channel(1000).growing(growing).producer().unwrap();
        let mut loan = producer.loan_len(1000).unwrap();
        loan.fill(7);
        Channel::remove(&name).unwrap();
        let other = channel(10).growing(growing).producer().unwrap();
        drop(other);
        let kept = channel(10).consumer().unwrap(); // so that nobody replaces it
        match loan.put() {
            Ok(seq) => {
                assert!(growing);
                assert_eq!(seq, 1);
                let mut consumer = Channel::<[u8]>::named(&*name).consumer().unwrap();
                assert_eq!(*consumer.get().unwrap(), [7; 1000]);
                // A loan that has to grow the channel first follows the name as well.
                drop((kept, consumer));
                Channel::remove(&name).unwrap();
                assert_eq!(producer.loan_len(5000).unwrap().put().unwrap(), 1);
            }
            Err(error) => {
                assert!(!growing, "{error}");
                assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
            }
        }
    }
}

#[test]
fn no_loan_is_lost_where_channels_are_removed_all_the_time() {
    let name = TestName::new("reopened-storm");
    let mut producer = io_shared::producer::<[u64; 8]>(&name).unwrap();
    let deadline = Instant::now() + Duration::from_millis(500);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < deadline {
                let _ = Channel::remove(&name);
                // A put gives up after several reopenings in a row, so pause between them.
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut value = 0;
        while Instant::now() < deadline {
            value += 1;
            let mut loan = producer.loan().unwrap();
            *loan = [value; 8];
            loan.put().unwrap();
        }
    });
    producer.put(&[1; 8]).unwrap();
    let mut consumer = io_shared::consumer::<[u64; 8]>(&name).unwrap();
    assert_eq!(*consumer.get().unwrap(), [1; 8]);
}
