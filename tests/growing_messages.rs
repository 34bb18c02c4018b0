//! A message grows by fields: programs that know only the first ones go on with their part of it.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use io_shared::message::Shape;
use io_shared::schema::{Field, Scalar, Struct, Type};
use io_shared::{Channel, Consumer, ErrorKind, Message, Observer, Schema};
use proptest::prelude::*;
use test_support::{TestFile, TestName};

/// Two definitions of one message: as the first program has it, and as a later one does.
macro_rules! grows {
    ($Message:ident { $($field:ident: $ty:ty),* } and { $($more:ident: $later:ty),* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Message)]
        #[repr(C)]
        pub(crate) struct $Message {
            $(pub(crate) $field: $ty,)*
        }

        pub(crate) mod later {
            use super::Message;

            #[derive(Debug, Clone, Copy, PartialEq, Message)]
            #[repr(C)]
            pub(crate) struct $Message {
                $(pub(crate) $field: $ty,)*
                $(pub(crate) $more: $later,)*
            }
        }
    };
}

/// Both are stored inline.
mod small {
    use super::Message;
    grows!(Pose { x: f64, frame: u32, camera: u32 } and { y: f64 });

    pub(crate) fn before(n: u32) -> Pose {
        Pose { x: f64::from(n), frame: n, camera: 7 }
    }

    pub(crate) fn now(n: u32) -> later::Pose {
        later::Pose { x: f64::from(n), frame: n, camera: 7, y: 0.5 }
    }

    pub(crate) type Before = Pose;
    pub(crate) type Now = later::Pose;
}

/// The first is small enough to be stored inline, the second is not.
mod outgrown {
    use super::Message;
    grows!(Pose { x: f64, frame: u32, camera: u32 } and { covariance: [f64; 9] });

    pub(crate) fn before(n: u32) -> Pose {
        Pose { x: f64::from(n), frame: n, camera: 7 }
    }

    pub(crate) fn now(n: u32) -> later::Pose {
        later::Pose { x: f64::from(n), frame: n, camera: 7, covariance: [0.5; 9] }
    }

    pub(crate) type Before = Pose;
    pub(crate) type Now = later::Pose;
}

/// Both are so large that they are read ahead.
mod large {
    use super::Message;
    grows!(Scan { ranges: [u32; 35_000], frame: u64 } and { echoes: [u32; 35_000] });

    pub(crate) fn before(n: u32) -> Scan {
        Scan { ranges: [n; 35_000], frame: n.into() }
    }

    pub(crate) fn now(n: u32) -> later::Scan {
        later::Scan { ranges: [n; 35_000], frame: n.into(), echoes: [1; 35_000] }
    }

    pub(crate) type Before = Scan;
    pub(crate) type Now = later::Scan;
}

/// Every way to read, of a consumer and an observer that know the first fields only.
macro_rules! every_way {
    ($sizes:ident) => {{
        use $sizes::{Before, Now};
        // Boxed, because a test's stack has room for few large ones.
        let (before, now) = (|n| Box::new($sizes::before(n)), |n| Box::new($sizes::now(n)));
        let name = TestName::new(stringify!($sizes));
        let mut producer = io_shared::producer::<Now>(&name).unwrap();
        let open = || Channel::<Before>::named(&*name);
        let mut consumer = open().consumer().unwrap();
        let mut observer = open().observer().unwrap();
        assert_eq!(consumer.schema(), &Before::schema());
        assert_eq!(observer.schema(), &Before::schema());

        producer.put(&*now(1)).unwrap();
        assert!(*consumer.get().unwrap() == *before(1));
        assert!(consumer.try_get().unwrap().is_none());
        assert!(*consumer.latest().unwrap().unwrap() == *before(1));
        assert!(*consumer.latest().unwrap().unwrap().to_copy().unwrap() == *before(1));
        assert!(*observer.copy().unwrap().unwrap() == *before(1));

        producer.put_tagged(&*now(2), 42).unwrap();
        producer.put_tagged(&*now(3), 43).unwrap();
        let value = consumer.get_timeout(Duration::from_secs(5)).unwrap().into_owned();
        assert!(*value == *before(3));
        assert_eq!((value.seq(), value.missed(), value.tag()), (3, 1, 43));
        assert!(value.age().is_some());
        drop(value);

        let mut consumer = consumer.into_async();
        producer.put(&*now(4)).unwrap();
        let got = wait_for(consumer.get()).unwrap();
        assert!(*got == *before(4));
    }};
}

