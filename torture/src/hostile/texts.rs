//! Schema texts that nobody should have written.

/// All texts. `whole` is a schema as the library writes it.
pub(super) fn all(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = no_texts();
    texts.extend(nested());
    texts.extend(numbers());
    texts.extend(names());
    // Every bit of a real one, every length of it, and every byte of it twice.
    for bit in 0..whole.len() * 8 {
        let mut text = whole.to_vec();
        text[bit / 8] ^= 1 << (bit % 8);
        texts.push(text);
    }
    for length in 0..whole.len() {
        texts.push(whole[..length].to_vec());
        texts.push([&whole[..length], &whole[length.saturating_sub(1)..]].concat());
    }
    texts
}

fn field(name: &str, offset: &str, ty: &str) -> String {
    format!("{{\"name\":\"{name}\",\"offset\":{offset},\"type\":{ty}}}")
}

fn layout(size: &str, align: &str, fields: &str) -> Vec<u8> {
    format!("{{\"struct\":\"S\",\"size\":{size},\"align\":{align},\"fields\":[{fields}]}}").into()
}

/// What is not JSON, or not UTF-8.
fn no_texts() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"\"".to_vec(),
        vec![0; 100],
        vec![0xff; 100],
        [b"\"".as_slice(), &vec![b'a'; 1 << 20][1..]].concat(),
        b"\"<u\x008\"".to_vec(),
        b"\"\xe2\x82\"".to_vec(),
        br#""\ud800\udc00\ud800""#.to_vec(),
        b"{\"struct\":\"\xc0\xaf\"}".to_vec(),
        vec![b' '; (1 << 20) + 1],
        vec![b' '; 1 << 20],
    ]
}

/// Types within types, and some that are not closed.
fn nested() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for (open, close) in [
        ("[", "]"),
        ("{\"slice\":", "}"),
        ("{\"array\":1,\"of\":", "}"),
        (
            "{\"struct\":\"S\",\"size\":8,\"align\":8,\
             \"fields\":[{\"name\":\"f\",\"offset\":0,\"type\":",
            "}]}",
        ),
    ] {
        for depth in [16, 31, 32, 33, 127, 128, 129, 5000] {
            let text = open.repeat(depth) + "\"<u8\"" + &close.repeat(depth);
            texts.push(text.into_bytes());
            texts.push(open.repeat(depth).into_bytes());
        }
    }
    texts
}

/// Numbers at and beyond their limits, products that overflow, and types without a size.
fn numbers() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for number in [
        "-1",
        "0",
        "1",
        "1.5",
        "1e400",
        "-0",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "null",
        "\"8\"",
        "01",
        "0x8",
    ] {
        let element = "\"<u8\"";
        texts.push(format!("{{\"array\":{number},\"of\":{element}}}").into_bytes());
        texts.push(format!("\"|S{number}\"").into_bytes());
        for (size, align, offset) in [(number, "8", "0"), ("8", number, "0"), ("8", "8", number)] {
            texts.push(layout(size, align, &field("f", offset, element)));
        }
    }
    for text in [
        "{\"array\":4294967296,\"of\":{\"array\":4294967296,\"of\":\"<u8\"}}",
        "{\"array\":9223372036854775807,\"of\":{\"array\":0,\"of\":\"<u8\"}}",
        "{\"slice\":{\"array\":0,\"of\":\"<u8\"}}",
        "{\"slice\":{\"slice\":\"<u8\"}}",
    ] {
        texts.push(text.into());
    }
    texts
}

/// Names: the same twice, marks that reverse the text, escape sequences, a megabyte. And as many
/// fields as fit.
fn names() -> Vec<Vec<u8>> {
    let both = format!("{},{}", field("f", "0", "\"<u4\""), field("f", "4", "\"<u4\""));
    let mut texts = vec![layout("8", "4", &both)];
    for name in
        ["", "\\u0000", "\\u001b[2J", "\u{202e}evil", "a b", "a;b", "a:b@0", "\\\"", "\u{feff}"]
    {
        texts.push(layout("8", "8", &field(name, "0", "\"<u8\"")));
    }
    let long = "n".repeat((1 << 20) - 200);
    texts.push(layout("8", "8", &field(&long, "0", "\"<u8\"")));
    texts.push(layout("8", "8", &field(&long, "4", "\"<u8\"")));
    let (mut fields, mut count) = (String::new(), 0);
    while fields.len() < (1 << 20) - 200 {
        let comma = if count == 0 { "" } else { "," };
        fields += &format!("{comma}{}", field(&format!("f{count}"), &count.to_string(), "\"|u1\""));
        count += 1;
    }
    texts.push(layout(&count.to_string(), "1", &fields));
    texts
}
