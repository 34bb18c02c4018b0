//! Waits of C that another thread or a signal handler ends.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]
#![allow(clippy::print_stdout, reason = "it has figures to show")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "each is a call with pointers of this test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use io_shared_ffi::ios_status::*;
use io_shared_ffi::*;

mod common;

use common::calls::{get, last_error, options, put};
use common::{Language, Linked, compile_program};
use test_support::peer::{Signal, send};
use test_support::{TestName, eventually};

/// Whether a consumer of the channel is marked as asleep.
fn is_awaited(name: &TestName) -> bool {
    std::fs::read(name.path()).is_ok_and(|bytes| bytes.get(0x108).is_some_and(|byte| *byte != 0))
}

#[test]
fn ctrl_c_with_a_handler_that_interrupts_ends_a_blocked_get_of_c_within_10_ms() {
    const ROUNDS: usize = 21;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interrupt.c");
    let folder = tempfile::tempdir().unwrap();
    let program = compile_program(Language::Gnu11, &source, folder.path(), Linked::Shared);
    let name = TestName::new("c-interrupt");
    let mut child = Command::new(program)
        .args([&*name, &ROUNDS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ends: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            eventually("it sleeps", || is_awaited(&name));
            let sent = Instant::now();
            send(&child, Signal::SIGINT);
            assert_eq!(said.next().unwrap().unwrap(), "interrupted");
            sent.elapsed()
        })
        .collect();
    assert!(child.wait().unwrap().success());
    ends.sort_unstable();
    println!("ended after {:?}, at most {:?}", ends[ROUNDS / 2], ends[ROUNDS - 1]);
    assert!(ends[ROUNDS / 2] < Duration::from_millis(10), "{ends:?}");
}

#[test]
fn an_interrupt_ends_one_wait_of_a_consumer_or_a_producer_and_loses_nothing() {
    let name = TestName::new("c-sticky");
    let producer = options(&name, None).with(|o| o.capacity = 100).producer();
    let consumer = options(&name, None).consumer();
    unsafe { ios_interrupt(consumer) };
    assert_eq!(get(consumer, 0).unwrap_err(), IOS_EMPTY, "it does not wait");
    assert_eq!(put(producer, b"one"), IOS_OK);
    let value = get(consumer, -1).unwrap();
    unsafe { ios_guard_drop(value.guard) };
    assert_eq!(get(consumer, -1).unwrap_err(), IOS_INTERRUPTED);
    assert!(last_error().contains("this program interrupted the wait"), "{}", last_error());
    assert_eq!(get(consumer, 1_000_000).unwrap_err(), IOS_TIMEOUT);

    unsafe { ios_interrupt(consumer) };
    let mut ready = false;
    let list = [consumer.cast_const()];
    let any = unsafe { ios_wait_any(list.as_ptr(), 1, -1, &raw mut ready) };
    assert_eq!(any, IOS_INTERRUPTED);

    assert_eq!(put(producer, b"two"), IOS_OK);
    unsafe { ios_producer_interrupt(producer) };
    let taken = unsafe { ios_producer_wait_taken(producer, -1, std::ptr::null_mut()) };
    assert_eq!(taken, IOS_INTERRUPTED);
    let value = get(consumer, -1).unwrap();
    assert_eq!(value.seq, 2);
    unsafe { ios_guard_drop(value.guard) };
    let taken = unsafe { ios_producer_wait_taken(producer, -1, std::ptr::null_mut()) };
    assert_eq!(taken, IOS_OK);
    unsafe { ios_interrupt(std::ptr::null()) };
    unsafe { ios_producer_interrupt(std::ptr::null()) };
    unsafe { ios_consumer_close(consumer) };
    unsafe { ios_producer_close(producer) };
}
