//! A put that copies, compared with memcpy into a warm mapping that rotates over as many buffers.

use std::slice;

use io_shared::Channel;

use super::Bench;
use crate::page::Page;
use crate::run::{Spec, Wait};
use crate::{Result, clock, report, system};

pub(crate) const MEASUREMENT: &str = "copying put";
pub(crate) const SIZES: [usize; 3] = [1 << 20, 2 << 20, 5 << 20];

/// As many buffers as a channel with one consumer has.
const BUFFERS: usize = 3;

pub(crate) fn round(bench: &mut Bench) -> Result<()> {
    let copies = if bench.quick { 6 } else { 30 };
    for size in SIZES {
        let spec = Spec::new("copying", size, Wait::Poll);
        let words = spec.words();
        let source: Vec<u64> = (0..words as u64).collect();
        let page = Page::open(&bench.names.file_of(&spec), BUFFERS * size)?;
        let name = bench.names.name(&spec);
        let mut producer = Channel::<[u64]>::named(&name).elements(words).producer()?;
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for copy in 0..copies + BUFFERS {
            let before = clock::now();
            let target = page.words(copy % BUFFERS * size, words);
            // SAFETY: inside the mapping, which nobody else uses.
            unsafe { slice::from_raw_parts_mut(target, words) }.copy_from_slice(&source);
            let between = clock::now();
            producer.put(&source)?;
            let after = clock::now();
            if copy >= BUFFERS {
                bare.push(between - before);
                ours.push(after - between);
            }
        }
        Channel::remove(&name)?;
        for (system, mut times) in [(system::BARE, bare), (system::IO_SHARED, ours)] {
            times.sort_unstable();
            let middle = bench.clock.nanoseconds(times[times.len() / 2]);
            let speed = size as f64 / middle; // bytes a nanosecond are GB/s
            bench.report.add(MEASUREMENT, report::size(size), system, "GB/s", speed);
        }
    }
    Ok(())
}
