//! Where this link is: the shared memory that it opens channels in, and the host's name.

use std::os::unix::fs::MetadataExt;

/// This link and its place.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// A random number of this process, in hexadecimal.
    pub(crate) link: String,
    /// The shared memory: the same for each link that sees the same channels, and no other.
    pub(crate) id: String,
    /// The host's name, for people.
    pub(crate) host: String,
}

impl Place {
    pub(crate) fn of_this_process(name: Option<&str>) -> Self {
        let own = || nix::unistd::gethostname().ok()?.into_string().ok();
        let host = name.map(str::to_owned).or_else(own);
        let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        Self { link: format!("{:08x}", fastrand::u32(..)), id: id(), host }
    }
}

/// The boot, the mount of /dev/shm and the domain tell shared memories apart: containers of one
/// machine have mounts of their own, and programs in another domain see other channels.
fn id() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mount = std::fs::metadata("/dev/shm").map_or(0, |mount| mount.dev());
    let domain = std::env::var("IO_SHARED_DOMAIN").unwrap_or_default();
    let text = format!("{}/{mount}/{domain}", boot.trim());
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{:08x}", (sum ^ (sum >> 32)) as u32)
}
