//! One process writes to a region's prelude and shared words without end, two others open and use
//! the region meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::cases::{LIMITS, Outcome};
use super::input::{self, Stage};
use super::log::Log;
use super::specimen::{FIELDS, PRELUDE, Shape};
use super::visit::Site;
use crate::machine;

/// What a process does in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Writer,
    User,
}

/// Makes a region of that shape under that name.
pub(super) fn make(name: &str, shape: Shape) -> io::Result<()> {
    std::fs::write(machine::path_of(name), &input::specimen(shape).0)
}

/// Lives a part for that long, a case a round.
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
        // Each time anew: a producer that finds another version replaces the region, and between
        // the two the name leads nowhere. That this does not last, the parent sees by the log.
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

/// A round of the writer: in half of them it damages the prelude; it writes to the shared words,
/// and puts the prelude back, every other time all the rest too, and leaves it so for a moment:
/// else hardly anybody would get in, to be there when the next begins.
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
    // Often small numbers: they are plausible, and get further.
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
