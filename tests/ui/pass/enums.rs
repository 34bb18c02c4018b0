//! Enums and bools are messages, alone and as fields and elements.

#![forbid(unsafe_code)]
#![deny(warnings)]

use io_shared::message::BytesError;
use io_shared::{Channel, Message};

/// What the robot does.
#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(i16)]
enum Mode {
    Idle,
    Driving = 300,
    Fault = -1,
}

#[derive(Debug, Message)]
#[repr(u8)]
#[message(try_from = false)]
enum Side {
    Left,
    r#Right,
}

impl TryFrom<u8> for Side {
    type Error = ();

    fn try_from(_: u8) -> Result<Self, ()> {
        Ok(Side::Left)
    }
}

#[derive(Debug, Clone, Copy, Message)]
#[repr(C)]
struct Robot<T> {
    value: T,
    mode: Mode,
    valid: bool,
    brakes: [bool; 3],
}

#[derive(Message)]
#[repr(C)]
struct Fleet {
    mode: Mode,
    modes: [Mode],
}

#[derive(Message)]
#[repr(transparent)]
struct Flag(bool);

/// An enum is as large as its number; a struct around it may be larger.
#[derive(Message)]
#[repr(C, align(4))]
struct Aligned {
    side: Side,
    _pad: [u8; 3],
}

fn main() {
    assert_eq!(Mode::try_from(300), Ok(Mode::Driving));
    let error: BytesError = Mode::try_from(7).unwrap_err();
    let said = "the message is 7, expected -1 (Fault), 0 (Idle) or 300 (Driving)";
    assert_eq!(error.to_string(), said);
    assert!(Robot::<[u8; 2]>::CHECKED && Fleet::CHECKED_TAIL && Flag::CHECKED && Side::CHECKED);
    let _ = Channel::<Fleet>::named("/fleet");
    let _ = Side::Right;
    assert_eq!((Side::SHAPE.size, Aligned::SHAPE.align), (1, 4));
}
