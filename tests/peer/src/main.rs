//! The other side of `tests/handover.rs`: gets each `Blob` and answers with one of its own, without
//! touching the payload. When the frame is 0, it prints whether its references point into the
//! regions.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::os::unix::fs::MetadataExt;

use io_shared::{Channel, Message};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// This program's own definition of what the test calls `Frame`.
#[derive(Message)]
#[repr(C)]
struct Blob {
    frame: u64,
    data: [u8],
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, there, back, cpu] = arguments.as_slice() else {
        return Err("usage: handover-peer PING PONG CPU".into());
    };
    let mut cpus = CpuSet::new();
    cpus.set(cpu.parse()?)?;
    sched_setaffinity(Pid::from_raw(0), &cpus)?;

    let mut pings = Channel::<Blob>::named(there).prefault(true).consumer()?;
    let mut pongs = Channel::<Blob>::named(back).capacity("5M").prefault(true).producer()?;
    loop {
        let ping = pings.get()?;
        let mut pong = pongs.loan_len(ping.data.len())?;
        pong.frame = ping.frame;
        if ping.frame == 0 {
            let inside = inside(there, ping.data.as_ptr())? && inside(back, pong.data.as_ptr())?;
            println!("{inside}");
            pong.put()?;
            return Ok(());
        }
        pong.put()?;
    }
}

/// Whether `address` lies in this process's mapping of the channel.
fn inside(name: &str, address: *const u8) -> Result<bool, Box<dyn Error>> {
    let path = format!("/dev/shm/{}", name.trim_start_matches('/'));
    let inode = std::fs::metadata(path)?.ino().to_string();
    for line in std::fs::read_to_string("/proc/self/maps")?.lines() {
        let Some((range, _)) = line.split_once(' ') else {
            continue;
        };
        let Some((start, end)) = range.split_once('-') else {
            continue;
        };
        let range = usize::from_str_radix(start, 16)?..usize::from_str_radix(end, 16)?;
        if range.contains(&address.addr()) {
            // address perms offset device inode path; the path is from the creation
            return Ok(line.split_whitespace().nth(4) == Some(&inode));
        }
    }
    Ok(false)
}
