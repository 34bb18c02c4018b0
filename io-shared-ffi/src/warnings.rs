//! What the library warns of, for programs that are not Rust's, which have it by `tracing`.

use std::ffi::{CString, c_char, c_void};
use std::fmt::{Debug, Write};
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::status::{call, ios_status};

/// Called with a warning's text, which is gone when it returns, and the `context` of
/// `ios_on_warning`; by any thread of the process.
pub type ios_warned = Option<unsafe extern "C" fn(text: *const c_char, context: *mut c_void)>;

/// The one to tell, and its context as a number.
static WARNED: Mutex<(ios_warned, usize)> = Mutex::new((None, 0));

/// Has `warned` called with each warning of the library from now on: that a wait has lasted for over a
/// second, for what, on which name, and whether there is a producer, for one. Instead of the one
/// before; NULL ends it. Without it, and where a Rust program has a subscriber of its own, nothing
/// is told here.
///
/// # Safety
/// `warned` may be called with `context` by any thread until another takes its place, and after that
/// until the calls that are under way have returned. It calls nothing of this library that waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_on_warning(warned: ios_warned, context: *mut c_void) -> ios_status {
    call(|| {
        static INSTALLED: Once = Once::new();
        *WARNED.lock().unwrap_or_else(PoisonError::into_inner) = (warned, context as usize);
        // It fails where the program has one of its own, which is told then.
        INSTALLED.call_once(|| drop(tracing::subscriber::set_global_default(ToC)));
        Ok(())
    })
}

/// Hands warnings on, and nothing else.
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
        // SAFETY: as the caller of ios_on_warning promised; the text ends in a zero and lives.
        unsafe { warned(text.as_ptr(), context as *mut c_void) };
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event's sentence.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
