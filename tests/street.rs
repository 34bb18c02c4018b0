//! The example's segmentation finds what was put on its synthetic street.
//!
//! The street knows which object every point came from; the segmentation sees points only. The
//! tests compare objects within forty metres. Farther out the beams are so far apart that a car is
//! a handful of points and a wall is a row of dots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use messages::Point;
use segmentation::{FIRST_CLUSTER, Tally, segment};
use street::{GROUND, Kind, Street};

#[path = "../examples/perception_pipeline/clusters.rs"]
mod clusters;
#[path = "../examples/perception_pipeline/ground.rs"]
mod ground;
#[allow(dead_code, reason = "the channels' messages are not used here")]
#[path = "../examples/perception_pipeline/messages.rs"]
mod messages;
#[path = "../examples/perception_pipeline/segmentation.rs"]
mod segmentation;
#[allow(dead_code, reason = "the lidar's way to scan is not used by every test")]
#[path = "../examples/perception_pipeline/street.rs"]
mod street;

/// Half a minute of driving in even steps, and a frame far away.
const FRAMES: [u64; 9] = [0, 40, 80, 120, 160, 200, 240, 280, 1_000_000];
const SEED: u64 = 1;
const NEAR: f32 = 40.0;
/// An object with fewer points may be missed. (Of 7,000 sightings in frames 0 to 299, two fail: a
/// parked car almost hidden by another is seen in two pieces.)
const ENOUGH: usize = 40;

/// Scanned and labelled once for all tests.
static SCENES: LazyLock<Vec<Scene>> =
    LazyLock::new(|| FRAMES.iter().map(|&frame| Scene::new(frame)).collect());

/// One frame with the street's and the segmentation's label of each point.
struct Scene {
    frame: u64,
    points: Vec<Point>,
    truth: Vec<u32>,
    labels: Vec<u32>,
}

/// The points of one object in one frame, by the label they were given.
struct Found {
    kind: Kind,
    points: usize,
    farthest: f32,
    labels: BTreeMap<u32, usize>,
}

fn label(points: &[Point]) -> Vec<u32> {
    let mut labels = vec![0; points.len()];
    segment(points, SEED, &mut labels);
    labels
}

impl Scene {
    fn new(frame: u64) -> Scene {
        let (points, truth) = Street::new(SEED).scan_with_truth(frame);
        let labels = label(&points);
        Scene { frame, points, truth, labels }
    }

    fn each(&self) -> impl Iterator<Item = (&Point, u32, u32)> {
        let told = self.truth.iter().zip(&self.labels);
        self.points.iter().zip(told).map(|(point, (&object, &label))| (point, object, label))
    }

    fn things(&self) -> BTreeMap<u32, Found> {
        let things = Street::new(SEED).things(self.frame);
        let mut found = BTreeMap::new();
        for (point, object, label) in self.each().filter(|&(_, object, _)| object != GROUND) {
            let thing = found.entry(object).or_insert_with(|| Found {
                kind: things[object as usize - 1].kind,
                points: 0,
                farthest: 0.0,
                labels: BTreeMap::new(),
            });
            thing.points += 1;
            thing.farthest = thing.farthest.max(point.x.hypot(point.y));
            *thing.labels.entry(label).or_default() += 1;
        }
        found
    }
}

#[test]
fn every_thing_in_reach_is_one_cluster() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for scene in SCENES.iter() {
        let frame = scene.frame;
        for (object, thing) in scene.things() {
            if thing.points < ENOUGH || thing.farthest > NEAR {
                continue;
            }
            let clusters: Vec<_> = thing.labels.range(FIRST_CLUSTER..).collect();
            assert_eq!(
                clusters.len(),
                1,
                "frame {frame}: object {object}, a {:?} of {} points, is in the clusters {:?}",
                thing.kind,
                thing.points,
                thing.labels
            );
            // The rest is its foot, which looks like the ground it stands on.
            assert!(
                *clusters[0].1 * 10 >= thing.points * 7,
                "frame {frame}: object {object}, a {:?} of {} points, lost too many: {:?}",
                thing.kind,
                thing.points,
                thing.labels
            );
            *seen.entry(format!("{:?}", thing.kind)).or_default() += 1;
        }
    }
    for kind in ["House", "ParkedCar", "MovingCar", "Post", "Person"] {
        assert!(seen.get(kind).copied().unwrap_or(0) >= 5, "too few to tell: {seen:?}");
    }
}

