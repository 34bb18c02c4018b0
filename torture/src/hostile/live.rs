//! One process keeps writing to a region's prelude and shared words, while two others open and use
//! the region.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::cases::LIMITS;
use super::input::{self, Stage};
use super::log::Log;
use super::outcome::Outcome;
use super::specimen::{FIELDS, PRELUDE, Shape};
use super::visit::Site;
use crate::machine;

/// The part that a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Writer,
    User,
}

/// Creates a region of `shape` under `name`.
pub(super) fn make(name: &str, shape: Shape) -> io::Result<()> {
    std::fs::write(machine::path_of(name), &input::specimen(shape).0)
}

/// Plays a part for that long. Each round is a case.
pub(super) fn run(
    part: Part,
    name: &str,
    shape: Shape,
    seed: u64,
    lasts: Duration,
    log: &Log,
) -> io::Result<()> {
    let mut random = Rng::with_seed(seed);
    let deadline = Instant::now() + lasts;
    let (mut round, mut sum) = (0, Outcome::default());
    while Instant::now() < deadline {
        // Open the file each time: a producer that finds another version replaces the region, and
        // in between the name leads nowhere. The parent sees in the log that this does not last.
        let writer = match File::options().write(true).open(machine::path_of(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            writer => writer?,
        };
        let stage = Stage::new(Site::Shm(name.to_owned()), writer.try_clone()?, shape);
        let mut bytes = [0; 24];
        random.fill(&mut bytes);
        match part {
            Part::Writer => write(&stage, &writer, shape, &mut bytes, &mut random)?,
            Part::User => sum = sum + stage.play(&bytes),
        }
        round += 1;
        log.note(round, sum);
    }
    Ok(())
}

/// A round of the writer. In half of the rounds it damages the prelude. It writes to the shared
/// words and restores the prelude, and every other time all the rest as well. Then it pauses for a
/// moment; otherwise hardly anybody could open the region before the next round begins.
fn write(
    stage: &Stage,
    region: &File,
    shape: Shape,
    bytes: &mut [u8],
    random: &mut Rng,
) -> io::Result<()> {
    let whole = input::specimen(shape);
    let mut damaged = whole.clone();
    match random.u8(0..4) {
        0 => damaged.flip(random.usize(0..PRELUDE * 8)),
        1 => {
            let (field, ..) = FIELDS[random.usize(0..FIELDS.len())];
            damaged.set_field(field, LIMITS[random.usize(0..LIMITS.len())]);
        }
        _ => {}
    }
    region.write_all_at(&damaged.0[..PRELUDE], 0)?;
    // Small numbers are frequent, because they are plausible and get further.
    for byte in bytes.iter_mut() {
        if random.u8(..) < 160 {
            *byte = random.u8(0..4);
        }
    }
    stage.scribble_all(bytes);
    std::thread::sleep(Duration::from_micros(random.u64(0..200)));
    let back = if random.bool() { whole.0.len() } else { PRELUDE };
    region.write_all_at(&whole.0[..back], 0)?;
    std::thread::sleep(Duration::from_micros(random.u64(0..500)));
    Ok(())
}
