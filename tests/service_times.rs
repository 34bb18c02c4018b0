//! How long a call takes, next to one hand-over of a channel. It is run by itself, on a machine
//! with two idle cores:
//! `cargo test --release --test service_times -- --ignored --nocapture --exact times_of_calls`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use std::time::{Duration, Instant};

use io_shared::{Channel, Service};
use test_support::TestName;
use test_support::peer::{Peer, arguments, tell};
use test_support::service::TestService;

const LONG: Duration = Duration::from_secs(60);
/// The message: 16 bytes.
type Pair = [u64; 2];
const ROUNDS: u64 = 20_000;
const REPEATS: usize = 15;

/// Sends back what it gets from one channel on another.
#[test]
fn returns() {
    let Some(arguments) = arguments() else { return };
    let mut there = Channel::<Pair>::named(&arguments[0]).consumer().unwrap();
    let mut back = Channel::<Pair>::named(&arguments[1]).producer().unwrap();
    tell("ready");
    loop {
        let value = *there.get().unwrap();
        back.put(&value).unwrap();
    }
}

/// Answers each question with itself.
#[test]
fn answers() {
    let Some(arguments) = arguments() else { return };
    let mut server = Service::<Pair, Pair>::named(&arguments[0]).server().unwrap();
    tell("ready");
    loop {
        let question = server.next().unwrap();
        let answer = *question;
        question.answer(&answer).unwrap();
    }
}

/// Nanoseconds that one of many rounds takes, the median over repeats.
fn time(mut round: impl FnMut(u64)) -> f64 {
    let mut times: Vec<_> = (0..REPEATS)
        .map(|_| {
            let began = Instant::now();
            (0..ROUNDS).for_each(&mut round);
            began.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

#[test]
#[ignore = "it takes times"]
fn times_of_calls() {
    let (there, back) = (TestName::new("there"), TestName::new("back"));
    let mut peer = Peer::start("returns", &[&there, &back]);
    peer.expect("ready");
    let mut put = Channel::<Pair>::named(&*there).producer().unwrap();
    let mut get = Channel::<Pair>::named(&*back).consumer().unwrap();
    let round_trip = time(|number| {
        put.put(&[number, 1]).unwrap();
        assert_eq!(get.get_timeout(LONG).unwrap()[0], number);
    });
    peer.kill();
    let service = TestService::new("times");
    let peer = service.peer("answers");
    let mut client = Service::<Pair, Pair>::named(&*service.0).client().unwrap();
    let call = time(|number| {
        assert_eq!(client.call(&[number, 1], LONG).unwrap()[0], number);
    });
    peer.kill();
    let hand_over = round_trip / 2.0;
    let ratio = call / hand_over;
    println!("one hand-over {hand_over:.0} ns, a call {call:.0} ns: {ratio:.2} hand-overs");
    // Two are the ways there and back; more than four would be a fault.
    assert!(ratio <= 4.0, "{ratio:.2}");
}
