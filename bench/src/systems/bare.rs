//! The limits: a cache line for each direction that two processes bounce, and a bare futex pair.
//!
//! The value is in the line itself, or in one fixed buffer, or in one of three rotating buffers
//! that the line names. The last is the least that can hand over a value of any size without a
//! copy. Its reader may still use the previous value while the next is written, so there must be
//! more than one buffer. And only the line says which one, so the value cannot be fetched before
//! the line arrives.

use std::slice;
use std::sync::atomic::Ordering;

use crate::names::Names;
use crate::page::{Page, STRIDE};
use crate::run::{Incoming, Outgoing, Spec, Wait, check, fill};
use crate::system::System;
use crate::{Result, futex};

/// 16 bytes in the line.
pub(crate) struct InLine;
/// One buffer for each direction.
pub(crate) struct OneBuffer;
/// Three buffers for each direction, as many as a channel with one consumer has.
pub(crate) struct ThreeBuffers;

impl System for InLine {
    type Out = End<0>;
    type In = End<0>;
    const NAME: &'static str = crate::system::BARE_LINE;
    const SETTINGS: &'static str = "sequence and payload in one cache line for each direction";
    const POLLS_ONLY: bool = true;
    const LARGEST: usize = 16;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out> {
        End::open(names, spec)
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        End::open(names, spec)
    }
}

impl System for OneBuffer {
    type Out = End<1>;
    type In = End<1>;
    const NAME: &'static str = crate::system::BARE_BUFFER;
    const SETTINGS: &'static str =
        "a cache line with the sequence and one buffer for each direction";
    const POLLS_ONLY: bool = true;

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out> {
        End::open(names, spec)
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        End::open(names, spec)
    }
}

impl System for ThreeBuffers {
    type Out = End<3>;
    type In = End<3>;
    const NAME: &'static str = crate::system::BARE;
    const SETTINGS: &'static str = "a cache line with sequence and index, and three buffers for \
         each direction; blocking: FUTEX_WAIT and FUTEX_WAKE at every message, no spinning";

    fn outgoing(names: &Names, spec: &Spec) -> Result<Self::Out> {
        End::open(names, spec)
    }

    fn incoming(names: &Names, spec: &Spec) -> Result<Self::In> {
        End::open(names, spec)
    }
}

/// The index's lowest bit in the line's word: above the sequence, whose low half is the futex.
const INDEX: u32 = 56;

/// An end with `BUFFERS` buffers; 0: the payload is in the line.
pub(crate) struct End<const BUFFERS: usize> {
    page: Page,
    /// The first buffer.
    payload: *mut u64,
    /// Words from one buffer to the next.
    stride: usize,
    words: usize,
    wait: Wait,
}

impl<const BUFFERS: usize> End<BUFFERS> {
    fn open(names: &Names, spec: &Spec) -> Result<Self> {
        let area = spec.payload.next_multiple_of(STRIDE);
        let page = Page::open(&names.file_of(spec), 4096 + BUFFERS * area)?;
        let (offset, words) =
            if BUFFERS == 0 { (8, spec.words()) } else { (4096, BUFFERS * area / 8) };
        let payload = page.words(offset, words);
        Ok(Self { page, payload, stride: area / 8, words: spec.words(), wait: spec.wait })
    }

    #[inline]
    fn buffer(&self, index: usize) -> *mut u64 {
        assert!(index < BUFFERS.max(1));
        self.payload.wrapping_add(index * self.stride)
    }
}

impl<const BUFFERS: usize> Outgoing for End<BUFFERS> {
    #[inline]
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        let index = if BUFFERS > 1 { seq as usize % BUFFERS } else { 0 };
        if touch {
            // SAFETY: inside the mapping; the receiver does not touch it until the store below. It
            // is done with what was in it, since it has answered.
            let words = unsafe { slice::from_raw_parts_mut(self.buffer(index), self.words) };
            fill(words, seq);
        }
        let word = self.page.word(0);
        word.store((index as u64) << INDEX | seq, Ordering::Release);
        if self.wait == Wait::Block {
            futex::wake(word);
        }
        Ok(())
    }
}

impl<const BUFFERS: usize> Incoming for End<BUFFERS> {
    #[inline]
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        let found = self.page.word(0).load(Ordering::Acquire);
        if found & ((1 << INDEX) - 1) != seq {
            return Ok(false);
        }
        if touch {
            let buffer = self.buffer((found >> INDEX) as usize);
            // SAFETY: inside the mapping; the sender writes nothing before it is answered.
            let words = unsafe { slice::from_raw_parts(buffer, self.words) };
            check(words, seq)?;
        }
        Ok(true)
    }

    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        loop {
            let found = self.page.word(0).load(Ordering::Relaxed);
            if self.try_receive(seq, touch)? {
                return Ok(());
            }
            futex::wait(self.page.word(0), found as u32);
        }
    }
}
