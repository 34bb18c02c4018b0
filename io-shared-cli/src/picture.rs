//! Clouds and images as pixels.
//!
//! A cloud is seen from above: x to the right, y upwards. Its points are coloured by their height,
//! or by their labels.

use io_shared::Value;
use io_shared::value::List;

/// Pixels of three bytes each.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
    /// What it shows, for people.
    pub(crate) what: String,
}

/// The most pixels of an image.
const MOST_PIXELS: usize = 1 << 26;
/// The most points that are drawn. Of larger clouds it is every second one, or fewer.
const MOST_POINTS: usize = 1 << 23;

/// The picture of a value, or why it has none.
pub(crate) fn draw(
    value: &Value<'_>,
    labels: Option<&List<'_>>,
    size: u32,
) -> Result<Picture, String> {
    if let Some((points, step)) = points(value) {
        return Ok(cloud(&points, step, labels, size));
    }
    let Some(list) = elements(value) else {
        return Err("it is neither a cloud nor an image: no list of points or pixels".to_owned());
    };
    image(&list)?.ok_or_else(|| {
        "it is neither a cloud (points with x, y and z, or an array of (N, 3) floats) nor an image \
         (an array of (H, W) or (H, W, 3))"
            .to_owned()
    })
}

/// The labels in a value: its list of whole numbers.
pub(crate) fn labels<'a>(value: &Value<'a>) -> Result<List<'a>, String> {
    let list = elements(value).ok_or("the labels are not a list of whole numbers")?;
    match list.get(0).is_none_or(|label| label.as_integer().is_some()) {
        true => Ok(list),
        false => Err("the labels are not whole numbers".to_owned()),
    }
}

