//! A synthetic street under a spinning lidar: what the pipeline scans without input files.
//!
//! The street never ends. Houses, parked cars, posts and people stand in slots along the road. What
//! stands in a slot follows from the seed and the slot's number. The sensor drives down the right
//! lane among other cars. A frame therefore depends on its number alone: any process computes the
//! same points for it, in any order.
//!
//! Everything except the houses is lower than the sensor, so no shadow cuts a wall in two. Objects
//! keep more than a metre of air between them, so it is clear what should be found. The sensor is
//! modelled on the Velodyne HDL-64E, which recorded the KITTI data set.

use crate::messages::Point;

/// Laser beams, one above the other.
pub(crate) const BEAMS: usize = 64;
/// Firings in one turn at 10 Hz.
pub(crate) const COLUMNS: usize = 2083;
/// The most points that one frame can have; beams that meet nothing return nothing.
pub(crate) const MAX_POINTS: usize = BEAMS * COLUMNS;
/// The object of a point that lies on the road or the pavement; things count from 1.
pub(crate) const GROUND: u32 = 0;

const SECONDS_PER_FRAME: f64 = 0.1;
const SENSOR_HEIGHT: f32 = 1.73;
const MAX_RANGE: f32 = 80.0;
/// The sensor drives in the right lane: y of the lane's middle, and metres per second.
const LANE: f32 = -1.75;
const SPEED: f64 = 5.0;
/// From the middle of the road to the kerb.
const KERB: f32 = 5.9;
const KERB_HEIGHT: f32 = 0.14;
/// The road falls from its middle to both kerbs, for the rain.
const CROWN: f32 = 0.02;
/// Share of the beams that are lost on the way, as in real scans.
const LOSS: f32 = 0.05;
/// A beam that meets a roof or a wall at a flatter angle (its sine) glances off and is lost.
const GLANCING: f32 = 0.12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    House,
    ParkedCar,
    MovingCar,
    Post,
    Person,
}

/// Something that stands on the street, made of upright solids.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    reflectance: f32,
    solids: Vec<Solid>,
}

#[derive(Clone, Copy, Debug)]
struct Solid {
    outline: Outline,
    bottom: f32,
    top: f32,
}

/// Seen from above, with the sensor at the origin.
#[derive(Clone, Copy, Debug)]
enum Outline {
    Rectangle { x: [f32; 2], y: [f32; 2] },
    Circle { x: f32, y: f32, radius: f32 },
}

#[derive(Clone, Debug)]
pub(crate) struct Street {
    seed: u64,
    /// The tangent of each beam's elevation, top beam first.
    slopes: Vec<f32>,
}

impl Street {
    pub(crate) fn new(seed: u64) -> Street {
        // As in the HDL-64E: the upper half from +2 degrees in thirds, the lower half in halves.
        let slope = |beam| {
            let degrees = match beam {
                0..32 => 2.0 - beam as f32 / 3.0,
                _ => -8.83 - (beam - 32) as f32 / 2.0,
            };
            degrees.to_radians().tan()
        };
        Street { seed, slopes: (0..BEAMS).map(slope).collect() }
    }

    /// Scans one frame into the front of `out` and returns the number of points written.
    ///
    /// `out` may be shorter than [`MAX_POINTS`]; the scan then ends where it is full.
    pub(crate) fn scan(&self, frame: u64, out: &mut [Point]) -> usize {
        let mut out = out.iter_mut();
        let mut written = 0;
        self.cast(frame, |point, _| match out.next() {
            Some(place) => {
                *place = point;
                written += 1;
                true
            }
            None => false,
        });
        written
    }

    /// One frame and, for each point, what it came from: [`GROUND`], or 1 + the index in
    /// [`Street::things`].
    pub(crate) fn scan_with_truth(&self, frame: u64) -> (Vec<Point>, Vec<u32>) {
        let mut points = Vec::with_capacity(MAX_POINTS);
        let mut truth = Vec::with_capacity(MAX_POINTS);
        self.cast(frame, |point, object| {
            points.push(point);
            truth.push(object);
            true
        });
        (points, truth)
    }

