//! The visitor: a consumer that joins a channel in use, holds as many values as it may, and leaves.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use io_shared::ErrorKind;

use super::{Duty, failed};
use crate::parcel::Load;

const CHANNEL: usize = 0;

pub(super) fn run<T: Load + ?Sized>(duty: &mut Duty) -> Result<(), String> {
    duty.opened();
    loop {
        if duty.must_rest() {
            duty.rest();
        }
        duty.round();
        let holds = duty.holds(1);
        let joining = duty.channel::<T>(CHANNEL).holds(holds);
        let mut consumer = joining.consumer().map_err(failed("joining"))?;
        let mut kept = Vec::new();
        while kept.len() < holds {
            match consumer.get_timeout(Duration::from_millis(20)) {
                Ok(value) => {
                    value.verify(value.seq())?;
                    kept.push(value.into_owned());
                }
                Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => break,
                Err(error) => return Err(format!("get: {error}")),
            }
        }
        duty.sleep_us(50..2_000);
        for value in &kept {
            value.verify(value.seq()).map_err(|wrong| format!("while it was kept: {wrong}"))?;
        }
        duty.lane.values.fetch_add(kept.len() as u64, Relaxed);
        drop((kept, consumer));
        duty.sleep_us(200..3_000);
    }
}
