//! The role `lidar`: the producer of clouds.
//!
//! It scans straight into shared memory: a loan is a buffer of the channel, filled in place and
//! published by one atomic write. It never waits for a consumer, except for the first frame and
//! with `--rate 0`.

use std::error::Error;
use std::iter;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use io_shared::Producer;

use crate::channels::Channels;
use crate::messages::{Cloud, Point};
use crate::options::{Options, Role};
use crate::reports::Sent;
use crate::scans;
use crate::stop::Stop;
use crate::street::{self, Street};
use crate::waits;

pub(crate) fn run(options: &Options, stop: &Stop) -> Result<(), Box<dyn Error>> {
    let source = Source::open(options)?;
    let channels = Channels::new(&options.prefix);
    let mut clouds = channels.clouds().producer()?;
    let mut sent = channels.sent().producer()?;
    sent.put(&Sent::default())?;

    // The segmentator must not miss the first frame; in step nobody must, and the launcher wants
    // the viewer to count all labels.
    let audience: &[Role] = if options.period().is_none() || options.attended {
        &[Role::Segmentator, Role::Viewer]
    } else {
        &[Role::Segmentator]
    };
    while !is_here(audience, &clouds)? && !stop.is_set() {
        thread::sleep(Duration::from_millis(2));
    }

    let mut next = Instant::now();
    for frame in 0..options.frames.unwrap_or(u64::MAX) {
        if stop.is_set() {
            break;
        }
        let mut cloud = clouds.loan_len(source.room(frame))?;
        let points = source.scan(frame, &mut cloud.points);
        cloud.truncate(points);
        cloud.frame = frame;
        cloud.stamp_ns = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let last_seq = cloud.put()?;
        sent.put(&Sent { frames: frame + 1, last_seq })?;

        match options.period() {
            Some(period) => {
                next += period;
                // A lidar that falls behind goes on from where it is.
                next = next.max(Instant::now());
                pause_until(next, stop);
            }
            None => waits::taken(&mut clouds, stop)?,
        }
    }
    Ok(())
}

/// Whether all of these have their claim on the clouds.
fn is_here(audience: &[Role], clouds: &Producer<Cloud>) -> io_shared::Result<bool> {
    let consumers = clouds.connected()?;
    let names: Vec<_> = consumers.iter().filter_map(|consumer| consumer.name.as_deref()).collect();
    Ok(audience.iter().all(|role| names.contains(&role.name())))
}

fn pause_until(moment: Instant, stop: &Stop) {
    let left = || moment.saturating_duration_since(Instant::now());
    iter::repeat_with(left)
        .take_while(|left| !left.is_zero() && !stop.is_set())
        .for_each(|left| thread::sleep(left.min(waits::SLICE)));
}

/// Where the points come from.
enum Source {
    Street(Street),
    Scans(Vec<Vec<Point>>),
}

impl Source {
    fn open(options: &Options) -> Result<Source, scans::ScanError> {
        if options.input.is_empty() {
            return Ok(Source::Street(Street::new(options.seed)));
        }
        let scans = options.input.iter().map(|path| scans::read(path));
        Ok(Source::Scans(scans.collect::<Result<_, _>>()?))
    }

    /// Points that a frame may have.
    fn room(&self, frame: u64) -> usize {
        match self {
            Source::Street(_) => street::MAX_POINTS,
            Source::Scans(scans) => pick(scans, frame).len(),
        }
    }

    /// Writes a frame to the front of `out` and returns its number of points.
    fn scan(&self, frame: u64, out: &mut [Point]) -> usize {
        match self {
            Source::Street(street) => street.scan(frame, out),
            Source::Scans(scans) => {
                let scan = pick(scans, frame);
                out.copy_from_slice(scan);
                scan.len()
            }
        }
    }
}

/// The scans in a loop.
fn pick(scans: &[Vec<Point>], frame: u64) -> &[Point] {
    &scans[(frame % scans.len() as u64) as usize]
}
