//! Messages with lists: what is put comes out where it lies, and lists that are not within their
//! message are an error in every role.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

use std::os::unix::fs::FileExt;
use std::path::Path;

use io_shared::message::{BytesError, ListCapacity};
use io_shared::{
    Channel, ErrorKind, List, ListData, Loan, Message, NdList, Producer, Schema, Text, Value,
};
use proptest::prelude::*;
use test_support::TestName;

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(u8)]
enum Camera {
    Unknown,
    Front,
}

#[derive(Debug, Clone, Copy, PartialEq, Message)]
#[repr(C)]
struct Box3 {
    centre: [f32; 3],
    class: u32,
}

#[derive(Debug, Message)]
#[repr(C)]
struct Detections {
    mark: u64,
    source: Camera,
    valid: bool,
    _pad: [u8; 6],
    boxes: List<Box3>,
    others: List<Box3>,
    names: List<Text<12>>,
    image: NdList<u8, 3>,
    data: ListData, // from 96 on
}

// Aligned to more than its fields are.
#[derive(Debug, Clone, Copy, Message)]
#[repr(C, align(64))]
struct Line([u64; 8]);

#[derive(Debug, Message)]
#[repr(C)]
struct Wide {
    bytes: List<u8>,
    lines: List<Line>,
    data: ListData,
}

const MARK: u64 = 0x1122_3344_5566_7788;
/// Where the words of the lists lie.
const BOXES: usize = 16;
const OTHERS: usize = 32;
const NAMES: usize = 48;
const IMAGE: usize = 64;

fn open(name: &str) -> Producer<Detections> {
    let most = Detections::capacity().boxes(100).names(100).image([40, 50, 3]);
    Channel::<Detections>::named(name).lists(most).producer().unwrap()
}

/// Two boxes, three other ones, two names, an image of 2 by 2 by 3.
fn fill(producer: &mut Producer<Detections>) -> Loan<'_, Detections> {
    let sizes = Detections::capacity().boxes(2).others(3).names(2).image([2, 2, 3]);
    let mut loan = producer.loan_lists(sizes).unwrap();
    (loan.mark, loan.source, loan.valid) = (MARK, Camera::Front, true);
    let mut lists = loan.lists_mut();
    lists.boxes.fill(Box3 { centre: [0.5; 3], class: 1 });
    lists.others.fill(Box3 { centre: [1.5; 3], class: 2 });
    lists.names.copy_from_slice(&["car".parse().unwrap(), "tram".parse().unwrap()]);
    for (i, pixel) in (0..).zip(lists.image.as_mut_slice()) {
        *pixel = i;
    }
    loan
}

fn assert_filled(found: &Detections) {
    assert_eq!((found.source, found.valid), (Camera::Front, true));
    assert_eq!(found.boxes(), [Box3 { centre: [0.5; 3], class: 1 }; 2]);
    assert_eq!(found.others(), [Box3 { centre: [1.5; 3], class: 2 }; 3]);
    assert_eq!(found.names(), ["car", "tram"]);
    assert_eq!(found.image().shape(), [2, 2, 3]);
    assert_eq!(found.image().as_slice(), (0..12).collect::<Vec<u8>>());
    assert_eq!(found.image().get([1, 0, 2]), Some(&8));
    assert_eq!(found.image().array()[[1, 0, 2]], 8);
}

/// Writes a word at this distance after each [`MARK`] in the file, as a program that follows no
/// rule might.
fn write_after_marks(path: &Path, distance: usize, word: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let marks = bytes.windows(8).enumerate().filter(|(_, bytes)| **bytes == MARK.to_le_bytes());
    let places: Vec<usize> = marks.map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the value is not there");
    for at in places {
        file.write_all_at(&word.to_le_bytes(), (at + distance) as u64).unwrap();
    }
}

#[track_caller]
fn assert_bad<T>(result: io_shared::Result<T>, field: &str, found: i64) {
    let error = result.map(|_| "a value").unwrap_err();
    match error.kind() {
        ErrorKind::BadValue { field: at, found: it, .. } if at == field && *it == found => {}
        _ => panic!("expected `{field}` to be a bad {found}: {error}"),
    }
}

/// A value with a list that is not within it: no put leaves one in a channel.
#[track_caller]
fn assert_damaged<T>(result: io_shared::Result<T>, field: &str, found: i64) {
    let error = result.map(|_| "a value").unwrap_err();
    let said = format!("field `{field}` is {found}, expected ");
    match error.kind() {
        ErrorKind::Corrupt { what } if what.starts_with(&said) => {}
        _ => panic!("expected `{field}` to be a damaged {found}: {error}"),
    }
}

