//! A consumer: gets values in every way there is, and checks each of them.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use io_shared::{Consumer, ErrorKind, Guard, OwnedGuard, binding};
use io_shared_core::{clock, crash_point};

use super::{Duty, Role, failed};
use crate::machine::RunDelay;
use crate::page::{Event, EventKind, PutTimes};
use crate::parcel::{Load, Packed};

/// The consumer tells the parent about a value that waited longer than this.
const LONG: u64 = 15_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Get,
    /// As a copy that begins before the value is complete.
    Copy,
    GetFor(Duration),
    Try,
    Latest,
}

/// What is noted before a call, to judge its result.
struct Call {
    way: Way,
    called: u64,
    delayed: u64,
    late: u64,
    /// The last value whose put had returned.
    put: u64,
}

struct Gets {
    delay: RunDelay,
    /// The sequence that this incarnation got last.
    previous: Option<u64>,
}

pub(super) fn run<T: Load + ?Sized>(duty: &mut Duty) -> Result<(), String> {
    let least = if duty.role == Role::Keeper { 2 } else { 1 };
    let mut channel = duty.channel::<T>(duty.role.channel()).holds(duty.holds(least));
    if matches!(duty.role, Role::Left | Role::Right) {
        channel = channel.consumer_name(format!("{:?}", duty.role));
    }
    let mut consumer = channel.consumer().map_err(failed("opening"))?;
    duty.opened();
    let mut gets = Gets { delay: RunDelay::of_this_thread(), previous: None };
    let mut kept = None;
    loop {
        if duty.must_rest() {
            drop(kept.take());
            duty.rest();
        }
        duty.round();
        gets.one(duty, &mut consumer, &mut kept)?;
        match duty.random.u8(0..100) {
            0 => duty.sleep_us(10_000..40_000),
            1..=20 => duty.sleep_us(50..2_000),
            _ => duty.spin(200),
        }
    }
}

impl Gets {
    fn one<T: Load + ?Sized>(
        &mut self,
        duty: &mut Duty,
        consumer: &mut Consumer<T>,
        kept: &mut Option<OwnedGuard<T>>,
    ) -> Result<(), String> {
        let call = self.call(duty);
        let mut copy = Packed::empty(duty.size(duty.role.channel()).most_words());
        let mut target = copy.target();
        let given = match call.way {
            Way::Get => consumer.get().map(Some),
            Way::Copy => binding::get_into(consumer, &mut target, None).map(Some),
            Way::GetFor(timeout) => consumer.get_timeout(timeout).map(Some),
            Way::Try => consumer.try_get(),
            Way::Latest => consumer.latest(),
        };
        let returned = clock::now();
        match given {
            Ok(Some(guard)) => {
                // Note it at once: from here on it counts as seen, even if this process dies.
                duty.lane.had[0].store(guard.seq(), Release);
                self.judge(duty, &call, returned, guard.seq(), guard.missed())?;
                if call.way == Way::Copy && binding::copy_out(&guard, target) {
                    let verified = copy.message::<T>().verify(guard.seq());
                    verified.map_err(|wrong| format!("in a copy of it: {wrong}"))?;
                }
                self.read(duty, guard, kept)
            }
            Ok(None) => self.nothing(&call),
            Err(error) => match error.kind() {
                ErrorKind::Timeout { .. } if matches!(call.way, Way::GetFor(_)) => {
                    duty.lane.timeouts.fetch_add(1, Relaxed);
                    self.timed_out(duty, &call, returned);
                    Ok(())
                }
                ErrorKind::Busy { .. } if matches!(call.way, Way::Try | Way::Latest) => {
                    duty.lane.busy.fetch_add(1, Relaxed);
                    Ok(())
                }
                _ => Err(format!("{:?}: {error}", call.way)),
            },
        }
    }

    fn call(&self, duty: &mut Duty) -> Call {
        let way = match duty.random.u8(0..20) {
            0..=5 => Way::Get,
            6..=11 => Way::Copy,
            12..=14 => Way::GetFor(Duration::from_micros(duty.random.u64(0..150_000))),
            15..=18 => Way::Try,
            // On the first value it would not show where this consumer goes on.
            _ if self.previous.is_some() => Way::Latest,
            _ => Way::Get,
        };
        Call {
            way,
            delayed: self.delay.so_far(),
            late: crash_point::late_finds(),
            put: duty.page.lane(Role::Producer).had[duty.role.channel()].load(Acquire),
            called: clock::now(),
        }
    }

