//! For reference, two threads of one process: `triple_buffer` and `crossbeam-channel`.

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use triple_buffer::{Input, Output, triple_buffer};

use crate::Result;
use crate::run::{Ends, Incoming, Outgoing, check};

/// Both ends of two threads.
pub(crate) type Pair = [Box<dyn Ends + Send>; 2];

pub(crate) const TRIPLE_BUFFER: &str = "triple_buffer (threads)";
pub(crate) const CROSSBEAM: &str = "crossbeam-channel (threads)";

/// Only with 16 bytes, because they copy what they hand over.
pub(crate) fn triple_buffers() -> Pair {
    let ((there, at_peer), (back, here)) = (triple_buffer(&[0; 2]), triple_buffer(&[0; 2]));
    [Box::new((there, here)), Box::new((back, at_peer))]
}

pub(crate) fn crossbeam_channels() -> Pair {
    let ((there, at_peer), (back, here)) = (bounded(1), bounded(1));
    [Box::new((there, here)), Box::new((back, at_peer))]
}

impl Outgoing for Input<[u64; 2]> {
    #[inline]
    fn send(&mut self, seq: u64, _: bool) -> Result<()> {
        self.write([seq; 2]);
        Ok(())
    }
}

impl Incoming for Output<[u64; 2]> {
    #[inline]
    fn try_receive(&mut self, seq: u64, _: bool) -> Result<bool> {
        if !self.update() {
            return Ok(false);
        }
        check(self.output_buffer(), seq).map(|()| true)
    }

    fn block(&mut self, _: u64, _: bool) -> Result<()> {
        Err("a triple buffer cannot be waited for".into())
    }
}

impl Outgoing for Sender<[u64; 2]> {
    #[inline]
    fn send(&mut self, seq: u64, _: bool) -> Result<()> {
        Ok(Sender::send(self, [seq; 2])?)
    }
}

impl Incoming for Receiver<[u64; 2]> {
    #[inline]
    fn try_receive(&mut self, seq: u64, _: bool) -> Result<bool> {
        match self.try_recv() {
            Ok(words) => check(&words, seq).map(|()| true),
            Err(TryRecvError::Empty) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn block(&mut self, seq: u64, _: bool) -> Result<()> {
        check(&self.recv()?, seq)
    }
}
