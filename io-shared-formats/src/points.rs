//! The points of a cloud as those of a channel's own type, by the names of their fields.

use std::borrow::Cow;

use io_shared_core::Schema;
use io_shared_core::schema::{Scalar, Struct, Type};

use crate::arrays;
use crate::error::CdrError;
use crate::header::Header;
use crate::npy;
use crate::numbers::{self, scalar_of};
use crate::point_cloud::{self, PointCloud2, PointField};
use crate::value::{flat, put};

/// A message: its fields before the points, and the points.
pub(crate) struct Typed<'a> {
    pub(crate) head: Vec<u8>,
    pub(crate) points: Cow<'a, [u8]>,
}

/// A cloud as a message of this schema, which ends in points. Every field of a point, except for
/// padding, has to be in the cloud.
pub(crate) fn of_cloud<'a>(
    cloud: &PointCloud2<'a>,
    schema: &Schema,
) -> Result<Typed<'a>, CdrError> {
    let no_points = || CdrError::Unsupported {
        what: format!("a cloud as `{}`, which does not end in points,", schema.name()),
    };
    let (head, last) = match schema.root() {
        Type::Struct(layout) => (Some(layout), layout.fields.last().map(|last| &last.ty)),
        root => (None, Some(root)),
    };
    let Some(Type::Slice { element }) = last else { return Err(no_points()) };
    let Type::Struct(point) = &**element else { return Err(no_points()) };
    let head = head.map_or(Ok(Vec::new()), |layout| head_of(cloud, layout, schema))?;
    Ok(Typed { head, points: points(cloud, point)? })
}

/// The fields before the points that the cloud has too.
fn head_of(cloud: &PointCloud2<'_>, layout: &Struct, schema: &Schema) -> Result<Vec<u8>, CdrError> {
    let mut head = vec![0; layout.shape.size];
    for field in &layout.fields {
        let number = match &*field.name {
            "height" => u64::from(cloud.height),
            "width" => u64::from(cloud.width),
            "is_dense" => u64::from(cloud.is_dense),
            "frame_id" => {
                if let Type::Text(room) = field.ty {
                    let text = cloud.frame_id.as_bytes();
                    put(&mut head, field.offset, text.get(..room).unwrap_or(text))?;
                }
                continue;
            }
            _ => continue,
        };
        if let Some(to) = scalar_of(&field.ty) {
            let room = head.get_mut(field.offset..field.offset.saturating_add(to.size()));
            let room = room.ok_or(CdrError::Length { found: layout.shape.size })?;
            numbers::convert(Scalar::U64, &number.to_le_bytes(), to, room)?;
        }
    }
    if let Some(at) = Header::of(schema).stamp_at() {
        put(&mut head, at, &cloud.stamp_ns.to_le_bytes())?;
    }
    Ok(head)
}

/// A field of a point: where it lies in the cloud and in the channel, and its numbers.
struct Copied {
    from: usize,
    to: usize,
    scalars: (Scalar, Scalar),
    count: usize,
}

impl Copied {
    fn is_same(&self) -> bool {
        numbers::is_same(self.scalars.0, self.scalars.1)
    }
}

fn points<'a>(cloud: &PointCloud2<'a>, point: &Struct) -> Result<Cow<'a, [u8]>, CdrError> {
    let bytes = arrays::points(cloud)?;
    let (step, size) = (cloud.point_step as usize, point.shape.size);
    let fields = point.fields.iter().filter(|field| !field.name.starts_with('_'));
    let mut copied = Vec::new();
    for field in fields {
        let found = cloud.fields.iter().find(|known| known.name == field.name);
        let copy = found.and_then(|found| copy(found, field.offset, &field.ty, step));
        copied.push(copy.ok_or_else(|| CdrError::Unsupported {
            what: format!("a cloud without the field `{}: {}` of points", field.name, field.ty),
        })?);
    }
    let is_there = |copied: &Copied| copied.from == copied.to && copied.is_same();
    if step == size && !cloud.is_bigendian && copied.iter().all(is_there) {
        return Ok(bytes);
    }
    let count = bytes.len() / step.max(1);
    let wide = CdrError::TooLarge { bytes: count.saturating_mul(size) };
    // A point of a channel may be larger than one of the cloud, but not by much.
    if size > step.saturating_mul(16).saturating_add(256) {
        return Err(wide);
    }
    let mut out = vec![0; count.saturating_mul(size)];
    let (same, other): (Vec<_>, Vec<_>) =
        copied.into_iter().partition(|field| !cloud.is_bigendian && field.is_same());
    for run in runs(&same) {
        match run.bytes {
            4 => strided::<4>(&bytes, step, &mut out, size, &run),
            8 => strided::<8>(&bytes, step, &mut out, size, &run),
            12 => strided::<12>(&bytes, step, &mut out, size, &run),
            16 => strided::<16>(&bytes, step, &mut out, size, &run),
            _ => (0..run.bytes).for_each(|byte| {
                let run = Run { from: run.from + byte, to: run.to + byte, bytes: 1 };
                strided::<1>(&bytes, step, &mut out, size, &run);
            }),
        }
    }
    if !other.is_empty() {
        for (from, to) in bytes.chunks_exact(step.max(1)).zip(out.chunks_exact_mut(size.max(1))) {
            for field in &other {
                one(field, from, to, cloud.is_bigendian)?;
            }
        }
    }
    Ok(Cow::Owned(out))
}

