//! Asking for the values before the newest, and finding out that nobody does any more.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::blocks;
use super::layout::Kind;
use super::mapped::Region;
use crate::error::{Error, ErrorKind, Result};
use crate::os::claim::Part;
use crate::protocol::{self, MOST_BUFFERS, OWN_BUFFERS, Words};

impl Region {
    /// Has the values before the newest kept, at least `kept` of them, for as long as this handle
    /// lives.
    pub(super) fn ask_for_history(&self, kept: u32, patience: Duration) -> Result<()> {
        if kept == 0 {
            return Ok(());
        }
        let claims = self.claims()?;
        // First of all: the producer looks at the claim after it has found the word raised.
        let shared = claims.try_share(Part::History);
        match shared.map_err(|errno| Error::system(&self.name, "fcntl(F_OFD_SETLK)", errno))? {
            true => self.asks_for_history.store(true, Relaxed),
            false => return Err(self.error(ErrorKind::Busy { doing: "asking for a history" })),
        }
        let _lock = self.lock(patience)?;
        let reserve = |from, to| self.reserve_buffers(from, to);
        match protocol::keep_history(self, kept.into(), reserve)? {
            true => Ok(()),
            false => Err(self.too_long_a_history(kept)),
        }
    }

    fn too_long_a_history(&self, kept: u32) -> Error {
        let held: usize =
            (0..self.consumer_slots()).map(|slot| protocol::entries(self, slot)).sum();
        let most = (MOST_BUFFERS - OWN_BUFFERS).saturating_sub(held as u64);
        self.error(ErrorKind::BadOption {
            option: "history",
            found: kept.to_string(),
            expected: format!(
                "consumers may hold {held} values, and with these at most {most} more can be kept"
            ),
        })
    }

    /// As a producer, ends the history if nobody asks for it any more.
    pub(super) fn look_at_history(&self) {
        if self.writes_buffers {
            self.end_unasked_history();
        }
    }

    /// Ends the history if nobody asks for it any more.
    pub(super) fn end_unasked_history(&self) {
        if self.layout.kind == Kind::Channel && self.claims.is_some() {
            protocol::end_history(self, || {
                self.asks_for_history.load(Relaxed) || self.is_taken(Part::History).unwrap_or(true)
            });
        }
    }

    /// The first sequence that may be returned of a value before the newest. In a file, what lies
    /// in other buffers than the newest may have been torn by a reboot.
    pub(crate) fn first_of_history(&self) -> u64 {
        match self.survives_reboot {
            true => self.producer_word(blocks::FIRST_SEQUENCE).load(Relaxed),
            false => 0,
        }
    }
}
