//! Types of the standard library for which the derive has advice.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use io_shared::Message;

#[derive(Message)]
#[repr(C)]
struct Several {
    at: Instant,
    from: Ipv4Addr,
    path: PathBuf,
    map: HashMap<u32, u32>,
    shared: Arc<u32>,
    number: NonZeroU32,
    range: std::ops::Range<u32>,
    order: std::cmp::Ordering,
}

fn main() {}
