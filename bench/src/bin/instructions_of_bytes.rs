//! Repeats a put and a get of plain bytes for callgrind to count. `tests/instructions.rs` runs this
//! program.
//!
//! `instructions_of_bytes REPEATS`. A program of its own, since a compiler inlines less of what two
//! types of messages share: then the acts of `instructions` would count for more. Both ends are
//! this process's.

use std::env;
use std::hint::black_box;
use std::process;

use io_shared::{Channel, Consumer, Producer, Result};

const PAGE: usize = 4096;

/// As other languages put bytes. They are not filled.
#[inline(never)]
fn act_bytes_put(producer: &mut Producer<[u8]>) -> Result<()> {
    producer.loan_len(PAGE)?.put()?;
    Ok(())
}

#[inline(never)]
fn act_bytes_get(consumer: &mut Consumer<[u8]>) -> Result<usize> {
    Ok(consumer.get()?.len())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let repeats: u64 = env::args().nth(1).ok_or("give a number")?.parse()?;
    let name = format!("io-shared-instructions-{}", process::id());
    let channel = || Channel::<[u8]>::named(&name).ephemeral(true);
    let mut producer = channel().elements(PAGE).producer()?;
    let mut consumer = channel().consumer()?;
    for _ in 0..repeats {
        act_bytes_put(&mut producer)?;
        black_box(act_bytes_get(&mut consumer)?);
    }
    Ok(())
}
