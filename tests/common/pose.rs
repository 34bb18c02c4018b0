//! One message in two definitions, as two programs that do not agree have them.

use io_shared::{Error, ErrorKind, Message};

#[derive(Clone, Copy, Message)]
#[repr(C)]
pub(crate) struct Pose {
    pub(crate) x: f32,
    pub(crate) intensity: f32,
}

pub(crate) mod later {
    use io_shared::Message;

    #[derive(Clone, Copy, Message)]
    #[repr(C)]
    pub(crate) struct Pose {
        pub(crate) x: f32,
        pub(crate) intensity: u16,
        pub(crate) _pad: u16,
    }
}

/// Whether the error is a mismatch in which so many processes live.
pub(crate) fn is_mismatch(error: &Error, holders: usize) -> bool {
    matches!(error.kind(), ErrorKind::Mismatch { holders: found, .. } if found.len() == holders)
}
