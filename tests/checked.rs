//! Bools and enums in messages: what is put comes out, and bytes that are no value of their type
//! are an error in every role.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::os::unix::fs::FileExt;
use std::path::Path;

use io_shared::mmap::{Bytes, BytesMut, LockError};
use io_shared::{Channel, ErrorKind, Message, Shared, UnsafeSharedMmap};
use test_support::{TestFile, TestName};

/// What the robot does.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(u8)]
enum Mode {
    Idle,
    Driving,
    Fault = 200,
}

/// 16 bytes, which are put inline.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Robot {
    mark: u64,
    speed: f32,
    mode: Mode,
    valid: bool,
    brakes: [bool; 2],
}

#[derive(Debug, Message)]
#[repr(C)]
struct Fleet {
    mark: u64,
    modes: [Mode],
}

/// Its tail is not checked.
#[derive(Debug, Message)]
#[repr(C)]
struct Scan {
    mark: u64,
    valid: bool,
    mode: Mode,
    ranges: [u16],
}

const MARK: u64 = 0x1122_3344_5566_7788;
const ROBOT: Robot =
    Robot { mark: MARK, speed: 0.5, mode: Mode::Fault, valid: true, brakes: [false, true] };

/// Writes `byte` at this distance after each [`MARK`] in the file, as a program that follows no
/// rule might.
fn write_after_marks(path: &Path, distance: usize, byte: u8) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let marks = bytes.windows(8).enumerate().filter(|(_, bytes)| **bytes == MARK.to_le_bytes());
    let mut count = 0;
    for (at, _) in marks {
        file.write_all_at(&[byte], (at + distance) as u64).unwrap();
        count += 1;
    }
    assert!(count > 0, "the value is not there");
}

#[track_caller]
fn assert_bad<T>(result: io_shared::Result<T>, field: &str, found: i64) {
    let error = result.map(|_| "a value").unwrap_err();
    match error.kind() {
        ErrorKind::BadValue { field: at, found: it, .. } if at == field && *it == found => {}
        _ => panic!("expected `{field}` to be a bad {found}: {error}"),
    }
}

#[test]
fn bools_and_enums_come_out_as_they_were_put() {
    let name = TestName::new("robot");
    let mut robots = Channel::<Robot>::named(&*name).producer().unwrap();
    let mut consumer = Channel::<Robot>::named(&*name).consumer().unwrap();
    let mut observer = Channel::<Robot>::named(&*name).observer().unwrap();
    robots.put(&ROBOT).unwrap();
    let guard = consumer.get().unwrap();
    assert_eq!(*guard, ROBOT);
    assert_eq!(*guard.to_copy().unwrap(), ROBOT);
    let shown = format!("{guard:?}");
    assert!(shown.contains("mode: Fault, valid: true, brakes: [false, true]"), "{shown}");
    assert_eq!(*observer.copy().unwrap().unwrap(), ROBOT);

    let name = TestName::new("fleet");
    let mut fleets = Channel::<Fleet>::named(&*name).elements(9).producer().unwrap();
    let mut loan = fleets.loan_len(5).unwrap();
    loan.modes[3] = Mode::Driving;
    loan.truncate(4);
    loan.put().unwrap();
    let mut consumer = io_shared::consumer::<Fleet>(&*name).unwrap();
    let modes = [Mode::Idle, Mode::Idle, Mode::Idle, Mode::Driving];
    assert_eq!(consumer.get().unwrap().modes, modes);
}

#[test]
fn a_loan_starts_with_zeros_where_bools_and_enums_are() {
    let name = TestName::new("zeros");
    let mut fleets = Channel::<Fleet>::named(&*name).elements(9).producer().unwrap();
    for _ in 0..4 {
        let mut loan = fleets.loan_len(9).unwrap();
        assert_eq!(loan.modes, [Mode::Idle; 9]);
        loan.mark = MARK;
        loan.modes.fill(Mode::Fault);
        loan.put().unwrap();
        write_after_marks(&name.path(), 8, 7); // before the buffer is lent again
    }
    let name = TestName::new("zeros-before");
    let mut scans = Channel::<Scan>::named(&*name).elements(9).producer().unwrap();
    let mut lent_again = 0;
    for _ in 0..4 {
        let mut loan = scans.loan_len(9).unwrap();
        assert_eq!((loan.mark, loan.valid, loan.mode), (0, false, Mode::Idle));
        lent_again += usize::from(loan.ranges == [7; 9]);
        (loan.mark, loan.valid, loan.mode) = (MARK, true, Mode::Fault);
        loan.ranges.fill(7);
        loan.put().unwrap();
        write_after_marks(&name.path(), 8, 7);
    }
    assert!(lent_again > 0, "a tail of numbers stays as it is");
}

