//! What the accessors that the derive writes call.
//!
//! Each is sound whatever its arguments are: it checks ranges against the data that it borrows.
//! `start` is the data's offset in its message, from which the lists' offsets are counted.

use std::marker::PhantomData;
use std::ops::Range;

use super::{List, ListData, ListField, NdList, NdSlice, NdSliceMut};
use crate::message::Message;
use crate::message::placed::{Room, elements};
use crate::message::shape::Shape;

/// The elements of a list.
#[inline(always)]
pub fn list<'a, T: Message>(data: &'a ListData, start: usize, list: &List<T>) -> &'a [T] {
    let (offset, shape) = list.words();
    of(data, start, offset, &shape).unwrap_or_default()
}

/// The elements of a list, with its shape.
#[inline(always)]
pub fn nd<'a, T: Message, const N: usize>(
    data: &'a ListData,
    start: usize,
    list: &NdList<T, N>,
) -> NdSlice<'a, T, N> {
    let (offset, shape) = list.words();
    match of(data, start, offset, &shape) {
        Some(elements) => NdSlice::new(elements, shape),
        None => NdSlice::new(&[], [0; N]),
    }
}

#[inline(always)]
fn of<'a, T: Message>(
    data: &'a ListData,
    start: usize,
    offset: u64,
    shape: &[u64],
) -> Option<&'a [T]> {
    let Shape { size, align, .. } = T::SHAPE;
    let range = room(data.len(), start).place(offset, shape, size, align)?;
    if range.is_empty() {
        return Some(&[]);
    }
    // SAFETY: a place that is not empty starts at `start` or later, and ends at the data's end at
    // the latest.
    cast(unsafe { data.bytes.get_unchecked(range.start - start..range.end - start) })
}

/// The place of this many bytes of data.
#[inline(always)]
fn room(data: usize, start: usize) -> Room {
    Room { start, end: start.saturating_add(data) }
}

/// The elements in these bytes; `None` if they are not aligned.
#[inline(always)]
fn cast<T: Message>(bytes: &[u8]) -> Option<&[T]> {
    const { assert!(!T::CHECKED && T::SHAPE.size > 0) };
    if !bytes.as_ptr().addr().is_multiple_of(T::SHAPE.align) {
        return None;
    }
    let elements = bytes.len() / T::SHAPE.size;
    // SAFETY: the start is aligned (just checked), and these many elements, each `size_of::<T>()`
    // bytes (1), lie within `bytes`, which are initialised and borrowed for as long as the result;
    // every bit pattern is a T, because it is not checked (3), and none changes through it (4).
    Some(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<T>(), elements) })
}

/// The elements in these bytes, to be written; none if they are not aligned.
#[inline(always)]
fn cast_mut<T: Message>(bytes: &mut [u8]) -> &mut [T] {
    const { assert!(!T::CHECKED && T::SHAPE.size > 0) };
    if !bytes.as_ptr().addr().is_multiple_of(T::SHAPE.align) {
        return &mut [];
    }
    let elements = bytes.len() / T::SHAPE.size;
    // SAFETY: as in `cast`, with a mutable borrow; and what is written leaves every byte
    // initialised, because a T has no padding (2).
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast::<T>(), elements) }
}

/// A list as it was read, for [`split`].
#[derive(Debug, Clone, Copy)]
pub struct Words<L: ListField, const N: usize> {
    offset: u64,
    shape: [u64; N],
    list: PhantomData<fn() -> L>,
}

/// Reads a list.
#[inline(always)]
pub fn read<T: Message>(list: &List<T>) -> Words<List<T>, 1> {
    let (offset, shape) = list.words();
    Words { offset, shape, list: PhantomData }
}

/// Reads a list of several axes.
#[inline(always)]
pub fn read_nd<T: Message, const N: usize>(list: &NdList<T, N>) -> Words<NdList<T, N>, N> {
    let (offset, shape) = list.words();
    Words { offset, shape, list: PhantomData }
}

impl<L: ListField<Element: Message>, const N: usize> Words<L, N> {
    /// Where the elements lie, counted from the message's start; `0..0` if that is not in the data.
    #[inline(always)]
    pub fn range(&self, data: &ListData, start: usize) -> Range<usize> {
        let Shape { size, align, .. } = L::Element::SHAPE;
        room(data.len(), start).place(self.offset, &self.shape, size, align).unwrap_or(0..0)
    }
}

impl<T: Message> Words<List<T>, 1> {
    /// The elements in these bytes.
    #[inline(always)]
    pub fn lend(self, bytes: &mut [u8]) -> &mut [T] {
        cast_mut(bytes)
    }
}

impl<T: Message, const N: usize> Words<NdList<T, N>, N> {
    /// The elements in these bytes, with their shape.
    #[inline(always)]
    pub fn lend(self, bytes: &mut [u8]) -> NdSliceMut<'_, T, N> {
        let slice = cast_mut(bytes);
        let is_whole = elements(&self.shape) == Some(slice.len() as u64);
        NdSliceMut::new(slice, if is_whole { self.shape } else { [0; N] })
    }
}

