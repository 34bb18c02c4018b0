//! What `Debug` shows: an error's text, a guard's value, and never more than a screen.

use io_shared::mmap::LockError;
use io_shared::{Channel, Error, ErrorKind, Message, RwSharedMmap, Shared, Text};
use test_support::TestName;

/// A message without `Debug`, as most are.
#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Pose {
    x: f64,
    frame: u64,
    id: Text<8>,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    points: [[f32; 3]],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Pair(u32, u32);

#[test]
fn debug_of_an_error_is_its_text_so_unwrap_and_main_show_it() {
    let error = io_shared::producer::<u8>("no\nname").unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(format!("{error:#?}"), error.to_string());
    let boxed: Box<dyn std::error::Error> = error.into();
    assert!(format!("{boxed:?}").contains("use letters, digits"), "{boxed:?}");

    let said = std::panic::catch_unwind(|| {
        drop(
            Channel::<u8>::named("/no-such")
                .open_timeout(std::time::Duration::ZERO)
                .observer()
                .unwrap(),
        )
    });
    let said = said.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("/no-such does not exist: start the program that creates it"), "{said}");
    let error = Text::<2>::try_from("abc").unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn debug_of_a_lock_whose_writer_died_says_so_and_what_to_do() {
    let name = TestName::new("shown-died");
    let mut state = Shared::<[u32; 2]>::named(&*name).open().unwrap();
    let thread = std::thread::spawn(move || {
        let _guard = state.write().unwrap();
        panic!("in the middle");
    });
    assert!(thread.join().is_err());
    let mut state = Shared::<[u32; 2]>::named(&*name).open().unwrap();
    let error = state.write().unwrap_err();
    let said = format!("{error:?}");
    assert!(said.contains("a writer died while writing"), "{said}");
    assert!(said.contains("mark_consistent()"), "{said}");
    assert!(said.contains("value: [0, 0]"), "{said}");
    drop(error);
    Shared::<[u32; 2]>::remove(&*name).unwrap();
    let failed: LockError<()> = LockError::Failed(Error::new("/x", ErrorKind::WouldBlock));
    assert!(format!("{failed:?}").starts_with("/x: another handle has the lock"), "{failed:?}");
}

#[test]
fn guards_copies_and_loans_show_their_value_whether_it_has_debug_or_not() {
    let name = TestName::new("shown-pose");
    let mut producer = io_shared::producer::<Pose>(&name).unwrap();
    let mut consumer = io_shared::consumer::<Pose>(&name).unwrap();
    producer.put(&Pose { x: 1.5, frame: 7, id: "map".parse().unwrap() }).unwrap();
    let value = r#"value: Pose { x: 1.5, frame: 7, id: "map" }"#;
    let guard = consumer.get().unwrap();
    assert_eq!(
        format!("{guard:?}"),
        format!(r#"Guard {{ name: "{}", seq: 1, {value}, .. }}"#, &*name)
    );
    let copied = guard.to_copy().unwrap();
    assert!(format!("{copied:?}").contains(value), "{copied:?}");
    let owned = guard.into_owned();
    assert!(format!("{owned:?}").contains(value), "{owned:?}");
    let mut loan = producer.loan().unwrap();
    loan.frame = 8;
    assert!(format!("{loan:?}").contains("frame: 8"), "{loan:?}");
    // That is why this compiles for every message.
    let _ = |consumer: &mut io_shared::Consumer<Pose>| consumer.get().unwrap_err();
}

#[test]
fn a_value_of_any_size_is_shown_on_one_screen() {
    let name = TestName::new("shown-cloud");
    let mut producer = Channel::<Cloud>::named(&*name).elements(100_000).producer().unwrap();
    let mut consumer = io_shared::consumer::<Cloud>(&name).unwrap();
    let mut loan = producer.loan_len(100_000).unwrap();
    loan.frame = 3;
    loan.points.fill([1.0, 2.0, 3.0]);
    loan.put().unwrap();
    let said = format!("{:?}", consumer.get().unwrap());
    assert!(said.contains("value: Cloud { frame: 3, points: [[1.0, 2.0, 3.0], "), "{said}");
    assert!(said.contains("and 99984 more]"), "{said}");
    assert!(said.len() < 1000, "{} characters", said.len());
}

#[test]
fn state_and_bytes_under_a_lock_are_shown_too() {
    let name = TestName::new("shown-state");
    let mut state = Shared::<Pair>::named(&*name).open().unwrap();
    *state.write().unwrap() = Pair(4, 5);
    let said = format!("{:?}", state.read().unwrap());
    assert!(said.contains("value: Pair(4, 5)"), "{said}");
    Shared::<Pair>::remove(&*name).unwrap();

    let name = TestName::new("shown-bytes");
    let mut bytes = RwSharedMmap::named(&*name).size(1000).open().unwrap();
    let said = format!("{:?}", bytes.read().unwrap());
    assert!(said.contains("bytes: [0, 0, ") && said.contains("and 984 more]"), "{said}");
    RwSharedMmap::remove(&*name).unwrap();
}

macro_rules! wide {
    ($Struct:ident, $ty:ty, $($field:ident)*) => {
        #[derive(Clone, Copy, Message)]
        #[repr(C)]
        struct $Struct { $($field: $ty,)* }
    };
}
wide!(Wide, u32, a b c d e f g h i j k l m n o p q r s t);
wide!(Other, f32, a b c d e f g h i j k l m n o p q r s t);

#[test]
fn a_mismatch_of_many_fields_shows_the_first_few_and_counts_the_rest() {
    let name = TestName::new("shown-wide");
    let _producer = io_shared::producer::<Wide>(&name).unwrap();
    let error = io_shared::producer::<Other>(&name).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("field `a`: channel has <u4 at 0, this program <f4 at 0"), "{said}");
    assert!(said.contains("the channel has struct Wide, this program struct Other"), "{said}");
    assert!(said.contains("\n  and 15 more"), "{said}");
    assert!(!said.contains("field `t`"), "{said}");
    let ErrorKind::Mismatch { differences, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(differences.len(), 21, "a program has them all, after the names");
}
