//! The churner: it creates, uses and removes its own channel, again and again.

use std::sync::atomic::Ordering::Relaxed;

use io_shared::{Channel, ErrorKind};

use super::{Duty, failed};
use crate::machine;
use crate::parcel::Parcel;

const CHANNEL: usize = 2;

pub(super) fn run(duty: &mut Duty) -> Result<(), String> {
    let name = duty.names.of(CHANNEL);
    let path = machine::path_of(&name);
    duty.opened();
    loop {
        if duty.must_rest() {
            duty.rest();
        }
        duty.round();
        let mut producer =
            duty.channel::<Parcel>(CHANNEL).producer().map_err(failed("creating"))?;
        let joining = duty.channel::<Parcel>(CHANNEL).holds(duty.holds(1));
        let mut consumer = joining.consumer().map_err(failed("opening"))?;
        let number = producer.seq() + 1;
        let mut loan = producer.loan_len(10).map_err(failed("loan"))?;
        Parcel::fill(&mut loan, number, 0, || ());
        loan.put().map_err(failed("put"))?;
        let guard = consumer.get().map_err(failed("get"))?;
        guard.verify(number)?;
        drop(guard);
        Channel::remove(&name).map_err(failed("remove"))?;
        if path.exists() {
            return Err("the name is still there after its removal".into());
        }
        // The flag tells its users at once.
        let heard = consumer.try_get().map(drop).map_err(|error| error.kind().clone());
        if heard != Err(ErrorKind::Replaced) {
            return Err(format!("a consumer of a removed channel was told {heard:?}"));
        }
        let heard = producer.loan_len(1).map_err(failed("loan"))?.put();
        let heard = heard.map_err(|error| error.kind().clone());
        if heard != Err(ErrorKind::Replaced) {
            return Err(format!("a producer of a removed channel was told {heard:?}"));
        }
        duty.lane.values.fetch_add(1, Relaxed);
        duty.sleep_us(200..3_000);
    }
}
