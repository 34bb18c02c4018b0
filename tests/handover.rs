//! Two programs hand over a buffer that neither copies. They are built from two crates, each with
//! its own definition of the message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use io_shared::{Channel, Consumer, Message, Producer};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use test_support::TestName;
use test_support::programs::build;

/// This program's own definition of what the peer calls `Blob`.
#[derive(Message)]
#[repr(C)]
struct Frame {
    frame: u64,
    data: [u8],
}

const SMALL: usize = 8;
const LARGE: usize = 5_000_000;

#[test]
fn a_large_untouched_payload_is_handed_over_in_the_time_of_a_small_one_and_never_copied() {
    let (there, back) = (TestName::new("ping"), TestName::new("pong"));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    pin(0);
    let mut peer = Command::new(build("handover-peer"))
        .args([&*there, &*back, &(cpus - 1).to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pings =
        Channel::<Frame>::named(&*there).capacity("5M").prefault(true).producer().unwrap();
    let mut pongs = Channel::<Frame>::named(&*back).prefault(true).consumer().unwrap();

    let mut times = [Vec::new(), Vec::new()];
    round(&mut pings, &mut pongs, SMALL); // to warm up
    for _ in 0..11 {
        times[0].push(round(&mut pings, &mut pongs, SMALL));
        times[1].push(round(&mut pings, &mut pongs, LARGE));
    }
    let mut last = pings.loan_len(LARGE).unwrap();
    last.frame = 0; // the peer checks its references and ends
    last.put().unwrap();
    assert_eq!(pongs.get_timeout(Duration::from_secs(5)).unwrap().frame, 0);

    let said = peer.wait_with_output_lines();
    assert_eq!(said, "true\n", "the peer's references point into its mappings of the region");
    let [small, large] = times.map(|mut times| {
        times.sort_unstable();
        (times[times.len() / 2], times[0], times[times.len() - 1])
    });
    let micro = |time: Duration| time.as_secs_f64() * 1e6;
    for (what, (median, least, most)) in [("16 B", small), ("5 MB", large)] {
        println!(
            "{what}: {:.3} us a round trip (median of 11 rounds; {:.3} to {:.3})",
            micro(median),
            micro(least),
            micro(most)
        );
    }
    let ratio = large.0.as_secs_f64() / small.0.as_secs_f64();
    println!("5 MB / 16 B: {ratio:.2}");
    // One copy of 5 MB takes over 100 us, some hundred times as long as a hand-over.
    assert!(ratio < 5.0, "the time grows with the payload: {ratio:.2}");
}

/// The mean time of a round trip with `length` bytes of payload, over a few thousand trips.
fn round(pings: &mut Producer<Frame>, pongs: &mut Consumer<Frame>, length: usize) -> Duration {
    const TRIPS: u32 = 2000;
    let started = Instant::now();
    for frame in 1..=u64::from(TRIPS) {
        let mut ping = pings.loan_len(length).unwrap();
        ping.frame = frame;
        ping.put().unwrap();
        let pong = pongs.get_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!((pong.frame, pong.data.len()), (frame, length));
    }
    started.elapsed() / TRIPS
}

fn pin(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}

trait Lines {
    fn wait_with_output_lines(&mut self) -> String;
}

impl Lines for std::process::Child {
    fn wait_with_output_lines(&mut self) -> String {
        use std::io::Read;
        let mut said = String::new();
        self.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.wait().unwrap().success());
        said
    }
}
