//! The bytes of CDR: XCDR version 1, as ROS 2 has it.
//!
//! Four bytes say how the rest is encoded. Numbers are aligned to their size, counted from the end
//! of these four.

use crate::error::CdrError;

/// The first bytes of what is written: plain CDR, little-endian.
const HEADER: [u8; 4] = [0, 1, 0, 0];

/// Appends CDR to a vector.
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        out.extend(HEADER);
        let start = out.len();
        Self { out, start }
    }

    /// How many bytes were written after the header.
    pub(crate) fn at(&self) -> usize {
        self.out.len() - self.start
    }

    pub(crate) fn align(&mut self, to: usize) {
        let at = self.at().next_multiple_of(to.max(1));
        self.out.resize(self.start + at, 0);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.out.push(number);
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.align(4);
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.align(8);
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn count(&mut self, count: usize) -> Result<(), CdrError> {
        let count = u32::try_from(count).map_err(|_| CdrError::TooLarge { bytes: count })?;
        self.u32(count);
        Ok(())
    }

    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), CdrError> {
        self.count(text.len() + 1)?;
        self.bytes(text);
        self.u8(0);
        Ok(())
    }

    /// A time as two numbers: seconds and nanoseconds.
    pub(crate) fn time(&mut self, nanos: u64) {
        const SECOND: u64 = 1_000_000_000;
        // ROS ends in 2038: the last second stands for what is later.
        self.u32(u32::try_from(nanos / SECOND).unwrap_or(u32::MAX).min(i32::MAX as u32));
        self.u32((nanos % SECOND) as u32);
    }
}

/// Reads CDR.
pub(crate) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    /// Whether the numbers are big-endian.
    pub(crate) is_big: bool,
    /// The bytes of the longest text so far.
    pub(crate) longest: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let Some((header, body)) = cdr.split_first_chunk::<4>() else {
            return Err(CdrError::Short { needed: HEADER.len(), found: cdr.len() });
        };
        let is_big = match header {
            [0, 0, ..] => true,
            [0, 1, ..] => false,
            [a, b, ..] => return Err(CdrError::Encapsulation(u16::from_be_bytes([*a, *b]))),
        };
        Ok(Self { body, at: 0, is_big, longest: 0 })
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes the body has.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to.max(1));
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], CdrError> {
        let end = self.at.saturating_add(bytes);
        match self.body.get(self.at..end) {
            Some(taken) => {
                self.at = end;
                Ok(taken)
            }
            None => Err(CdrError::Short {
                needed: end.saturating_add(HEADER.len()),
                found: self.body.len() + HEADER.len(),
            }),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CdrError> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CdrError> {
        self.align(4);
        let bytes = self.take(4)?.first_chunk().copied().unwrap_or_default();
        Ok(if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(crate) fn u64(&mut self) -> Result<u64, CdrError> {
        self.align(8);
        let bytes = self.take(8)?.first_chunk().copied().unwrap_or_default();
        Ok(if self.is_big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// The bytes of a text, without the zero that ends it.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], CdrError> {
        let length = self.u32()? as usize;
        let text = self.take(length)?;
        let text = text.strip_suffix(&[0]).unwrap_or(text);
        self.longest = self.longest.max(text.len());
        Ok(text)
    }

    pub(crate) fn string(&mut self) -> Result<String, CdrError> {
        Ok(String::from_utf8_lossy(self.text()?).into_owned())
    }

    pub(crate) fn time(&mut self) -> Result<u64, CdrError> {
        let (seconds, nanos) = (self.u32()?, self.u32()?);
        Ok(u64::from(seconds) * 1_000_000_000 + u64::from(nanos))
    }

    /// Checks that nothing follows but padding.
    pub(crate) fn end(&self) -> Result<(), CdrError> {
        const MOST_PADDING: usize = 7;
        match self.body.len().saturating_sub(self.at) {
            0..=MOST_PADDING => Ok(()),
            _ => Err(CdrError::Long {
                used: self.at + HEADER.len(),
                found: self.body.len() + HEADER.len(),
            }),
        }
    }
}
