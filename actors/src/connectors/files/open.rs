//! Opening a file: what it holds, how it is compressed, and where to go on in it.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::config::{Compression, FilesConfig, Format};
use super::csv;
use super::framer::Framer;
use super::listing::{Found, Root};
use super::position::Entry;
use super::rows::Rows;
use super::scanner::{Framing, Scanner};
use super::source::{FileFault, SourceFile};
use crate::connectors::{PayloadFormat, SourceNotice};

/// How to read the records of the open file.
pub enum Body {
    /// Cut out of bytes.
    Frames(Box<Framer>),
    /// Parquet rows.
    Rows(Box<Rows>),
}

/// A file that is being read.
pub struct Current {
    /// As it is now, not as it was listed.
    pub now: Found,
    /// As it was listed.
    pub listed: Found,
    /// The version being read.
    pub file: SourceFile,
    /// Where its records come from.
    pub body: Body,
    /// What they are.
    pub kind: (PayloadFormat, Option<Vec<String>>),
    /// The file's name and `@`.
    pub label: String,
    /// The file's fingerprint for locations (Parquet).
    pub suffix: String,
    compressed: bool,
}

impl Current {
    /// The file's entry as of now. `open`: bytes of an open last record that was delivered.
    pub fn entry(&self, open: u64) -> io::Result<Entry> {
        let open = match &self.body {
            Body::Frames(f) => open.max(f.already()),
            Body::Rows(_) => 0,
        };
        let (offset, in_array, covered) = match &self.body {
            Body::Frames(f) if self.compressed => (f.at().0, f.at().1, self.file.size),
            Body::Frames(f) => (f.at().0, f.at().1, f.at().0 + open),
            Body::Rows(r) => (r.at, false, self.file.size),
        };
        let (head, tail) = self.file.prints(covered)?;
        Ok(Entry { offset, open, covered, head, tail, in_array, ..entry_of(&self.now) })
    }
}

/// An entry of a file of which nothing was read.
pub fn entry_of(f: &Found) -> Entry {
    Entry { size: f.size, time: f.time, modified: f.modified, id: f.id.clone(), ..Entry::default() }
}

fn notice(kind: &'static str, message: String) -> SourceNotice {
    SourceNotice { kind, message }
}

/// Where to start in a file that was seen before: `None` is its beginning.
fn decide<'a>(
    e: &'a Entry,
    now: &Found,
    local: bool,
    parquet: bool,
    prints: Option<(u64, u64)>,
) -> (Option<&'a Entry>, Option<SourceNotice>) {
    let touched = e.offset > 0 || e.open > 0;
    let again = |kind, what: &str| {
        let said = touched.then(|| notice(kind, format!("{} {what}; it is read again from the start", now.name)));
        (None, said)
    };
    // The identity of a local file is its inode; an S3 object has another ETag whenever it is written.
    let rewritten = if local { e.modified != now.modified } else { e.id != now.id };
    match prints {
        None if local && e.id == now.id => again("file_truncated", &format!("was truncated to {} bytes (it had {})", now.size, e.size)),
        None => again("file_replaced", "was replaced by a shorter file"),
        Some(p) if p != (e.head, e.tail) => again("file_replaced", "was replaced: what had been read of it has changed"),
        Some(_) if rewritten && (now.size == e.covered || parquet) => {
            again("file_replaced", "was written again (same beginning and end, another time)")
        }
        Some(_) => (Some(e), None),
    }
}

/// Opens a listed file for reading on from its entry.
pub fn open(
    root: &Root,
    config: &FilesConfig,
    listed: &Found,
    entry: Option<&Entry>,
) -> Result<(Current, Option<SourceNotice>), FileFault> {
    let (file, now) = SourceFile::open(root, listed)?;
    let fault = |e: io::Error| FileFault::of(&e);
    let magic = file.read_at(0, 4).map_err(fault)?;
    let (format, compression) = detect(config, &now.name, &magic);
    let (start, said) = match entry {
        None => (None, None),
        Some(e) => {
            let prints = (now.size >= e.covered).then(|| file.prints(e.covered)).transpose().map_err(fault)?;
            decide(e, &now, matches!(root, Root::Local(_)), format == Format::Parquet, prints)
        }
    };
    let (mut at, open, in_array) = start.map_or((0, 0, false), |e| (e.offset, e.open, e.in_array));
    let label = format!("{}@", now.name);
    if format == Format::Parquet {
        let rows = Rows::open(&file, at, config.max_record_bytes)?;
        let (head, tail) = file.prints(file.size).map_err(fault)?;
        let suffix = format!("#{:016x}", head ^ tail.rotate_left(32));
        let kind = (PayloadFormat::ParquetJson, None);
        let listed = listed.clone();
        return Ok((Current { now, listed, file, body: Body::Rows(Box::new(rows)), kind, label, suffix, compressed: false }, said));
    }
    let mut kind = (PayloadFormat::Json, None);
    let mut framing = if format == Format::Json { Framing::Json } else { Framing::Line };
    if format == Format::Csv {
        framing = Framing::Csv;
        let (names, end) = header(&file, compression, config)?;
        if config.csv.header {
            at = at.max(end);
        }
        kind = (PayloadFormat::Csv { delimiter: config.csv.delimiter }, Some(names));
    }
    let read = decoded(&file, compression, at)?;
    let framer = Framer::new(read, Scanner::new(framing, in_array), at, config.max_record_bytes, open);
    let compressed = compression != Compression::None;
    let listed = listed.clone();
    Ok((Current { now, listed, file, body: Body::Frames(Box::new(framer)), kind, label, suffix: String::new(), compressed }, said))
}

