//! Which channels are given: those that `--give` names, while they have a producer.
//!
//! A thread looks twice a second. For each channel that has a producer now it starts a [`giving`]
//! thread, which ends when the producer does. A pattern means what is produced here: a channel that
//! a link has taken is given on only if it is named, or a pattern on two machines would send all
//! channels in circles.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use io_shared::inspect::{self, Content, Entry, Kind};
use io_shared::{Location, Name};

use crate::giving;
use crate::link::Link;
use crate::notice::Once;
use crate::origin::origin;

/// How often to look which channels have a producer.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Gives channels until the link ends.
pub(crate) fn run(link: &Arc<Link>) {
    let mut threads: HashMap<String, JoinHandle<()>> = HashMap::new();
    let mut said = Once::default();
    while !link.ends() {
        threads.retain(|_, thread| !thread.is_finished());
        match found(link) {
            Ok(found) => {
                said.forget();
                for (name, location) in found {
                    let (link, channel) = (link.clone(), name.clone());
                    let give = move || giving::run(&link, &channel, &location);
                    threads.entry(name).or_insert_with(|| std::thread::spawn(give));
                }
            }
            Err(error) => {
                said.say(format!("cannot look for channels: {error}"));
            }
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    for (_, thread) in threads {
        let _ = thread.join(); // a panic has been printed
    }
}

/// The channels that are to be given now.
fn found(link: &Link) -> io_shared::Result<Vec<(String, Location)>> {
    let mut found = Vec::new();
    let mut patterns = Vec::new();
    for pattern in &link.arguments.give {
        match pattern.name() {
            None => patterns.push(pattern),
            Some(name) => {
                let location = Location::from(Name::new(name)?);
                // What is not there, or no channel, is looked at again.
                if inspect::entry(&location).is_ok_and(|entry| is_live(&entry)) {
                    found.push((name.to_owned(), location));
                }
            }
        }
    }
    if patterns.is_empty() {
        return Ok(found);
    }
    for entry in inspect::channels()? {
        let is_named = found.iter().any(|(name, _)| *name == entry.name);
        let is_meant = patterns.iter().any(|pattern| pattern.matches(&entry.name));
        // Of one that is being opened, its origin may not be written down yet.
        let is_taken = link.taken().contains(&entry.name) || origin(&entry).is_some();
        if !is_named && is_meant && is_live(&entry) && !is_taken {
            found.push((entry.name, entry.location));
        }
    }
    Ok(found)
}

fn is_live(entry: &Entry) -> bool {
    let Content::Region(region) = &entry.content else { return false };
    let producer = region.producer.as_ref();
    region.kind == Kind::Channel && producer.is_some_and(|producer| producer.is_connected)
}
