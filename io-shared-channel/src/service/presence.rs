//! The presence of a server: the channel whose producer it is for as long as it lives, which makes
//! it the only one, and where clients read which types it serves.

use io_shared_core::{Error, ErrorKind, Holder, Result, Schema};

use super::places::{Place, Places};
use super::terms::{Terms, Types};
use crate::{Channel, Producer};

/// The role of a service's server.
#[derive(Debug)]
pub(super) struct Presence {
    channel: Producer<[u8]>,
    text: Vec<u8>,
}

impl Presence {
    /// Takes the role, and says which types are served.
    ///
    /// # Errors
    /// [`ErrorKind::RoleTaken`], and the other errors of opening a channel.
    pub(super) fn take(places: &Places, terms: &Terms, types: &Types) -> Result<Self> {
        // JSON of a schema has no line break.
        let text = [types.question.to_json(), types.answer.to_json()].join("\n").into_bytes();
        let mut channel = Channel::<[u8]>::named(places.name(Place::Server))
            .elements(text.len())
            .growing(true)
            .ephemeral(true);
        if let Some(mode) = terms.questions.mode {
            channel = channel.mode(mode);
        }
        if let Some(timeout) = terms.wait_for_role {
            channel = channel.wait_for_role(timeout);
        }
        let mut channel = channel.producer()?;
        channel.put(&text)?;
        Ok(Self { channel, text })
    }

    /// Takes the role again if somebody has removed the channel.
    ///
    /// # Errors
    /// As [`take`](Self::take): another server may have been faster.
    pub(super) fn keep(&mut self) -> Result<()> {
        match self.channel.check() {
            Err(error) if *error.kind() == ErrorKind::Replaced => {
                self.channel.put(&self.text).map(drop)
            }
            checked => checked,
        }
    }
}

/// A living server, as clients see it.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) by: Holder,
    /// `None` while it has yet to say so.
    types: Option<Types>,
}

impl Served {
    /// The service's living server, if there is one that this process may see.
    pub(super) fn now(places: &Places) -> Option<Self> {
        let channel = Channel::<[u8]>::named(places.name(Place::Server));
        let mut observer = channel.open_timeout(std::time::Duration::ZERO).observer().ok()?;
        let by = observer.producer().ok()??;
        let text = observer.copy().ok().flatten();
        Some(Self { by, types: text.and_then(|text| read(&text)) })
    }

    /// # Errors
    /// [`ErrorKind::Mismatch`] if it serves other types than these.
    pub(super) fn check(&self, places: &Places, own: &Types) -> Result<()> {
        let Some(types) = &self.types else { return Ok(()) };
        let differences = own.differences(types);
        if differences.is_empty() {
            return Ok(());
        }
        let (holders, advice) = (vec![self.by.clone()], "start the server again");
        Err(Error::new(places.service(), ErrorKind::Mismatch { differences, holders, advice }))
    }
}

fn read(text: &[u8]) -> Option<Types> {
    let (question, answer) = std::str::from_utf8(text).ok()?.split_once('\n')?;
    let schema = |text| Schema::from_json(text).ok();
    Some(Types { question: schema(question)?, answer: schema(answer)? })
}