#[test]
fn a_small_message_that_grew_is_read_in_every_way() {
    every_way!(small);
}

#[test]
fn a_message_that_outgrew_the_line_of_latest_is_read_in_every_way() {
    every_way!(outgrown);
}

#[test]
fn a_large_message_that_grew_is_read_in_every_way() {
    every_way!(large);
}

fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let started = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "it is ready by now");
        std::thread::yield_now();
    }
}

#[test]
fn a_part_that_was_stored_inline_once_still_takes_no_hold() {
    let name = TestName::new("holds");
    let mut producer = io_shared::producer::<outgrown::Now>(&name).unwrap();
    let mut consumer = io_shared::consumer::<outgrown::Before>(&name).unwrap();
    let kept: Vec<_> = (1..=10)
        .map(|n| {
            producer.put(&outgrown::now(n)).unwrap();
            consumer.get().unwrap().into_owned()
        })
        .collect();
    for (n, value) in (1..).zip(&kept) {
        assert_eq!(**value, outgrown::before(n));
    }
}

#[test]
fn whoever_knows_all_fields_reads_them_next_to_one_that_does_not() {
    let name = TestName::new("both");
    let mut now = io_shared::consumer::<small::Now>(&name).unwrap(); // creates the channel
    let mut before = io_shared::consumer::<small::Before>(&name).unwrap();
    let mut producer = io_shared::producer::<small::Now>(&name).unwrap();
    for n in 1..100 {
        producer.put(&small::now(n)).unwrap();
        assert_eq!(*before.get().unwrap(), small::before(n));
        assert_eq!(*now.get().unwrap(), small::now(n));
    }
}

#[test]
fn a_consumer_that_expects_more_than_there_is_is_told_which_field_is_missing() {
    let name = TestName::new("more");
    let _producer = io_shared::producer::<small::Before>(&name).unwrap();
    let open = || Channel::<small::Now>::named(&*name).open_timeout(Duration::ZERO);
    for error in [open().consumer().unwrap_err(), open().observer().unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
        let missing = "field `y`: channel has none, this program <f8 at 16";
        assert!(error.to_string().contains(missing), "{error}");
    }
}

#[test]
fn a_producer_that_knows_less_than_the_channel_has_is_refused() {
    let name = TestName::new("less");
    let user = io_shared::consumer::<small::Now>(&name).unwrap();
    let error = io_shared::producer::<small::Before>(&name).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    let unknown = "field `y`: channel has <f8 at 16, this program none";
    assert!(error.to_string().contains(unknown), "{error}");
    drop(user);
}

