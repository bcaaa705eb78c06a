//! A snapshot: the documents of a whole policy with its generation, as the operator sends it and a subscriber takes it.
//!
//! **Invariant.** The hash is that of the documents: a snapshot whose hash is another cannot be made.

use std::io::Read;

use prost::Message;
use prost::bytes::Bytes;
use vedette_proto::rules::v1 as proto;
pub use vedette_rules::SourceFile;

/// The most that documents may take when unpacked, in bytes.
pub const LIMIT: usize = 64 * 1024 * 1024;
/// Text of rules packs tenfold at any level; the cheapest is as good as another.
const ZSTD_LEVEL: i32 = 3;

/// Documents that are in force together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    generation: u64,
    hash: blake3::Hash,
    packed: Bytes,
}

/// Why bytes are no snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It cannot be packed.
    #[error("pack the documents")]
    Pack(#[source] std::io::Error),
    /// It cannot be unpacked.
    #[error("unpack the documents")]
    Unpack(#[source] std::io::Error),
    /// It is too large.
    #[error("the documents are more than {} MiB", LIMIT / 1024 / 1024)]
    TooLarge,
    /// What was packed are no documents.
    #[error("read the documents")]
    Decode(#[source] prost::DecodeError),
    /// They are not the ones that it says.
    #[error("the documents' hash is {found}, not {said}")]
    Hash {
        /// In hexadecimal, as the sender gave it.
        said: String,
        /// Of the documents.
        found: String,
    },
}

impl Snapshot {
    /// Packs `documents`, which it sorts by name.
    ///
    /// # Errors
    /// If they are too large.
    pub fn pack(generation: u64, mut documents: Vec<SourceFile>) -> Result<Self, SnapshotError> {
        documents.sort_by(|a, b| a.name.cmp(&b.name));
        let hash = hash(&documents);
        let documents = documents.into_iter().map(|it| proto::Document { name: it.name, text: it.text }).collect();
        let encoded = proto::Documents { documents }.encode_to_vec();
        if encoded.len() > LIMIT {
            return Err(SnapshotError::TooLarge);
        }
        let packed = zstd::bulk::compress(&encoded, ZSTD_LEVEL).map_err(SnapshotError::Pack)?;
        Ok(Self { generation, hash, packed: packed.into() })
    }

    /// What a server sent, and its documents.
    ///
    /// # Errors
    /// If it is not what it says.
    pub fn unpack(message: proto::Snapshot) -> Result<(Self, Vec<SourceFile>), SnapshotError> {
        let mut encoded = Vec::new();
        let reader = zstd::Decoder::new(message.documents.as_ref()).map_err(SnapshotError::Unpack)?;
        reader.take(LIMIT as u64 + 1).read_to_end(&mut encoded).map_err(SnapshotError::Unpack)?;
        if encoded.len() > LIMIT {
            return Err(SnapshotError::TooLarge);
        }
        let documents = proto::Documents::decode(encoded.as_slice()).map_err(SnapshotError::Decode)?;
        let documents: Vec<_> =
            documents.documents.into_iter().map(|it| SourceFile { name: it.name, text: it.text }).collect();
        let hash = hash(&documents);
        if hash.as_bytes().as_slice() != message.hash.as_ref() {
            let hex = |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect();
            return Err(SnapshotError::Hash { said: hex(&message.hash), found: hash.to_hex().to_string() });
        }
        Ok((Self { generation: message.generation, hash, packed: message.documents }, documents))
    }

    /// Grows with every change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Of the documents.
    pub fn hash(&self) -> blake3::Hash {
        self.hash
    }

    /// Bytes of the documents as they travel.
    pub fn packed(&self) -> &Bytes {
        &self.packed
    }

    /// As it travels; the documents are shared, not copied.
    pub fn message(&self) -> proto::Snapshot {
        proto::Snapshot {
            generation: self.generation,
            hash: Bytes::copy_from_slice(self.hash.as_bytes()),
            documents: self.packed.clone(),
        }
    }
}

/// Over names and texts in their order, each with its length, so that no two sets look alike.
pub fn hash(files: &[SourceFile]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in files.iter().flat_map(|file| [&file.name, &file.text]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<SourceFile> {
        ["b", "a"].map(|name| SourceFile { name: name.to_owned(), text: format!("kind: {name}") }).to_vec()
    }

    #[test]
    fn what_is_packed_is_unpacked_sorted() {
        let sent = Snapshot::pack(7, files()).unwrap();
        let (taken, documents) = Snapshot::unpack(sent.message()).unwrap();
        assert_eq!((taken.generation(), taken.hash()), (7, sent.hash()));
        let mut sorted = files();
        sorted.reverse();
        assert_eq!(documents, sorted);
        assert_eq!(hash(&documents), sent.hash());
    }

    #[test]
    fn what_is_not_as_said_is_refused() {
        let good = Snapshot::pack(7, files()).unwrap().message();
        let other_hash = proto::Snapshot { hash: Bytes::from_static(b"x"), ..good.clone() };
        let cut = proto::Snapshot { documents: good.documents.slice(..good.documents.len() - 1), ..good.clone() };
        let zeros = zstd::bulk::compress(&vec![0; LIMIT + 1], 1).unwrap();
        let bomb = proto::Snapshot { documents: zeros.into(), ..good.clone() };
        let noise = zstd::bulk::compress(&[0xff; 9], 1).unwrap();
        let noise = proto::Snapshot { documents: noise.into(), ..good };
        assert!(matches!(Snapshot::unpack(other_hash), Err(SnapshotError::Hash { .. })));
        assert!(matches!(Snapshot::unpack(cut), Err(SnapshotError::Unpack(_))));
        assert!(matches!(Snapshot::unpack(bomb), Err(SnapshotError::TooLarge)));
        assert!(matches!(Snapshot::unpack(noise), Err(SnapshotError::Decode(_))));
    }
}
