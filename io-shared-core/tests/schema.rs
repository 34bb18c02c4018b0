//! Schemas of every kind: out as JSON and back, compared, and read from hostile text.

use io_shared_core::Schema;
use io_shared_core::message::Shape;
use io_shared_core::schema::json::{MAX_DEPTH, MAX_TEXT};
use io_shared_core::schema::{Enum, Field, Scalar, SchemaError, Struct, Type};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn array(count: usize, element: Type) -> Type {
    Type::Array { count, element: Box::new(element) }
}

fn slice(element: Type) -> Type {
    Type::Slice { element: Box::new(element) }
}

/// A struct laid out as `repr(C)` does, with a field for each gap.
fn layout(name: &str, fields: Vec<(String, Type, String)>) -> Type {
    let align = fields.iter().map(|(_, ty, _)| ty.shape().align).max().unwrap_or(1);
    let mut layout = Struct::new(name, Shape { size: 0, align, element: None });
    for (i, (name, ty, remark)) in fields.into_iter().enumerate() {
        layout = pad(layout, ty.shape().align, &format!("_pad{i}"));
        let offset = layout.shape.size;
        layout.shape.size += ty.shape().size;
        layout.shape.element = ty.shape().element;
        layout = layout.field(Field::new(&name, offset, ty).unit(&remark).doc(&remark));
    }
    if layout.shape.element.is_none() { pad(layout, align, "_end").into() } else { layout.into() }
}

fn pad(mut layout: Struct, align: usize, name: &str) -> Struct {
    let offset = layout.shape.size;
    layout.shape.size = offset.next_multiple_of(align);
    match layout.shape.size - offset {
        0 => layout,
        gap => layout.field(Field::new(name, offset, array(gap, Type::Scalar(Scalar::U8)))),
    }
}

/// A struct of the first `fields` fields of `whole`.
fn beginning(whole: &Struct, fields: usize) -> Struct {
    let end = whole.fields.get(fields).map_or(whole.shape.size, |next| next.offset);
    Struct {
        shape: Shape { size: end, ..whole.shape },
        fields: whole.fields[..fields].to_vec(),
        ..whole.clone()
    }
}

fn leaves() -> impl Strategy<Value = Type> {
    prop_oneof![
        4 => select(Scalar::ALL).prop_map(Type::Scalar),
        1 => (1..100usize).prop_map(Type::Text),
        1 => enums(),
    ]
}

/// What an enum may be stored as.
const STORED: &[Scalar] =
    &[Scalar::U8, Scalar::U16, Scalar::U32, Scalar::I8, Scalar::I16, Scalar::I32];

/// Enums in which a number always has the same name.
fn enums() -> impl Strategy<Value = Type> {
    let numbers = proptest::collection::btree_set(1..100_i64, 0..5);
    (select(STORED), numbers, any::<String>()).prop_map(|(scalar, numbers, doc)| {
        let numbers = numbers.into_iter().chain([0]);
        let of = numbers.fold(Enum::new("Mode", scalar), |of, n| of.variant(n, &format!("v{n}")));
        of.doc(&doc).into()
    })
}

fn sized() -> impl Strategy<Value = Type> {
    leaves().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            (0..5usize, inner.clone()).prop_map(|(count, ty)| array(count, ty)),
            structs(inner, Just(None)),
        ]
    })
}

fn structs(
    fields: impl Strategy<Value = Type>,
    tail: impl Strategy<Value = Option<Type>>,
) -> impl Strategy<Value = Type> {
    let remark = prop_oneof![Just(String::new()), any::<String>()];
    ("[a-zA-Zäλ_][a-z0-9]{0,3}", proptest::collection::vec((fields, remark), 0..6), tail).prop_map(
        |(name, fields, tail)| {
            let tail = tail.map(|ty| (ty, String::new()));
            let numbered = fields.into_iter().chain(tail).enumerate();
            let fields = numbered.map(|(i, (ty, remark))| (format!("f{i}"), ty, remark)).collect();
            layout(&name, fields)
        },
    )
}

fn types() -> impl Strategy<Value = Type> {
    let tail =
        || sized().prop_filter("elements have bytes", |ty| ty.shape().size > 0).prop_map(slice);
    prop_oneof![
        1 => sized(),
        1 => tail(),
        3 => structs(sized(), tail().prop_map(Some)),
    ]
}

