//! Where the entries of `entities.yaml` stand: parsers tell the line of a syntax error only.

/// The line on which each entity, field, rule and known path begins.
pub(super) struct Lines<'a> {
    text: Vec<&'a str>,
    /// (entity, section, entry, line from 0), in order of lines.
    entries: Vec<(usize, &'a str, usize, usize)>,
}

/// The entity's own head.
pub(super) const HEAD: &str = "";

impl<'a> Lines<'a> {
    /// Looks through block sequences under `entities`, `fields`, `rules`, `known` and `lookups`.
    pub(super) fn new(text: &'a str) -> Self {
        let text: Vec<&str> = text.lines().collect();
        let mut entries: Vec<(usize, &str, usize, usize)> = Vec::new();
        let mut entity: Option<(usize, usize)> = None;
        let mut inside = false;
        let mut section: Option<(&str, Option<usize>, usize)> = None;
        for (line, whole) in text.iter().enumerate() {
            let trimmed = whole.trim_start();
            let indent = whole.len() - trimmed.len();
            let dash = trimmed.starts_with("- ") || trimmed == "-";
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            if indent == 0 && !dash {
                inside = trimmed.starts_with("entities:");
                (entity, section) = (None, None);
            } else if inside && dash && entity.is_none_or(|(_, at)| indent == at) {
                entity = Some((entity.map_or(0, |(n, _)| n + 1), indent));
                section = None;
                entries.extend(entity.map(|(n, _)| (n, HEAD, 0, line)));
            } else if let (false, Some(name)) =
                (dash, ["fields", "rules", "known", "lookups"].iter().find(|s| trimmed.strip_prefix(**s) == Some(":")))
            {
                section = Some((name, None, 0));
            } else if let (true, Some((name, at, n)), Some((e, _))) = (dash, section.as_mut(), entity) {
                if at.is_none_or(|at| at == indent) {
                    *at = Some(indent);
                    entries.push((e, name, *n, line));
                    *n += 1;
                }
            }
        }
        Self { text, entries }
    }

    /// The first line, from 1, on which `near` stands in an entry; the entry's own where it stands
    /// nowhere in it; 0 where the entry is not found either.
    pub(super) fn find(&self, entity: usize, section: &str, entry: usize, near: &str) -> u32 {
        let Some(at) = self.entries.iter().position(|e| (e.0, e.1, e.2) == (entity, section, entry)) else {
            return self.anywhere(near);
        };
        let start = self.entries[at].3;
        let end = self.entries.get(at + 1).map_or(self.text.len(), |next| next.3);
        let line = self.text[start..end].iter().position(|l| l.contains(near)).map_or(start, |i| start + i);
        line as u32 + 1
    }

    /// The first line on which `near` stands, from 1; 0: none.
    pub(super) fn anywhere(&self, near: &str) -> u32 {
        if near.is_empty() {
            return 0;
        }
        self.text.iter().position(|l| l.contains(near)).map_or(0, |i| i as u32 + 1)
    }
}
