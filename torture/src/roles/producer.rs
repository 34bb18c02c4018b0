//! The producer of both channels: bursts, laps through the whole pool, pauses.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use io_shared::{Loan, Producer, binding};
use io_shared_core::clock;

use super::{Duty, failed};
use crate::machine::RunDelay;
use crate::page::{Event, EventKind, PutTimes};
use crate::parcel::{Card, Load, MOST_WORDS, Packed, Parcel, Size};

/// The producer tells the parent about a put that takes longer than this.
const SLOW: u64 = 10_000_000;

struct Puts {
    producers: [End; 2],
    delay: RunDelay,
}

/// The producer's end of a channel.
enum End {
    Cards(Producer<Card>),
    Parcels(Producer<Parcel>),
}

/// How a value is put.
#[derive(Clone, Copy)]
struct Manner {
    /// The most words, if the channel's values may have as many.
    words: usize,
    /// Whether it is copied in rather than filled in place.
    copied: bool,
    /// The most spins half-way through filling it.
    dawdle: u32,
    /// The run delay before this put, if it was read once for several.
    delayed: Option<u64>,
}

pub(super) fn run(duty: &mut Duty) -> Result<(), String> {
    // Either may come first, so that deaths at a start happen with each channel's size.
    let first = usize::from(duty.random.bool());
    let mut ends = [End::open(duty, first)?, End::open(duty, 1 - first)?];
    ends.rotate_left(first);
    let mut puts = Puts { producers: ends, delay: RunDelay::of_this_thread() };
    duty.opened();
    loop {
        if duty.must_rest() {
            duty.rest();
        }
        match duty.random.u8(0..10) {
            0..=5 => {
                for _ in 0..duty.random.u32(1..40) {
                    let words = duty.some_words();
                    puts.put(duty, Manner { words, copied: false, dawdle: 50, delayed: None })?;
                    duty.spin(400);
                    if duty.must_rest() {
                        break;
                    }
                }
            }
            6 | 7 => puts.lap(duty)?,
            8 => {
                for _ in 0..duty.random.u32(1..4) {
                    puts.put(duty, Manner { words: 0, copied: true, dawdle: 1, delayed: None })?;
                    duty.spin(4000);
                }
            }
            _ => {
                let words = duty.some_words();
                puts.put(duty, Manner { words, copied: false, dawdle: 2000, delayed: None })?;
            }
        }
        duty.round();
        match duty.random.u8(0..100) {
            0 => duty.sleep_us(30_000..130_000),
            1..=10 => duty.sleep_us(4_000..12_000),
            _ => duty.sleep_us(100..3_000),
        }
    }
}

impl End {
    fn open(duty: &Duty, channel: usize) -> Result<Self, String> {
        let lane = duty.lane;
        lane.channel.store(channel as u32, Release);
        let end = match duty.size(channel) {
            Size::Inline => duty.channel(channel).producer().map(Self::Cards),
            _ => duty.channel(channel).producer().map(Self::Parcels),
        };
        let end = end.map_err(failed("opening"))?;
        let (had, putting) = (lane.had[channel].load(Acquire), lane.putting[channel].load(Acquire));
        if !(had..=putting.max(had)).contains(&end.seq()) {
            let seq = end.seq();
            return Err(format!("goes on at {seq} after a put of {putting}, the last done {had}"));
        }
        Ok(end)
    }

    fn seq(&self) -> u64 {
        match self {
            Self::Cards(producer) => producer.seq(),
            Self::Parcels(producer) => producer.seq(),
        }
    }
}

/// A put that is about to be made.
struct Next {
    channel: usize,
    number: u64,
    /// The value that is copied in.
    packed: Option<Packed>,
    delayed: Option<u64>,
}

impl Puts {
    /// Puts a large value, goes through the whole pool as fast as it can, and then fills a large
    /// value slowly: a reader that still copies the first must notice.
    fn lap(&mut self, duty: &mut Duty) -> Result<(), String> {
        let delayed = Some(self.delay.so_far());
        for _ in 0..if duty.unhurried { 1 } else { 30 } {
            let large = Manner { words: MOST_WORDS, copied: false, dawdle: 200, delayed };
            self.put_on(duty, 0, large)?;
            // Long enough for somebody to begin a copy.
            duty.spin(300);
            for _ in 0..duty.random.u32(2..6) {
                let small = Manner { words: 0, copied: false, dawdle: 1, delayed };
                self.put_on(duty, 0, small)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, duty: &mut Duty, manner: Manner) -> Result<(), String> {
        let channel = usize::from(duty.random.u8(0..5) < 2);
        self.put_on(duty, channel, manner)
    }

    fn put_on(&mut self, duty: &mut Duty, channel: usize, manner: Manner) -> Result<(), String> {
        let Manner { words, copied, dawdle, delayed } = manner;
        let Self { producers, delay } = self;
        let end = &mut producers[channel];
        let (number, salt) = (end.seq() + 1, duty.random.u64(..));
        let words = match duty.size(channel) {
            size @ (Size::Inline | Size::Large) if copied => size.most_words(),
            Size::Large => words,
            size => words % (size.most_words() + 1),
        };
        let packed = copied.then(|| Packed::of(words, number, salt));
        let next = Next { channel, number, packed, delayed };
        duty.lane.channel.store(channel as u32, Release);
        match end {
            End::Cards(producer) => {
                let mut loan = producer.loan().map_err(failed("loan"))?;
                if !copied {
                    Card::fill(&mut loan, number, salt, || duty.spin(dawdle));
                }
                next.put(duty, delay, loan)
            }
            End::Parcels(producer) => {
                let mut loan = producer.loan_len(words).map_err(failed("loan"))?;
                if !copied {
                    Parcel::fill(&mut loan, number, salt, || duty.spin(dawdle));
                }
                next.put(duty, delay, loan)
            }
        }
    }
}

impl Next {
    fn put<T: Load + ?Sized>(
        self,
        duty: &mut Duty,
        delay: &RunDelay,
        loan: Loan<'_, T>,
    ) -> Result<(), String> {
        let Self { channel, number, packed, delayed } = self;
        if duty.random.u8(0..20) == 0 {
            return Ok(()); // never put
        }
        let before = delayed.unwrap_or_else(|| delay.so_far());
        let began = clock::now();
        duty.page.begin_put(channel, number, began);
        let put = match packed {
            Some(packed) => binding::put_parts(loan, &[packed.message::<T>().as_bytes()]),
            None => loan.put(),
        };
        let put = put.map_err(failed("put"))?;
        let ended = clock::now();
        duty.page.end_put(channel, number, ended);
        if put != number {
            return Err(format!("value {put} was put in the place of {number}"));
        }
        if ended - began <= SLOW {
            duty.lane.longest.fetch_max(ended - began, Relaxed);
        } else {
            duty.lane.post(Event {
                kind: EventKind::SlowPut,
                called: began,
                returned: ended,
                sequence: number,
                put: PutTimes { began, ended },
                delayed: delay.so_far() - before,
                late: 0,
            });
        }
        Ok(())
    }
}

impl Duty {
    fn some_words(&mut self) -> usize {
        let most = match self.random.u8(0..10) {
            0..=5 => 16,
            6..=8 => 500,
            _ => MOST_WORDS,
        };
        self.random.usize(0..=most)
    }
}
