//! Text to exact values: decimals, days, instants. No float, no locale, no guess.

use super::reject::Reason;

/// A value that cannot be read: why, for a dead letter or a flag.
pub type Unreadable = (Reason, &'static str);

/// A decimal's unscaled value at this precision and scale. Digits beyond the scale must be zeros:
/// money is never rounded silently. Empty text has no value; `12.` is 12; exponents are read exactly.
pub fn decimal(text: &str, precision: u8, scale: i8) -> Result<Option<i128>, Unreadable> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = (Reason::Schema, "is not a decimal number");
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().map_err(|_| wrong)?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(wrong);
    }
    let too_large = (Reason::OutOfRange, "does not fit its decimal type");
    let inexact = (Reason::OutOfRange, "has more decimal places than its type");
    let mut value: i128 = 0;
    // Places that the digits still have to be moved to the left (or zeros dropped, if negative).
    let mut shift = i64::from(scale) - fraction.len() as i64 + i64::from(exponent);
    for b in whole.bytes().chain(fraction.bytes()) {
        if !b.is_ascii_digit() {
            return Err(wrong);
        }
        value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(b - b'0'))).ok_or(too_large)?;
    }
    while shift > 0 && value != 0 {
        value = value.checked_mul(10).ok_or(too_large)?;
        shift -= 1;
    }
    while shift < 0 && value != 0 {
        if value % 10 != 0 {
            return Err(inexact);
        }
        value /= 10;
        shift += 1;
    }
    if value >= 10i128.pow(u32::from(precision)) {
        return Err(too_large);
    }
    Ok(Some(if negative { -value } else { value }))
}

/// A whole number; `5.0` and `5e2` are whole too.
pub fn int(text: &str) -> Result<Option<i64>, Unreadable> {
    if let Ok(n) = text.parse::<i64>() {
        return Ok(Some(n));
    }
    match decimal(text, 38, 0) {
        Ok(Some(n)) => i64::try_from(n).map(Some).map_err(|_| (Reason::OutOfRange, "does not fit 64 bits")),
        Ok(None) => Ok(None),
        Err((Reason::Schema, _)) => Err((Reason::Schema, "is not a whole number")),
        Err(_) => Err((Reason::OutOfRange, "is not a whole number of 64 bits")),
    }
}

/// Days since 1970 of `YYYY-MM-DD`. A date of its own kind: no zone, never shifted.
pub fn date(text: &str) -> Result<Option<i32>, Unreadable> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = (Reason::Schema, "is not a date (YYYY-MM-DD)");
    let b = text.as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return Err(wrong);
    }
    let (y, m, d) = (digits(&b[..4]).ok_or(wrong)?, digits(&b[5..7]).ok_or(wrong)?, digits(&b[8..]).ok_or(wrong)?);
    if !(1..=12).contains(&m) || d < 1 || d > days_in(y, m) {
        return Err(wrong);
    }
    Ok(Some(days_from_civil(y, m, d) as i32))
}

/// Microseconds since 1970 of an RFC 3339 instant. `+0000` is read too: Salesforce writes it.
pub fn timestamp(text: &str) -> Result<Option<i64>, Unreadable> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = (Reason::Schema, "is not an instant (RFC 3339)");
    let b = text.as_bytes();
    if b.len() < 20 || !matches!(b[10], b'T' | b't' | b' ') || b[13] != b':' || b[16] != b':' {
        return Err(wrong);
    }
    let day = i64::from(date(&text[..10]).map_err(|_| wrong)?.ok_or(wrong)?);
    let (h, mi, s) = (digits(&b[11..13]).ok_or(wrong)?, digits(&b[14..16]).ok_or(wrong)?, digits(&b[17..19]).ok_or(wrong)?);
    // A leap second is the last microsecond that we can name of its minute.
    if h > 23 || mi > 59 || s > 60 {
        return Err(wrong);
    }
    let mut at = 19;
    let mut micros = 0;
    if b[at] == b'.' {
        let end = at + 1 + b[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if end == at + 1 {
            return Err(wrong);
        }
        for k in 0..6 {
            micros = micros * 10 + b[at + 1..end].get(k).map_or(0, |c| i64::from(c - b'0'));
        }
        at = end;
    }
    let offset = match &b[at..] {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (oh, om) = match rest {
                [_, _, b':', _, _] => (digits(&rest[..2]).ok_or(wrong)?, digits(&rest[3..]).ok_or(wrong)?),
                [_, _, _, _] => (digits(&rest[..2]).ok_or(wrong)?, digits(&rest[2..]).ok_or(wrong)?),
                _ => return Err(wrong),
            };
            if oh > 23 || om > 59 {
                return Err(wrong);
            }
            (oh * 3_600 + om * 60) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return Err(wrong),
    };
    Ok(Some((day * 86_400 + h * 3_600 + mi * 60 + s.min(59) - offset) * 1_000_000 + if s == 60 { 999_999 } else { micros }))
}

/// True or false.
pub fn boolean(text: &str) -> Result<Option<bool>, Unreadable> {
    match text {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        "" => Ok(None),
        _ => Err((Reason::Schema, "is neither true nor false")),
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar.
fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
