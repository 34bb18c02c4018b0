//! The messages of services: of any shape, filled and read in place, and the same on both sides.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::time::Duration;

use io_shared::{Client, ErrorKind, Message, Service};
use test_support::service::TestService;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

#[derive(Message, Clone, Copy)]
#[repr(C)]
struct Pose {
    x: f64,
    y: f64,
}

#[derive(Message)]
#[repr(C)]
struct Labels {
    frame: u64,
    labels: [u16],
}

#[derive(Message)]
#[repr(C)]
struct Boxes {
    frame: u64,
    boxes: io_shared::List<[f32; 4]>,
    data: io_shared::ListData,
}

#[test]
fn questions_and_answers_may_end_in_slices_of_any_length() {
    let service = TestService::new("slices");
    let service = Service::<[f32], Labels>::named(&*service.0);
    let mut server = service.clone().server().unwrap();
    let mut client = service.client().unwrap();
    for points in [3, 100_000, 0, 5] {
        let mut cloud = client.loan_len(points).unwrap();
        cloud.fill(1.5);
        let asked = cloud.put().unwrap();
        let (cloud, mut reply) = server.next_timeout(LONG).unwrap().into_parts();
        assert!(cloud.len() == points && cloud.iter().all(|height| *height == 1.5));
        let mut labels = reply.loan_len(cloud.len()).unwrap();
        labels.frame = cloud.seq();
        labels.labels.fill(7);
        labels.put().unwrap();
        let answer = client.answer(LONG).unwrap();
        assert_eq!((answer.frame, answer.question()), (asked, asked));
        assert!(answer.labels.len() == points && answer.labels.iter().all(|label| *label == 7));
    }
}

#[test]
fn questions_and_answers_may_be_structs_with_lists() {
    let service = TestService::new("lists");
    let service = Service::<Boxes, Boxes>::named(&*service.0);
    let mut server = service.clone().server().unwrap();
    let mut client = service.client().unwrap();
    let mut loan = client.loan_lists(Boxes::capacity().boxes(2)).unwrap();
    loan.frame = 4;
    loan.lists_mut().boxes.copy_from_slice(&[[1.0; 4], [2.0; 4]]);
    loan.put().unwrap();
    let (question, mut reply) = server.next_timeout(LONG).unwrap().into_parts();
    let mut answer = reply.loan_lists(Boxes::capacity().boxes(1)).unwrap();
    answer.frame = question.frame + 1;
    answer.lists_mut().boxes[0] = question.boxes()[1];
    answer.put().unwrap();
    let answer = client.answer(LONG).unwrap();
    assert_eq!((answer.frame, answer.boxes()), (5, &[[2.0f32; 4]][..]));
}

#[test]
fn a_large_answer_keeps_its_place_until_it_is_dropped() {
    let service = TestService::new("large");
    let service = Service::<u64, [u64]>::named(&*service.0).answer_elements(1000);
    let mut server = service.clone().server().unwrap();
    let mut client = service.client().unwrap();
    let mut ask = |client: &mut Client<u64, [u64]>, question: u64| {
        client.ask(&question).unwrap();
        let taken = server.next_timeout(LONG).unwrap();
        let answer = vec![*taken; 1000];
        taken.answer(&answer).unwrap();
    };
    ask(&mut client, 1);
    let kept = client.answer(LONG).unwrap().into_owned();
    ask(&mut client, 2);
    let error = client.answer(LONG).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::AlreadyHeld { holds: 1 }), "{error}");
    assert!(kept.iter().all(|element| *element == 1));
    drop(kept);
    assert!(client.answer(LONG).unwrap().iter().all(|element| *element == 2));
}

#[derive(Message, Clone, Copy)]
#[repr(C)]
struct Point {
    x: f64,
    z: f64,
}

#[test]
fn sides_with_different_types_are_told_the_field() {
    let service = TestService::new("types");
    let name = &*service.0;
    // The client first: its call finds the server.
    let mut early = Service::<Point, u64>::named(name).client().unwrap();
    let mut server = Service::<Pose, u64>::named(name).server().unwrap();
    for timeout in [LONG, SHORT] {
        let error = early.call(&Point { x: 1.0, z: 2.0 }, timeout).unwrap_err();
        let ErrorKind::Mismatch { differences, holders, .. } = error.kind() else {
            panic!("{error}")
        };
        assert!(
            differences.iter().any(|line| line.starts_with("question: field `z`: ")),
            "{error}"
        );
        assert_eq!(holders[0].pid, Some(std::process::id()));
    }
    // The server first.
    let error = Service::<Point, u64>::named(name).client().unwrap_err();
    assert!(error.to_string().contains("question: field `z`: "), "{error}");
    let error = Service::<Pose, f32>::named(name).client().unwrap_err();
    assert!(error.to_string().contains("answer: "), "{error}");
    // Others are served.
    let mut fitting = Service::<Pose, u64>::named(name).client().unwrap();
    fitting.ask(&Pose { x: 1.0, y: 2.0 }).unwrap();
    let question = server.next_timeout(LONG).unwrap();
    assert_eq!((question.x, question.y), (1.0, 2.0));
    question.answer(&3).unwrap();
    assert_eq!(*fitting.answer(LONG).unwrap(), 3);
}
