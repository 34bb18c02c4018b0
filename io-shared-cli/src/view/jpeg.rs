//! `--jpeg`: pictures as JPEG, which take a tenth of the bytes.

use io_shared_formats::Image;
use jpeg_encoder::{ColorType, Encoder};

/// Whether pictures of this encoding become JPEG. Numbers of more than 8 bits stay as they are.
pub(super) fn can_encode(encoding: &str) -> bool {
    color(encoding).is_some()
}

/// What a pixel is, and its bytes.
fn color(encoding: &str) -> Option<(ColorType, usize)> {
    Some(match encoding {
        "mono8" => (ColorType::Luma, 1),
        "rgb8" => (ColorType::Rgb, 3),
        "bgr8" => (ColorType::Bgr, 3),
        "rgba8" => (ColorType::Rgba, 4),
        "bgra8" => (ColorType::Bgra, 4),
        _ => return None,
    })
}

/// The JPEG of a picture; an error if its bytes are not as many as its size asks for.
pub(super) fn encode(image: &Image<'_>, quality: u8) -> Result<Vec<u8>, String> {
    let encoding = &image.encoding;
    let (color, bytes) = color(encoding).ok_or_else(|| format!("{encoding} cannot be a JPEG"))?;
    let side = |pixels: u32| {
        u16::try_from(pixels).map_err(|_| format!("a JPEG has at most 65535 pixels, not {pixels}"))
    };
    let (width, height) = (side(image.width)?, side(image.height)?);
    let needed = usize::from(width) * usize::from(height) * bytes;
    if image.data.len() != needed || needed == 0 {
        return Err(format!("{width} x {height} pixels of {encoding} are {needed} bytes"));
    }
    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, quality);
    encoder.encode(image.data, width, height, color).map_err(|error| error.to_string())?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(encoding: &str, width: u32, height: u32, data: &[u8]) -> Result<Vec<u8>, String> {
        let image = Image {
            stamp_ns: 0,
            frame_id: String::new(),
            height,
            width,
            encoding: encoding.to_owned(),
            is_bigendian: false,
            step: 0,
            data,
        };
        encode(&image, 80)
    }

    #[test]
    fn a_picture_becomes_a_jpeg_and_a_wrong_size_is_told() {
        let jpeg = image("rgb8", 16, 8, &[100; 16 * 8 * 3]).unwrap();
        assert_eq!((&jpeg[..2], &jpeg[jpeg.len() - 2..]), (&[0xff, 0xd8][..], &[0xff, 0xd9][..]));
        assert!(can_encode("mono8") && !can_encode("16UC1"));
        for (encoding, width, height, what) in [
            ("rgb8", 16, 9, "432 bytes"),
            ("rgb8", 0, 0, "0 bytes"),
            ("rgb8", 70_000, 1, "65535"),
            ("32FC1", 16, 8, "cannot be"),
        ] {
            let error = image(encoding, width, height, &[100; 16 * 8 * 3]).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}