/// The elements of a message: those of a list, of an array, or of a struct's last field.
fn elements<'a>(value: &Value<'a>) -> Option<List<'a>> {
    match value {
        Value::List(list) => Some(list.clone()),
        Value::Record(record) => {
            let names: Vec<String> = record.iter().map(|(name, _)| name.to_owned()).collect();
            match record.get(names.last()?)? {
                Value::List(list) => Some(list),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The points of a cloud, or of each few one; and of how many one.
fn points(value: &Value<'_>) -> Option<(Vec<[f64; 3]>, usize)> {
    let list = elements(value)?;
    let first = list.get(0)?;
    let step = list.len().div_ceil(MOST_POINTS);
    let part = |point: &Value<'_>, name: &str, number: usize| match point {
        Value::Record(record) => record.get(name)?.as_f64(),
        Value::List(list) => list.get(number)?.as_f64(),
        _ => None,
    };
    let is_cloud = match &first {
        Value::Record(record) => ["x", "y", "z"].into_iter().all(|name| record.get(name).is_some()),
        Value::List(list) => {
            let is_float = matches!(list.get(0), Some(Value::F32(_) | Value::F64(_)));
            is_float && (3..=8).contains(&list.len())
        }
        _ => false,
    };
    let point = |point: Value<'_>| {
        Some([part(&point, "x", 0)?, part(&point, "y", 1)?, part(&point, "z", 2)?])
    };
    // The first that is none ends it: of elements without bytes there may be any number.
    let points = || list.iter().step_by(step).map_while(point).collect();
    let points = is_cloud.then(points).filter(|points: &Vec<_>| !points.is_empty())?;
    Some((points, step))
}

fn cloud(points: &[[f64; 3]], step: usize, labels: Option<&List<'_>>, size: u32) -> Picture {
    let axis = |axis: usize| {
        let mut all: Vec<f64> = points.iter().map(|point| point[axis]).collect();
        all.retain(|number| number.is_finite());
        all.sort_by(f64::total_cmp);
        // A few stray points shall not make the rest a dot.
        let strays = all.len() / 200;
        let lowest = all.get(strays).copied().unwrap_or(0.0);
        (lowest, all.iter().rev().nth(strays).copied().unwrap_or(0.0))
    };
    let [(left, right), (bottom, top), (low, high)] = [axis(0), axis(1), axis(2)];
    let (across, up) = ((right - left).max(1e-9), (top - bottom).max(1e-9));
    let scale = f64::from(size - 1) / across.max(up);
    let pixels = |length: f64| ((length * scale) as u32 + 1).clamp(1, size);
    let (width, height) = (pixels(across), pixels(up));
    let mut picture = vec![0; 3 * width as usize * height as usize];
    for (number, [x, y, z]) in points.iter().enumerate() {
        let (column, row) = ((x - left) * scale, (top - y) * scale);
        let is_inside = column >= 0.0 && row >= 0.0;
        if !(is_inside && column < f64::from(width) && row < f64::from(height)) {
            continue;
        }
        let label = |labels: &List<'_>| labels.get(number.saturating_mul(step))?.as_integer();
        let color = match labels.map(label) {
            Some(Some(label)) => of_label(label),
            Some(None) => [90; 3],
            None => of_share((z - low) / (high - low).max(1e-9)),
        };
        let at = 3 * (row as usize * width as usize + column as usize);
        if let Some(pixel) = picture.get_mut(at..at + 3) {
            pixel.copy_from_slice(&color);
        }
    }
    let by = if labels.is_some() { "by label" } else { "by height" };
    let every = if step > 1 { format!(" (one of {step})") } else { String::new() };
    let what = format!(
        "{} points{every} from above, {across:.1} x {up:.1}, coloured {by}, {width} x {height} \
         pixels",
        points.len()
    );
    Picture { width, height, pixels: picture, what }
}

/// An image, if the rows are one; or why it cannot be drawn.
fn image(rows: &List<'_>) -> Result<Option<Picture>, String> {
    let Some(Value::List(first)) = rows.get(0) else { return Ok(None) };
    let (height, width) = (rows.len(), first.len());
    if width == 0 {
        return Ok(None);
    }
    if height.checked_mul(width).is_none_or(|pixels| pixels > MOST_PIXELS) {
        let text = "the image has more pixels than a picture here";
        return Err(format!("{text}: {width} x {height}, at most {MOST_PIXELS} in all"));
    }
    Ok(pixels(rows, &first, width, height))
}

fn pixels(rows: &List<'_>, first: &List<'_>, width: usize, height: usize) -> Option<Picture> {
    let mut pixels = Vec::new();
    let what = match first.get(0)? {
        Value::List(channels) if matches!(channels.len(), 3 | 4) => {
            for_each_pixel(rows, |pixel| {
                let Value::List(channels) = pixel else { return None };
                let byte = |channel| Some(channels.get(channel)?.as_integer()? as u8);
                pixels.extend([byte(0)?, byte(1)?, byte(2)?]);
                Some(())
            })?;
            "an image"
        }
        Value::UInt(_) | Value::Int(_) | Value::F32(_) | Value::F64(_) | Value::Bool(_) => {
            let (near, far) = reach(rows)?;
            let is_grey = matches!(first.get(0)?, Value::UInt(_)) && far <= 255.0;
            for_each_pixel(rows, |level| {
                let level = level.as_f64()?;
                let shade = if is_grey { level as u8 } else { of_distance(level, near, far) };
                pixels.extend([shade; 3]);
                Some(())
            })?;
            if is_grey { "an image" } else { "a depth image, near is bright" }
        }
        _ => return None,
    };
    let what = format!("{what}, {width} x {height} pixels");
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    (pixels.len() == 3 * width as usize * height as usize).then_some(Picture {
        width,
        height,
        pixels,
        what,
    })
}

fn for_each_pixel(rows: &List<'_>, mut each: impl FnMut(Value<'_>) -> Option<()>) -> Option<()> {
    for row in rows.iter() {
        let Value::List(row) = row else { return None };
        row.iter().try_for_each(&mut each)?;
    }
    Some(())
}

