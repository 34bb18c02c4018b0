//! Puts a robot's pose ten times a second, until Ctrl-C.
//!
//! Run `cargo run --example put` in one terminal and `cargo run --example get` in another, in any
//! order. Stop either of them, and start it again.

use std::time::Duration;

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Pose {
    x: f64,
    y: f64,
    heading: f64,
}

fn main() -> io_shared::Result<()> {
    let mut poses = io_shared::producer::<Pose>("/pose")?;
    let mut heading = 0.0_f64;
    loop {
        poses.put(&Pose { x: heading.cos(), y: heading.sin(), heading })?; // never waits
        heading += 0.1;
        std::thread::sleep(Duration::from_millis(100));
    }
}
