//! The lists of a message, for callers that know it by its schema alone.
//!
//! [`Lists`] says where the lists of a message lie, from words that the caller read once, and lays
//! lists out in a message that is to be filled. What must stay true: it takes any words, since
//! another program may have written them, and never trusts a place that it has not checked.

use std::ops::Range;

use crate::error::ErrorKind;
use crate::message::invalid::Invalid;
use crate::message::placed::{ListAt, Room, WORD, elements};
use crate::message::schema::{Described, Schema, Type, described};

/// The lists of one kind of message.
#[derive(Debug)]
pub struct Lists {
    root: Type,
    /// Where their data starts.
    start: usize,
    align: usize,
    lists: Vec<(String, ListAt)>,
}

/// The elements of a list: their bytes, counted from the message's start, and its axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The bytes; `0..0` if there are no elements.
    pub range: Range<usize>,
    /// The number of elements along each axis.
    pub shape: Vec<u64>,
}

impl Lists {
    /// The lists of messages of this schema; `None` if they have no data for lists.
    ///
    /// # Examples
    /// ```
    /// use io_shared_core::binding::Lists;
    /// use io_shared_core::{List, ListData, Message};
    /// # use io_shared_derive::Message;
    ///
    /// #[derive(Message)]
    /// #[repr(C)]
    /// struct Labels {
    ///     frame: u64,
    ///     labels: List<u32>,
    ///     scores: List<f64>,
    ///     data: ListData,
    /// }
    ///
    /// let lists = Lists::of(&Labels::schema()).unwrap();
    /// let (words, length) = lists.lay_out(&[3, 1]).unwrap();
    /// assert_eq!(words, [(8, 40), (16, 3), (24, 56), (32, 1)]);
    /// assert_eq!(length, 64);
    /// let word = |at| words.iter().find(|(of, _)| *of == at).map_or(0, |(_, word)| *word);
    /// let labels = lists.place(0, length, word)?;
    /// assert_eq!((labels.range, labels.shape), (40..52, vec![3]));
    /// # Ok::<(), io_shared_core::ErrorKind>(())
    /// ```
    pub fn of(schema: &Schema) -> Option<Self> {
        let root = schema.root().clone();
        let Type::Struct(layout) = &root else { return None };
        if !layout.has_lists() {
            return None;
        }
        let (start, align) = (layout.shape.size, layout.shape.align.max(1));
        let lists = layout.fields.iter().filter_map(|field| {
            let Type::List { axes, element } = &field.ty else { return None };
            let shape = element.shape();
            let at = ListAt { at: field.offset, axes: *axes, size: shape.size, align: shape.align };
            Some((field.name.clone(), at))
        });
        let lists = lists.collect();
        Some(Self { root, start, align, lists })
    }