    /// What stands or moves within reach of the sensor in a frame.
    pub(crate) fn things(&self, frame: u64) -> Vec<Thing> {
        let seconds = frame as f64 * SECONDS_PER_FRAME;
        let ego = SPEED * seconds;
        let mut things = Vec::new();
        for side in [-1.0_f32, 1.0] {
            let row = |number: u64| number * 2 + u64::from(side > 0.0);
            // Staggered; otherwise the gaps between houses would all be crossroads.
            for (x, mut dice) in self.slots(row(1), 24.0, f64::from(side) * 5.0, ego) {
                let front = dice.between(10.2, 11.4);
                let (from, to) = (x + dice.between(2.0, 3.0), x + 24.0 - dice.between(2.0, 3.0));
                let height = dice.between(6.0, 14.0);
                let reflectance = dice.between(0.25, 0.55);
                let y = [side * front, side * (front + 9.0)];
                things.push(Thing::new(
                    Kind::House,
                    reflectance,
                    [slab([from, to], y, -1.0, height)],
                ));
            }
            for (x, mut dice) in self.slots(row(2), 9.0, 0.0, ego) {
                if dice.between(0.0, 1.0) < 0.6 {
                    let x = x + 4.5 + dice.between(-0.5, 0.5);
                    things.push(car(Kind::ParkedCar, x, side * 4.85, &mut dice));
                }
            }
            for (x, mut dice) in self.slots(row(3), 14.0, 0.0, ego) {
                let x = x + dice.between(4.0, 10.0);
                things.push(Thing::new(Kind::Post, 0.6, [pillar(x, side * 7.0, 0.06, 0.0, 1.5)]));
            }
            let stroll = f64::from(side) * 1.3 * seconds;
            for (x, mut dice) in self.slots(row(4), 26.0, stroll, ego) {
                let x = x + dice.between(3.0, 23.0);
                let height = dice.between(1.5, 1.7);
                let body = pillar(x, side * 8.5, 0.24, 0.05, height - 0.25);
                let head = pillar(x, side * 8.5, 0.11, height - 0.25, height);
                things.push(Thing::new(Kind::Person, 0.35, [body, head]));
            }
        }
        for (x, mut dice) in self.slots(10, 42.0, -8.0 * seconds, ego) {
            let x = x + dice.between(3.0, 39.0);
            things.push(car(Kind::MovingCar, x, -LANE, &mut dice));
        }
        // Own lane: one car ahead and one behind, which never come near enough to touch.
        for (number, distance) in [(0, 19.0), (1, -16.0)] {
            let mut dice = Dice::new(&[self.seed, 11, number]);
            let x = distance + 4.0 * (seconds * 0.31 + f64::from(distance)).sin() as f32;
            things.push(car(Kind::MovingCar, x, LANE, &mut dice));
        }
        things
    }

    /// The slots of one row within reach: where each begins, ahead of the sensor, and its dice.
    fn slots(
        &self,
        row: u64,
        length: f64,
        shift: f64,
        ego: f64,
    ) -> impl Iterator<Item = (f32, Dice)> {
        let reach = f64::from(MAX_RANGE) + length;
        let first = ((ego - shift - reach) / length).floor() as i64;
        let last = ((ego - shift + reach) / length).floor() as i64;
        let seed = self.seed;
        (first..=last).map(move |slot| {
            let x = slot as f64 * length + shift - ego;
            (x as f32, Dice::new(&[seed, row, slot as u64]))
        })
    }