#[test]
fn a_bad_inline_value_is_refused_in_every_role_and_counts_as_had() {
    for (distance, byte, field) in [(12, 7, "mode"), (13, 2, "valid"), (15, 255, "brakes[1]")] {
        let name = TestName::new("bad-inline");
        let mut robots = Channel::<Robot>::named(&*name).producer().unwrap();
        let mut consumer = Channel::<Robot>::named(&*name).consumer().unwrap();
        let mut observer = Channel::<Robot>::named(&*name).observer().unwrap();
        let mut bytes = Channel::<[u8]>::named(&*name).any_schema().consumer().unwrap();
        robots.put(&ROBOT).unwrap();
        write_after_marks(&name.path(), distance, byte);
        assert_bad(consumer.get(), field, byte.into());
        assert!(consumer.try_get().unwrap().is_none(), "it counts as had");
        assert_eq!(consumer.last_seen(), 1);
        assert_bad(consumer.latest(), field, byte.into());
        assert_bad(observer.copy(), field, byte.into());
        assert_bad(bytes.get(), field, byte.into());
        robots.put(&ROBOT).unwrap();
        assert_eq!(*consumer.get().unwrap(), ROBOT);
        assert_eq!(*bytes.get().unwrap(), *ROBOT.as_bytes());
    }
}

#[test]
fn a_bad_value_in_a_buffer_is_refused_in_every_role_and_counts_as_had() {
    let name = TestName::new("bad-buffer");
    let mut fleets = Channel::<Fleet>::named(&*name).elements(9).producer().unwrap();
    let mut consumer = Channel::<Fleet>::named(&*name).consumer().unwrap();
    let mut observer = Channel::<Fleet>::named(&*name).observer().unwrap();
    let mut bytes = Channel::<[u8]>::named(&*name).any_schema().consumer().unwrap();
    let mut put = || {
        let mut loan = fleets.loan_len(9).unwrap();
        loan.mark = MARK;
        loan.put().unwrap();
    };
    put();
    write_after_marks(&name.path(), 8 + 6, 9);
    assert_bad(consumer.get(), "modes[6]", 9);
    assert!(consumer.try_get().unwrap().is_none(), "it counts as had");
    assert_bad(observer.copy(), "modes[6]", 9);
    assert_bad(bytes.get(), "modes[6]", 9);
    put();
    let guard = consumer.get().unwrap();
    // A writer that changes it behind the guard's back cannot make the copy one.
    write_after_marks(&name.path(), 8 + 2, 9);
    assert_bad(guard.to_copy(), "modes[2]", 9);
}

#[test]
fn bytes_are_checked_against_the_schema_before_they_are_put() {
    let name = TestName::new("bytes");
    let mut consumer = Channel::<Robot>::named(&*name).consumer().unwrap();
    let channel = Channel::<[u8]>::named(&*name).schema(Robot::schema());
    let mut bytes = channel.producer().unwrap();
    let mut bad = ROBOT.as_bytes().to_vec();
    bad[12] = 3;
    let error = bytes.put(&bad).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: field `mode` is 3, expected 0 (Idle), 1 (Driving) or 200 (Fault): nothing was put",
            &*name
        )
    );
    let mut loan = bytes.loan_len(16).unwrap();
    loan.copy_from(&bad);
    assert_bad(loan.put(), "mode", 3);
    let loan = bytes.loan_len(16).unwrap();
    assert_bad(io_shared::binding::put_parts(loan, &[&bad[..13], &[2; 3]]), "mode", 3);
    assert!(consumer.try_get().unwrap().is_none(), "nothing was put");
    bytes.put(ROBOT.as_bytes()).unwrap();
    assert_eq!(*consumer.get().unwrap(), ROBOT);

    let mut robots = {
        drop(bytes);
        Channel::<Robot>::named(&*name).producer().unwrap()
    };
    let parts = io_shared::binding::put_parts(robots.loan().unwrap(), &[&bad]);
    assert_bad(parts, "mode", 3);
}

