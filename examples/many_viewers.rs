//! Viewers join a channel while values flow, and leave again. The producer needs no option for it.
//!
//! Run it with `cargo run --example many_viewers`. Here the viewers are threads; in another process
//! they would call the same functions.

#![allow(clippy::print_stdout, clippy::expect_used)]

use std::thread;
use std::time::Duration;

use io_shared::{Channel, Result};

/// The number of the last frame.
const LAST: u64 = 400;

/// What a viewer saw: its first frame, how many it got, and how many it missed.
fn watch(name: &str) -> Result<(u64, u64, u64)> {
    let mut frames = io_shared::consumer::<u64>(name)?;
    let (mut first, mut got, mut missed) = (0, 0, 0);
    loop {
        let frame = frames.get_timeout(Duration::from_secs(10))?;
        if got == 0 {
            first = *frame;
        } else {
            missed += frame.missed();
        }
        got += 1;
        if *frame == LAST {
            return Ok((first, got, missed));
        }
    }
}

fn main() -> Result<()> {
    let name = &format!("/many_viewers-{}", std::process::id());
    let mut frames = io_shared::producer::<u64>(name)?;
    thread::scope(|scope| {
        let viewers: Vec<_> = (0..5)
            .map(|number| {
                scope.spawn(move || {
                    thread::sleep(Duration::from_millis(50 * number));
                    watch(name)
                })
            })
            .collect();
        for frame in 1..=LAST {
            frames.put(&frame)?;
            thread::sleep(Duration::from_millis(1));
        }
        for (number, viewer) in viewers.into_iter().enumerate() {
            let (first, got, missed) = viewer.join().expect("a viewer does not panic")?;
            println!("viewer {number}: from frame {first} on, got {got}, missed {missed}");
            assert_eq!(first + got + missed, LAST + 1, "each frame was got or missed");
        }
        Channel::remove(name)
    })
}
