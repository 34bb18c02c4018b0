//! The process that has a role of a channel.

use std::ffi::c_char;
use std::time::SystemTime;

use io_shared_core::Holder;

/// The process that has a role of a channel, as it described itself when it took the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ios_process {
    /// The process id, in its own PID namespace; 0 if unknown.
    pub pid: u32,
    /// The start of its program's name, at most 15 bytes and a zero; empty if unknown.
    pub command: [c_char; 16],
    /// When it took the role, in nanoseconds since 1970; 0 if unknown.
    pub since: u64,
}

impl From<Holder> for ios_process {
    fn from(holder: Holder) -> Self {
        let mut command = [0; 16];
        let name = holder.command.unwrap_or_default();
        let end = name.floor_char_boundary(15);
        for (to, byte) in command.iter_mut().zip(name[..end].bytes()) {
            *to = byte as c_char;
        }
        let since = holder.since.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self {
            pid: holder.pid.unwrap_or(0),
            command,
            since: since.map_or(0, |since| since.as_nanos() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_between_characters() {
        let names = [("lidar", "lidar"), ("äääääää\u{fffd}", "äääääää"), ("", "")];
        for (name, cut) in names {
            let (slot, since, command) = (None, None, Some(name.to_owned()));
            let holder = Holder { slot, name: None, pid: None, command, since, is_here: false };
            let command = ios_process::from(holder).command.map(|byte| byte as u8);
            assert_eq!(command[..cut.len()], *cut.as_bytes());
            assert!(command[cut.len()..].iter().all(|byte| *byte == 0));
        }
    }
}
