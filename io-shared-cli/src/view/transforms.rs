//! `--tf`: how frames lie in others, from a file.

use std::path::Path;

use io_shared_formats::{Transform, transforms};

use crate::failure::Failure;

/// The message of `/tf_static` for what the file says, with no time in it.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("cannot read {file}: {error}")))?;
    let lines = text.lines().enumerate().map(|(at, line)| {
        parse(line).map_err(|what| Failure::Usage(format!("{file}, line {}: {what}", at + 1)))
    });
    let found = lines.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect::<Vec<_>>();
    let mut cdr = Vec::new();
    transforms(&found, &mut cdr).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(cdr)
}

/// A line; `None` if it is empty or a comment.
fn parse(line: &str) -> Result<Option<Transform>, String> {
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [parent, child, numbers @ ..] = &words[..] else {
        return if words.is_empty() { Ok(None) } else { Err("a frame is missing".to_owned()) };
    };
    let number = |word: &&str| match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("{word} is no number")),
    };
    let numbers = numbers.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let (translation, rotation) = match numbers[..] {
        [x, y, z] => ([x, y, z], [0.0, 0.0, 0.0, 1.0]),
        [x, y, z, yaw, pitch, roll] => ([x, y, z], quaternion(yaw, pitch, roll)),
        [x, y, z, qx, qy, qz, qw] => ([x, y, z], unit([qx, qy, qz, qw])?),
        _ => {
            return Err(
                "write PARENT CHILD X Y Z, and QX QY QZ QW or YAW PITCH ROLL if it is turned"
                    .to_owned(),
            );
        }
    };
    let frame = |frame: &str| frame.trim_start_matches('/').to_owned();
    Ok(Some(Transform { parent: frame(parent), child: frame(child), translation, rotation }))
}

fn unit(q: [f64; 4]) -> Result<[f64; 4], String> {
    let length = q.iter().map(|part| part * part).sum::<f64>().sqrt();
    if length < 1e-9 {
        return Err("a rotation of length 0 is none; 0 0 0 1 turns nothing".to_owned());
    }
    Ok(q.map(|part| part / length))
}

/// The rotation by angles in radians: about x first (roll), then y, then z.
fn quaternion(yaw: f64, pitch: f64, roll: f64) -> [f64; 4] {
    let [(sy, cy), (sp, cp), (sr, cr)] = [yaw, pitch, roll].map(|angle| (angle / 2.0).sin_cos());
    [
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_wrong_ones_named() {
        assert_eq!(parse("  # nothing"), Ok(None));
        let moved = parse("base /lidar 1 2 3 # above the roof").unwrap().unwrap();
        assert_eq!((&*moved.parent, &*moved.child), ("base", "lidar"));
        assert_eq!((moved.translation, moved.rotation), ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 1.0]));
        let turned = parse("a b 0 0 0 0 0 2 2").unwrap().unwrap();
        assert!((turned.rotation[2] - 0.5_f64.sqrt()).abs() < 1e-12, "{:?}", turned.rotation);
        let half = std::f64::consts::FRAC_PI_2;
        let yawed = parse(&format!("a b 0 0 0 {half} 0 0")).unwrap().unwrap();
        let apart = yawed.rotation.iter().zip(turned.rotation).map(|(a, b)| (a - b).abs());
        assert!(apart.sum::<f64>() < 1e-9, "a quarter turn to the left: {:?}", yawed.rotation);
        for (line, what) in [
            ("base", "a frame is missing"),
            ("a b 1 2", "write PARENT CHILD"),
            ("a b 1 2 x", "x is no number"),
            ("a b 1 2 inf", "inf is no number"),
            ("a b 0 0 0 0 0 0 0", "length 0"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
