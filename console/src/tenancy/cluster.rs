//! One cluster: what is known of it, since when, and whether it is believed.
//!
//! **Freshness.** What is known counts from the last moment at which it was proven to be all that there was: the oldest of the proofs of
//! every kind that is watched, and of the probe. A proof is dated when the question was asked whose answer it is, never when the answer
//! came, so that nothing that lay in a buffer for a minute passes for news. Who is older than allowed is [`Stale`], and nobody is
//! answered by them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;
use vedette_service::kept::Kept;

use super::objects::{Key, Kind, Objects, Seen};
use crate::auth::{AUTHENTICATED, Caller, Kind as Via, SYSTEM};

/// How long what Kubernetes said itself counts, and for how many callers it is kept.
const ASKED: Duration = Duration::from_secs(30);
const KEPT: usize = 256;

/// A cluster whose RBAC is watched.
pub(super) struct Cluster {
    pub(super) name: Arc<str>,
    pub(super) client: Client,
    objects: RwLock<Objects>,
    proofs: Mutex<Proofs>,
    /// Kubernetes was seen to deny what is allowed here.
    too_much: AtomicBool,
    /// Kubernetes was seen to allow what is denied here.
    too_little: AtomicBool,
    /// What Kubernetes itself said of callers.
    pub(super) asked: Mutex<Kept<Caller, Seen>>,
}

#[derive(Default)]
struct Proofs {
    kinds: HashMap<Kind, Instant>,
    probe: Option<Instant>,
}

/// What is known is older than it may be, or not all is known yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stale;

/// Whether what is known is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Whole,
    /// It allows what Kubernetes denies.
    TooMuch,
    /// It denies what Kubernetes allows.
    TooLittle,
}

/// A caller, as far as they are anybody in a cluster.
pub(super) struct Who {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
}

impl Cluster {
    pub(super) fn new(name: &str, client: Client) -> Self {
        Self {
            name: name.into(),
            client,
            objects: RwLock::default(),
            proofs: Mutex::default(),
            too_much: AtomicBool::new(false),
            too_little: AtomicBool::new(false),
            asked: Mutex::new(Kept::new(ASKED, KEPT)),
        }
    }

    pub(super) fn objects(&self) -> RwLockReadGuard<'_, Objects> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of `kind`.
    pub(super) fn change(&self, change: impl FnOnce(&mut Objects)) {
        change(&mut self.objects.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// These are all objects of `kind`, which were set one by one, as they were listed when asked for at `asked`.
    pub(super) fn listed(&self, kind: Kind, all: &HashSet<Key>, asked: Instant) {
        self.change(|known| known.retain(kind, all));
        self.prove(kind, asked);
    }

    /// There is no such kind: no CustomResourceDefinition, or none that may be read here.
    pub(super) fn absent(&self, kind: Kind) {
        self.change(|known| known.retain(kind, &HashSet::new()));
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).kinds.remove(&kind);
    }

    /// All that the apiserver knew of `kind` at `asked` is known here.
    pub(super) fn prove(&self, kind: Kind, asked: Instant) {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).kinds.insert(kind, asked);
    }

    /// The apiserver answered from its storage at `asked`.
    pub(super) fn probed(&self, asked: Instant) {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).probe = Some(asked);
    }

    /// Whether what is known is no older than `most`.
    pub(super) fn fresh(&self, most: Duration) -> Result<(), Stale> {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        let complete = Kind::KUBERNETES.iter().all(|kind| proofs.kinds.contains_key(kind));
        let oldest = proofs.kinds.values().copied().chain(proofs.probe).min();
        match oldest.filter(|_| complete && proofs.probe.is_some()) {
            Some(oldest) if oldest.elapsed() <= most => Ok(()),
            _ => Err(Stale),
        }
    }

    pub(super) fn trust(&self) -> Trust {
        match (self.too_much.load(Ordering::Acquire), self.too_little.load(Ordering::Acquire)) {
            (true, _) => Trust::TooMuch,
            (false, true) => Trust::TooLittle,
            (false, false) => Trust::Whole,
        }
    }

    /// What is known is not believed any more, until the console starts again: what made it wrong is not known either.
    pub(super) fn distrust(&self, why: Trust) {
        match why {
            Trust::Whole => {}
            Trust::TooMuch => self.too_much.store(true, Ordering::Release),
            Trust::TooLittle => self.too_little.store(true, Ordering::Release),
        }
    }

    /// Who `caller` is here. The names that a cluster gives itself mean nothing in another one: a service account of the same name may be
    /// anybody's there.
    pub(super) fn who(&self, caller: &Caller) -> Option<Who> {
        let foreign = match &caller.via {
            Via::Kubernetes { cluster } => *cluster != self.name,
            Via::Token | Via::TokenFile | Via::Oidc | Via::Proxy => false,
        };
        if foreign && caller.name.starts_with(SYSTEM) {
            return None;
        }
        let counts = |group: &&String| !foreign || *group == AUTHENTICATED || !group.starts_with(SYSTEM);
        Some(Who { user: caller.name.clone(), groups: caller.groups.iter().filter(counts).cloned().collect() })
    }

    /// What is seen by what is known here.
    pub(super) fn seen(&self, caller: &Caller) -> Seen {
        self.who(caller).map(|who| self.objects().seen(&who.user, &who.groups)).unwrap_or_default()
    }
}
