//! Numbers, days and durations as packs write them.

/// A number's text times 10^scale, exact or not at all.
pub(super) fn scaled(text: &str, scale: u32) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > scale as usize {
        return None;
    }
    let padded = format!("{whole}{fraction:0<width$}", width = scale as usize);
    if !padded.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: i128 = padded.parse().ok()?;
    Some(if negative { -n } else { n })
}

/// Days since 1970 of `YYYY-MM-DD`.
pub(super) fn day(text: &str) -> Option<i32> {
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.signed_duration_since(chrono::NaiveDate::from_ymd_opt(1970, 1, 1)?).num_days() as i32)
}

/// Microseconds of `30s`, `30m`, `24h` or `7d`.
pub(super) fn duration_us(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let n: i64 = text[..text.len() - unit.len_utf8()].parse().ok().filter(|n| *n > 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    n.checked_mul(seconds)?.checked_mul(1_000_000)
}
