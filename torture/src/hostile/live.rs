//! One process writes to a region's shared words without end, two others use the region meanwhile.

use std::fs::File;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::input::{self, Stage};
use super::log::Log;
use super::specimen::Shape;
use super::visit::Site;
use crate::machine;

/// What a process does in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Writer,
    User,
}

/// Makes a region of that shape under that name.
pub(super) fn make(name: &str, shape: Shape) -> std::io::Result<()> {
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
) -> std::io::Result<()> {
    let writer = File::options().write(true).open(machine::path_of(name))?;
    let stage = Stage::new(Site::Shm(name.to_owned()), writer, shape);
    let mut random = Rng::with_seed(seed);
    let deadline = Instant::now() + lasts;
    let mut round = 0;
    while Instant::now() < deadline {
        let mut bytes = [0; 64];
        random.fill(&mut bytes);
        match part {
            // Often small numbers: they are plausible, and get further.
            Part::Writer => {
                bytes.iter_mut().for_each(|byte| {
                    if random.u8(..) < 160 {
                        *byte = random.u8(0..4);
                    }
                });
                stage.scribble_all(&bytes);
            }
            Part::User => stage.play(bytes.get(..24).unwrap_or_default()),
        }
        round += 1;
        log.note(round, Default::default());
    }
    Ok(())
}