/// Each word that a list may not have, with the field and the number that the error names.
const BAD: [(usize, u64, &str, i64); 9] = [
    (BOXES, 80, "boxes.offset", 80),                  // among the fields
    (BOXES, 106, "boxes.offset", 106),                // not aligned
    (BOXES, 112, "others.offset", 128),               // over another list
    (NAMES, 215, "names.offset", 215),                // over the end
    (NAMES, u64::MAX - 2, "names.offset", -3),        // over the end of all memory
    (NAMES + 8, 1000, "names.count", 1000),           // more than there are bytes
    (OTHERS + 8, 1 << 62, "others.count", 1 << 62),   // more bytes than there can be
    (IMAGE + 16, 1 << 40, "image.shape[1]", 1 << 40), // more than there are bytes
    (IMAGE + 24, u64::MAX, "image.shape[2]", i64::MAX), // more elements than there can be
];

#[test]
fn lists_come_out_as_they_were_put_for_every_reader() {
    let name = TestName::new("lists");
    let mut producer = open(&name);
    let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
    let mut observer = Channel::<Detections>::named(&*name).observer().unwrap();
    let mut bytes = Channel::<[u8]>::named(&*name).any_schema().observer().unwrap();
    fill(&mut producer).put().unwrap();
    let guard = consumer.get().unwrap();
    assert_filled(&guard);
    let shown = format!("{guard:?}");
    let said = r#"names: ["car", "tram"], image: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] of shape"#;
    assert!(shown.contains(said) && shown.contains("source: Front"), "{shown}");
    assert_filled(&guard.to_copy().unwrap());
    assert_filled(&guard.into_owned());
    assert_filled(&observer.copy().unwrap().unwrap());

    let copy = bytes.copy().unwrap().unwrap();
    let schema = bytes.schema();
    let value = Value::decode(schema, &copy).unwrap();
    let part = |path: &str| value.at(&path.parse().unwrap()).unwrap().json().to_string();
    assert_eq!(part("image"), "[[[0,1,2],[3,4,5]],[[6,7,8],[9,10,11]]]");
    assert_eq!((part("others[1].class"), part("names")), ("2".into(), r#"["car","tram"]"#.into()));
    assert_eq!(part("image[0:2][1][0]"), "[3,9]");
    for path in ["others[1].class", "image[0:2][1][0]", "names", "mark"] {
        let field = observer.field(path);
        assert_eq!(field.unwrap().unwrap().value().json().to_string(), part(path));
    }
    let json = value.json().to_string();
    let made = io_shared::value::encode(schema, &json).unwrap();
    assert_eq!(Value::decode(schema, &made).unwrap().json().to_string(), json);
}

#[test]
fn a_value_is_put_again_as_it_is() {
    let (from, to) = (TestName::new("from"), TestName::new("to"));
    let mut producer = open(&from);
    let mut consumer = io_shared::consumer::<Detections>(&*from).unwrap();
    fill(&mut producer).put().unwrap();
    let mut copies = open(&to);
    copies.put(&consumer.get().unwrap()).unwrap();
    assert_filled(&io_shared::consumer::<Detections>(&*to).unwrap().get().unwrap());
}

#[test]
fn empty_lists_have_no_elements_and_no_place() {
    let name = TestName::new("empty");
    let mut producer = open(&name);
    let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
    producer.loan_lists(Detections::capacity().image([0, 7, 3])).unwrap().put().unwrap();
    let found = consumer.get().unwrap();
    assert_eq!((found.boxes(), found.data.len()), (&[][..], 0));
    assert_eq!((found.image().shape(), found.image().as_slice()), ([0, 7, 3], &[][..]));
    drop(found);
    let mut loan = fill(&mut producer);
    loan.zero();
    assert!(loan.boxes().is_empty() && loan.lists_mut().image.into_slice().is_empty());
    loan.put().unwrap();
    assert!(consumer.get().unwrap().names().is_empty());
}

#[test]
fn lists_that_are_not_within_the_message_are_refused_in_every_role_and_count_as_had() {
    for (distance, word, field, found) in BAD {
        let name = TestName::new("bad-list");
        let mut producer = open(&name);
        let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
        let mut observer = Channel::<Detections>::named(&*name).observer().unwrap();
        let mut bytes = Channel::<[u8]>::named(&*name).any_schema().consumer().unwrap();
        fill(&mut producer).put().unwrap();
        write_after_marks(&name.path(), distance, word);
        assert_damaged(consumer.get(), field, found);
        assert!(consumer.try_get().unwrap().is_none(), "it counts as had");
        assert_damaged(consumer.latest(), field, found);
        assert_damaged(observer.copy(), field, found);
        assert_damaged(bytes.get(), field, found);
        fill(&mut producer).put().unwrap();
        assert_filled(&consumer.get().unwrap());
    }
}

#[test]
fn what_a_history_keeps_is_checked_in_each_copy() {
    for (distance, word, field, found) in BAD {
        let name = TestName::new("bad-history");
        let most = Detections::capacity().boxes(9).image([9, 9, 3]);
        let channel = Channel::<Detections>::named(&*name).lists(most).history(3);
        let mut producer = channel.producer().unwrap();
        let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
        let mut observer = Channel::<Detections>::named(&*name).observer().unwrap();
        for tag in 1..=3 {
            let mut loan = fill(&mut producer);
            loan.tag(tag);
            loan.put().unwrap();
        }
        assert_filled(&consumer.tagged(2).unwrap().unwrap());
        write_after_marks(&name.path(), distance, word);
        assert_damaged(consumer.tagged(2), field, found);
        assert_damaged(observer.tagged(2), field, found);
        assert_damaged(consumer.since(1).next().unwrap(), field, found);
        assert_damaged(observer.since(1).next().unwrap(), field, found);
    }
}

#[test]
fn a_list_that_is_changed_after_the_get_has_no_elements() {
    for (distance, word, field, found) in BAD {
        let name = TestName::new("changed-list");
        let mut producer = open(&name);
        let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
        fill(&mut producer).put().unwrap();
        let guard = consumer.get().unwrap();
        write_after_marks(&name.path(), distance, word);
        // Overlapping lists can be read: nobody writes them.
        if word != 112 {
            match distance {
                BOXES => assert_eq!(guard.boxes(), []),
                OTHERS..NAMES => assert_eq!(guard.others(), []),
                NAMES..IMAGE => assert!(guard.names().is_empty()),
                _ => assert_eq!(guard.image().shape(), [0; 3]),
            }
        }
        let _ = format!("{guard:?}");
        assert_damaged(guard.to_copy(), field, found);
    }
}

#[test]
fn lists_of_a_loan_are_apart_whatever_becomes_of_their_places() {
    for (distance, word, field, found) in BAD {
        let name = TestName::new("changed-loan");
        let mut producer = open(&name);
        let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
        let mut loan = fill(&mut producer);
        write_after_marks(&name.path(), distance, word);
        let mut lists = loan.lists_mut();
        let ranges = [
            lists.boxes.as_ptr_range().cast_bytes(),
            lists.others.as_ptr_range().cast_bytes(),
            lists.names.as_ptr_range().cast_bytes(),
            lists.image.as_mut_slice().as_ptr_range().cast_bytes(),
        ];
        for (i, one) in ranges.iter().enumerate() {
            let apart = |other: &std::ops::Range<usize>| {
                one.is_empty()
                    || other.is_empty()
                    || one.end <= other.start
                    || other.end <= one.start
            };
            assert!(ranges[..i].iter().all(apart), "{ranges:x?}");
        }
        lists.others.fill(Box3 { centre: [9.0; 3], class: 9 });
        assert_bad(loan.put(), field, found);
        assert!(consumer.try_get().unwrap().is_none(), "nothing was put");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_another_program_makes_of_a_loan_no_byte_of_it_is_lent_twice(
        words in proptest::array::uniform10(prop_oneof![0..400_u64, any::<u64>()]),
    ) {
        let name = TestName::new("any-words");
        let mut producer = open(&name);
        let mut loan = fill(&mut producer);
        for (i, word) in words.into_iter().enumerate().filter(|(_, word)| *word % 4 != 3) {
            write_after_marks(&name.path(), BOXES + 8 * i, word);
        }
        let message = loan.as_bytes().as_ptr_range().cast_bytes();
        let mut lists = loan.lists_mut();
        let mut ranges = [
            lists.boxes.as_ptr_range().cast_bytes(),
            lists.others.as_ptr_range().cast_bytes(),
            lists.names.as_ptr_range().cast_bytes(),
            lists.image.as_mut_slice().as_ptr_range().cast_bytes(),
        ]
        .map(|range| if range.is_empty() { 0..0 } else { range });
        ranges.sort_by_key(|range| range.start);
        prop_assert!(ranges.is_sorted_by(|one, next| one.end <= next.start), "{ranges:x?}");
        let used = ranges.iter().filter(|range| !range.is_empty());
        let mut inside = used.map(|one| message.start + 96 <= one.start && one.end <= message.end);
        prop_assert!(inside.all(|inside| inside), "{ranges:x?} in {message:x?}");
        // A put refuses it, or else it is read alike.
        let was = (loan.boxes().len(), loan.others().len(), loan.image().shape());
        match loan.put() {
            Err(error) => prop_assert!(error.to_string().contains("nothing was put"), "{error}"),
            Ok(_) => {
                let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
                let found = consumer.get().unwrap();
                let read = (found.boxes().len(), found.others().len(), found.image().shape());
                prop_assert_eq!(read, was);
            }
        }
    }
}

trait CastBytes {
    fn cast_bytes(self) -> std::ops::Range<usize>;
}

impl<T> CastBytes for std::ops::Range<*const T> {
    fn cast_bytes(self) -> std::ops::Range<usize> {
        self.start.addr()..self.end.addr()
    }
}

#[test]
fn lists_that_safe_code_swaps_are_those_of_the_message_or_are_refused() {
    let (one, other) = (TestName::new("swap"), TestName::new("swap-other"));
    let (mut ours, mut theirs) = (open(&one), open(&other));
    let mut loan = fill(&mut ours);
    {
        let loan = &mut *loan;
        std::mem::swap(&mut loan.boxes, &mut loan.others);
    }
    assert_eq!((loan.boxes().len(), loan.others().len()), (3, 2));
    assert_eq!((loan.lists_mut().boxes[0].class, loan.lists_mut().others[1].class), (2, 1));

    // A list of another message, which lies elsewhere there.
    let sizes = Detections::capacity().others(4);
    let mut foreign = theirs.loan_lists(sizes).unwrap();
    std::mem::swap(&mut loan.boxes, &mut foreign.others);
    let lists = loan.lists_mut();
    assert_eq!((lists.boxes.len(), lists.others.len()), (4, 0), "the second one overlaps");
    lists.boxes.fill(Box3 { centre: [0.0; 3], class: 7 });
    assert_bad(loan.put(), "others.offset", 96);
    assert_bad(foreign.put(), "others.offset", 128);
    let mut foreign = theirs.loan_lists(Detections::capacity()).unwrap();
    let mut loan = fill(&mut ours);
    std::mem::swap(&mut loan.names, &mut foreign.names);
    assert_bad(foreign.put(), "names.count", 2);
    loan.put().unwrap();
    let mut copies = open(&TestName::new("swap-copies"));
    let mut loan = fill(&mut ours);
    loan.boxes = theirs_boxes(&mut theirs);
    assert_bad(copies.put(&loan), "boxes.count", 100);
}

/// A list that fits a large message only.
fn theirs_boxes(producer: &mut Producer<Detections>) -> List<Box3> {
    let mut loan = producer.loan_lists(Detections::capacity().boxes(100)).unwrap();
    std::mem::take(&mut loan.boxes)
}

#[test]
fn bytes_are_checked_against_the_schema_before_they_are_put() {
    let name = TestName::new("list-bytes");
    let mut typed = open(&name);
    let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
    let good = {
        let loan = fill(&mut typed);
        loan.as_bytes().to_vec()
    };
    drop(typed);
    let channel = Channel::<[u8]>::named(&*name).schema(Detections::schema()).capacity("4K");
    let mut bytes = channel.producer().unwrap();
    for (distance, word, field, found) in BAD {
        let mut bad = good.clone();
        bad[distance..distance + 8].copy_from_slice(&word.to_le_bytes());
        assert_bad(bytes.put(&bad), field, found);
        let mut loan = bytes.loan_len(bad.len()).unwrap();
        loan.copy_from(&bad);
        assert_bad(loan.put(), field, found);
        let mut aligned = vec![0_u64; bad.len().div_ceil(8)];
        let length = bad.len();
        bytemuck::cast_slice_mut(&mut aligned)[..length].copy_from_slice(&bad);
        let error = Detections::from_prefix(aligned.as_bytes(), length).unwrap_err();
        assert!(matches!(error, BytesError::BadValue { .. }), "{error}");
    }
    assert!(consumer.try_get().unwrap().is_none(), "nothing was put");
    bytes.put(&good).unwrap();
    assert_filled(&consumer.get().unwrap());
}

#[test]
fn a_message_is_aligned_as_the_elements_of_its_lists_are() {
    assert_eq!((Wide::SHAPE.align, Detections::SHAPE.align), (64, 8));
    let name = TestName::new("wide");
    let sizes = Wide::capacity().bytes(3).lines(2);
    assert_eq!(ListCapacity::bytes(&sizes), 3 + 29 + 2 * 64);
    let mut producer = Channel::<Wide>::named(&*name).lists(sizes).producer().unwrap();
    let mut loan = producer.loan_lists(sizes).unwrap();
    loan.lists_mut().lines.fill(Line([7; 8]));
    loan.put().unwrap();
    let mut consumer = io_shared::consumer::<Wide>(&*name).unwrap();
    let found = consumer.get().unwrap();
    assert_eq!((found.lines()[1].0, found.lines().as_ptr().addr() % 64), ([7; 8], 0));
    assert_eq!(found.to_copy().unwrap().lines().len(), 2);
    let bytes = [0_u64; 32];
    let start = (0..8).find(|i| bytes[*i..].as_ptr().addr() % 64 == 8).unwrap();
    let error = Wide::from_prefix(bytes[start..].as_bytes(), 32).unwrap_err();
    assert_eq!(error, BytesError::Misaligned { expected: 64, found: 8 });
}

#[test]
fn a_channel_grows_for_longer_lists() {
    let name = TestName::new("growing-lists");
    let mut producer = Channel::<Detections>::named(&*name).growing(true).producer().unwrap();
    let mut consumer = io_shared::consumer::<Detections>(&*name).unwrap();
    fill(&mut producer).put().unwrap();
    assert_filled(&consumer.get().unwrap());
    let sizes = Detections::capacity().image([1000, 1000, 3]);
    let mut loan = producer.loan_lists(sizes).unwrap();
    loan.lists_mut().image.into_array()[[999, 999, 2]] = 5;
    loan.put().unwrap();
    let found = consumer.get().unwrap();
    assert_eq!(found.image().array()[[999, 999, 2]], 5);
    drop(found);
    let endless = Detections::capacity().image([usize::MAX; 3]);
    let error = producer.loan_lists(endless).unwrap_err();
    assert!(!error.to_string().is_empty());
}

#[test]
fn the_schema_of_lists_is_read_as_it_was_written() {
    let schema = Detections::schema();
    assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema.clone()));
    let json = Wide::schema().to_json();
    let of_line = r#"[{"name":"0","offset":0,"type":{"array":8,"of":"<u8"}}]"#;
    let line = format!(r#"{{"struct":"Line","size":64,"align":64,"fields":{of_line}}}"#);
    let field =
        |name, offset, ty: &str| format!(r#"{{"name":"{name}","offset":{offset},"type":{ty}}}"#);
    let fields = [
        field("bytes", 0, r#"{"list":"|u1","axes":1}"#),
        field("lines", 16, &format!(r#"{{"list":{line},"axes":1}}"#)),
        field("data", 32, r#""lists""#),
    ];
    let head = r#"{"struct":"Wide","size":32,"align":64,"fields":["#;
    let said = format!("{head}{}]}}", fields.join(","));
    assert_eq!(json, said);
    for (from, to) in [
        (r#""axes":1"#, r#""axes":0"#),
        (r#""axes":1"#, r#""axes":33"#),
        (r#","type":"lists""#, r#","type":"|u1""#),
        (r#"{"list":"|u1""#, r#"{"list":"|b1""#),
        (r#"{"list":"|u1""#, r#"{"list":{"array":0,"of":"|u1"}"#),
        (r#"{"list":"|u1""#, r#"{"list":{"list":"|u1","axes":1}"#),
        (r#"{"list":"|u1","axes":1}"#, r#"{"array":2,"of":{"list":"|u1","axes":1}}"#),
        (r#""size":32,"align":64"#, r#""size":32,"align":32"#),
    ] {
        let bad = json.replacen(from, to, 1);
        assert_ne!(bad, json);
        assert!(Schema::from_json(&bad).is_err(), "{bad}");
    }
    assert!(Schema::from_json(r#""lists""#).is_err());
    assert!(Schema::from_json(r#"{"list":"|u1","axes":1}"#).is_err());
    let other = json.replace(r#""list":"|u1""#, r#""list":"|i1""#);
    let other = Schema::from_json(&other).unwrap();
    assert_ne!(other.hash(), Wide::schema().hash());
    assert_eq!(
        Wide::schema().differences(&other),
        ["field `bytes`: channel has list of |i1 at 0, this program list of |u1 at 0"]
    );
}