fn detect(config: &FilesConfig, name: &str, magic: &[u8]) -> (Format, Compression) {
    let name = name.to_ascii_lowercase();
    let strip = |exts: &[&str]| exts.iter().find_map(|e| name.strip_suffix(e)).map(str::to_owned);
    let (stem, by_name) = match (strip(&[".gz", ".gzip"]), strip(&[".zst", ".zstd"])) {
        (Some(s), _) => (s, Compression::Gzip),
        (_, Some(s)) => (s, Compression::Zstd),
        _ => (name.clone(), Compression::None),
    };
    let by_magic = match magic {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
        _ => Compression::None,
    };
    let compression = match config.compression {
        // An empty file is empty however it is called.
        _ if magic.is_empty() => Compression::None,
        Compression::Auto if by_magic != Compression::None => by_magic,
        Compression::Auto => by_name,
        c => c,
    };
    let format = match config.format {
        Format::Auto => match stem.rsplit_once('.').map(|(_, ext)| ext) {
            Some("json") => Format::Json,
            Some("csv" | "tsv") => Format::Csv,
            Some("parquet") => Format::Parquet,
            _ if magic == b"PAR1" => Format::Parquet,
            _ => Format::Ndjson,
        },
        f => f,
    };
    // An empty file of any format has no records; Parquet would call it damaged.
    (if magic.is_empty() && format == Format::Parquet { Format::Ndjson } else { format }, compression)
}

/// The bytes after decompression from `at` on.
fn decoded(file: &SourceFile, compression: Compression, at: u64) -> Result<Box<dyn Read + Send>, FileFault> {
    let mut read: Box<dyn Read + Send> = match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(file.reader(0))),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file.reader(0)).map_err(|e| FileFault::of(&e))?),
        Compression::None | Compression::Auto => return Ok(Box::new(file.reader(at))),
    };
    let skipped = io::copy(&mut (&mut read).take(at), &mut io::sink()).map_err(|e| FileFault::of(&e))?;
    if skipped < at {
        return Err(FileFault::Bad("bad_compression", format!("it holds {skipped} bytes, {at} had been read of it before")));
    }
    Ok(read)
}

/// The columns' names, and where the first record starts.
fn header(file: &SourceFile, compression: Compression, config: &FilesConfig) -> Result<(Vec<String>, u64), FileFault> {
    let mut read = decoded(file, compression, 0)?;
    let mut scanner = Scanner::new(Framing::Csv, false);
    let mut bytes = Vec::new();
    let end = loop {
        let old = bytes.len();
        bytes.resize(old + (16 << 10), 0);
        let n = match read.read(&mut bytes[old..]) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                bytes.truncate(old);
                continue;
            }
            Err(e) => return Err(FileFault::of(&e)),
        };
        bytes.truncate(old + n);
        match scanner.scan(&bytes[old..]) {
            Some(end) => break old + end,
            None if n == 0 => break bytes.len(),
            None if bytes.len() > config.max_record_bytes => {
                return Err(FileFault::Bad("bad_header", format!("its first line is longer than {} bytes", config.max_record_bytes)))
            }
            None => {}
        }
    };
    let line = &bytes[..scanner.content(&bytes[..end])];
    let names = csv::fields(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line), u8::try_from(config.csv.delimiter).unwrap_or(b','));
    if config.csv.header {
        return Ok((names, end as u64));
    }
    Ok(((1..=names.len()).map(|i| format!("column_{i}")).collect(), 0))
}