#[test]
fn no_cluster_holds_two_things_or_ground() {
    for scene in SCENES.iter() {
        let frame = scene.frame;
        let mut members: BTreeMap<u32, BTreeMap<u32, usize>> = BTreeMap::new();
        for (_, object, label) in scene.each() {
            if label >= FIRST_CLUSTER {
                *members.entry(label).or_default().entry(object).or_default() += 1;
            }
        }
        for (cluster, mut objects) in members {
            let points: usize = objects.values().sum();
            let ground = objects.remove(&GROUND).unwrap_or(0);
            assert_eq!(objects.len(), 1, "frame {frame}: cluster {cluster} holds {objects:?}");
            assert!(
                ground * 50 <= points,
                "frame {frame}: {ground} of the {points} points of cluster {cluster} are ground"
            );
        }
    }
}

#[test]
fn the_ground_share_is_near_the_truth() {
    for scene in SCENES.iter() {
        let frame = scene.frame;
        let points = scene.points.len() as f64;
        let told = Tally::of(&scene.labels).ground_share();
        let ground = || scene.each().filter(|&(_, object, _)| object == GROUND);
        let true_share = ground().count() as f64 / points;
        assert!(
            (told - true_share).abs() < 0.03,
            "frame {frame}: told {told:.3}, true {true_share:.3}"
        );
        let lost = ground().filter(|&(_, _, label)| label != segmentation::GROUND).count();
        assert!(
            (lost as f64) < 0.002 * points,
            "frame {frame}: {lost} points of the ground were not seen as such"
        );
    }
}

#[test]
fn a_frame_depends_on_its_number_and_the_seed_alone() {
    let (points, _) = Street::new(SEED).scan_with_truth(37);
    assert_eq!(points, Street::new(SEED).scan_with_truth(37).0);
    assert_ne!(points, Street::new(SEED).scan_with_truth(38).0);
    assert_ne!(points, Street::new(SEED + 1).scan_with_truth(37).0);

    let mut in_place = vec![Point::default(); street::MAX_POINTS];
    let written = Street::new(SEED).scan(37, &mut in_place);
    assert_eq!(points, in_place[..written]);
    let mut short = vec![Point::default(); 1000];
    assert_eq!(Street::new(SEED).scan(37, &mut short), 1000);
    assert_eq!(points[..1000], short);
}

#[test]
fn frames_have_about_as_many_points_as_a_real_scan_but_not_all_the_same() {
    let counts: BTreeSet<usize> = SCENES.iter().map(|scene| scene.points.len()).collect();
    assert!(counts.iter().all(|count| (115_000..=130_000).contains(count)), "{counts:?}");
    assert!(counts.len() > 1, "{counts:?}");
}

#[test]
fn the_same_points_and_seed_give_the_same_labels() {
    for scene in SCENES.iter().step_by(4) {
        assert_eq!(scene.labels, label(&scene.points), "frame {}", scene.frame);
    }
}

#[test]
fn points_that_are_no_numbers_stay_unlabelled_and_change_nothing_else() {
    let mut points = SCENES[0].points.clone();
    let spoilt = points.len();
    let before = Tally::of(&SCENES[0].labels);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        for axis in 0..3 {
            let mut place = [10.0, 0.0, 0.0];
            place[axis] = value;
            let [x, y, z] = place;
            points.push(Point { x, y, z, intensity: value });
        }
    }
    let labels = label(&points);
    assert!(labels[spoilt..].iter().all(|&label| label == segmentation::UNLABELLED));
    let after = Tally::of(&labels);
    assert!((before.ground_share() - after.ground_share()).abs() < 0.001);
    assert!(before.clusters.abs_diff(after.clusters) <= 2);

    assert_eq!(Tally::of(&label(&[])), Tally::default());
    let nothing = [Point { x: f32::NAN, y: f32::NAN, z: f32::NAN, intensity: 0.0 }; 100];
    assert_eq!(label(&nothing), [segmentation::UNLABELLED; 100]);
}
