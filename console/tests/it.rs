//! The console over HTTP: on the embedded archive with real events, a real nats-server, and engines that fail.

#[cfg(test)]
mod it {
    pub(crate) mod access;
    pub(crate) mod alerts;
    pub(crate) mod api;
    pub(crate) mod dead;
    pub(crate) mod engines;
    pub(crate) mod gate;
    pub(crate) mod incidents;
    pub(crate) mod oidc;
    pub(crate) mod pages;
    pub(crate) mod proxy;
    pub(crate) mod query;
    pub(crate) mod rig;
    pub(crate) mod rules;
    pub(crate) mod status;
    pub(crate) mod tail;
}
