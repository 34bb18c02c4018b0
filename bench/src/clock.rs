//! The processor's time-stamp counter, which can time a single round trip of 150 ns.
//!
//! Reading it costs some 10 ns where `CLOCK_MONOTONIC` costs 20 to 40. One reading is taken per
//! round trip, for every system alike, so that its cost weighs on all of them equally.

use std::fs;
use std::time::{Duration, Instant};

use crate::Result;

/// Turns counter ticks into nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    nanoseconds_per_tick: f64,
    /// The cost of one reading, in ticks: the mean of a few thousand.
    reading: u64,
    /// The counter's step, in ticks.
    step: u64,
}

impl Clock {
    /// Compares the counter with the system's clock for 50 ms.
    pub(crate) fn calibrate() -> Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        for flag in ["constant_tsc", "nonstop_tsc"] {
            if !cpu.contains(flag) {
                return Err(
                    format!("this machine cannot time single round trips: no {flag}").into()
                );
            }
        }
        let (started, first) = (Instant::now(), now());
        std::thread::sleep(Duration::from_millis(50));
        let (elapsed, last) = (started.elapsed(), now());
        let mut readings = [0; 4097];
        readings.fill_with(now);
        let reading = (readings[4096] - readings[0]) / 4096;
        let mut steps: Vec<_> = readings.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_unstable();
        let step = steps[steps.len() / 2].max(1);
        let nanoseconds_per_tick = elapsed.as_nanos() as f64 / (last - first) as f64;
        Ok(Self { nanoseconds_per_tick, reading, step })
    }

    pub(crate) fn nanoseconds(self, ticks: u64) -> f64 {
        self.nanoseconds_of(ticks as f64)
    }

    pub(crate) fn nanoseconds_of(self, ticks: f64) -> f64 {
        ticks * self.nanoseconds_per_tick
    }

    pub(crate) fn ticks(self, time: Duration) -> u64 {
        (time.as_nanos() as f64 / self.nanoseconds_per_tick) as u64
    }

    /// The counter's step, in ticks. On some processors it is coarse.
    pub(crate) fn step(self) -> u64 {
        self.step
    }

    /// The cost of one reading, in ticks.
    pub(crate) fn reading(self) -> u64 {
        self.reading
    }
}

/// The counter.
#[inline]
pub(crate) fn now() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it.
    unsafe { std::arch::x86_64::_rdtsc() }
}
