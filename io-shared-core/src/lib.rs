//! Core.
#![deny(missing_docs)]

pub mod message;
#[doc(hidden)]
pub mod private;
pub mod schema;
pub mod text;

pub use message::Message;
pub use schema::Schema;
pub use text::Text;
