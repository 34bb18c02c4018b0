//! Where the elements of a message's lists lie, and whether they are there.
//!
//! A list is an offset and a number of elements for each of its axes, words that another program
//! may have written. So nothing here overflows or panics, whatever they are.

use std::ops::Range;

use super::invalid::Invalid;

/// The bytes of one word of a list.
pub(crate) const WORD: usize = 8;

/// The greatest alignment that elements of a list may have.
pub(crate) const MAX_LIST_ALIGN: usize = 64;

/// The position of a list in a message, and what its elements are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListAt {
    /// The offset of the list's words.
    pub at: usize,
    /// How many axes it has.
    pub axes: usize,
    /// The size of an element, in bytes.
    pub size: usize,
    /// The alignment of an element, in bytes.
    pub align: usize,
}

/// The bytes in which the elements of lists lie: those after a message's fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// The offset of its start.
    pub(crate) start: usize,
    /// The offset of its end: the length of the message.
    pub(crate) end: usize,
}

impl Room {
    /// The bytes of a list with these words, counted from the message's start; `0..0` if it has no
    /// elements. The offset of an empty list means nothing.
    #[inline(always)]
    pub(crate) fn range(
        self,
        offset: u64,
        shape: &[u64],
        size: usize,
        align: usize,
    ) -> Result<Range<usize>, Misplaced> {
        self.place(offset, shape, size, align).ok_or_else(|| self.misplaced(shape, size))
    }

    /// As [`range`](Self::range); `None` for elements that are not there. A get and each access of
    /// a list ask this. Its branches always go the same way, which costs less than to do without.
    #[inline(always)]
    pub(crate) fn place(
        self,
        offset: u64,
        shape: &[u64],
        size: usize,
        align: usize,
    ) -> Option<Range<usize>> {
        match few_bytes(shape, size) {
            Some(0) => Some(0..0),
            Some(bytes) => self.place_of(offset, bytes, align),
            None => self.place_of_many(offset, shape, size, align),
        }
    }

    /// The place of this many bytes, which are not 0.
    #[inline(always)]
    fn place_of(self, offset: u64, bytes: u64, align: usize) -> Option<Range<usize>> {
        if offset < self.start as u64 || !offset.is_multiple_of(align as u64) {
            return None;
        }
        match offset.checked_add(bytes) {
            Some(end) if end <= self.end as u64 => Some(offset as usize..end as usize),
            _ => None,
        }
    }

    /// As [`place`](Self::place), for any numbers.
    #[cold]
    fn place_of_many(
        self,
        offset: u64,
        shape: &[u64],
        size: usize,
        align: usize,
    ) -> Option<Range<usize>> {
        match elements(shape)?.checked_mul(size as u64)? {
            0 => Some(0..0),
            bytes => self.place_of(offset, bytes, align),
        }
    }

    /// Why elements are not there.
    #[cold]
    fn misplaced(self, shape: &[u64], size: usize) -> Misplaced {
        let room = self.end.saturating_sub(self.start) as u64;
        match elements(shape).and_then(|elements| elements.checked_mul(size as u64)) {
            Some(bytes) if bytes <= room => Misplaced::Offset,
            _ => Misplaced::Count,
        }
    }
}

/// The bytes of the elements of a list of this shape, if these are so few that nothing overflows.
#[inline(always)]
fn few_bytes(shape: &[u64], size: usize) -> Option<u64> {
    const FEW: u64 = u32::MAX as u64;
    let mut bytes = size as u64;
    for axis in shape {
        if *axis > FEW || bytes > FEW {
            return None;
        }
        bytes *= axis;
    }
    Some(bytes)
}

/// How many elements a list of this shape has; `None` if that is more than there can be.
#[inline]
pub(crate) fn elements(shape: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1_u64, |product, axis| product.checked_mul(*axis))
}

/// The elements of a list whose words lie at `at`, with the sizes of its axes; `None` if they are
/// not within the bytes of the message.
pub(crate) fn read(bytes: &[u8], at: usize, axes: usize, size: usize) -> Option<(usize, Vec<u64>)> {
    let axes = axes.min(bytes.len() / WORD);
    let shape = (0..axes).map(|axis| word(bytes, at.saturating_add(WORD * (1 + axis))));
    let shape: Vec<u64> = shape.collect();
    let room = Room { start: 0, end: bytes.len() };
    let range = room.range(word(bytes, at), &shape, size, 1).ok()?;
    Some((range.start, shape))
}

/// Why a list is not within its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// It has more elements than there is room for.
    Count,
    /// It starts where it cannot.
    Offset,
}

