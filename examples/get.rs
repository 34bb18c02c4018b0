//! Prints the poses that `cargo run --example put` puts, until Ctrl-C.

#![allow(clippy::print_stdout)]

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Pose {
    x: f64,
    y: f64,
    heading: f64,
}

fn main() -> io_shared::Result<()> {
    let mut poses = io_shared::consumer::<Pose>("/pose")?;
    loop {
        let pose = poses.get()?; // waits for a pose that this program has not seen yet
        print!("{}: x {:.2} m, y {:.2} m, ", pose.seq(), pose.x, pose.y);
        println!("heading {:.1} rad, missed {}", pose.heading, pose.missed());
    }
}
