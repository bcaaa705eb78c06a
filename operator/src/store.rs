//! Where the snapshot in force is kept in a cluster: what every operator serves, and what a new one steps back to.
//!
//! The head, ConfigMap `vedette-rules`, names a generation, a hash and parts; the parts are immutable ConfigMaps named by their
//! content. The head is replaced only if it is still the one that was read, so that two that both believe to lead can't
//! both succeed, and a generation is never given twice.
//!
//! **Invariant.** The parts that the head names were there before it named them.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use prost::bytes::Bytes;
use vedette_proto::rules::v1 as proto;
use vedette_rules::SourceFile;
use vedette_service::snapshot::{Snapshot, SnapshotError};

use crate::generation;

/// The head's name.
pub const HEAD: &str = "vedette-rules";
/// Of each part: the head that it belongs to.
const LABEL: &str = "auditing.vedette.io/snapshot";
const PART: &str = "documents";
/// How long the apiserver may take for everything that belongs together.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// A ConfigMap holds 1 MiB, with base64 and names less.
const PART_BYTES: usize = 700 * 1024;

/// Why the snapshot can't be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The apiserver refused or can't be reached.
    #[error("{operation} the ConfigMap {name}")]
    Kube {
        /// What was tried.
        operation: &'static str,
        /// Of which.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Another operator was quicker.
    #[error("another operator has changed the ConfigMap {HEAD}")]
    Overtaken,
    /// What is there is no snapshot.
    #[error("the ConfigMap {name} is damaged: {what}")]
    Damaged {
        /// Which.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// The apiserver did not answer in time.
    #[error("the apiserver did not answer in {} seconds", PATIENCE.as_secs())]
    Slow,
    /// The documents can't be packed or unpacked.
    #[error("pack or unpack the snapshot")]
    Snapshot(#[from] SnapshotError),
}

impl StoreError {
    /// Whether what is kept can't be made anything of, however often it is tried.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Snapshot(_))
    }
}

/// The ConfigMaps of a namespace.
#[derive(Debug, Clone)]
pub struct Store {
    maps: Api<ConfigMap>,
}

/// A snapshot with its documents, as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its documents.
    pub documents: Vec<SourceFile>,
    head: ConfigMap,
}

impl Store {
    /// In the namespace of `maps`.
    pub fn new(maps: Api<ConfigMap>) -> Self {
        Self { maps }
    }

    /// What is kept, `None` if nothing is.
    ///
    /// # Errors
    /// If it can't be read, or is damaged.
    pub async fn load(&self) -> Result<Option<Kept>, StoreError> {
        let Some(head) = self.maps.get_opt(HEAD).await.map_err(failed("read", HEAD))? else { return Ok(None) };
        self.follow(head).await.map(Some)
    }

    /// What `head` names.
    ///
    /// # Errors
    /// If it can't be read, or is damaged.
    pub async fn follow(&self, head: ConfigMap) -> Result<Kept, StoreError> {
        let field = |name: &str| {
            let value = head.data.as_ref().and_then(|data| data.get(name));
            value.ok_or_else(|| damaged(HEAD, format!("it has no `{name}`")))
        };
        let generation = field("generation")?.parse().map_err(|_| damaged(HEAD, "`generation` is no number"))?;
        let hash = hex::decode(field("hash")?).map_err(|_| damaged(HEAD, "`hash` is not hexadecimal"))?;
        let mut documents = Vec::new();
        for name in field("parts")?.split_whitespace() {
            let part = self.maps.get_opt(name).await.map_err(failed("read", name))?;
            let part = part.ok_or_else(|| damaged(name, "it is gone"))?;
            let bytes = part.binary_data.and_then(|mut data| data.remove(PART));
            documents.extend_from_slice(&bytes.ok_or_else(|| damaged(name, format!("it has no `{PART}`")))?.0);
        }
        let message = proto::Snapshot { generation, hash: hash.into(), documents: documents.into() };
        let (snapshot, documents) = Snapshot::unpack(message)?;
        Ok(Kept { snapshot, documents, head })
    }

