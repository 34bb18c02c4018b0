//! Participants and owners in words.

use std::time::{Duration, SystemTime};

use io_shared::inspect::Participant;
use nix::unistd::{Uid, User};

use crate::out::plain;

/// Who it is: `lidar (4711)`. A consumer goes by the name that it gave itself.
pub(crate) fn who(participant: &Participant) -> String {
    let name = participant.name.as_deref().or(participant.command.as_deref());
    match (name, participant.pid) {
        (Some(name), Some(pid)) => format!("{} ({pid})", plain(name)),
        (Some(name), None) => plain(name),
        (None, Some(pid)) => format!("({pid})"),
        (None, None) => "unknown".to_owned(),
    }
}

/// How long ago something was, by the wall clock; `None` if that is ahead.
pub(crate) fn ago(since: SystemTime) -> Option<Duration> {
    SystemTime::now().duration_since(since).ok()
}

/// The user's name, or the number where there is none.
pub(crate) fn user(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| plain(&user.name))
}
