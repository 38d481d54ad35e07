//! The bytes of a Puffin file with one deletion vector.

use roaring::RoaringTreemap;

use crate::error::{Result, StorageError};

const PUFFIN: &[u8; 4] = b"PFA1";
const VECTOR: [u8; 4] = [0xD1, 0xD3, 0x39, 0x64];
/// Iceberg's reserved id of the row position column.
const ROW_POSITION: i64 = 2_147_483_645;

/// A Puffin file, and where its blob is.
pub struct Encoded {
    /// All of the file.
    pub bytes: Vec<u8>,
    /// Where the blob begins.
    pub offset: u64,
    /// The blob's length.
    pub length: u64,
}

/// Encodes the rows deleted from the data file with this key.
pub fn encode_file(rows: &RoaringTreemap, data_path: &str) -> Result<Encoded> {
    let mut body = VECTOR.to_vec();
    rows.serialize_into(&mut body).map_err(|e| StorageError::io("encoding a deletion vector", e))?;
    let mut bytes = PUFFIN.to_vec();
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    let (offset, length) = (PUFFIN.len() as u64, bytes.len() as u64 - PUFFIN.len() as u64);
    let footer = serde_json::json!({
        "blobs": [{
            "type": "deletion-vector-v1",
            "fields": [ROW_POSITION],
            "snapshot-id": -1,
            "sequence-number": -1,
            "offset": offset,
            "length": length,
            "properties": {"cardinality": rows.len().to_string(), "referenced-data-file": data_path},
        }],
        "properties": {"created-by": concat!("lakewright ", env!("CARGO_PKG_VERSION"))},
    })
    .to_string();
    bytes.extend_from_slice(PUFFIN);
    bytes.extend_from_slice(footer.as_bytes());
    bytes.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(PUFFIN);
    Ok(Encoded { bytes, offset, length })
}

/// Decodes a blob.
pub fn decode_blob(path: &str, blob: &[u8]) -> Result<RoaringTreemap> {
    let bad = |why: &str| StorageError::corrupt(path, why);
    let (length, rest) = blob.split_first_chunk::<4>().ok_or_else(|| bad("the vector is cut short"))?;
    let length = u32::from_be_bytes(*length) as usize;
    if rest.len() != length + 4 || length < VECTOR.len() {
        return Err(bad("the vector's length does not match"));
    }
    let (body, checksum) = rest.split_at(length);
    if checksum != crc32fast::hash(body).to_be_bytes() {
        return Err(bad("the vector's checksum does not match"));
    }
    let bitmap = body.strip_prefix(&VECTOR).ok_or_else(|| bad("it does not begin as a deletion vector"))?;
    RoaringTreemap::deserialize_from(bitmap).map_err(|e| bad(&e.to_string()))
}
