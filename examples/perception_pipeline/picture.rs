//! A bird's-eye picture of one labelled scan, for `--png`.
//!
//! The viewer draws it once, at the end. The sensor is in the middle and drives to the right. The
//! ground is grey and as bright as it reflects, each cluster has its own colour, and points without
//! a label stay dark. Rings mark every ten metres.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use crate::messages::Point;
use crate::segmentation::{FIRST_CLUSTER, GROUND, UNLABELLED};

const WIDTH: usize = 1000;
const HEIGHT: usize = 560;
/// Pixels a metre.
const SCALE: f32 = 10.0;
/// The picture is drawn this many times larger and averaged, which smooths edges and keeps crowded
/// areas bright.
const FINE: usize = 2;

type Colour = [f32; 3];
const BACKGROUND: Colour = [13.0, 17.0, 23.0];
const RING: Colour = [52.0, 64.0, 82.0];
const TEXT: Colour = [150.0, 165.0, 185.0];
const DARK: Colour = [74.0, 66.0, 58.0];
const SENSOR: Colour = [255.0, 255.0, 255.0];

/// Whether a picture can be written there. The try leaves nothing behind.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() => File::options().append(true).open(path).map(drop),
        Ok(_) => Ok(()), // a device or a pipe: opening it may wait
        Err(_) => {
            File::create_new(path)?;
            fs::remove_file(path)
        }
    }
}

/// Writes the picture; `points` and `labels` belong together by index.
pub(crate) fn write(path: &Path, points: &[Point], labels: &[u32]) -> io::Result<()> {
    let mut canvas = Canvas::new();
    canvas.rings();
    // Layer by layer, so that a wall is never hidden by the pavement in front of it.
    for layer in [GROUND, UNLABELLED, FIRST_CLUSTER] {
        for (point, &label) in points.iter().zip(labels) {
            if label.min(FIRST_CLUSTER) == layer {
                let size = if label < FIRST_CLUSTER { 1 } else { 2 };
                canvas.point(point, size, colour(label, point.intensity));
            }
        }
    }
    canvas.sensor();
    canvas.scale_bar();
    canvas.save(path)
}

fn colour(label: u32, intensity: f32) -> Colour {
    let intensity = intensity.clamp(0.0, 1.0);
    match label {
        UNLABELLED => DARK,
        GROUND => [0.96, 1.0, 1.06].map(|tint| tint * (74.0 + 150.0 * intensity)),
        cluster => {
            // The golden angle keeps the hues of any number of neighbours apart.
            let hue = (cluster as f32 * 137.507_76).rem_euclid(360.0);
            let lightness = [0.66_f32, 0.58, 0.75][cluster as usize % 3];
            let strength = 0.85 * lightness.min(1.0 - lightness);
            [0.0, 8.0, 4.0].map(|offset| {
                let k = (offset + hue / 30.0) % 12.0;
                255.0 * (lightness - strength * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0))
            })
        }
    }
}

struct Canvas {
    pixels: Vec<Colour>,
}

impl Canvas {
    const COLUMNS: usize = WIDTH * FINE;
    const ROWS: usize = HEIGHT * FINE;

    fn new() -> Canvas {
        Canvas { pixels: vec![BACKGROUND; Self::COLUMNS * Self::ROWS] }
    }

    /// From metres in the sensor frame to fine pixels, right and down.
    fn place(x: f32, y: f32) -> (f32, f32) {
        let fine = SCALE * FINE as f32;
        (Self::COLUMNS as f32 / 2.0 + x * fine, Self::ROWS as f32 / 2.0 - y * fine)
    }

    fn dot(&mut self, column: f32, row: f32, colour: Colour, opacity: f32) {
        if (0.0..Self::COLUMNS as f32).contains(&column) && (0.0..Self::ROWS as f32).contains(&row)
        {
            let pixel = &mut self.pixels[row as usize * Self::COLUMNS + column as usize];
            for (under, over) in pixel.iter_mut().zip(colour) {
                *under += (over - *under) * opacity;
            }
        }
    }

    fn point(&mut self, point: &Point, size: i32, colour: Colour) {
        let (column, row) = Self::place(point.x, point.y);
        for down in -size..=size {
            for right in -size..=size {
                self.dot(column + right as f32, row + down as f32, colour, 0.7);
            }
        }
    }

    fn rings(&mut self) {
        for radius in (10..=50).step_by(10) {
            let steps = 80 * radius * FINE;
            for step in 0..steps {
                let (sin, cos) = (std::f32::consts::TAU * step as f32 / steps as f32).sin_cos();
                let (column, row) = Self::place(radius as f32 * cos, radius as f32 * sin);
                self.dot(column, row, RING, 0.8);
            }
        }
    }

    /// An arrowhead that points ahead.
    fn sensor(&mut self) {
        let half = 10 * FINE as i32;
        for across in -half..=half {
            for along in -half..=half {
                let (x, y) = (across as f32 / half as f32, along as f32 / half as f32);
                if y.abs() < (1.0 - x) * 0.4 && x > -0.9 + 0.8 * (0.3 - y.abs()).max(0.0) {
                    let (column, row) = Self::place(0.0, 0.0);
                    self.dot(column + across as f32, row + along as f32, SENSOR, 1.0);
                }
            }
        }
    }

    /// The distance from one ring to the next, in the corner.
    fn scale_bar(&mut self) {
        let (left, bottom) = (24 * FINE, Self::ROWS - 24 * FINE);
        let length = (10.0 * SCALE) as usize * FINE;
        for along in 0..=length {
            let at_end = along < 2 * FINE || along > length - 2 * FINE;
            let height = if at_end { 4 * FINE } else { FINE };
            for up in 0..height {
                self.dot((left + along) as f32, (bottom - up) as f32, TEXT, 1.0);
            }
        }
        self.text("10 m", (left + length / 2 - 23 * FINE) as f32, (bottom - 24 * FINE) as f32);
    }

    fn text(&mut self, text: &str, left: f32, top: f32) {
        const SIZE: usize = 2 * FINE;
        for (place, letter) in text.chars().enumerate() {
            for (row, bits) in glyph(letter).into_iter().enumerate() {
                for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                    for fine in 0..SIZE * SIZE {
                        let right = (place * 6 + column) * SIZE + fine % SIZE;
                        let down = row * SIZE + fine / SIZE;
                        self.dot(left + right as f32, top + down as f32, TEXT, 1.0);
                    }
                }
            }
        }
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(WIDTH * HEIGHT * 3);
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                let mut sum = [0.0; 3];
                for fine in 0..FINE * FINE {
                    let row = row * FINE + fine / FINE;
                    let column = column * FINE + fine % FINE;
                    let pixel = self.pixels[row * Self::COLUMNS + column];
                    sum.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += part);
                }
                bytes.extend(sum.map(|sum| (sum / (FINE * FINE) as f32) as u8));
            }
        }
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, WIDTH as u32, HEIGHT as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        Ok(writer.finish()?)
    }
}

/// Seven rows of five pixels: the few letters that the scale needs.
fn glyph(letter: char) -> [u8; 7] {
    match letter {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        'm' => [0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101],
        _ => [0; 7],
    }
}
