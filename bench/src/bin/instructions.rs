//! Repeats one act for callgrind to count. `tests/instructions.rs` runs this program.
//!
//! `instructions ACT REPEATS`. Each act is a function that is not inlined, so that callgrind can
//! count it and nothing around it. Messages of 16 bytes; both ends are this process's.

use std::env;
use std::hint::black_box;
use std::process;

use io_shared::{Channel, Consumer, Producer, Result, Shared};

type Message = [u64; 2];

#[inline(never)]
fn act_put(producer: &mut Producer<Message>, value: u64) -> Result<()> {
    let mut loan = producer.loan()?;
    *loan = [value; 2];
    loan.put()?;
    Ok(())
}

#[inline(never)]
fn act_get(consumer: &mut Consumer<Message>) -> Result<u64> {
    let value = consumer.get()?;
    Ok(value[0] + value[1])
}

#[inline(never)]
fn act_try_get(consumer: &mut Consumer<Message>) -> Result<bool> {
    Ok(consumer.try_get()?.is_some())
}

/// Typed state, locked to write and given back.
#[inline(never)]
fn act_write(state: &mut Shared<Message>, value: u64) -> Result<()> {
    *state.write()? = [value; 2];
    Ok(())
}

#[inline(never)]
fn act_read(state: &mut Shared<Message>) -> Result<u64> {
    let value = state.read()?;
    Ok(value[0] + value[1])
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = env::args().collect();
    let [_, act, repeats] = &*arguments else { return Err("give an act and a number".into()) };
    let repeats: u64 = repeats.parse()?;
    let name = format!("io-shared-instructions-{}", process::id());
    if let "write" | "read" = act.as_str() {
        return locks(&name, repeats);
    }
    let stamps = act != "put, no stamps";
    let channel = || Channel::<Message>::named(&name).ephemeral(true);
    let mut producer = channel().stamps(stamps).producer()?;
    let mut consumer = channel().consumer()?;
    for value in 0..repeats {
        if act == "try_get of nothing" {
            black_box(act_try_get(&mut consumer)?);
            continue;
        }
        act_put(&mut producer, black_box(value))?;
        black_box(act_get(&mut consumer)?);
    }
    Ok(())
}

/// Typed state with two handles, of which nobody waits.
fn locks(name: &str, repeats: u64) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let state = || Shared::<Message>::named(name).ephemeral(true).open();
    let (mut writer, mut reader) = (state()?, state()?);
    for value in 0..repeats {
        act_write(&mut writer, black_box(value))?;
        black_box(act_read(&mut reader)?);
    }
    Ok(())
}
