//! The bell of a service: a channel on which a new client wakes a sleeping server, so that the
//! server looks for it at once. A server that misses it looks 50 ms later.

use std::time::Duration;

use io_shared_core::{Result, clock};

use super::places::{Place, Places};
use super::terms::Terms;
use crate::{Channel, Consumer};

/// The longest that a client waits until another one has rung.
const PATIENCE: Duration = Duration::from_millis(20);

fn channel(places: &Places, terms: &Terms) -> Channel<u64> {
    let channel = Channel::named(places.name(Place::Bell)).ephemeral(true);
    match terms.questions.mode {
        Some(mode) => channel.mode(mode),
        None => channel,
    }
}

/// Opens the bell to hear it.
pub(super) fn hang_up(places: &Places, terms: &Terms) -> Result<Consumer<u64>> {
    channel(places, terms).consumer()
}

/// Rings for the server. What fails is not told: the server finds its clients anyway.
pub(super) fn ring(places: &Places, terms: &Terms) {
    let rung = channel(places, terms).wait_for_role(PATIENCE).producer();
    let rung = rung.and_then(|mut bell| bell.put(&clock::now()));
    if let Err(error) = rung {
        tracing::debug!(%error, "the bell of the service did not ring");
    }
}
