//! A second mapping of a producer's buffer, for callers that cannot prove who still has its
//! address.
//!
//! In Rust a loan ends with its borrow. In a language that counts references, such as Python, or
//! that counts none, an address may outlive the loan: a traceback keeps an array, or a view was
//! passed on. Such callers fill a loan through a [`Window`], which maps the same pages a second
//! time. The window owns its mapping, so its address stays readable as long as the window lives,
//! even after the producer has closed its channel or opened another one. And a window can be
//! [severed](Window::sever): from then on its bytes belong to this process alone and keep their
//! content. Nobody else sees what is written there, so the producer may fill the buffer again.
//!
//! What must stay true: a window is never unmapped before its drop, and never maps the buffer again
//! once it is severed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use super::{Loan, Producer};
use crate::error::{Error, Result};
use crate::os::copy;
use crate::region::Region;

/// A second mapping of a producer's buffer, for callers that are lent it by address; see
/// [`binding::window`](crate::binding::window).
#[derive(Debug)]
pub struct Window {
    pages: Pages,
    /// Where the payload begins in the pages, and its length in bytes.
    payload: (usize, usize),
    severed: AtomicBool,
}

impl Window {
    /// Maps the `length` bytes at `payload`, in a shared mapping of `region`, a second time.
    fn open(region: &Region, payload: *mut u8, length: usize) -> Result<Self> {
        let page = crate::os::file::page_size() as usize;
        let within = payload.addr() % page;
        let mapped = (within + length).next_multiple_of(page);
        let first = payload.wrapping_sub(within).cast::<libc::c_void>();
        // SAFETY: with an old length of 0, mremap makes a second mapping of the pages from `first`
        // on and leaves the first one alone; the pages lie in a shared mapping of the region, which
        // is borrowed.
        let pages = unsafe { libc::mremap(first, 0, mapped, libc::MREMAP_MAYMOVE) };
        if pages == libc::MAP_FAILED {
            return Err(Error::system(region.name(), "mremap", Errno::last()));
        }
        let pages = Pages { start: pages.cast(), length: mapped };
        Ok(Self { pages, payload: (within, length), severed: AtomicBool::new(false) })
    }