#[test]
fn a_length_that_no_whole_message_has_is_corrupt_for_those_that_know_a_part() {
    let path = TestFile::new("lengths");
    let (whole, part) = (size_of::<outgrown::Now>() as u64, size_of::<outgrown::Before>() as u64);
    let producer = Channel::<outgrown::Now>::file(&*path);
    producer.producer().unwrap().put(&outgrown::now(1)).unwrap();
    let file = File::options().read(true).write(true).open(&*path).unwrap();
    let number = |at| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, at).unwrap();
        u64::from_le_bytes(bytes)
    };
    let (stride, first, latest) = (number(40), number(48), number(0x80));
    let buffer = first + (latest >> 56) * stride;
    assert_eq!((number(buffer + 8), number(0xa0)), (whole, whole), "where the length is");
    let found = || {
        let open = || Channel::<outgrown::Before>::file(&*path);
        let bytes = || Channel::<[u8]>::file(&*path).schema(outgrown::Before::schema());
        [
            open().consumer().and_then(|mut c| Ok(c.latest()?.is_some())),
            open().observer().and_then(|mut o| Ok(o.copy()?.is_some())),
            bytes().consumer().and_then(|mut c| Ok(c.latest()?.is_some())),
            bytes().observer().and_then(|mut o| Ok(o.copy()?.is_some())),
        ]
    };
    assert!(found().iter().all(|found| matches!(found, Ok(true))));
    let wrong = [0, 1, part, whole - part, whole - 1, whole + 1, 2 * whole, u64::MAX, u64::MAX - 7];
    for length in wrong {
        for at in [buffer + 8, 0xa0] {
            file.write_all_at(&length.to_le_bytes(), at).unwrap();
        }
        for found in found() {
            let error = found.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Corrupt { .. }), "{length}: {error}");
        }
    }
}

/// Other definitions of the pose, each too different to be read.
mod near {
    use super::Message;

    #[derive(Debug, Message)]
    #[repr(C)]
    pub(crate) struct Renamed {
        x: f64,
        number: u32,
        camera: u32,
    }

    #[derive(Debug, Message)]
    #[repr(C)]
    pub(crate) struct Reordered {
        x: f64,
        camera: u32,
        frame: u32,
    }

    #[derive(Debug, Message)]
    #[repr(C)]
    pub(crate) struct Tailed {
        x: f64,
        rest: [u32],
    }

    #[derive(Debug, Message)]
    #[repr(C)]
    pub(crate) struct Retyped {
        x: f64,
        frame: i32,
        camera: u32,
    }
}

#[test]
fn fields_that_are_renamed_reordered_or_of_another_type_stay_a_mismatch() {
    let name = TestName::new("near");
    let _producer = io_shared::producer::<small::Now>(&name).unwrap();
    fn refused<T: Message + ?Sized>(name: &str) {
        let open = || Channel::<T>::named(name).open_timeout(Duration::ZERO);
        for error in [open().consumer().unwrap_err(), open().observer().unwrap_err()] {
            assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
        }
    }
    refused::<near::Renamed>(&name);
    refused::<near::Reordered>(&name);
    refused::<near::Tailed>(&name);
    refused::<near::Retyped>(&name);
    refused::<f64>(&name);
    refused::<[u8; 24]>(&name);
}

/// A struct with a field of `count` numbers of each kind.
fn layout(fields: &[(Scalar, usize)]) -> Struct {
    let align = fields.iter().map(|(scalar, _)| scalar.size()).max().unwrap_or(1);
    let mut layout = Struct::new("Random", Shape { size: 0, align, element: None });
    let mut add = |ty: Type| {
        let Shape { size, align, .. } = ty.shape();
        assert!(layout.shape.size.is_multiple_of(align));
        let field = Field::new(&format!("f{}", layout.fields.len()), layout.shape.size, ty);
        layout.shape.size += size;
        layout.fields.push(field);
        layout.shape.size
    };
    let bytes = |count| Type::Array { count, element: Box::new(Type::Scalar(Scalar::U8)) };
    for &(scalar, count) in fields {
        add(Type::Array { count, element: Box::new(Type::Scalar(scalar)) });
        let end = add(bytes(0));
        add(bytes(end.next_multiple_of(align) - end));
    }
    layout
}

