//! Clouds of points and pictures as NumPy arrays. Their bytes stay where they are, if they can.

use std::borrow::Cow;
use std::collections::HashSet;

use io_shared_core::Array;

use crate::error::CdrError;
use crate::image::Image;
use crate::npy;
use crate::point_cloud::{self, PointCloud2, PointField};

/// An array: its header, and its elements.
pub(crate) struct Npy<'a> {
    pub(crate) header: Vec<u8>,
    pub(crate) data: Cow<'a, [u8]>,
}

impl Npy<'_> {
    /// The message that it is.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.header.extend_from_slice(&self.data);
        self.header
    }
}

/// A cloud as an array of structs; or of numbers, if that is what `is_columns` says and it can be
/// one.
pub(crate) fn of_cloud<'a>(cloud: &PointCloud2<'a>, is_columns: bool) -> Result<Npy<'a>, CdrError> {
    let (height, width) = (cloud.height as usize, cloud.width as usize);
    let rows = points(cloud)?;
    if let Some((code, columns)) = columns(cloud).filter(|_| is_columns) {
        return array(&code, &[width, columns], rows);
    }
    let shape = if height == 1 { vec![width] } else { vec![height, width] };
    array(&dtype_of(cloud)?, &shape, rows)
}

fn wrong(what: &str) -> CdrError {
    CdrError::Unsupported { what: format!("a cloud {what}") }
}

/// The bytes of all points, one after the other.
pub(crate) fn points<'a>(cloud: &PointCloud2<'a>) -> Result<Cow<'a, [u8]>, CdrError> {
    let step = cloud.point_step as usize;
    if step == 0 {
        return Err(wrong("whose points have no bytes"));
    }
    let row = (cloud.width as usize).saturating_mul(step);
    rows(cloud.data, cloud.height as usize, row, cloud.row_step as usize)
        .ok_or_else(|| wrong("that is cut off, or whose rows overlap"))
}

/// The number, and how many of them a point has, if it has nothing but these.
fn columns(cloud: &PointCloud2<'_>) -> Option<(String, usize)> {
    let first = cloud.fields.first()?;
    let code = point_cloud::code(first.datatype, false).filter(|code| code.starts_with("<f"))?;
    let size = npy::size_of_code(&code);
    let is_column = |(number, field): (usize, &PointField)| {
        field.datatype == first.datatype
            && field.count == 1
            && field.offset as usize == number.saturating_mul(size)
            && field.name == point_cloud::column(number)
    };
    let is_plain = cloud.fields.iter().enumerate().all(is_column)
        && cloud.point_step as usize == cloud.fields.len() * size
        && cloud.fields.len() >= 3
        && cloud.height == 1
        && !cloud.is_bigendian;
    is_plain.then_some((code, cloud.fields.len()))
}

/// The dtype of a cloud's points. What has no name is padding.
fn dtype_of(cloud: &PointCloud2<'_>) -> Result<String, CdrError> {
    let mut fields: Vec<_> = cloud.fields.iter().filter(|f| !is_padding(&f.name)).collect();
    fields.sort_by_key(|field| field.offset);
    let (mut dtype, mut end, mut names) = (String::from("["), 0, HashSet::new());
    let pad = |dtype: &mut String, bytes: usize| {
        if bytes > 0 {
            dtype.push_str(&format!("('', '|V{bytes}'), "));
        }
    };
    for field in fields {
        let code = point_cloud::code(field.datatype, cloud.is_bigendian)
            .ok_or_else(|| wrong("with a type of field that is not known"))?;
        let is_plain = |c: char| c.is_alphanumeric() || c == '_';
        if !field.name.chars().all(is_plain) {
            return Err(wrong("with a name that a field cannot have"));
        }
        if !names.insert(&field.name) {
            return Err(wrong("with two fields of the same name"));
        }
        let offset = field.offset as usize;
        let gap = offset.checked_sub(end).ok_or_else(|| wrong("whose fields overlap"))?;
        pad(&mut dtype, gap);
        let count = field.count.max(1) as usize;
        let shape = if count == 1 { String::new() } else { format!(", ({count},)") };
        dtype.push_str(&format!("('{}', '{code}'{shape}), ", field.name));
        end = offset.saturating_add(npy::size_of_code(&code).saturating_mul(count));
    }
    let rest = (cloud.point_step as usize).checked_sub(end);
    pad(&mut dtype, rest.ok_or_else(|| wrong("whose fields do not fit a point"))?);
    Ok(format!("{}]", dtype.trim_end_matches(", ")))
}