    /// Fires every beam of a turn and calls `hit` for each return, until it returns false.
    fn cast(&self, frame: u64, mut hit: impl FnMut(Point, u32) -> bool) {
        let things = self.things(frame);
        let ego = SPEED * frame as f64 * SECONDS_PER_FRAME;
        let mut crossings: Vec<Crossing> = Vec::new();
        for column in 0..COLUMNS {
            // A Velodyne turns clockwise; the turn begins and ends behind the sensor.
            let turn = std::f32::consts::TAU * (0.5 - column as f32 / COLUMNS as f32);
            let (sin, cos) = turn.sin_cos();
            // Solids are upright, so where a ray enters and leaves an outline is the same for all
            // beams of a column: this is what makes a frame cost a few milliseconds.
            crossings.clear();
            for (index, thing) in things.iter().enumerate() {
                crossings.extend(thing.solids.iter().filter_map(|solid| {
                    let crossing = Crossing::new(solid, index as u32 + 1, cos, sin)?;
                    (crossing.near < MAX_RANGE).then_some(crossing)
                }));
            }
            crossings.sort_unstable_by(|a, b| a.near.total_cmp(&b.near));

            for (beam, &slope) in self.slopes.iter().enumerate() {
                let ray = (column * BEAMS + beam) as u64;
                let mut dice = Dice::new(&[self.seed, 12, frame, ray]);
                if dice.between(0.0, 1.0) < LOSS {
                    continue;
                }
                let mut distance = ground_distance(slope, sin);
                let mut object = Some(GROUND);
                for crossing in &crossings {
                    if crossing.near >= distance {
                        break;
                    }
                    if let Some((nearer, seen)) = crossing.hit(slope)
                        && nearer < distance
                    {
                        (distance, object) = (nearer, seen);
                    }
                }
                let Some(object) = object.filter(|_| distance <= MAX_RANGE) else {
                    continue;
                };
                let reflectance = match things.get((object as usize).wrapping_sub(1)) {
                    Some(thing) => thing.reflectance,
                    None => paint(ego + f64::from(distance * cos), LANE + distance * sin),
                };
                let measured = distance + dice.between(-0.02, 0.02);
                let point = Point {
                    x: measured * cos,
                    y: measured * sin,
                    z: measured * slope + dice.between(-0.01, 0.01),
                    intensity: reflectance * dice.between(0.75, 1.0),
                };
                if !hit(point, object) {
                    return;
                }
            }
        }
    }
}

impl Thing {
    fn new(kind: Kind, reflectance: f32, solids: impl Into<Vec<Solid>>) -> Thing {
        Thing { kind, reflectance, solids: solids.into() }
    }
}

/// Where the vertical plane of one column of beams runs through a solid.
struct Crossing {
    near: f32,
    far: f32,
    /// The sine of the angle at which the beams meet the side.
    facing: f32,
    bottom: f32,
    top: f32,
    object: u32,
}

impl Crossing {
    fn new(solid: &Solid, object: u32, cos: f32, sin: f32) -> Option<Crossing> {
        let (near, far, facing) = match solid.outline {
            Outline::Rectangle { x, y } => {
                let ordered = |a: f32, b: f32| (a.min(b), a.max(b));
                let (x_near, x_far) = ordered(x[0] / cos, x[1] / cos);
                let (y_near, y_far) = ordered(y[0] / sin, y[1] / sin);
                let facing = if x_near > y_near { cos.abs() } else { sin.abs() };
                (x_near.max(y_near), x_far.min(y_far), facing)
            }
            Outline::Circle { x, y, radius } => {
                let along = x * cos + y * sin;
                let across = y * cos - x * sin;
                // Not a number where the beams pass by; no comparison below holds then.
                let half = (radius * radius - across * across).sqrt();
                (along - half, along + half, 1.0)
            }
        };
        let Solid { bottom, top, .. } = *solid;
        (near > 0.0 && near < far).then_some(Crossing { near, far, facing, bottom, top, object })
    }