/// The scalars that any bytes are a value of.
fn any_bytes() -> impl Strategy<Value = Scalar> {
    let scalars: Vec<Scalar> = Scalar::ALL.iter().copied().filter(|s| *s != Scalar::Bool).collect();
    proptest::sample::select(scalars)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_first_fields_are_their_bytes_are_what_is_read(
        fields in proptest::collection::vec((any_bytes(), 1..20_usize), 2..6),
        known in any::<proptest::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let whole = layout(&fields);
        let mut part = layout(&fields[..1 + known.index(fields.len() - 1)]);
        // Where the larger numbers come later, the gaps differ.
        prop_assume!(part.fields[..] == whole.fields[..part.fields.len()]);
        part.shape.align = whole.shape.align;
        let (size, own) = (whole.shape.size, part.shape.size);
        let name = TestName::new("random");
        let open = |layout: &Struct| {
            Channel::<[u8]>::named(&*name).schema(Schema::new(layout.clone().into()))
        };
        let mut producer = open(&whole).capacity(size).producer().unwrap();
        let mut consumer = open(&part).consumer().unwrap();
        let mut observer = open(&part).observer().unwrap();
        for n in 1..4_u64 {
            let byte = |i: u64| (seed.wrapping_mul(i * n + 1) >> 32) as u8;
            let message: Vec<u8> = (1..=size as u64).map(byte).collect();
            producer.put(&message[..]).unwrap();
            prop_assert_eq!(&*consumer.get().unwrap(), &message[..own]);
            prop_assert_eq!(&*consumer.latest().unwrap().unwrap(), &message[..own]);
            prop_assert_eq!(&*observer.copy().unwrap().unwrap(), &message[..own]);
        }
    }
}

/// How long the other side may take to notice.
const SECONDS: Duration = Duration::from_secs(5);

/// A consumer and an observer that were built before, and go on through replacements.
fn readers(name: &TestName) -> (Consumer<small::Before>, Observer<small::Before>) {
    let open = || Channel::<small::Before>::named(&**name).reopen(true);
    (open().consumer_name("viewer").consumer().unwrap(), open().observer().unwrap())
}

#[test]
fn a_consumer_goes_on_with_a_producer_built_after_it_that_starts_first() {
    let name = TestName::new("first");
    let mut producer = io_shared::producer::<small::Now>(&name).unwrap();
    let (mut consumer, mut observer) = readers(&name);
    producer.put(&small::now(1)).unwrap();
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(1));
    assert_eq!(*observer.copy().unwrap().unwrap(), small::before(1));
}

#[test]
fn a_running_consumer_goes_on_when_a_producer_built_after_it_starts() {
    let name = TestName::new("second");
    // It creates the channel, whose messages have the fields that it knows.
    let (mut consumer, mut observer) = readers(&name);
    let mut producer = io_shared::producer::<small::Before>(&name).unwrap();
    for n in 1..=3 {
        producer.put(&small::before(n)).unwrap();
        assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(n));
    }
    producer.put(&small::before(4)).unwrap(); // what nobody gets any more
    drop(producer);
    let mut producer = io_shared::producer::<small::Now>(&name).unwrap();
    assert_eq!((producer.seq(), producer.connected().unwrap().len()), (4, 1));
    // It may have looked at the name so recently that it gets the value from before first.
    let mut missed = 1;
    if let Ok(value) = consumer.get_timeout(Duration::from_millis(150)) {
        assert_eq!((*value, value.seq()), (small::before(4), 4));
        missed = 0;
    }
    assert!(consumer.get_timeout(Duration::from_millis(150)).is_err(), "there is nothing yet");
    assert!(consumer.latest().unwrap().is_none() && observer.copy().unwrap().is_none());
    for n in 5..=7 {
        assert_eq!(producer.put(&small::now(n)).unwrap(), u64::from(n));
        let value = consumer.get_timeout(SECONDS).unwrap();
        let missed = std::mem::take(&mut missed);
        assert_eq!((*value, value.seq(), value.missed()), (small::before(n), n.into(), missed));
        assert!(value.age().is_some());
        assert_eq!(*observer.copy().unwrap().unwrap(), small::before(n));
    }
    assert_eq!(producer.wait_taken(SECONDS).unwrap(), 1);
    // Whoever knows all fields opens it by now, and so does the next producer.
    assert_eq!(io_shared::consumer::<small::Now>(&name).unwrap().latest().unwrap().unwrap().y, 0.5);
    drop(producer);
    let mut producer = io_shared::producer::<small::Now>(&name).unwrap();
    assert_eq!(producer.put(&small::now(8)).unwrap(), 8);
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(8));
}

