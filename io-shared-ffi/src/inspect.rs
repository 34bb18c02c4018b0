//! What is there: lists the regions in shared memory without opening them.

use std::ffi::c_char;

use io_shared_core::inspect::{self, Entry};
use io_shared_core::{Location, Name};

use crate::call::call;
use crate::memory::text_into_c;
use crate::pointer::{CText, Out};
use crate::status::ios_status;

/// The regions in shared memory as a JSON array, in the order of their names. The caller frees the
/// text with `ios_text_free`. Each element is what `ios_info` returns of it. A look takes no slot
/// and wakes nobody. Without permission to read an object, `"state"` says so.
///
/// # Safety
/// `json` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_regions(json: *mut *mut c_char) -> ios_status {
    call(|arguments| {
        // SAFETY: a pointer may be written to `json`.
        let json = unsafe { arguments.read(Out(json, "json")) }?;
        let mut entries = inspect::channels()?;
        inspect::measure_rates(&mut entries);
        let texts: Vec<String> = entries.iter().map(Entry::to_json).collect();
        json.set(text_into_c(format!("[{}]", texts.join(","))));
        Ok(())
    })
}

/// What is known of the region of that name, as a JSON object: `name`, `state` (`region`, or what
/// else it is), `kind`, `type`, sizes in bytes, `mode`, `uid`, `version` of the layout, `seq`,
/// `stamp`, `tag`, `age` and `rate` of the newest value, `producer` and `consumers` (`connected`,
/// `name`, `command`, `pid`, `since`). What is not known is null. The caller frees the text with
/// `ios_text_free`.
///
/// `IOS_NOT_FOUND`: there is nothing of that name.
///
/// # Safety
/// `name` is NULL or a text; `json` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ios_info(name: *const c_char, json: *mut *mut c_char) -> ios_status {
    call(|arguments| {
        // SAFETY: the text ends in a zero, and nobody changes it during the call; a pointer may be
        // written to `json`.
        let (name, json) = unsafe { arguments.read((CText(name, "name"), Out(json, "json"))) }?;
        let mut entry = [inspect::entry(&Location::from(Name::new(name)?))?];
        inspect::measure_rates(&mut entry);
        json.set(text_into_c(entry[0].to_json()));
        Ok(())
    })
}
