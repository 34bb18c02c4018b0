//! Schema texts that nobody should have written.

/// All texts. `whole` is a schema as the library writes it.
pub(super) fn all(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    let mut add = |text: Vec<u8>| texts.push(text);
    let field = |name: &str, offset: &str, ty: &str| {
        format!("{{\"name\":\"{name}\",\"offset\":{offset},\"type\":{ty}}}")
    };
    let layout = |size: &str, align: &str, fields: &str| {
        format!("{{\"struct\":\"S\",\"size\":{size},\"align\":{align},\"fields\":[{fields}]}}")
    };

    add(Vec::new());
    add(b"\"".to_vec());
    add(vec![0; 100]);
    add(vec![0xff; 100]);
    add([b"\"".as_slice(), &vec![b'a'; 1 << 20][1..]].concat());
    add(b"\"<u\x008\"".to_vec());
    add(b"\"\xe2\x82\"".to_vec());
    add(br#""\ud800\udc00\ud800""#.to_vec());
    add(b"{\"struct\":\"\xc0\xaf\"}".to_vec());
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
            add(text.into_bytes());
            add(open.repeat(depth).into_bytes());
        }
    }
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
        add(format!("{{\"array\":{number},\"of\":{element}}}").into_bytes());
        add(format!("\"|S{number}\"").into_bytes());
        for (size, align, offset) in [(number, "8", "0"), ("8", number, "0"), ("8", "8", number)] {
            let text = layout(size, align, &field("f", offset, element));
            add(text.into_bytes());
        }
    }
    // Products that overflow, and types without a size.
    let twice = "{\"array\":4294967296,\"of\":{\"array\":4294967296,\"of\":\"<u8\"}}";
    add(twice.as_bytes().to_vec());
    let nothing = "{\"array\":9223372036854775807,\"of\":{\"array\":0,\"of\":\"<u8\"}}";
    add(nothing.as_bytes().to_vec());
    add(b"{\"slice\":{\"array\":0,\"of\":\"<u8\"}}".to_vec());
    add(b"{\"slice\":{\"slice\":\"<u8\"}}".to_vec());
    // Names: the same twice, marks that reverse the text, escape sequences, a megabyte.
    let both = format!("{},{}", field("f", "0", "\"<u4\""), field("f", "4", "\"<u4\""));
    add(layout("8", "4", &both).into_bytes());
    for name in
        ["", "\\u0000", "\\u001b[2J", "\u{202e}evil", "a b", "a;b", "a:b@0", "\\\"", "\u{feff}"]
    {
        add(layout("8", "8", &field(name, "0", "\"<u8\"")).into_bytes());
    }
    let long = "n".repeat((1 << 20) - 200);
    add(layout("8", "8", &field(&long, "0", "\"<u8\"")).into_bytes());
    add(layout("8", "8", &field(&long, "4", "\"<u8\"")).into_bytes());
    // As many fields as fit.
    let mut fields = String::new();
    let mut count = 0;
    while fields.len() < (1 << 20) - 200 {
        let comma = if count == 0 { "" } else { "," };
        fields += &format!("{comma}{}", field(&format!("f{count}"), &count.to_string(), "\"|u1\""));
        count += 1;
    }
    add(layout(&count.to_string(), "1", &fields).into_bytes());
    add(vec![b' '; (1 << 20) + 1]);
    add(vec![b' '; 1 << 20]);
    // Every bit of a real one, every length of it, and every byte of it twice.
    for bit in 0..whole.len() * 8 {
        let mut text = whole.to_vec();
        text[bit / 8] ^= 1 << (bit % 8);
        add(text);
    }
    for length in 0..whole.len() {
        add(whole[..length].to_vec());
        let twice = [&whole[..length], &whole[length.saturating_sub(1)..]].concat();
        add(twice);
    }
    texts
}