    /// The address of the payload, which stays mapped as long as this window lives.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.pages.start.wrapping_add(self.payload.0)
    }

    /// Whether the bytes belong to this process alone by now.
    pub fn is_severed(&self) -> bool {
        // Relaxed: the kernel has replaced the mapping, and no data depends on this flag.
        self.severed.load(Ordering::Relaxed)
    }

    /// Makes the bytes this process's own, with their present content: nobody else sees what is
    /// written there from now on. `name` is the channel's name, for the error.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if there is no memory for them. The window
    /// then still maps the buffer.
    ///
    /// # Examples
    /// See [`binding::window`](crate::binding::window).
    pub fn sever(&self, name: &str) -> Result<()> {
        if self.is_severed() {
            return Ok(());
        }
        let own =
            Pages::own(self.pages.length).map_err(|errno| Error::system(name, "mmap", errno))?;
        let (at, length) = self.payload;
        // SAFETY: both mappings span the payload at that offset, and they do not overlap; threads
        // that write to the buffer meanwhile break their promise, and tear bytes that they alone
        // will see.
        unsafe { copy::bytes(self.as_mut_ptr(), own.start.wrapping_add(at), length) };
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let (from, to) = (own.start.cast(), self.pages.start.cast::<libc::c_void>());
        // SAFETY: the new pages have the same length and replace this window's in one step; both
        // mappings belong to this module alone, and nobody has the address of the new one.
        let moved = unsafe { libc::mremap(from, own.length, own.length, flags, to) };
        if moved == libc::MAP_FAILED {
            return Err(Error::system(name, "mremap", Errno::last()));
        }
        std::mem::forget(own); // its pages are this window's now
        self.severed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A mapping that is unmapped with its last owner.
#[derive(Debug)]
struct Pages {
    start: *mut u8,
    length: usize,
}

// SAFETY: it is an address and a length; callers that use the address are told what they must keep.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Pages of this process alone.
    fn own(length: usize) -> std::result::Result<Self, Errno> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, where the kernel finds address space for it.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
        match start == libc::MAP_FAILED {
            true => Err(Errno::last()),
            false => Ok(Self { start: start.cast(), length }),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: this mapping belongs to its owner alone, and whoever has an address in it has
        // promised to keep the window for as long.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

impl Producer {
    /// The window of the buffer whose payload is at `payload`: that of an earlier loan, unless it
    /// was severed.
    fn window(&mut self, region: &Region, payload: *mut u8) -> Result<Arc<Window>> {
        let known = self.windows.iter().position(|(at, _)| *at == payload.addr());
        if let Some(known) = known {
            let window = &self.windows[known].1;
            if !window.is_severed() {
                return Ok(Arc::clone(window));
            }
            self.windows.swap_remove(known);
        }
        let length = region.payload_size() as usize;
        let window = Arc::new(Window::open(region, payload, length)?);
        self.windows.push((payload.addr(), Arc::clone(&window)));
        Ok(window)
    }
}

impl Loan<'_, [u8]> {
    /// What [`binding::window`](crate::binding::window) does.
    pub(crate) fn window(&mut self) -> Result<Arc<Window>> {
        let payload = self.as_mut_ptr();
        let (region, side) = self.region_and_producer();
        side.window(region, payload)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::undocumented_unsafe_blocks, reason = "addresses of windows that live")]

    use crate::slot::{Slot, Which};
    use crate::{Kind, Location, Message, Name, Spec, remove};

    fn location(name: &str) -> Location {
        Name::new(&format!("/window-{name}-{}", std::process::id())).unwrap().into()
    }

    fn spec(capacity: u64) -> Spec {
        Spec { schema: Some(<[u8]>::schema()), capacity: Some(capacity), ..Spec::default() }
    }

    #[test]
    fn a_severed_window_keeps_its_content_and_writes_to_no_buffer_any_more() {
        for capacity in [10, 4096, 100_000] {
            let location = location(&format!("severed-{capacity}"));
            let spec = spec(capacity);
            let mut producer = Slot::producing(&location, &spec).unwrap();
            let mut consumer = Slot::consuming(&location, None, &spec).unwrap();
            let length = capacity as usize;
            let mut kept = Vec::new();
            for turn in 1..=9_u8 {
                let mut loan = producer.loan::<[u8]>(length).unwrap();
                let window = loan.window().unwrap();
                let address = window.as_mut_ptr();
                unsafe { address.write_bytes(turn, length) };
                assert!(loan.iter().all(|byte| *byte == turn), "they are the same bytes");
                loan.put().unwrap();
                if turn % 3 == 0 {
                    window.sever("it").unwrap();
                    assert!(window.is_severed());
                    window.sever("it").unwrap();
                    assert_eq!(unsafe { *address }, turn);
                    assert_eq!(unsafe { *address.wrapping_add(length - 1) }, turn);
                    unsafe { address.write_bytes(99, length) };
                }
                kept.push(window);
                let got =
                    consumer.acquire::<[u8]>(Which::Unseen, |_, nothing| nothing.map(|()| false));
                let got = got.unwrap().unwrap();
                assert!(got.iter().all(|byte| *byte == turn), "turn {turn}: {got:?}");
            }
            remove(&location, Kind::Channel).unwrap();
            drop((producer, consumer));
            for window in &kept {
                assert_ne!(unsafe { *window.as_mut_ptr() }, 0, "it is mapped as long as it lives");
            }
        }
    }

    #[test]
    fn a_buffer_has_one_window_until_that_is_severed() {
        let location = location("one");
        let mut producer = Slot::producing(&location, &spec(64)).unwrap();
        let mut window = || producer.loan::<[u8]>(64).unwrap().window().unwrap();
        let first = window();
        assert_eq!(window().as_mut_ptr(), first.as_mut_ptr());
        first.sever("it").unwrap();
        assert_ne!(window().as_mut_ptr(), first.as_mut_ptr());
        remove(&location, Kind::Channel).unwrap();
    }
}
