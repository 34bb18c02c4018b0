//! Recorded lidar scans in the format of the KITTI data set, for `--input`.
//!
//! The lidar reads them completely at the start, so that playing them needs no disk access. A file
//! consists of records of four little-endian `f32` (x, y, z, intensity) without a header. Numbers
//! are kept as they are, even if not finite; the segmentation leaves such points unlabelled.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::messages::{MAX_POINTS, Point};

const RECORD: usize = 16;

#[derive(Debug)]
pub(crate) enum ScanError {
    Unreadable(PathBuf, io::Error),
    /// The length in bytes is no multiple of a record.
    Ragged(PathBuf, u64),
    /// The length in bytes is zero.
    Empty(PathBuf),
    /// The length in bytes is more than fits in the channel.
    TooLarge(PathBuf, u64),
}

/// The length in bytes of a file that can be read and whose length is that of a scan. This is
/// checked before reading, so that a mistyped name of a huge file does not fill the memory.
pub(crate) fn length_of(path: &Path) -> Result<u64, ScanError> {
    let unreadable = |error| ScanError::Unreadable(path.to_owned(), error);
    let found = File::open(path).and_then(|file| file.metadata()).map_err(unreadable)?;
    if found.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    match found.len() {
        0 => Err(ScanError::Empty(path.to_owned())),
        length if length > (MAX_POINTS * RECORD) as u64 => {
            Err(ScanError::TooLarge(path.to_owned(), length))
        }
        length if !length.is_multiple_of(RECORD as u64) => {
            Err(ScanError::Ragged(path.to_owned(), length))
        }
        length => Ok(length),
    }
}

/// Reads one scan.
pub(crate) fn read(path: &Path) -> Result<Vec<Point>, ScanError> {
    length_of(path)?;
    let bytes = fs::read(path).map_err(|error| ScanError::Unreadable(path.to_owned(), error))?;
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        return Err(ScanError::Ragged(path.to_owned(), bytes.len() as u64));
    }
    let number = |record: &[u8; RECORD], at: usize| {
        f32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    Ok(records
        .iter()
        .map(|record| Point {
            x: number(record, 0),
            y: number(record, 4),
            z: number(record, 8),
            intensity: number(record, 12),
        })
        .collect())
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanError::Unreadable(path, error) => {
                write!(f, "cannot read the scan {}: {error}", path.display())
            }
            ScanError::Ragged(path, length) => write!(
                f,
                "{} is no KITTI scan: {length} bytes is no multiple of {RECORD} (x, y, z and \
                 intensity as f32)",
                path.display()
            ),
            ScanError::Empty(path) => write!(f, "the scan {} is empty", path.display()),
            ScanError::TooLarge(path, length) => write!(
                f,
                "{} has {length} bytes, but the channel has room for {MAX_POINTS} points only",
                path.display()
            ),
        }
    }
}

impl std::error::Error for ScanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ScanError::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}