impl Misplaced {
    /// The word of the list that is to blame: the offset, or its greatest axis.
    #[cold]
    pub(crate) fn in_list(self, list: &ListAt, offset: u64, shape: &[u64]) -> Invalid {
        match self {
            Misplaced::Offset => Invalid { at: list.at, found: offset as i64 },
            Misplaced::Count => {
                let found = shape.iter().copied().max().unwrap_or(0);
                let axis = shape.iter().position(|axis| *axis == found).unwrap_or(0);
                let at = list.at.saturating_add(WORD * (1 + axis));
                Invalid { at, found: i64::try_from(found).unwrap_or(i64::MAX) }
            }
        }
    }
}

/// The lists of a message whose type is known, one after the other: whether each lies within the
/// message, and after those before it. That is so in messages whose lists nobody has exchanged, and
/// that are not huge; of any other, [`check_unordered`] says whether something is wrong.
#[derive(Debug)]
pub struct InOrder {
    start: *const u8,
    /// The offset of the message's end.
    end: usize,
    /// The offset of the end of the lists so far.
    last: usize,
}

impl InOrder {
    /// No list yet, of a message of `length` bytes at `start`, whose fields end at `data`.
    #[inline(always)]
    pub fn new(start: *const u8, data: usize, length: usize) -> Self {
        Self { start, end: length, last: data }
    }

    /// Whether the next list is in the message, after those before it.
    ///
    /// # Safety
    /// The words of the list lie in bytes of the message that can be read.
    #[inline(always)]
    pub unsafe fn next<const AXES: usize>(&mut self, list: ListAt) -> bool {
        let word = |i: usize| {
            let word = self.start.wrapping_add(list.at + WORD * i).cast::<u64>();
            // SAFETY: as the caller says; no alignment is needed.
            unsafe { word.read_unaligned() }
        };
        let (offset, shape) = (word(0), std::array::from_fn::<_, AXES, _>(|axis| word(1 + axis)));
        let rest = Room { start: self.last, end: self.end };
        match few_bytes(&shape, list.size) {
            Some(0) => true,
            Some(bytes) => match rest.place_of(offset, bytes, list.align) {
                Some(place) => {
                    self.last = place.end;
                    true
                }
                None => false,
            },
            None => false,
        }
    }
}

/// Checks that the elements of each list lie within the message, from `start` on, aligned, and that
/// no two lists have a byte in common.
///
/// # Errors
/// [`Invalid`] at the list's first word with the offset, or at its second word with the number
/// there.
pub(crate) fn check(bytes: &[u8], start: usize, lists: &[ListAt]) -> Result<(), Invalid> {
    let room = Room { start, end: bytes.len() };
    let mut last = start;
    let mut in_order = true;
    for list in lists {
        let range = list.range(bytes, room)?;
        if !range.is_empty() {
            in_order &= range.start >= last;
            last = range.end;
        }
    }
    if in_order { Ok(()) } else { check_overlap(bytes, room, lists) }
}

/// Checks that the elements of each list lie within the message, and that no two lists have a byte
/// in common, for lists that are [not in order](InOrder).
///
/// # Safety
/// The bytes of the message can be read.
///
/// # Errors
/// [`Invalid`] names the word of the list that is not so.
#[cold]
pub unsafe fn check_unordered(
    start: *const u8,
    length: usize,
    data: usize,
    lists: &[ListAt],
) -> Result<(), Invalid> {
    // SAFETY: as the caller says.
    check(unsafe { std::slice::from_raw_parts(start, length) }, data, lists)
}

/// Checks that no two lists have a byte in common.
#[cold]
fn check_overlap(bytes: &[u8], room: Room, lists: &[ListAt]) -> Result<(), Invalid> {
    for (i, list) in lists.iter().enumerate() {
        let range = list.range(bytes, room)?;
        for before in lists.get(..i).unwrap_or_default() {
            let other = before.range(bytes, room)?;
            let apart = range.end <= other.start || other.end <= range.start;
            if !apart && !range.is_empty() && !other.is_empty() {
                return Err(Invalid { at: list.at, found: range.start as i64 });
            }
        }
    }
    Ok(())
}

impl ListAt {
    fn range(&self, bytes: &[u8], room: Room) -> Result<Range<usize>, Invalid> {
        const FEW: usize = 8;
        let mut few = [0; FEW];
        let many: Vec<u64>;
        let offset = word(bytes, self.at);
        let shape = match few.get_mut(..self.axes) {
            Some(few) => {
                for (axis, word_of_axis) in few.iter_mut().enumerate() {
                    *word_of_axis = self.axis(bytes, axis);
                }
                &*few
            }
            None => {
                // A shape of more axes than fit in the message has none of them in it.
                let axes = self.axes.min(bytes.len() / WORD);
                many = (0..axes).map(|axis| self.axis(bytes, axis)).collect();
                &many
            }
        };
        let range = room.range(offset, shape, self.size, self.align);
        range.map_err(|misplaced| misplaced.in_list(self, offset, shape))
    }

    fn axis(&self, bytes: &[u8], axis: usize) -> u64 {
        word(bytes, self.at.saturating_add(WORD * (1 + axis)))
    }
}

