//! Values of two channels that belong together, read by a consumer that is slow: it pairs them by
//! their tag. `IO_SHARED_SLOW=1` runs for a minute, with the bound that a quiet machine keeps.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::print_stdout, reason = "it has figures to show")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use io_shared::{Channel, Consumer, ErrorKind, Producer};
use test_support::TestName;

/// The camera puts 50 images a second.
const PERIOD: Duration = Duration::from_millis(20);
const HISTORY: usize = 4;
const WORDS: usize = 640 * 480 / 8;

fn producer(name: &str) -> Producer<[u64]> {
    Channel::named(name).elements(WORDS).producer().unwrap()
}

fn consumer(name: &str) -> Consumer<[u64]> {
    Channel::named(name).elements(WORDS).history(HISTORY).consumer().unwrap()
}

fn put(to: &mut Producer<[u64]>, frame: u64) {
    let mut image = to.loan_len(WORDS).unwrap();
    image.fill(frame);
    image.tag(frame);
    image.put().unwrap();
}

/// How often a slow consumer had a partner for an image.
#[derive(Debug, Default)]
struct Pairs {
    images: u32,
    by_tag: u32,
    by_arrival: u32,
}

/// Reads images for `duration`, with up to 2.5 periods of work for each before it asks for the
/// depth.
fn read(colours: &str, depths: &str, duration: Duration) -> Pairs {
    let (mut colour, mut depth, mut newest) =
        (consumer(colours), consumer(depths), consumer(depths));
    let mut random = fastrand::Rng::with_seed(11);
    let (mut pairs, started) = (Pairs::default(), Instant::now());
    while started.elapsed() < duration {
        let image = colour.get_timeout(Duration::from_secs(10)).unwrap();
        let (frame, tag) = (image[0], image.tag());
        assert_eq!(frame, tag);
        drop(image);
        thread::sleep(PERIOD.mul_f64(0.5 + 2.0 * random.f64()));
        pairs.images += 1;
        let arrived = newest.get_timeout(Duration::from_secs(10)).unwrap();
        pairs.by_arrival += u32::from(arrived[0] == frame);
        // What does not belong together says so.
        assert_eq!(arrived.tag() == tag, arrived[0] == frame);
        drop(arrived);
        match depth.tagged_timeout(tag, PERIOD) {
            Ok(partner) => {
                assert!(partner.tag() == tag && partner.iter().all(|word| *word == frame));
                pairs.by_tag += 1;
            }
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}"),
        }
    }
    pairs
}

#[test]
fn a_slow_consumer_pairs_colour_and_depth_by_their_tag_and_sees_each_mismatch() {
    let slow = std::env::var_os("IO_SHARED_SLOW").is_some();
    let names = [TestName::new("pairs-colour"), TestName::new("pairs-depth")];
    let [mut colour, mut depth] = [&names[0], &names[1]].map(|name| producer(name));
    let done = AtomicBool::new(false);
    let pairs = thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            for frame in 1.. {
                put(&mut colour, frame);
                thread::sleep(PERIOD / 4); // the depth takes longer
                put(&mut depth, frame);
                let due = started + PERIOD * frame as u32;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if done.load(Relaxed) || started.elapsed() > Duration::from_secs(120) {
                    break;
                }
            }
        });
        let seconds = if slow { 60 } else { 3 };
        let pairs = read(&names[0], &names[1], Duration::from_secs(seconds));
        done.store(true, Relaxed);
        pairs
    });
    println!("{pairs:?}");
    let least = if slow { 0.99 } else { 0.9 };
    assert!(pairs.images >= 30, "{pairs:?}");
    assert!(f64::from(pairs.by_tag) >= least * f64::from(pairs.images), "{pairs:?}");
    assert!(pairs.by_arrival < pairs.images / 2, "the consumer is slow: {pairs:?}");
}

/// The same without a clock: whatever is at most four values old is found, and nothing else.
#[test]
fn a_partner_is_found_among_the_last_five_and_never_another() {
    let names = [TestName::new("pairs-colour"), TestName::new("pairs-depth")];
    let [mut colour, mut depth] = [&names[0], &names[1]].map(|name| producer(name));
    let (mut images, mut depths) = (consumer(&names[0]), consumer(&names[1]));
    let (mut frame, mut random) = (0, fastrand::Rng::with_seed(3));
    let mut late = 0;
    for _ in 0..300 {
        let image = frame + 1;
        let behind = random.u64(0..8);
        for _ in 0..=behind {
            frame += 1;
            put(&mut colour, frame);
            put(&mut depth, frame);
            if frame == image {
                assert_eq!(images.get().unwrap().tag(), image);
            }
        }
        match depths.tagged(image).unwrap() {
            Some(partner) => assert!(partner.iter().all(|word| *word == image)),
            None => {
                assert!(behind > HISTORY as u64, "{behind} values after it");
                late += 1;
            }
        }
    }
    assert!(late > 10, "{late} of 300 partners were gone");
}
