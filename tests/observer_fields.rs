//! Observing a part of a value, by its path.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use io_shared::{Array, Channel, ErrorKind, Message, Observer, Text, Value};
use test_support::TestName;

const LONG: Duration = Duration::from_secs(5);

#[derive(Message, Clone, Copy)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Message, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Light {
    Red = 0,
    Green = 1,
}

#[derive(Message)]
#[repr(C)]
struct Cloud {
    frame: u64,
    source: Text<16>,
    light: Light,
    valid: bool,
    _pad: [u8; 6],
    points: [Point],
}

fn any(name: &str) -> Observer<[u8]> {
    Channel::<[u8]>::named(name).any_schema().observer().unwrap()
}

fn json<T: Message + ?Sized>(observer: &mut Observer<T>, path: &str) -> String {
    observer.field(path).unwrap().unwrap().value().json().to_string()
}

#[test]
fn each_part_of_a_cloud_is_found_by_its_path_and_with_its_number() {
    let name = TestName::new("parts");
    let mut lidar = Channel::<Cloud>::named(&*name).elements(1000).producer().unwrap();
    let mut observer = any(&name);
    assert!(observer.field("frame").unwrap().is_none(), "nothing was put");
    for frame in 1..=3 {
        let mut cloud = lidar.loan_len(100).unwrap();
        (cloud.frame, cloud.source, cloud.light) = (frame, "front".parse().unwrap(), Light::Green);
        for (i, point) in cloud.points.iter_mut().enumerate() {
            *point = Point { x: frame as f32, y: i as f32 };
        }
        cloud.tag(frame + 40);
        cloud.put().unwrap();
        for (path, expected) in [
            ("frame", frame.to_string()),
            ("source", "\"front\"".into()),
            ("light", "\"Green\"".into()),
            ("valid", "false".into()),
            ("points[3]", format!("{{\"x\":{frame}.0,\"y\":3.0}}")),
            ("points[-1].y", "99.0".into()),
            ("points[1:3].y", "[1.0,2.0]".into()),
            ("points.98:.y", "[98.0,99.0]".into()),
        ] {
            assert_eq!(json(&mut observer, path), expected, "{path}");
        }
        let part = observer.field("points[3].x").unwrap().unwrap();
        assert_eq!(
            (part.seq(), part.tag(), part.value().as_f64()),
            (frame, frame + 40, Some(frame as f64))
        );
        assert!(part.stamp() > 0 && part.age().is_some());
    }
    // The whole value, as a copy has it.
    let whole = json(&mut observer, "");
    let copy = observer.copy().unwrap().unwrap();
    let decoded = Value::decode(observer.schema(), &copy).unwrap();
    assert_eq!(whole, decoded.json().to_string());
    // In an observer of the type itself, too; and a part is not what a wait waits for.
    let mut typed = Channel::<Cloud>::named(&*name).observer().unwrap();
    assert_eq!(json(&mut typed, "frame"), "3");
    assert_eq!(typed.wait(Duration::ZERO).unwrap().frame, 3);
}

#[test]
fn an_array_is_looked_into_by_its_own_shape() {
    let name = TestName::new("parts-array");
    let mut put = Channel::<Array>::named(&*name).capacity(1000).producer().unwrap();
    let mut loan = put.loan_len(Array::len_of("<u2", false, &[3, 4]).unwrap()).unwrap();
    let data = loan.write_header("<u2", false, &[3, 4]).unwrap();
    for (i, number) in data.chunks_exact_mut(2).enumerate() {
        number.copy_from_slice(&(i as u16).to_le_bytes());
    }
    loan.put().unwrap();
    let mut observer = any(&name);
    for (path, expected) in
        [("[2][3]", "11"), ("[0:2, 1]", "[1,5]"), ("shape", "[3,4]"), ("dtype", "\"<u2\"")]
    {
        assert_eq!(json(&mut observer, path), expected, "{path}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_said_with_what_there_is() {
    let name = TestName::new("parts-wrong");
    let mut lidar = Channel::<Cloud>::named(&*name).elements(10).producer().unwrap();
    let mut observer = any(&name);
    let mut said = |path: &str| {
        let error = observer.field(path).unwrap_err();
        let is_option = matches!(error.kind(), ErrorKind::BadOption { option: "field", .. });
        assert!(is_option && error.name() == &*name, "{error}");
        error.to_string()
    };
    assert!(said("points[").contains("is not a path: expected"));
    lidar.loan_len(2).unwrap().put().unwrap();
    assert!(said("frames").ends_with(
        "the message has no field `frames`: it has frame, source, light, valid, _pad, points"
    ));
    assert!(said("points[2].x").ends_with("`points` has 2 elements, so there is no [2]"));
    assert!(said("frame.x").ends_with("`frame` is a number, so it has no field `x`"));
    assert!(said("a\nb").contains(".field(a\\nb)"), "no line break");
}

/// The values of all words of a message are the same, while it is put again and again.
#[test]
fn a_part_is_never_of_two_values_and_costs_less_than_the_value() {
    const WORDS: usize = 1 << 19;
    let name = TestName::new("parts-torn");
    let mut put = Channel::<[u64]>::named(&*name).elements(WORDS).producer().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            for seq in 1.. {
                let mut loan = put.loan_len(WORDS).unwrap();
                loan.fill(seq);
                loan.put().unwrap();
                if done.load(Relaxed) || started.elapsed() > LONG {
                    break;
                }
            }
        });
        let mut observer = any(&name);
        let (started, mut looks) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_secs(1) {
            let part = match observer.field("[100:200]") {
                Ok(Some(part)) => part,
                Ok(None) => continue,
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
                    continue;
                }
            };
            let Value::List(list) = part.value() else { panic!("{:?}", part.value()) };
            assert_eq!(list.len(), 100);
            for word in list.iter() {
                assert_eq!(word.as_integer(), Some(part.seq().into()));
            }
            looks += 1;
        }
        done.store(true, Relaxed);
        assert!(looks > 10, "{looks}");
    });
    let mut observer = any(&name);
    let mut quickest = |path: &str| {
        let look = |_| {
            let before = Instant::now();
            observer.field(path).unwrap().unwrap();
            before.elapsed()
        };
        (0..20).map(look).min().unwrap()
    };
    let (part, whole) = (quickest("[300000]"), quickest(""));
    assert!(part * 10 < whole, "{part:?} of {whole:?}");
}

#[test]
fn a_part_is_found_in_a_channel_that_was_replaced_or_grew() {
    let name = TestName::new("parts-on");
    let mut put = Channel::<[u8]>::named(&*name).capacity(10).growing(true).producer().unwrap();
    let mut observer = any(&name);
    put.put(&[1; 10]).unwrap();
    assert_eq!(json(&mut observer, "[9]"), "1");
    put.put(&[2; 1000]).unwrap();
    assert_eq!(json(&mut observer, "[999]"), "2");
    io_shared::remove(&name).unwrap();
    assert!(observer.field("[0]").unwrap().is_none());
    drop(put);
    io_shared::producer::<[u8; 3]>(&name).map(|mut put| put.put(&[3; 3])).unwrap().unwrap();
    // Any other type is refused, as for a copy.
    let error = observer.field("[0]").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Mismatch { .. }), "{error}");
}
