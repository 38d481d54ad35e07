//! Paths into a JSON record: `$.A.B`, `$.A[0].B`, `$.A[*].B`, `$.A[Field=value].B`; `$.A | $.B` is the first with a value.

use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A field of an object.
    Field(String),
    /// The n-th entry of a list.
    Index(usize),
    /// Every entry of a list.
    Each,
    /// The first entry of a list whose field has this value.
    Where(String, String),
}

/// A path from the record's root, and those that are followed in turn where it has no value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Segment>, pub Vec<Path>);

impl Path {
    /// Reads a path; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut ways = text.split(" | ").map(Self::one).collect::<Result<Vec<_>, _>>()?;
        if ways.len() > 1 && ways.iter().any(Self::is_list) {
            return Err(format!("{text:?} is not a path: with `[*]` there is no other way"));
        }
        let mut first = ways.remove(0);
        first.1 = ways;
        Ok(first)
    }

    /// The path and the other ways, each by itself.
    pub fn ways(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self).chain(&self.1)
    }

    /// Whether this is how one of its ways is written.
    pub fn is_spelt(&self, text: &str) -> bool {
        self.ways().any(|way| way.spelt() == text)
    }

    fn one(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("{text:?} is not a path: {why}");
        let rest = text.strip_prefix('$').ok_or_else(|| bad("it begins with `$`"))?;
        let mut segments = Vec::new();
        let mut rest = rest;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                if name.is_empty() {
                    return Err(bad("a field has no name"));
                }
                segments.push(Segment::Field(name.to_owned()));
                rest = &after[end..];
            } else if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').ok_or_else(|| bad("a `[` is not closed"))?;
                let inside = &after[..end];
                segments.push(match inside.split_once('=') {
                    _ if inside == "*" => Segment::Each,
                    Some((field, value)) if !field.is_empty() => Segment::Where(field.to_owned(), value.to_owned()),
                    _ => Segment::Index(inside.parse().map_err(|_| bad("in `[]` stands a number, `*` or `Field=value`"))?),
                });
                rest = &after[end + 1..];
            } else {
                return Err(bad("after a field comes `.` or `[`"));
            }
        }
        if segments.is_empty() || !matches!(segments[0], Segment::Field(_)) {
            return Err(bad("it names no field of the record"));
        }
        if segments.iter().filter(|s| matches!(s, Segment::Each)).count() > 1 {
            return Err(bad("it has more than one `[*]`"));
        }
        Ok(Self(segments, Vec::new()))
    }

    /// The names of the objects' fields on the way, lists passed over.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|s| match s {
            Segment::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether it yields a list per record.
    pub fn is_list(&self) -> bool {
        self.0.iter().any(|s| matches!(s, Segment::Each))
    }
}

impl Path {
    fn spelt(&self) -> String {
        let mut out = "$".to_owned();
        for segment in &self.0 {
            out.push_str(&match segment {
                Segment::Field(name) => format!(".{name}"),
                Segment::Index(i) => format!("[{i}]"),
                Segment::Each => "[*]".to_owned(),
                Segment::Where(field, value) => format!("[{field}={value}]"),
            });
        }
        out
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ways().map(Path::spelt).collect::<Vec<_>>().join(" | "))
    }
}
