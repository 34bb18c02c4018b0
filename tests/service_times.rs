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
/// How many hand-overs and calls take turns, and how many times each is done in a turn.
const ROUNDS: usize = 41;
const TURNS: u64 = 20_000;

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

/// Nanoseconds that each of many turns takes.
fn time(mut turn: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    (0..TURNS).for_each(&mut turn);
    began.elapsed().as_secs_f64() * 1e9 / TURNS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
#[ignore = "it takes times"]
fn times_of_calls() {
    let (there, back) = (TestName::new("there"), TestName::new("back"));
    let mut peer = Peer::start("returns", &[&there, &back]);
    peer.expect("ready");
    let mut put = Channel::<Pair>::named(&*there).producer().unwrap();
    let mut get = Channel::<Pair>::named(&*back).consumer().unwrap();
    let service = TestService::new("times");
    let server = service.peer("answers");
    let mut client = Service::<Pair, Pair>::named(&*service.0).client().unwrap();
    let (mut hand_overs, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let round_trip = time(|number| {
            put.put(&[number, 1]).unwrap();
            assert_eq!(get.get_timeout(LONG).unwrap()[0], number);
        });
        hand_overs.push(round_trip / 2.0);
        calls.push(time(|number| {
            assert_eq!(client.call(&[number, 1], LONG).unwrap()[0], number);
        }));
    }
    peer.kill();
    server.kill();
    let mut ratios: Vec<_> = calls.iter().zip(&hand_overs).map(|(call, one)| call / one).collect();
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios[ROUNDS / 4], ratios[3 * ROUNDS / 4]);
    let ratio = median(ratios);
    println!("one hand-over {:.0} ns, a call {:.0} ns", median(hand_overs), median(calls));
    println!("a call takes {ratio:.2} hand-overs (quartiles {least:.2} to {most:.2})");
    // Two are the ways there and back; more than four would be a fault.
    assert!(ratio <= 4.0, "{ratio:.2}");
}