/// The word at an offset; 0 if the bytes end before.
pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: usize = 48;
    const LENGTH: usize = 128;
    /// Two lists of two axes in all: of 4-byte elements, and of bytes.
    const LISTS: [ListAt; 2] = [
        ListAt { at: 0, axes: 1, size: 4, align: 4 },
        ListAt { at: 16, axes: 2, size: 1, align: 1 },
    ];

    fn message(words: [u64; 5]) -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(LENGTH, 0);
        bytes
    }

    fn is_in_order(bytes: &[u8]) -> bool {
        let mut lists = InOrder::new(bytes.as_ptr(), START, bytes.len());
        // SAFETY: the words of the list are at the start of the message.
        let first = unsafe { lists.next::<1>(LISTS[0]) };
        // SAFETY: as above.
        first && unsafe { lists.next::<2>(LISTS[1]) }
    }

    fn found(words: [u64; 5]) -> Result<(), (usize, i64)> {
        check(&message(words), START, &LISTS).map_err(|invalid| (invalid.at, invalid.found))
    }

    #[test]
    fn a_list_lies_within_the_message_aligned_and_apart_from_the_others() {
        assert_eq!(found([48, 2, 56, 2, 3]), Ok(()));
        assert_eq!(found([64, 2, 50, 2, 3]), Ok(()), "in any order");
        assert_eq!(found([120, 2, 48, 8, 9]), Ok(()), "up to the end");
        assert_eq!(found([7, 0, u64::MAX, 0, u64::MAX]), Ok(()), "an empty one lies nowhere");
        assert_eq!(found([48, 2, 55, 2, 3]), Err((16, 55)), "they overlap");
        assert_eq!(found([50, 2, 64, 2, 3]), Err((0, 50)), "it is not aligned");
        assert_eq!(found([44, 2, 64, 2, 3]), Err((0, 44)), "it starts among the fields");
        assert_eq!(found([124, 2, 64, 2, 3]), Err((0, 124)), "it ends after the message");
        assert_eq!(found([48, 21, 64, 2, 3]), Err((8, 21)), "it is longer than the message");
        assert_eq!(found([48, 1 << 62, 64, 2, 3]), Err((8, 1 << 62)));
        assert_eq!(found([48, 2, 64, 1 << 32, 1 << 33]), Err((40 - 8, 1 << 33)));
        assert_eq!(found([u64::MAX - 3, 2, 64, 2, 3]), Err((0, -4)));
    }

    #[test]
    fn only_lists_that_are_not_one_after_the_other_are_looked_at_twice() {
        for (words, in_order) in [
            ([48, 2, 56, 2, 3], true),
            ([48, 2, 122, 2, 3], true),
            ([0, 0, 48, 2, 3], true),
            ([48, 2, u64::MAX, 1 << 31, 0], true),
            ([48, 2, u64::MAX, 1 << 40, 0], false), // allowed, but no few
            ([64, 2, 50, 2, 3], false),             // allowed, but in another order
            ([48, 2, 55, 2, 3], false),
            ([50, 2, 64, 2, 3], false),
            ([40, 2, 64, 2, 3], false),
            ([48, 2, 123, 2, 3], false),
            ([48, 1 << 62, 64, 2, 3], false),
            ([48, 2, 64, 1 << 32, 1 << 32], false),
            ([48, 2, u64::MAX, 2, 3], false),
        ] {
            assert_eq!(is_in_order(&message(words)), in_order, "{words:?}");
        }
    }

    #[test]
    fn a_list_of_any_number_of_axes_is_looked_at() {
        let list = ListAt { at: 0, axes: 9, size: 1, align: 1 };
        let mut bytes = vec![0; 90];
        for axis in 0..9 {
            bytes[8 + 8 * axis] = 1;
        }
        bytes[0] = 80;
        assert_eq!(check(&bytes, 80, &[list]), Ok(()));
        bytes[8 + 8 * 8] = 11;
        assert_eq!(check(&bytes, 80, &[list]), Err(Invalid { at: 72, found: 11 }));
        let endless = ListAt { axes: usize::MAX, ..list };
        assert_eq!(check(&bytes, 80, &[endless]), Ok(()), "words that are missing are 0");
    }

    proptest! {
        #[test]
        fn whatever_the_words_are_lists_that_pass_share_no_byte(
            words in proptest::array::uniform5(prop_oneof![0..140_u64, any::<u64>()]),
        ) {
            let bytes = message(words);
            prop_assert!(!is_in_order(&bytes) || check(&bytes, START, &LISTS).is_ok());
            if check(&bytes, START, &LISTS).is_ok() {
                let mut used = [false; LENGTH];
                for list in LISTS {
                    let range = list.range(&bytes, Room { start: START, end: LENGTH }).unwrap();
                    for byte in &mut used[range] {
                        prop_assert!(!std::mem::replace(byte, true));
                    }
                }
                prop_assert!(!used[..START].contains(&true));
            }
        }
    }
}
