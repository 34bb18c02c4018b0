//! One message in two definitions, as two programs that do not agree have them.

use io_shared::{Error, ErrorKind, Message};

/// The pose of the first program.
#[derive(Debug, Clone, Copy, Message)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Pose {
    pub x: f32,
    pub intensity: f32,
}

/// The definition of a later version.
pub mod later {
    use io_shared::Message;

    /// The pose of the second program.
    #[derive(Debug, Clone, Copy, Message)]
    #[repr(C)]
    #[expect(missing_docs, reason = "the fields are what they are called")]
    pub struct Pose {
        pub x: f32,
        pub intensity: u16,
        pub _pad: u16,
    }
}

/// Whether the error is a mismatch that names `holders` processes.
pub fn is_mismatch(error: &Error, holders: usize) -> bool {
    matches!(error.kind(), ErrorKind::Mismatch { holders: found, .. } if found.len() == holders)
}