proptest! {
    #[test]
    fn a_schema_comes_back_from_its_json(ty in types()) {
        let schema = Schema::new(ty);
        let text = schema.to_json();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        let back = Schema::from_json(&text);
        prop_assert_eq!(back.as_ref(), Ok(&schema));
        prop_assert_eq!(back.unwrap().to_json(), text);
    }

    #[test]
    fn schemas_differ_in_a_line_exactly_when_their_hashes_differ(a in types(), b in types()) {
        let (a, b) = (Schema::new(a), Schema::new(b));
        prop_assert_eq!(a.hash() == b.hash(), a.differences(&b).is_empty());
        prop_assert_eq!(a.differences(&b).len(), b.differences(&a).len());
        prop_assert_eq!(a.differences(&a), Vec::<String>::new());
    }

    #[test]
    fn damaged_text_is_an_error_or_a_schema_that_holds_together(
        ty in types(), at in any::<Index>(),
        with in "[0-9a-z\"{}\\[\\]:,|<.\\\\-]{0,3}", gone in 0..4usize,
    ) {
        let whole = Schema::new(ty);
        let mut text: Vec<char> = whole.to_json().chars().collect();
        let at = at.index(text.len());
        let end = (at + gone).min(text.len());
        text.splice(at..end, with.chars());
        let text: String = text.into_iter().collect();
        if let Ok(schema) = Schema::from_json(&text) {
            let again = Schema::from_json(&schema.to_json());
            // Names of variants count in the differences alone.
            let same = whole.differences(&schema).is_empty();
            prop_assert!(whole.hash() == schema.hash() || !same);
            prop_assert_eq!(again, Ok(schema));
        }
    }

    #[test]
    fn a_prefix_is_the_same_fields_at_the_same_places_and_fewer_of_them(
        ty in structs(sized(), Just(None)), many in any::<Index>(), changed in any::<Index>(),
        change in select(&["name", "type", "offset", "alignment", "tail"]),
    ) {
        let Type::Struct(whole) = ty else { panic!("it is a struct") };
        let fields = many.index(whole.fields.len() + 1);
        let part = beginning(&whole, fields);
        let is_prefix = |part: &Struct, whole: &Struct| {
            let schema = |layout: &Struct| Schema::new(layout.clone().into());
            schema(part).is_prefix_of(&schema(whole))
        };
        prop_assert_eq!(is_prefix(&part, &whole), 0 < fields && fields < whole.fields.len());
        prop_assert!(!is_prefix(&whole, &part));
        prop_assume!(fields > 0);

        let mut other = part;
        let at = changed.index(fields);
        match change {
            "name" => other.fields[at].name.push('x'),
            "type" => other.fields[at].ty = array(77, Type::Text(1)),
            "offset" => other.fields[at].offset += 1,
            "alignment" => other.shape.align = 2 * whole.shape.align,
            _ => other.shape.element = Some(4),
        }
        prop_assert!(!is_prefix(&other, &whole), "{change} of field {at}");
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let _ = Schema::from_json(&text);
    }
}