/// Bytes that are the same in a point of the cloud and in one of the channel.
struct Run {
    from: usize,
    to: usize,
    bytes: usize,
}

/// Fields that are copied as they are, and together where they are neighbours in both points.
fn runs(fields: &[Copied]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for field in fields {
        let (from, to, bytes) = (field.from, field.to, field.scalars.0.size() * field.count);
        match runs.last_mut() {
            Some(last) if last.from + last.bytes == from && last.to + last.bytes == to => {
                last.bytes += bytes;
            }
            _ => runs.push(Run { from, to, bytes }),
        }
    }
    runs
}

/// Copies `N` bytes of each point.
fn strided<const N: usize>(from: &[u8], step: usize, to: &mut [u8], size: usize, run: &Run) {
    for (from, to) in from.chunks_exact(step.max(1)).zip(to.chunks_exact_mut(size.max(1))) {
        let from = from.get(run.from..).and_then(|from| from.first_chunk::<N>());
        let to = to.get_mut(run.to..).and_then(|to| to.first_chunk_mut::<N>());
        if let Some((from, to)) = from.zip(to) {
            *to = *from;
        }
    }
}

/// How a field of a point is copied. `None`: it does not fit the point, or is of another shape.
fn copy(found: &PointField, to: usize, ty: &Type, step: usize) -> Option<Copied> {
    let (element, count) = flat(ty);
    let code = point_cloud::code(found.datatype, false)?;
    let scalars = (Scalar::from_code(&code)?, scalar_of(element)?);
    let from = found.offset as usize;
    let end = npy::size_of_code(&code).checked_mul(count)?.checked_add(from)?;
    let is_there = found.count.max(1) as usize == count && end <= step;
    is_there.then_some(Copied { from, to, scalars, count })
}

fn one(field: &Copied, from: &[u8], to: &mut [u8], is_big: bool) -> Result<(), CdrError> {
    let (source, target) = field.scalars;
    let (from_size, to_size) = (source.size(), target.size());
    for number in 0..field.count {
        let (at, to_at) = (field.from + number * from_size, field.to + number * to_size);
        let bytes = from.get(at..at + from_size).ok_or(CdrError::List)?;
        let room = to.get_mut(to_at..to_at + to_size).ok_or(CdrError::List)?;
        if !is_big {
            numbers::convert(source, bytes, target, room)?;
            continue;
        }
        let mut little = [0; 8];
        let little = little.get_mut(..from_size).unwrap_or_default();
        little.copy_from_slice(bytes);
        little.reverse();
        numbers::convert(source, little, target, room)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_neighbours_on_both_sides_are_copied_together() {
        let float = |from, to| Copied { from, to, scalars: (Scalar::F32, Scalar::F32), count: 1 };
        let runs = runs(&[
            float(4, 0),
            float(8, 4),
            float(0, 8),
            float(12, 16),
            float(16, 12),
            float(20, 24),
        ]);
        let runs: Vec<_> = runs.iter().map(|run| (run.from, run.to, run.bytes)).collect();
        assert_eq!(runs, [(4, 0, 8), (0, 8, 4), (12, 16, 4), (16, 12, 4), (20, 24, 4)]);
    }
}
