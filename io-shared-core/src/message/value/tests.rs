//! Values: what they say of messages of every shape, and that hostile ones cost little.

use proptest::prelude::*;

use super::*;
use crate::message::Message;
use crate::message::array::Array;
use crate::message::schema::{Enum, Scalar};

/// A cloud: fields, a text, a nested struct and a tail of points.
const CLOUD: &str = r#"{"struct":"Cloud","size":40,"align":8,"fields":[
    {"name":"stamp_ns","offset":0,"type":"<u8","unit":"ns"},
    {"name":"frame","offset":8,"type":"|S16"},
    {"name":"pose","offset":24,"type":{"struct":"Pose","size":16,"align":8,"fields":[
        {"name":"0","offset":0,"type":"<f8"},{"name":"on","offset":8,"type":"<i8"}]}},
    {"name":"points","offset":40,"type":{"slice":{"struct":"Point","size":8,"align":4,"fields":[
        {"name":"x","offset":0,"type":"<f4","unit":"m"},
        {"name":"uv","offset":4,"type":{"array":2,"of":"<u2"}}]}}}]}"#;

fn cloud() -> (Schema, Vec<u8>) {
    let mut bytes = 5_u64.to_le_bytes().to_vec();
    bytes.extend(b"velo \"1\"\0\xff\0\0\0\0\0\0");
    bytes.extend(1e-7_f64.to_le_bytes());
    bytes.extend((-2_i64).to_le_bytes());
    for point in 0..3_u16 {
        bytes.extend(f32::from(point).to_le_bytes());
        bytes.extend((10 * point).to_le_bytes());
        bytes.extend((10 * point + 1).to_le_bytes());
    }
    (Schema::from_json(CLOUD).unwrap(), bytes)
}

