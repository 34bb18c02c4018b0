//! An anonymous channel, passed on by its descriptor: to a child that inherits it, and to a process
//! that receives it over a Unix socket.
//!
//! Run it with `cargo run --example pass_descriptor`. Nobody else can open such a channel, and
//! nothing is left of it when its last user is gone.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use io_shared::Channel;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => pass_on(),
        // The descriptor is this process's standard input, or arrives over it.
        Some("inherit") => get("inherited", std::io::stdin().as_fd().try_clone_to_owned()?),
        Some("receive") => get("received", receive(std::io::stdin())?),
        Some(_) => Err("usage: pass_descriptor".into()),
    }
}

fn pass_on() -> Result<()> {
    let mut producer = Channel::<u64>::anonymous().consumers(2).producer()?;
    producer.put(&31337)?;
    let descriptor = producer.as_fd().ok_or("only what has no name is passed on")?;

    let inherited = start("inherit", descriptor.try_clone_to_owned()?)?;
    end(inherited)?;

    let (here, there) = UnixStream::pair()?;
    let received = start("receive", there.into())?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A descriptor needs at least one byte to travel with.
    sendmsg(&here, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    end(received)
}

fn start(role: &str, stdin: OwnedFd) -> Result<Child> {
    Ok(Command::new(std::env::current_exe()?).arg(role).stdin(Stdio::from(stdin)).spawn()?)
}

fn end(mut child: Child) -> Result<()> {
    if child.wait()?.success() { Ok(()) } else { Err("the other process failed".into()) }
}

fn receive(socket: impl AsFd) -> Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
            return Ok(descriptors.next().ok_or("no descriptor came")?);
        }
    }
    Err("no descriptor came".into())
}

/// Runs in another process. It reopens the channel behind the descriptor, with claims of its own.
fn get(how: &str, descriptor: OwnedFd) -> Result<()> {
    let second = Channel::<u64>::from_fd(descriptor.try_clone()?).producer();
    println!("{how}: a second producer is refused: {}", second.is_err());
    let mut consumer = Channel::<u64>::from_fd(descriptor).consumer()?;
    println!("{how}: got {}", *consumer.get()?);
    Ok(())
}
