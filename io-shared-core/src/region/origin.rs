//! Where a channel's values come from, if not from its producer: a text that the producer leaves in
//! its block, for people and tools.
//!
//! The link writes there from which machine it carries the channel, and tools on this machine read
//! it without knowing the link. The producer rewrites the text while others read it, from the
//! mapping or from the file. So a checksum stands next to it: what was read in the middle of a
//! write does not have it, and counts as no text.

use std::sync::atomic::Ordering::Relaxed;

use super::mapped::{Region, word8};
use crate::error::{ErrorKind, Result};

/// Where the text lies in the producer's block, and its checksum.
const TEXT: u64 = 256;
const SUM: u64 = TEXT + LONGEST as u64;
/// The longest text, in bytes.
const LONGEST: usize = 128;

impl Region {
    /// Writes down where the values come from. The caller has the producer's claim.
    ///
    /// # Errors
    /// [`ErrorKind::BadOption`]: the text is too long, or has a zero byte.
    pub(crate) fn note_origin(&self, text: &str) -> Result<()> {
        if text.len() > LONGEST || text.contains('\0') {
            return Err(self.error(ErrorKind::BadOption {
                option: "origin",
                found: format!("{text:?}"),
                expected: format!("at most {LONGEST} bytes, none of them zero"),
            }));
        }
        // The checksum last or first, it is all the same: readers that meet the middle of this find
        // a text and a checksum that do not belong together.
        let mut bytes = [0; LONGEST];
        let room = bytes.iter_mut().zip(text.bytes());
        room.for_each(|(to, from)| *to = from);
        for (i, byte) in bytes.into_iter().enumerate() {
            // SAFETY: the block has 128 bytes for this there, which are only accessed as atomics.
            unsafe { word8(self, self.in_producer(TEXT + i as u64)) }.store(byte, Relaxed);
        }
        self.producer_word(SUM).store(sum(&bytes), Relaxed);
        Ok(())
    }

    /// Forgets where the values of an earlier producer came from.
    pub(super) fn forget_origin(&self) {
        // Without its checksum the text counts as none.
        self.producer_word(SUM).store(0, Relaxed);
    }

    /// Writes the text to a larger region of the channel, which nobody else sees yet.
    pub(super) fn copy_origin(&self, to: &Region) {
        for i in 0..LONGEST as u64 {
            // SAFETY: as in `note_origin`.
            let byte = unsafe { word8(self, self.in_producer(TEXT + i)) }.load(Relaxed);
            // SAFETY: as in `note_origin`.
            unsafe { word8(to, to.in_producer(TEXT + i)) }.store(byte, Relaxed);
        }
        to.producer_word(SUM).store(self.producer_word(SUM).load(Relaxed), Relaxed);
    }
}

/// The text in a producer's block, as it was read from the file. `None`: there is none, or it was
/// read while it was written.
pub(super) fn noted(block: &[u8]) -> Option<String> {
    let text = block.get(TEXT as usize..SUM as usize)?.first_chunk::<LONGEST>()?;
    let found = block.get(SUM as usize..)?.first_chunk()?;
    if sum(text) != u64::from_le_bytes(*found) {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(text).into_owned();
    (!text.is_empty()).then_some(text)
}

/// A checksum that is never 0.
fn sum(bytes: &[u8; LONGEST]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    let sum = bytes
        .iter()
        .fold(start, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    sum | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Vec<u8> {
        let mut block = vec![0; SUM as usize + 8];
        block[TEXT as usize..TEXT as usize + text.len()].copy_from_slice(text.as_bytes());
        let bytes = *block[TEXT as usize..].first_chunk().unwrap();
        block[SUM as usize..].copy_from_slice(&sum(&bytes).to_le_bytes());
        block
    }

    #[test]
    fn a_text_that_is_half_written_is_none() {
        let old = block("from=robot delay=1");
        assert_eq!(noted(&old).as_deref(), Some("from=robot delay=1"));
        let new = block("from=robot delay=2");
        for written in 0..LONGEST {
            let mut mixed = old.clone();
            let part = TEXT as usize..TEXT as usize + written;
            mixed[part.clone()].copy_from_slice(&new[part]);
            let is_old = mixed == old;
            assert_eq!(noted(&mixed).is_some(), is_old, "after {written} bytes");
        }
        assert_eq!(noted(&block("")), None);
        assert_eq!(noted(&[0; 512]), None);
        assert_eq!(noted(&[0; 8]), None);
    }
}
