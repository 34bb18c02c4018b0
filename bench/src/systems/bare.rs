//! The limits: one cache line that two processes bounce, and a bare futex pair.
//!
//! A payload of 16 bytes lies in the line that is bounced, next to the sequence. A larger one has a
//! buffer of its own for each direction.

use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;
use crate::page::Page;
use crate::run::{Direction, Incoming, Outgoing, Spec, Wait, check, fill};
use crate::system::{Place, System};

pub(crate) struct Bare;

impl System for Bare {
    type Out = End;
    type In = End;
    const NAME: &'static str = super::BARE;
    const SETTINGS: &'static str =
        "one cache line; blocking: FUTEX_WAIT and FUTEX_WAKE, no spinning";

    fn outgoing(place: &Place, spec: &Spec) -> Result<End> {
        End::open(place, spec)
    }

    fn incoming(place: &Place, spec: &Spec) -> Result<End> {
        End::open(place, spec)
    }
}

pub(crate) struct End {
    page: Page,
    payload: *mut u64,
    words: usize,
    wait: Wait,
    /// Both directions count in one word: there 2n, back 2n + 1.
    odd: u64,
}

impl End {
    fn open(place: &Place, spec: &Spec) -> Result<Self> {
        // Both directions share the line, so both go by one name.
        let there = Spec { direction: Direction::There, ..spec.clone() };
        let area = spec.payload.next_multiple_of(4096);
        let page = Page::open(&place.file_of(&there), 4096 + 2 * area)?;
        let odd = u64::from(spec.direction == Direction::Back);
        let offset = if spec.payload <= 56 { 8 } else { 4096 + odd as usize * area };
        let payload = page.words(offset, spec.words());
        Ok(Self { page, payload, words: spec.words(), wait: spec.wait, odd })
    }
}

impl Outgoing for End {
    #[inline]
    fn send(&mut self, seq: u64, touch: bool) -> Result<()> {
        if touch {
            // SAFETY: inside the mapping; the receiver does not touch it until the store below, and
            // has done with what was in it, since it has answered.
            let words = unsafe { slice::from_raw_parts_mut(self.payload, self.words) };
            fill(words, seq);
        }
        let word = self.page.word(0);
        word.store(2 * seq + self.odd, Ordering::Release);
        if self.wait == Wait::Block {
            wake(word);
        }
        Ok(())
    }
}

impl Incoming for End {
    #[inline]
    fn try_receive(&mut self, seq: u64, touch: bool) -> Result<bool> {
        if self.page.word(0).load(Ordering::Acquire) != 2 * seq + self.odd {
            return Ok(false);
        }
        if touch {
            // SAFETY: inside the mapping; the sender writes nothing before it is answered.
            let words = unsafe { slice::from_raw_parts(self.payload, self.words) };
            check(words, seq)?;
        }
        Ok(true)
    }

    fn block(&mut self, seq: u64, touch: bool) -> Result<()> {
        while !self.try_receive(seq, touch)? {
            let word = self.page.word(0);
            let found = word.load(Ordering::Relaxed);
            if found != 2 * seq + self.odd {
                sleep(word, found as u32);
            }
        }
        Ok(())
    }
}

fn wake(word: &AtomicU64) {
    // SAFETY: FUTEX_WAKE reads no memory, and only looks the address up.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr().cast::<u32>(), libc::FUTEX_WAKE, 1) };
}

/// Sleeps while the low half of the word is `found`.
fn sleep(word: &AtomicU64, found: u32) {
    let address = word.as_ptr().cast::<u32>();
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the address is mapped and aligned; no timeout is given.
    unsafe { libc::syscall(libc::SYS_futex, address, libc::FUTEX_WAIT, found, forever) };
}