/// The bytes in these ranges, which are counted from the message's start. A range that has bytes in
/// common with one before it is empty.
#[inline(always)]
pub fn split<const N: usize>(
    data: &mut ListData,
    start: usize,
    ranges: [Range<usize>; N],
) -> [&mut [u8]; N] {
    let (mut last, mut in_order) = (start, true);
    for range in &ranges {
        let is_empty = range.start >= range.end;
        in_order &= is_empty | (range.start >= last);
        last = if is_empty { last } else { range.end };
    }
    if !in_order || last - start > data.len() {
        return split_unordered(data, start, ranges);
    }
    let bytes = data.bytes.as_mut_ptr();
    ranges.map(|range| {
        if range.start >= range.end {
            return &mut [][..];
        }
        let from = bytes.wrapping_add(range.start - start);
        // SAFETY: each range that is not empty starts where the one before it ends, or later, and
        // the first one at `start` or later (`in_order`); so they share no byte, and each end is at
        // most `last`, which is at most the data's length after `start` (just checked). The data is
        // borrowed mutably for as long as the results.
        unsafe { std::slice::from_raw_parts_mut(from, range.end - range.start) }
    })
}

/// As [`split`], for ranges in any order.
#[cold]
fn split_unordered<const N: usize>(
    data: &mut ListData,
    start: usize,
    mut ranges: [Range<usize>; N],
) -> [&mut [u8]; N] {
    for i in 0..N {
        let (before, rest) = ranges.split_at_mut(i);
        let Some(range) = rest.first_mut() else { continue };
        let overlaps = |other: &Range<usize>| {
            !other.is_empty() && range.start < other.end && other.start < range.end
        };
        if range.start < start || before.iter().any(overlaps) {
            *range = 0..0;
        }
    }
    let ranges =
        ranges.map(|range| range.start.saturating_sub(start)..range.end.saturating_sub(start));
    data.bytes.get_disjoint_mut(ranges).unwrap_or_else(|_| std::array::from_fn(|_| &mut [][..]))
}

/// The places of lists that lie one after the other.
#[derive(Debug)]
pub struct Layout {
    start: usize,
    end: usize,
}

impl Layout {
    /// No list yet.
    #[inline(always)]
    pub fn new(start: usize) -> Self {
        Self { start, end: start }
    }

    /// The next list. One that no memory could hold ends at the end of all memory.
    #[inline(always)]
    pub fn next<L: ListField<Element: Message>>(&mut self, sizes: L::Sizes) -> L {
        let Shape { size, align, .. } = L::Element::SHAPE;
        let elements = elements(L::stored(sizes).as_ref());
        let bytes = elements.and_then(|elements| elements.checked_mul(size as u64));
        if bytes == Some(0) {
            return L::at(0, sizes);
        }
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        let start = self.end.checked_next_multiple_of(align).unwrap_or(usize::MAX);
        self.end = start.saturating_add(bytes);
        L::at(start as u64, sizes)
    }

    /// The bytes of all lists.
    #[inline(always)]
    pub fn bytes(&self) -> usize {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a message whose fields have 16 bytes.
    fn data(bytes: &mut [u8]) -> &mut ListData {
        // SAFETY: a ListData is a [u8] (repr(transparent)).
        unsafe { &mut *(std::ptr::from_mut(bytes) as *mut ListData) }
    }

    #[test]
    fn ranges_that_share_bytes_are_never_lent_together() {
        let mut bytes = [0_u8; 32];
        let data = data(&mut bytes);
        fn lengths<const N: usize>(ranges: [Range<usize>; N], data: &mut ListData) -> [usize; N] {
            split(data, 16, ranges).map(|part| part.len())
        }
        assert_eq!(lengths([16..24, 24..48], data), [8, 24]);
        assert_eq!(lengths([20..30, 16..24], data), [10, 0]);
        assert_eq!(lengths([16..24, 16..24], data), [8, 0]);
        assert_eq!(lengths([0..0, 16..48, 0..0], data), [0, 32, 0]);
        assert_eq!(lengths([0..8, 16..17], data), [0, 1], "the fields are not lent");
        assert_eq!(lengths([16..49, 16..17], data), [0, 0], "nor is what follows the message");
        split(data, 16, [16..24, 24..48])[1].fill(7);
        assert_eq!((bytes[7], bytes[8], bytes[31]), (0, 7, 7));
    }

    #[test]
    fn bytes_that_are_not_aligned_are_no_elements() {
        #[repr(align(8))]
        struct Aligned([u8; 24]);
        let mut bytes = Aligned([1; 24]);
        let data = data(&mut bytes.0);
        let list_at = |offset, count| <List<u32> as ListField>::at(offset, count);
        assert_eq!(list(data, 16, &list_at(20, 2)), [0x0101_0101; 2]);
        assert!(list(data, 16, &list_at(18, 2)).is_empty());
        assert!(list(data, 18, &list_at(20, 2)).is_empty(), "the message itself is not aligned");
        assert!(read(&list_at(20, 2)).lend(&mut data.bytes[1..9]).is_empty());
        assert!(list(data, 16, &list_at(20, 6)).is_empty());
    }

    #[test]
    fn lists_that_no_memory_could_hold_are_as_long_as_all_memory() {
        let mut layout = Layout::new(16);
        let _: List<u64> = layout.next(usize::MAX);
        let _: NdList<u64, 3> = layout.next([usize::MAX; 3]);
        assert_eq!(layout.bytes(), usize::MAX - 16);
    }
}