#[test]
fn a_new_variant_is_no_mismatch_and_a_renamed_one_is() {
    mod newer {
        #[derive(io_shared::Message)]
        #[repr(u8)]
        pub(super) enum Mode {
            Idle,
            Driving,
            Parked,
            Fault = 200,
        }
    }
    mod renamed {
        #[derive(io_shared::Message)]
        #[repr(u8)]
        pub(super) enum Mode {
            Idle,
            Moving,
        }
    }
    let name = TestName::new("variants");
    let mut modes = Channel::<newer::Mode>::named(&*name).producer().unwrap();
    let mut consumer = Channel::<Mode>::named(&*name).consumer().unwrap();
    modes.put(&newer::Mode::Fault).unwrap();
    assert_eq!(*consumer.get().unwrap(), Mode::Fault);
    modes.put(&newer::Mode::Parked).unwrap();
    let error = consumer.get().unwrap_err();
    let said = "the message is 2, expected 0 (Idle), 1 (Driving) or 200 (Fault): this value";
    assert!(error.to_string().contains(said), "{error}");
    let _ = (newer::Mode::Idle, newer::Mode::Driving, renamed::Mode::Idle, renamed::Mode::Moving);

    let error = Channel::<renamed::Mode>::named(&*name).consumer().unwrap_err();
    let said = "the message: 1 is Driving in the channel, Moving in this program";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn every_lock_of_typed_state_checks_it_and_set_mends_it() {
    let file = TestFile::new("state");
    let mut state = Shared::<Robot>::open_file(&*file).unwrap();
    assert_eq!(state.get().unwrap().mode, Mode::Idle, "it is all zeros");
    let mut dying = Shared::<Robot>::open_file(&*file).unwrap();
    std::mem::forget(dying.write().map(|mut robot| *robot = ROBOT));
    write_after_marks(&file, 13, 66);
    for _ in 0..2 {
        let Err(LockError::Failed(error)) = state.read() else { panic!("it is no Robot") };
        assert_bad::<()>(Err(error), "valid", 66);
        let Err(LockError::Failed(error)) = state.write() else { panic!("it is no Robot") };
        assert!(error.to_string().ends_with("write a whole value with Shared::set"), "{error}");
        assert_bad(state.update(|_| ()), "valid", 66);
    }
    state.set(&ROBOT).unwrap();
    assert_eq!(state.get().unwrap(), ROBOT);

    // A writer that died, and left bytes that are no value.
    let mut dying = Shared::<Robot>::open_file(&*file).unwrap();
    std::mem::forget(dying.write().unwrap());
    drop(dying);
    write_after_marks(&file, 12, 66);
    assert_bad(state.get(), "mode", 66);
    state.set(&ROBOT).unwrap();
    assert_eq!(state.get().unwrap(), ROBOT, "the content is consistent again");
}

#[test]
fn bytes_without_a_lock_are_checked_when_they_are_loaded() {
    let mut shared = UnsafeSharedMmap::anonymous().size(2).open().unwrap();
    shared.store(&[true, false]).unwrap();
    assert_eq!(shared.load::<[bool; 2]>().unwrap(), [true, false]);
    shared.store(&[1_u8, 3]).unwrap();
    assert_bad(shared.load::<[bool; 2]>(), "[1]", 3);
}

#[test]
fn locked_bytes_stay_bytes() {
    let mut bytes = io_shared::SharedMmap::anonymous().size(1).open().unwrap();
    bytes.lock().unwrap().as_bytes_mut()[0] = 7;
    assert_eq!(bytes.lock().unwrap().as_bytes(), [7]);
}