    /// The horizontal distance at which a beam of this slope meets the side, the roof or the
    /// floor, and the object, unless the beam is lost there.
    fn hit(&self, slope: f32) -> Option<(f32, Option<u32>)> {
        let height = self.near * slope;
        let (distance, sine) = if height > self.top {
            (self.top / slope, slope.abs())
        } else if height < self.bottom {
            (self.bottom / slope, slope.abs())
        } else {
            (self.near, self.facing)
        };
        let object = (sine > GLANCING).then_some(self.object);
        (self.near..=self.far).contains(&distance).then_some((distance, object))
    }
}

/// The horizontal distance at which a ray meets the road, a kerb or a pavement.
fn ground_distance(slope: f32, sin: f32) -> f32 {
    let lateral = |distance: f32| LANE + distance * sin;
    let road = CROWN * -LANE - SENSOR_HEIGHT;
    let edge = road - CROWN * KERB;
    let pavement = edge + KERB_HEIGHT;
    let mut nearest = f32::INFINITY;
    let mut consider = |distance: f32, there: bool| {
        if there && distance > 0.0 && distance < nearest {
            nearest = distance;
        }
    };
    for side in [-1.0, 1.0] {
        let half = (road - CROWN * side * LANE) / (slope + CROWN * side * sin);
        consider(half, (0.0..=KERB).contains(&(side * lateral(half))));
        let kerb = (side * KERB - LANE) / sin;
        consider(kerb, (edge..=pavement).contains(&(kerb * slope)));
    }
    let flat = pavement / slope;
    consider(flat, lateral(flat).abs() > KERB);
    nearest
}

/// How much the ground reflects at a place: the white marks on the road, or what is between them.
fn paint(x: f64, y: f32) -> f32 {
    let dash = y.abs() < 0.1 && x.rem_euclid(6.0) < 3.0;
    let line = (y.abs() - 3.6).abs() < 0.08;
    match y.abs() {
        _ if dash || line => 0.9,
        across if across < KERB => 0.2,
        _ => 0.35,
    }
}

/// A car is a body, its windows and a roof; light passes below the body.
fn car(kind: Kind, x: f32, y: f32, dice: &mut Dice) -> Thing {
    let half = dice.between(2.0, 2.3);
    let waist = dice.between(0.8, 0.95);
    let part = |back: f32, front: f32, narrower: f32, bottom: f32, top: f32| {
        let sides = [y - 0.85 + narrower, y + 0.85 - narrower];
        slab([x - half * back, x + half * front], sides, bottom, top)
    };
    let body = part(1.0, 1.0, 0.0, 0.25, waist);
    let windows = part(0.9, 0.82, 0.05, waist, waist + 0.3);
    let roof = part(0.8, 0.66, 0.12, waist + 0.3, waist + 0.5);
    Thing::new(kind, dice.between(0.2, 0.9), [body, windows, roof])
}

/// `bottom` and `top` count from the ground, as in [`pillar`].
fn slab(x: [f32; 2], mut y: [f32; 2], bottom: f32, top: f32) -> Solid {
    y.sort_unstable_by(f32::total_cmp);
    solid(Outline::Rectangle { x, y: y.map(|y| y - LANE) }, bottom, top)
}

fn pillar(x: f32, y: f32, radius: f32, bottom: f32, top: f32) -> Solid {
    solid(Outline::Circle { x, y: y - LANE, radius }, bottom, top)
}

fn solid(outline: Outline, bottom: f32, top: f32) -> Solid {
    Solid { outline, bottom: bottom - SENSOR_HEIGHT, top: top - SENSOR_HEIGHT }
}

/// Random numbers that follow from a key: SplitMix64, which needs no state between rays.
struct Dice(u64);

impl Dice {
    fn new(key: &[u64]) -> Dice {
        Dice(key.iter().fold(0, |state, word| Dice(state ^ word).next()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        // The top 24 bits, which an f32 holds exactly.
        let unit = (self.next() >> 40) as f32 / (1_u64 << 24) as f32;
        low + (high - low) * unit
    }
}