#[test]
fn a_consumer_that_sleeps_wakes_up_for_the_first_value_of_a_producer_with_more_fields() {
    let name = TestName::new("sleeper");
    let (mut consumer, _) = readers(&name);
    std::thread::scope(|scope| {
        let got = scope.spawn(move || *consumer.get_timeout(SECONDS).unwrap());
        std::thread::sleep(Duration::from_millis(30)); // by now it sleeps, or will; both must do
        let mut producer = io_shared::producer::<small::Now>(&name).unwrap();
        producer.put(&small::now(1)).unwrap();
        assert_eq!(got.join().unwrap(), small::before(1));
    });
}

#[test]
fn a_value_that_is_held_stays_as_it_is_when_the_messages_get_more_fields() {
    let name = TestName::new("held");
    let mut producer = io_shared::producer::<large::Before>(&name).unwrap();
    let channel = Channel::<large::Before>::named(&*name).reopen(true);
    let mut consumer = channel.consumer().unwrap();
    producer.put(&*Box::new(large::before(1))).unwrap();
    let held = consumer.get().unwrap().into_owned();
    drop(producer);
    let mut producer = io_shared::producer::<large::Now>(&name).unwrap();
    for n in 2..=9 {
        producer.put(&*Box::new(large::now(n))).unwrap();
        let value = consumer.get_timeout(SECONDS).unwrap();
        assert!(*value == *Box::new(large::before(n)));
    }
    assert!(*held == *Box::new(large::before(1)));
}

#[test]
fn a_living_producer_of_fewer_fields_is_not_replaced() {
    let name = TestName::new("living");
    let mut old = io_shared::producer::<small::Before>(&name).unwrap();
    let (mut consumer, _) = readers(&name);
    let error = io_shared::producer::<small::Now>(&name).unwrap_err();
    let ErrorKind::Mismatch { holders, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(holders.len(), 2, "{error}");
    assert!(error.to_string().contains("field `y`: channel has none"), "{error}");
    old.put(&small::before(1)).unwrap();
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(1));
}

#[test]
fn of_producers_with_more_fields_that_start_at_once_one_has_the_role() {
    for _ in 0..20 {
        let name = TestName::new("race");
        let (mut consumer, _) = readers(&name);
        let opened: Vec<_> = std::thread::scope(|scope| {
            let open = || io_shared::producer::<small::Now>(&name);
            let opening: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            opening.into_iter().map(|opening| opening.join().unwrap()).collect()
        });
        let (mut producers, errors): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
        assert_eq!(producers.len(), 1);
        for error in errors {
            let error = error.unwrap_err();
            let is_right =
                matches!(error.kind(), ErrorKind::RoleTaken { .. } | ErrorKind::Mismatch { .. });
            assert!(is_right, "{error}");
        }
        let producer = producers[0].as_mut().unwrap();
        producer.put(&small::now(1)).unwrap();
        assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(1));
    }
}

#[test]
fn in_a_file_the_messages_get_more_fields_where_the_producer_asks_for_it() {
    let path = TestFile::new("asked");
    let open = || Channel::<small::Before>::file(&*path).reopen(true);
    let mut consumer = open().consumer().unwrap();
    open().producer().unwrap().put(&small::before(1)).unwrap();
    let now = || Channel::<small::Now>::file(&*path);
    let error = now().producer().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(1));
    let mut producer = now().replace(true).producer().unwrap();
    assert_eq!(producer.put(&small::now(2)).unwrap(), 2);
    assert_eq!(*consumer.get_timeout(SECONDS).unwrap(), small::before(2));
}