/// The least and the greatest distance in a depth image, of those that are known.
fn reach(rows: &List<'_>) -> Option<(f64, f64)> {
    let (mut near, mut far) = (f64::INFINITY, 0.0_f64);
    for_each_pixel(rows, |level| {
        let level = level.as_f64()?;
        if level.is_finite() && level > 0.0 {
            (near, far) = (near.min(level), far.max(level));
        }
        Some(())
    })?;
    Some((near, far))
}

/// A distance as grey: near is bright, unknown is black.
fn of_distance(level: f64, near: f64, far: f64) -> u8 {
    match level.is_finite() && level > 0.0 {
        true => (255.0 - 215.0 * (level - near) / (far - near).max(1e-9)) as u8,
        false => 0,
    }
}

/// From blue at 0 over green and yellow to red at 1.
fn of_share(share: f64) -> [u8; 3] {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let wave = |center: f64| (255.0 * (1.5 - (4.0 * share - center).abs()).clamp(0.0, 1.0)) as u8;
    [wave(3.0), wave(2.0), wave(1.0)]
}

/// Different colors for different labels; grey for 0.
fn of_label(label: i128) -> [u8; 3] {
    if label == 0 {
        return [110; 3];
    }
    let mixed = (label as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [.., red, green, blue] = mixed.to_be_bytes();
    let [r, g, b] = [red, green, blue].map(|part| 80 + (part >> 1) + (part >> 3));
    [r, g, b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use io_shared::Schema;

    fn pixel(picture: &Picture, column: u32, row: u32) -> [u8; 3] {
        let at = 3 * (row * picture.width + column) as usize;
        [picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2]]
    }

    #[test]
    fn a_cloud_is_seen_from_above_with_y_upwards() {
        let schema = Schema::from_json(r#"{"slice":{"array":3,"of":"<f4"}}"#).unwrap();
        let points = [[0.0_f32, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 10.0, 5.0]];
        let bytes: Vec<u8> =
            points.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        let value = Value::decode(&schema, &bytes).unwrap();
        let picture = draw(&value, None, 101).unwrap();
        assert_eq!((picture.width, picture.height), (101, 101));
        assert_eq!(pixel(&picture, 0, 100), of_share(0.0));
        assert_eq!(pixel(&picture, 100, 0), of_share(1.0));
        assert_eq!(pixel(&picture, 50, 50), [0; 3]);
        let schema = Schema::from_json(r#"{"slice":"<u4"}"#).unwrap();
        let answers = [1_u32, 1, 2].map(u32::to_le_bytes).concat();
        let answers = labels(&Value::decode(&schema, &answers).unwrap()).unwrap();
        let labelled = draw(&value, Some(&answers), 101).unwrap();
        assert_eq!(pixel(&labelled, 100, 0), of_label(2));
        assert_eq!(pixel(&labelled, 0, 100), pixel(&labelled, 100, 100));
        assert_ne!(of_label(1), of_label(2));
    }

    #[test]
    fn images_are_drawn_as_they_are_and_depth_with_the_near_bright() {
        let grey = Schema::from_json(r#"{"array":2,"of":{"array":2,"of":"|u1"}}"#).unwrap();
        let picture = draw(&Value::decode(&grey, &[0, 1, 2, 255]).unwrap(), None, 16).unwrap();
        assert_eq!(picture.pixels, [0, 0, 0, 1, 1, 1, 2, 2, 2, 255, 255, 255]);
        let depth = Schema::from_json(r#"{"array":1,"of":{"array":9,"of":"<f4"}}"#).unwrap();
        let numbers = [1.0_f32, 2.0, 0.0, f32::NAN, 1.0, 1.0, 1.0, 1.0, 2.0];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let picture = draw(&Value::decode(&depth, &bytes).unwrap(), None, 16).unwrap();
        let shades: Vec<u8> = picture.pixels.iter().copied().step_by(3).collect();
        assert_eq!(shades, [255, 40, 0, 0, 255, 255, 255, 255, 40]);
        let text = Schema::from_json(r#""|S4""#).unwrap();
        assert!(draw(&Value::decode(&text, b"abcd").unwrap(), None, 16).is_err());
    }
}
