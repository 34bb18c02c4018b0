//! Real processes and SIGKILL: the harnesses that show what io-shared does when programs die.
//!
//! Never published. Six harnesses share the pieces here:
//! - [`campaign`]: a crew of processes under load. Random members are killed and stopped at random
//!   times, with the checks of FAULTS.md after each kill;
//! - [`growth`]: a crew around a channel whose capacity grows, killed likewise;
//! - [`service`]: the server and the clients of a service, killed while they call and answer;
//! - [`actor`]: single processes that do what a test says, one step at a time, and die at exactly
//!   the crash point that it names (`tests/crash_points.rs`);
//! - [`every_instruction`]: one process in single steps, killed wherever that can make a
//!   difference;
//! - [`hostile`]: regions that no conforming program has written, opened and used.
//!
//! All run the shipped library. It is built with the feature `crash-points`, except for the single
//! steps. These, and the system calls that fail, read the registers of x86-64, and are only for it.

pub mod actor;
pub mod campaign;
mod checks;
mod crew;
#[cfg(target_arch = "x86_64")]
pub mod every_instruction;
pub mod growth;
mod history;
pub mod hostile;
#[cfg(target_arch = "x86_64")]
pub mod injector;
mod ledger;
pub mod machine;
pub mod page;
pub mod parcel;
pub mod region_file;
pub mod report;
pub mod role;
pub mod roles;
pub mod service;
