//! The header of a `.npy` file, read and written.
//!
//! The header is a Python literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
//! The existing crates for it read and write streams of elements. Here the header precedes elements
//! that stay where they are.
//!
//! What must stay true: [`write`] writes what NumPy writes, byte for byte, except that names in
//! Latin-1 that are not ASCII become the UTF-8 of version 3.0. [`read`] never panics.

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use super::error::{NpyError, Result};
use super::extent::{bytes_of, too_large};
use super::literal::{Parser, itemsize};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header text that is read or written, in every version of the format. NumPy's has
/// about 120 bytes, and 20 to 30 more for each field of a structured dtype.
pub(super) const LONGEST: usize = 1 << 20;
/// NumPy pads headers to a multiple of this, so that data is aligned for any vector unit.
const ALIGN: usize = 64;
/// NumPy leaves space for this many digits of the axis that may grow.
const GROWTH: usize = 21;

/// The contents of a header, and where its elements are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) dtype: Cow<'a, str>,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
    pub(super) data: Range<usize>,
}

/// Reads the header of `npy`, and checks that all elements are there.
pub(super) fn read(npy: &[u8]) -> Result<Header<'_>> {
    let Some((&version, rest)) = npy.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk())
    else {
        return Err(NpyError::NotNpy);
    };
    let short = |expected| NpyError::TooShort { expected, found: npy.len() };
    let (length, rest) = match version {
        [1, 0] => rest
            .split_first_chunk()
            .map(|(length, rest)| (u16::from_le_bytes(*length).into(), rest))
            .ok_or(short(10))?,
        [2 | 3, 0] => rest
            .split_first_chunk()
            .map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest))
            .ok_or(short(12))?,
        found => return Err(NpyError::Version { found }),
    };
    if length > LONGEST {
        return Err(NpyError::HeaderTooLong { found: length, longest: LONGEST });
    }
    let start = npy.len() - rest.len() + length;
    let text = rest.get(..length).ok_or(short(start))?;
    let (dtype, fortran_order, shape, item) = match std::str::from_utf8(text) {
        Ok(text) if version[0] == 3 || text.is_ascii() => {
            let (dtype, order, shape, item) = Parser::new(text).header()?;
            (Cow::Borrowed(dtype), order, shape, item)
        }
        Err(error) if version[0] == 3 => {
            return Err(NpyError::Header { expected: "UTF-8", at: error.valid_up_to() });
        }
        // Before version 3 the text is Latin-1.
        _ => {
            let text: String = text.iter().copied().map(char::from).collect();
            let (dtype, order, shape, item) = Parser::new(&text).header()?;
            (Cow::Owned(dtype.to_owned()), order, shape, item)
        }
    };
    let bytes = bytes_of(&dtype, item, &shape)?;
    let end = start.checked_add(bytes).filter(|&end| end <= npy.len());
    let end = end.ok_or(short(start.saturating_add(bytes)))?;
    Ok(Header { dtype, fortran_order, shape, data: start..end })
}

/// How many bytes a header has, and the elements after it.
pub(super) fn lengths(dtype: &str, fortran_order: bool, shape: &[usize]) -> Result<(usize, usize)> {
    let item = match dtype.starts_with('[') {
        false => itemsize(dtype)?,
        true => Parser::new(dtype).whole_descr()?,
    };
    let bytes = bytes_of(dtype, item, shape)?;
    let (version, header) = version_and_length(&Literal { dtype, fortran_order, shape });
    let length = header - prefix(version);
    if length > LONGEST {
        return Err(NpyError::HeaderTooLong { found: length, longest: LONGEST });
    }
    match header.checked_add(bytes) {
        Some(whole) if whole <= isize::MAX as usize => Ok((header, bytes)),
        _ => Err(too_large(dtype, shape)),
    }
}

/// Fills `out` with the header. `out` has the length that [`lengths`] returns.
pub(super) fn write(mut out: &mut [u8], dtype: &str, fortran_order: bool, shape: &[usize]) {
    let literal = Literal { dtype, fortran_order, shape };
    let (version, whole) = version_and_length(&literal);
    let length = whole - prefix(version);
    let mut write = || {
        out.write_all(MAGIC)?;
        out.write_all(&[version, 0])?;
        match version {
            1 => out.write_all(&(length as u16).to_le_bytes())?,
            _ => out.write_all(&(length as u32).to_le_bytes())?,
        }
        literal.write(&mut out)?;
        out.fill(b' ');
        if let Some(last) = out.last_mut() {
            *last = b'\n';
        }
        std::io::Result::Ok(())
    };
    let written = write();
    debug_assert!(written.is_ok(), "the header is as long as was computed");
}

/// The text, as Python writes a dictionary.
struct Literal<'a> {
    dtype: &'a str,
    fortran_order: bool,
    shape: &'a [usize],
}

impl Literal<'_> {
    fn write(&self, out: &mut &mut [u8]) -> std::io::Result<()> {
        let quote = self.quote();
        write!(out, "{{'descr': {quote}{}{quote}, 'fortran_order': ", self.dtype)?;
        write!(out, "{}, 'shape': (", self.order())?;
        for (i, length) in self.shape.iter().enumerate() {
            write!(out, "{}{length}", if i > 0 { ", " } else { "" })?;
        }
        out.write_all(if self.shape.len() == 1 { b",), }" } else { b"), }" })
    }

    /// How many bytes [`write`](Self::write) writes. This is computed, because formatting twice
    /// would cost as much as the put of a small array.
    fn len(&self) -> usize {
        let fixed = "{'descr': , 'fortran_order': , 'shape': (), }".len();
        let between = match self.shape.len() {
            0 => 0,
            1 => 1,
            axes => 2 * (axes - 1),
        };
        let digits: usize = self.shape.iter().copied().map(digits).sum();
        fixed + 2 * self.quote().len() + self.dtype.len() + self.order().len() + between + digits
    }

    fn quote(&self) -> &'static str {
        if self.dtype.starts_with('[') { "" } else { "'" }
    }

    fn order(&self) -> &'static str {
        if self.fortran_order { "True" } else { "False" }
    }
}

fn digits(length: usize) -> usize {
    length.checked_ilog10().unwrap_or(0) as usize + 1
}

/// The oldest version that works, and the bytes of the whole header.
fn version_and_length(literal: &Literal<'_>) -> (u8, usize) {
    let grows = if literal.fortran_order { literal.shape.last() } else { literal.shape.first() };
    let growth = grows.map_or(0, |&length| GROWTH - digits(length));
    let text = literal.len() + growth + 1;
    let whole = |version| (prefix(version) + text) / ALIGN * ALIGN + ALIGN;
    match literal.dtype.is_ascii() {
        true if whole(1) - prefix(1) <= usize::from(u16::MAX) => (1, whole(1)),
        true => (2, whole(2)),
        false => (3, whole(3)),
    }
}

/// Bytes before the text: magic, version, length.
const fn prefix(version: u8) -> usize {
    if version == 1 { 10 } else { 12 }
}