    /// Puts `documents` in force in place of `before`, with a generation that is larger than `before`'s and `floor`: the time of day in
    /// milliseconds where that is larger still, so that even a head that somebody deletes never makes a generation come again. The
    /// same documents stay as they are, unless their generation is below `floor`.
    ///
    /// # Errors
    /// If another was quicker, or the apiserver refuses.
    pub async fn publish(
        &self,
        before: Option<&Kept>,
        documents: Vec<SourceFile>,
        floor: u64,
    ) -> Result<Kept, StoreError> {
        let last = before.map_or(0, |kept| kept.snapshot.generation());
        let stays = |kept: &&Kept| kept.documents == documents && last >= floor;
        if let Some(kept) = before.filter(stays) {
            return Ok(kept.clone());
        }
        let snapshot = Snapshot::pack(generation::above(last.max(floor)), documents.clone())?;
        let parts = self.write_parts(snapshot.packed()).await?;
        let data = BTreeMap::from([
            ("generation".to_owned(), snapshot.generation().to_string()),
            ("hash".to_owned(), snapshot.hash().to_hex().to_string()),
            ("parts".to_owned(), parts.join(" ")),
        ]);
        let head = match before {
            Some(kept) => self.replace(kept.head.metadata.clone(), data).await?,
            None => self.create(data).await?,
        };
        // An operator that led before may have taken them for leftovers until the head named them.
        self.write_parts(snapshot.packed()).await?;
        let previous = before.map(|kept| kept.parts().collect::<Vec<_>>()).unwrap_or_default();
        self.sweep(&parts, &previous).await;
        Ok(Kept { snapshot, documents, head })
    }

    /// A head where there is none, or in the place of one that is damaged.
    async fn create(&self, data: BTreeMap<String, String>) -> Result<ConfigMap, StoreError> {
        let metadata = ObjectMeta { name: Some(HEAD.to_owned()), ..ObjectMeta::default() };
        let head = ConfigMap { metadata, data: Some(data.clone()), ..ConfigMap::default() };
        match self.maps.create(&PostParams::default(), &head).await {
            Ok(head) => Ok(head),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let there = self.maps.get_opt(HEAD).await.map_err(failed("read", HEAD))?;
                let there = there.ok_or(StoreError::Overtaken)?;
                match self.follow(there.clone()).await {
                    Ok(_) => Err(StoreError::Overtaken),
                    Err(error) if error.is_damage() => self.replace(there.metadata, data).await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(failed("write", HEAD)(error)),
        }
    }

    /// Refused where the head is not the one any more whose metadata this is.
    async fn replace(&self, metadata: ObjectMeta, data: BTreeMap<String, String>) -> Result<ConfigMap, StoreError> {
        let head = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        match self.maps.replace(HEAD, &PostParams::default(), &head).await {
            Ok(head) => Ok(head),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Err(StoreError::Overtaken),
            Err(error) => Err(failed("write", HEAD)(error)),
        }
    }

    async fn write_parts(&self, packed: &Bytes) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for bytes in packed.chunks(PART_BYTES) {
            let hash = blake3::hash(bytes).to_hex();
            let name = format!("{HEAD}-{}", hash.get(..20).unwrap_or_default());
            let part = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    labels: Some(BTreeMap::from([(LABEL.to_owned(), HEAD.to_owned())])),
                    ..ObjectMeta::default()
                },
                binary_data: Some(BTreeMap::from([(PART.to_owned(), ByteString(bytes.to_vec()))])),
                immutable: Some(true),
                ..ConfigMap::default()
            };
            match self.maps.create(&PostParams::default(), &part).await {
                Ok(_) => {}
                // The same content is there already.
                Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
                Err(error) => return Err(failed("write", &name)(error)),
            }
            names.push(name);
        }
        Ok(names)
    }

    /// Removes parts that neither the head nor the one before it names, which somebody may be reading.
    async fn sweep(&self, now: &[String], before: &[&str]) {
        let Ok(all) = self.maps.list_metadata(&ListParams::default().labels(&format!("{LABEL}={HEAD}"))).await else {
            return;
        };
        for name in all.items.iter().filter_map(|part| part.metadata.name.as_deref()) {
            if !now.iter().any(|it| it == name) && !before.contains(&name) {
                let _ = self.maps.delete(name, &DeleteParams::default()).await;
            }
        }
    }
}

impl Kept {
    /// Whether it is what `head` names.
    pub fn is(&self, head: &ConfigMap) -> bool {
        self.head.data == head.data
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let parts = self.head.data.as_ref().and_then(|data| data.get("parts"));
        parts.into_iter().flat_map(|parts| parts.split_whitespace())
    }
}

fn failed(operation: &'static str, name: &str) -> impl FnOnce(kube::Error) -> StoreError {
    let name = name.to_owned();
    move |source| StoreError::Kube { operation, name, source: Box::new(source) }
}

fn damaged(name: &str, what: impl Into<String>) -> StoreError {
    StoreError::Damaged { name: name.to_owned(), what: what.into() }
}