fn point(fields: &str, size: usize) -> String {
    format!(r#"{{"struct":"P","size":{size},"align":4,"fields":[{fields}]}}"#)
}

/// The JSON of a field.
fn field(name: &str, offset: usize, ty: &str) -> String {
    format!(r#"{{"name":"{name}","offset":{offset},"type":{ty}}}"#)
}

const SLICE: &str = "a slice is the whole message or its last field, and its elements have bytes";

fn refused_types() -> Vec<(String, String)> {
    let kinds = "the message: a type is a code or has one of the keys `struct`, `enum`, `array`, \
                 `slice`, `list`";
    let cases = [
        ("{", "the text is not JSON: EOF while parsing an object at line 1 column 1"),
        ("7", kinds),
        (r#"">f4""#, "the message: `>f4` is not the code of a type"),
        (r#""|O""#, "the message: `|O` is not the code of a type"),
        (r#""|S0""#, "the message: `|S0` is not the code of a type"),
        (r#""|S01""#, "the message: `|S01` is not the code of a type"),
        (r#""|S+1""#, "the message: `|S+1` is not the code of a type"),
        (r#""|S18446744073709551615""#, "the message: larger than memory"),
        (
            r#"{"array":-1,"of":"<f4"}"#,
            "the message: key `array` must be there and be a whole number",
        ),
        (r#"{"array":2}"#, "the message: key `of` must be there and be a type"),
        (r#"{"array":4611686018427387904,"of":"<f4"}"#, "the message: larger than memory"),
        (r#"{"slice":{"slice":"<f4"}}"#, &format!("field `[]`: {SLICE}")),
        (r#"{"slice":{"array":0,"of":"<f4"}}"#, &format!("the message: {SLICE}")),
        (
            r#"{"struct":"P","size":0,"align":0,"fields":[]}"#,
            "the message: an alignment of 0 is not possible here: its fields need \"align\":1",
        ),
        (
            r#"{"struct":"P","size":0,"align":1073741824,"fields":[]}"#,
            "the message: an alignment of 1073741824 is not possible here: it is at most 536870912",
        ),
    ];
    cases.map(|(text, error)| (text.to_owned(), error.to_owned())).into()
}

/// The advice to name `bytes` of padding at `offset`.
fn named_padding(offset: usize, bytes: usize) -> String {
    format!(
        "add the {bytes} bytes of padding as a field, {} (in C: uint8_t _pad{offset}[{bytes}])",
        field(&format!("_pad{offset}"), offset, &format!(r#"{{"array":{bytes},"of":"|u1"}}"#))
    )
}

fn refused_layouts() -> Vec<(String, String)> {
    let x = |offset| field("x", offset, r#""<f4""#);
    let byte = field("x", 0, r#""|u1""#);
    let y = |offset| field("y", offset, r#""<f4""#);
    let huge = field("x", 0, r#"{"array":9223372036854775807,"of":"|u1"}"#);
    let after = field("y", isize::MAX as usize, r#""|u1""#);
    let (four, one) = (named_padding(4, 4), named_padding(1, 3));
    let (first, sized) = (named_padding(0, 4), "found a size of");
    vec![
        (
            point(&x(0), 8),
            format!("the message: its fields make 4 bytes, {sized} 8: {four} at its end"),
        ),
        (
            point(&x(0), 3),
            format!("the message: its fields make 4 bytes, {sized} 3: write \"size\":4"),
        ),
        (
            point(&x(4), 8),
            format!(
                "field `x`: expected at 0, where the previous field ends, found at 4: {first} \
                 before it"
            ),
        ),
        (
            point(&[x(0), y(0)].join(","), 4),
            "field `y`: expected at 4, where the previous field ends, found at 0: it overlaps the \
             previous field; list fields by offset"
                .into(),
        ),
        (
            point(&[byte.clone(), y(1)].join(","), 5),
            format!("field `y`: an alignment of 4 is not possible here: {one}"),
        ),
        (
            point(&field("x", 0, r#""<f8""#), 8),
            "the message: an alignment of 4 is not possible here: its fields need \"align\":8"
                .into(),
        ),
        (point(&byte, 1), format!("the message: an alignment of 4 is not possible here: {one}")),
        (point(&[huge, after].join(","), 8), "field `y`: larger than memory".into()),
    ]
}

fn refused_names_and_slices() -> Vec<(String, String)> {
    let float = |name| point(&field(name, 0, r#""<f4""#), 4);
    let (x, y) = (|offset| field("x", offset, r#""<f4""#), field("y", 0, r#""<f4""#));
    let slice = field("x", 0, r#"{"slice":"<f4"}"#);
    let nested = field("p", 0, &point(&slice, 0));
    vec![
        (point(&[x(0), x(4)].join(","), 8), "field `x`: two fields have this name".into()),
        (float(""), "the message: `` is not a name".into()),
        (float("x\\u001b[2J"), "the message: `x\\u{1b}[2J` is not a name".into()),
        (float("x\\u202e"), "the message: `x\\u{202e}` is not a name".into()),
        (float("x;y"), "the message: `x;y` is not a name".into()),
        (point("7", 4), "the message: key `fields` must be there and be a list of objects".into()),
        (point(&[slice, y].join(","), 4), format!("field `x`: {SLICE}")),
        (point(&nested, 0), format!("field `p.x`: {SLICE}")),
    ]
}

#[test]
fn text_that_contradicts_itself_is_refused_with_the_place() {
    let cases = [refused_types(), refused_layouts(), refused_names_and_slices()].concat();
    for (text, error) in cases {
        let refusal = Schema::from_json(&text).unwrap_err().to_string();
        assert_eq!(refusal, error, "{text}");
    }
}

#[test]
fn text_that_is_long_or_deep_is_refused_early() {
    let long = format!("\"{}\"", " ".repeat(MAX_TEXT));
    assert_eq!(
        Schema::from_json(&long),
        Err(SchemaError::TooLong { limit: MAX_TEXT, found: MAX_TEXT + 2 })
    );
    let nested =
        |depth: usize| r#"{"array":1,"of":"#.repeat(depth - 1) + "\"|u1\"" + &"}".repeat(depth - 1);
    assert!(Schema::from_json(&nested(MAX_DEPTH)).is_ok());
    assert!(matches!(
        Schema::from_json(&nested(MAX_DEPTH + 1)),
        Err(SchemaError::TooDeep { limit: MAX_DEPTH, .. })
    ));
    assert!(matches!(Schema::from_json(&"[".repeat(100_000)), Err(SchemaError::Json(_))));
    // Structs take most JSON per level, and the deepest one still fits in the parser's limit.
    let structs = (1..MAX_DEPTH).fold("\"|u1\"".to_owned(), |inner, _| {
        let fields = field("s", 0, &inner);
        format!(r#"{{"struct":"S","size":1,"align":1,"fields":[{fields}]}}"#)
    });
    assert!(Schema::from_json(&structs).is_ok());
}

#[test]
fn keys_of_later_versions_are_passed_over() {
    let later = r#"{"struct":"P","size":4,"since":[1,{"a":2}],"align":4,"fields":
        [{"name":"x","frame":"base","offset":0,"type":"<f4"}]}"#;
    let schema = Schema::from_json(later).unwrap();
    assert_eq!(schema.to_json(), point(r#"{"name":"x","offset":0,"type":"<f4"}"#, 4));
}

#[test]
fn each_differing_field_has_a_line_with_both_sides() {
    let f32s = || Type::Scalar(Scalar::F32);
    let field = |name: &str, ty| (name.to_owned(), ty, String::new());
    let cloud = |point: Type, last: Option<(String, Type, String)>| {
        let mut fields = vec![
            field("frame", Type::Scalar(Scalar::U64)),
            field("pose", array(3, f32s())),
            field("kind", Type::Text(4)),
        ];
        fields.push(last.unwrap_or_else(|| field("points", slice(point))));
        Schema::new(layout("Cloud", fields))
    };
    let of = |fields| layout("Point", fields);
    let program = cloud(
        of(vec![
            field("x", f32s()),
            field("i", Type::Scalar(Scalar::U16)),
            field("ring", Type::Scalar(Scalar::U16)),
        ]),
        None,
    );
    let channel = cloud(
        of(vec![
            field("x", Type::Scalar(Scalar::F64)),
            field("i", f32s()),
            field("tag", Type::Text(4)),
        ]),
        None,
    );
    assert_eq!(
        program.differences(&channel),
        [
            "field `points[].x`: channel has <f8 at 0, this program <f4 at 0",
            "field `points[].i`: channel has <f4 at 8, this program <u2 at 4",
            "field `points[].ring`: channel has none, this program <u2 at 6",
            "field `points[].tag`: channel has |S4 at 12, this program none",
        ]
    );
    let other = cloud(f32s(), Some(field("points", array(2, of(vec![field("x", f32s())])))));
    assert_eq!(
        program.differences(&other),
        [
            "field `points`: channel has [struct Point of 4 bytes; 2] at 24, \
             this program [struct Point of 8 bytes] at 24",
            "field `points[].i`: channel has none, this program <u2 at 4",
            "field `points[].ring`: channel has none, this program <u2 at 6",
        ]
    );
    assert_eq!(
        program.differences(&Schema::new(slice(f32s()))),
        ["the message: channel has [<f4], this program struct Cloud of 24 bytes"]
    );
}

#[test]
fn a_size_or_order_is_told_where_no_field_differs() {
    let shape = |align| Shape { size: 16, align, element: None };
    let x = || Field::new("x", 0, array(16, Type::Scalar(Scalar::U8)));
    let (narrow, wide) =
        (Struct::new("A", shape(1)).field(x()), Struct::new("A", shape(16)).field(x()));
    assert_eq!(
        Schema::new(narrow.into()).differences(&Schema::new(wide.into())),
        ["the message: channel has 16 bytes aligned to 16, this program 16 bytes aligned to 1"]
    );
    let empty = |name| Field::new(name, 0, array(0, Type::Scalar(Scalar::U8)));
    let tick = || Struct::new("Tick", Shape { size: 0, align: 1, element: None });
    let one = Schema::new(tick().field(empty("a")).field(empty("b")).into());
    let two = Schema::new(tick().field(empty("b")).field(empty("a")).into());
    assert_eq!(
        one.differences(&two),
        ["the message: channel has the fields in the order b, a, this program a, b"]
    );
    assert_ne!(one.hash(), two.hash());
}

#[test]
fn docs_that_make_a_schema_too_long_are_dropped_and_the_message_is_taken() {
    let long = "a ".repeat(MAX_TEXT);
    let shape = Shape { size: 4, align: 4, element: None };
    let documented = |doc: &str| {
        let field = Field::new("x", 0, Type::Scalar(Scalar::F32)).unit("m").doc(doc);
        Schema::new(Struct::new("Point", shape).doc("A position.").field(field).into())
    };
    let text = documented(&long).to_json();
    let read = Schema::from_json(&text).expect("it is short enough");
    assert_eq!(read.hash(), documented("short").hash());
    assert!(!text.contains("A position."), "{text}");
    assert!(documented("short").to_json().contains("short"));
}

#[test]
fn the_same_number_under_another_name_is_a_difference_and_a_new_variant_is_none() {
    let robot = |of: Enum| {
        let shape = Shape { size: 2, align: 1, element: None };
        let of = array(2, of.into());
        Schema::new(Struct::new("Robot", shape).field(Field::new("modes", 0, of)).into())
    };
    let mode = || Enum::new("Mode", Scalar::U8).variant(0, "Idle").variant(1, "Driving");
    let (two, three) = (robot(mode()), robot(mode().variant(2, "Fault")));
    assert_eq!(two.differences(&three), Vec::<String>::new());
    assert_eq!(three.differences(&two), Vec::<String>::new());
    assert_eq!(two.hash(), three.hash());

    let other = robot(mode().variant(2, "Stop"));
    assert_eq!(
        three.differences(&other),
        ["field `modes[]`: 2 is Stop in the channel, Fault in this program"]
    );
    let wide = Enum::new("Mode", Scalar::I8).variant(0, "Idle");
    assert_eq!(
        two.differences(&robot(wide)),
        ["field `modes`: channel has [enum Mode as |i1; 2] at 0, this program \
          [enum Mode as |u1; 2] at 0"]
    );
    let alone = |of: Enum| Schema::new(of.into());
    let stop = alone(mode().variant(2, "Stop"));
    assert_eq!(
        alone(mode().variant(2, "Fault")).differences(&stop),
        ["the message: 2 is Stop in the channel, Fault in this program"]
    );
}

#[test]
fn an_enum_that_is_none_is_refused_with_its_place() {
    let read = |text: &str| {
        let fields = format!(r#"[{{"name":"mode","offset":0,"type":{text}}}]"#);
        let text = format!(r#"{{"struct":"R","size":1,"align":1,"fields":{fields}}}"#);
        Schema::from_json(&text).unwrap_err().to_string()
    };
    let variants = |of: &str, list: &str| {
        read(&format!(r#"{{"enum":"Mode","of":"{of}","variants":[{list}]}}"#))
    };
    let zero = r#"{"name":"Idle","number":0}"#;
    assert_eq!(variants("<f4", zero), "field `mode`: `<f4` is not the code of a type");
    assert_eq!(
        variants("|u1", ""),
        "field `mode`: no variant has the number 0, which fresh memory contains: give one of them 0"
    );
    for bad in [r#"{"name":"A","number":0}"#, r#"{"name":"A","number":256}"#, zero] {
        let said = variants("|u1", &format!("{zero},{bad}"));
        assert!(said.contains("numbers ascend and fit"), "{said}");
    }
    let said = variants("|u1", r#"{"name":"Idle","number":0.5}"#);
    assert_eq!(said, "field `mode`: key `number` must be there and be a whole number");
    assert!(read(r#"{"enum":"Mode","variants":[]}"#).contains("key `of`"));
}
