//! The bytes of messages: CDR (XCDR version 1) as ROS 2 has it, and the format of ROS 1.
//!
//! In CDR, four bytes say how the rest is encoded, numbers are aligned to their size, counted from
//! the end of these four, and a text ends in a zero. In ROS 1 there is none of this, and numbers
//! are little-endian.

use std::borrow::Cow;

use crate::error::CdrError;

/// Which ROS: its definitions, and the bytes of its messages.
///
/// ```
/// use io_shared_formats::{FromRos, Ros};
///
/// let (text, bytes) = ("uint8 a\nuint32 b\n", [1, 2, 0, 0, 0]);
/// let mut one = FromRos::new(Ros::One, "pkg/A", text, None)?;
/// assert!(one.convert(&bytes).is_ok());
/// let mut two = FromRos::new(Ros::Two, "pkg/msg/A", text, None)?;
/// assert!(two.convert(&bytes).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ros {
    /// ROS 1: numbers and texts one after the other.
    One,
    /// ROS 2: CDR.
    Two,
}

/// The first bytes of what is written: plain CDR, little-endian.
const HEADER: [u8; 4] = [0, 1, 0, 0];

/// The header of a message that has a time and a frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamped<'t> {
    /// A number of the publisher's. Only ROS 1 has it.
    pub(crate) seq: u32,
    /// The time in nanoseconds since 1970.
    pub(crate) stamp_ns: u64,
    pub(crate) frame_id: Cow<'t, str>,
}

/// Appends the bytes of a message to a vector.
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    pub(crate) ros: Ros,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self::of(Ros::Two, out)
    }

    pub(crate) fn of(ros: Ros, out: &'o mut Vec<u8>) -> Self {
        if ros == Ros::Two {
            out.extend(HEADER);
        }
        let start = out.len();
        Self { out, start, ros }
    }

    /// How many bytes were written after the header.
    pub(crate) fn at(&self) -> usize {
        self.out.len() - self.start
    }

    pub(crate) fn align(&mut self, to: usize) {
        if self.ros == Ros::Two {
            let at = self.at().next_multiple_of(to.max(1));
            self.out.resize(self.start + at, 0);
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, 0);
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
        match self.ros {
            Ros::One => self.count(text.len())?,
            Ros::Two => self.count(text.len() + 1)?,
        }
        self.bytes(text);
        if self.ros == Ros::Two {
            self.u8(0);
        }
        Ok(())
    }

    pub(crate) fn stamped(&mut self, header: &Stamped<'_>) -> Result<(), CdrError> {
        if self.ros == Ros::One {
            self.u32(header.seq);
        }
        self.time(header.stamp_ns);
        self.text(header.frame_id.as_bytes())
    }

    /// A time as two numbers: seconds and nanoseconds.
    pub(crate) fn time(&mut self, nanos: u64) {
        const SECOND: u64 = 1_000_000_000;
        // ROS ends in 2038: the last second stands for what is later.
        self.u32(u32::try_from(nanos / SECOND).unwrap_or(u32::MAX).min(i32::MAX as u32));
        self.u32((nanos % SECOND) as u32);
    }
}

/// Reads the bytes of a message.
pub(crate) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    pub(crate) ros: Ros,
    /// How many bytes come before the body.
    start: usize,
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
        Ok(Self { body, at: 0, ros: Ros::Two, start: HEADER.len(), is_big, longest: 0 })
    }

    pub(crate) fn of(ros: Ros, bytes: &'a [u8]) -> Result<Self, CdrError> {
        match ros {
            Ros::One => Ok(Self { body: bytes, at: 0, ros, start: 0, is_big: false, longest: 0 }),
            Ros::Two => Self::new(bytes),
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What was not read yet.
    pub(crate) fn left(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    /// How many bytes the body has.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn align(&mut self, to: usize) {
        if self.ros == Ros::Two {
            self.at = self.at.next_multiple_of(to.max(1));
        }
    }

    /// The error of a message that ends before `needed` bytes of its body.
    pub(crate) fn short(&self, needed: usize) -> CdrError {
        let found = self.body.len() + self.start;
        CdrError::Short { needed: needed.saturating_add(self.start), found }
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], CdrError> {
        let end = self.at.saturating_add(bytes);
        match self.body.get(self.at..end) {
            Some(taken) => {
                self.at = end;
                Ok(taken)
            }
            None => Err(self.short(end)),
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
        let text = match self.ros {
            Ros::One => text,
            Ros::Two => text.strip_suffix(&[0]).unwrap_or(text),
        };
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

    pub(crate) fn stamped(&mut self) -> Result<Stamped<'a>, CdrError> {
        let seq = if self.ros == Ros::One { self.u32()? } else { 0 };
        let stamp_ns = self.time()?;
        Ok(Stamped { seq, stamp_ns, frame_id: String::from_utf8_lossy(self.text()?) })
    }

    /// Checks that nothing follows but padding.
    pub(crate) fn end(&self) -> Result<(), CdrError> {
        let most = if self.ros == Ros::One { 0 } else { 7 };
        if self.body.len().saturating_sub(self.at) <= most {
            return Ok(());
        }
        Err(CdrError::Long { used: self.at + self.start, found: self.body.len() + self.start })
    }
}