/// Whether a field is one that stands for padding: PCL names these `_`.
fn is_padding(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'_')
}

/// A picture as an array of numbers.
pub(crate) fn of_image<'a>(image: &Image<'a>) -> Result<Npy<'a>, CdrError> {
    let wrong = |what: &str| CdrError::Unsupported { what: format!("an image {what}") };
    let (kind, size, channels) = pixel(&image.encoding)
        .ok_or_else(|| wrong(&format!("of encoding {}", image.encoding.escape_debug())))?;
    let order = match (size, image.is_bigendian) {
        (1, _) => '|',
        (_, true) => '>',
        _ => '<',
    };
    let (height, width) = (image.height as usize, image.width as usize);
    let row = width.saturating_mul(size * channels);
    let data = rows(image.data, height, row, image.step as usize)
        .ok_or_else(|| wrong("that is cut off, or whose rows overlap"))?;
    let shape = match channels {
        1 => vec![height, width],
        channels => vec![height, width, channels],
    };
    array(&format!("{order}{kind}{size}"), &shape, data)
}

/// A pixel: NumPy's kind, the bytes of a number, and how many numbers there are.
pub(crate) fn pixel(encoding: &str) -> Option<(char, usize, usize)> {
    if !encoding.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    Some(match encoding {
        "mono8" => ('u', 1, 1),
        "mono16" => ('u', 2, 1),
        "rgb8" | "bgr8" => ('u', 1, 3),
        "rgba8" | "bgra8" => ('u', 1, 4),
        "rgb16" | "bgr16" => ('u', 2, 3),
        "rgba16" | "bgra16" => ('u', 2, 4),
        encoding if encoding.starts_with("bayer_") => {
            ('u', if encoding.ends_with("16") { 2 } else { 1 }, 1)
        }
        encoding => {
            let (bits, rest) = encoding.split_at_checked(encoding.find(['U', 'S', 'F'])?)?;
            let (kind, channels) = rest.split_once('C')?;
            let kind = match kind {
                "U" => 'u',
                "S" => 'i',
                "F" => 'f',
                _ => return None,
            };
            let bits: usize = bits.parse().ok().filter(|bits| [8, 16, 32, 64].contains(bits))?;
            let channels = if channels.is_empty() { 1 } else { channels.parse().ok()? };
            let is_known = (1..=4).contains(&channels) && !(kind == 'f' && bits == 8);
            is_known.then_some((kind, bits / 8, channels))?
        }
    })
}

/// The bytes of all rows, without what lies between them. `None`: some are missing, or overlap.
fn rows(data: &[u8], height: usize, row: usize, step: usize) -> Option<Cow<'_, [u8]>> {
    // What a single row would have after it does not matter.
    let step = if height <= 1 { row } else { step };
    let all = row.checked_mul(height)?;
    if step == row {
        return data.get(..all).map(Cow::Borrowed);
    }
    let last = step.checked_mul(height - 1)?.checked_add(row)?;
    if step < row || last > data.len() {
        return None;
    }
    let mut bytes = Vec::with_capacity(all);
    for row in data.chunks(step.max(1)).take(height).map(|bytes| bytes.get(..row)) {
        bytes.extend_from_slice(row?);
    }
    Some(Cow::Owned(bytes))
}

fn array<'a>(dtype: &str, shape: &[usize], data: Cow<'a, [u8]>) -> Result<Npy<'a>, CdrError> {
    let header = Array::header_of(dtype, false, shape);
    let header = header.map_err(|error| CdrError::Unsupported { what: error.to_string() })?;
    Ok(Npy { header, data })
}
