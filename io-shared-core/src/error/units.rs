//! Sizes as people write them: digits and one of K, M, G.

/// The bytes that `text` stands for; `None` if it is not a size, or 2^64 bytes or more.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..)? {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// The size that the author of `text` probably meant, where `text` itself is not a size: `5M` for
/// `5MB`, `1572864` for `1.5 MiB`.
pub(crate) fn meant(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let end = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let digits: String = end.trim_end().chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let unit = match &text[end.len()..] {
        "" | "B" | "BYTES" => "",
        "K" | "KB" | "KIB" => "K",
        "M" | "MB" | "MIB" => "M",
        "G" | "GB" | "GIB" => "G",
        "T" | "TB" | "TIB" => {
            let meant = format!("{}G", digits.parse::<u64>().ok()?.checked_mul(1024)?);
            return parse(&meant).map(|_| meant);
        }
        _ => return None,
    };
    if let Some((whole, part)) = digits.split_once('.') {
        let scale = parse(&format!("1{unit}"))?;
        let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
        let number = part.parse::<u64>().ok().filter(|_| part.len() <= 9)?;
        let most = 10u64.pow(u32::try_from(part.len()).ok()?);
        // Rounded up: what fits the size that was written fits this one.
        let part = (u128::from(number) * u128::from(scale)).div_ceil(u128::from(most));
        return whole.checked_add(u64::try_from(part).ok()?).map(|bytes| bytes.to_string());
    }
    let meant = format!("{digits}{unit}");
    parse(&meant).map(|_| meant)
}
