//! The library's warnings, for programs in other languages. Rust programs have them by `tracing`.

use std::ffi::{CString, c_char, c_void};
use std::fmt::{Debug, Write};
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::call::call;
use crate::status::ios_status;

/// A function that is called with the text of a warning, which is valid until it returns, and with
/// the `context` of `ios_on_warning`. Any thread of the process may call it. It must not throw.
pub type ios_warned = Option<unsafe extern "C" fn(text: *const c_char, context: *mut c_void)>;

/// The function to call, and its context as a number.
static WARNED: Mutex<(ios_warned, usize)> = Mutex::new((None, 0));

/// Has the library call `warned` with each warning from now on, instead of the function set before;
/// NULL sets none. The library warns, for example, when a wait has lasted for over a second: what
/// it waits for, on which name, and whether there is a producer. A Rust program that has a
/// `tracing` subscriber of its own receives the warnings there instead.
///
/// # Safety
/// `warned` may be called with `context` by any thread until another function takes its place, and
/// after that until the calls in progress have returned. It calls nothing of this library that
/// waits, and it returns: a C++ exception or a `longjmp` that leaves it is undefined behaviour.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_on_warning(warned: ios_warned, context: *mut c_void) -> ios_status {
    call(|_| {
        static INSTALLED: Once = Once::new();
        *WARNED.lock().unwrap_or_else(PoisonError::into_inner) = (warned, context as usize);
        // It fails if the program has a subscriber, which then receives the warnings instead.
        INSTALLED.call_once(|| drop(tracing::subscriber::set_global_default(ToC)));
        Ok(())
    })
}

/// Passes warnings on, and nothing else.
struct ToC;

impl Subscriber for ToC {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.is_event()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let (warned, context) = *WARNED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(warned) = warned else { return };
        let mut text = Text(String::new());
        event.record(&mut text);
        let text = CString::new(text.0.replace('\0', "")).unwrap_or_default();
        // SAFETY: the caller of `ios_on_warning` allowed any thread to call it with that context;
        // the text ends in a zero, and lives until the call returns.
        unsafe { warned(text.as_ptr(), context as *mut c_void) };
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
