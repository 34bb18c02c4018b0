//! The buffers of a channel as one process has mapped them: those that it found at its opening, and
//! those that were added later.
//!
//! What must stay true: an address that was handed out stays mapped, and means the same buffer, for
//! as long as the region is open. So nothing here is moved or unmapped before the drop, and a
//! buffer gets its address once.

use std::fs::File;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::MmapRaw;
use nix::errno::Errno;

use super::layout::Layout;
use crate::os::file::{leave_out_of_dumps, page_size};
use crate::protocol::MOST_BUFFERS;

const MOST: usize = MOST_BUFFERS as usize;

/// The buffers that are mapped.
pub(super) struct Buffers {
    /// Where each one lies; null: not mapped yet. Written under the lock of `added`.
    table: [AtomicPtr<u8>; MOST],
    /// The mapping of those that were there at the opening, where it is not the header's
    /// (read-only).
    _apart: Option<MmapRaw>,
    /// The mappings since, and what continues them.
    added: Mutex<Added>,
}

struct Added {
    /// How many buffers have an address.
    mapped: usize,
    /// The last page that is mapped, and its offset in the file.
    last_page: (*mut u8, u64),
    maps: Vec<Pages>,
    /// Why the last mapping failed, if one did.
    refused: Errno,
    /// How many of the mappings have their pages in the page table for sure.
    populated: usize,
}

// SAFETY: `last_page` is an address in a shared mapping that lives as long as this, and is only
// ever handed to the kernel.
unsafe impl Send for Added {}

/// Why a buffer could not be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmapped {
    /// The file is shorter than its pool.
    Short,
    NoMemory,
}

impl Buffers {
    /// Of the `buffers` that lie one after another from `start` on, where the file's offset is the
    /// layout's `buffers_offset`, in a shared mapping that reaches to the end of their last page.
    pub(super) fn new(
        start: *mut u8,
        apart: Option<MmapRaw>,
        layout: &Layout,
        buffers: usize,
    ) -> Self {
        let table = [const { AtomicPtr::new(std::ptr::null_mut()) }; MOST];
        for (i, at) in table.iter().take(buffers).enumerate() {
            at.store(start.wrapping_add(i * layout.stride as usize), Ordering::Relaxed);
        }
        let page = u64::from(layout.page_size);
        let last = (layout.size(buffers as u64) - page).max(layout.buffers_offset);
        let at = start.wrapping_add((last - layout.buffers_offset) as usize);
        let added = Added {
            mapped: buffers,
            last_page: (at, last),
            maps: Vec::new(),
            refused: Errno::ENOMEM,
            populated: 0,
        };
        Self { table, _apart: apart, added: Mutex::new(added) }
    }

    /// How many buffers have an address.
    pub(super) fn mapped(&self) -> u64 {
        self.added.lock().unwrap_or_else(PoisonError::into_inner).mapped as u64
    }

    /// Why the last mapping failed.
    pub(super) fn refused(&self) -> Errno {
        self.added.lock().unwrap_or_else(PoisonError::into_inner).refused
    }