    /// Checks the value's number and how long it took.
    fn judge(
        &mut self,
        duty: &Duty,
        call: &Call,
        returned: u64,
        seq: u64,
        missed: u64,
    ) -> Result<(), String> {
        let way = call.way;
        let lane = duty.lane;
        if seq < call.put {
            return Err(format!("{way:?} returned {seq} after the put of {} was over", call.put));
        }
        let seen = match self.previous {
            Some(previous) if seq == previous && way == Way::Latest => previous,
            Some(previous) if seq <= previous => {
                return Err(format!("{way:?} returned {seq} after {previous}"));
            }
            Some(previous) if previous + missed + 1 != seq => {
                return Err(format!("{way:?} returned {seq} after {previous}, {missed} missed"));
            }
            Some(previous) => previous,
            None => {
                let seen = seq.saturating_sub(missed + 1);
                let (from, to) = (lane.resumes_from.load(Relaxed), lane.resumes_to.load(Relaxed));
                if seq < from || (duty.role.resumes() && from > 0 && !(from..=to).contains(&seen)) {
                    return Err(format!(
                        "restarted, it had {seq}, the first after {seen}; it should go on after \
                         {from} (at most {to})"
                    ));
                }
                seen
            }
        };
        self.previous = Some(seq);
        lane.values.fetch_add(1, Relaxed);
        lane.missed.fetch_add(missed, Relaxed);
        if seq == seen {
            return Ok(());
        }
        let late = crash_point::late_finds() - call.late;
        let put = duty.page.put_times(duty.role.channel(), seen + 1).unwrap_or_default();
        let wait = returned.saturating_sub(put.began.max(call.called));
        if late == 0 && wait <= LONG {
            lane.longest.fetch_max(wait, Relaxed);
        } else {
            self.post(duty, EventKind::LongWait, call, returned, (seen + 1, put));
        }
        Ok(())
    }

    fn post(
        &self,
        duty: &Duty,
        kind: EventKind,
        call: &Call,
        returned: u64,
        (sequence, put): (u64, PutTimes),
    ) {
        duty.lane.post(Event {
            kind,
            called: call.called,
            returned,
            sequence,
            put,
            delayed: self.delay.so_far() - call.delayed,
            late: crash_point::late_finds() - call.late,
        });
    }

    /// To find nothing is right only if everything that was put has been seen.
    fn nothing(&self, call: &Call) -> Result<(), String> {
        match self.previous {
            Some(previous) if previous < call.put => Err(format!(
                "{:?} returned nothing after {previous}, although the put of {} had returned",
                call.way, call.put
            )),
            _ => Ok(()),
        }
    }

    fn timed_out(&self, duty: &Duty, call: &Call, returned: u64) {
        let Some(previous) = self.previous else {
            return;
        };
        let Some(put) = duty.page.put_times(duty.role.channel(), previous + 1) else {
            return;
        };
        if put.ended != 0 && put.ended + LONG < returned {
            self.post(duty, EventKind::Timeout, call, returned, (previous + 1, put));
        }
    }

    /// Reads the value twice, to detect a buffer that is refilled while it is held.
    fn read<T: Load + ?Sized>(
        &self,
        duty: &mut Duty,
        guard: Guard<'_, T>,
        kept: &mut Option<OwnedGuard<T>>,
    ) -> Result<(), String> {
        let seq = guard.seq();
        guard.verify(seq)?;
        match duty.random.u8(0..100) {
            0 => duty.sleep_us(2_000..15_000),
            1..=10 => duty.sleep_us(50..500),
            _ => duty.spin(300),
        }
        guard.verify(seq).map_err(|wrong| format!("while it was held: {wrong}"))?;
        if duty.role != Role::Keeper {
            return Ok(());
        }
        if let Some(old) = kept.take() {
            old.verify(old.seq()).map_err(|wrong| format!("while it was kept: {wrong}"))?;
        }
        if duty.random.u8(0..4) > 0 {
            *kept = Some(guard.into_owned());
        }
        Ok(())
    }
}
