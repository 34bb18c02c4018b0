//! An observer: it copies values and takes no slot.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use io_shared::{ErrorKind, Observer};

use super::{Duty, Role, failed};
use crate::parcel::Load;

pub(super) fn run<T: Load + ?Sized>(duty: &mut Duty) -> Result<(), String> {
    let channel = duty.channel::<T>(0).history(3);
    let mut observer = channel.observer().map_err(failed("opening"))?;
    duty.opened();
    loop {
        if duty.must_rest() {
            duty.rest();
        }
        duty.round();
        let put = duty.page.lane(Role::Producer).had[0].load(Acquire);
        match observer.copy() {
            Ok(Some(copy)) => {
                copy.verify(copy.seq())?;
                let had = duty.lane.had[0].load(Relaxed);
                if copy.seq() < had.max(put) {
                    let seq = copy.seq();
                    return Err(format!("a copy of {seq} after {had}; {put} had been put"));
                }
                duty.lane.had[0].store(copy.seq(), Release);
                duty.lane.values.fetch_add(1, Relaxed);
            }
            Ok(None) if put == 0 => {}
            Ok(None) => return Err(format!("nothing to copy, although {put} was put")),
            Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => {
                duty.lane.busy.fetch_add(1, Relaxed);
            }
            Err(error) => return Err(format!("copy: {error}")),
        }
        if duty.random.u8(0..4) == 0 {
            since(&mut observer, duty.lane.had[0].load(Relaxed).saturating_sub(5))?;
        }
        match duty.random.u8(0..10) {
            0 => duty.sleep_us(500..5_000),
            1..=3 => duty.sleep_us(50..300),
            _ => duty.spin(100),
        }
    }
}

/// Copies what lies whole after a number: each value is whole, and newer than the one before.
fn since<T: Load + ?Sized>(observer: &mut Observer<T>, seq: u64) -> Result<(), String> {
    let mut last = seq;
    for copy in observer.since(seq).take(8) {
        match copy {
            Ok(copy) => {
                copy.verify(copy.seq())?;
                if copy.seq() != last + copy.missed() + 1 {
                    return Err(format!("{} after {last}, {} missed", copy.seq(), copy.missed()));
                }
                last = copy.seq();
            }
            Err(error) if matches!(error.kind(), ErrorKind::Busy { .. }) => break,
            Err(error) => return Err(format!("since: {error}")),
        }
    }
    Ok(())
}
