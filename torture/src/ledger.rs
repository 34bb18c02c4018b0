//! The content of the crew's locks: a value that reveals when it is torn, when two write it at
//! once, and when a writer died in the middle.

use std::hint::black_box;
use std::ops::Range;

use io_shared::Message;

use crate::parcel::{mix, word};

const WORDS: usize = 60;

/// A numbered record with its own checksum. All zeros is record 0.
#[derive(Debug, Clone, Copy, Message)]
#[repr(C)]
pub(crate) struct Ledger {
    /// The pid of the process that is writing it; 0: none.
    pub(crate) writer: u64,
    /// How often it was written.
    pub(crate) number: u64,
    salt: u64,
    check: u64,
    words: [u64; WORDS],
}

impl Ledger {
    /// Writes record `number` in two halves, with `pause` between them.
    ///
    /// # Errors
    /// If somebody else wrote at the same time.
    pub(crate) fn write(
        &mut self,
        number: u64,
        salt: u64,
        pause: impl FnOnce(&mut Self),
    ) -> Result<(), String> {
        let me = u64::from(std::process::id());
        // Black boxes make sure that each step is in memory before the next, in case this process
        // is killed between them or another one writes at the same time.
        let ledger = black_box(self);
        ledger.writer = me;
        let ledger = black_box(ledger);
        ledger.salt = salt;
        ledger.fill(0..WORDS / 2);
        let ledger = black_box(ledger);
        pause(ledger);
        let ledger = black_box(ledger);
        ledger.fill(WORDS / 2..WORDS);
        ledger.number = number;
        ledger.check = ledger.sum();
        let ledger = black_box(ledger);
        if ledger.writer != me {
            return Err(format!("{} wrote at the same time as {me}", ledger.writer));
        }
        ledger.verify().map_err(|wrong| format!("written alone, {wrong}"))?;
        black_box(ledger).writer = 0;
        Ok(())
    }

    fn fill(&mut self, places: Range<usize>) {
        for i in places {
            self.words[i] = word(self.salt, i as u64);
        }
    }

    /// Whether this is a whole record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let blank = self.number == 0 && self.salt == 0 && self.check == 0;
        let wrong = self.words.iter().enumerate().filter(|(i, found)| {
            let expected = if blank { 0 } else { word(self.salt, *i as u64) };
            **found != expected
        });
        match wrong.count() {
            0 if blank || self.check == self.sum() => Ok(()),
            wrong => Err(format!("record {} is torn: {wrong} words are wrong", self.number)),
        }
    }

    /// A hash of all of it, to tell whether it changed.
    pub(crate) fn sum(&self) -> u64 {
        let start = mix(mix(self.number) ^ mix(self.salt));
        self.words.iter().fold(start, |sum, word| mix(sum ^ word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> Ledger {
        Ledger { writer: 0, number: 0, salt: 0, check: 0, words: [0; WORDS] }
    }

    #[test]
    fn every_changed_word_is_noticed() {
        for spoilt in 0..WORDS + 3 {
            let mut ledger = blank();
            ledger.verify().unwrap();
            ledger.write(1, 99, |_| ()).unwrap();
            ledger.verify().unwrap();
            match spoilt {
                0 => ledger.number = 2,
                1 => ledger.salt ^= 1,
                2 => ledger.check ^= 1,
                i => ledger.words[i - 3] ^= 1 << 63,
            }
            assert!(ledger.verify().is_err(), "{spoilt}");
        }
    }

    #[test]
    fn a_second_writer_is_noticed() {
        let mut ledger = blank();
        assert!(ledger.write(1, 99, |ledger| ledger.writer = 1).is_err());
    }
}
