//! What a call returns: a status, and the text of the thread's last failure.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::ffi::{CStr, CString, c_char};

use io_shared_core::{Error, ErrorKind};

use crate::words::{self, ios_words};

/// Whether a call succeeded, or why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub enum ios_status {
    /// Success.
    IOS_OK = 0,
    /// The name is not valid.
    IOS_BAD_NAME = 1,
    /// The text is not a size.
    IOS_BAD_SIZE = 2,
    /// An option is out of range, is missing, or is not for this call.
    IOS_BAD_OPTION = 3,
    /// Nothing of that name exists.
    IOS_NOT_FOUND = 4,
    /// Something else has that name.
    IOS_NOT_A_REGION = 5,
    /// Its type, size or layout version differs; the text lists every difference.
    IOS_MISMATCH = 6,
    /// Another handle has the role: a producer, or a consumer of that name, is alive.
    IOS_ROLE_TAKEN = 7,
    /// Every consumer slot, or every slot of the lock, is taken.
    IOS_NO_SLOT = 8,
    /// Another producer took over.
    IOS_ROLE_LOST = 9,
    /// The channel was removed or replaced (`IOS_NO_REOPEN`), or a loan is of a channel that was.
    IOS_REPLACED = 10,
    /// The timeout passed.
    IOS_TIMEOUT = 11,
    /// Another process kept changing what was being read: try again.
    IOS_BUSY = 12,
    /// Every hold of this consumer is in use: drop a guard, or open it with more holds.
    IOS_ALREADY_HELD = 13,
    /// The handle was opened before a fork, and belongs to the parent process.
    IOS_FORKED_HANDLE = 14,
    /// Another handle has the lock, and the timeout was 0.
    IOS_WOULD_BLOCK = 15,
    /// This handle has the lock already.
    IOS_WOULD_DEADLOCK = 16,
    /// A writer died while it was writing. The lock was taken and the guard returned all the same.
    IOS_OWNER_DIED = 17,
    /// The range is not within the memory.
    IOS_OUT_OF_BOUNDS = 18,
    /// The object is smaller than requested.
    IOS_TOO_SHORT = 19,
    /// The message is larger than the channel's capacity.
    IOS_TOO_LARGE = 20,
    /// The channel has used up its sequence numbers.
    IOS_SEQUENCE_EXHAUSTED = 21,
    /// It contains something that no correct program writes.
    IOS_CORRUPT = 22,
    /// There is not enough memory or disk space.
    IOS_NO_SPACE = 23,
    /// The process's file size limit is below the size needed.
    IOS_FILE_SIZE_LIMIT = 24,
    /// Only the owner may remove or replace it.
    IOS_NOT_OWNER = 25,
    /// This machine, file system or handle does not support it.
    IOS_UNSUPPORTED = 26,
    /// A system call failed: `ios_last_errno` returns its errno.
    IOS_SYSTEM = 27,
    /// The channel's type has no messages of that length.
    IOS_BAD_LENGTH = 28,
    /// This process has no address space for buffers that consumers added when they joined. Nothing
    /// is lost, and the next call tries again.
    IOS_NO_MEMORY = 29,
    /// The number is not greater than that of the last value, or greater than 2^52 - 1.
    IOS_BAD_SEQ = 30,
    /// A bool or an enum of a message has a number that its type does not have: a get that finds
    /// such a value has received it. Or a put, which puts nothing, finds a list that does not lie
    /// within its message. (To a get, that is `IOS_CORRUPT`.)
    IOS_BAD_VALUE = 31,
    /// `ios_interrupt` ended the wait. Nothing was taken: call again to go on waiting.
    IOS_INTERRUPTED = 32,
    /// The channel has lost its producer, and the consumer was opened with `IOS_REQUIRES_PRODUCER`.
    IOS_NO_PRODUCER = 33,
    /// A semaphore of the original package was not given back in time: whoever took it is slow, or
    /// died with it. The text says how a person frees it.
    IOS_LEGACY_LOCK_STUCK = 34,

    /// There is no value, or none that was not seen before. It has no text.
    IOS_EMPTY = 100,
    /// The producer's buffer is on loan: put or drop that loan first.
    IOS_ALREADY_LOANED = 101,
    /// Another thread is using this handle.
    IOS_IN_USE = 102,
    /// A pointer is NULL where it must not be, or is not aligned.
    IOS_NULL = 103,
    /// The schema's text is not a valid schema.
    IOS_BAD_SCHEMA = 104,
    /// A bug in this library: please report it.
    IOS_PANIC = 105,
    /// An error for which this version of the ABI has no status; the text says which.
    IOS_OTHER = 106,
}

