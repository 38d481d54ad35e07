//! Bytes of catalog keys and values: ordered keys; values with a version byte and a checksum.

use lakewright_proto::{CommandId, CommitSeq, ConnectorId, FileId, Layer, RunId, ShardId, TableId, TenantId, TokenId, UserId};
use serde::de::DeserializeOwned;
use serde::Serialize;
use uuid::Uuid;

use crate::error::{Result, StorageError};

/// The only value format so far: this byte, CRC-32 of the rest (little endian), MessagePack with names.
const VALUE_V1: u8 = 1;

/// Encodes a value.
pub fn encode_value<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let body = rmp_serde::to_vec_named(value).map_err(|e| StorageError::corrupt("a catalog value", e.to_string()))?;
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(VALUE_V1);
    out.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// Decodes a value, refusing what does not match its checksum.
pub fn decode_value<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    let [VALUE_V1, a, b, c, d, body @ ..] = bytes else {
        return Err(StorageError::corrupt(what, format!("format {:?} is not known", bytes.first())));
    };
    if crc32fast::hash(body) != u32::from_le_bytes([*a, *b, *c, *d]) {
        return Err(StorageError::corrupt(what, "the checksum does not match"));
    }
    rmp_serde::from_slice(body).map_err(|e| StorageError::corrupt(what, e.to_string()))
}

/// A part of a key: its encoding sorts as the value does.
pub trait KeyPart: Sized {
    /// Appends the ordered encoding.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the part off the front.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

macro_rules! uuid_part {
    ($($t:ident),*) => {$(
        impl KeyPart for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                take_array::<16>(bytes).map(|b| $t(Uuid::from_bytes(b)))
            }
        }
    )*};
}
uuid_part!(TenantId, UserId, TokenId, ConnectorId, RunId, TableId, FileId, CommandId);

macro_rules! number_part {
    ($($t:ident),*) => {$(
        impl KeyPart for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0.to_be_bytes());
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                take_array::<8>(bytes).map(|b| $t(u64::from_be_bytes(b)))
            }
        }
    )*};
}
number_part!(ShardId, CommitSeq);

impl KeyPart for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        take_array::<8>(bytes).map(u64::from_be_bytes)
    }
}

impl KeyPart for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        take_array::<4>(bytes).map(u32::from_be_bytes)
    }
}

impl KeyPart for [u8; 32] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        take_array::<32>(bytes)
    }
}

/// Text ends with a zero byte, which names never hold.
impl KeyPart for String {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.bytes().filter(|b| *b != 0));
        out.push(0);
    }
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|b| *b == 0)?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
        *bytes = &bytes[end + 1..];
        Some(text)
    }
}

impl KeyPart for Layer {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Layer::Bronze => 1,
            Layer::Silver => 2,
            Layer::Gold => 3,
            Layer::Platinum => 4,
            Layer::System => 5,
        });
    }
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first()?;
        *bytes = rest;
        Some(match head {
            1 => Layer::Bronze,
            2 => Layer::Silver,
            3 => Layer::Gold,
            4 => Layer::Platinum,
            5 => Layer::System,
            _ => return None,
        })
    }
}

macro_rules! tuple_part {
    ($($name:ident $i:tt),+) => {
        impl<$($name: KeyPart),+> KeyPart for ($($name,)+) {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$i.put(out);)+
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::take(bytes)?,)+))
            }
        }
    };
}
tuple_part!(A 0, B 1);
tuple_part!(A 0, B 1, C 2);
tuple_part!(A 0, B 1, C 2, D 3);

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
