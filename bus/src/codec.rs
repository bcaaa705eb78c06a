//! Messages on the wire: protobuf, compressed as a whole with zstd.
//!
//! Whoever can publish to the broker chooses the bytes that are decoded here, so both steps have a limit: the bytes that a
//! frame may unpack to, and the entries that a message may hold (two bytes of protobuf become a struct of hundreds).

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use zstd::bulk::{Compressor, Decompressor};

/// The most bytes that a message may unpack to.
pub const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;

/// The most fields on the top level of a message: more than the tiniest events of one POST can make.
pub const MAX_ITEMS: usize = 1 << 20;

/// Level 1 packs audit events eightfold at 700 MB/s; higher levels cost more than they save.
const LEVEL: i32 = 1;

/// The largest window that a frame may ask for, as a power of two: what levels up to 3 use, and 8 MiB at most.
const WINDOW_LOG_MAX: u32 = 23;

/// Why a message could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not a zstd frame, or a damaged one.
    #[error("unpack the message")]
    Unpack(#[source] std::io::Error),
    /// It unpacks to more than the limit.
    #[error("the message unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It holds more entries than [`MAX_ITEMS`].
    #[error("the message holds more than {limit} entries")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Not the protobuf message that was expected.
    #[error("decode the message")]
    Protobuf(#[source] prost::DecodeError),
    /// The header with ingest's counts is missing or malformed.
    #[error("read the header `Vedette-Counts`")]
    Counts(#[source] crate::CountsError),
    /// Its subject names no cluster, or another than the message itself.
    #[error("the message and its subject do not name the same cluster")]
    Subject,
    /// A header that every message of its stream has is missing or malformed.
    #[error("the message has no usable header `{name}`")]
    Header {
        /// The header's name.
        name: &'static str,
    },
}

impl DecodeError {
    /// A code of a bounded set, for metrics and dead letters.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unpack(_) => "undecodable_zstd",
            Self::TooLarge { .. } => "undecodable_too_large",
            Self::TooMany { .. } => "undecodable_too_many",
            Self::Protobuf(_) => "undecodable_protobuf",
            Self::Subject => "undecodable_subject",
            Self::Counts(_) | Self::Header { .. } => "undecodable_header",
        }
    }
}

/// Compressors, or decompressors, that wait to be used again: making one costs as much as packing a small message.
struct Pool<T>(Mutex<Vec<T>>);

/// So many are kept: more are not at work at once for long.
const KEPT: usize = 4;

static COMPRESSORS: Pool<Compressor<'static>> = Pool(Mutex::new(Vec::new()));
static DECOMPRESSORS: Pool<Decompressor<'static>> = Pool(Mutex::new(Vec::new()));

impl<T> Pool<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, one: T) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(one);
        }
    }
}

/// Encodes and compresses a message.
pub fn encode<M: Message>(message: &M) -> Bytes {
    pack(&message.encode_to_vec())
}

/// Compresses a message that is encoded already.
pub fn pack(raw: &[u8]) -> Bytes {
    #[expect(clippy::expect_used, reason = "into a buffer of the bound's size, compressing fails only without memory")]
    let (mut packed, compressor) = COMPRESSORS
        .take()
        .map_or_else(|| Compressor::new(LEVEL), Ok)
        .and_then(|mut compressor| Ok((compressor.compress(raw)?, compressor)))
        .expect("memory for the compressor");
    COMPRESSORS.put(compressor);
    packed.shrink_to_fit();
    Bytes::from(packed)
}

/// Unpacks and decodes a message.
///
/// # Errors
/// If it is no such message, or unpacks to more than `limit` bytes, or holds more than [`MAX_ITEMS`] entries.
pub fn decode<M: Message + Default>(packed: &[u8], limit: usize) -> Result<M, DecodeError> {
    let raw = unpack(packed, limit)?;
    count_items(&raw)?;
    M::decode(Bytes::from(raw)).map_err(DecodeError::Protobuf)
}

fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let declared = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    if declared.is_some_and(|size| size > limit as u64) {
        return Err(DecodeError::TooLarge { limit });
    }
    if let Some(size) = declared.and_then(|size| usize::try_from(size).ok()) {
        let mut decompressor = DECOMPRESSORS.take().map_or_else(Decompressor::new, Ok).map_err(DecodeError::Unpack)?;
        let raw = decompressor.decompress(packed, size);
        DECOMPRESSORS.put(decompressor);
        return raw.map_err(DecodeError::Unpack);
    }
    let expected = packed.len().saturating_mul(4);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(DecodeError::Unpack)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(DecodeError::Unpack)?;
    let mut raw = Vec::with_capacity(expected.min(limit).saturating_add(1));
    decoder.take(limit as u64 + 1).read_to_end(&mut raw).map_err(DecodeError::Unpack)?;
    if raw.len() > limit {
        return Err(DecodeError::TooLarge { limit });
    }
    Ok(raw)
}

/// Counts the fields of the top level without keeping any.
fn count_items(raw: &[u8]) -> Result<(), DecodeError> {
    let mut rest = raw;
    let mut items = 0_usize;
    while !rest.is_empty() {
        items += 1;
        if items > MAX_ITEMS {
            return Err(DecodeError::TooMany { limit: MAX_ITEMS });
        }
        let (tag, wire_type): (u32, WireType) = decode_key(&mut rest).map_err(DecodeError::Protobuf)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(DecodeError::Protobuf)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
