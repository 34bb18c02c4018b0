//! What the tests of `io-shared view` look at: two clouds, an image, depths, and numbers.
//!
//!   view_scene PREFIX SECONDS [camera [NAME]]
//!
//! Ten times a second it puts into `PREFIX_left` and `PREFIX_right` a square of 120,000 points each
//! less the number of the value, 4 m wide, at z = 0, in the right one of growing intensity; into
//! `PREFIX_image` 64 x 48 pixels of red, green, blue and white, one in each quarter; into
//! `PREFIX_depth` rows of 1,000 to 1,047; and into `PREFIX_state` half the number of the value. All
//! of that follows from the number of the value.
//! With `camera` it puts into `PREFIX_camera`, or `PREFIX_NAME`, alone: 640 x 480 pixels.

use std::time::{Duration, Instant};

use io_shared::{Array, Channel, Message, Producer, Result};

const POINTS: usize = 120_000;
const PERIOD: Duration = Duration::from_millis(100);

/// A point that some lidar measures.
#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    z: f32,
    intensity: f32,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    points: [Point],
}

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct State {
    frame: u64,
    half: f64,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(prefix), Some(seconds)) = (arguments.next(), arguments.next()) else {
        return Err("usage: view_scene PREFIX SECONDS [camera]".into());
    };
    let until = Instant::now() + Duration::from_secs_f64(seconds.parse()?);
    let name = |what: &str| format!("{prefix}_{what}");
    if arguments.next().is_some_and(|what| what == "camera") {
        return camera(&name(arguments.next().as_deref().unwrap_or("camera")), until);
    }
    let cloud = |what| Channel::<Cloud>::named(name(what)).elements(POINTS).producer();
    let mut clouds = [cloud("left")?, cloud("right")?];
    let (mut image, mut depth) = (array(&name("image"), "64K")?, array(&name("depth"), "64K")?);
    let mut state = io_shared::producer::<State>(name("state"))?;
    let mut frame = 0;
    while Instant::now() < until {
        frame += 1;
        for (producer, slope) in clouds.iter_mut().zip([0.0, 1.0]) {
            put_square(producer, frame, slope)?;
        }
        image.put(&quarters(64, 48)?)?;
        depth.put(&rows()?)?;
        state.put(&State { frame, half: frame as f64 / 2.0 })?;
        std::thread::sleep(PERIOD);
    }
    for what in ["left", "right", "image", "depth", "state"] {
        io_shared::remove(name(what))?;
    }
    Ok(())
}

fn put_square(producer: &mut Producer<Cloud>, frame: u64, slope: f32) -> Result<()> {
    let count = POINTS - frame as usize;
    let mut loan = producer.loan_len(count)?;
    loan.frame = frame;
    for (n, point) in loan.points.iter_mut().enumerate() {
        let (row, column) = (n / 400, n % 400);
        let at = |part: usize, of: f32| part as f32 / of * 4.0 - 2.0;
        let (x, y, intensity) = (at(column, 400.0), at(row, 300.0), 0.5 + slope * n as f32);
        *point = Point { x, y, z: 0.0, intensity };
    }
    loan.put()?;
    Ok(())
}

/// A camera and nothing else.
fn camera(name: &str, until: Instant) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (mut camera, picture) = (array(name, "1M")?, quarters(640, 480)?);
    while Instant::now() < until {
        camera.put(&picture)?;
        std::thread::sleep(PERIOD);
    }
    Ok(io_shared::remove(name)?)
}

/// A channel of arrays.
fn array(name: &str, capacity: &str) -> Result<Producer<[u8]>> {
    Channel::<[u8]>::named(name).schema(Array::schema()).capacity(capacity).producer()
}

fn quarters(
    width: usize,
    height: usize,
) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    let color = |n: usize| match (n / width < height / 2, n % width < width / 2) {
        (true, true) => [255, 0, 0],
        (true, false) => [0, 255, 0],
        (false, true) => [0, 0, 255],
        (false, false) => [255, 255, 255],
    };
    let pixels: Vec<u8> = (0..height * width).flat_map(color).collect();
    Ok(Array::to_bytes("|u1", &[height, width, 3], &pixels)?)
}

fn rows() -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    let depths = (0..48 * 64).flat_map(|n: u16| (1000 + n / 64).to_le_bytes());
    Ok(Array::to_bytes("<u2", &[48, 64], &depths.collect::<Vec<u8>>())?)
}
