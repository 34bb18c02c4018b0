//! Copies of a part of a value, which leave the rest of it alone.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::{ptr, slice};

use super::blocks::{Block, Blocks};
use super::copied::{Known, no_memory};
use super::{Copied, Observer, Slot};
use crate::error::Result;
use crate::message::value::{self, Path};
use crate::os::copy;
use crate::protocol::{self, Watched};
use crate::region::Region;

impl Slot<Observer> {
    /// Copies the part of the latest value that `path` leads to, in the channel's own type; `None`
    /// if there is no value yet. The bytes of other parts may be 0 in the copy. Nothing is copied
    /// for a path that leads nowhere.
    ///
    /// # Errors
    /// The errors of [`copy`](Self::copy), except that nobody looks for values that are none.
    pub fn copy_part(&mut self, path: &Path) -> Result<Option<Copied<[u8]>>> {
        self.check_copying::<[u8]>()?;
        let region = &*self.region;
        let fits = |length: u64| {
            length <= region.layout().capacity
                && region.schema().root().shape().elements_in(length).is_some()
        };
        if !region.may_be_observed() {
            // A handle that knows the first fields of a message alone copies no more then.
            return Ok(self.copy_sealed::<[u8]>()?.filter(|copy| fits(copy.len() as u64)));
        }
        let found = protocol::watch(region, |buffer, length| {
            fits(length).then(|| (copy_part(region, buffer, length as usize, path), length))
        });
        let Some(Watched { sequence: seq, stamp, tag, copied }) =
            found.map_err(|fault| region.fault(fault))?
        else {
            return Ok(None);
        };
        let (blocks, length) = copied;
        let blocks = blocks.ok_or_else(|| no_memory(region))?;
        let known = Known { seq, stamp, tag, missed: 0 };
        Ok(Some(Copied::new(region, known, blocks, length as usize)))
    }
}

/// Room for a message of `length` bytes, with those that `path` leads to. `None`: there is no
/// memory for it. The buffer may be written meanwhile.
fn copy_part(region: &Region, buffer: usize, length: usize, path: &Path) -> Option<Blocks> {
    let mut blocks = Blocks::zeros(length.div_ceil(size_of::<Block>()))?;
    // SAFETY: the blocks span `length` bytes, which are initialised, and are borrowed.
    let bytes = unsafe { slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), length) };
    let head = value::head(region.schema());
    read(region, buffer, bytes, 0..head);
    let needed = value::extent(region.schema(), bytes, path);
    read(region, buffer, bytes, needed.unwrap_or(head..length));
    Some(blocks)
}

/// Copies `range` of a message to the same place in `to`, which has the message's length: at most
/// the capacity.
fn read(region: &Region, buffer: usize, to: &mut [u8], range: Range<usize>) {
    let range = range.start.min(to.len())..range.end.min(to.len());
    let from = region.payload(buffer).wrapping_add(range.start);
    let Some(room) = to.get_mut(range) else { return };
    // SAFETY: the types have one layout, and `shared` writes only bytes that are initialised.
    let room = unsafe { &mut *(ptr::from_mut(room) as *mut [MaybeUninit<u8>]) };
    // SAFETY: the range lies within the capacity, and so in the buffer, which is mapped.
    unsafe { copy::shared(from, room) };
}
