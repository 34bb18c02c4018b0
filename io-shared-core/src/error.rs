//! The one error type of all io-shared crates.
//!
//! An [`Error`] says what happened, on which name, what was expected and found, and what to do
//! next. Programs match on [`Error::kind`]; people read its `Display`. It is one pointer wide, so
//! that the results of the hot path stay in registers; it allocates only when something failed.
//!
//! `kind.rs` lists the kinds, `text.rs` has the sentence for each, `cause.rs` finds the likely
//! cause of a failed system call, and `units.rs` knows sizes such as `5M`.

pub(crate) mod cause;
mod holder;
mod kind;
mod text;
pub(crate) mod units;

use std::fmt;

pub use holder::Holder;
pub use kind::ErrorKind;
pub(crate) use text::{FEW, OWNER_DIED};

pub(crate) use crate::message::shape::Bytes;

use crate::message::schema::{Described, Type, described};
use crate::message::{BytesError, Invalid, TimeError};

/// The result of a fallible call.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and on which name.
///
/// # Examples
/// ```
/// use io_shared_core::{ErrorKind, Name};
///
/// let error = Name::new("a%b").unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::BadName { .. }));
/// assert_eq!(
///     error.to_string(),
///     "`a%b` cannot be a name: it has a `%`, which stands for a `/` on disk"
/// );
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    name: String,
    kind: ErrorKind,
    /// The likely cause and what to do, where the code that made the error knew more than the kind
    /// says; else empty.
    advice: String,
}

impl Error {
    /// An error of `kind` on `name`.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Error, ErrorKind};
    /// assert_eq!(Error::new("/x", ErrorKind::NotFound).name(), "/x");
    /// ```
    #[cold]
    pub fn new(name: impl fmt::Display, kind: ErrorKind) -> Self {
        Self(Box::new(Inner { name: name.to_string(), kind, advice: String::new() }))
    }

    /// The same error with advice on what to do.
    #[doc(hidden)] // for the channel crate
    #[must_use]
    #[cold]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = advice.into();
        self
    }

    /// The same error; if room is what is missing, it names the option that asks for less.
    #[cold]
    pub(crate) fn ask_less(mut self, option: &str) -> Self {
        let advice = &mut self.0.advice;
        match self.0.kind {
            _ if option.is_empty() => {}
            ErrorKind::NoSpace { .. } => *advice = format!("{advice}ask for {option}, "),
            ErrorKind::FileSizeLimit { .. } => *advice = format!("ask for {option}"),
            _ => {}
        }
        self
    }

    /// The same error with another name and kind, for bindings that word the text differently.
    #[doc(hidden)]
    #[must_use]
    pub fn told_as(&self, name: &str, kind: ErrorKind) -> Self {
        Self(Box::new(Inner { name: name.to_owned(), kind, advice: self.0.advice.clone() }))
    }

    #[cold]
    pub(crate) fn system(name: impl fmt::Display, call: &'static str, errno: nix::Error) -> Self {
        Self::new(name, ErrorKind::System { call, errno: errno as i32 })
            .advise(cause::of(call, errno))
    }

    #[cold]
    pub(crate) fn corrupt(name: impl fmt::Display, what: impl Into<String>) -> Self {
        Self::new(name, ErrorKind::Corrupt { what: what.into() })
    }

    #[cold]
    pub(crate) fn bad_value(name: impl fmt::Display, ty: &Type, invalid: Invalid) -> Self {
        let Described { field, expected, .. } = described(ty, invalid);
        Self::new(name, ErrorKind::BadValue { field, found: invalid.found, expected })
    }

    /// The error for a value that is in the channel although its bytes are none of its type. Each
    /// put checks where the lists lie, so a list that is not within its message is damage.
    #[cold]
    pub(crate) fn bad_value_found(name: impl fmt::Display, ty: &Type, invalid: Invalid) -> Self {
        let Described { field, expected, is_list } = described(ty, invalid);
        match is_list {
            true => {
                let what = BytesError::BadValue { field, found: invalid.found, expected };
                Self::corrupt(name, what.to_string())
            }
            false => Self::new(name, ErrorKind::BadValue { field, found: invalid.found, expected })
                .advise(
                    "this value was left out: mend the program that puts it, or build both \
                         with the same type",
                ),
        }
    }

    /// What went wrong.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Error, ErrorKind};
    /// assert_eq!(*Error::new("/x", ErrorKind::Replaced).kind(), ErrorKind::Replaced);
    /// ```
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The name of the channel or object, as the user gave it.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::{Error, ErrorKind};
    /// assert_eq!(Error::new("/x", ErrorKind::RoleLost).name(), "/x");
    /// ```
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl From<TimeError> for Error {
    fn from(TimeError { of, found, expected }: TimeError) -> Self {
        let (option, expected) = ("try_from", expected.to_owned());
        Self::new(of, ErrorKind::BadOption { option, found, expected })
    }
}

/// Writes the text of `Display`: `unwrap()`, `expect()` and a `main` that returns a [`Result`]
/// print this one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { name, kind, advice } = &*self.0;
        text::Text { name, kind, advice }.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_failed_call_is_told_with_its_name_and_its_cause() {
        let text = Error::system("/x", "open", nix::errno::Errno::EMFILE).to_string();
        assert!(text.starts_with("/x: open: ") && text.contains("ulimit -n"), "{text}");
    }
}