use ios_status::*;

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Error(Error),
    /// There is nothing to get. It is so common that it has no text.
    Empty,
    Said(ios_status, String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The last failure of a thread, and its text in each vocabulary that was asked for.
#[derive(Default)]
struct Last {
    failure: Option<Failure>,
    texts: [OnceCell<CString>; words::ALL.len()],
}

impl Last {
    fn text(&self, words: ios_words) -> &CStr {
        self.texts[words as usize].get_or_init(|| {
            let text = match &self.failure {
                None | Some(Failure::Empty) => String::new(),
                Some(Failure::Said(_, text)) => text.clone(),
                Some(Failure::Error(error)) => words::text_of(error, words),
            };
            let mut text = text.into_bytes();
            text.retain(|byte| *byte != 0);
            CString::new(text).unwrap_or_default()
        })
    }
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::default();
}

/// Keeps a failure for [`ios_last_error`], and returns its status.
#[cold]
pub(crate) fn failed(failure: Failure) -> ios_status {
    let status = match &failure {
        Failure::Empty => return IOS_EMPTY,
        Failure::Said(status, _) => *status,
        Failure::Error(error) => status_of(error.kind()),
    };
    // A thread that is exiting has no last error any more.
    let _ = LAST.try_with(|last| {
        *last.borrow_mut() = Last { failure: Some(failure), ..Last::default() };
    });
    status
}

/// As [`failed`], for a panic.
#[cold]
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> ios_status {
    let what = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    let text = format!("io-shared panicked, which is a bug: please report it: {what}");
    failed(Failure::Said(IOS_PANIC, text))
}

fn status_of(kind: &ErrorKind) -> ios_status {
    match kind {
        ErrorKind::BadName { .. } => IOS_BAD_NAME,
        ErrorKind::BadSize { .. } => IOS_BAD_SIZE,
        ErrorKind::BadOption { .. } => IOS_BAD_OPTION,
        ErrorKind::NotFound => IOS_NOT_FOUND,
        ErrorKind::NotARegion { .. } => IOS_NOT_A_REGION,
        ErrorKind::Mismatch { .. } => IOS_MISMATCH,
        ErrorKind::RoleTaken { .. } => IOS_ROLE_TAKEN,
        ErrorKind::NoSlot { .. } => IOS_NO_SLOT,
        ErrorKind::RoleLost => IOS_ROLE_LOST,
        ErrorKind::Replaced => IOS_REPLACED,
        ErrorKind::Timeout { .. } => IOS_TIMEOUT,
        ErrorKind::Busy { .. } => IOS_BUSY,
        ErrorKind::AlreadyHeld { .. } => IOS_ALREADY_HELD,
        ErrorKind::ForkedHandle => IOS_FORKED_HANDLE,
        ErrorKind::WouldBlock => IOS_WOULD_BLOCK,
        ErrorKind::WouldDeadlock => IOS_WOULD_DEADLOCK,
        ErrorKind::OwnerDied => IOS_OWNER_DIED,
        ErrorKind::OutOfBounds { .. } => IOS_OUT_OF_BOUNDS,
        ErrorKind::TooShort { .. } => IOS_TOO_SHORT,
        ErrorKind::TooLarge { .. } => IOS_TOO_LARGE,
        ErrorKind::SequenceExhausted => IOS_SEQUENCE_EXHAUSTED,
        ErrorKind::Corrupt { .. } => IOS_CORRUPT,
        ErrorKind::NoSpace { .. } => IOS_NO_SPACE,
        ErrorKind::FileSizeLimit { .. } => IOS_FILE_SIZE_LIMIT,
        ErrorKind::NotOwner => IOS_NOT_OWNER,
        ErrorKind::Unsupported { .. } => IOS_UNSUPPORTED,
        ErrorKind::System { .. } => IOS_SYSTEM,
        ErrorKind::BadLength { .. } => IOS_BAD_LENGTH,
        ErrorKind::NoMemory { .. } => IOS_NO_MEMORY,
        ErrorKind::BadSeq { .. } => IOS_BAD_SEQ,
        ErrorKind::BadValue { .. } => IOS_BAD_VALUE,
        ErrorKind::Interrupted => IOS_INTERRUPTED,
        ErrorKind::NoProducer { .. } => IOS_NO_PRODUCER,
        ErrorKind::LegacyLockStuck { .. } => IOS_LEGACY_LOCK_STUCK,
        _ => IOS_OTHER,
    }
}

/// The text of the calling thread's last failure: the name, what was expected and found, and what
/// to do next. It is empty if nothing has failed yet. The text belongs to the library, and is valid
/// until the thread's next failure. (`IOS_EMPTY` is not a failure.)
#[unsafe(no_mangle)]
pub extern "C" fn ios_last_error() -> *const c_char {
    ios_last_error_in(ios_words::IOS_WORDS_C as u32)
}

/// As `ios_last_error`, in the words of another language. `words` is an `ios_words`; any other
/// number stands for C. For bindings.
#[unsafe(no_mangle)]
pub extern "C" fn ios_last_error_in(words: u32) -> *const c_char {
    let words = words::ALL.get(words as usize).copied().unwrap_or(ios_words::IOS_WORDS_C);
    let text = LAST.try_with(|last| last.borrow().text(words).as_ptr());
    text.unwrap_or(c"the thread is exiting".as_ptr())
}

/// The errno of the calling thread's last failure, if that was `IOS_SYSTEM`; otherwise 0.
#[unsafe(no_mangle)]
pub extern "C" fn ios_last_errno() -> i32 {
    let errno = LAST.try_with(|last| match &last.borrow().failure {
        Some(Failure::Error(error)) => match error.kind() {
            ErrorKind::System { errno, .. } => *errno,
            _ => 0,
        },
        _ => 0,
    });
    errno.unwrap_or(0)
}

/// The name of a status, such as `"IOS_TIMEOUT"`. The text belongs to the library, and is always
/// valid.
#[unsafe(no_mangle)]
pub extern "C" fn ios_status_name(status: i32) -> *const c_char {
    let found = NAMES.iter().find(|(known, _)| *known as i32 == status);
    found.map_or(c"unknown", |(_, name)| name).as_ptr()
}

const NAMES: [(ios_status, &CStr); 42] = [
    (IOS_OK, c"IOS_OK"),
    (IOS_BAD_NAME, c"IOS_BAD_NAME"),
    (IOS_BAD_SIZE, c"IOS_BAD_SIZE"),
    (IOS_BAD_OPTION, c"IOS_BAD_OPTION"),
    (IOS_NOT_FOUND, c"IOS_NOT_FOUND"),
    (IOS_NOT_A_REGION, c"IOS_NOT_A_REGION"),
    (IOS_MISMATCH, c"IOS_MISMATCH"),
    (IOS_ROLE_TAKEN, c"IOS_ROLE_TAKEN"),
    (IOS_NO_SLOT, c"IOS_NO_SLOT"),
    (IOS_ROLE_LOST, c"IOS_ROLE_LOST"),
    (IOS_REPLACED, c"IOS_REPLACED"),
    (IOS_TIMEOUT, c"IOS_TIMEOUT"),
    (IOS_BUSY, c"IOS_BUSY"),
    (IOS_ALREADY_HELD, c"IOS_ALREADY_HELD"),
    (IOS_FORKED_HANDLE, c"IOS_FORKED_HANDLE"),
    (IOS_WOULD_BLOCK, c"IOS_WOULD_BLOCK"),
    (IOS_WOULD_DEADLOCK, c"IOS_WOULD_DEADLOCK"),
    (IOS_OWNER_DIED, c"IOS_OWNER_DIED"),
    (IOS_OUT_OF_BOUNDS, c"IOS_OUT_OF_BOUNDS"),
    (IOS_TOO_SHORT, c"IOS_TOO_SHORT"),
    (IOS_TOO_LARGE, c"IOS_TOO_LARGE"),
    (IOS_SEQUENCE_EXHAUSTED, c"IOS_SEQUENCE_EXHAUSTED"),
    (IOS_CORRUPT, c"IOS_CORRUPT"),
    (IOS_NO_SPACE, c"IOS_NO_SPACE"),
    (IOS_FILE_SIZE_LIMIT, c"IOS_FILE_SIZE_LIMIT"),
    (IOS_NOT_OWNER, c"IOS_NOT_OWNER"),
    (IOS_UNSUPPORTED, c"IOS_UNSUPPORTED"),
    (IOS_SYSTEM, c"IOS_SYSTEM"),
    (IOS_BAD_LENGTH, c"IOS_BAD_LENGTH"),
    (IOS_NO_MEMORY, c"IOS_NO_MEMORY"),
    (IOS_BAD_SEQ, c"IOS_BAD_SEQ"),
    (IOS_BAD_VALUE, c"IOS_BAD_VALUE"),
    (IOS_INTERRUPTED, c"IOS_INTERRUPTED"),
    (IOS_NO_PRODUCER, c"IOS_NO_PRODUCER"),
    (IOS_LEGACY_LOCK_STUCK, c"IOS_LEGACY_LOCK_STUCK"),
    (IOS_EMPTY, c"IOS_EMPTY"),
    (IOS_ALREADY_LOANED, c"IOS_ALREADY_LOANED"),
    (IOS_IN_USE, c"IOS_IN_USE"),
    (IOS_NULL, c"IOS_NULL"),
    (IOS_BAD_SCHEMA, c"IOS_BAD_SCHEMA"),
    (IOS_PANIC, c"IOS_PANIC"),
    (IOS_OTHER, c"IOS_OTHER"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::call;

    fn last_error() -> String {
        // SAFETY: it ends in a zero, and is valid until this thread's next failure.
        unsafe { CStr::from_ptr(ios_last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_does_not_cross_and_is_reported() {
        assert_eq!(call(|_| panic!("out of {}", "cheese")), IOS_PANIC);
        assert!(last_error().ends_with("please report it: out of cheese"), "{}", last_error());
        assert_eq!(call(|_| std::panic::panic_any(7)), IOS_PANIC);
        assert_eq!(call(|_| Ok(())), IOS_OK);
    }

    #[test]
    fn each_status_has_its_name_and_no_other_has() {
        for (status, name) in NAMES {
            assert_eq!(format!("{status:?}").as_bytes(), name.to_bytes());
            // SAFETY: it ends in a zero, and is static.
            assert_eq!(unsafe { CStr::from_ptr(ios_status_name(status as i32)) }, name);
        }
        // SAFETY: it ends in a zero, and is static.
        assert_eq!(unsafe { CStr::from_ptr(ios_status_name(99)) }, c"unknown");
    }

    #[test]
    fn a_system_error_leaves_its_errno_and_the_next_failure_takes_it_away() {
        let system = ErrorKind::System { call: "open", errno: 13 };
        assert_eq!(call(|_| Err(Error::new("/x", system).into())), IOS_SYSTEM);
        assert_eq!(ios_last_errno(), 13);
        assert!(last_error().starts_with("/x: open: Permission denied"), "{}", last_error());
        let other = std::thread::spawn(|| (last_error(), ios_last_errno()));
        assert_eq!(other.join().unwrap(), (String::new(), 0), "each thread has its own");
        assert_eq!(call(|_| Err(Error::new("/y", ErrorKind::RoleLost).into())), IOS_ROLE_LOST);
        assert_eq!(ios_last_errno(), 0);
        assert_eq!(call(|_| Err(Failure::Empty)), IOS_EMPTY);
        assert!(last_error().starts_with("/y"), "nothing to get is not a failure");
    }
}
