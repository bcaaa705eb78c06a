//! Whether a service can do its work, component by component.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The state of a service's components. Cheap to clone; all clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    components: Arc<Mutex<BTreeMap<&'static str, State>>>,
}

/// One component, not ready until it says so. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Component {
    name: &'static str,
    health: Health,
}

/// A component as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ComponentState {
    /// Its name.
    pub name: &'static str,
    /// Whether it can do its work.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug)]
struct State {
    reason: Option<String>,
}

impl Health {
    /// Adds a component, or finds one that is there already.
    pub fn component(&self, name: &'static str) -> Component {
        self.lock().entry(name).or_insert_with(|| State { reason: Some("starting".to_owned()) });
        Component { name, health: self.clone() }
    }

    /// Whether all components are ready. A service without components is not: it has not started.
    pub fn is_ready(&self) -> bool {
        let components = self.lock();
        !components.is_empty() && components.values().all(|state| state.reason.is_none())
    }

    /// All components by name.
    pub fn components(&self) -> Vec<ComponentState> {
        let state = |(name, state): (&&'static str, &State)| ComponentState {
            name,
            ready: state.reason.is_none(),
            reason: state.reason.clone(),
        };
        self.lock().iter().map(state).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Component {
    /// It can do its work.
    pub fn ready(&self) {
        self.set(None);
    }

    /// It cannot, because of `why`.
    pub fn unready(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    /// Says how a connection is that was up at first, until `shutdown`. `other_than(up)` waits until it is not `up` any
    /// more, and gives how it is.
    pub async fn follow<F>(&self, mut other_than: impl FnMut(bool) -> F, shutdown: CancellationToken)
    where
        F: Future<Output = bool>,
    {
        let mut up = true;
        loop {
            up = tokio::select! {
                () = shutdown.cancelled() => return,
                up = other_than(up) => up,
            };
            if up {
                self.ready();
            } else {
                self.unready("the connection is down");
            }
        }
    }

    /// Whether it can do its work.
    pub fn is_ready(&self) -> bool {
        self.health.lock().get(self.name).is_some_and(|state| state.reason.is_none())
    }

    fn set(&self, reason: Option<String>) {
        let changed = {
            let mut components = self.health.lock();
            let before = components.insert(self.name, State { reason: reason.clone() });
            before.is_none_or(|before| before.reason.is_none() != reason.is_none())
        };
        if changed {
            match reason {
                None => tracing::info!(component = self.name, "component is ready"),
                Some(reason) => tracing::warn!(component = self.name, reason = %reason, "component is not ready"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_when_all_its_components_are() {
        let health = Health::default();
        assert!(!health.is_ready(), "nothing has started");
        let (broker, policy) = (health.component("broker"), health.component("policy"));
        broker.ready();
        assert!(!health.is_ready());
        assert_eq!(health.components()[1].reason.as_deref(), Some("starting"));
        policy.ready();
        assert!(health.is_ready());
        broker.unready("away");
        assert!(!health.is_ready() && !broker.is_ready());
        let states = health.components();
        assert_eq!(states[0], ComponentState { name: "broker", ready: false, reason: Some("away".to_owned()) });
        assert_eq!(states[1], ComponentState { name: "policy", ready: true, reason: None });
    }

    #[test]
    fn asking_for_a_component_again_does_not_reset_it() {
        let health = Health::default();
        health.component("broker").ready();
        assert!(health.component("broker").is_ready());
    }
}
