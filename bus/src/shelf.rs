//! Small documents of the console's users, kept at the broker: the console itself has no disk.
//!
//! One key-value bucket, one entry for each owner, changed by compare-and-set so that two consoles don't undo each other's changes.

use async_nats::jetstream::kv::{Config, Operation, Store};
use async_nats::jetstream::stream::StorageType;
use bytes::Bytes;

use crate::Bus;

const BUCKET: &str = "VEDETTE_CONSOLE";
/// Bytes of one owner's documents together.
pub const SHELF_BYTES: usize = 256 << 10;
/// Bytes of all owners' documents together.
const BUCKET_BYTES: i64 = 64 << 20;

/// What one owner has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf {
    /// As it was put there; empty if nothing was.
    pub content: Bytes,
    /// Which state it is of; 0 if there is none.
    pub revision: u64,
}

/// Why a shelf could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShelfError {
    /// There is no connection, or the broker does not answer.
    #[error("reach the broker's bucket {BUCKET}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else changed it since it was read: read it again.
    #[error("change what somebody else changed meanwhile")]
    Changed,
    /// It is more than [`SHELF_BYTES`].
    #[error("keep more than {SHELF_BYTES} bytes")]
    TooLarge,
}

impl Bus {
    /// What the owner of this key has; a key is of letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`ShelfError::Away`].
    pub async fn shelf(&self, owner: &str) -> Result<Shelf, ShelfError> {
        let entry = self.bucket().await?.entry(owner).await.map_err(away)?;
        let entry = entry.filter(|entry| entry.operation == Operation::Put);
        Ok(entry.map_or_else(Shelf::default, |entry| Shelf { content: entry.value, revision: entry.revision }))
    }

    /// Puts another content there, unless it changed since this revision.
    ///
    /// # Errors
    /// See [`ShelfError`].
    pub async fn change_shelf(&self, owner: &str, content: Bytes, revision: u64) -> Result<(), ShelfError> {
        use async_nats::jetstream::kv::UpdateErrorKind;
        if content.len() > SHELF_BYTES {
            return Err(ShelfError::TooLarge);
        }
        match self.bucket().await?.update(owner, content, revision).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Err(ShelfError::Changed),
            Err(error) => Err(away(error)),
        }
    }

    /// The bucket; made if it is not there.
    async fn bucket(&self) -> Result<Store, ShelfError> {
        if let Ok(bucket) = self.jetstream().get_key_value(BUCKET).await {
            return Ok(bucket);
        }
        let config = Config {
            bucket: BUCKET.to_owned(),
            description: "what users of the console keep".to_owned(),
            max_value_size: i32::try_from(SHELF_BYTES).unwrap_or(i32::MAX),
            max_bytes: BUCKET_BYTES,
            history: 1,
            storage: StorageType::File,
            num_replicas: self.config().replicas,
            ..Config::default()
        };
        self.jetstream().create_or_update_key_value(config).await.map_err(away)
    }
}

fn away(error: impl std::error::Error + Send + Sync + 'static) -> ShelfError {
    ShelfError::Away(Box::new(error))
}
