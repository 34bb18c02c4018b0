//! Committed regions are read as they always were; `python/tests/test_golden.py` and
//! `io-shared-ffi/tests/golden.c` read the same ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in tests, not in their helpers"
)]

use io_shared::{Array, Channel};
use test_support::messages::{Cloud, Point};

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
