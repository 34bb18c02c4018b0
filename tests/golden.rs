//! Committed regions are read as they always were; `python/tests/test_golden.py` and
//! `io-shared-ffi/tests/golden.c` read the same ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use io_shared::{Array, Channel, Message as _};
use test_support::TestName;
use test_support::messages::{Camera, Cloud, Detections, Point};

/// A copy of the file, because a consumer stores in it what it has seen.
fn copy(file: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(file);
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::copy(golden.join(file), &path).unwrap();
    (directory, path)
}

#[test]
fn the_golden_array_is_read() {
    let (_directory, path) = copy("array.region");
    let mut consumer = Channel::<Array>::file(path).consumer().unwrap();
    let array = consumer.get().unwrap();
    let npy = array.npy().unwrap();
    assert_eq!((&*npy.dtype, npy.fortran_order, &npy.shape[..]), ("<i2", true, &[2, 3][..]));
    let columns = [0i16, 3, 1, 4, 2, 5].map(i16::to_le_bytes).concat();
    assert_eq!((npy.data, array.seq()), (&columns[..], 2));
}

#[test]
fn the_golden_cloud_is_read() {
    let (_directory, path) = copy("cloud.region");
    let mut consumer = Channel::<Cloud>::file(path).consumer().unwrap();
    let cloud = consumer.get().unwrap();
    assert_eq!((cloud.frame, cloud.stamp_ns), (7, 1 << 40));
    let first = Point { x: 0.5, y: 1.5, z: 2.5, intensity: 3.5 };
    let second = Point { x: -10.0, y: -9.0, z: -8.0, intensity: -7.0 };
    assert_eq!(cloud.points, [first, second]);
}

const BOXES: [[f32; 4]; 2] = [[0.5, 1.5, 2.5, 3.5], [-10.0, -9.0, -8.0, -7.0]];

#[test]
fn the_golden_detections_are_read() {
    let (_directory, path) = copy("detections.region");
    let mut consumer = Channel::<Detections>::file(path).consumer().unwrap();
    assert_eq!(consumer.schema(), &Detections::schema());
    let found = consumer.get().unwrap();
    assert_eq!((found.frame, found.stamp_ns, found.seq()), (7, 1 << 40, 2));
    assert_eq!((found.source, found.valid), (Camera::Rear, true));
    assert_eq!(found.boxes(), BOXES);
    assert_eq!(found.names(), ["car", "tram"]);
    assert_eq!(found.image().shape(), [2, 3, 3]);
    assert_eq!(found.image().as_slice(), (0..18).collect::<Vec<u8>>());
}

/// `python/tests/golden.py` writes the others.
#[test]
#[ignore = "writes tests/golden/detections.region: by hand, when the layout version changes"]
fn the_golden_detections_are_written() {
    let name = TestName::new("golden");
    let sizes = Detections::capacity().boxes(2).names(2).image([2, 3, 3]);
    let mut producer = Channel::<Detections>::named(&*name).lists(sizes).producer().unwrap();
    producer.loan_lists(Detections::capacity()).unwrap().put().unwrap();
    let mut loan = producer.loan_lists(sizes).unwrap();
    (loan.frame, loan.stamp_ns, loan.source, loan.valid) = (7, 1 << 40, Camera::Rear, true);
    let mut lists = loan.lists_mut();
    lists.boxes.copy_from_slice(&BOXES);
    lists.names.copy_from_slice(&["car".parse().unwrap(), "tram".parse().unwrap()]);
    for (i, pixel) in (0..).zip(lists.image.as_mut_slice()) {
        *pixel = i;
    }
    loan.put().unwrap();
    producer.sync().unwrap();
    drop(producer);
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::copy(name.path(), golden.join("detections.region")).unwrap();
}
