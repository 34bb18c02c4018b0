//! The churner: it creates its own channel, uses it, lets it grow, and removes it, again and again.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use io_shared::{Channel, Consumer, ErrorKind, Producer};

use super::{Duty, failed};
use crate::machine;
use crate::parcel::Parcel;

const CHANNEL: usize = 2;
/// The words of a value that fits at first, and of one that does not.
const WORDS: [usize; 2] = [10, 5_000];

pub(super) fn run(duty: &mut Duty) -> Result<(), String> {
    let name = duty.names.of(CHANNEL);
    let path = machine::path_of(&name);
    duty.opened();
    loop {
        if duty.must_rest() {
            duty.rest();
        }
        duty.round();
        let channel =
            || Channel::<Parcel>::named(&*name).open_timeout(Duration::from_secs(2)).reopen(false);
        let creating = channel().elements(WORDS[0]).growing(true);
        let mut producer = creating.producer().map_err(failed("creating"))?;
        let following = channel().reopen(true).holds(duty.holds(1));
        let mut follower = following.consumer().map_err(failed("opening"))?;
        for words in WORDS {
            hand_over(&mut producer, &mut follower, words)?;
        }
        drop(follower);
        let joining = channel().holds(duty.holds(1));
        let mut consumer = joining.consumer().map_err(failed("opening"))?;
        hand_over(&mut producer, &mut consumer, WORDS[0])?;
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

/// Puts a value of this many words, and gets it.
fn hand_over(
    producer: &mut Producer<Parcel>,
    consumer: &mut Consumer<Parcel>,
    words: usize,
) -> Result<(), String> {
    let number = producer.seq() + 1;
    let mut loan = producer.loan_len(words).map_err(failed("loan"))?;
    Parcel::fill(&mut loan, number, 0, || ());
    loan.put().map_err(failed("put"))?;
    loop {
        let value = consumer.get().map_err(failed("get"))?;
        value.verify(value.seq())?;
        if value.seq() == number {
            return Ok(());
        }
    }
}
