//! An enum is a message if its variants have no fields, it is stored as a number, and one is 0.

use io_shared::Message;
use io_shared::private::bytemuck;

/// Not a message: the derive is missing.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Gear {
    Forward,
    Reverse,
}

#[derive(Message)]
#[repr(C)]
struct Drive {
    speed: f64,
    gears: [Gear; 4],
    gear: Gear,
}

#[derive(Message)]
enum NoRepr {
    Idle,
}

#[derive(Message)]
#[repr(C)]
enum AsInC {
    Idle,
}

#[derive(Message)]
#[repr(u64)]
enum Wide {
    Idle,
}

#[derive(Message)]
#[repr(u8)]
enum WithFields {
    Idle,
    Driving { speed: f32 },
}

#[derive(Message)]
#[repr(u8)]
enum FromOne {
    Idle = 1,
    Driving,
}

#[derive(Message)]
#[repr(u8)]
enum Nothing {}

#[derive(Message)]
#[repr(u8)]
#[message(try_from = true)]
enum Twice {
    Idle,
}

impl TryFrom<u8> for Twice {
    type Error = ();

    fn try_from(_: u8) -> Result<Self, ()> {
        Ok(Twice::Idle)
    }
}

#[derive(Clone, Copy, Message)]
#[repr(u8)]
enum Mode {
    Idle,
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Robot {
    mode: Mode,
    valid: bool,
}

fn main() {
    // Neither is Pod: any bytes could be made one of them.
    let _: Robot = bytemuck::cast([7_u8, 7]);
    let _: &Mode = bytemuck::from_bytes(&[7]);
    let _: [bool; 2] = bytemuck::cast([7_u8, 7]);
}