fn json_at(value: &Value<'_>, path: &str) -> String {
    match value.at(&path.parse().unwrap()) {
        Ok(part) => part.json().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_struct_reads_as_yaml_json_and_csv() {
    let (schema, bytes) = cloud();
    let value = Value::decode(&schema, &bytes).unwrap();
    let yaml = r#"stamp_ns: 5  # ns
frame: "velo \"1\""
pose:
  "0": 1.0e-7
  "on": -2
points:
- x: 0.0  # m
  uv: [0, 1]
- x: 1.0  # m
  uv: [10, 11]
# and 1 more"#;
    assert_eq!(value.yaml().most(2).to_string(), yaml);
    let json = concat!(
        r#"{"stamp_ns":5,"frame":"velo \"1\"","pose":{"0":1e-7,"on":-2},"points":["#,
        r#"{"x":0.0,"uv":[0,1]},{"x":1.0,"uv":[10,11]},{"x":2.0,"uv":[20,21]}]}"#
    );
    assert_eq!(value.json().to_string(), json);
    assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
    let csv = r#"5,"velo ""1""",1e-7,-2,0.0,0,1,1.0,10,11,2.0,20,21"#;
    assert_eq!(value.csv().to_string(), csv);
    assert_eq!(value.csv().without_lists().to_string(), r#"5,"velo ""1""",1e-7,-2,<3 elements>"#);
}

/// Padding before, between and after the fields, and a struct of nothing else.
#[test]
fn fields_that_name_padding_are_shown_in_no_style_and_read_by_their_name() {
    let schema = r#"{"struct":"S","size":8,"align":1,"fields":[
        {"name":"_pad0","offset":0,"type":"|u1"},
        {"name":"x","offset":1,"type":"|u1"},
        {"name":"_pad1","offset":2,"type":{"array":2,"of":"|u1"}},
        {"name":"only","offset":4,"type":{"struct":"P","size":1,"align":1,"fields":[
            {"name":"_padding","offset":0,"type":"|u1"}]}},
        {"name":"_own","offset":5,"type":"|u1","unit":"m"},
        {"name":"_pad2","offset":6,"type":{"array":2,"of":"|u1"}}]}"#;
    let schema = Schema::from_json(schema).unwrap();
    let value = Value::decode(&schema, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(value.yaml().to_string(), "x: 2\nonly: {}\n_own: 6  # m");
    assert_eq!(value.json().to_string(), r#"{"x":2,"only":{},"_own":6}"#);
    assert_eq!(value.csv().to_string(), "2,6");
    assert_eq!(json_at(&value, "_pad1"), "[3,4]");
    // What is shown can be put.
    let bytes = encode(&schema, &value.json().to_string()).unwrap();
    assert_eq!(bytes, [0, 2, 0, 0, 0, 6, 0, 0]);
}

#[test]
fn paths_lead_to_fields_elements_and_slices() {
    let (schema, bytes) = cloud();
    let value = Value::decode(&schema, &bytes).unwrap();
    for (path, json) in [
        ("stamp_ns", "5"),
        ("frame", r#""velo \"1\"""#),
        ("pose.0", "1e-7"),
        (r#"pose["on"]"#, "-2"),
        ("points[1].uv[0]", "10"),
        ("points[-1].x", "2.0"),
        ("points[0:2].x", "[0.0,1.0]"),
        ("points.0:2.x", "[0.0,1.0]"),
        ("points[1:].uv[1]", "[11,21]"),
        ("points[-2:,0:1]", "`points[-2:]` is a struct, so it has no [0:1]"),
        ("points[:-1].uv[0:1]", "[[0],[10]]"),
        ("points[5:].x", "[]"),
        ("points[2:1]", "[]"),
        ("points[-9:9].x", "[0.0,1.0,2.0]"),
        ("points[0:2].z", "`points[0:2]` has no field `z`: it has x, uv"),
        ("points[5:].z", "`points[5:]` has no field `z`: it has x, uv"),
        ("points[3].x", "`points` has 3 elements, so there is no [3]"),
        ("points[-4]", "`points` has 3 elements, so there is no [-4]"),
        ("points.x", "`points` is a list, so it has no field `x`"),
        ("frame[0]", "`frame` is a text, so it has no [0]"),
        ("stamp_ns.x", "`stamp_ns` is a number, so it has no field `x`"),
        ("speed", "the message has no field `speed`: it has stamp_ns, frame, pose, points"),
    ] {
        assert_eq!(json_at(&value, path), json, "{path}");
    }
    assert_eq!(value.at(&Path::default()).unwrap().csv().to_string(), value.csv().to_string());
}

#[test]
fn a_path_goes_on_from_a_part() {
    let (schema, bytes) = cloud();
    let value = Value::decode(&schema, &bytes).unwrap();
    let points = value.at(&"points[1:]".parse().unwrap()).unwrap();
    assert_eq!(json_at(&points, "0.uv"), "[10,11]");
    assert_eq!(json_at(&points, "[0:2].x"), "[1.0,2.0]");
    let Value::List(list) = &points else { panic!("a list") };
    assert_eq!(json_at(&list.get(1).unwrap(), "uv[1]"), "21");
}

#[test]
fn texts_that_are_no_paths_are_refused_where_they_go_wrong() {
    for (text, error) in [
        ("points[", "expected a number, a range such as `0:5`, or a quoted name after `points[`"),
        ("points[x]", "expected a number, a range such as `0:5`, or a quoted name after `points[`"),
        ("points[0", "expected `]` after `points[0`"),
        ("points[0]x", "expected `.` or `[` after `points[0]`"),
        ("a..b", "expected a name, a number or a range such as `0:5` after `a.`"),
        ("a.", "expected a name, a number or a range such as `0:5` after `a.`"),
        ("['a", "expected the closing quote after `['a`"),
        ("a b", "expected a name, a number or a range such as `0:5`"),
        ("[99999999999999999999]", "expected a number, a range such as `0:5`, or a quoted name"),
    ] {
        let found = text.parse::<Path>().unwrap_err().to_string();
        assert!(found.starts_with(&format!("`{text}` is not a path: {error}")), "{found}");
    }
    assert!("x".repeat(5000).parse::<Path>().is_err());
    for text in ["points[0:5].x", "[\"my field\"][-1]", "[:].a[1:]", "", "größe[\"3\"]"] {
        assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
    }
}

fn npy(dtype: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let text = format!("{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}}}");
    let mut npy = b"\x93NUMPY\x03\0".to_vec();
    npy.extend((text.len() as u32).to_le_bytes());
    npy.extend(text.as_bytes());
    npy.extend(data);
    npy
}

#[test]
fn arrays_read_in_both_orders_and_by_every_dtype() {
    let schema = Array::schema();
    let json = |npy: &[u8], path: &str| json_at(&Value::decode(&schema, npy).unwrap(), path);
    let rows = npy("'|u1'", false, "(2, 3)", &[1, 2, 3, 4, 5, 6]);
    assert_eq!(json(&rows, ""), r#"{"dtype":"|u1","shape":[2,3],"data":[[1,2,3],[4,5,6]]}"#);
    let columns = npy("'|u1'", true, "(2, 3)", &[1, 4, 2, 5, 3, 6]);
    assert_eq!(json(&columns, "data"), "[[1,2,3],[4,5,6]]");
    assert_eq!(json(&columns, "[:,1]"), "[2,5]");
    assert_eq!(json(&columns, "1.-1"), "6");
    assert_eq!(json(&columns, "shape[0]"), "2");
    let cube: Vec<u8> = (0..24).collect();
    let cube = npy("'|u1'", true, "(2, 3, 4)", &cube);
    assert_eq!(json(&cube, "[1,2,3]"), "23");
    assert_eq!(json(&cube, "[1,0,0]"), "1");
    assert_eq!(json(&cube, "[0,1,0]"), "2");
    let points = npy(
        "[('x', '<f4'), ('', '|V4'), (('title', 'b c'), '>i2', (2,)), ('ok', '|b1')]",
        false,
        "(1,)",
        &[0, 0, 128, 63, 9, 9, 9, 9, 0, 1, 255, 255, 1],
    );
    assert_eq!(json(&points, "data"), r#"[{"x":1.0,"b c":[1,-1],"ok":true}]"#);
    assert_eq!(json(&points, "[0:1]['b c'][1]"), "[-1]");
    assert_eq!(json(&npy("'<f2'", false, "(2,)", &[0, 60, 1, 252]), "data"), "[1.0,null]");
    assert_eq!(json(&npy("'>U2'", false, "()", &[0, 0, 0, 65, 0, 0, 0, 0]), "data"), "\"A\"");
    assert_eq!(json(&npy("'|S3'", false, "()", b"ab\0"), "data"), "\"ab\"");
    assert_eq!(json(&npy("'|V2'", false, "()", &[1, 171]), "data"), "\"01ab\"");
    let complex = npy("'<c8'", false, "(1,)", &[0, 0, 128, 63, 0, 0, 0, 64]);
    assert_eq!(json(&complex, "[0].im"), "2.0");
    assert_eq!(json(&npy("'<M8[ns]'", false, "()", &[7; 8]), "data"), "506381209866536711");
    assert!(Value::decode(&schema, &rows[..rows.len() - 1]).is_err());
}

#[test]
fn yaml_has_the_numbers_that_other_readers_take_for_numbers() {
    let schema = <[f64]>::schema();
    let numbers = [1e-7, 1.5e300, 1e16, 0.1, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let value = Value::decode(&schema, numbers.as_bytes()).unwrap();
    assert_eq!(
        value.yaml().to_string(),
        "[1.0e-7, 1.5e+300, 1.0e+16, 0.1, -0.0, .nan, .inf, -.inf]"
    );
    assert_eq!(value.csv().to_string(), "1e-7,1.5e300,1e16,0.1,-0.0,NaN,inf,-inf");
    let schema = <[[u8; 2]]>::schema();
    let value = Value::decode(&schema, &[1, 2, 3, 4]).unwrap();
    assert_eq!(value.yaml().to_string(), "- [1, 2]\n- [3, 4]");
    assert_eq!(value.yaml().most(0).to_string(), "[]  # and 2 more");
    assert_eq!(value.yaml().without_lists().to_string(), "\"<2 elements>\"");
    let texts = Schema::from_json(r#"{"array":2,"of":"|S4"}"#).unwrap();
    let value = Value::decode(&texts, b"\x1b[2Ja\nb\xff").unwrap();
    assert_eq!(value.yaml().to_string(), "[\"\\u001b[2J\", \"a\\nb\u{fffd}\"]");
    assert_eq!(value.csv().to_string(), "\\u{1b}[2J,a\\nb\u{fffd}");
}

#[test]
fn parts_without_bytes_are_cut_however_many_a_schema_has() {
    let mut hostile = r#"{"struct":"E","size":0,"align":1,"fields":[]}"#.to_owned();
    for _ in 0..20 {
        hostile = format!(r#"{{"array":1152921504606846976,"of":{hostile}}}"#);
    }
    let field = |i| format!(r#"{{"name":"e{i}","offset":1,"type":{{"array":0,"of":"<u8"}}}}"#);
    let fields: Vec<String> = (0..5000).map(field).collect();
    let wide = format!(
        r#"{{"slice":{{"struct":"W","size":1,"align":1,"fields":[
            {{"name":"b","offset":0,"type":"|u1"}},{}]}}}}"#,
        fields.join(",").replace("<u8", "|u1")
    );
    let schema = Array::schema();
    let empty = npy("'<f4'", false, "(1152921504606846975, 0)", &[]);
    let nothing = npy("'|V0'", true, "(4611686018427387904,)", &[]);
    let (hostile, wide) = (Schema::from_json(&hostile).unwrap(), Schema::from_json(&wide).unwrap());
    let bytes = [0; 10_000];
    let started = std::time::Instant::now();
    for (schema, bytes) in
        [(&hostile, &[][..]), (&wide, &bytes), (&schema, &empty), (&schema, &nothing)]
    {
        let value = Value::decode(schema, bytes).unwrap();
        for shown in [value.json(), value.yaml(), value.csv()] {
            let text = shown.to_string();
            assert!(text.len() < 100_000_000, "{} bytes", text.len());
        }
        let json = value.json().to_string();
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn what_is_encoded_decodes_to_the_same_json() {
    let (schema, bytes) = cloud();
    let json = Value::decode(&schema, &bytes).unwrap().json().to_string();
    assert_eq!(encode(&schema, &json).map(|made| made == bytes), Ok(false), "the text had slack");
    let made = encode(&schema, &json).unwrap();
    assert_eq!(Value::decode(&schema, &made).unwrap().json().to_string(), json);
    let schema = Array::schema();
    for json in [
        r#"{"dtype":"<f4","shape":[2,3],"data":[[1.0,2.0,3.0],[4.0,null,6.5]]}"#,
        r#"{"dtype":"|b1","shape":[2],"data":[true,false]}"#,
        r#"{"dtype":"<i8","shape":[],"data":-7}"#,
        r#"{"dtype":"<i8","shape":[0],"data":[]}"#,
    ] {
        let made = encode(&schema, json).unwrap();
        assert_eq!(Value::decode(&schema, &made).unwrap().json().to_string(), json);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let (cloud, _) = cloud();
    let point = r#"{"struct":"P","size":8,"align":4,"fields":[{"name":"x","offset":0,"type":"|u1"},
        {"name":"_pad","offset":1,"type":{"array":3,"of":"|u1"}},
        {"name":"t","offset":4,"type":"|S4"}]}"#;
    let point = Schema::from_json(point).unwrap();
    let mode =
        Schema::new(Enum::new("Mode", Scalar::I16).variant(-1, "Off").variant(2, "On").into());
    let flags = Schema::from_json(r#"{"array":2,"of":"|b1"}"#).unwrap();
    assert_eq!(encode(&mode, "\"Off\"").unwrap(), [255, 255]);
    assert_eq!(encode(&mode, "2").unwrap(), [2, 0]);
    assert_eq!(encode(&flags, "[true, false]").unwrap(), [1, 0]);
    assert_eq!(encode(&point, r#"{"x":1,"t":"ab"}"#).unwrap(), [1, 0, 0, 0, 97, 98, 0, 0]);
    for (schema, json, error) in [
        (&point, "{", "the text is not JSON: EOF while parsing an object at line 1 column 1"),
        (&mode, "1", "1 is not one of Off, On"),
        (&mode, "\"on\"", "\"on\" is not one of Off, On"),
        (&flags, "[true, 1]", "`[1]`: expected true or false, found a number"),
        (&point, "[1]", "expected an object with fields, found a list"),
        (&point, r#"{"x":1}"#, "`t`: the field is missing"),
        (&point, r#"{"x":1,"t":"a","z":1}"#, "there is no field `z`: it has x, _pad, t"),
        (&point, r#"{"x":256,"t":"a"}"#, "`x`: 256 does not fit |u1"),
        (&point, r#"{"x":-1,"t":"a"}"#, "`x`: -1 does not fit |u1"),
        (&point, r#"{"x":1.5,"t":"a"}"#, "`x`: 1.5 does not fit |u1"),
        (&point, r#"{"x":"1","t":"a"}"#, "`x`: expected a number, found a text"),
        (&point, r#"{"x":1,"t":"größe"}"#, "`t`: a text of 7 bytes does not fit |S4"),
        (&point, r#"{"x":1,"t":"a","_pad":[1]}"#, "`_pad`: it has 3 elements, not 1"),
        (
            &cloud,
            r#"{"stamp_ns":1,"frame":"","pose":3}"#,
            "`pose`: expected an object with fields, \
          found a number",
        ),
        (
            &Array::schema(),
            r#"{"dtype":"<f4","data":[[1],[1,2]]}"#,
            "`data[1]`: it has 2 elements, \
          others have 1",
        ),
        (
            &Array::schema(),
            r#"{"dtype":"O","data":1}"#,
            "`dtype`: `O` is not the dtype of a number, \
          such as <f4",
        ),
    ] {
        assert_eq!(encode(schema, json).unwrap_err().to_string(), error, "{json}");
    }
}

proptest! {
    #[test]
    fn whatever_bytes_and_paths_are_nothing_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        steps in "[a-c0-9.:\\[\\], -]{0,12}",
        dtype in "\\[?[(]?'?[<>|]?[a-zA-Z][0-9]{0,2}'?[)]?\\]?",
        shape in "\\([0-9]{0,3}(, ?[0-9]{1,20}){0,3},?\\)",
    ) {
        let (cloud, whole) = cloud();
        let array = Array::schema();
        let made = npy(&format!("'{dtype}'"), bytes.len() % 2 == 0, &shape, &bytes);
        let path: Result<Path, _> = steps.parse();
        for (schema, bytes) in
            [(&cloud, &bytes), (&array, &bytes), (&cloud, &whole), (&array, &made)]
        {
            let Ok(value) = Value::decode(schema, bytes) else { continue };
            let part = path.as_ref().ok().and_then(|path| value.at(path).ok());
            for value in part.iter().chain([&value]) {
                let json = value.json().most(5).to_string();
                prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
                prop_assert_eq!(value.csv().to_string().lines().count() <= 1, true);
                prop_assert!(!value.yaml().to_string().is_empty());
            }
        }
    }
}

#[test]
fn bools_and_variants_are_shown_by_name_and_a_bad_number_as_it_is() {
    let mode = r#"{"enum":"Mode","of":"<i2","variants":[
        {"name":"Fault","number":-1},{"name":"Idle","number":0}]}"#;
    let fields = format!(
        r#"[{{"name":"modes","offset":0,"type":{{"array":3,"of":{mode}}}}},
            {{"name":"on","offset":6,"type":"|b1"}},{{"name":"off","offset":7,"type":"|b1"}}]"#
    );
    let text = format!(r#"{{"struct":"R","size":8,"align":2,"fields":{fields}}}"#);
    let schema = Schema::from_json(&text).unwrap();
    let value = Value::decode(&schema, &[0xff, 0xff, 0, 0, 7, 0, 1, 0]).unwrap();
    assert_eq!(value.json().to_string(), r#"{"modes":["Fault","Idle",7],"on":true,"off":false}"#);
    assert_eq!(
        value.yaml().to_string(),
        "modes: [\"Fault\", \"Idle\", 7]\n\"on\": true\n\"off\": false"
    );
    assert_eq!(value.csv().to_string(), "Fault,Idle,7,true,false");
    let first = value.at(&"modes[0]".parse().unwrap()).unwrap();
    assert_eq!((first.as_f64(), first.as_integer()), (Some(-1.0), Some(-1)));
}
