//! Values that are lost to consumers, and count as missed: fields are added to a channel's
//! messages, and the latest value lacks them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::time::Duration;

use io_shared::{Channel, Message};
use test_support::TestName;

/// How long the other side may take to notice.
const SECONDS: Duration = Duration::from_secs(5);

/// What a program knows that was built before a field was added.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Pose {
    x: f64,
    frame: u64,
}

mod later {
    use super::Message;

    #[derive(Debug, Clone, Copy, Message)]
    #[repr(C)]
    pub(super) struct Pose {
        pub(super) x: f64,
        pub(super) frame: u64,
        pub(super) y: f64,
    }
}

fn before(frame: u64) -> Pose {
    Pose { x: 0.25, frame }
}

fn now(frame: u64) -> later::Pose {
    later::Pose { x: 0.25, frame, y: 0.5 }
}

#[test]
fn the_values_that_stay_behind_when_fields_are_added_count_as_missed() {
    let name = TestName::new("behind");
    let open = || Channel::<Pose>::named(&*name);
    let mut named = open().consumer_name("viewer").consumer().unwrap();
    let mut idle = open().consumer().unwrap();
    let mut observer = open().observer().unwrap();
    let mut producer = open().producer().unwrap();
    producer.put(&before(1)).unwrap();
    assert_eq!(*named.get_timeout(SECONDS).unwrap(), before(1));
    assert_eq!(*idle.get_timeout(SECONDS).unwrap(), before(1));
    (2..=4).for_each(|frame| assert_eq!(producer.put(&before(frame)).unwrap(), frame));
    drop(producer);
    let mut producer = io_shared::producer::<later::Pose>(&name).unwrap();
    assert_eq!(producer.wait_taken(SECONDS).unwrap(), 2, "there is nothing to take");
    std::thread::sleep(Duration::from_millis(120)); // so that each looks at the name first
    assert!(named.try_get().unwrap().is_none(), "there is nothing yet");
    assert_eq!(named.last_seen(), 1);
    // One that comes back has missed them too; one that was not there before has missed nothing.
    drop(named);
    let mut named = open().consumer_name("viewer").consumer().unwrap();
    let mut new = open().consumer().unwrap();
    for consumer in [&mut named, &mut new] {
        assert!(consumer.get_timeout(Duration::from_millis(20)).is_err(), "there is nothing yet");
    }
    assert_eq!(producer.put(&now(5)).unwrap(), 5);
    for (consumer, missed) in [(&mut named, 3), (&mut new, 0), (&mut idle, 3)] {
        let value = consumer.get_timeout(SECONDS).unwrap();
        assert_eq!((*value, value.seq(), value.missed()), (before(5), 5, missed));
    }
    assert_eq!(observer.since(1).next().unwrap().unwrap().missed(), 3);
    assert_eq!(producer.wait_taken(SECONDS).unwrap(), 3);
}
