//! Euclidean clusters: points belong together when a chain of short steps connects them.
//!
//! The segmentation calls this with the points that stand on the ground. It first thins the points
//! to one per small cube, because a lidar puts hundreds on a car door and the tree need not know
//! them all. The longest step grows with the distance from the sensor, as the gaps between its
//! beams do. Which points are joined depends on their positions alone, never on their order.

use kiddo::{ImmutableKdTree, SquaredEuclidean};

use crate::messages::Point;

/// Edge of the cubes, in metres.
const CUBE: f32 = 0.2;
/// A cluster of fewer points is noise.
const MIN_POINTS: usize = 12;

/// The longest step at a distance from the sensor, both in metres.
fn step(distance: f32) -> f32 {
    0.5 + 0.008 * distance
}

/// The points with these indices in groups that belong together, the largest group first.
pub(crate) fn find(points: &[Point], standing: &[u32]) -> Vec<Vec<u32>> {
    let cubes = Cubes::new(points, standing);
    let mut forest = Forest::new(cubes.centres.len());
    // The tree refuses to be built from nothing.
    if let Ok(tree) = ImmutableKdTree::<f32, 3>::new_from_slice(&cubes.centres) {
        for (index, centre) in cubes.centres.iter().enumerate() {
            let step = step(centre[0].hypot(centre[1]));
            tree.query(centre)
                .within::<SquaredEuclidean<f32>>(step * step)
                .unsorted()
                .visit(|neighbour| forest.join(index as u32, neighbour.item));
        }
    }

    let mut group_of_root = vec![None; cubes.centres.len()];
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (cube, members) in cubes.members().enumerate() {
        let root = forest.root(cube as u32) as usize;
        let group = *group_of_root[root].get_or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].extend(members.iter().map(|&(_, point)| point));
    }
    groups.retain(|group| group.len() >= MIN_POINTS);
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group.iter().min().copied()));
    groups
}

/// Points gathered by the cube they lie in.
struct Cubes {
    /// Cube and point, sorted.
    members: Vec<(u64, u32)>,
    /// The mean of each cube's points.
    centres: Vec<[f32; 3]>,
}

impl Cubes {
    fn new(points: &[Point], standing: &[u32]) -> Cubes {
        let cube_of = |point: &Point| {
            [point.x, point.y, point.z].into_iter().fold(0, |key, metres| {
                // 21 bits each, offset to be positive: two hundred kilometres either way.
                key << 21 | u64::from((metres / CUBE).floor() as i32 as u32 & 0x1F_FFFF)
            })
        };
        let mut members: Vec<(u64, u32)> =
            standing.iter().map(|&index| (cube_of(&points[index as usize]), index)).collect();
        members.sort_unstable();
        let centres = members
            .chunk_by(|a, b| a.0 == b.0)
            .map(|cube| {
                let mut sum = [0.0_f32; 3];
                for &(_, index) in cube {
                    let Point { x, y, z, .. } = points[index as usize];
                    sum = [sum[0] + x, sum[1] + y, sum[2] + z];
                }
                sum.map(|sum| sum / cube.len() as f32)
            })
            .collect();
        Cubes { members, centres }
    }

    fn members(&self) -> impl Iterator<Item = &[(u64, u32)]> {
        self.members.chunk_by(|a, b| a.0 == b.0)
    }
}

/// Disjoint sets of cubes.
struct Forest {
    parent: Vec<u32>,
}

impl Forest {
    fn new(size: usize) -> Forest {
        Forest { parent: (0..size as u32).collect() }
    }

    fn root(&mut self, mut of: u32) -> u32 {
        while self.parent[of as usize] != of {
            let grandparent = self.parent[self.parent[of as usize] as usize];
            self.parent[of as usize] = grandparent;
            of = grandparent;
        }
        of
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        // The smaller index is the root, so the outcome does not depend on the order of joins.
        self.parent[a.max(b) as usize] = a.min(b);
    }
}
