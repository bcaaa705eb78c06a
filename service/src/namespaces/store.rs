//! The namespaces on disk: a folder with a file for each cluster, so that a change writes little.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cluster, Clusters, Namespace};
use crate::place;

/// The folder.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct StoredCluster {
    cluster: String,
    namespaces: Vec<StoredNamespace>,
}

#[derive(Serialize, Deserialize)]
struct StoredNamespace {
    name: String,
    uid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    created: i64,
}

impl Store {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What is kept; files that cannot be read are left out.
    pub(super) fn read(&self) -> Clusters {
        let mut clusters = HashMap::new();
        let Ok(entries) = fs::read_dir(&self.folder) else { return clusters };
        for file in entries.flatten().map(|entry| entry.path()) {
            if file.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let stored = fs::read(&file).and_then(|text| Ok(serde_json::from_slice::<StoredCluster>(&text)?));
            match stored {
                Ok(stored) => {
                    clusters.insert(stored.cluster.as_str().into(), load(stored.namespaces));
                }
                Err(error) => {
                    tracing::warn!(%error, path = %file.display(), "ignoring kept namespaces, which cannot be read");
                }
            }
        }
        clusters
    }

    /// Keeps a cluster's namespaces; none, if it is gone.
    pub(super) fn write(&self, name: &str, cluster: Option<&Cluster>) -> io::Result<()> {
        // The name is somebody else's: it could lead anywhere.
        let file = self.folder.join(format!("{}.json", &blake3::hash(name.as_bytes()).to_hex().as_str()));
        let Some(cluster) = cluster else {
            return match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        let namespaces = cluster.namespaces.iter().map(|(name, it)| StoredNamespace {
            name: name.to_string(),
            uid: it.uid.to_string(),
            workspace: it.workspace.as_deref().map(str::to_owned),
            created: it.created_unix_seconds,
        });
        let stored = StoredCluster { cluster: name.to_owned(), namespaces: namespaces.collect() };
        place::write(&file, &serde_json::to_vec(&stored)?)
    }
}

fn load(stored: Vec<StoredNamespace>) -> Cluster {
    // Thousands of namespaces belong to each workspace.
    let mut workspaces: HashMap<String, Arc<str>> = HashMap::new();
    let namespaces = stored.into_iter().map(|it| {
        let workspace =
            it.workspace.map(|it| Arc::clone(workspaces.entry(it).or_insert_with_key(|it| it.as_str().into())));
        (it.name, Namespace { uid: it.uid.into(), workspace, created_unix_seconds: it.created })
    });
    namespaces.collect()
}
