//! The metadata of the MCAP channels in a recording, by which `play` knows them.

/// The keys of the metadata.
pub(crate) const NAME: &str = "io_shared.name";
pub(crate) const SCHEMA: &str = "io_shared.schema";
pub(crate) const PART: &str = "io_shared.part";
/// The values of [`PART`].
pub(crate) const WHOLE: &str = "whole";
pub(crate) const HEAD: &str = "head";
pub(crate) const DATA: &str = "data";

/// What the topic of a [`HEAD`] has after that of its [`DATA`].
pub(crate) const HEAD_TOPIC: &str = "/_io";