    /// Brings the pages of what was added into this process's page table, once.
    pub(super) fn populate(&self, writes: bool) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.maps.iter().skip(added.populated).for_each(|pages| pages.populate(writes));
        added.populated = added.maps.len();
    }

    /// Writes what was changed in the added buffers to the file, and returns when it is there.
    pub(super) fn flush(&self) -> Result<(), Errno> {
        let added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        for pages in &added.maps {
            // SAFETY: the pages are mapped as long as they are in the list, which is borrowed.
            if unsafe { libc::msync(pages.start.cast(), pages.length, libc::MS_SYNC) } != 0 {
                return Err(Errno::last());
            }
        }
        Ok(())
    }

    /// Where a buffer lies; null: it is not mapped.
    #[inline]
    pub(super) fn at(&self, buffer: usize) -> *mut u8 {
        // Acquire: with the Release in `map`, for what another thread of this process has mapped.
        self.table.get(buffer).map_or(std::ptr::null_mut(), |at| at.load(Ordering::Acquire))
    }

    /// Maps what was added, up to `buffers` of them, by continuing the mapping that there is.
    /// `file` opens the region's file anew, for kernels that refuse that, with the access of this
    /// handle.
    pub(super) fn map(
        &self,
        layout: &Layout,
        buffers: usize,
        length_of_file: impl FnOnce() -> Option<u64>,
        file: impl FnOnce() -> Result<(File, bool), Errno>,
    ) -> Result<(), Unmapped> {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let buffers = buffers.min(MOST);
        if buffers <= added.mapped {
            return Ok(());
        }
        let end = layout.size(buffers as u64);
        // The kernel maps what lies behind a file's end too, and an access to it is SIGBUS.
        if length_of_file().is_none_or(|length| length < end) {
            return Err(Unmapped::Short);
        }
        let (from, offset) = added.last_page;
        let page = u64::from(layout.page_size);
        let length = (end - offset) as usize;
        // Small buffers share pages: where no page was added, the mapping that there is has them.
        let start = if length as u64 == page {
            from
        } else {
            let pages = match Pages::continuing(from, length) {
                Err(errno) if errno != Errno::ENOMEM => {
                    file().and_then(|file| Pages::of(&file, offset, length))
                }
                pages => pages,
            };
            let pages = pages.map_err(|errno| {
                added.refused = errno;
                Unmapped::NoMemory
            })?;
            let start = pages.start;
            added.last_page = (start.wrapping_add(length - page as usize), end - page);
            added.maps.push(pages);
            start
        };
        let first = layout.buffers_offset + added.mapped as u64 * layout.stride;
        for (i, at) in self.table.iter().take(buffers).skip(added.mapped).enumerate() {
            let address =
                start.wrapping_add((first - offset) as usize + i * layout.stride as usize);
            at.store(address, Ordering::Release);
        }
        added.mapped = buffers;
        Ok(())
    }
}

/// A shared mapping that goes with its owner.
struct Pages {
    start: *mut u8,
    length: usize,
}

// SAFETY: it is an address and a length, which any thread may unmap once.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps once more what is mapped at `page`, and what follows it in the file, with the same
    /// access.
    fn continuing(page: *mut u8, length: usize) -> Result<Self, Errno> {
        // SAFETY: a length of 0 leaves the mapping at `page`, which is a shared one that lives, as
        // it is, and maps its pages a second time where the kernel has room.
        let start = unsafe { libc::mremap(page.cast(), 0, length, libc::MREMAP_MAYMOVE) };
        match start == libc::MAP_FAILED {
            true => Err(Errno::last()),
            false => Ok(Self { start: start.cast(), length }),
        }
    }

    fn of((file, writable): &(File, bool), offset: u64, length: usize) -> Result<Self, Errno> {
        let mut options = memmap2::MmapOptions::new();
        options.offset(offset).len(length);
        let map = match writable {
            true => options.map_raw(file),
            false => options.map_raw_read_only(file),
        };
        let map =
            map.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
        // `continuing` takes this over from the mapping that it continues.
        leave_out_of_dumps(&map, 0);
        let start = map.as_mut_ptr();
        std::mem::forget(map); // it is this value's
        Ok(Self { start, length })
    }

    /// Brings the pages into the page table, as far as the kernel can: only their first use is
    /// slower if it cannot.
    fn populate(&self, writes: bool) {
        let advice = if writes { libc::MADV_POPULATE_WRITE } else { libc::MADV_POPULATE_READ };
        // SAFETY: the pages are mapped as long as this value lives, with that access, and this
        // changes no content.
        let populated = unsafe { libc::madvise(self.start.cast(), self.length, advice) } == 0;
        if populated {
            return;
        }
        // Kernels before 5.14 do not know the advice.
        for at in (0..self.length).step_by(page_size() as usize) {
            // SAFETY: the byte lies in the mapping; others may write it meanwhile, so the load is
            // atomic, and its value is not used.
            unsafe { AtomicU8::from_ptr(self.start.wrapping_add(at)) }.load(Ordering::Relaxed);
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and the region that used it is gone.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}
