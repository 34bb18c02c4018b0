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
            true => self.own_history.store(kept, Relaxed),
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
                self.asks_for_history()
                    || self.is_taken(Part::History).unwrap_or(true)
                    // In an earlier region of the channel, if they have yet to follow it.
                    || self.look_at_line().has_askers
            });
        }
    }

    /// How many values before the newest this handle itself asks for.
    pub(super) fn own_history(&self) -> u32 {
        self.own_history.load(Relaxed)
    }

    /// Whether this handle asks, for itself or for others. The kernel does not tell it so.
    fn asks_for_history(&self) -> bool {
        self.own_history() != 0 || self.asks_for_others.load(Relaxed)
    }

    /// Has `to`, which nobody else sees yet, keep what this region does, for as long as somebody
    /// asks for it here. Returns whether others do. The caller is the producer of both, and has
    /// this region's lock.
    pub(super) fn hand_over_history(&self, to: &Self) -> Result<bool> {
        // Relaxed: nobody else sees it yet.
        to.history().store(self.history().load(Relaxed), Relaxed);
        // Whoever asks here claims first, and looks whether the name still leads here afterwards.
        let others_ask = self.is_taken(Part::History)?;
        if self.asks_for_history() || others_ask {
            let shared = to.claims()?.try_share(Part::History);
            shared.map_err(|errno| Error::system(&to.name, "fcntl(F_OFD_SETLK)", errno))?;
            to.asks_for_others.store(true, Relaxed);
        }
        Ok(others_ask)
    }

    /// As a producer, no longer asks for those that asked in the regions that it has `left`, once
    /// they have followed or are gone.
    pub(crate) fn look_at_askers<'a>(&self, mut left: impl Iterator<Item = &'a Self>) {
        if self.asks_for_others.load(Relaxed)
            && !left.any(|left| left.is_taken(Part::History).unwrap_or(false))
        {
            self.asks_for_others.store(false, Relaxed);
            if let (0, Some(claims)) = (self.own_history(), &self.claims) {
                claims.release(Part::History);
            }
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
