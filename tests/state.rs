//! Typed state: one value that unrelated programs read and change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use io_shared::mmap::LockError;
use io_shared::{ErrorKind, Message, Shared};
use test_support::peer::{Peer, arguments, hear, tell};
use test_support::{TestFile, TestName};

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Robot {
    x: f64,
    y: f64,
    battery: f32,
    mode: u32,
}

mod other {
    use io_shared::Message;

    #[derive(Debug, Clone, Copy, Message)]
    #[repr(C)]
    pub(crate) struct Robot {
        pub(crate) x: f64,
        pub(crate) y: f64,
        pub(crate) battery: u32,
        pub(crate) mode: u32,
    }
}

const HOME: Robot = Robot { x: 1.0, y: 2.0, battery: 0.5, mode: 3 };

#[test]
fn peer() {
    let Some(arguments) = arguments() else { return };
    let [what, path] = arguments.as_slice() else { panic!("{arguments:?}") };
    let mut state = Shared::<Robot>::open_file(path).unwrap();
    match what.as_str() {
        "set" => state.update(|robot| *robot = HOME).unwrap(),
        "write half" => {
            state.write().unwrap().x = 100.0;
            let mut guard = state.write().unwrap();
            guard.x = 200.0;
            tell("half");
            hear();
            guard.y = 200.0;
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_value_is_read_and_changed_by_all_and_zero_at_first() {
    let name = TestName::new("state");
    let mut a = Shared::<Robot>::open(&*name).unwrap();
    let mut b = Shared::<Robot>::open(&*name).unwrap();
    assert_eq!(a.get().unwrap(), Robot { x: 0.0, y: 0.0, battery: 0.0, mode: 0 });
    *a.write().unwrap() = HOME;
    assert_eq!(*b.read().unwrap(), HOME);
    let before = b.update(|robot| std::mem::replace(&mut robot.mode, 4)).unwrap();
    assert_eq!((before, a.get().unwrap().mode), (3, 4));
    let reading = a.read().unwrap();
    assert!(matches!(
        b.write_timeout(Duration::ZERO).unwrap_err().into_guard().unwrap_err().kind(),
        ErrorKind::Timeout { .. }
    ));
    assert_eq!(b.read_timeout(Duration::ZERO).unwrap().mode, reading.mode);
    assert_eq!((b.name(), b.as_fd().is_none()), (&*name, true));
}

#[test]
fn a_type_that_differs_in_one_field_is_refused_by_its_name() {
    let name = TestName::new("types");
    let _state = Shared::<Robot>::open(&*name).unwrap();
    let error = Shared::<other::Robot>::open(&*name).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{text}");
    assert!(text.contains("`battery`") && text.contains("<f4") && text.contains("<u4"), "{text}");
}

#[test]
fn a_file_keeps_the_value_when_everybody_has_gone() {
    let path = TestFile::new("state");
    Peer::start("peer", &["set", path.to_str().unwrap()]).end();
    let mut state = Shared::<Robot>::open_file(&*path).unwrap();
    assert_eq!(state.get().unwrap(), HOME);
    state.flush().unwrap();
}

#[test]
fn a_value_that_a_killed_program_left_half_written_is_never_served_unseen() {
    let path = TestFile::new("half");
    let mut state = Shared::<Robot>::open_file(&*path).unwrap();
    let mut peer = Peer::start("peer", &["write half", path.to_str().unwrap()]);
    peer.expect("half");
    peer.kill();
    let died = ErrorKind::OwnerDied;
    assert_eq!(*state.get().unwrap_err().kind(), died);
    assert_eq!(*state.update(|_| ()).unwrap_err().kind(), died);
    drop(state);
    // Nor is it after everybody has gone, nor to a reader.
    let mut state = Shared::<Robot>::open_file(&*path).unwrap();
    assert_eq!(*state.get().unwrap_err().kind(), died);
    let Err(LockError::OwnerDied(guard)) = state.read() else { panic!("it is dirty") };
    assert_eq!((guard.x, guard.y), (200.0, 0.0));
    drop(guard);
    let mut guard = match state.write() {
        Err(LockError::OwnerDied(guard)) => guard,
        other => panic!("{other:?}"),
    };
    *guard = HOME;
    guard.mark_consistent();
    drop(guard);
    assert_eq!(state.get().unwrap(), HOME);
}

#[test]
fn an_update_that_panics_leaves_the_value_dirty() {
    let name = TestName::new("update-panics");
    let mut state = Shared::<Robot>::open(&*name).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        state.update(|robot| {
            robot.x = 1.0;
            panic!("in the middle");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(*state.get().unwrap_err().kind(), ErrorKind::OwnerDied);
}

#[test]
fn a_file_of_another_boot_has_only_dead_users() {
    let path = TestFile::new("boot");
    let mut state = Shared::<Robot>::open_file(&*path).unwrap();
    *state.write().unwrap() = HOME;
    drop(state);
    // A writer scans all slots that were ever used.
    drop((0..64).map(|_| Shared::<Robot>::open_file(&*path).unwrap()).collect::<Vec<_>>());
    // The state in which the machine went down: a writer in slot 40, sleepers after it, and
    // readers.
    let file = std::fs::File::options().read(true).write(true).open(&*path).unwrap();
    let (word, first_slot) = (0x80, 0x200);
    file.write_all_at(&(1u64 << 31 | 5 << 10 | 41).to_le_bytes(), word).unwrap();
    for slot in [0, 7, 63] {
        file.write_all_at(&1u64.to_le_bytes(), first_slot + slot * 128).unwrap();
    }
    let mut state = Shared::<Robot>::open_file(&*path).unwrap();
    let Err(LockError::OwnerDied(guard)) = state.write_timeout(Duration::from_secs(2)) else {
        panic!("a writer died")
    };
    assert_eq!(*guard, HOME);
    guard.mark_consistent();
    drop(guard);
    drop(state.write().unwrap());
    assert_eq!(Shared::<Robot>::open_file(&*path).unwrap().get().unwrap(), HOME);
    // A lock word that names no slot is an error, not a hang.
    file.write_all_at(&999u64.to_le_bytes(), word).unwrap();
    assert!(matches!(state.get().unwrap_err().kind(), ErrorKind::Corrupt { .. }));
    assert!(matches!(state.update(|_| ()).unwrap_err().kind(), ErrorKind::Corrupt { .. }));
}

#[test]
fn a_file_that_is_not_ours_is_left_as_it_is() {
    let path = TestFile::new("foreign");
    std::fs::File::create(&*path).unwrap().write_all(&[1; 100]).unwrap();
    let error = Shared::<Robot>::open_file(&*path).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotARegion { .. }), "{error}");
    assert_eq!(std::fs::read(&*path).unwrap(), [1; 100]);
}
