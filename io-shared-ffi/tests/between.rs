//! A C program and this one exchange arrays and clouds in both directions. C and Python exchange
//! them in `python/tests/test_between.py`, with the same C program.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use io_shared::{Array, Channel};

mod common;

use common::{Language, Linked, compile_program};
use test_support::TestName;
use test_support::messages::{Cloud, Labels, Point};

const PATIENCE: Duration = Duration::from_secs(10);

/// The C program, which is killed when this is dropped.
struct Peer {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Peer {
    fn new(command: &str, there: &str, back: &str, count: usize) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.c");
        let folder = tempfile::tempdir().unwrap();
        let program = compile_program(Language::C11, &source, folder.path(), Linked::Shared);
        let count = count.to_string();
        let child = Command::new(program).args([command, there, back, &count]).spawn().unwrap();
        Self { child, _folder: folder }
    }

    #[track_caller]
    fn ends_well(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail if it has ended, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn arrays_go_to_a_c_program_and_back_and_one_that_it_made_comes_too() {
    let names = [TestName::new("arrays-there"), TestName::new("arrays-back")];
    let shapes: &[&[usize]] = &[&[], &[0], &[7], &[300, 200, 2]];
    let peer = Peer::new("arrays", &names[0], &names[1], shapes.len());
    let channel = |name: &TestName| Channel::<Array>::named(&**name).capacity("5M");
    let mut put = channel(&names[0]).producer().unwrap();
    let mut get = channel(&names[1]).consumer().unwrap();
    for (number, shape) in shapes.iter().enumerate() {
        let mut loan = put.loan_len(Array::len_of("<f4", true, shape).unwrap()).unwrap();
        loan.write_header("<f4", true, shape).unwrap().fill(number as u8);
        loan.tag(100 + number as u64);
        loan.put().unwrap();
        let back = get.get_timeout(PATIENCE).unwrap();
        assert_eq!(back.tag(), 100 + number as u64);
        let npy = back.npy().unwrap();
        assert_eq!((&*npy.dtype, npy.fortran_order, &npy.shape[..]), ("<f4", true, *shape));
        assert!(npy.data.iter().all(|byte| *byte == number as u8));
    }
    put.loan_len(Array::len_of("<f4", false, &[]).unwrap()).unwrap().put().unwrap();
    let own = get.get_timeout(PATIENCE).unwrap();
    let npy = own.npy().unwrap();
    assert_eq!((&*npy.dtype, npy.fortran_order, &npy.shape[..]), ("<u2", false, &[2, 3][..]));
    assert_eq!(npy.data, [1_u16, 2, 3, 4, 5, 60_000].map(u16::to_le_bytes).concat());
    drop(own);
    peer.ends_well();
}

#[test]
fn clouds_go_to_a_c_program_and_labels_come_back() {
    let names = [TestName::new("clouds-there"), TestName::new("labels-back")];
    let frames = 3;
    let peer = Peer::new("clouds", &names[0], &names[1], frames);
    let mut clouds = Channel::<Cloud>::named(&*names[0]).capacity("5M").producer().unwrap();
    let mut labels = Channel::<Labels>::named(&*names[1]).capacity("1M").consumer().unwrap();
    for frame in 0..frames as u64 {
        let points = 100 * frame as usize;
        let mut cloud = clouds.loan_len(points).unwrap();
        (cloud.frame, cloud.stamp_ns) = (frame, 1);
        for (i, point) in cloud.points.iter_mut().enumerate() {
            *point = Point { x: 0.0, y: 0.0, z: (i % 3) as f32, intensity: 0.0 };
        }
        let seq = cloud.put().unwrap();
        let labelled = labels.get_timeout(PATIENCE).unwrap();
        assert_eq!((labelled.frame, labelled.cloud_seq, labelled.tag()), (frame, seq, seq));
        let expected: Vec<u32> = (0..points).map(|i| u32::from(i % 3 == 2)).collect();
        assert_eq!(labelled.labels, expected);
    }
    peer.ends_well();
}
