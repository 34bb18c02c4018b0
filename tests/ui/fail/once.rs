//! A mistake in a struct is reported once, however often the struct is used.

use std::time::{Duration, SystemTime};

use io_shared::{Channel, Message};

mod glam {
    pub struct Vec3 {
        pub x: f32,
    }
}

enum State {
    Idle,
}

#[derive(Message)]
#[repr(C)]
struct Robot {
    state: State,
    uptime: Duration,
    at: SystemTime,
    position: glam::Vec3,
    corners: [glam::Vec3; 4],
}

#[derive(Message)]
#[repr(C)]
struct Refused {
    name: String,
    next: *const u8,
}

#[derive(Message)]
#[repr(C)]
struct Fleet {
    refused: Refused,
    first: Robot,
    all: [Robot; 3],
}

#[derive(Message)]
enum Command {
    Stop,
}

fn main() -> io_shared::Result<()> {
    let mut producer = Channel::<Fleet>::named("/x").producer()?;
    producer.loan()?.put()?;
    io_shared::consumer::<Robot>("/x")?.get()?;
    io_shared::consumer::<Command>("/x")?.get()?;
    Ok(())
}
