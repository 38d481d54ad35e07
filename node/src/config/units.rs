//! Human quantities: `64MiB`, `2s`.

use std::fmt;
use std::time::Duration;

/// Bytes, written as `64MiB`, `16KB` or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const BYTE_UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// Reads `64MiB`; the error says what is wanted.
    pub fn parse(s: &str) -> Result<Self, String> {
        let wanted =
            || format!("{s:?} is not a size: write a whole number of bytes or one with a unit, as 64MiB (B, KB, MB, GB, KiB, MiB, GiB)");
        let (number, unit) = split_number(s);
        let factor = match unit {
            "" => 1,
            unit => BYTE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wanted)?.1,
        };
        let number: u64 = number.parse().map_err(|_| wanted())?;
        number.checked_mul(factor).map(Self).ok_or_else(wanted)
    }

    /// As a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match BYTE_UNITS[..3].iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// Reads `2s`, `500ms`, `5m`, `24h`, `7d`; the error says what is wanted.
pub fn parse_duration(s: &str) -> Result<Duration, String> {
    let wanted = || format!("{s:?} is not a duration: write a whole number with a unit, as 2s (ms, s, m, h, d)");
    let (number, unit) = split_number(s);
    let number: u64 = number.parse().map_err(|_| wanted())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wanted()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wanted)
}

fn split_number(s: &str) -> (&str, &str) {
    let s = s.trim();
    let end = s.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(s.len());
    (&s[..end], s[end..].trim_start())
}
