//! Headers against those that NumPy wrote, and against hostile ones.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::extent::MOST_AXES;
use super::header::{LONGEST, lengths, read, write};
use super::{NpyError, describe};

/// A message with the header for this array, and zeros as its elements.
fn written(dtype: &str, fortran_order: bool, shape: &[usize]) -> Vec<u8> {
    let (header, data) = lengths(dtype, fortran_order, shape).unwrap();
    let mut npy = vec![0; header + data];
    write(&mut npy[..header], dtype, fortran_order, shape);
    npy
}

/// A file of version 1.0 with `text` as its header, padded as NumPy does.
fn file(text: &str, data: usize) -> Vec<u8> {
    let mut npy = b"\x93NUMPY\x01\x00\0\0".to_vec();
    npy.extend_from_slice(text.as_bytes());
    npy.resize((npy.len() + 1).next_multiple_of(64) - 1, b' ');
    npy.push(b'\n');
    let length = (npy.len() - 10) as u16;
    npy[8..10].copy_from_slice(&length.to_le_bytes());
    npy.resize(npy.len() + data, 0);
    npy
}

/// dtype, Fortran order, shape, length of the header, and its bytes up to the spaces and the
/// newline that fill it.
type Golden = (&'static str, bool, &'static [usize], usize, &'static [u8]);

/// What `numpy.save` of NumPy 2.4.6 wrote.
#[rustfmt::skip]
const GOLDEN: &[Golden] = &[
    ("<f4", false, &[2, 3], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"),
    ("<f8", false, &[], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (), }"),
    ("|b1", false, &[5], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '|b1', 'fortran_order': False, 'shape': (5,), }"),
    ("<i2", true, &[7, 11], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i2', 'fortran_order': True, 'shape': (7, 11), }"),
    ("<u8", false, &[0, 4], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<u8', 'fortran_order': False, 'shape': (0, 4), }"),
    ("<c16", false, &[1, 2, 3, 4], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<c16', \
          'fortran_order': False, 'shape': (1, 2, 3, 4), }"),
    (">f4", false, &[3], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '>f4', 'fortran_order': False, 'shape': (3,), }"),
    ("<f2", false, &[2, 2], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }"),
    ("|S5", false, &[2], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '|S5', 'fortran_order': False, 'shape': (2,), }"),
    ("<M8[ns]", false, &[2], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (2,), }"),
    ("|u1", false, &[480, 640, 3], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', \
          'fortran_order': False, 'shape': (480, 640, 3), }"),
    // With one more axis, the space for growth takes another 64 bytes.
    ("<f4", false, &[1; 14], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', \
          'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }"),
    ("<f4", false, &[1; 15], 192,
        b"\x93NUMPY\x01\x00\xb6\x00{'descr': '<f4', \
          'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }"),
    ("[('x', '<f4'), ('n', '<u2', (3,))]", false, &[2], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': [('x', '<f4'), ('n', '<u2', (3,))], \
          'fortran_order': False, 'shape': (2,), }"),
    (r#"[("it's", '<f4'), ('a"\'b\\', '<f4')]"#, false, &[2], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': [(\"it's\", '<f4'), ('a\"\\'b\\\\', '<f4')], \
          'fortran_order': False, 'shape': (2,), }"),
    ("[(('title', 'name'), '<f4'), ('in', [('y', '<i4')], (2, 2))]", false, &[2], 192,
        b"\x93NUMPY\x01\x00\xb6\x00{'descr': [(('title', 'name'), '<f4'), \
          ('in', [('y', '<i4')], (2, 2))], 'fortran_order': False, 'shape': (2,), }"),
    ("[('a', '|u1'), ('', '|V7'), ('b', '<f8')]", false, &[2], 128,
        b"\x93NUMPY\x01\x00v\x00{'descr': [('a', '|u1'), ('', '|V7'), ('b', '<f8')], \
          'fortran_order': False, 'shape': (2,), }"),
    ("[('点', '<f4')]", false, &[3], 128,
        b"\x93NUMPY\x03\x00t\x00\x00\x00{'descr': [('\xe7\x82\xb9', '<f4')], \
          'fortran_order': False, 'shape': (3,), }"),
];

#[test]
fn headers_are_those_that_numpy_writes() {
    for &(dtype, fortran_order, shape, length, bytes) in GOLDEN {
        let npy = written(dtype, fortran_order, shape);
        assert_eq!(&npy[..bytes.len()], bytes, "{dtype}");
        let fill = &npy[bytes.len()..length];
        assert!(fill.ends_with(b"\n") && fill.trim_ascii().is_empty(), "{dtype}: {fill:?}");
        let header = read(&npy).unwrap();
        assert_eq!((&*header.dtype, header.fortran_order), (dtype, fortran_order));
        assert_eq!((header.shape.as_slice(), header.data), (shape, length..npy.len()));
    }
}

#[test]
fn a_header_of_more_than_64_kib_is_version_2() {
    let fields: Vec<_> = (0..4000).map(|i| format!("('f{i:04}', '<f4')")).collect();
    let dtype = format!("[{}]", fields.join(", "));
    let npy = written(&dtype, false, &[2]);
    assert_eq!(npy.len(), 72128 + 2 * 4000 * 4); // NumPy's
    assert_eq!(npy[..12], *b"\x93NUMPY\x02\x00\xb4\x19\x01\x00"); // NumPy's
    assert_eq!(read(&npy).unwrap().dtype, dtype);
}

#[test]
fn latin_1_and_python_2_are_read() {
    let mut npy =
        file("{'descr': [('gr\u{0}\u{0}e', '<f4')], 'fortran_order': False, 'shape': (3,), }", 12);
    let at = npy.windows(4).position(|four| four == b"r\0\0e").unwrap();
    npy[at + 1..at + 3].copy_from_slice(b"\xf6\xdf");
    assert_eq!(read(&npy).unwrap().dtype, "[('größe', '<f4')]");

    let npy = file("{\"shape\": (2L, 3), 'fortran_order': True,\n\t'descr': '<f4'}", 24);
    let header = read(&npy).unwrap();
    assert_eq!((header.shape, header.fortran_order), (vec![2, 3], true));
}

#[test]
fn python_objects_are_refused_by_name_wherever_they_stand() {
    for dtype in ["|O", "O", "|O8", "[('a', '<f4'), ('b', [('c', '|O')])]"] {
        let found = lengths(dtype, false, &[1]).unwrap_err();
        assert!(matches!(found, NpyError::Object { .. }), "{dtype}: {found:?}");
        let literal = if dtype.starts_with('[') { dtype.into() } else { format!("'{dtype}'") };
        let text = format!("{{'descr': {literal}, 'fortran_order': False, 'shape': (1,), }}");
        assert_eq!(read(&file(&text, 8)).unwrap_err(), found);
    }
    // A field may have this name.
    assert_eq!(lengths("[('O', '<f4')]", false, &[1]), Ok((128, 4)));
}

#[test]
fn what_is_no_header_is_an_error_that_says_why() {
    let text = |text: &str| read(&file(text, 64)).unwrap_err();
    let header = |dtype: &str, shape: &str| {
        text(&format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"))
    };
    let says = |error: NpyError, says: &str| {
        let text = error.to_string();
        assert!(text.contains(says), "`{text}` does not say `{says}`");
    };
    says(read(b"").unwrap_err(), "not an array");
    says(read(b"\x93NUMPZ\x01\x00v\x00").unwrap_err(), "not an array");
    says(read(b"\x93NUMPY\x01").unwrap_err(), "not an array");
    says(read(b"\x93NUMPY\x04\x00v\x00").unwrap_err(), "version 4.0");
    says(read(b"\x93NUMPY\x01\x00v").unwrap_err(), "needs 10 bytes, found 9");
    says(read(b"\x93NUMPY\x01\x00v\x00{").unwrap_err(), "needs 128 bytes, found 11");
    says(
        read(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").unwrap_err(),
        "header has 4294967295 bytes, and at most 1048576",
    );
    says(read(b"\x93NUMPY\x03\x00\x01\x00\x00\x00\xff").unwrap_err(), "expected UTF-8 at 0");
    says(text(""), "expected `{` at");
    says(text("{"), "expected a string at");
    says(text("{}"), "expected `descr`, `fortran_order` and `shape` before this");
    says(text("{'descr': '<f4', 'shape': (1,)}"), "`fortran_order`");
    says(text("{'descr': '<f4"), "expected a string that ends at 10");
    says(text("{'descr': '<f4', 'evil': (1,)}"), "`shape` before this at");
    says(text("{'fortran_order': 1, }"), "expected `True` or `False`");
    says(header("'<f4'", "(1 2)"), "expected `)` at");
    says(header("'<f4'", "(-1,)"), "expected a length at");
    says(header("'<f4'", "(99999999999999999999,)"), "expected a length at");
    says(header("'<f4'", "(1,)} {"), "expected the end at");
    says(header("'<f4'", "(17,)"), "needs 196 bytes, found 192");
    says(header("'<f4'", "(4294967296, 4294967296)"), "larger than memory");
    says(header("'<f4'", "(4294967296, 0, 4294967296)"), "larger than memory");
    says(header("'<f3'", "(1,)"), "`<f3` is not the code of a dtype");
    says(header("'<f+4'", "(1,)"), "is not the code of a dtype");
    says(header("'<f4[ns]'", "(1,)"), "is not the code of a dtype");
    says(header("'\u{1b}[31m'", "(1,)"), "`\\u{1b}[31m` is not the code");
    says(header("''", "(1,)"), "`` is not the code of a dtype");
    says(header("[('x', '<f4')", "(1,)"), "expected `(` at");
    says(header("[('x', '<f4', (4294967296, 4294967296))]", "(1,)"), "larger than memory");
    says(
        header(
            "[('x', '|V9223372036854775807'), ('y', '|V9223372036854775807'), ('z', '|V9')]",
            "(1,)",
        ),
        "expected less before this",
    );
    let deep = |levels: usize| {
        let nested = format!("{}'<f4'{}", "[('x', ".repeat(levels), ")]".repeat(levels));
        read(&file(&format!("{{'descr': {nested}, 'fortran_order': False, 'shape': (1,)}}"), 4))
            .map(|header| header.shape)
    };
    assert_eq!(deep(16), Ok(vec![1]));
    says(deep(17).unwrap_err(), "nested less deeply");
    says(deep(6000).unwrap_err(), "nested less deeply");
}

#[test]
fn what_cannot_be_read_is_not_written() {
    for dtype in ["", "f4'", "<f4', 'x': '", "[('x', '<f4')]]", "<U9223372036854775807"] {
        assert!(lengths(dtype, false, &[1]).is_err(), "{dtype}");
    }
    let larger = lengths("|i1", false, &[isize::MAX as usize]);
    assert!(matches!(larger, Err(NpyError::TooLarge { .. })), "{larger:?}");
}

/// A file of this version of the format with `text` as its header.
fn file_of(version: u8, text: &str, data: usize) -> Vec<u8> {
    let mut npy = [b"\x93NUMPY", &[version, 0][..]].concat();
    match version {
        1 => npy.extend_from_slice(&(text.len() as u16).to_le_bytes()),
        _ => npy.extend_from_slice(&(text.len() as u32).to_le_bytes()),
    }
    npy.extend_from_slice(text.as_bytes());
    npy.resize(npy.len() + data, 0);
    npy
}

#[test]
fn a_header_costs_little_time_however_hostile_it_is() {
    let whole = |dtype: &str, shape: &str| {
        format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}")
    };
    let field = "('x', '<f4'), ";
    let hostile = [
        "[".repeat(900_000),
        "(".repeat(900_000),
        "{".repeat(900_000),
        format!("{{'descr': {}", "[('x', ".repeat(120_000)),
        whole(&format!("[{}]", field.repeat(70_000)), "(1,)"),
        whole("'<f4'", &"9".repeat(900_000)),
        whole("'<f4'", &format!("({},)", "9".repeat(900_000))),
        whole("'<f4'", &format!("({})", "1, ".repeat(300_000))),
        whole("'<f4'", &format!("({})", "4294967296, ".repeat(60))),
        whole(&format!("[('x', '<f4', ({}))]", "2, ".repeat(300_000)), "(1,)"),
        whole(&format!("'<M8[{}]'", "s".repeat(900_000)), "(1,)"),
        whole(&format!("'<f4{}'", "\\".repeat(900_000)), "(1,)"),
        "'".repeat(900_000),
        "-".repeat(900_000),
        " ".repeat(900_000),
        whole("'<f4'", "(1,)") + &" ".repeat(10 << 20),
        format!("[{}]", "1, ".repeat(4 << 20)),
    ];
    for text in &hostile {
        for version in [2, 3] {
            let npy = file_of(version, text, 4);
            let started = Instant::now();
            let said = describe(&npy);
            let taken = started.elapsed();
            let start = text.get(..60).unwrap_or(text);
            assert!(taken < Duration::from_secs(5), "{taken:?} for `{start}..`");
            if let Err(error) = said {
                assert!(error.to_string().len() < 1000, "`{start}..` says all of it");
            }
        }
    }
}

#[test]
fn a_header_is_as_long_as_it_may_be_in_every_version() {
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
    for version in [2, 3] {
        let padded = |length: usize| text.to_owned() + &" ".repeat(length - text.len());
        assert_eq!(read(&file_of(version, &padded(LONGEST), 4)).unwrap().shape, [1]);
        let error = read(&file_of(version, &padded(LONGEST + 1), 4)).unwrap_err();
        assert_eq!(error, NpyError::HeaderTooLong { found: LONGEST + 1, longest: LONGEST });
    }
    let fields = "('x', '<f4'), ".repeat(LONGEST / 14 + 1);
    let error = lengths(&format!("[{fields}]"), false, &[1]).unwrap_err();
    assert!(matches!(error, NpyError::HeaderTooLong { .. }), "{error:?}");
}

#[test]
fn more_axes_than_numpy_has_are_refused_wherever_they_stand() {
    let text = |dtype: &str, axes: usize| {
        let shape = "1, ".repeat(axes);
        let text = format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': ({shape}), }}");
        read(&file(&text, 4)).map(|header| header.shape.len())
    };
    assert_eq!(text("'<f4'", MOST_AXES), Ok(MOST_AXES));
    let refused = Err(NpyError::TooManyAxes { found: MOST_AXES + 1, most: MOST_AXES });
    assert_eq!(text("'<f4'", MOST_AXES + 1), refused);
    let nested = |axes: usize| format!("[('x', '<f4', ({}))]", "1, ".repeat(axes));
    assert_eq!(text(&nested(MOST_AXES), 1), Ok(1));
    assert_eq!(text(&nested(MOST_AXES + 1), 1), refused);
    assert_eq!(lengths("<f4", false, &[1; MOST_AXES + 1]).err(), refused.err());
    assert!(lengths("<f4", false, &[1; MOST_AXES]).is_ok());
}

#[test]
fn elements_without_bytes_are_counted_all_the_same() {
    for dtype in ["|V0", "[]", "[('x', '<f4', (0,))]"] {
        assert_eq!(lengths(dtype, false, &[1 << 40]).map(|(_, bytes)| bytes), Ok(0), "{dtype}");
        let error = lengths(dtype, false, &[1 << 40, 1 << 40]).unwrap_err();
        assert!(matches!(error, NpyError::TooLarge { .. }), "{dtype}: {error:?}");
    }
}

#[test]
fn a_header_is_described_as_json() {
    let describe = |text: &str, data| describe(&file(text, data));
    assert_eq!(
        describe("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24).unwrap(),
        r#"{"descr":"<f4","fortran_order":true,"shape":[2, 3],"start":128,"bytes":24}"#
    );
    let descr = |descr: &str| {
        let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (), }}");
        let json = describe(&text, 64)?;
        let end = json.find(",\"fortran_order\"").unwrap();
        Ok::<_, NpyError>(json["{\"descr\":".len()..end].to_owned())
    };
    for (python, json) in [
        ("[]", "[]"),
        (
            "[('x', '<f4'), ('y', '<i2', (2, 3)),]",
            r#"[[null,"x","<f4",null],[null,"y","<i2",[2, 3]]]"#,
        ),
        ("[(u'x', '<f4', 2)]", r#"[[null,"x","<f4",[2]]]"#),
        ("[(('t', 'n'), [('y', '|u1',)], ())]", r#"[["t","n",[[null,"y","|u1",null]],[]]]"#),
        (r"[('it\'s\x00\n', '<f4')]", r#"[[null,"it's\u0000\n","<f4",null]]"#),
        ("[(\"q'\", '<f4')]", r#"[[null,"q'","<f4",null]]"#),
    ] {
        assert_eq!(descr(python).as_deref(), Ok(json), "{python}");
    }
    let error = descr(r"[('\x4', '<f4')]").unwrap_err();
    assert!(error.to_string().contains("a string of characters before this"), "{error}");
}

fn any_dtype() -> impl Strategy<Value = String> {
    let code =
        "[<>][iu][248]|[<>]f[248]|[<>]c(8|16)|\\|[biu]1|\\|[SV][0-9]{1,2}|<U[0-9]|<[mM]8\\[ns\\]";
    let name = "[a-z_']{0,5}|ä|点";
    let field = (name, code, proptest::option::of(prop::collection::vec(0..4usize, 0..3)));
    let field = field.prop_map(|(name, code, shape)| {
        let shape = shape.map_or(String::new(), |shape| {
            let lengths: Vec<_> = shape.iter().map(|length| format!("{length},")).collect();
            format!(", ({})", lengths.join(" "))
        });
        format!("(\"{name}\", '{code}'{shape})")
    });
    let structs = prop::collection::vec(field, 0..4).prop_map(|it| format!("[{}]", it.join(", ")));
    prop_oneof![3 => code, 1 => structs]
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        dtype in any_dtype(), order: bool, shape in prop::collection::vec(0..9usize, 0..6),
    ) {
        let npy = written(&dtype, order, &shape);
        let header = read(&npy).unwrap();
        prop_assert_eq!((&*header.dtype, header.fortran_order), (&*dtype, order));
        prop_assert_eq!((header.data.start % 64, header.data.end), (0, npy.len()));
        prop_assert_eq!(header.shape, shape);
    }

    /// Bytes of a real header are changed, or the file is cut. Reading it is an error, or finds
    /// elements that are there.
    #[test]
    fn a_damaged_header_is_an_error_or_an_array(
        dtype in any_dtype(),
        shape in prop::collection::vec(0..9usize, 0..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut: prop::sample::Index,
        is_cut: bool,
    ) {
        let mut npy = written(&dtype, false, &shape);
        let end = npy.len();
        for (at, byte) in changes {
            npy[at.index(end.min(160))] = byte;
        }
        npy.truncate(if is_cut { cut.index(end) } else { end });
        if let Ok(header) = read(&npy) {
            prop_assert!(npy.get(header.data).is_some());
        }
    }

    #[test]
    fn text_that_looks_like_a_header_is_an_error_or_an_array(
        text in "(\\{)?('descr'|'shape'|'fortran_order'|: |, |'<f4'|\\[|\\]|\\(|\\)|True|\
                 [0-9]{1,20}|L|\\}|\"|\\\\|ä){0,40}",
    ) {
        let npy = file(&text, 64);
        if let Ok(header) = read(&npy) {
            prop_assert!(npy.get(header.data).is_some());
        }
        if let Ok(json) = describe(&npy) {
            let parsed = serde_json::from_str::<serde_json::Value>(&json);
            prop_assert!(parsed.is_ok(), "{} of {}", json, text);
        }
    }
}