    /// Where their data starts: how many bytes the fields have. [`of`](Self::of) has an example.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Each list's name and position, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, ListAt)> {
        self.lists.iter().map(|(name, list)| (&**name, *list))
    }

    /// How many numbers say how many elements all lists have: one for each axis of each list.
    pub fn axes(&self) -> usize {
        self.lists.iter().map(|(_, list)| list.axes).sum()
    }

    /// Where the elements of a list lie in a message of `length` bytes. `word` returns the word at
    /// an offset among the fields. Each is asked for once, since another program may change it.
    /// [`of`](Self::of) has an example.
    ///
    /// # Errors
    /// [`ErrorKind::BadValue`]: the elements are not within the message's data, not aligned, or lie
    /// over those of another list.
    ///
    /// # Panics
    /// If there is no list with that index.
    pub fn place(
        &self,
        index: usize,
        length: usize,
        word: impl Fn(usize) -> u64,
    ) -> Result<Placed, ErrorKind> {
        let read = |(_, list): &(String, ListAt)| self.read(list, length, &word);
        let read: Result<Vec<Placed>, Invalid> = self.lists.iter().map(read).collect();
        let mut read = read.map_err(|invalid| self.bad_value(invalid))?;
        let (found, (_, list)) = (read.swap_remove(index), &self.lists[index]);
        let meets = |other: &Placed| {
            found.range.start < other.range.end && other.range.start < found.range.end
        };
        if read.iter().any(meets) {
            let invalid = Invalid { at: list.at, found: found.range.start as i64 };
            return Err(self.bad_value(invalid));
        }
        Ok(found)
    }

    fn read(
        &self,
        list: &ListAt,
        length: usize,
        word: impl Fn(usize) -> u64,
    ) -> Result<Placed, Invalid> {
        let offset = word(list.at);
        let shape: Vec<u64> =
            (0..list.axes).map(|axis| word(list.at + WORD * (1 + axis))).collect();
        let room = Room { start: self.start, end: length };
        match room.range(offset, &shape, list.size, list.align) {
            Ok(range) => Ok(Placed { range, shape }),
            Err(misplaced) => Err(misplaced.in_list(list, offset, &shape)),
        }
    }

    #[cold]
    fn bad_value(&self, invalid: Invalid) -> ErrorKind {
        let Described { field, expected, .. } = described(&self.root, invalid);
        ErrorKind::BadValue { field, found: invalid.found, expected }
    }

    /// Lays lists out one after the other, after the fields: the words, each with its offset, and
    /// the message's length. `sizes` has one number for each axis of each list. The data begins
    /// where a C struct of the fields ends, with its padding. `None` if there are more or fewer
    /// sizes, or more bytes than memory can have. [`of`](Self::of) has an example.
    pub fn lay_out(&self, sizes: &[u64]) -> Option<(Vec<(usize, u64)>, usize)> {
        if sizes.len() != self.axes() {
            return None;
        }
        let (mut words, mut sizes) = (Vec::new(), sizes.iter().copied());
        let mut end = self.start.checked_next_multiple_of(self.align)?;
        for (_, list) in &self.lists {
            let shape: Vec<u64> = sizes.by_ref().take(list.axes).collect();
            let bytes = elements(&shape)?.checked_mul(list.size as u64)?;
            let mut start = 0;
            if bytes > 0 {
                start = end.checked_next_multiple_of(list.align)?;
                let bytes = usize::try_from(bytes).ok()?;
                end = start.checked_add(bytes).filter(|end| isize::try_from(*end).is_ok())?;
            }
            words.push((list.at, start as u64));
            let axes = shape.into_iter().enumerate();
            words.extend(axes.map(|(axis, size)| (list.at + WORD * (1 + axis), size)));
        }
        Some((words, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Lists {
        let text = r#"{"struct":"Seen","size":57,"align":8,"fields":[
            {"name":"boxes","offset":0,"type":{"list":{"array":4,"of":"<f4"},"axes":1}},
            {"name":"image","offset":16,"type":{"list":"|u1","axes":3}},
            {"name":"frame","offset":48,"type":"<u8"},
            {"name":"valid","offset":56,"type":"|b1"},
            {"name":"data","offset":57,"type":"lists"}]}"#;
        Lists::of(&Schema::from_json(text).unwrap()).unwrap()
    }

    fn placed(index: usize, words: [u64; 6]) -> Result<Range<usize>, String> {
        match lists().place(index, 128, |at| words[at / 8]) {
            Ok(placed) => Ok(placed.range),
            Err(ErrorKind::BadValue { field, found, .. }) => Err(format!("{field} is {found}")),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_list_that_is_not_in_its_place_is_named() {
        assert_eq!(placed(0, [64, 2, 96, 2, 2, 3]), Ok(64..96));
        assert_eq!(placed(1, [64, 2, 96, 2, 2, 3]), Ok(96..108));
        assert_eq!(placed(1, [9, 0, 96, 0, 2, 3]), Ok(0..0), "empty ones lie anywhere");
        let said = |words| placed(0, words).unwrap_err();
        assert_eq!(said([62, 2, 96, 1, 1, 1]), "boxes.offset is 62", "not aligned");
        assert_eq!(said([48, 2, 96, 1, 1, 1]), "boxes.offset is 48", "among the fields");
        assert_eq!(said([104, 2, 64, 1, 1, 1]), "boxes.offset is 104", "past the end");
        assert_eq!(said([64, 1 << 60, 96, 1, 1, 1]), format!("boxes.count is {}", 1_u64 << 60));
        assert_eq!(said([64, 2, 95, 1, 1, 1]), "boxes.offset is 64", "over the image");
        assert_eq!(said([64, 2, 96, 1, 99, 1]), "image.shape[1] is 99", "the other one");
    }

    #[test]
    fn lists_are_laid_out_after_the_padding_of_a_c_struct() {
        let (words, length) = lists().lay_out(&[1, 2, 2, 3]).unwrap();
        assert_eq!(words, [(0, 64), (8, 1), (16, 80), (24, 2), (32, 2), (40, 3)]);
        assert_eq!(length, 92);
        let word = |at| words.iter().find(|(of, _)| *of == at).map_or(0, |(_, word)| *word);
        assert_eq!(lists().place(1, length, word).unwrap().shape, [2, 2, 3]);
        let (words, length) = lists().lay_out(&[0, 9, 0, 9]).unwrap();
        assert_eq!((words[0], words[2], length), ((0, 0), (16, 0), 64));
        for wrong in [&[1, 2, 3][..], &[1; 5], &[u64::MAX; 4], &[1 << 59, 1, 1, 1]] {
            assert_eq!(lists().lay_out(wrong), None, "{wrong:?}");
        }
    }
}
