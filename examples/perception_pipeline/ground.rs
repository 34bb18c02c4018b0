//! The ground under a scan: one plane found by RANSAC, then how the real ground departs from it.
//!
//! Called by the segmentation, once a frame. A plane alone is not enough on real roads: they bend,
//! they have a crown and kerbs, and a tenth of a degree is ten centimetres at sixty metres. So a
//! grid holds the lowest return of every square metre, and the ground is the highest surface under
//! those returns that is nowhere steeper than a ramp. The same points and seed give the same
//! ground.

use crate::messages::Point;

/// How far the sensor sits above the road on a car, give or take the car.
const SENSOR_HEIGHT: f32 = 1.73;
const SENSOR_HEIGHT_TOLERANCE: f32 = 0.6;
/// The plane may lean as much as a steep street; `tan` of the angle.
const MAX_SLOPE: f32 = 0.15;
/// A return so close to the plane speaks for it.
const INLIER: f32 = 0.12;
const ROUNDS: usize = 80;
/// Returns that the rounds are run on; more would not change the plane.
const SAMPLE: usize = 4000;

/// Half the side of the grid and of its cells, in metres.
const REACH: f32 = 90.0;
const CELL: f32 = 1.0;
const SIDE: usize = (2.0 * REACH / CELL) as usize;
/// The local ground may rise this much from one cell to the next.
const RAMP: f32 = 0.1;

#[derive(Debug)]
pub(crate) struct Ground {
    plane: Plane,
    /// Height of the local ground over the plane, row by row; infinite where nothing is known.
    grid: Vec<f32>,
}

/// z = ahead x + left y + height.
#[derive(Clone, Copy, Debug)]
struct Plane {
    ahead: f32,
    left: f32,
    height: f32,
}

impl Ground {
    pub(crate) fn find(points: &[Point], seed: u64) -> Ground {
        let plane = Plane::find(points, seed);
        let mut grid = vec![f32::INFINITY; SIDE * SIDE];
        for point in points {
            let over = plane.under(point);
            // What lies deeper is a reflection in a window or a puddle, not ground.
            if let Some(cell) = cell(point)
                && over > -play(point)
            {
                grid[cell] = grid[cell].min(over);
            }
        }
        flatten(&mut grid);
        Ground { plane, grid }
    }

    /// Metres from the ground up to a point; not a number if the point has none.
    pub(crate) fn height(&self, point: &Point) -> f32 {
        let over = self.plane.under(point);
        if !over.is_finite() {
            return f32::NAN;
        }
        let local = cell(point).map_or(0.0, |cell| self.grid[cell]);
        let play = play(point);
        over - local.clamp(-play, play)
    }
}

/// How far the local ground may lie from the plane: the farther out, the farther off.
fn play(point: &Point) -> f32 {
    0.2 + 0.02 * point.x.hypot(point.y)
}

fn cell(point: &Point) -> Option<usize> {
    let index = |metres: f32| {
        let index = (metres + REACH) / CELL;
        (0.0..SIDE as f32).contains(&index).then_some(index as usize)
    };
    Some(index(point.x)? * SIDE + index(point.y)?)
}

/// Lowers every cell to what can be reached from its neighbours by a ramp, which takes out cars
/// and walls. Two sweeps carry this across the whole grid, as in a distance transform.
fn flatten(grid: &mut [f32]) {
    let lower = |grid: &mut [f32], row: usize, column: usize, neighbours: [(isize, isize); 4]| {
        for (down, right) in neighbours {
            let (Some(row_beside), Some(column_beside)) =
                (row.checked_add_signed(down), column.checked_add_signed(right))
            else {
                continue;
            };
            if row_beside < SIDE && column_beside < SIDE {
                let rise = RAMP * CELL * (down as f32).hypot(right as f32);
                let reachable = grid[row_beside * SIDE + column_beside] + rise;
                let here = &mut grid[row * SIDE + column];
                *here = here.min(reachable);
            }
        }
    };
    for row in 0..SIDE {
        for column in 0..SIDE {
            lower(grid, row, column, [(-1, -1), (-1, 0), (-1, 1), (0, -1)]);
        }
    }
    for row in (0..SIDE).rev() {
        for column in (0..SIDE).rev() {
            lower(grid, row, column, [(1, 1), (1, 0), (1, -1), (0, 1)]);
        }
    }
}

impl Plane {
    /// The near-horizontal plane, about as far below the sensor as a car's roof is high, that most
    /// returns speak for. A scan without such a plane gets the level one.
    fn find(points: &[Point], seed: u64) -> Plane {
        let level = Plane { ahead: 0.0, left: 0.0, height: -SENSOR_HEIGHT };
        let near = |point: &&Point| {
            (2.0..40.0).contains(&point.x.hypot(point.y)) && level.under(point).abs() < 2.0
        };
        let step = points.len() / SAMPLE + 1;
        let sample: Vec<Point> = points.iter().step_by(step).filter(near).copied().collect();
        if sample.len() < 3 {
            return level;
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let mut best = (0, level);
        for _ in 0..ROUNDS {
            let corners = [(); 3].map(|()| sample[random.usize(..sample.len())]);
            if let Some(plane) = Plane::through(&corners)
                && plane.is_plausible()
            {
                let votes = sample.iter().filter(|point| plane.under(point).abs() < INLIER).count();
                if votes > best.0 {
                    best = (votes, plane);
                }
            }
        }
        // The winner passes through three noisy points; its voters together know better.
        let mut plane = best.1;
        for _ in 0..3 {
            let voters = sample.iter().filter(|point| plane.under(point).abs() < INLIER);
            match Plane::fit(voters).filter(Plane::is_plausible) {
                Some(better) => plane = better,
                None => break,
            }
        }
        plane
    }

    fn through(corners: &[Point; 3]) -> Option<Plane> {
        Plane::fit(corners.iter())
    }

    /// Least squares in z.
    fn fit<'a>(points: impl Iterator<Item = &'a Point>) -> Option<Plane> {
        let (mut n, mut x, mut y, mut z) = (0.0, 0.0, 0.0, 0.0);
        let (mut xx, mut xy, mut yy, mut xz, mut yz) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for point in points {
            let [px, py, pz] = [point.x, point.y, point.z].map(f64::from);
            n += 1.0;
            x += px;
            y += py;
            z += pz;
            xx += px * px;
            xy += px * py;
            yy += py * py;
            xz += px * pz;
            yz += py * pz;
        }
        // About the centre, which leaves two equations for the two slopes.
        let (mx, my, mz) = (x / n, y / n, z / n);
        let (xx, xy, yy) = (xx - x * mx, xy - x * my, yy - y * my);
        let (xz, yz) = (xz - x * mz, yz - y * mz);
        let determinant = xx * yy - xy * xy;
        if determinant.is_nan() || determinant < 1e-3 {
            return None;
        }
        let ahead = (xz * yy - yz * xy) / determinant;
        let left = (yz * xx - xz * xy) / determinant;
        let height = mz - ahead * mx - left * my;
        Some(Plane { ahead: ahead as f32, left: left as f32, height: height as f32 })
    }

    fn is_plausible(&self) -> bool {
        self.ahead.hypot(self.left) < MAX_SLOPE
            && (self.height + SENSOR_HEIGHT).abs() < SENSOR_HEIGHT_TOLERANCE
    }

    /// Metres from the plane up to a point.
    fn under(&self, point: &Point) -> f32 {
        point.z - (self.ahead * point.x + self.left * point.y + self.height)
    }
}
